//! What only SQLite has: pragmas, backup, check, noticing that another process wrote.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Row, Sqlite, Transaction};
use tokio::sync::Mutex;

use crate::db::{Db, Open, Pool};
use crate::errors::{Failures, Result, StoreError};
use crate::look::Standing;
use crate::{Store, commits, row};

/// The writer is known from the first statement on: a transaction that begins by reading could not become one later.
pub(crate) const BEGIN_WRITING: &str = "BEGIN IMMEDIATE";
/// The state is that of the first read.
pub(crate) const BEGIN_READING: &str = "BEGIN DEFERRED";

/// The connections to one file.
#[derive(Clone)]
pub(crate) struct Pools {
    /// The only one that writes durably. Whoever waits for it waits in turn, not by polling the file's lock.
    pub(crate) writer: SqlitePool,
    /// Several that cannot write.
    pub(crate) readers: SqlitePool,
    /// Commits without waiting for the disk; used only while holding the writer, so that they never compete.
    lazy: SqlitePool,
    /// Watches for other processes' commits.
    watcher: Arc<Mutex<Watcher>>,
    options: Arc<SqliteConnectOptions>,
    pub(crate) failures: Failures,
}

#[derive(Default)]
struct Watcher {
    connection: Option<SqliteConnection>,
    opened: i64,
}

impl Pools {
    pub(crate) fn figures(&self) -> Vec<Pool> {
        vec![Pool::of("writer", &self.writer), Pool::of("readers", &self.readers)]
    }

    pub(crate) fn opened(&self, begun: sqlx::Result<Transaction<'static, Sqlite>>) -> Result<Open> {
        match begun {
            Ok(transaction) => Ok(Open::Sqlite(transaction, self.failures.clone())),
            Err(error) => Err(self.failures.before_commit(&error)),
        }
    }

    pub(crate) async fn close(&self) {
        self.lazy.close().await;
        self.readers.close().await;
        if let Some(connection) = self.watcher.lock().await.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "closing a connection to the database");
        }
        // Last: it may write, so it can tidy the write-ahead log away.
        self.writer.close().await;
    }

    /// Runs one statement whose loss in a crash does no harm.
    pub(crate) async fn execute_lazily(
        &self,
        text: &'static str,
        arguments: sqlx::sqlite::SqliteArguments,
    ) -> Result<u64> {
        let wrong = |error: sqlx::Error| self.failures.before_commit(&error);
        let _turn = self.writer.acquire().await.map_err(wrong)?;
        let query = sqlx::query_with::<Sqlite, _>(text, arguments);
        Ok(query.execute(&self.lazy).await.map_err(wrong)?.rows_affected())
    }
}

/// Opens `sqlite:PATH` and creates the file if it is missing.
pub(crate) async fn open(url: &str, readers: u32) -> Result<Pools> {
    let path = path_of(url)?;
    create(&path).map_err(|error| StoreError::Broken(format!("{}: {error}", path.display())))?;
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .synchronous(SqliteSynchronous::Full)
        // In KiB, for each connection.
        .pragma("cache_size", "-2048")
        .pragma("mmap_size", "0")
        .pragma("temp_store", "MEMORY")
        // Only [`checkpoint`] moves the write-ahead log into the file: it is known then what the file itself holds.
        .pragma("wal_autocheckpoint", "0")
        .disable_statement_logging();
    let writing = options.clone().journal_mode(SqliteJournalMode::Wal).pragma("journal_size_limit", "4194304");
    let reading = options.clone().pragma("query_only", "ON");
    let lazily = options.clone().synchronous(SqliteSynchronous::Normal);
    let writer = pool(1).connect_with(writing).await.map_err(|error| StoreError::before_commit(&error))?;
    Ok(Pools {
        writer,
        readers: pool(readers.max(1)).connect_lazy_with(reading.clone()),
        lazy: pool(1).connect_lazy_with(lazily),
        watcher: Arc::default(),
        options: Arc::new(reading),
        failures: Failures::default(),
    })
}

