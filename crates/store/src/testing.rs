//! Fresh databases for tests, the same on both engines.
#![allow(clippy::expect_used, clippy::print_stderr, clippy::missing_panics_doc, reason = "only tests call this")]

use cerrojo_domain::{Random, SystemRandom};
use sqlx::{AssertSqlSafe, Connection, PgConnection, raw_sql};
use tempfile::TempDir;

use crate::{OpenOptions, Store};

/// The variable that names the PostgreSQL server of the tests.
pub const POSTGRES_VARIABLE: &str = "CERROJO_TEST_POSTGRES";

/// An empty database of its own, not migrated.
pub struct Fresh {
    /// For [`Store::open`].
    pub url: String,
    /// Holds the file on SQLite; removed when dropped.
    pub directory: Option<TempDir>,
}

impl Fresh {
    /// A file in a new directory.
    #[must_use]
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let url = format!("sqlite:{}", directory.path().join("cerrojo.db").display());
        Self { url, directory: Some(directory) }
    }

    /// A new schema on the server that `CERROJO_TEST_POSTGRES` names. Without that server the test fails: one that is
    /// skipped proves nothing.
    pub async fn postgres() -> Self {
        let server = std::env::var(POSTGRES_VARIABLE)
            .expect("CERROJO_TEST_POSTGRES names no PostgreSQL server: run ./test, which starts one");
        let random: &dyn Random = &SystemRandom;
        let schema = format!("test_{:032x}", u128::from_le_bytes(random.bytes()));
        let mut connection = PgConnection::connect(&server).await.expect("the PostgreSQL server of the tests answers");
        let made = raw_sql(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).execute(&mut connection).await;
        made.expect("a schema for the test");
        connection.close().await.expect("closing the connection");
        let separator = if server.contains('?') { '&' } else { '?' };
        Self { url: format!("{server}{separator}options[search_path]={schema}"), directory: None }
    }

    /// The database, opened and migrated.
    pub async fn store(&self) -> Store {
        let store = Store::open(&self.url, OpenOptions::default()).await.expect("the fresh database opens");
        store.migrate().await.expect("the fresh database migrates");
        store
    }
}

/// Says on which engine a test failed.
struct Naming(&'static str);

impl Drop for Naming {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed on {}", self.0);
        }
    }
}

/// Runs a test on a migrated database of each engine; a failure names the engine.
pub async fn on_both_engines(test: impl AsyncFn(Store)) {
    for fresh in [Fresh::sqlite(), Fresh::postgres().await] {
        let _naming = Naming(if fresh.directory.is_some() { "SQLite" } else { "PostgreSQL" });
        let store = fresh.store().await;
        test(store.clone()).await;
        store.close().await;
    }
}
