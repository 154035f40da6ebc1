//! What was last known of the database, kept in a file beside it, so that a database file put back is noticed.
//!
//! The file is never ahead of the database: it is written after COMMIT. It may be behind after a power cut, which is
//! harmless, because what it names is still in the database then. Two slots are written in turn, so that a torn write
//! leaves the other one.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cerrojo_domain::Position;
use ring::digest::{SHA256, digest};

/// One slot: a line of text, padded with spaces.
const SLOT: usize = 512;
/// What a line begins with.
const KIND: &str = "cerrojo-position-1";

/// What the file remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// The installation's incarnation.
    pub(crate) incarnation: String,
    /// The last entry applied.
    pub(crate) position: Position,
    /// The last commit: whatever is lost, sign-ins and passwords too, was one.
    pub(crate) commits: i64,
    /// Up to which commit the file by itself, without its write-ahead log, held everything when that was last looked at.
    pub(crate) in_file: i64,
}

/// The open file.
#[derive(Debug)]
pub(crate) struct SideFile {
    file: File,
    state: Mutex<(u64, Option<Remembered>)>,
}

impl SideFile {
    /// Opens or makes the file (mode 0600) and reads what it remembers; nothing if it is new or unreadable.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let newest = [0, 1].into_iter().filter_map(|slot| read_slot(&file, slot)).max_by_key(|(turn, _)| *turn);
        let state = newest.map_or((0, None), |(turn, remembered)| (turn, Some(remembered)));
        Ok(Self { file, state: Mutex::new(state) })
    }

    /// What was remembered last.
    pub(crate) fn remembered(&self) -> Option<Remembered> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Begins anew with `remembered`.
    pub(crate) fn set(&self, remembered: Remembered) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.write(&mut state, remembered)
    }

    /// Notes the last entry applied; an older one than the noted is ignored.
    pub(crate) fn note_position(&self, position: &Position) -> io::Result<()> {
        self.note(|remembered| {
            let later = position.number > remembered.position.number;
            later.then(|| Remembered { position: position.clone(), ..remembered.clone() })
        })
    }

    /// Notes a commit; an older one than the noted is ignored.
    pub(crate) fn note_commit(&self, number: i64) -> io::Result<()> {
        self.note(|remembered| {
            (number > remembered.commits).then(|| Remembered { commits: number, ..remembered.clone() })
        })
    }

    /// Notes that the file by itself holds everything up to a commit.
    pub(crate) fn note_in_file(&self, number: i64) -> io::Result<()> {
        self.note(|remembered| {
            (number > remembered.in_file).then(|| Remembered { in_file: number, ..remembered.clone() })
        })
    }

    fn note(&self, change: impl FnOnce(&Remembered) -> Option<Remembered>) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.1.as_ref().and_then(change) {
            Some(changed) => self.write(&mut state, changed),
            None => Ok(()),
        }
    }

    /// Notes that everything is over and a new incarnation has begun.
    pub(crate) fn note_incarnation(&self, incarnation: &str, position: &Position) -> io::Result<()> {
        let (incarnation, position) = (incarnation.to_owned(), position.clone());
        self.note(|remembered| Some(Remembered { incarnation, position, ..remembered.clone() }))
    }

    fn write(&self, state: &mut (u64, Option<Remembered>), remembered: Remembered) -> io::Result<()> {
        let turn = state.0 + 1;
        let slot = encode(turn, &remembered).ok_or_else(|| io::Error::other("the position does not fit its slot"))?;
        self.file.write_all_at(&slot, (turn % 2) * SLOT as u64)?;
        *state = (turn, Some(remembered));
        Ok(())
    }
}

fn checksum(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

fn encode(turn: u64, remembered: &Remembered) -> Option<Vec<u8>> {
    let Remembered { incarnation, position: Position { number, mark }, commits, in_file } = remembered;
    let text = format!("{KIND} {turn} {incarnation} {number} {mark} {commits} {in_file}");
    let mut line = format!("{text} {}\n", checksum(&text)).into_bytes();
    (line.len() <= SLOT).then(|| {
        line.resize(SLOT, b' ');
        line
    })
}

fn read_slot(file: &File, slot: u64) -> Option<(u64, Remembered)> {
    let mut bytes = [0; SLOT];
    file.read_exact_at(&mut bytes, slot * SLOT as u64).ok()?;
    let line = std::str::from_utf8(&bytes).ok()?.trim_end();
    let (text, sum) = line.rsplit_once(' ')?;
    if checksum(text) != sum {
        return None;
    }
    let [KIND, turn, incarnation, number, mark, commits, in_file] = *text.split(' ').collect::<Vec<_>>() else {
        return None;
    };
    let position = Position { number: number.parse().ok()?, mark: mark.to_owned() };
    let (commits, in_file) = (commits.parse().ok()?, in_file.parse().ok()?);
    Some((turn.parse().ok()?, Remembered { incarnation: incarnation.to_owned(), position, commits, in_file }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered(number: i64) -> Remembered {
        Remembered {
            incarnation: "first".to_owned(),
            position: Position { number, mark: format!("mark{number}") },
            commits: 10 * number,
            in_file: 0,
        }
    }

    #[test]
    fn what_was_noted_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.position");
        let file = SideFile::open(&path).unwrap();
        assert_eq!(file.remembered(), None);
        file.set(remembered(3)).unwrap();
        file.note_position(&Position { number: 4, mark: "mark4".to_owned() }).unwrap();
        file.note_position(&Position { number: 2, mark: "mark2".to_owned() }).unwrap();
        file.note_commit(40).unwrap();
        file.note_commit(39).unwrap();
        file.note_in_file(20).unwrap();
        let again = SideFile::open(&path).unwrap().remembered().unwrap();
        assert_eq!(again, Remembered { in_file: 20, ..remembered(4) });
    }

    #[test]
    fn a_torn_write_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.position");
        let file = SideFile::open(&path).unwrap();
        file.set(remembered(1)).unwrap();
        file.set(remembered(2)).unwrap();
        file.file.write_all_at(b"torn", 30).unwrap();
        assert_eq!(SideFile::open(&path).unwrap().remembered(), Some(remembered(1)));
    }
}
