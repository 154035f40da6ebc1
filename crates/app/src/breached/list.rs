//! Asking a list. Nothing that it says of itself is relied on: whatever the bytes are, a search ends and reads little.

use std::fs::File;
use std::io;
use std::path::Path;

use ring::digest::{Context, SHA256};

use super::format::{Header, ListError, PAGE, RECORD};

/// Records in a page.
const PER_PAGE: u64 = (PAGE / RECORD) as u64;
/// A good list is asked in three guesses; after so many it is no list of hashes, and is halved instead.
const GUESSES: u32 = 8;
/// Bytes that are checked at once.
const STRETCH: usize = 1 << 20;

/// Bytes at places: a file, or memory.
pub trait Bytes {
    /// How many there are.
    ///
    /// # Errors
    /// What the system says.
    fn size(&self) -> io::Result<u64>;

    /// Fills `buffer` with those from `at` on.
    ///
    /// # Errors
    /// What the system says, or that there are not so many.
    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()>;
}

impl Bytes for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, at)
    }
}

impl Bytes for &[u8] {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        let from = usize::try_from(at).ok().and_then(|at| self.get(at..)?.get(..buffer.len()));
        buffer.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// A list whose header is right and whose size fits.
#[derive(Debug)]
pub struct List<B = File> {
    bytes: B,
    header: Header,
}

impl List {
    /// Opens a file.
    ///
    /// # Errors
    /// [`ListError`] if it is not there, or no whole list of this version.
    pub fn open(path: &Path) -> Result<Self, ListError> {
        // Opening a pipe would wait for somebody to write into it.
        if !std::fs::metadata(path)?.is_file() {
            return Err(ListError::NotAList);
        }
        Self::over(File::open(path)?)
    }

    pub(super) fn file(&self) -> &File {
        &self.bytes
    }
}

impl<B: Bytes> List<B> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`ListError`] if it is no whole list of this version.
    pub fn over(bytes: B) -> Result<Self, ListError> {
        let found = bytes.size()?;
        if found < PAGE as u64 {
            return Err(ListError::NotAList);
        }
        let mut page = [0; PAGE];
        bytes.read_exact_at(&mut page, 0)?;
        let header = Header::read(&page)?;
        let expected = header.size();
        if expected != Some(found) {
            return Err(ListError::Size { expected, found });
        }
        Ok(Self { bytes, header })
    }

    /// How many records it has.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.header.count
    }

    /// Whether `record` is in it. Hashes are spread evenly, so a guess by proportion is off by about the square root of the
    /// number of records, and a second one from there by the fourth root: two or three pages are read of 4 KiB each, and no
    /// list takes more than some forty.
    ///
    /// # Errors
    /// [`ListError::Io`] if it cannot be read, [`ListError::Unordered`] where it is seen to be damaged.
    pub fn contains(&self, record: u64) -> Result<bool, ListError> {
        let mut span = Span { from: 0, to: self.header.count, above: None, below: None };
        let mut page = [0; PAGE];
        let mut guesses = 0;
        while span.from < span.to {
            let at = if guesses < GUESSES { span.guess(record) } else { span.middle() };
            guesses += 1;
            let start = at - at % PER_PAGE;
            let end = start.saturating_add(PER_PAGE).min(self.header.count);
            let bytes = page.get_mut(..len(start, end)).ok_or(ListError::Unordered)?;
            self.bytes.read_exact_at(bytes, offset(start))?;
            let (records, _) = bytes.as_chunks::<RECORD>();
            let (Some(first), Some(last)) = (records.first(), records.last()) else { return Err(ListError::Unordered) };
            let (first, last) = (u64::from_be_bytes(*first), u64::from_be_bytes(*last));
            if !span.admits(first, last) || !records.is_sorted_by(|one, next| one < next) {
                return Err(ListError::Unordered);
            }
            if record < first {
                (span.to, span.below) = (start, Some(first));
            } else if record > last {
                (span.from, span.above) = (end, Some(last));
            } else {
                return Ok(records.binary_search(&record.to_be_bytes()).is_ok());
            }
        }
        Ok(false)
    }

    /// Reads all of it: whether the records are in order and those that were written. `told` hears how many were read.
    ///
    /// # Errors
    /// [`ListError`] if it cannot be read or is damaged.
    pub fn verify(&self, mut told: impl FnMut(u64)) -> Result<(), ListError> {
        let mut stretch = vec![0; STRETCH];
        let (mut digest, mut before, mut at) = (Context::new(&SHA256), None, 0);
        while at < self.header.count {
            let end = at.saturating_add((STRETCH / RECORD) as u64).min(self.header.count);
            let bytes = stretch.get_mut(..len(at, end)).ok_or(ListError::Unordered)?;
            self.bytes.read_exact_at(bytes, offset(at))?;
            digest.update(bytes);
            let (records, _) = bytes.as_chunks::<RECORD>();
            let follows = records.first().copied() > before || before.is_none();
            if !follows || !records.is_sorted_by(|one, next| one < next) {
                return Err(ListError::Unordered);
            }
            before = records.last().copied();
            at = end;
            told(at);
        }
        if digest.finish().as_ref() != self.header.sha256 {
            return Err(ListError::Checksum);
        }
        Ok(())
    }
}

fn offset(record: u64) -> u64 {
    record.saturating_mul(RECORD as u64).saturating_add(PAGE as u64)
}

/// Bytes of the records from `start` to before `end`, which are a stretch at most.
fn len(start: u64, end: u64) -> usize {
    usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX).saturating_mul(RECORD)
}

/// Where a record can still be: from `from` to before `to`; `above` is the record before the first of them, `below` the one after the
/// last.
struct Span {
    from: u64,
    to: u64,
    above: Option<u64>,
    below: Option<u64>,
}

impl Span {
    /// By proportion.
    fn guess(&self, record: u64) -> u64 {
        let (above, below) = (self.above.unwrap_or(0), self.below.unwrap_or(u64::MAX));
        let share = u128::from(record.saturating_sub(above)) * u128::from(self.to - self.from);
        let steps = share / (u128::from(below.saturating_sub(above)) + 1);
        self.from.saturating_add(u64::try_from(steps).unwrap_or(u64::MAX)).min(self.to.saturating_sub(1))
    }

    fn middle(&self) -> u64 {
        self.from + (self.to - self.from) / 2
    }

    fn admits(&self, first: u64, last: u64) -> bool {
        self.above.is_none_or(|above| first > above) && self.below.is_none_or(|below| last < below)
    }
}
