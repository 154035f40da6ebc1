//! `cerrojo db`: migrate, check, backup. Restoring is next door.

use std::path::Path;

use cerrojo_app::Lease;
use cerrojo_domain::Entry;
use cerrojo_store::{Store, log, origin, sqlite};

use super::restore;
use crate::cli::Db;
use crate::config::{Configuration, Database};
use crate::failure::Failure;
use crate::lock::{Holder, Kind, Lock, Taken};
use crate::place::Place;
use crate::{open, out};

/// Entries of the log read at once.
const CHUNK: i64 = 1000;

pub(crate) async fn run(command: Db, configuration: &Configuration) -> Result<(), Failure> {
    match command {
        Db::Migrate => migrate(configuration).await,
        Db::Check => check(configuration).await,
        Db::Backup { file } => backup(configuration, &file).await,
        Db::Restore { file, consent } => restore::run(configuration, &file, consent).await,
    }
}

async fn migrate(configuration: &Configuration) -> Result<(), Failure> {
    if let Database::Postgres(url) = &configuration.database {
        // Nodes of the release before go on working beside the new schema.
        let store = open::remote(url, 1).await?;
        let done = store.migrate().await?;
        store.close().await;
        say(&done);
        return Ok(());
    }
    let place = Place::of(configuration)?;
    place.check()?;
    let taken = Lock::take(&place.database, &Holder::this(Kind::Command, "cerrojo db migrate")).await?;
    let lease = if matches!(taken, Taken::Ours(_)) { Lease::Holder } else { Lease::Guest };
    let store = open::store(&place, lease).await?;
    let done = match &taken {
        Taken::Ours(_) => store.migrate().await?,
        Taken::Serving(_) if store.schema_is_current().await? => Vec::new(),
        Taken::Serving(holder) => {
            return Err(Failure::new(format!("the database is in use by {holder}: stop it first")));
        }
    };
    store.close().await;
    say(&done);
    Ok(())
}

fn say(done: &[String]) {
    for name in done {
        out::line(&format!("ran {name}"));
    }
    if done.is_empty() {
        out::line("the database is up to date");
    }
}

async fn check(configuration: &Configuration) -> Result<(), Failure> {
    let read = open::to_read(configuration, "cerrojo db check").await?;
    let problems = problems(&read.store).await?;
    read.close().await;
    if problems.is_empty() {
        out::line("the database is whole");
        return Ok(());
    }
    Err(Failure::new(problems.join("\n")))
}

/// What is wrong with what the database holds. Reads all of it on SQLite.
pub(super) async fn problems(store: &Store) -> Result<Vec<String>, Failure> {
    let mut problems = if store.is_sqlite() { sqlite::check(store).await? } else { Vec::new() };
    problems.extend(check_log(store).await?);
    if origin::is_mixed(&mut store.reader()).await? {
        problems.push(
            "lists, keys or entries of another history are in it: a dump was put into a database that was begun already; \
             restore it whole into an empty one"
                .to_owned(),
        );
    }
    Ok(problems)
}

/// Numbers without gaps, marks that are there, and a head that is the last entry.
pub(super) async fn check_log(store: &Store) -> Result<Vec<String>, Failure> {
    let mut run = store.snapshot().await?;
    let head = log::head(&mut run).await?;
    let mut problems = Vec::new();
    let mut last: Option<Entry> = None;
    loop {
        let after = last.as_ref().map_or(0, |entry| entry.position.number);
        let entries = log::after(&mut run, after, CHUNK).await?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            let number = entry.position.number;
            if last.as_ref().is_some_and(|last| last.position.number + 1 != number) {
                problems.push(format!("the log has a gap before entry {number}"));
            }
            if entry.position.mark.is_empty() {
                problems.push(format!("entry {number} of the log has no mark"));
            }
            last = Some(entry);
        }
    }
    let end = last.map_or((0, String::new()), |entry| (entry.position.number, entry.position.mark));
    if end.0 != head.number || (end.0 > 0 && end.1 != head.mark) {
        problems.push(format!("the log's head says {}, its last entry is {}", head.number, end.0));
    }
    Ok(problems)
}

async fn backup(configuration: &Configuration, file: &Path) -> Result<(), Failure> {
    if file.symlink_metadata().is_ok() {
        return Err(Failure::new(format!("{} exists already: a backup never replaces anything", file.display())));
    }
    let place = Place::of(configuration)?;
    let read = open::to_copy(&place, "cerrojo db backup").await?;
    out::note(&format!("copying {} …", place.database.display()));
    sqlite::backup(&read.store, file).await?;
    read.close().await;
    let size = std::fs::metadata(file).map(|file| file.len()).unwrap_or_default();
    out::line(&format!("{}: {}", file.display(), readable(size)));
    if let crate::config::MasterKeySource::File(key) = &configuration.master_key {
        out::note(&format!("the master key is not in it: keep {} as well, in another place", key.display()));
    } else {
        out::note("the master key is not in it: keep the value of keys.master_key as well, in another place");
    }
    Ok(())
}

fn readable(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes.div_ceil(1024)),
        _ => format!("{} MiB", bytes.div_ceil(1_048_576)),
    }
}
