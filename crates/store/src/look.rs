//! Looking at a database without changing anything, not even beside it: what `cerrojo doctor` reads.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, Row as _};

use crate::errors::{Result, StoreError};
use crate::{Store, sqlite};

/// Whether a server has the SQLite file open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// One does, so what it keeps beside the file is there.
    InUse,
    /// Nobody does, and there is no write-ahead log: the file by itself is the database. Nobody may open it meanwhile.
    Still,
}

/// Opens a SQLite file that is there, to read it alone.
///
/// # Errors
/// [`StoreError`] if it cannot be read or is no database.
pub async fn open(path: &Path, standing: Standing) -> Result<Store> {
    sqlite::open_to_look(path, standing).await.map(Store::over_sqlite)
}

/// How a PostgreSQL server and this database on it are set up, as a connection by this address finds it.
#[derive(Clone, Debug)]
pub struct Server {
    /// As in `server_version_num`: 150004 is 15.4.
    pub version: i64,
    /// `fsync`: on or off.
    pub fsync: String,
    /// `full_page_writes`: on or off.
    pub full_page_writes: String,
    /// `synchronous_commit`.
    pub synchronous_commit: String,
    /// `synchronous_standby_names`; empty: commits wait for no standby.
    pub synchronous_standbys: String,
    /// Whether it is a standby, which only reads.
    pub is_standby: bool,
    /// How many connections are left for roles that are no superuser's, of this role and for this database.
    pub connections: i64,
    /// `statement_timeout`, `transaction_timeout`, `lock_timeout` and `idle_session_timeout` where they are set.
    pub timeouts: Vec<(&'static str, String)>,
    /// The version of TLS on this connection; none: it is not encrypted.
    pub tls: Option<String>,
    /// Whether it is on this machine, as the address says.
    pub is_here: bool,
    /// Whether two connections at a time were one to the server: a pooler in transaction mode is between.
    pub is_pooled: bool,
    /// Its time of day, in milliseconds since 1970.
    pub time: i64,
}

const SETTINGS: &str = "SELECT CAST(current_setting('server_version_num') AS BIGINT), \
     current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'), \
     current_setting('synchronous_standby_names'), pg_is_in_recovery(), \
     (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()), \
     CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";

/// -1 is no limit of a role or a database. `reserved_connections` is of PostgreSQL 16.
const CONNECTIONS: &str = "SELECT least(\
     CAST(current_setting('max_connections') AS BIGINT) - CAST(current_setting('superuser_reserved_connections') AS BIGINT) \
     - CAST(coalesce(current_setting('reserved_connections', true), '0') AS BIGINT), \
     nullif(CAST((SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS BIGINT), -1), \
     nullif(CAST((SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS BIGINT), -1))";

/// `transaction_timeout` is of PostgreSQL 17.
const TIMEOUTS: &str = "SELECT coalesce(current_setting('statement_timeout', true), '0'), \
     coalesce(current_setting('transaction_timeout', true), '0'), coalesce(current_setting('lock_timeout', true), '0'), \
     coalesce(current_setting('idle_session_timeout', true), '0')";
const TIMEOUT_NAMES: [&str; 4] = ["statement_timeout", "transaction_timeout", "lock_timeout", "idle_session_timeout"];

/// Asks the server, also one that [`Store::open`] refuses. Takes two connections for as long.
///
/// # Errors
/// [`StoreError`] if it is not reached within 10 s or does not answer. The address, which may hold a password, is not in it.
pub async fn at(url: &str) -> Result<Server> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| StoreError::Broken(format!("the address of the PostgreSQL server is not one: {error}")))?
        .application_name("cerrojo doctor")
        .disable_statement_logging();
    let options = crate::postgres::with_tls(options, url);
    let asked = tokio::time::timeout(Duration::from_secs(10), ask(&options)).await;
    let asked = asked.map_err(|_| StoreError::Unavailable("no answer within 10 s".to_owned()))?;
    asked.map_err(|error| StoreError::at_opening(&error))
}

async fn ask(options: &PgConnectOptions) -> sqlx::Result<Server> {
    const PROCESS: &str = "SELECT pg_backend_pid()";
    let mut one = PgConnection::connect_with(options).await?;
    let settings = sqlx::query(SETTINGS).fetch_one(&mut one).await?;
    let connections = sqlx::query(CONNECTIONS).fetch_one(&mut one).await?.try_get(0)?;
    let found = sqlx::query(TIMEOUTS).fetch_one(&mut one).await?;
    let mut timeouts = Vec::new();
    for (place, name) in TIMEOUT_NAMES.into_iter().enumerate() {
        let value: String = found.try_get(place)?;
        if value != "0" {
            timeouts.push((name, value));
        }
    }
    // Each connection has a process of its own, unless somebody between hands one around from transaction to transaction.
    let mut other = PgConnection::connect_with(options).await?;
    let mine: i32 = sqlx::query(PROCESS).fetch_one(&mut one).await?.try_get(0)?;
    let others: i32 = sqlx::query(PROCESS).fetch_one(&mut other).await?.try_get(0)?;
    other.close().await?;
    one.close().await?;
    Ok(Server {
        version: settings.try_get(0)?,
        fsync: settings.try_get(1)?,
        full_page_writes: settings.try_get(2)?,
        synchronous_commit: settings.try_get(3)?,
        synchronous_standbys: settings.try_get(4)?,
        is_standby: settings.try_get(5)?,
        connections,
        timeouts,
        tls: settings.try_get(6)?,
        is_here: crate::postgres::is_here(options),
        is_pooled: mine == others,
        time: settings.try_get(7)?,
    })
}