/// Opens a file that is there; no connection can write. Where nobody has it open, no lock is taken and nothing made beside
/// it.
pub(crate) async fn open_to_look(path: &Path, standing: Standing) -> Result<Pools> {
    let is_still = standing == Standing::Still;
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(is_still);
    let options = options.busy_timeout(Duration::from_secs(5)).disable_statement_logging();
    let readers = pool(1).connect_with(options.clone()).await.map_err(|error| StoreError::at_opening(&error))?;
    Ok(Pools {
        writer: pool(1).connect_lazy_with(options.clone()),
        readers,
        lazy: pool(1).connect_lazy_with(options.clone()),
        watcher: Arc::default(),
        options: Arc::new(options),
        failures: Failures::default(),
    })
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        .max_lifetime(None)
        .idle_timeout(None)
        .test_before_acquire(false)
        // After a failure SQLite may have rolled back by itself and the driver not know it: such a connection would refuse
        // every BEGIN for ever.
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
}

/// The file that `sqlite:PATH` (or `sqlite://PATH`) names, as an absolute path.
fn path_of(url: &str) -> Result<PathBuf> {
    let refuse = |why: &str| Err(StoreError::Broken(format!("{url}: {why}")));
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.ends_with('/') {
        return refuse("the path of a file must follow \"sqlite:\"");
    }
    if path == ":memory:" {
        return refuse("a database in memory is not supported: sessions must outlive the process");
    }
    if path.contains('?') || path.starts_with("file:") {
        return refuse("nothing but a path may follow \"sqlite:\", no parameters");
    }
    std::path::absolute(path).or_else(|error| refuse(&error.to_string()))
}

/// Makes the folder (mode 0700) and the file (mode 0600) where they are missing, durably.
fn create(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let missing: Vec<&Path> = folder.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    File::options().write(true).create(true).truncate(false).mode(0o600).open(path)?.sync_all()?;
    for changed in std::iter::once(folder).chain(missing.into_iter().filter_map(Path::parent)) {
        File::open(changed)?.sync_all()?;
    }
    Ok(())
}

/// Whether the file holds a table of migrations.
pub(crate) async fn has_migrations(pools: &Pools) -> Result<bool> {
    let found = sqlx::query("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_version'")
        .fetch_one(&pools.readers)
        .await
        .map_err(|error| StoreError::before_commit(&error))?;
    Ok(row::Row::Sqlite(found).int(0)? > 0)
}

fn pools(store: &Store) -> Result<&Pools> {
    match &store.db {
        Db::Sqlite(pools) => Ok(pools),
        Db::Postgres(_) => Err(StoreError::Broken("this works on SQLite only".to_owned())),
    }
}

/// An online, consistent copy into a file that must not exist. It gets mode 0600 and is on the disk when this returns.
pub async fn backup(store: &Store, to: &Path) -> Result<()> {
    let pools = pools(store)?;
    let at = |error: &dyn std::fmt::Display| StoreError::Broken(format!("{}: {error}", to.display()));
    // An absolute path is never taken for a URI.
    let path = std::path::absolute(to).map_err(|error| at(&error))?;
    let text = path.to_str().ok_or_else(|| at(&"the path is not UTF-8"))?.to_owned();
    // SQLite fills an empty file and would make a new one readable by others.
    File::options().write(true).create_new(true).mode(0o600).open(&path).map_err(|error| at(&error))?;
    let copied = copy_into(pools, text).await.and_then(|()| sync(&path).map_err(|error| at(&error)));
    if copied.is_err()
        && let Err(error) = std::fs::remove_file(&path)
    {
        tracing::warn!(%error, "removing an unfinished backup");
    }
    copied
}

