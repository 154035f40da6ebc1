//! Writing a list, record by record in order.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;

use ring::digest::{Context, SHA256};

use super::format::{Header, PAGE, RECORD};

/// Bytes that are written at once.
const CHUNK: usize = 1 << 16;

/// A list that is being written. Until [`Writer::end`] it has no header and is none.
pub(super) struct Writer {
    file: File,
    ready: Vec<u8>,
    digest: Context,
    count: u64,
    last: Option<u64>,
}

impl Writer {
    /// Begins in an empty file.
    pub(super) fn begin(mut file: File) -> io::Result<Self> {
        file.write_all(&[0; PAGE])?;
        Ok(Self { file, ready: Vec::with_capacity(CHUNK), digest: Context::new(&SHA256), count: 0, last: None })
    }

    /// The record that was written last.
    pub(super) fn last(&self) -> Option<u64> {
        self.last
    }

    /// Adds a record, which is not less than the last one; the same one again is left out.
    pub(super) fn push(&mut self, record: u64) -> io::Result<()> {
        if self.last.replace(record) == Some(record) {
            return Ok(());
        }
        self.count += 1;
        self.ready.extend_from_slice(&record.to_be_bytes());
        if self.ready.len() > CHUNK - RECORD { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.digest.update(&self.ready);
        self.file.write_all(&self.ready)?;
        self.ready.clear();
        Ok(())
    }

    /// Writes the header. The file, and how many records it has.
    pub(super) fn end(mut self) -> io::Result<(File, u64)> {
        self.flush()?;
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.digest.finish().as_ref());
        self.file.write_all_at(&Header { count: self.count, sha256 }.to_bytes(), 0)?;
        Ok((self.file, self.count))
    }
}
