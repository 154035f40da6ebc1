//! What a line of a public list says.

use std::io::{self, BufRead, Read as _};

use cerrojo_app::breached::{record_of, record_of_sha1};
use cerrojo_domain::password;

/// Bytes of the longest line that is looked at: the longest password, written in hexadecimal, and some more.
const LONGEST: usize = 4096;

/// Lines without their ends.
pub(super) struct Lines<R> {
    from: R,
    line: Vec<u8>,
    /// Bytes that were read.
    pub(super) read: u64,
    /// The number of the line that was given last.
    pub(super) number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn of(from: R) -> Self {
        Self { from, line: Vec::new(), read: 0, number: 0 }
    }

    /// The next one, of which too much is cut off to be anything; none at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let mut read = self.from.by_ref().take(LONGEST as u64).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        if read == LONGEST && !self.line.ends_with(b"\n") {
            read += self.from.skip_until(b'\n')?;
        }
        self.read += read as u64;
        self.number += 1;
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mark: &[u8] = if self.number == 1 { b"\xef\xbb\xbf" } else { b"" };
        Ok(Some(line.strip_prefix(mark).unwrap_or(line)))
    }
}

/// A hash, and how often it was seen if the line says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hash {
    pub(super) record: u64,
    pub(super) count: Option<u64>,
}

/// `DIGITS` or `DIGITS:COUNT`, 40 digits of SHA-1.
pub(super) fn sha1(line: &[u8]) -> Option<Hash> {
    let (digits, count) = parts(line)?;
    let mut hash = [0; 20];
    from_hex(digits, &mut hash)?;
    Some(Hash { record: record_of_sha1(&hash)?, count })
}

/// `DIGITS:COUNT`, 35 digits of SHA-1; `prefix` has the first five.
pub(super) fn in_range(line: &[u8], prefix: [u8; 5]) -> Option<Hash> {
    let (digits, count) = parts(line)?;
    let mut whole = [0; 40];
    let (head, tail) = whole.split_at_mut(prefix.len());
    head.copy_from_slice(&prefix);
    if digits.len() != tail.len() || count.is_none() {
        return None;
    }
    tail.copy_from_slice(digits);
    Some(Hash { count, ..sha1(&whole)? })
}

/// Whether it is an NTLM hash with its count, the other kind that the same lists come in.
pub(super) fn is_ntlm(line: &[u8]) -> bool {
    parts(line).is_some_and(|(digits, count)| count.is_some() && from_hex(digits, &mut [0; 16]).is_some())
}

fn parts(line: &[u8]) -> Option<(&[u8], Option<u64>)> {
    let line = line.trim_ascii_end();
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return Some((line, None)) };
    let (digits, count) = line.split_at(colon);
    let count = count.get(1..).filter(|count| count.iter().all(u8::is_ascii_digit))?;
    Some((digits, Some(std::str::from_utf8(count).ok()?.parse().ok()?)))
}

/// Exactly as many digits as fill `bytes`.
fn from_hex(digits: &[u8], bytes: &mut [u8]) -> Option<()> {
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(())
}

fn digit(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

/// What a line of a list of passwords is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Password {
    /// A password.
    Utf8(u64),
    /// A password that was read as Latin-1 (ISO 8859-1), not being UTF-8. Who types it now types UTF-8.
    Latin1(u64),
    /// Nothing.
    Blank,
    /// More than a password can be.
    TooLong,
}

