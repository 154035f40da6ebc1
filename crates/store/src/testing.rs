//! Fresh databases for tests, the same on both engines.
#![allow(clippy::expect_used, clippy::print_stderr, clippy::missing_panics_doc, reason = "only tests call this")]

use cerrojo_domain::{Random, SystemRandom};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection, query_scalar, raw_sql};
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

    /// Does to the tables what restoring a dump into the same server does: the head's table is another one, with the same
    /// in it (PostgreSQL).
    pub async fn restore_a_dump(&self) {
        let head = "CREATE TABLE head_of_dump (LIKE log_head INCLUDING ALL); INSERT INTO head_of_dump SELECT * FROM log_head; \
             DROP TABLE log_head; ALTER TABLE head_of_dump RENAME TO log_head";
        self.run(head.to_owned()).await;
    }

    /// Keeps a copy of every table as it is now (PostgreSQL).
    pub async fn copy(&self) {
        let each = "CREATE TABLE %I AS SELECT * FROM %I', 'copy_of_' || t, t";
        self.run(for_each_table(each)).await;
    }

    /// Puts the copy in place of what is there, in one transaction (PostgreSQL).
    pub async fn put_back(&self) {
        let empty = for_each_table("TRUNCATE %I CASCADE', t");
        let fill = for_each_table("INSERT INTO %I SELECT * FROM %I', t, 'copy_of_' || t");
        self.run(format!("BEGIN; SET LOCAL session_replication_role = replica; {empty}; {fill}; COMMIT")).await;
    }

    /// Drops everything but the copies: the database has still to be begun (PostgreSQL).
    pub async fn drop_all(&self) {
        self.run(for_each_table("DROP TABLE %I CASCADE', t")).await;
    }

    /// Adds the copy to what is there and passes over what collides, as restoring a dump does by default (PostgreSQL).
    pub async fn add_copy(&self) {
        let fill = for_each_table("INSERT INTO %I SELECT * FROM %I ON CONFLICT DO NOTHING', t, 'copy_of_' || t");
        self.run(format!("BEGIN; SET LOCAL session_replication_role = replica; {fill}; COMMIT")).await;
    }

    /// Runs statements of the test's own.
    pub async fn run(&self, text: String) {
        execute(&self.url, text).await;
    }

    /// The database, opened and migrated.
    pub async fn store(&self) -> Store {
        let store = Store::open(&self.url, OpenOptions::default()).await.expect("the fresh database opens");
        store.migrate().await.expect("the fresh database migrates");
        store
    }
}

/// A statement for each table of the schema, but for copies; `format` is the rest of a call of that name.
fn for_each_table(format: &str) -> String {
    format!(
        "DO $$ DECLARE t text; BEGIN FOR t IN SELECT relname FROM pg_class WHERE relkind = 'r' \
         AND relnamespace = current_schema()::regnamespace AND relname NOT LIKE 'copy_of_%' \
         LOOP EXECUTE format('{format}); END LOOP; END $$"
    )
}

/// Runs statements of a test's own on the database of this address.
pub async fn execute(url: &str, text: String) {
    let query = raw_sql(AssertSqlSafe(text));
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.expect("the file opens");
        query.execute(&mut connection).await.expect("the test's own statements");
        return connection.close().await.expect("closing the connection");
    }
    let mut connection = PgConnection::connect(url).await.expect("the PostgreSQL server of the tests answers");
    query.execute(&mut connection).await.expect("the test's own statements");
    connection.close().await.expect("closing the connection");
}

/// Every row of a table, with every column as text, in no order.
pub async fn rows_as_text(url: &str, table: &str) -> String {
    let text = |columns: &[String]| {
        let columns: Vec<String> =
            columns.iter().map(|column| format!("COALESCE(CAST({column} AS TEXT), '')")).collect();
        format!("SELECT {} FROM {table}", columns.join(" || ' ' || "))
    };
    let rows: Vec<String> = if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.expect("the file opens");
        let columns = AssertSqlSafe(format!("SELECT name FROM pragma_table_info('{table}')"));
        let columns: Vec<String> = query_scalar(columns).fetch_all(&mut connection).await.expect("the columns");
        let rows = query_scalar(AssertSqlSafe(text(&columns))).fetch_all(&mut connection).await.expect("the rows");
        connection.close().await.expect("closing the connection");
        rows
    } else {
        let mut connection = PgConnection::connect(url).await.expect("the PostgreSQL server of the tests answers");
        let columns = AssertSqlSafe(format!(
            "SELECT CAST(column_name AS TEXT) FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = '{table}'"
        ));
        let columns: Vec<String> = query_scalar(columns).fetch_all(&mut connection).await.expect("the columns");
        let rows = query_scalar(AssertSqlSafe(text(&columns))).fetch_all(&mut connection).await.expect("the rows");
        connection.close().await.expect("closing the connection");
        rows
    };
    rows.join("\n")
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
