//! Leases: which nodes may say yes from memory, and how far each has read the log.
//!
//! There is no time in a lease. A node counts its own by its own clock, and whoever waits for it watches its turn.

use crate::Store;
use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::{Result, StoreError};
use crate::postgres::Lane;
use crate::row::Row;
use crate::statement::{Statement, statements};
use crate::tx::Tx;

/// Which server this is, and which history of it: another one after a restore or a failover. The number of the head's table
/// changes when a dump is restored into the same server. SQLite has a position file instead.
macro_rules! identity {
    () => {
        "(SELECT system_identifier FROM pg_control_system()) || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) \
         || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()) \
         || '/' || CAST('log_head' AS regclass)::oid"
    };
}

/// Added to the identity where the rows of `meta` are not those that were written there: see [`Imprint`].
macro_rules! unless_copied {
    () => {
        "COALESCE((SELECT CASE WHEN value = CAST(xmin AS TEXT) THEN '' END FROM meta WHERE name = 'imprint'), '/copied')"
    };
}

/// How far the write-ahead log is on the disk: it never goes back unless the database does.
macro_rules! flushed {
    () => {
        "CAST(pg_current_wal_flush_lsn() - '0/0' AS BIGINT)"
    };
}

/// Where a node stands. It never goes back, and is never beyond the log: a node that was further is of a history that is
/// lost, and nobody must take it for one that has applied what comes now.
macro_rules! applied {
    ($value:literal) => {
        concat!("applied = CASE WHEN applied < ", $value, " THEN ", $value, " ELSE applied END")
    };
}

statements! {
    FORGET_ALL(0) = "DELETE FROM leases";
    INSERT(4) = "INSERT INTO leases (node, turn, applied, about, settings) VALUES ($1, 0, $2, $3, $4)";
    RENEW(3) = concat!(
        "UPDATE leases SET turn = turn + 1, ", applied!("$3"), " WHERE node = $1 AND turn = $2 \
         AND $3 <= (SELECT number FROM log_head) RETURNING (SELECT number FROM log_head), '', 0"),
        postgres = concat!(
        "UPDATE leases SET turn = turn + 1, ", applied!("$3"), " WHERE node = $1 AND turn = $2 \
         AND $3 <= (SELECT number FROM log_head) RETURNING (SELECT number FROM log_head), ",
        identity!(), " || ", unless_copied!(), ", ", flushed!());
    // The word to the others goes out with the commit, which need not be durable: losing it only makes somebody wait.
    SET_APPLIED(2) = concat!("UPDATE leases SET ", applied!("$2"), " WHERE node = $1 AND $2 <= (SELECT number FROM log_head)"),
        postgres = concat!(
        "WITH lazily AS (SELECT set_config('synchronous_commit', 'off', true)) \
         UPDATE leases SET ", applied!("$2"), " FROM lazily WHERE node = $1 \
         AND $2 <= (SELECT number FROM log_head) RETURNING pg_notify('cerrojo.' || current_schema(), 'applied ' || node || ' ' || applied)");
    GIVE_BACK(1) = "DELETE FROM leases WHERE node = $1";
    REMOVE(2) = "DELETE FROM leases WHERE node = $1 AND turn = $2";
    EVERY_ROW(0) = "SELECT node, turn, applied, about, settings FROM leases ORDER BY node";
    IDENTITY(0) = "SELECT ''", postgres = concat!("SELECT ", identity!());
    IDENTITY_OF_ORIGINAL(0) = "SELECT ''", postgres = concat!("SELECT ", identity!(), " || ", unless_copied!());
    // On SQLite nobody is beside this program, and its own lease says nothing.
    COUNT_EARLIER(0) = "SELECT 0", postgres = "SELECT count(*) FROM leases WHERE settings = ''";
    // The number of a transaction as `xmin` shows it: without the epoch.
    SET_IMPRINT(0) = "SELECT 1 WHERE 0 = 1", postgres =
        "INSERT INTO meta (name, value) VALUES ('imprint', CAST(mod(CAST(CAST(pg_current_xact_id() AS TEXT) AS NUMERIC), 4294967296) AS TEXT)) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    IMPRINT(0) = "SELECT 1 WHERE 0 = 1", postgres =
        "SELECT CAST(CASE WHEN value = CAST(xmin AS TEXT) THEN 1 ELSE 0 END AS BIGINT) FROM meta WHERE name = 'imprint'";
    FLUSHED(0) = "SELECT 0", postgres = concat!("SELECT ", flushed!());
}

/// A lease as it stands in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The node's random name, made at each start and each time it joins anew.
    pub node: String,
    /// How often it was renewed.
    pub turn: i64,
    /// The last entry of the log that the node has applied.
    pub applied: i64,
    /// For people.
    pub about: String,
    /// What the node says of its settings, for the others to compare.
    pub settings: String,
}

/// What a renewal tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// The number of the log's last entry.
    pub head: i64,
    /// See [`identity_of_original`].
    pub identity: String,
    /// See [`flushed`].
    pub flushed: i64,
}

/// Forgets all rows and inserts this one (SQLite: the holder of the file's lock).
pub async fn take_only(store: &Store, node: &str, applied: i64) -> Result<()> {
    let mut tx = store.begin().await?;
    tx.execute(FORGET_ALL, binds![]).await?;
    tx.execute(INSERT, binds![node, applied, "", ""]).await?;
    tx.commit().await
}

