//! What only PostgreSQL has.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgPool, Postgres, Row, Transaction};

use crate::errors::{Result, StoreError};
use crate::row;

/// The isolation is said each time, whatever the server's default is. A commit that does not wait for the disk would lose
/// endings: where that is the setting it is overruled for the transaction. Any other setting of the operator's stays
/// (`remote_apply` waits for more). One round trip.
pub(crate) const BEGIN_WRITING: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
     SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'";

/// All reads see the state of the first one.
pub(crate) const BEGIN_READING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// For an `applied` alone: it may be lost in a crash, which only makes somebody wait.
pub(crate) const BEGIN_LAZY: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = off";

/// Held until the migration's transaction ends, one for each schema. Not a session's lock: poolers hand sessions around.
pub(crate) const LOCK_MIGRATIONS: &str =
    "SELECT pg_advisory_xact_lock(1667592818, hashtext(coalesce(current_schema(), '')))";

/// Connections beyond the ones for reading.
const WRITERS: u32 = 8;

/// Connects and refuses a server that cannot keep what the design promises.
pub(crate) async fn open(url: &str, readers: u32) -> Result<PgPool> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| StoreError::Broken(format!("the address of the PostgreSQL server is not one: {error}")))?
        .disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(readers.saturating_add(WRITERS))
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options)
        .await
        .map_err(|error| StoreError::before_commit(&error))?;
    let settings = sqlx::query("SELECT current_setting('fsync'), current_setting('server_encoding')")
        .fetch_one(&pool)
        .await
        .map_err(|error| StoreError::before_commit(&error))?;
    let setting = |column: usize| settings.try_get::<String, _>(column).map_err(|e| StoreError::Broken(e.to_string()));
    check_settings(&setting(0)?, &setting(1)?)?;
    Ok(pool)
}

/// Begins a transaction, to the end though the caller goes away: a BEGIN given up half-way leaves its connection in a
/// transaction that the driver does not know of, and whoever gets it next may read one old state for ever.
pub(crate) async fn begin(pool: &PgPool, how: &'static str) -> Result<Transaction<'static, Postgres>> {
    let pool = pool.clone();
    match tokio::spawn(async move { pool.begin_with(how).await }).await {
        Ok(begun) => begun.map_err(|error| StoreError::before_commit(&error)),
        Err(error) => Err(StoreError::Unavailable(format!("BEGIN was interrupted: {error}"))),
    }
}

fn check_settings(fsync: &str, encoding: &str) -> Result<()> {
    if fsync == "off" {
        let refused = "the PostgreSQL server runs with fsync = off and may forget logouts in a crash: turn it on";
        return Err(StoreError::Broken(refused.to_owned()));
    }
    if encoding != "UTF8" {
        let refused = format!("the database's encoding is {encoding}: create it with ENCODING 'UTF8'");
        return Err(StoreError::Broken(refused));
    }
    Ok(())
}

/// Whether this schema holds a table of migrations.
pub(crate) async fn has_migrations(pool: &PgPool) -> Result<bool> {
    let found = sqlx::query("SELECT count(*) FROM pg_class WHERE oid = to_regclass('schema_version')")
        .fetch_one(pool)
        .await
        .map_err(|error| StoreError::before_commit(&error))?;
    Ok(row::Row::Postgres(found).int(0)? > 0)
}

#[cfg(test)]
mod tests {
    use super::check_settings;
    use crate::StoreError;

    #[test]
    fn a_server_that_may_forget_commits_is_refused() {
        assert_eq!(check_settings("on", "UTF8"), Ok(()));
        assert!(matches!(check_settings("off", "UTF8"), Err(StoreError::Broken(why)) if why.contains("fsync")));
        assert!(matches!(check_settings("on", "LATIN1"), Err(StoreError::Broken(why)) if why.contains("UTF8")));
    }
}
