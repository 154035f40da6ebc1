//! The wire form of a status list: the Token Status List of draft-ietf-oauth-status-list, one bit a session.

use std::fmt;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::bufread::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::Serialize;

/// Claims of a Status List token (section 5.1), to be signed with `typ` [`crate::STATUS_LIST_TYP`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatusListClaims {
    /// The list's own address.
    pub sub: String,
    /// When this picture of the list was taken, unix seconds.
    pub iat: i64,
    /// When it must not be used any more, unix seconds.
    pub exp: i64,
    /// How long it may be cached, seconds.
    pub ttl: u64,
    /// The list.
    pub status_list: EncodedList,
}

/// The `status_list` claim (section 4.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EncodedList {
    /// Bits a session: 1.
    pub bits: u8,
    /// The bitmap, compressed, in base64url.
    pub lst: String,
    /// Where the addresses of all lists are (section 9.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregation_uri: Option<String>,
}

impl EncodedList {
    /// The claim for a bitmap.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self { bits: 1, lst: encode(bytes), aggregation_uri: None }
    }
}

/// Why an `lst` is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Not base64url without padding.
    Base64,
    /// Not one whole ZLIB stream (RFC 1950).
    Zlib,
    /// More bytes than the caller allows.
    TooLarge,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base64 => "not base64url",
            Self::Zlib => "not a ZLIB stream",
            Self::TooLarge => "larger than allowed",
        })
    }
}

impl std::error::Error for DecodeError {}

/// A bitmap as `lst`: ZLIB at its highest level, base64url without padding (section 4.1).
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail; if it did, an empty `lst` is refused by every reader.
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(packed)
}

/// The bitmap of an `lst`, unpacked to at most `max_bytes`, however small it came.
pub fn decode(lst: &str, max_bytes: usize) -> Result<Vec<u8>, DecodeError> {
    let packed = URL_SAFE_NO_PAD.decode(lst).map_err(|_| DecodeError::Base64)?;
    let mut unpacker = ZlibDecoder::new(packed.as_slice());
    let mut bytes = Vec::new();
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    unpacker.by_ref().take(limit).read_to_end(&mut bytes).map_err(|_| DecodeError::Zlib)?;
    if bytes.len() > max_bytes {
        return Err(DecodeError::TooLarge);
    }
    if !unpacker.into_inner().is_empty() {
        return Err(DecodeError::Zlib);
    }
    Ok(bytes)
}

/// Whether the bit at `index` is set; the first of a byte is its lowest. `None`: beyond the list.
#[must_use]
pub fn is_set(bytes: &[u8], index: u32) -> Option<bool> {
    let byte = bytes.get(usize::try_from(index / 8).ok()?)?;
    Some(byte >> (index % 8) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The draft's test vector for one bit, 2^20 entries.
    const LARGE: &str = "eNrt3AENwCAMAEGogklACtKQPg9LugC9k_ACvreiogEAAKkeCQAAAAAAAAAAAAAAAAAAAIBylgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAXG9IAAAAAAAAAPwsJAAAAAAAAAAAAAAAvhsSAAAAAAAAAAAA7KpLAAAAAAAAAAAAAAAAAAAAAJsLCQAAAAAAAAAAADjelAAAAAAAAAAAKjDMAQAAAACAZC8L2AEb";
    const LARGE_SET: [u32; 11] =
        [0, 1993, 25460, 159_495, 495_669, 554_353, 645_645, 723_232, 854_545, 934_534, 1_000_345];

    #[test]
    fn the_drafts_examples_are_read() {
        assert_eq!(decode("eNrbuRgAAhcBXQ", 2).unwrap(), [0xb9, 0xa3]);
        let set: Vec<u32> = (0..16).filter(|index| is_set(&[0xb9, 0xa3], *index).unwrap()).collect();
        assert_eq!(set, [0, 3, 4, 5, 7, 8, 9, 13, 15]);

        let bytes = decode(LARGE, 131_072).unwrap();
        assert_eq!(bytes.len() * 8, 1_048_576);
        let set: Vec<u32> = (0..1_048_576).filter(|index| is_set(&bytes, *index).unwrap()).collect();
        assert_eq!(set, LARGE_SET);
        assert_eq!(is_set(&bytes, 1_048_576), None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let large = decode(LARGE, 131_072).unwrap();
        for bytes in [&[][..], &[0xb9, 0xa3], &[0; 1000], &large] {
            assert_eq!(decode(&encode(bytes), bytes.len()).unwrap(), bytes);
        }
        assert!(encode(&large).len() < 600);
    }

    #[test]
    fn unpacking_stops_at_the_bound() {
        let bomb = encode(&vec![0; 16 * 1024 * 1024]);
        assert!(bomb.len() < 32 * 1024);
        assert_eq!(decode(&bomb, 1024), Err(DecodeError::TooLarge));
        assert_eq!(decode(LARGE, 131_071), Err(DecodeError::TooLarge));
        assert!(decode(LARGE, 131_072).is_ok());
    }

    #[test]
    fn what_is_broken_is_refused() {
        let good = "eNrbuRgAAhcBXQ";
        assert!(decode(good, 2).is_ok());
        for bad in ["", "eNrbuRgAAhcBXQ==", "eNrbuRgAAhcBXR", "eNrbuRgAAhcBX", "eNrbuRgAAhc", "eNrbuRgAAhcCXQ", "AAAA"]
        {
            assert!(decode(bad, 1024).is_err(), "{bad}");
        }
        let mut trailing = URL_SAFE_NO_PAD.decode(good).unwrap();
        trailing.extend(b"more");
        assert_eq!(decode(&URL_SAFE_NO_PAD.encode(trailing), 1024), Err(DecodeError::Zlib));
    }
}
