//! Where hashes and passwords come from: files, folders of range files, standard input.

use std::fs::File;
use std::io::{BufRead, BufReader, Chain, Cursor, Read};
use std::path::{Path, PathBuf};

use super::kind::{Kind, RangeFile, SAMPLE, kind};
use super::line::{self, Hash, Lines, Password};
use crate::cli::SourceFormat;
use crate::failure::Failure;
use crate::out;
use crate::progress::{self, Unit};

/// Range files of the whole list: five hexadecimal digits.
const RANGES: u64 = 1 << 20;
/// So many lines lie between two looks at the progress.
const STRIDE: u64 = 1 << 12;

/// What is taken.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) format: Option<SourceFormat>,
    pub(super) min_count: u64,
}

/// What a source had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) kind: &'static str,
    pub(super) taken: u64,
    pub(super) rare: u64,
    pub(super) long: u64,
    pub(super) latin1: u64,
    /// Range files that are not there.
    pub(super) missing: u64,
    /// Range files with nothing in them.
    pub(super) empty: u64,
}

/// Where each record goes.
pub(super) type Take<'a> = dyn FnMut(u64) -> Result<(), Failure> + 'a;

/// A source, looked at and not read yet.
pub(super) struct Source {
    path: PathBuf,
    rules: Rules,
    what: What,
}

enum What {
    Lines { from: Box<Chain<Cursor<Vec<u8>>, Opened>>, size: Option<u64>, kind: Kind },
    Folder(Vec<RangeFile>),
}

type Opened = Box<dyn Read>;

impl Source {
    /// Looks what it is.
    ///
    /// # Errors
    /// If it is not there, or nothing that a list can be built from.
    pub(super) fn open(path: &Path, rules: Rules) -> Result<Self, Failure> {
        let shown = out::tame(&path.display().to_string());
        let because = || Failure::because(shown.clone());
        let (mut from, size): (Opened, _) = if path == Path::new("-") {
            (Box::new(std::io::stdin()), None)
        } else {
            let found = std::fs::metadata(path).map_err(because())?;
            if found.is_dir() {
                return Self::folder(path, rules);
            }
            (Box::new(File::open(path).map_err(because())?), found.is_file().then_some(found.len()))
        };
        let mut sample = Vec::new();
        from.by_ref().take(SAMPLE as u64).read_to_end(&mut sample).map_err(because())?;
        let kind = kind(&sample, RangeFile::of(path), rules.format).map_err(Failure::because(shown))?;
        let from = Box::new(Cursor::new(sample).chain(from));
        Ok(Self { path: path.to_owned(), rules, what: What::Lines { from, size, kind } })
    }

    fn folder(path: &Path, rules: Rules) -> Result<Self, Failure> {
        let shown = out::tame(&path.display().to_string());
        if !matches!(rules.format, None | Some(SourceFormat::Ranges)) {
            return Err(Failure::usage(format!("{shown} is a folder: name the files in it")));
        }
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path).map_err(Failure::because(shown.clone()))? {
            let entry = entry.map_err(Failure::because(shown.clone()))?;
            files.extend(RangeFile::of(&entry.path()));
        }
        if files.is_empty() {
            return Err(Failure::new(format!(
                "{shown} has no range files (00000.txt to FFFFF.txt): of other lists name the files, not the folder"
            )));
        }
        files.sort_unstable();
        Ok(Self { path: path.to_owned(), rules, what: What::Folder(files) })
    }

    /// Hands over all of it.
    ///
    /// # Errors
    /// If it cannot be read, or a line is not what it should be.
    pub(super) fn read_all(self, take: &mut Take<'_>) -> Result<Tally, Failure> {
        let Self { path, rules, what } = self;
        match what {
            What::Folder(files) => read_folder(&path, rules, &files, take),
            What::Lines { from, size, kind } => {
                let bar = progress::bar(size, Unit::Bytes);
                let mut reading = Reading { path: &path, rules, tally: Tally::default(), take };
                let done = reading.lines(BufReader::with_capacity(SAMPLE, from), kind, |read| bar.set_position(read));
                bar.finish_and_clear();
                done.map(|()| reading.tally)
            }
        }
    }
}

fn read_folder(folder: &Path, rules: Rules, files: &[RangeFile], take: &mut Take<'_>) -> Result<Tally, Failure> {
    let bar = progress::bar(Some(files.len() as u64), Unit::Things("range files"));
    let there = files.chunk_by(|one, next| one.prefix == next.prefix).count() as u64;
    let mut tally = Tally { missing: RANGES.saturating_sub(there), ..Tally::default() };
    let done = files.iter().try_for_each(|file| {
        let path = folder.join(file.name());
        let opened = File::open(&path).map_err(Failure::because(path.display().to_string()))?;
        let before = (tally.taken, tally.rare);
        let mut reading = Reading { path: &path, rules, tally, take };
        reading.lines(BufReader::with_capacity(SAMPLE, opened), Kind::Range(file.digits), |_| ())?;
        tally = reading.tally;
        tally.empty += u64::from((tally.taken, tally.rare) == before);
        bar.inc(1);
        Ok(())
    });
    bar.finish_and_clear();
    done.map(|()| tally)
}

struct Reading<'a, 'b> {
    path: &'a Path,
    rules: Rules,
    tally: Tally,
    take: &'a mut Take<'b>,
}

impl Reading<'_, '_> {
    fn lines(&mut self, from: impl BufRead, kind: Kind, told: impl Fn(u64)) -> Result<(), Failure> {
        self.tally.kind = if matches!(kind, Kind::Passwords) { "passwords" } else { "hashes" };
        let mut lines = Lines::of(from);
        loop {
            let at = lines.number + 1;
            let read = lines.next().map_err(|error| self.wrong(at, &error.to_string()))?;
            let Some(line) = read else { break };
            match kind {
                Kind::Sha1 => self.hash((at, line), line::sha1(line))?,
                Kind::Range(prefix) => self.hash((at, line), line::in_range(line, prefix))?,
                Kind::Passwords => self.password(line)?,
            }
            if at.is_multiple_of(STRIDE) {
                told(lines.read);
            }
        }
        Ok(())
    }

    fn hash(&mut self, (at, line): (u64, &[u8]), hash: Option<Hash>) -> Result<(), Failure> {
        let Some(Hash { record, count }) = hash else {
            if line.trim_ascii().is_empty() {
                return Ok(());
            }
            return Err(self.wrong(at, "this is no SHA-1 hash; is the file whole? Of passwords say --format passwords"));
        };
        if count.is_none() && self.rules.min_count > 1 {
            return Err(self.wrong(at, "there is no count, which --min-count needs"));
        }
        // Some tools fill ranges up with hashes that were never seen.
        if count.is_some_and(|count| count < self.rules.min_count) {
            self.tally.rare += 1;
            return Ok(());
        }
        self.tally.taken += 1;
        (self.take)(record)
    }

    fn password(&mut self, line: &[u8]) -> Result<(), Failure> {
        let record = match line::password(line) {
            Password::Blank => return Ok(()),
            Password::TooLong => {
                self.tally.long += 1;
                return Ok(());
            }
            Password::Utf8(record) => record,
            Password::Latin1(record) => {
                self.tally.latin1 += 1;
                record
            }
        };
        self.tally.taken += 1;
        (self.take)(record)
    }

    fn wrong(&self, at: u64, why: &str) -> Failure {
        Failure::new(format!("{}: line {at}: {why}", out::tame(&self.path.display().to_string())))
    }
}
