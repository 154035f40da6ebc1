//! Counters of limits, kept so that a restart does not forget them.

use cerrojo_domain::UnixMillis;

use crate::bind::binds;
use crate::db::Run;
use crate::errors::Result;
use crate::statement::statements;
use crate::tx::Tx;

statements! {
    SAVE(3) = "INSERT INTO attempts (counter, tries, resets_at) VALUES ($1, $2, $3) \
         ON CONFLICT (counter) DO UPDATE SET tries = excluded.tries, resets_at = excluded.resets_at";
    LOAD(2) = "SELECT counter, tries, resets_at FROM attempts WHERE resets_at > $1 ORDER BY resets_at DESC LIMIT $2";
    SWEEP(1) = "DELETE FROM attempts WHERE resets_at <= $1";
}

/// A limit's counter.
#[derive(Clone, Debug)]
pub struct Counter {
    /// Opaque: a hash made by app.
    pub key: String,
    /// Tries so far.
    pub count: i64,
    /// When they are forgotten.
    pub resets_at: UnixMillis,
}

/// Writes all of them, new or not.
pub async fn save(tx: &mut Tx, counters: &[Counter]) -> Result<()> {
    // Always in the same order, so that two nodes which save at once do not wait for each other in a circle.
    let mut counters: Vec<&Counter> = counters.iter().collect();
    counters.sort_by(|one, other| one.key.cmp(&other.key));
    for counter in counters {
        tx.execute(SAVE, binds![counter.key.as_str(), counter.count, counter.resets_at]).await?;
    }
    Ok(())
}

/// Those with `resets_at` after `now`, at most `limit`, latest first.
pub async fn load(run: &mut impl Run, now: UnixMillis, limit: i64) -> Result<Vec<Counter>> {
    let rows = run.rows(LOAD, binds![now, limit]).await?;
    rows.iter().map(|row| Ok(Counter { key: row.text(0)?, count: row.int(1)?, resets_at: row.time(2)? })).collect()
}

/// Deletes those with `resets_at` at or before `now`; how many.
pub async fn sweep(tx: &mut Tx, now: UnixMillis) -> Result<u64> {
    tx.execute(SWEEP, binds![now]).await
}
