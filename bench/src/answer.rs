//! Answers of HTTP/1.1, as far as the servers measured here give them.

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome, fail};

/// What a server answered.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// Header fields in their order.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// Where an answer ends in a buffer.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    /// The status.
    pub(crate) status: u16,
    head: usize,
    /// Where the body ends.
    pub(crate) end: usize,
}

/// The extent of the answer at the beginning of `bytes`; `None` while its head is not complete.
pub(crate) fn extent(bytes: &[u8]) -> Outcome<Option<Extent>> {
    let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4) else { return Ok(None) };
    let status = bytes.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    let status = status.ok_or_else(|| Failure("what came is not an answer of HTTP/1.1".to_owned()))?;
    let mut length = 0;
    for line in bytes.get(..head).unwrap_or_default().split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = String::from_utf8_lossy(value.get(1..).unwrap_or_default()).trim().to_owned();
            length = digits.parse()?;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return fail("an answer came in chunks");
        }
    }
    Ok(Some(Extent { status, head, end: head + length }))
}

impl Answer {
    /// Reads a complete answer.
    pub(crate) fn read(bytes: &[u8], extent: Extent) -> Self {
        let head = String::from_utf8_lossy(bytes.get(..extent.head).unwrap_or_default()).into_owned();
        let headers = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let body = bytes.get(extent.head..extent.end).unwrap_or_default().to_vec();
        Self { status: extent.status, headers, body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_back() {
        let bytes = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nx-a: b\r\n\r\n{}HTTP/1.1 200 OK\r\n";
        let extent = extent(bytes).unwrap().unwrap();
        let answer = Answer::read(bytes, extent);
        assert_eq!((answer.status, answer.body.as_slice()), (401, b"{}".as_slice()));
        assert_eq!(answer.headers[1], ("x-a".to_owned(), "b".to_owned()));
        assert!(super::extent(&bytes[extent.end..]).unwrap().is_none());
    }
}
