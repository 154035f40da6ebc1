//! What statements run on, whichever engine is below.

use sqlx::pool::PoolConnection;
use sqlx::{Postgres, Sqlite, SqliteConnection, Transaction};

use crate::bind::{Bind, for_postgres, for_sqlite};
use crate::errors::{Failures, Result, StoreError};
use crate::postgres::{Lane, Link};
use crate::row::Row;
use crate::statement::Statement;
use crate::{postgres, sqlite, traced};

/// The engine and its connections.
#[derive(Clone)]
pub(crate) enum Db {
    /// SQLite: one connection that writes, several that read.
    Sqlite(sqlite::Pools),
    /// PostgreSQL.
    Postgres(postgres::Pools),
}

/// A pool's connections as they are now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// What it is for.
    pub name: &'static str,
    /// How many there are.
    pub open: usize,
    /// How many of these nobody uses.
    pub idle: usize,
    /// How many there may be.
    pub most: usize,
}

impl Pool {
    pub(crate) fn of<D: sqlx::Database>(name: &'static str, pool: &sqlx::Pool<D>) -> Self {
        let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let most = number(pool.options().get_max_connections());
        Self { name, open: number(pool.size()), idle: pool.num_idle(), most }
    }
}

/// An open transaction. Dropping it rolls back.
pub(crate) enum Open {
    /// On SQLite.
    Sqlite(Transaction<'static, Sqlite>, Failures),
    /// On PostgreSQL.
    Postgres(Transaction<'static, Postgres>, Link),
}

impl Db {
    /// A transaction that may write.
    pub(crate) async fn begin(&self, lane: Lane) -> Result<Open> {
        match self {
            Self::Sqlite(pools) => {
                let begun = pools.writer.begin_with(sqlite::BEGIN_WRITING).await;
                pools.opened(begun)
            }
            Self::Postgres(pools) => begin_on(pools.link(lane), postgres::BEGIN_WRITING).await,
        }
    }

    /// A transaction that reads, all of it from one state.
    pub(crate) async fn begin_reading(&self, lane: Lane) -> Result<Open> {
        match self {
            Self::Sqlite(pools) => {
                let begun = pools.readers.begin_with(sqlite::BEGIN_READING).await;
                pools.opened(begun)
            }
            Self::Postgres(pools) => begin_on(pools.link(lane), postgres::BEGIN_READING).await,
        }
    }

    async fn rows(&self, lane: Lane, statement: Statement, binds: Vec<Bind>) -> Result<Vec<Row>> {
        match self {
            Self::Sqlite(pools) => {
                let mut connection: PoolConnection<Sqlite> =
                    pools.readers.acquire().await.map_err(|error| pools.failures.before_commit(&error))?;
                sqlite_rows(&mut connection, &pools.failures, (statement, binds)).await
            }
            Self::Postgres(pools) => {
                let mut link = pools.link(lane);
                let pool = link.pool.clone();
                let query = sqlx::query_with::<Postgres, _>((statement.postgres)(), for_postgres(statement, binds)?);
                let rows = link.during(query.fetch_all(&pool)).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// Its pools as they are now.
    pub(crate) fn pools(&self) -> Vec<Pool> {
        match self {
            Self::Sqlite(pools) => pools.figures(),
            Self::Postgres(pools) => pools.figures(),
        }
    }

    pub(crate) fn failures(&self) -> &Failures {
        match self {
            Self::Sqlite(pools) => &pools.failures,
            Self::Postgres(pools) => pools.failures(),
        }
    }

    /// The word of an entry with this mark will be this process's own (PostgreSQL).
    pub(crate) fn expect_word(&self, mark: &str) {
        if let Self::Postgres(pools) = self {
            pools.expect_word(mark);
        }
    }

    /// It will not be.
    pub(crate) fn forget_word(&self, mark: &str) {
        if let Self::Postgres(pools) = self {
            pools.forget_word(mark);
        }
    }

    /// Runs one statement that is a transaction of its own, as durable as the statement sees to (PostgreSQL). `None`: it was
    /// refused and changed nothing, or this is SQLite; what it was for is to be done in a transaction, which says more.
    ///
    /// # Errors
    /// [`StoreError::OutcomeUnknown`] if it may or may not have happened.
    pub(crate) async fn rows_committed(&self, statement: Statement, binds: Vec<Bind>) -> Result<Option<Vec<Row>>> {
        let Self::Postgres(pools) = self else { return Ok(None) };
        let mut link = pools.link(Lane::Requests);
        let pool = link.pool.clone();
        let query = sqlx::query_with::<Postgres, _>((statement.postgres)(), for_postgres(statement, binds)?);
        let run = async {
            match query.fetch_all(&pool).await {
                Ok(rows) => Ok(Some(rows.into_iter().map(Row::Postgres).collect())),
                Err(error) => StoreError::refused_or_unknown(&error).map(|()| None),
            }
        };
        traced::within(traced::statement(statement), link.during_commit(run)).await
    }

    /// Runs one statement whose loss in a crash does no harm, in a transaction of its own; how many rows it touched. On
    /// PostgreSQL the statement itself says so ([`postgres::LAZILY`]).
    pub(crate) async fn execute_lazily(&self, lane: Lane, statement: Statement, binds: Vec<Bind>) -> Result<u64> {
        match self {
            Self::Sqlite(pools) => pools.execute_lazily((statement.text)(), for_sqlite(statement, binds)?).await,
            Self::Postgres(pools) => {
                let mut link = pools.link(lane);
                let pool = link.pool.clone();
                let query = sqlx::query_with::<Postgres, _>((statement.postgres)(), for_postgres(statement, binds)?);
                Ok(link.during(query.execute(&pool)).await?.rows_affected())
            }
        }
    }
}

async fn begin_on(mut link: Link, how: &'static str) -> Result<Open> {
    let transaction = postgres::begin(&mut link, how).await?;
    Ok(Open::Postgres(transaction, link))
}

impl Open {
    pub(crate) async fn rows(&mut self, statement: Statement, binds: Vec<Bind>) -> Result<Vec<Row>> {
        match self {
            Self::Sqlite(transaction, failures) => sqlite_rows(transaction, failures, (statement, binds)).await,
            Self::Postgres(transaction, link) => {
                let query = sqlx::query_with::<Postgres, _>((statement.postgres)(), for_postgres(statement, binds)?);
                let rows = link.during(query.fetch_all(&mut **transaction)).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// Runs a statement that gives no rows; how many it touched.
    pub(crate) async fn execute(&mut self, statement: Statement, binds: Vec<Bind>) -> Result<u64> {
        match self {
            Self::Sqlite(transaction, failures) => {
                let query = sqlx::query_with::<Sqlite, _>((statement.text)(), for_sqlite(statement, binds)?);
                let done = query.execute(&mut **transaction).await;
                Ok(done.map_err(|error| failures.before_commit(&error))?.rows_affected())
            }
            Self::Postgres(transaction, link) => {
                let query = sqlx::query_with::<Postgres, _>((statement.postgres)(), for_postgres(statement, binds)?);
                Ok(link.during(query.execute(&mut **transaction)).await?.rows_affected())
            }
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(..))
    }

    pub(crate) async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(transaction, failures) => {
                transaction.commit().await.map_err(|error| failures.note(StoreError::at_commit(&error)))
            }
            Self::Postgres(transaction, mut link) => {
                let commit = async { transaction.commit().await.map_err(|error| StoreError::at_commit(&error)) };
                link.during_commit(commit).await
            }
        }
    }
}

async fn sqlite_rows(
    connection: &mut SqliteConnection,
    failures: &Failures,
    (statement, binds): (Statement, Vec<Bind>),
) -> Result<Vec<Row>> {
    let query = sqlx::query_with::<Sqlite, _>((statement.text)(), for_sqlite(statement, binds)?);
    let rows = query.fetch_all(connection).await.map_err(|error| failures.before_commit(&error))?;
    Ok(rows.into_iter().map(Row::Sqlite).collect())
}

/// What queries run on: a [`crate::Tx`], a [`crate::EndingTx`] or a [`Reader`]. Nothing else can be.
pub trait Run: sealed::Run {}

pub(crate) mod sealed {
    use super::{Bind, Result, Row, Statement};

    /// How queries are run.
    pub trait Run: Send {
        /// Runs one statement and collects its rows.
        fn rows(&mut self, statement: Statement, binds: Vec<Bind>) -> impl Future<Output = Result<Vec<Row>>> + Send;
    }
}

/// All rows.
pub(crate) async fn rows(run: &mut impl Run, statement: Statement, binds: Vec<Bind>) -> Result<Vec<Row>> {
    run.rows(statement, binds).await
}

/// The first row, if there is any.
pub(crate) async fn row(run: &mut impl Run, statement: Statement, binds: Vec<Bind>) -> Result<Option<Row>> {
    Ok(run.rows(statement, binds).await?.into_iter().next())
}

/// The number in the first column of the only row.
pub(crate) async fn number(run: &mut impl Run, statement: Statement, binds: Vec<Bind>) -> Result<i64> {
    match row(run, statement, binds).await? {
        Some(row) => row.int(0),
        None => Err(StoreError::Broken(format!("{} gave no row", statement.name))),
    }
}

/// Reads outside a write transaction: each statement by itself, or all from one state if made by
/// [`crate::Store::snapshot`].
pub struct Reader {
    source: Source,
}

enum Source {
    Pool(Db, Lane),
    Snapshot(Open),
}

impl Reader {
    pub(crate) fn of_pool(db: Db, lane: Lane) -> Self {
        Self { source: Source::Pool(db, lane) }
    }

    pub(crate) fn of_snapshot(open: Open) -> Self {
        Self { source: Source::Snapshot(open) }
    }
}

impl sealed::Run for Reader {
    async fn rows(&mut self, statement: Statement, binds: Vec<Bind>) -> Result<Vec<Row>> {
        let span = traced::statement(statement);
        match &mut self.source {
            Source::Pool(db, lane) => traced::within(span, db.rows(*lane, statement, binds)).await,
            Source::Snapshot(open) => traced::within(span, open.rows(statement, binds)).await,
        }
    }
}

impl Run for Reader {}
