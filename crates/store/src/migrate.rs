//! Migrations: each in a transaction of its own, recorded with a checksum, safe when several nodes run them at once.

use ring::digest::{SHA256, digest};
use sqlx::{AssertSqlSafe, raw_sql};

use crate::bind::binds;
use crate::db::{Db, Open};
use crate::errors::{Result, StoreError};
use crate::postgres::Lane;
use crate::statement::statements;
use crate::tx::Tx;
use crate::{Store, leases, log, origin, postgres, sqlite};

struct Migration {
    number: i64,
    name: &'static str,
    text: &'static str,
    /// The checksum of an earlier text that leaves the same schema, and which some databases ran before it was released.
    before: Option<&'static str>,
}

macro_rules! migrations {
    ($($number:literal = $name:literal $(or $before:literal)?;)+) => {
        &[$(Migration {
            number: $number,
            name: $name,
            text: include_str!(concat!("../migrations/", $name, ".sql")),
            before: migrations!(@ $($before)?),
        }),+]
    };
    (@) => { None };
    (@ $before:literal) => { Some($before) };
}

/// The migration that gave lists an ending. With it the imprint is written, once: see [`leases::Imprint`]. One that writes the
/// rows of `meta` anew (another type of a column, say) has to write it as well, after looking at it.
pub(crate) const EVERYTHING_OVER: i64 = 4;
/// With this one tokens of another application may be accepted.
pub(crate) const OLD_TOKENS: i64 = 6;
/// With this one the database gets its name.
pub(crate) const ORIGIN: i64 = 5;

/// In order. One that was released is never edited; its checksum would no longer match.
const MIGRATIONS: &[Migration] = migrations! {
    1 = "0001_start";
    2 = "0002_cluster";
    3 = "0003_services";
    4 = "0004_everything_over";
    5 = "0005_origin";
    6 = "0006_old_tokens";
    7 = "0007_mail";
    8 = "0008_new_device" or "89d34d6fb789296983b4a2f61d156b1c7387067c768a1ef0e103ceccf906181b";
    9 = "0009_verification";
    10 = "0010_mails_counted";
};

/// Their names.
#[cfg(test)]
pub(crate) fn names() -> Vec<&'static str> {
    MIGRATIONS.iter().map(|migration| migration.name).collect()
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version (\
     number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL) /*strict*/";

statements! {
    RECORDED(0) = "SELECT number, name, checksum FROM schema_version ORDER BY number";
    OLDEST(0) = "SELECT value FROM meta WHERE name = 'oldest_schema'";
    ASK_FOR(1) = "UPDATE meta SET value = CAST($1 AS TEXT) WHERE name = 'oldest_schema' AND CAST(value AS BIGINT) < $1";
    RECORD(3) = "INSERT INTO schema_version (number, name, checksum) VALUES ($1, $2, $3)";
}

/// Runs what is missing; the names of what was run.
pub(crate) async fn run(store: &Store) -> Result<Vec<String>> {
    let mut names = Vec::new();
    // What is missing is asked again for each, under the lock: another node may be at it as well.
    while let Some(migration) = run_next(store).await? {
        names.push(migration.name.to_owned());
    }
    Ok(names)
}

/// The same as far as this migration, as a program of an earlier release.
#[cfg(test)]
pub(crate) async fn run_up_to(store: &Store, number: i64) -> Result<()> {
    while run_next(store).await?.is_some_and(|migration| migration.number < number) {}
    Ok(())
}

async fn run_next(store: &Store) -> Result<Option<&'static Migration>> {
    let mut open = store.db.begin(Lane::Requests).await?;
    if let Open::Postgres(..) = open {
        run_text(&mut open, postgres::LOCK_MIGRATIONS).await?;
    }
    run_text(&mut open, TABLE).await?;
    let recorded = recorded(&mut open).await?;
    let oldest = oldest_schema(&mut open, &recorded).await?;
    let Some(next) = missing((&recorded, oldest), MIGRATIONS)? else { return Ok(None) };
    run_text(&mut open, next.text).await?;
    open.execute(RECORD, binds![next.number, next.name, checksum(next.text)]).await?;
    let mut tx = Tx::new(open, store.random());
    log::begin(&mut tx).await?;
    if next.number == EVERYTHING_OVER {
        leases::set_imprint(&mut tx).await?;
    }
    if next.number == ORIGIN {
        origin::begin(&mut tx).await?;
    }
    tx.commit().await?;
    Ok(Some(next))
}

async fn run_text(open: &mut Open, text: &'static str) -> Result<()> {
    match open {
        Open::Sqlite(transaction, _) => {
            raw_sql(AssertSqlSafe(for_sqlite(text))).execute(&mut **transaction).await.map(drop)
        }
        Open::Postgres(transaction, link) => {
            return link.during(raw_sql(text).execute(&mut **transaction)).await.map(drop);
        }
    }
    .map_err(|error| StoreError::before_commit(&error))
}

/// The one text as SQLite wants it.
fn for_sqlite(text: &str) -> String {
    text.replace("BIGINT", "INTEGER").replace("BYTEA", "BLOB").replace("/*strict*/", "STRICT")
}

