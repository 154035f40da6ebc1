//! In which database a row was written.
//!
//! A database that was begun anew has another history than a dump that is put into it afterwards, and the tools that do so
//! pass over the rows that are there already: what tells of the history would be of the new one, and lists, keys and sessions
//! of the old. So each list and each key says in which database it was made, by a random name that the database got when it
//! was begun. Those of another one are over.

use cerrojo_domain::UnixMillis;

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::Result;
use crate::statement::statements;
use crate::tx::{EndingTx, Tx};
use crate::{log, meta};

/// The name of this database, where it has one.
macro_rules! here {
    () => {
        "COALESCE((SELECT value FROM meta WHERE name = 'origin'), '')"
    };
}
pub(crate) use here;

/// Whether a row of a table with an origin is of this database. Programs that knew nothing of it wrote none.
macro_rules! is_ours {
    () => {
        concat!("(origin IS NULL OR origin = ", $crate::origin::here!(), ")")
    };
}
pub(crate) use is_ours;

/// A shared secret has no row of its own making: the settings give it.
macro_rules! is_foreign_key {
    () => {
        concat!("(NOT ", $crate::origin::is_ours!(), " AND algorithm <> 'HS256')")
    };
}
pub(crate) use is_foreign_key;

statements! {
    ADOPT_LISTS(1) = "UPDATE lists SET origin = $1";
    ADOPT_KEYS(1) = "UPDATE keys SET origin = $1";
    COUNT_FOREIGN(0) = concat!(
        "SELECT (SELECT count(*) FROM lists WHERE retired = 0 AND NOT ", is_ours!(), ") \
         + (SELECT count(*) FROM keys WHERE retired_at IS NULL AND ", is_foreign_key!(), ") \
         + (SELECT count(*) FROM log WHERE number > (SELECT number FROM log_head WHERE one = 1))");
    CUT_LOG(0) = "DELETE FROM log WHERE number > (SELECT number FROM log_head WHERE one = 1)";
    RETIRE_FOREIGN_KEYS(1) = concat!("UPDATE keys SET retired_at = $1 WHERE retired_at IS NULL AND ", is_foreign_key!());
}

/// With its migration: the database gets its name, and so do the rows that it has.
pub(crate) async fn begin(tx: &mut Tx) -> Result<()> {
    let name = log::mark(tx.random());
    meta::set(tx, "origin", &name).await?;
    for statement in [ADOPT_LISTS, ADOPT_KEYS] {
        tx.execute(statement, binds![name.as_str()]).await?;
    }
    Ok(())
}

/// Whether lists, keys or entries of the log of another database were put into this one and nobody has seen to it. They are not
/// accepted all the same.
pub async fn is_mixed(run: &mut impl Run) -> Result<bool> {
    Ok(db::number(run, COUNT_FOREIGN, binds![]).await? > 0)
}

/// Where everything is over: keys of another database stay retired, and its entries, which lie beyond the head and in the way of
/// what is written next, are removed.
pub(crate) async fn see_to(tx: &mut EndingTx, at: UnixMillis) -> Result<()> {
    tx.execute(CUT_LOG, binds![]).await?;
    tx.execute(RETIRE_FOREIGN_KEYS, binds![at]).await.map(drop)
}
