//! In which database, and in which history of it, a row was written.
//!
//! A database that was begun has another history than a dump that is put into it afterwards, and the tools that do so pass over
//! the rows that are there already: what tells of the history would be of the one, and lists, keys and sessions of the other. So
//! each list and each key has the random name of the history that it was made in. The log's head says which one it is now;
//! it begins with the database, and with every end of everything because of a restore. What is of another one is over.

use cerrojo_domain::UnixMillis;

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::Result;
use crate::statement::statements;
use crate::tx::{EndingTx, Tx};
use crate::{leases, log, meta, migrate};

/// The name of this history.
macro_rules! here {
    () => {
        "(SELECT origin FROM log_head WHERE one = 1)"
    };
}
pub(crate) use here;

/// Whether a row of a table with an origin is of this history. Programs that knew nothing of it write none: those rows are
/// good where such a program may be at work.
macro_rules! is_ours {
    () => {
        concat!(
            "(CASE WHEN origin IS NULL THEN EXISTS (SELECT 1 FROM meta WHERE name = 'without_origin') ELSE origin = ",
            $crate::origin::here!(),
            " END)"
        )
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

/// The highest number that any user has or a session tells of.
macro_rules! highest_number {
    () => {
        "(SELECT max(number) FROM (SELECT COALESCE(max(user_id), 0) AS number FROM users \
          UNION ALL SELECT COALESCE(max(user_id), 0) FROM sessions) AS numbers)"
    };
}

statements! {
    COUNT_ROWS(0) = "SELECT (SELECT count(*) FROM lists) + (SELECT count(*) FROM keys)";
    SET(1) = "UPDATE log_head SET origin = $1 WHERE one = 1";
    ADOPT_LISTS(1) = "UPDATE lists SET origin = $1";
    ADOPT_KEYS(1) = "UPDATE keys SET origin = $1";
    COUNT_FOREIGN(0) = concat!(
        "SELECT (SELECT count(*) FROM lists WHERE retired = 0 AND NOT ", is_ours!(), ") \
         + (SELECT count(*) FROM keys WHERE retired_at IS NULL AND ", is_foreign_key!(), ") \
         + (SELECT count(*) FROM log WHERE number > (SELECT number FROM log_head WHERE one = 1))");
    CUT_LOG(0) = "DELETE FROM log WHERE number > (SELECT number FROM log_head WHERE one = 1)";
    RETIRE_FOREIGN_KEYS(1) = concat!("UPDATE keys SET retired_at = $1 WHERE retired_at IS NULL AND ", is_foreign_key!());
    COUNT_ON(0) = concat!(
        "UPDATE counters SET value = ", highest_number!(), " WHERE name = 'user' AND value < ", highest_number!());
}

/// With its migration: the history gets its name, and so do the rows that there are. Where there are some, programs of an earlier
/// release may be at work and write more; into a new database none ever writes.
pub(crate) async fn begin(tx: &mut Tx) -> Result<()> {
    let name = log::mark(tx.random());
    tx.execute(SET, binds![name.as_str()]).await?;
    if db::number(tx, COUNT_ROWS, binds![]).await? > 0 {
        for statement in [ADOPT_LISTS, ADOPT_KEYS] {
            tx.execute(statement, binds![name.as_str()]).await?;
        }
        return meta::set(tx, "without_origin", "1").await;
    }
    migrate::ask_for(tx, migrate::ORIGIN).await
}

/// Whether lists, keys or entries of the log of another history were put into this one and nobody has seen to it. They are not
/// accepted all the same.
pub async fn is_mixed(run: &mut impl Run) -> Result<bool> {
    Ok(db::number(run, COUNT_FOREIGN, binds![]).await? > 0)
}

/// Where everything is over: keys of another history stay retired, its entries, which lie beyond the head and in the way of what
/// is written next, are removed, and numbers of its users are not given to others.
pub(crate) async fn see_to(tx: &mut EndingTx, at: UnixMillis) -> Result<()> {
    tx.execute(CUT_LOG, binds![]).await?;
    // Somebody who is being registered meanwhile is waited for, and then it is the newer value that is compared: on PostgreSQL
    // what a statement reads in a query of its own is as it was when the statement began.
    tx.execute(COUNT_ON, binds![]).await?;
    tx.execute(RETIRE_FOREIGN_KEYS, binds![at]).await.map(drop)
}

/// Another history begins: whatever is put into the database again of the one before is not of it, nor are keys that were not
/// retired until now. Where no program of an earlier release is at work, none comes any more, and rows without a history are
/// of no program that may write here.
pub async fn begin_anew(tx: &mut EndingTx) -> Result<()> {
    let name = log::mark(tx.random());
    tx.execute(SET, binds![name]).await?;
    if leases::is_any_of_an_earlier_release(tx).await? {
        return Ok(());
    }
    meta::forget(tx, "without_origin").await?;
    migrate::ask_for(tx, migrate::ORIGIN).await
}
