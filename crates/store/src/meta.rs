//! Small facts about the installation, by name.

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::Result;
use crate::statement::statements;
use crate::tx::Tx;

statements! {
    GET(1) = "SELECT value FROM meta WHERE name = $1";
    SET(2) = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    FORGET(1) = "DELETE FROM meta WHERE name = $1";
}

/// The fact of this name (`master_key_check` …).
pub async fn get(run: &mut impl Run, name: &str) -> Result<Option<String>> {
    db::row(run, GET, binds![name]).await?.map(|row| row.text(0)).transpose()
}

/// Writes the fact of this name, whether or not there was one.
pub async fn set(tx: &mut Tx, name: &str, value: &str) -> Result<()> {
    tx.execute(SET, binds![name, value]).await.map(drop)
}

/// Forgets the fact of this name, if there is one.
pub(crate) async fn forget(tx: &mut Tx, name: &str) -> Result<()> {
    tx.execute(FORGET, binds![name]).await.map(drop)
}
