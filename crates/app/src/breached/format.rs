//! The file: a page of header, then records of 8 bytes, big-endian, ascending, no two alike.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0–7 | [`MAGIC`] |
//! | 8–11 | version, 1 |
//! | 12 | kind of hash: 1 is SHA-1 of the password's bytes |
//! | 13 | bytes of a record, 8 |
//! | 14–15 | 0 |
//! | 16–23 | number of records |
//! | 24–55 | SHA-256 of all records |
//! | 56–4087 | 0 |
//! | 4088–4095 | the first 8 bytes of SHA-256 of what is before them |
//!
//! Numbers are big-endian. Records begin at a page's start, so that what is read at once is one page of the disk.

use std::fmt;
use std::io;

use ring::digest::{SHA256, digest};

/// Bytes of the header, and of what is read at once.
pub(super) const PAGE: usize = 4096;
/// Bytes of a record.
pub(super) const RECORD: usize = 8;

/// Not text, and broken by whatever changes line ends.
const MAGIC: [u8; 8] = *b"\x89BREACH\n";
const VERSION: u32 = 1;
const SHA1: u8 = 1;
const WIDTH: u8 = 8;
const SEALED: usize = PAGE - 8;

/// What a list says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) count: u64,
    pub(super) sha256: [u8; 32],
}

impl Header {
    pub(super) fn to_bytes(self) -> [u8; PAGE] {
        let mut bytes = [0; PAGE];
        let parts: [(usize, &[u8]); 6] = [
            (0, &MAGIC),
            (8, &VERSION.to_be_bytes()),
            (12, &[SHA1]),
            (13, &[WIDTH]),
            (16, &self.count.to_be_bytes()),
            (24, &self.sha256),
        ];
        for (at, part) in parts {
            put(&mut bytes, at, part);
        }
        let seal = seal(&bytes);
        put(&mut bytes, SEALED, &seal);
        bytes
    }

    /// # Errors
    /// [`ListError`] if it is no header, another version's, or damaged.
    pub(super) fn read(bytes: &[u8; PAGE]) -> Result<Self, ListError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(ListError::NotAList);
        }
        // Told before the seal is looked at: another version may seal otherwise.
        let version = u32::from_be_bytes(part(bytes, 8)?);
        if version != VERSION {
            return Err(ListError::Version(version));
        }
        if part::<8>(bytes, SEALED)? != seal(bytes) {
            return Err(ListError::Header);
        }
        let [kind, width] = part(bytes, 12)?;
        if (kind, width) != (SHA1, WIDTH) {
            return Err(ListError::Records);
        }
        Ok(Self { count: u64::from_be_bytes(part(bytes, 16)?), sha256: part(bytes, 24)? })
    }

    /// Bytes of the whole file; `None`: more than there can be.
    pub(super) fn size(self) -> Option<u64> {
        self.count.checked_mul(RECORD as u64)?.checked_add(PAGE as u64)
    }
}

fn put(bytes: &mut [u8; PAGE], at: usize, part: &[u8]) {
    for (to, from) in bytes.iter_mut().skip(at).zip(part) {
        *to = *from;
    }
}

fn part<const N: usize>(bytes: &[u8; PAGE], at: usize) -> Result<[u8; N], ListError> {
    bytes.get(at..).and_then(<[u8]>::first_chunk).copied().ok_or(ListError::Header)
}

fn seal(bytes: &[u8; PAGE]) -> [u8; 8] {
    let hash = digest(&SHA256, bytes.get(..SEALED).unwrap_or_default());
    hash.as_ref().first_chunk().copied().unwrap_or_default()
}

/// Why a list cannot be used. The text says what to do.
#[derive(Debug)]
pub enum ListError {
    /// It is not there, or the disk or the system says no.
    Io(io::Error),
    /// Another kind of file.
    NotAList,
    /// Of this other version.
    Version(u32),
    /// The header is not as it was written.
    Header,
    /// Records of another kind.
    Records,
    /// More or fewer bytes than the header says.
    Size {
        /// What the header says; `None`: more than there can be.
        expected: Option<u64>,
        /// What is there.
        found: u64,
    },
    /// The records are not in order.
    Unordered,
    /// The records are not those that were written.
    Checksum,
}

impl From<io::Error> for ListError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ANEW: &str = "build it anew with `cerrojo breached-list build`";
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::NotAList => {
                write!(f, "this is no list of breached passwords: `cerrojo breached-list build` makes one")
            }
            Self::Version(version) => {
                write!(f, "the list is of version {version}, this program reads {VERSION}: {ANEW}")
            }
            Self::Header => write!(f, "the list's header is damaged: {ANEW}"),
            Self::Records => write!(f, "the list has records of a kind that this program does not know: {ANEW}"),
            Self::Size { expected: Some(expected), found } if found < expected => {
                write!(f, "the list is cut off: it has {found} bytes of {expected}. Copy it again, or {ANEW}")
            }
            Self::Size { .. } => write!(f, "the list is longer or shorter than it says: {ANEW}"),
            Self::Unordered => write!(f, "the list is damaged, its records are not in order: {ANEW}"),
            Self::Checksum => write!(f, "the list is damaged, its checksum does not fit: {ANEW}"),
        }
    }
}

impl std::error::Error for ListError {}
