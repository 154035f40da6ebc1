//! What a source is, by its first lines and its name.

use std::path::Path;

use super::line::{self, Lines};
use crate::cli::SourceFormat;

/// Bytes that tell what a source is.
pub(super) const SAMPLE: usize = 1 << 16;

/// What the lines of a source are.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Hashes, with or without counts.
    Sha1,
    /// Hashes without their first digits, which the file's name has.
    Range([u8; 5]),
    /// Passwords.
    Passwords,
}

/// A name in a folder, such as `00000.txt`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RangeFile {
    pub(super) prefix: u32,
    pub(super) digits: [u8; 5],
    has_extension: bool,
}

impl RangeFile {
    pub(super) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let bare = name.strip_suffix(".txt");
        let digits: [u8; 5] = bare.unwrap_or(name).as_bytes().try_into().ok()?;
        let all = digits.iter().all(u8::is_ascii_hexdigit).then(|| std::str::from_utf8(&digits).ok())??;
        Some(Self { prefix: u32::from_str_radix(all, 16).ok()?, digits, has_extension: bare.is_some() })
    }

    pub(super) fn name(self) -> String {
        let extension = if self.has_extension { ".txt" } else { "" };
        format!("{}{extension}", String::from_utf8_lossy(&self.digits))
    }
}

/// What the first lines are.
pub(super) fn kind(sample: &[u8], name: Option<RangeFile>, said: Option<SourceFormat>) -> Result<Kind, String> {
    if sample.trim_ascii().is_empty() {
        return Err("there is nothing in it".to_owned());
    }
    if let Some(why) = unreadable(sample) {
        return Err(why);
    }
    let range = || name.map(|name| Kind::Range(name.digits)).ok_or(NAMELESS.to_owned());
    match said {
        Some(SourceFormat::Sha1) => return Ok(Kind::Sha1),
        Some(SourceFormat::Passwords) => return Ok(Kind::Passwords),
        Some(SourceFormat::Ranges) => return range(),
        None if sample.contains(&0) => {
            return Err("it is no text, which has a password or a hash on each line".to_owned());
        }
        None => {}
    }
    // The last line of a full sample may be cut.
    let whole = if sample.len() < SAMPLE { sample.len() } else { last_end(sample) };
    let mut lines = Lines::of(sample.get(..whole).unwrap_or_default());
    let mut all = Vec::new();
    while let Ok(Some(line)) = lines.next() {
        all.extend(Some(Looks::of(line)).filter(|_| !line.trim_ascii().is_empty()));
    }
    let first = all.first().copied().unwrap_or(Looks::Other);
    if first != Looks::Other && all.iter().any(|looks| *looks != first) {
        return Err("some of its lines are hashes and some are not: say --format sha1, ranges or passwords".to_owned());
    }
    match first {
        Looks::Sha1 => Ok(Kind::Sha1),
        Looks::Range => range(),
        Looks::Ntlm => Err("these are NTLM hashes: take the list of SHA-1 hashes".to_owned()),
        Looks::Other => Ok(Kind::Passwords),
    }
}

const NAMELESS: &str = "a range file's name has the first five digits of its hashes, such as 0A1B2.txt: \
     give it its name back, or name the folder";

/// Behind the last line's end.
fn last_end(sample: &[u8]) -> usize {
    sample.iter().rposition(|byte| *byte == b'\n').map_or(sample.len(), |at| at + 1)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Looks {
    Sha1,
    Range,
    Ntlm,
    Other,
}

impl Looks {
    fn of(line: &[u8]) -> Self {
        if line::sha1(line).is_some() {
            Self::Sha1
        } else if line::in_range(line, *b"00000").is_some() {
            Self::Range
        } else if line::is_ntlm(line) {
            Self::Ntlm
        } else {
            Self::Other
        }
    }
}

/// Why this is no text that lines can be read from.
fn unreadable(sample: &[u8]) -> Option<String> {
    const PACKED: [(&[u8], &str); 6] = [
        (b"\x1f\x8b", "zcat"),
        (b"\x28\xb5\x2f\xfd", "zstdcat"),
        (b"BZh", "bzcat"),
        (b"\xfd7zXZ\0", "xzcat"),
        (b"PK\x03\x04", "unzip -p"),
        (b"7z\xbc\xaf\x27\x1c", "7z x -so"),
    ];
    if let Some((_, tool)) = PACKED.iter().find(|(start, _)| sample.starts_with(start)) {
        return Some(format!("it is compressed: `{tool} FILE | cerrojo breached-list build LIST -`"));
    }
    if sample.starts_with(b"\xff\xfe") || sample.starts_with(b"\xfe\xff") {
        return Some("it is UTF-16: `iconv -f UTF-16 -t UTF-8 FILE | cerrojo breached-list build LIST -`".to_owned());
    }
    None
}
