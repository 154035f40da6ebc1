//! Statements and schemas, engine against engine.

use sqlx::{Either, Executor as _, Row as _, SqlSafeStr as _, Statement as _};

use super::execute;
use crate::db::Db;
use crate::postgres::Lane;
use crate::statement::Statement;
use crate::testing::{Fresh, on_both_engines};
use crate::{OpenOptions, Store, StoreError, meta};

fn every_statement() -> Vec<Statement> {
    [
        crate::attempts::ALL,
        crate::audit::ALL,
        crate::audit::chain::ALL,
        crate::audit::endings::ALL,
        crate::audit::find::ALL,
        crate::codes::ALL,
        crate::commits::ALL,
        crate::email_changes::ALL,
        crate::endings::ALL,
        crate::held_addresses::ALL,
        crate::imports::ALL,
        crate::invitations::ALL,
        crate::keys::ALL,
        crate::known_addresses::ALL,
        crate::leases::ALL,
        crate::lists::ALL,
        crate::log::ALL,
        crate::meta::ALL,
        crate::origin::ALL,
        crate::migrate::ALL,
        crate::outbox::ALL,
        crate::registrations::ALL,
        crate::services::ALL,
        crate::sessions::ALL,
        crate::snapshots::ALL,
        crate::tallies::ALL,
        crate::user_search::ALL,
        crate::users::ALL,
    ]
    .concat()
}

