//! Leases: which nodes may say yes from memory, and how far each has read the log.

use sqlx::Postgres;

use crate::Store;
use crate::bind::{binds, for_postgres, for_sqlite};
use crate::db::{Db, Run};
use crate::errors::{Result, StoreError};
use crate::postgres::{self, BEGIN_LAZY};
use crate::statement::statements;

statements! {
    FORGET_ALL(0) = "DELETE FROM leases";
    INSERT(2) = "INSERT INTO leases (node, turn, applied) VALUES ($1, 0, $2)";
    SET_APPLIED(2) = "UPDATE leases SET applied = $2 WHERE node = $1";
    GIVE_BACK(1) = "DELETE FROM leases WHERE node = $1";
    EVERY_ROW(0) = "SELECT node, turn, applied FROM leases ORDER BY node";
}

/// Forgets all rows and inserts this one (SQLite: the holder of the file's lock).
pub async fn take_only(store: &Store, node: &str, applied: i64) -> Result<()> {
    let mut tx = store.begin().await?;
    tx.execute(FORGET_ALL, binds![]).await?;
    tx.execute(INSERT, binds![node, applied]).await?;
    tx.commit().await
}

/// Says how far `node` has applied the log. Commits without waiting for the disk: losing it only makes somebody wait.
///
/// # Errors
/// [`StoreError::Unavailable`] if the lease is gone.
pub async fn set_applied(store: &Store, node: &str, applied: i64) -> Result<()> {
    let binds = binds![node, applied];
    let text = (SET_APPLIED.text)();
    let hits = match &store.db {
        Db::Sqlite(pools) => pools.execute_lazily(text, for_sqlite(SET_APPLIED, binds)?).await?,
        Db::Postgres(pool) => {
            let wrong = |error: sqlx::Error| StoreError::before_commit(&error);
            let mut transaction = postgres::begin(pool, BEGIN_LAZY).await?;
            let query = sqlx::query_with::<Postgres, _>(text, for_postgres(SET_APPLIED, binds)?);
            let done = query.execute(&mut *transaction).await.map_err(wrong)?;
            transaction.commit().await.map_err(wrong)?;
            done.rows_affected()
        }
    };
    if hits == 0 { Err(StoreError::Unavailable("the lease is gone".to_owned())) } else { Ok(()) }
}

/// Removes the row of `node`.
pub async fn give_back(store: &Store, node: &str) -> Result<()> {
    let mut tx = store.begin().await?;
    tx.execute(GIVE_BACK, binds![node]).await?;
    tx.commit().await
}

/// (node, turn, applied) of every lease.
pub async fn all(run: &mut impl Run) -> Result<Vec<(String, i64, i64)>> {
    let rows = run.rows(EVERY_ROW, binds![]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.int(1)?, row.int(2)?))).collect()
}
