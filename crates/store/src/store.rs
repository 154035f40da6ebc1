//! The database of one installation: opening it and what can be begun on it.

use std::sync::Arc;

use cerrojo_domain::{Random, SystemRandom};

use crate::audit::{Stamp, StampBox};
use crate::commits::{Witness, WitnessBox};
use crate::db::{Db, Pool, Reader};
use crate::errors::{Result, StoreError};
use crate::postgres::Lane;
use crate::tx::{EndingTx, Tx};
use crate::{migrate, postgres, sqlite, traced};

/// The database of one installation. Clones share its connections.
#[derive(Clone)]
pub struct Store {
    pub(crate) db: Db,
    pub(crate) random: Arc<dyn Random>,
    witness: WitnessBox,
    pub(crate) stamp: StampBox,
}

/// How a database is opened.
pub struct OpenOptions {
    /// Connections that read (SQLite, beside the one that writes).
    pub readers: u32,
    /// Connections for requests (PostgreSQL). A handful more carry leases and the log.
    pub connections: u32,
    /// Where the log's marks and other random values come from.
    pub random: Arc<dyn Random>,
}

impl Default for OpenOptions {
    /// Two readers, or ten connections, and the operating system's randomness.
    fn default() -> Self {
        Self { readers: 2, connections: 10, random: Arc::new(SystemRandom) }
    }
}

impl Store {
    /// Opens `sqlite:PATH` (the folder is made if missing, a new file gets mode 0600) or `postgres://…`. Does not migrate.
    ///
    /// # Errors
    /// [`StoreError::Broken`] if the address has another form or the server is set up in a way that loses commits.
    pub async fn open(url: &str, options: OpenOptions) -> Result<Self> {
        let db = match url.split_once(':') {
            Some(("sqlite", _)) => Db::Sqlite(sqlite::open(url, options.readers).await?),
            Some(("postgres" | "postgresql", _)) => Db::Postgres(postgres::open(url, options.connections).await?),
            // The address is not repeated: it may hold a password.
            _ => {
                let forms = "a database address begins with \"sqlite:\" (then a file's path) or \"postgres://\"";
                return Err(StoreError::Broken(forms.to_owned()));
            }
        };
        Ok(Self { db, random: options.random, witness: WitnessBox::default(), stamp: StampBox::default() })
    }

    /// A file that was opened to be looked at.
    pub(crate) fn over_sqlite(pools: sqlite::Pools) -> Self {
        let (witness, stamp) = (WitnessBox::default(), StampBox::default());
        Self { db: Db::Sqlite(pools), random: Arc::new(SystemRandom), witness, stamp }
    }

    /// Brings the schema up to this program's; the names of the migrations that were run.
    ///
    /// # Errors
    /// [`StoreError::Broken`] if the schema is newer than this program or a migration was not the one known here.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        migrate::run(self).await
    }

    /// Whether no migration is missing.
    ///
    /// # Errors
    /// As [`Store::migrate`].
    pub async fn schema_is_current(&self) -> Result<bool> {
        migrate::is_current(self).await
    }

    /// Whether the database was ever used by this program. Changes nothing.
    pub async fn is_begun(&self) -> Result<bool> {
        migrate::is_begun(self).await
    }

    /// Begins a transaction that writes but ends nothing. SQLite has one writer at a time.
    pub async fn begin(&self) -> Result<Tx> {
        self.begin_on(Lane::Requests).await
    }

    /// The same for leases, on connections of their own (PostgreSQL).
    pub(crate) async fn begin_control(&self) -> Result<Tx> {
        self.begin_on(Lane::Control).await
    }

    async fn begin_on(&self, lane: Lane) -> Result<Tx> {
        let span = traced::transaction();
        let open = traced::within(traced::step(&span, "BEGIN"), self.db.begin(lane)).await?;
        Ok(Tx::new(open, Arc::clone(&self.random)).counted(&self.witness).stamped(&self.stamp).shown(span))
    }

    /// Begins a transaction that may end sessions: it takes the log's head row first.
    pub async fn begin_ending(&self) -> Result<EndingTx> {
        EndingTx::take(self.begin().await?).await
    }

    /// The same on the connections of leases and the log (PostgreSQL): for what has to be done though requests take all
    /// others.
    pub async fn begin_ending_control(&self) -> Result<EndingTx> {
        EndingTx::take(self.begin_control().await?).await
    }

    /// Reads each by itself, from the pool.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::of_pool(self.db.clone(), Lane::Requests)
    }

    /// The same for leases and the log, on connections of their own (PostgreSQL): no flood of requests is in their way.
    #[must_use]
    pub fn control(&self) -> Reader {
        Reader::of_pool(self.db.clone(), Lane::Control)
    }

    /// All reads see one state, that of the first of them.
    pub async fn snapshot(&self) -> Result<Reader> {
        Ok(Reader::of_snapshot(self.db.begin_reading(Lane::Requests).await?))
    }

    /// The same on the connections of leases and the log (PostgreSQL).
    pub async fn control_snapshot(&self) -> Result<Reader> {
        Ok(Reader::of_snapshot(self.db.begin_reading(Lane::Control).await?))
    }

    /// From now on tells `witness` of every commit. A second one is not taken.
    pub fn watch_commits(&self, witness: Arc<dyn Witness>) {
        // Only the first app on a store has something to watch for.
        let _ = self.witness.set(witness);
    }

    /// From now on entries of the audit trail say what `stamp` knows. A second one is not taken.
    pub fn stamp_acts(&self, stamp: Arc<dyn Stamp>) {
        let _ = self.stamp.set(stamp);
    }

    /// Whether the database is a SQLite file.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        matches!(self.db, Db::Sqlite(_))
    }

    /// Its connections, by pool.
    #[must_use]
    pub fn pools(&self) -> Vec<Pool> {
        self.db.pools()
    }

    /// How many statements and transactions failed since it was opened: `unavailable`, `outcome_unknown`, `broken`
    /// ([`StoreError`]).
    #[must_use]
    pub fn errors(&self) -> [(&'static str, u64); 3] {
        self.db.failures().read()
    }

    pub(crate) fn random(&self) -> Arc<dyn Random> {
        Arc::clone(&self.random)
    }

    /// Waits for what is running and closes all connections.
    pub async fn close(&self) {
        match &self.db {
            Db::Sqlite(pools) => pools.close().await,
            Db::Postgres(pools) => pools.close().await,
        }
    }
}
