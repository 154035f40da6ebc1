//! Counting commits (SQLite), so that whoever keeps the count elsewhere notices a database file that was put back.

use std::sync::{Arc, OnceLock};

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::Result;
use crate::statement::statements;
use crate::tx::Tx;

statements! {
    COUNT_ONE(0) = "UPDATE counters SET value = value + 1 WHERE name = 'commit' RETURNING value";
    COUNTED(0) = "SELECT value FROM counters WHERE name = 'commit'";
}

/// Whoever is told what became of commits.
pub trait Witness: Send + Sync + 'static {
    /// The commit of this number is durable (SQLite only). May be told out of order.
    fn committed(&self, number: i64);
    /// A COMMIT was sent and nobody knows whether it happened.
    fn outcome_unknown(&self, cause: &str);
}

/// The place for a witness: one for all transactions of a store.
pub(crate) type WitnessBox = Arc<OnceLock<Arc<dyn Witness>>>;

/// How many commits the database has seen, this process's and others' (SQLite; always 0 on PostgreSQL).
pub async fn count(run: &mut impl Run) -> Result<i64> {
    db::number(run, COUNTED, binds![]).await
}

/// Counts the commit that comes next.
pub(crate) async fn count_one(tx: &mut Tx) -> Result<i64> {
    db::number(tx, COUNT_ONE, binds![]).await
}