/// The numbers of the placeholders in a text, each once.
fn placeholders(text: &str) -> Vec<usize> {
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>();
    let mut numbers: Vec<usize> = text.split('$').skip(1).map(|rest| digits(rest).parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

#[tokio::test]
async fn every_statement_prepares_with_as_many_placeholders_as_declared() {
    on_both_engines(async |store| {
        for statement in every_statement() {
            let text = if store.is_sqlite() { (statement.text)() } else { (statement.postgres)() };
            let name = statement.name;
            assert_eq!(placeholders(text), (1..=statement.binds).collect::<Vec<usize>>(), "{name}: {text}");
            let counted = match &store.db {
                Db::Sqlite(pools) => {
                    let mut connection = pools.writer.acquire().await.unwrap();
                    let prepared = connection.prepare(text.into_sql_str()).await;
                    prepared.unwrap_or_else(|error| panic!("{name}: {error}: {text}")).parameters().map(count)
                }
                Db::Postgres(pools) => {
                    let mut connection = pools.link(Lane::Requests).pool.acquire().await.unwrap();
                    let prepared = connection.prepare(text.into_sql_str()).await;
                    prepared.unwrap_or_else(|error| panic!("{name}: {error}: {text}")).parameters().map(count)
                }
            };
            assert_eq!(counted, Some(statement.binds), "{name}: {text}");
        }
    })
    .await;
}

fn count<T>(parameters: Either<&[T], usize>) -> usize {
    parameters.either(<[T]>::len, |number| number)
}

#[test]
fn there_are_statements_in_every_file() {
    assert!(every_statement().len() > 60);
}

/// Table, name, kind, whether it may be NULL.
type Column = (String, String, String, bool);

/// Every column, and the names of all indexes made by name.
async fn schema_of(store: &Store) -> (Vec<Column>, Vec<String>) {
    const SQLITE_COLUMNS: &str = "SELECT t.name, c.name, c.type, 1 - c.\"notnull\" FROM sqlite_schema AS t \
         JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table'";
    const POSTGRES_COLUMNS: &str = "SELECT table_name::text, column_name::text, data_type::text, \
         (CASE is_nullable WHEN 'YES' THEN 1 ELSE 0 END)::bigint \
         FROM information_schema.columns WHERE table_schema = current_schema()";
    const SQLITE_INDEXES: &str = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL";
    const POSTGRES_INDEXES: &str = "SELECT i.relname::text FROM pg_index JOIN pg_class AS i ON i.oid = indexrelid \
         WHERE i.relnamespace = current_schema()::regnamespace \
         AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)";
    macro_rules! read {
        ($pool:expr, $columns:expr, $indexes:expr) => {{
            let columns = sqlx::query($columns).fetch_all($pool).await.unwrap();
            let indexes = sqlx::query($indexes).fetch_all($pool).await.unwrap();
            let column = |row: &_| -> Column {
                let nullable: i64 = sqlx::Row::get(row, 3);
                (sqlx::Row::get(row, 0), sqlx::Row::get(row, 1), sqlx::Row::get(row, 2), nullable == 1)
            };
            (columns.iter().map(column).collect(), indexes.iter().map(|row| row.get(0)).collect())
        }};
    }
    let (mut columns, mut indexes): (Vec<Column>, Vec<String>) = match &store.db {
        Db::Sqlite(pools) => read!(&pools.readers, SQLITE_COLUMNS, SQLITE_INDEXES),
        Db::Postgres(pools) => read!(&pools.link(Lane::Requests).pool, POSTGRES_COLUMNS, POSTGRES_INDEXES),
    };
    for (_, _, kind, _) in &mut columns {
        *kind = match kind.as_str() {
            "bigint" | "INTEGER" => "whole number",
            "text" | "TEXT" => "text",
            "bytea" | "BLOB" => "bytes",
            other => panic!("a column of type {other}"),
        }
        .to_owned();
    }
    columns.sort();
    indexes.sort();
    (columns, indexes)
}

#[tokio::test]
async fn both_schemas_are_the_same() {
    let (on_sqlite, on_postgres) = (Fresh::sqlite(), Fresh::postgres().await);
    let sqlite = schema_of(&on_sqlite.store().await).await;
    let postgres = schema_of(&on_postgres.store().await).await;
    assert_eq!(sqlite, postgres);
    let mut tables: Vec<&str> = sqlite.0.iter().map(|(table, ..)| table.as_str()).collect();
    tables.dedup();
    let expected = [
        "attempts",
        "audit",
        "audit_head",
        "audit_waiting",
        "codes",
        "counters",
        "email_changes",
        "held_addresses",
        "invitations",
        "keys",
        "known_addresses",
        "leases",
        "list_bits",
        "lists",
        "log",
        "log_head",
        "meta",
        "old_tokens_closed",
        "outbox",
        "registrations",
        "reset_links",
        "schema_version",
        "services",
        "sessions",
        "snapshot",
        "users",
    ];
    assert_eq!(tables, expected);
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    for fresh in [Fresh::sqlite(), Fresh::postgres().await] {
        let store = Store::open(&fresh.url, OpenOptions::default()).await.unwrap();
        assert!(!store.schema_is_current().await.unwrap());
        assert_eq!(store.migrate().await.unwrap(), crate::migrate::names());
        assert!(store.schema_is_current().await.unwrap());
        assert!(store.migrate().await.unwrap().is_empty());
        store.close().await;
    }
}

#[tokio::test]
async fn the_text_that_a_migration_had_before_it_was_released_is_known() {
    on_both_engines(async |store| {
        let before = "89d34d6fb789296983b4a2f61d156b1c7387067c768a1ef0e103ceccf906181b";
        execute(&store, &format!("UPDATE schema_version SET checksum = '{before}' WHERE number = 8")).await;
        assert!(store.schema_is_current().await.unwrap());
        execute(&store, &format!("UPDATE schema_version SET checksum = '{before}' WHERE number = 7")).await;
        assert!(store.schema_is_current().await.is_err(), "of that migration alone");
    })
    .await;
}

#[tokio::test]
async fn of_nodes_that_migrate_at_once_one_does_it() {
    for fresh in [Fresh::sqlite(), Fresh::postgres().await] {
        let stores = [
            Store::open(&fresh.url, OpenOptions::default()).await.unwrap(),
            Store::open(&fresh.url, OpenOptions::default()).await.unwrap(),
        ];
        let (one, other) = tokio::join!(stores[0].migrate(), stores[1].migrate());
        assert_eq!(one.unwrap().len() + other.unwrap().len(), crate::migrate::names().len());
    }
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    on_both_engines(async |store| {
        let record = "INSERT INTO schema_version (number, name, checksum) VALUES (77, '0077_later', 'x')";
        let mut tx = store.begin().await.unwrap();
        meta::set(&mut tx, "oldest_schema", "77").await.unwrap();
        tx.commit().await.unwrap();
        execute(&store, record).await;
        for refused in [store.migrate().await.map(drop), store.schema_is_current().await.map(drop)] {
            assert!(matches!(refused, Err(StoreError::Broken(why)) if why.contains("0077_later")));
        }
    })
    .await;
}

#[tokio::test]
async fn addresses_of_no_known_form_are_refused_without_repeating_them() {
    for url in ["mysql://root:secret@host/x", "secret", ""] {
        let refused = Store::open(url, OpenOptions::default()).await.map(drop);
        assert!(matches!(refused, Err(StoreError::Broken(why)) if !why.contains("secret")), "{url}");
    }
}