async fn copy_into(pools: &Pools, path: String) -> Result<()> {
    let wrong = |error: sqlx::Error| StoreError::before_commit(&error);
    // Not one of the readers: `query_only` would refuse to write the copy.
    let mut connection = pools.options.as_ref().clone().pragma("query_only", "OFF").connect().await.map_err(wrong)?;
    sqlx::query("VACUUM INTO $1").bind(path).execute(&mut connection).await.map_err(wrong)?;
    connection.close().await.map_err(wrong)
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// `PRAGMA integrity_check` and `foreign_key_check`; problems as lines, none if all is well.
pub async fn check(store: &Store) -> Result<Vec<String>> {
    let pools = pools(store)?;
    let wrong = |error: sqlx::Error| StoreError::before_commit(&error);
    let mut problems: Vec<String> = Vec::new();
    for found in sqlx::query("PRAGMA integrity_check").fetch_all(&pools.readers).await.map_err(wrong)? {
        problems.push(found.try_get(0).map_err(wrong)?);
    }
    problems.retain(|line| line != "ok");
    for found in sqlx::query("PRAGMA foreign_key_check").fetch_all(&pools.readers).await.map_err(wrong)? {
        let (table, parent): (String, String) = (found.try_get(0).map_err(wrong)?, found.try_get(2).map_err(wrong)?);
        problems.push(format!("a row of {table} refers to a row of {parent} that is not there"));
    }
    Ok(problems)
}

/// Moves the write-ahead log into the file, without waiting for readers. The number of a commit up to which the file by
/// itself holds everything now; none if readers or another process were in the way.
pub async fn checkpoint(store: &Store) -> Result<Option<i64>> {
    let pools = pools(store)?;
    let wrong = |error: sqlx::Error| StoreError::before_commit(&error);
    let mut writer = pools.writer.acquire().await.map_err(wrong)?;
    let commits = commits::count(&mut store.reader()).await?;
    let done = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(&mut *writer).await.map_err(wrong)?;
    let (busy, there, moved): (i64, i64, i64) =
        (done.try_get(0).map_err(wrong)?, done.try_get(1).map_err(wrong)?, done.try_get(2).map_err(wrong)?);
    Ok((busy == 0 && there == moved).then_some(commits))
}

/// How many bytes the write-ahead log takes on the disk.
pub fn wal_size(store: &Store) -> Result<u64> {
    let wal = wal_of(pools(store)?.options.get_filename());
    Ok(std::fs::metadata(wal).map_or(0, |found| found.len()))
}

/// The write-ahead log beside a database file.
#[must_use]
pub fn wal_of(database: &Path) -> PathBuf {
    beside(database, "-wal")
}

/// The index of the write-ahead log; made anew by whoever opens the database first.
#[must_use]
pub fn shm_of(database: &Path) -> PathBuf {
    beside(database, "-shm")
}

fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// How many commits the file by itself holds, without its write-ahead log; none if that cannot be read. Nobody else may
/// have the database open.
pub async fn commits_in_file(database: &Path) -> Option<i64> {
    let options = SqliteConnectOptions::new().filename(database).read_only(true).immutable(true);
    let mut connection = options.disable_statement_logging().connect().await.ok()?;
    let found = sqlx::query("SELECT value FROM counters WHERE name = 'commit'").fetch_one(&mut connection).await;
    let commits = found.ok().and_then(|row| row.try_get(0).ok());
    // A reader of an unchanging file has nothing to lose when it is closed.
    let _ = connection.close().await;
    commits
}

/// A number that changes whenever anybody has committed to the file, this process or another: `PRAGMA data_version`.
/// Equal numbers mean that nothing was written in between.
pub async fn data_version(store: &Store) -> Result<i64> {
    let pools = pools(store)?;
    let wrong = |error: sqlx::Error| StoreError::before_commit(&error);
    let mut watcher = pools.watcher.lock().await;
    // Versions can be compared only within one connection: it is taken out, and lost with the future, until the answer is there.
    let kept = watcher.connection.take();
    let mut connection = if let Some(connection) = kept {
        connection
    } else {
        watcher.opened = watcher.opened.saturating_add(1);
        pools.options.as_ref().clone().connect().await.map_err(wrong)?
    };
    let found = sqlx::query("PRAGMA data_version").fetch_one(&mut connection).await.map_err(wrong)?;
    let version: i64 = found.try_get(0).map_err(wrong)?;
    watcher.connection = Some(connection);
    Ok(watcher.opened.wrapping_shl(32).wrapping_add(version))
}

#[cfg(test)]
mod tests {
    use super::path_of;
    use crate::StoreError;

    #[test]
    fn only_a_path_may_follow_the_scheme() {
        for bad in ["sqlite:", "sqlite://", "sqlite::memory:", "sqlite:a.db?mode=ro", "sqlite:file:a.db", "sqlite:a/"] {
            assert!(matches!(path_of(bad), Err(StoreError::Broken(_))), "{bad}");
        }
        assert_eq!(path_of("sqlite:/a/b c.db"), Ok("/a/b c.db".into()));
        assert_eq!(path_of("sqlite:///a/b.db"), Ok("/a/b.db".into()));
        assert!(path_of("sqlite:data/b.db").is_ok_and(|path| path.is_absolute() && path.ends_with("data/b.db")));
    }
}