/// Exactly as it stands, but for `$HEX[…]`, the way in which cracking tools write what would not stand on a line.
pub(super) fn password(line: &[u8]) -> Password {
    let decoded = line.strip_prefix(b"$HEX[").and_then(|rest| rest.strip_suffix(b"]")).and_then(|digits| {
        let mut bytes = vec![0; digits.len() / 2];
        from_hex(digits, &mut bytes).map(|()| bytes)
    });
    let bytes = decoded.as_deref().unwrap_or(line);
    let is_long = |mut text: std::str::Chars<'_>| text.nth(password::LONGEST).is_some();
    match std::str::from_utf8(bytes) {
        Ok("") => Password::Blank,
        Ok(text) if is_long(text.chars()) => Password::TooLong,
        Ok(text) => Password::Utf8(record_of(text.as_bytes())),
        Err(_) if bytes.len() > password::LONGEST => Password::TooLong,
        Err(_) => {
            let text: String = bytes.iter().copied().map(char::from).collect();
            Password::Latin1(record_of(text.as_bytes()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of "password".
    const SHA1: &str = "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8";
    const RECORD: u64 = 0x5BAA_61E4_C9B9_3F3F;

    fn lines(text: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Lines::of(text);
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push(line.to_vec());
        }
        assert_eq!(lines.read, text.len() as u64);
        all
    }

    #[test]
    fn the_record_of_a_password_is_that_of_its_hash() {
        let hash = |count| Some(Hash { record: RECORD, count });
        assert_eq!(sha1(SHA1.as_bytes()), hash(None));
        assert_eq!(sha1(format!("{}:12\r", SHA1.to_lowercase()).as_bytes()), hash(Some(12)));
        assert_eq!(in_range(format!("{}:0", &SHA1[5..]).as_bytes(), *b"5baa6"), hash(Some(0)));
        assert_eq!(password(b"password"), Password::Utf8(RECORD));
        assert_eq!(password(b"$HEX[70617373776F7264]"), Password::Utf8(RECORD));
    }

    #[test]
    fn what_is_no_hash_is_none() {
        let short = &SHA1[1..];
        for line in ["", "password", short, &format!("{SHA1}0"), &format!("{SHA1}:"), &format!("{SHA1}:-1")] {
            assert_eq!(sha1(line.as_bytes()), None, "{line}");
        }
        for line in [&format!("{SHA1}:99999999999999999999999"), &format!("{SHA1}:1:2"), &format!(" {SHA1}:1")] {
            assert_eq!(sha1(line.as_bytes()), None, "{line}");
        }
        for line in [&SHA1[5..], &format!("{}:1", &SHA1[4..]), &format!("{}:1", &SHA1[6..])] {
            assert_eq!(in_range(line.as_bytes(), *b"5BAA6"), None, "{line}");
        }
        assert!(is_ntlm(b"8846F7EAEE8FB117AD06BDD830B7586C:9") && !is_ntlm(SHA1.as_bytes()));
    }

    #[test]
    fn a_password_in_latin_1_is_the_one_that_is_typed_now() {
        let Password::Utf8(typed) = password("contraseña".as_bytes()) else { panic!("UTF-8") };
        assert_eq!(password(b"contrase\xf1a"), Password::Latin1(typed));
        assert_eq!(password(b"$HEX[636f6e7472617365f161]"), Password::Latin1(typed));
        assert_eq!(password(b"$HEX[6]"), Password::Utf8(record_of(b"$HEX[6]")));
    }

    #[test]
    fn spaces_belong_to_a_password_and_length_is_counted_in_characters() {
        assert_ne!(password(b" password"), password(b"password"));
        assert_eq!(password(b""), Password::Blank);
        assert!(matches!(password("ñ".repeat(256).as_bytes()), Password::Utf8(_)));
        assert_eq!(password("ñ".repeat(257).as_bytes()), Password::TooLong);
        assert_eq!(password(&[0xf1; 257]), Password::TooLong);
    }

    #[test]
    fn lines_end_as_they_do_anywhere_and_a_long_one_is_one() {
        assert_eq!(lines(b"\xef\xbb\xbfone\r\ntwo\n\n three \r"), [&b"one"[..], b"two", b"", b" three "]);
        assert!(lines(b"").is_empty());
        let mut text = vec![b'x'; 3 * LONGEST];
        text.extend(b"\nnext");
        let all = lines(&text);
        assert_eq!((all.len(), all[0].len(), &all[1][..]), (2, LONGEST, &b"next"[..]));
        // Cut exactly at a line's end.
        text.drain(..=2 * LONGEST);
        assert_eq!(lines(&text).len(), 2);
    }
}