/// Inserts the lease of a node that has applied the log up to `applied`, and removes those that the same process had before under other
/// names. Durable when this returns.
///
/// # Errors
/// [`StoreError::OutcomeUnknown`]: the row may be there all the same, under a name that must not be used again.
pub async fn join(store: &Store, lease: &Lease, before: &[String]) -> Result<()> {
    let mut tx = store.begin_control().await?;
    for node in before {
        tx.execute(GIVE_BACK, binds![node.as_str()]).await?;
    }
    tx.execute(INSERT, binds![lease.node.as_str(), lease.applied, lease.about.as_str(), lease.settings.as_str()])
        .await?;
    tx.commit().await
}

/// Renews the lease that stands at `turn`; it stands at the next one then, durably. `None`: it is gone, or stands elsewhere.
pub async fn renew(store: &Store, lease: &Lease) -> Result<Option<Renewed>> {
    let mut tx = store.begin_control().await?;
    let renewed = db::row(&mut tx, RENEW, binds![lease.node.as_str(), lease.turn, lease.applied]).await?;
    tx.commit().await?;
    renewed.map(|row| Ok(Renewed { head: row.int(0)?, identity: row.text(1)?, flushed: row.int(2)? })).transpose()
}

/// Removes the lease of a node whose turn was seen not to move; whether it still stood there. Durable when this returns.
pub async fn remove(store: &Store, node: &str, turn: i64) -> Result<bool> {
    let mut tx = store.begin_control().await?;
    let hit = tx.hits(REMOVE, binds![node, turn]).await?;
    tx.commit().await?;
    Ok(hit)
}

/// Says how far `node` has applied the log. Commits without waiting for the disk: losing it only makes somebody wait.
///
/// # Errors
/// [`StoreError::Unavailable`] if the lease is gone.
pub async fn set_applied(store: &Store, node: &str, applied: i64) -> Result<()> {
    let hits = store.db.execute_lazily(Lane::Control, SET_APPLIED, binds![node, applied]).await?;
    if hits == 0 { Err(StoreError::Unavailable("the lease is gone".to_owned())) } else { Ok(()) }
}

/// Removes the row of `node`.
pub async fn give_back(store: &Store, node: &str) -> Result<()> {
    let mut tx = store.begin_control().await?;
    tx.execute(GIVE_BACK, binds![node]).await?;
    tx.commit().await
}

/// Every lease.
pub async fn all(run: &mut impl Run) -> Result<Vec<Lease>> {
    run.rows(EVERY_ROW, binds![]).await?.iter().map(read).collect()
}

/// Which server the database is on and which history of it; empty on SQLite. Whoever finds another one than is recorded
/// looks at a restored copy, or at a standby that was promoted.
///
/// # Errors
/// [`StoreError`] also on a server that is in recovery.
pub async fn identity(run: &mut impl Run) -> Result<String> {
    text(run, IDENTITY).await
}

/// The same, and another where the rows are copies of what was written there: for whoever looks while the server goes on.
pub async fn identity_of_original(run: &mut impl Run) -> Result<String> {
    text(run, IDENTITY_OF_ORIGINAL).await
}

async fn text(run: &mut impl Run, statement: Statement) -> Result<String> {
    let row = db::row(run, statement, binds![]).await?.ok_or_else(|| StoreError::odd("the server's identity"))?;
    row.text(0)
}

/// Whether a node of a release before the fourth migration has a lease: those say nothing of their settings.
pub(crate) async fn is_any_of_an_earlier_release(tx: &mut Tx) -> Result<bool> {
    Ok(db::number(tx, COUNT_EARLIER, binds![]).await? > 0)
}

/// What a row tells about itself that a copy of it cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imprint {
    /// The row says which transaction wrote it, and PostgreSQL says the same.
    Original,
    /// Another transaction wrote the row than it says: rows were put back into the tables.
    Copied,
    /// There is none. The fourth migration wrote one, so on PostgreSQL it is a copy of something older.
    None,
}

/// Whether the rows are those that were written here. A dump of rows alone, put back into the same tables of the same
/// server, changes nothing of [`identity`].
pub async fn imprint(run: &mut impl Run) -> Result<Imprint> {
    Ok(match db::row(run, IMPRINT, binds![]).await? {
        Some(row) if row.int(0)? == 1 => Imprint::Original,
        Some(_) => Imprint::Copied,
        None => Imprint::None,
    })
}

/// Writes the imprint anew; nothing on SQLite.
pub async fn set_imprint(tx: &mut Tx) -> Result<()> {
    tx.execute(SET_IMPRINT, binds![]).await.map(drop)
}

/// How far the server's write-ahead log is on the disk, in bytes; 0 on SQLite. Less than it was means that the database went
/// back, also where nothing that the log tells of was lost.
pub async fn flushed(run: &mut impl Run) -> Result<i64> {
    db::number(run, FLUSHED, binds![]).await
}

fn read(row: &Row) -> Result<Lease> {
    Ok(Lease {
        node: row.text(0)?,
        turn: row.int(1)?,
        applied: row.int(2)?,
        about: row.text(3)?,
        settings: row.text(4)?,
    })
}
