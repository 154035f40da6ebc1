//! A SQLite file, opened without making or changing anything.

use std::fs::File;
use std::io::{ErrorKind, Read as _};

use cerrojo_store::look::{self, Standing};

use super::database::Opened;
use super::finding::Report;
use super::machine::name_of;
use super::{Finding, Patient};
use crate::failure::Failure;
use crate::lock::{Lock, Looked};
use crate::place::Place;

const CHECK: &str = "database";

pub(super) async fn open(patient: &Patient, report: &mut Report) -> Option<Opened> {
    // Of a place that is wrong its files' check has told.
    let place = Place::of(&patient.configuration).ok()?;
    let shown = place.database.display();
    if !place.database.exists() {
        report.add([Finding::skipped(
            CHECK,
            format!("there is none at {shown} yet: `cerrojo serve` makes one, or is it another working directory?"),
        )]);
        return None;
    }
    if let Some(found) = header(patient, &place) {
        report.add([found]);
        return None;
    }
    let (standing, lock) = match Lock::look(&place.database) {
        Ok(Looked::Held(_)) => (Standing::InUse, None),
        Ok(Looked::Free(lock)) => (Standing::Still, lock),
        Err(error) => {
            report.add([unreadable(patient, &place, &error)]);
            return None;
        }
    };
    let left = std::fs::metadata(place.beside("-wal")).map_or(0, |about| about.len());
    if standing == Standing::Still && left > 0 {
        report.add([Finding::skipped(
            CHECK,
            format!("{shown}: the server was not stopped cleanly, which loses nothing; what is in it can be looked at after the next start"),
        )]);
        return None;
    }
    match look::open(&place.database, standing).await {
        Ok(store) => {
            let durability = "every commit waits for the disk (synchronous=FULL, which the server sets by itself)";
            report.add([Finding::ok(CHECK, format!("{shown}; {durability}"))]);
            Some(Opened { store, _lock: lock })
        }
        Err(error) => {
            report.add([Finding::failed(CHECK, &Failure::from(error))]);
            None
        }
    }
}

/// What is wrong with the first bytes, if something is: the journal that all rests on stands there
/// (<https://www.sqlite.org/fileformat.html>, section 1.3).
fn header(patient: &Patient, place: &Place) -> Option<Finding> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    /// Of the two versions behind it, for those who write and those who read.
    const LOG: [u8; 2] = [2, 2];
    let shown = place.database.display();
    let mut first = [0; 20];
    let read = File::open(&place.database).and_then(|mut file| file.read_exact(&mut first));
    match read {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Some(Finding::skipped(CHECK, format!("{shown} is empty: `cerrojo serve` makes what it needs")))
        }
        Err(error) => Some(unreadable(patient, place, &error)),
        Ok(()) if !first.starts_with(MAGIC) => Some(Finding::problem(
            CHECK,
            format!("{shown} is no SQLite database"),
            "look at database.url, or put the right file back (docs/OPERATIONS.md, «Backup and restore»)",
        )),
        Ok(()) if !first.ends_with(&LOG) => Some(Finding::warning(
            CHECK,
            format!("{shown} is not in WAL mode: another program has changed it"),
            "the next start of the server puts that right; let no other program write to it",
        )),
        Ok(()) => None,
    }
}

fn unreadable(patient: &Patient, place: &Place, error: &std::io::Error) -> Finding {
    let user = patient.serving.user.map_or_else(|| "cerrojo".to_owned(), name_of);
    let says = format!("{} cannot be read: {error}", place.database.display());
    Finding::problem(CHECK, says, format!("run this as the server's user: sudo -u {user} cerrojo doctor"))
}
