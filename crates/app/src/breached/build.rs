//! Building a list from records in any order, in memory that is bounded.
//!
//! Records that come in order are written as they come: the public list is downloaded in order. Of others what fits in memory is
//! sorted and written as a run, which is a list itself, and runs are merged. If there is only one, it is the list.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::format::{ListError, PAGE, RECORD};
use super::list::List;
use super::write::Writer;

/// Runs that are merged at once, each with a file open and a buffer.
const TOGETHER: usize = 64;
/// Bytes of such a buffer, at most.
const READ_AHEAD: usize = 1 << 20;

/// What may be written over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// Nothing.
    Nothing,
    /// A list of breached passwords, whole or not, of any version.
    List,
}

/// Why a list was not built. The text says what to do.
#[derive(Debug)]
pub enum BuildError {
    /// There is something of that name.
    Exists(PathBuf),
    /// There is something else than a list of that name.
    OtherFile(PathBuf),
    /// Another program is building it.
    Busy(PathBuf),
    /// A file beside it cannot be used.
    Io(PathBuf, io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(path) => write!(f, "{} exists: name another file, or say --replace", path.display()),
            Self::OtherFile(path) => {
                write!(f, "{} is no list of breached passwords and is not replaced: name another file", path.display())
            }
            Self::Busy(path) => write!(f, "{} is being written by another build: let it end", path.display()),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for BuildError {}

/// A list that was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Built {
    /// Records, no two alike.
    pub count: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// A list that is being built. Dropped before [`Build::end`], it leaves nothing behind.
pub struct Build {
    target: PathBuf,
    unfinished: Unfinished,
    /// Records in memory.
    buffer: Vec<u64>,
    /// So many are sorted at once.
    room: usize,
    /// The run that is being written: in the unfinished file as long as it is the only one.
    run: Writer,
    /// Runs that have no name, those of the next level merged of [`TOGETHER`] of the one before.
    levels: Vec<Vec<File>>,
}

impl Build {
    /// Begins a list at `target`, which appears there when it is done. `memory`: bytes to sort in.
    ///
    /// # Errors
    /// [`BuildError`] if it may not be written there.
    pub fn begin(target: &Path, memory: usize, overwrite: Overwrite) -> Result<Self, BuildError> {
        // A link goes on leading where it leads.
        let target = target.canonicalize().unwrap_or_else(|_| target.to_owned());
        if target.symlink_metadata().is_ok() {
            match overwrite {
                Overwrite::Nothing => return Err(BuildError::Exists(target)),
                Overwrite::List => is_list(&target)?,
            }
        }
        let mut unfinished = Unfinished { path: beside(&target, ".new"), ours: false };
        let run = unfinished.begin()?;
        let room = (memory / RECORD).max(1);
        let mut buffer = Vec::new();
        unfinished.because(buffer.try_reserve_exact(room).map_err(|_| io::ErrorKind::OutOfMemory.into()))?;
        Ok(Self { target, unfinished, buffer, room, run, levels: Vec::new() })
    }

    /// Adds a record. Those that are there already are left out.
    ///
    /// # Errors
    /// [`BuildError::Io`] if the disk says no.
    pub fn push(&mut self, record: u64) -> Result<(), BuildError> {
        if self.buffer.is_empty() && self.run.last().is_none_or(|last| last <= record) {
            return self.unfinished.because(self.run.push(record));
        }
        if self.buffer.len() == self.room {
            self.write_run()?;
        }
        self.buffer.push(record);
        Ok(())
    }

    /// Puts the list in its place, on the disk. `told` hears how many records were merged.
    ///
    /// # Errors
    /// [`BuildError::Io`] if the disk says no.
    pub fn end(mut self, mut told: impl FnMut(u64)) -> Result<Built, BuildError> {
        self.write_run()?;
        let Self { target, mut unfinished, run, mut levels, buffer, room } = self;
        drop(buffer);
        let (file, count) = if levels.is_empty() {
            unfinished.because(run.end())?
        } else {
            levels.push(vec![unfinished.because(run.end())?.0]);
            // What is there by this name is the first run.
            unfinished.because(std::fs::remove_file(&unfinished.path))?;
            let into = unfinished.begin()?;
            let runs = levels.into_iter().flatten().collect();
            unfinished.because(merge((runs, room), into, &mut told))?
        };
        let bytes = unfinished.because(file.sync_all().and_then(|()| file.metadata()))?.len();
        unfinished.put_in_place(&target)?;
        Ok(Built { count, bytes })
    }

    /// Sorts what is in memory and writes it: after the last run if it follows on it, otherwise as a new one.
    fn write_run(&mut self) -> Result<(), BuildError> {
        self.buffer.sort_unstable();
        let Some(first) = self.buffer.first() else { return Ok(()) };
        if self.run.last().is_some_and(|last| last > *first) {
            let next = self.unfinished.because(self.temporary())?;
            let run = std::mem::replace(&mut self.run, next);
            let kept = run.end().and_then(|(file, _)| self.keep(file));
            self.unfinished.because(kept)?;
        }
        let (run, buffer) = (&mut self.run, &mut self.buffer);
        let written = buffer.drain(..).try_for_each(|record| run.push(record));
        self.unfinished.because(written)
    }

    /// Keeps a run, and merges those of a level that is full.
    fn keep(&mut self, mut run: File) -> io::Result<()> {
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(runs) = self.levels.get_mut(level) else { break };
            runs.push(run);
            if runs.len() < TOGETHER {
                break;
            }
            let runs = std::mem::take(runs);
            (run, _) = merge((runs, self.room), self.temporary()?, &mut |_| ())?;
        }
        Ok(())
    }

    /// A run without a name: it is gone with this process, however that ends.
    fn temporary(&self) -> io::Result<Writer> {
        tempfile::tempfile_in(folder(&self.target)).and_then(Writer::begin)
    }
}

/// Merges runs into one, in the memory of so many records.
fn merge((runs, room): (Vec<File>, usize), mut into: Writer, told: &mut dyn FnMut(u64)) -> io::Result<(File, u64)> {
    let ahead = (room * RECORD / runs.len().max(1)).clamp(PAGE, READ_AHEAD);
    let mut readers = Vec::new();
    let mut next = BinaryHeap::new();
    for (number, mut run) in runs.into_iter().enumerate() {
        run.seek(SeekFrom::Start(PAGE as u64))?;
        let mut reader = BufReader::with_capacity(ahead, run);
        next.extend(read(&mut reader)?.map(|record| Reverse((record, number))));
        readers.push(reader);
    }
    let mut merged = 0_u64;
    while let Some(mut least) = next.peek_mut() {
        let Reverse((record, number)) = *least;
        into.push(record)?;
        match readers.get_mut(number).map_or(Ok(None), read)? {
            Some(record) => *least = Reverse((record, number)),
            None => drop(PeekMut::pop(least)),
        }
        merged += 1;
        if merged.is_multiple_of(1 << 16) {
            told(merged);
        }
    }
    into.end()
}

fn read(run: &mut BufReader<File>) -> io::Result<Option<u64>> {
    let mut record = [0; RECORD];
    match run.read_exact(&mut record) {
        Ok(()) => Ok(Some(u64::from_be_bytes(record))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// What may be replaced: anything that begins as a list does.
fn is_list(path: &Path) -> Result<(), BuildError> {
    match List::open(path) {
        Err(ListError::NotAList) => Err(BuildError::OtherFile(path.to_owned())),
        Err(ListError::Io(error)) => Err(BuildError::Io(path.to_owned(), error)),
        _ => Ok(()),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The file that becomes the list. One that an earlier build left is taken over.
struct Unfinished {
    path: PathBuf,
    /// Whether it is there and nobody else's: then it is removed when this is dropped.
    ours: bool,
}

impl Unfinished {
    /// Others may read it: its content is public, and the server is another user than who builds it.
    fn begin(&mut self) -> Result<Writer, BuildError> {
        self.ours = false;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o644);
        let file = self.because(options.open(&self.path))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(BuildError::Busy(self.path.clone())),
            Err(TryLockError::Error(error)) => return Err(BuildError::Io(self.path.clone(), error)),
            Ok(()) => {}
        }
        // Whoever held it a moment ago may have put it in its place since.
        let both = file.metadata().and_then(|opened| Ok((opened, std::fs::metadata(&self.path)?)));
        let (opened, named) = self.because(both)?;
        if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
            return Err(BuildError::Busy(self.path.clone()));
        }
        self.ours = true;
        self.because(file.set_len(0).and_then(|()| Writer::begin(file)))
    }

    fn put_in_place(mut self, target: &Path) -> Result<(), BuildError> {
        self.because(std::fs::rename(&self.path, target))?;
        self.ours = false;
        let folder = folder(target);
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| BuildError::Io(folder.to_owned(), error))
    }

    fn because<T>(&self, done: io::Result<T>) -> Result<T, BuildError> {
        done.map_err(|error| BuildError::Io(self.path.clone(), error))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.ours {
            // There is nothing more to be done about it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