/// Whether there is anything. Changes nothing.
pub(crate) async fn is_begun(store: &Store) -> Result<bool> {
    match &store.db {
        Db::Sqlite(pools) => sqlite::has_migrations(pools).await,
        Db::Postgres(pools) => postgres::has_migrations(pools).await,
    }
}

/// Whether nothing is missing. Changes nothing.
pub(crate) async fn is_current(store: &Store) -> Result<bool> {
    if !is_begun(store).await? {
        return Ok(false);
    }
    let mut open = store.db.begin_reading(Lane::Requests).await?;
    let recorded = recorded(&mut open).await?;
    let oldest = oldest_schema(&mut open, &recorded).await?;
    Ok(missing((&recorded, oldest), MIGRATIONS)?.is_none())
}

/// The oldest schema that a program must know to work on this one, as the newest migration says: so a node of an earlier
/// release goes on, and starts again, while others are brought up to date.
async fn oldest_schema(open: &mut Open, recorded: &[Recorded]) -> Result<i64> {
    if recorded.len() <= MIGRATIONS.len() {
        return Ok(0);
    }
    let rows = open.rows(OLDEST, binds![]).await?;
    let Some(row) = rows.first() else { return Ok(i64::MAX) };
    row.text(0)?.parse().map_err(|_| StoreError::odd("meta.oldest_schema"))
}

/// From now on no program starts that does not know this migration: what was written only a newer one understands.
pub(crate) async fn ask_for(tx: &mut Tx, migration: i64) -> Result<()> {
    tx.execute(ASK_FOR, binds![migration]).await.map(drop)
}

struct Recorded {
    number: i64,
    name: String,
    checksum: String,
}

async fn recorded(open: &mut Open) -> Result<Vec<Recorded>> {
    let rows = open.rows(RECORDED, binds![]).await?;
    rows.iter().map(|row| Ok(Recorded { number: row.int(0)?, name: row.text(1)?, checksum: row.text(2)? })).collect()
}

/// The first migration that was not run yet. Newer ones are let be if they say that a program which knows `oldest` may work
/// beside them.
fn missing<'a>((recorded, oldest): (&[Recorded], i64), known: &'a [Migration]) -> Result<Option<&'a Migration>> {
    let newest = known.last().map_or(0, |migration| migration.number);
    for done in recorded {
        let Some(same) = known.iter().find(|migration| migration.number == done.number) else {
            if done.number > newest && oldest <= newest {
                continue;
            }
            let newer = "the database's schema is newer than this program: it has the migration";
            return Err(StoreError::Broken(format!(
                "{newer} {}; use the version that wrote it, or a later one",
                done.name
            )));
        };
        if checksum(same.text) != done.checksum && same.before != Some(done.checksum.as_str()) {
            return Err(StoreError::Broken(format!(
                "the migration {} is not the one that this program knows",
                done.name
            )));
        }
    }
    Ok(known.iter().find(|migration| recorded.iter().all(|done| done.number != migration.number)))
}

fn checksum(text: &str) -> String {
    log::hex(digest(&SHA256, text.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::{MIGRATIONS, Migration, Recorded, checksum, missing};
    use crate::StoreError;

    fn done(migration: &Migration) -> Recorded {
        let Migration { number, name, text, .. } = migration;
        Recorded { number: *number, name: (*name).to_owned(), checksum: checksum(text) }
    }

    #[test]
    fn migrations_are_numbered_from_one_without_gaps() {
        for (place, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.number, i64::try_from(place).unwrap() + 1);
            assert!(migration.name.starts_with(&format!("{:04}_", migration.number)));
        }
    }

    #[test]
    fn the_first_one_not_run_is_next() {
        assert_eq!(missing((&[], 0), MIGRATIONS).unwrap().map(|next| next.number), Some(1));
        let all: Vec<Recorded> = MIGRATIONS.iter().map(done).collect();
        assert!(missing((&all, 0), MIGRATIONS).unwrap().is_none());
    }

    #[test]
    fn a_newer_schema_that_an_older_program_may_work_beside_is_let_be() {
        let newer = || Recorded { number: 3, name: "0003_later".to_owned(), checksum: String::new() };
        let with_newer = || MIGRATIONS.iter().map(done).chain([newer()]).collect::<Vec<Recorded>>();
        assert!(missing((&with_newer(), 2), &MIGRATIONS[..2]).unwrap().is_none());
        assert!(matches!(missing((&with_newer(), 3), &MIGRATIONS[..2]), Err(StoreError::Broken(_))));
    }

    #[test]
    fn a_newer_schema_and_an_edited_migration_are_refused() {
        let newer = Recorded { number: 9999, name: "9999_later".to_owned(), checksum: String::new() };
        assert!(
            matches!(missing((&[newer], i64::MAX), MIGRATIONS), Err(StoreError::Broken(why)) if why.contains("9999_later"))
        );
        let mut edited = done(&MIGRATIONS[0]);
        edited.checksum = checksum("something else");
        assert!(
            matches!(missing((&[edited], 0), MIGRATIONS), Err(StoreError::Broken(why)) if why.contains("0001_start"))
        );
    }
}
