//! Room on the disks, and what kind they are.

use std::path::{Path, PathBuf};

use super::{Finding, Patient};
use crate::config::{Database, MailRoute, MasterKeySource};
use crate::place::Place;

const MIB: u64 = 1 << 20;
/// Less than that is soon gone.
const LEAST: u64 = 100 * MIB;
/// With less than that an operator should see to it.
const LITTLE: u64 = 1024 * MIB;
/// A write-ahead log beyond that is not moved into the database as it should be.
const LONG_WAL: u64 = 256 * MIB;

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let configuration = &patient.configuration;
    let mut found = Vec::new();
    let mut folders: Vec<(PathBuf, u64)> = Vec::new();
    match &configuration.database {
        Database::Sqlite(_) => {
            if let Ok(place) = Place::of(configuration) {
                found.push(file_system(&place));
                found.extend(write_ahead_log(&place));
                let database = size(&place.database).saturating_add(size(&place.beside("-wal")));
                // A backup beside it takes as much again.
                folders.push((place.folder().to_owned(), LITTLE.max(database)));
            }
        }
        Database::Postgres(_) => {
            if let MasterKeySource::File(path) = &configuration.master_key {
                folders.push((path.parent().unwrap_or(Path::new(".")).to_owned(), LEAST));
            }
        }
    }
    if let MailRoute::Outbox { folder } = &configuration.mail {
        folders.push((folder.clone(), LITTLE));
    }
    let mut seen = Vec::new();
    for (folder, wanted) in folders {
        let folder = nearest(&folder);
        let device = std::fs::metadata(&folder).map(|about| std::os::unix::fs::MetadataExt::dev(&about)).ok();
        if !seen.contains(&device) {
            seen.push(device);
            found.extend(room(&folder, wanted));
        }
    }
    found
}

fn file_system(place: &Place) -> Finding {
    const CHECK: &str = "file system";
    if place.is_remote() {
        return Finding::problem(
            CHECK,
            format!(
                "{} is on a network file system, where locks and SQLite's log cannot be relied on",
                place.folder().display()
            ),
            "put the database on a local disk, or use PostgreSQL",
        );
    }
    Finding::ok(CHECK, "the database is not on a network file system")
}

fn write_ahead_log(place: &Place) -> Option<Finding> {
    const CHECK: &str = "write-ahead log";
    let bytes = std::fs::metadata(place.beside("-wal")).ok()?.len();
    if bytes > LONG_WAL {
        return Some(Finding::warning(
            CHECK,
            format!("it has {}: something keeps it from being moved into the database", readable(bytes)),
            "look in the server's log for «background work failed», and for other programs that have the database open",
        ));
    }
    Some(Finding::ok(CHECK, readable(bytes)))
}

fn room(folder: &Path, wanted: u64) -> Option<Finding> {
    let about = rustix::fs::statvfs(folder).ok()?;
    // Some file systems count no files.
    let files = (about.f_files > 0).then_some(about.f_favail);
    Some(judge(folder, (about.f_bavail.saturating_mul(about.f_frsize), files), wanted))
}

fn judge(folder: &Path, (bytes, files): (u64, Option<u64>), wanted: u64) -> Finding {
    const CHECK: &str = "disk space";
    let (shown, left) = (folder.display(), readable(bytes));
    let more = "make room or enlarge the disk: an ending that cannot be written is not acknowledged (docs/OPERATIONS.md, «Low disk»)";
    if bytes < LEAST || files.is_some_and(|files| files < 100) {
        let files = files.map(|files| format!(" and {files} files")).unwrap_or_default();
        return Finding::problem(CHECK, format!("{left}{files} are left for {shown}"), more);
    }
    if bytes < wanted {
        let says = format!(
            "{left} are left for {shown}, where {} should be: a backup takes as much as the database",
            readable(wanted)
        );
        return Finding::warning(CHECK, says, more);
    }
    Finding::ok(CHECK, format!("{left} are left for {shown}"))
}

/// The folder, or the one above it in which it will be made.
fn nearest(folder: &Path) -> PathBuf {
    let there = folder.ancestors().find(|folder| folder.is_dir());
    there.unwrap_or(Path::new(".")).to_owned()
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |about| about.len())
}

/// In the unit that people read.
pub(super) fn readable(bytes: u64) -> String {
    match bytes {
        0..MIB => format!("{} KiB", bytes.div_ceil(1024)),
        MIB..10_737_418_240 => format!("{} MiB", bytes / MIB),
        _ => format!("{} GiB", bytes >> 30),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn little_room_is_told_with_how_much_there_is() {
        let judge = |bytes, files| judge(Path::new("/data"), (bytes, files), LITTLE);
        assert_eq!(judge(5 * LITTLE, Some(1000)).level, Level::Ok);
        let little = judge(500 * MIB, None);
        assert!(little.level == Level::Warning && little.says.contains("500 MiB are left for /data"), "{little:?}");
        assert_eq!(judge(50 * MIB, None).level, Level::Problem);
        let no_files = judge(5 * LITTLE, Some(3));
        assert!(no_files.level == Level::Problem && no_files.says.contains("3 files"), "{no_files:?}");
    }
}
