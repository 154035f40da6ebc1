//! Noticing a SQLite database that went back: a file put back, or mixed with the write-ahead log of another.

use std::path::Path;

use cerrojo_domain::{Actor, Clock, EndReason, Ending, Entry, KeyId, Random};
use cerrojo_store::{EndingTx, Store, StoreError, commits, lists, log, old_tokens, origin, sessions, sqlite};

use crate::app::StartError;
use crate::side_file::{Remembered, SideFile};
use crate::{App, Trouble, end, incarnation};

/// A write-ahead log of this many bytes is moved into the database file.
const LARGE_WAL: u64 = 4 << 20;

/// Moves the write-ahead log into the database file and notes what the file holds then.
pub(crate) async fn checkpoint(app: &App) -> Result<(), Trouble> {
    if let (Some(file), true) = (&app.side_file, app.store.is_sqlite())
        && let Some(number) = sqlite::checkpoint(&app.store).await?
    {
        file.note_in_file(number).map_err(|error| unusable(&error))?;
    }
    Ok(())
}

/// The same once the write-ahead log has grown.
pub(crate) async fn checkpoint_if_due(app: &App) -> Result<(), Trouble> {
    if app.store.is_sqlite() && sqlite::wal_size(&app.store)? > LARGE_WAL { checkpoint(app).await } else { Ok(()) }
}

pub(crate) fn unusable(error: &std::io::Error) -> Trouble {
    Trouble::Internal(format!("the position file beside the database cannot be used: {error}"))
}

pub(crate) fn open_side_file(path: &Path) -> Result<SideFile, Trouble> {
    SideFile::open(path).map_err(|error| unusable(&error))
}

impl App {
    /// Must run before a SQLite database is opened by whoever holds its lock. A database file that was put back must not
    /// be read together with the write-ahead log of the one it took the place of: that mixture is no state that ever was.
    ///
    /// # Errors
    /// [`StartError::Trouble`] if a file beside the database cannot be read or moved.
    pub async fn before_opening(database: &Path, side_file: &Path) -> Result<(), StartError> {
        let wal = sqlite::wal_of(database);
        if std::fs::metadata(&wal).map_or(0, |found| found.len()) == 0 || !side_file.exists() {
            return Ok(());
        }
        let in_file = open_side_file(side_file)?.remembered().map_or(0, |remembered| remembered.in_file);
        match sqlite::commits_in_file(database).await {
            _ if in_file == 0 => {}
            Some(commits) if commits >= in_file => {}
            Some(_) => set_aside(&wal, &sqlite::shm_of(database)).map_err(|error| unusable(&error))?,
            // Torn in the midst of a migration: the write-ahead log is needed to mend it. Nothing tells whose it is.
            None => std::fs::remove_file(side_file).map_err(|error| unusable(&error))?,
        }
        Ok(())
    }
}

fn set_aside(wal: &Path, shm: &Path) -> std::io::Result<()> {
    let mut name = wal.as_os_str().to_owned();
    name.push(".set-aside");
    std::fs::rename(wal, &name)?;
    if shm.exists() {
        std::fs::remove_file(shm)?;
    }
    tracing::warn!(file.path = ?name, "the database file was put back beside a write-ahead log that is not its own");
    Ok(())
}

/// A database that does not hold what the side file remembers has gone back, and one without a side file may have. Whether
/// every session was ended.
pub(crate) async fn end_everything_if_it_went_back(
    store: &Store,
    file: &SideFile,
    (clock, random, given): (&dyn Clock, &dyn Random, Option<&KeyId>),
) -> Result<bool, StartError> {
    let mut run = store.reader();
    let mixed = origin::is_mixed(&mut run).await?;
    let held = match file.remembered() {
        Some(remembered) => holds(store, &remembered).await?,
        None => {
            sessions::newest(&mut run).await?.is_none()
                && lists::in_use(&mut run).await?.is_empty()
                // Sessions may have been made of their tokens since.
                && !old_tokens::did_anybody_come(&mut run).await?
        }
    };
    if held && !mixed {
        return Ok(false);
    }
    tracing::warn!(
        database.rows_are_foreign = mixed,
        "the database is older than what this server last knew of it, or its position file is missing: \
         every session is ended"
    );
    let mut tx = store.begin_ending().await?;
    let known = file.remembered().map(|remembered| remembered.incarnation);
    end_everything(&mut tx, known.as_deref(), (clock, random, given)).await?;
    tx.commit().await?;
    Ok(true)
}

pub(crate) async fn end_everything(
    tx: &mut EndingTx,
    known: Option<&str>,
    (clock, random, given): (&dyn Clock, &dyn Random, Option<&KeyId>),
) -> Result<Vec<Entry>, StoreError> {
    let ending = Ending { reason: EndReason::Restored, actor: Actor::Server, at: clock.now(), place: None };
    let stored = log::incarnation(&mut **tx).await?;
    let incarnation = incarnation::after(&[&stored, known.unwrap_or_default()], random);
    end::everything_in_tx(tx, &incarnation, (&ending, given)).await
}

async fn holds(store: &Store, remembered: &Remembered) -> Result<bool, StoreError> {
    let mut run = store.reader();
    let number = remembered.position.number;
    let same_mark = match log::at(&mut run, number).await? {
        Some(entry) => entry.position.mark == remembered.position.mark,
        None => number == 0,
    };
    Ok(same_mark
        && log::incarnation(&mut run).await? == remembered.incarnation
        && commits::count(&mut run).await? >= remembered.commits)
}
