//! `cerrojo db restore`. Everything is prepared in a copy beside the database: checked, brought up to date, every session
//! ended. Only then it takes the database's place, in one step. However a restore is cut off, there is either the old
//! database or one in which everything is over.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use cerrojo_app::keys::Keyring;
use cerrojo_app::{Lease, administer};
use cerrojo_domain::{Clock as _, SystemClock};
use cerrojo_store::sqlite;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::db::check_log;
use crate::cli::Consent;
use crate::config::Configuration;
use crate::failure::Failure;
use crate::lock::{Holder, Kind, Lock, Taken};
use crate::open::Node;
use crate::place::{Place, beside};
use crate::{ask, open, out};

pub(crate) async fn run(configuration: &Configuration, backup: &Path, consent: Consent) -> Result<(), Failure> {
    let place = Place::of(configuration)?;
    if !backup.is_file() {
        return Err(Failure::new(format!("there is no backup at {}", backup.display())));
    }
    place.check()?;
    ask::consent(consent, &format!("{} will be replaced and every session ends.", place.database.display()))?;
    let _lock = match Lock::take(&place.database, &Holder::this(Kind::Command, "cerrojo db restore")).await? {
        Taken::Ours(lock) => lock,
        Taken::Serving(holder) => {
            return Err(Failure::new(format!("the database is in use by {holder}: stop it first")));
        }
    };
    let prepared = Place { database: place.beside(".restoring") };
    clear(&prepared)?;
    let done = match prepare(configuration, backup, &prepared).await {
        Ok(()) => put_in_place(&prepared, &place).await,
        Err(failure) => Err(failure),
    };
    match done {
        Ok(kept) => {
            out::line(&format!("{} is restored; every session is over", place.database.display()));
            if let Some(kept) = kept {
                out::note(&format!("the database that was there is kept as {}", kept.display()));
            }
            Ok(())
        }
        Err(failure) => {
            clear(&prepared)?;
            Err(failure)
        }
    }
}

/// A copy of the backup in which everything is over.
async fn prepare(configuration: &Configuration, backup: &Path, prepared: &Place) -> Result<(), Failure> {
    out::note(&format!("checking {} …", backup.display()));
    copy(backup, &prepared.database).map_err(Failure::because(format!("{} cannot be copied", backup.display())))?;
    let wrong = |why: String| Failure::new(format!("{} is not restored: {why}", backup.display()));
    let not_ours = |failure: Failure| wrong(failure.message);
    let store = open::store_at(&prepared.database).await.map_err(not_ours)?;
    let mut problems = sqlite::check(&store).await.map_err(|error| not_ours(error.into()))?;
    if problems.is_empty() {
        if !Keyring::is_sealed(&store).await.map_err(|error| not_ours(error.into()))? {
            return Err(wrong("it is no backup of a Cerrojo that was in use".to_owned()));
        }
        store.migrate().await.map_err(|error| not_ours(error.into()))?;
        problems = check_log(&store).await.map_err(not_ours)?;
    }
    if !problems.is_empty() {
        return Err(wrong(problems.join("; ")));
    }
    let node = Node { store, lease: Lease::Holder, about: "cerrojo db restore".to_owned() };
    let app = open::app_beside(configuration, node, Some(prepared.side_file())).await.map_err(not_ours)?;
    administer::end_everything_restored(&app).await?;
    app.store.close().await;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut source = File::open(from)?;
    let mut target = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    std::io::copy(&mut source, &mut target)?;
    target.sync_all()
}

/// The prepared database takes the place of the one that is there, which is kept under another name.
async fn put_in_place(prepared: &Place, place: &Place) -> Result<Option<PathBuf>, Failure> {
    if has_bytes(&prepared.beside("-wal")) {
        return Err(Failure::new("the prepared database could not be finished: it still has a write-ahead log"));
    }
    let kept = place.beside(&format!(".before-restore-{}", SystemClock::new().now().0));
    let there_was_one = place.database.exists();
    if there_was_one {
        settle(place).await;
    }
    let moved = || -> std::io::Result<()> {
        File::open(&prepared.database)?.sync_all()?;
        // First of all: without its position file a database counts as gone back, whichever of the two it is.
        remove(&place.side_file())?;
        File::open(place.folder())?.sync_all()?;
        if there_was_one {
            if has_bytes(&place.beside("-wal")) {
                std::fs::rename(place.beside("-wal"), beside(&kept, "-wal"))?;
            }
            remove(&place.beside("-wal"))?;
            remove(&place.beside("-shm"))?;
            exchange(&prepared.database, &place.database, &kept)?;
        } else {
            std::fs::rename(&prepared.database, &place.database)?;
        }
        File::open(place.folder())?.sync_all()?;
        std::fs::rename(prepared.side_file(), place.side_file())?;
        remove(&prepared.beside("-shm"))?;
        remove(&prepared.beside("-wal"))?;
        File::open(place.folder())?.sync_all()
    };
    moved().map_err(Failure::because("the backup cannot be put in place"))?;
    Ok(there_was_one.then_some(kept))
}

/// Opening and closing brings the write-ahead log into the database. If the database is broken, its log is kept beside it.
async fn settle(place: &Place) {
    if let Ok(store) = open::store(place, Lease::Holder).await {
        store.close().await;
    }
}

/// Both change places in one step, so that there is a database at every moment.
fn exchange(prepared: &Path, database: &Path, kept: &Path) -> std::io::Result<()> {
    match renameat_with(CWD, prepared, CWD, database, RenameFlags::EXCHANGE) {
        Ok(()) => std::fs::rename(prepared, kept),
        // A file system that cannot exchange: a copy is kept instead.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            copy(database, kept)?;
            std::fs::rename(prepared, database)
        }
        Err(error) => Err(error.into()),
    }
}

fn has_bytes(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

/// What an earlier restore that was cut off left behind.
fn clear(prepared: &Place) -> Result<(), Failure> {
    for suffix in ["", "-wal", "-shm", ".position"] {
        let path = prepared.beside(suffix);
        remove(&path).map_err(Failure::because(format!("{} cannot be removed", path.display())))?;
    }
    Ok(())
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
