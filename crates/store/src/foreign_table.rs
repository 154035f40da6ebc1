//! A table of somebody else's PostgreSQL database, read row by row.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::errors::{Result, StoreError};
use crate::postgres::with_tls;

/// Rows fetched at once. They are whole, whatever else the table holds.
const CHUNK: u32 = 100;

/// A table, all of it as it was when it was opened.
pub struct ForeignTable {
    connection: PgConnection,
    /// How many rows it has.
    pub rows: u64,
}

impl ForeignTable {
    /// Connects to `url` and begins to read `table`, which may have its schema's name before it (`schema.table`). Nothing can be
    /// written by this connection.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if nobody answers, [`StoreError::Broken`] if the server refuses or has no such table.
    pub async fn open(url: &str, table: &str) -> Result<Self> {
        let not_one = |error| StoreError::Broken(format!("the address of the PostgreSQL server is not one: {error}"));
        let options = PgConnectOptions::from_str(url).map_err(not_one)?.application_name("cerrojo user import");
        let options = with_tls(options, url);
        let connecting = PgConnection::connect_with(&options);
        let connected = tokio::time::timeout(Duration::from_secs(10), connecting).await;
        let connected = connected.map_err(|_| StoreError::Unavailable("no answer within 10 s".to_owned()))?;
        let mut connection = connected.map_err(|error| StoreError::at_opening(&error))?;
        let name = quoted(table);
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned();
        let declare = format!("DECLARE users NO SCROLL CURSOR FOR SELECT CAST(to_jsonb(t) AS TEXT) FROM {name} AS t");
        for statement in [begin, declare] {
            let done = sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await;
            done.map_err(|error| StoreError::before_commit(&error))?;
        }
        let counting =
            sqlx::query(AssertSqlSafe(format!("SELECT count(*) FROM {name}"))).fetch_one(&mut connection).await;
        let rows: i64 = counting.and_then(|row| row.try_get(0)).map_err(|error| StoreError::before_commit(&error))?;
        Ok(Self { connection, rows: u64::try_from(rows).unwrap_or(0) })
    }

    /// Some more rows, as JSON objects named by the columns; none when there are no more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the connection is lost.
    pub async fn next(&mut self) -> Result<Vec<String>> {
        let fetch = AssertSqlSafe(format!("FETCH {CHUNK} FROM users"));
        let rows = sqlx::query(fetch).fetch_all(&mut self.connection).await;
        let rows = rows.map_err(|error| StoreError::before_commit(&error))?;
        rows.iter().map(|row| row.try_get(0).map_err(|error| StoreError::before_commit(&error))).collect()
    }
}

/// As an identifier, whatever it holds. A dot parts schema and table.
fn quoted(table: &str) -> String {
    let part = |part: &str| format!("\"{}\"", part.replace('"', "\"\""));
    table.splitn(2, '.').map(part).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fresh;

    #[tokio::test]
    async fn a_table_is_read_whole_whatever_its_name() {
        let fresh = Fresh::postgres().await;
        fresh
            .run(
                "CREATE TABLE \"Users; DROP TABLE \"\"x\" (id INT, \"passwordHash\" TEXT, at TIMESTAMPTZ); \
                 INSERT INTO \"Users; DROP TABLE \"\"x\" SELECT n, 'h' || n, 'epoch' FROM generate_series(1, 2500) n"
                    .to_owned(),
            )
            .await;
        let mut table = ForeignTable::open(&fresh.url, "Users; DROP TABLE \"x").await.unwrap();
        assert_eq!(table.rows, 2500);
        let mut read = Vec::new();
        loop {
            let some = table.next().await.unwrap();
            if some.is_empty() {
                break;
            }
            read.extend(some);
        }
        assert_eq!(read.len(), 2500);
        let last: serde_json::Value = serde_json::from_str(&read[2499]).unwrap();
        assert_eq!((&last["id"], &last["passwordHash"]), (&serde_json::json!(2500), &serde_json::json!("h2500")));
        assert!(ForeignTable::open(&fresh.url, "nothing").await.is_err());
    }
}
