//! Where records come from: CSV, JSON Lines, or a table of a PostgreSQL database.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Stdin};
use std::path::Path;
use std::rc::Rc;

use cerrojo_store::foreign_table::ForeignTable;
use serde_json::Value;

use super::mapping::Record;
use crate::cli::FileFormat;
use crate::failure::Failure;
use crate::out;
use crate::progress::Unit;

/// The longest record, in bytes: more is no account, and a quote that nobody closed would take in the rest of a file.
const LONGEST: u64 = 1 << 20;

/// One record, or what is wrong with it, and where it stands: a line's number, or a row's.
pub(super) struct Found {
    pub(super) at: u64,
    pub(super) record: Result<Record, String>,
}

/// Records, one after the other.
pub(super) enum Source {
    Csv(Csv),
    Lines(Lines),
    Table(Table),
}

impl Source {
    /// A file, or standard input.
    ///
    /// # Errors
    /// If there is none, or nothing tells what it is.
    pub(super) fn file(path: &Path, format: Option<FileFormat>, delimiter: Option<u8>) -> Result<Self, Failure> {
        let format = format.or_else(|| FileFormat::of(path)).ok_or_else(|| {
            Failure::usage("the file's name does not tell what it is: say --format csv or --format jsonl")
        })?;
        let bytes = Bytes::open(path)?;
        match format {
            FileFormat::Csv => {
                Csv::begin(bytes, delimiter.unwrap_or_else(|| FileFormat::delimiter(path))).map(Self::Csv)
            }
            FileFormat::Jsonl => Ok(Self::Lines(Lines { bytes: BufReader::new(bytes), line: 0 })),
        }
    }

    /// A table.
    pub(super) async fn table(url: &str, table: &str) -> Result<Self, Failure> {
        let table = ForeignTable::open(url, table).await.map_err(Failure::because("--from"))?;
        Ok(Self::Table(Table { rows: table, ready: Vec::new().into_iter(), row: 0 }))
    }

    /// The names of all columns, where they are known beforehand.
    pub(super) fn header(&self) -> Option<&[String]> {
        match self {
            Self::Csv(csv) => Some(&csv.header),
            Self::Lines(_) | Self::Table(_) => None,
        }
    }

    /// Records of several lines.
    pub(super) fn long(&self) -> Option<&Long> {
        match self {
            Self::Csv(csv) => Some(&csv.long).filter(|long| long.count > 0),
            Self::Lines(_) | Self::Table(_) => None,
        }
    }

    /// How much there is, in what [`Source::done`] counts; none if nobody knows.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Self::Csv(csv) => csv.bytes.size,
            Self::Lines(lines) => lines.bytes.get_ref().count.size,
            Self::Table(table) => Some(table.rows.rows),
        }
    }

    /// How much of it was read.
    pub(super) fn done(&self) -> u64 {
        match self {
            Self::Csv(csv) => csv.bytes.read.get(),
            Self::Lines(lines) => lines.bytes.get_ref().count.read.get(),
            Self::Table(table) => table.row,
        }
    }

    /// What [`Source::done`] counts.
    pub(super) fn counted(&self) -> Unit {
        if matches!(self, Self::Table(_)) { Unit::Things("rows") } else { Unit::Bytes }
    }

    /// What a place in it is called.
    pub(super) fn unit(&self) -> &'static str {
        if matches!(self, Self::Table(_)) { "row" } else { "line" }
    }

    /// The next record; none at the end.
    ///
    /// # Errors
    /// If the rest cannot be read.
    pub(super) async fn next(&mut self) -> Result<Option<Found>, Failure> {
        match self {
            Self::Csv(csv) => csv.next(),
            Self::Lines(lines) => lines.next(),
            Self::Table(table) => table.next().await,
        }
    }
}

/// How much was read, and how much may be until the next record.
#[derive(Clone, Default)]
struct Count {
    read: Rc<Cell<u64>>,
    limit: Rc<Cell<u64>>,
    quotes: Rc<Cell<u64>>,
    size: Option<u64>,
}

/// A file's bytes, counted.
struct Bytes {
    from: Opened,
    count: Count,
}

enum Opened {
    File(File),
    Input(Stdin),
}

impl Bytes {
    fn open(path: &Path) -> Result<Self, Failure> {
        let limit = Rc::new(Cell::new(u64::MAX));
        if path == Path::new("-") {
            return Ok(Self { from: Opened::Input(std::io::stdin()), count: Count { limit, ..Count::default() } });
        }
        let file = File::open(path).map_err(Failure::because(path.display().to_string()))?;
        let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|found| found.len());
        Ok(Self { from: Opened::File(file), count: Count { limit, size, ..Count::default() } })
    }
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.count.read.get() > self.count.limit.get() {
            return Err(std::io::Error::other("a record has more than 1 MiB: is a quote not closed?"));
        }
        let read = match &mut self.from {
            Opened::File(file) => file.read(buffer),
            Opened::Input(input) => input.read(buffer),
        }?;
        let quotes = buffer.iter().take(read).filter(|byte| **byte == b'"').count();
        self.count.quotes.set(self.count.quotes.get().saturating_add(quotes as u64));
        self.count.read.set(self.count.read.get().saturating_add(read as u64));
        Ok(read)
    }
}

/// With a header line.
pub(super) struct Csv {
    reader: csv::Reader<Bytes>,
    header: Vec<String>,
    bytes: Count,
    long: Long,
}

/// Records that run over several lines, as those do that a stray quote took in.
#[derive(Default)]
pub(super) struct Long {
    pub(super) count: u64,
    pub(super) first: u64,
}

impl Long {
    fn note(&mut self, at: u64, breaks: usize) {
        if breaks > 0 {
            self.first = if self.count == 0 { at } else { self.first };
            self.count += 1;
        }
    }
}

impl Csv {
    fn begin(bytes: Bytes, delimiter: u8) -> Result<Self, Failure> {
        let count = bytes.count.clone();
        count.limit.set(LONGEST);
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(bytes);
        let header = reader.headers().map_err(Failure::because("the header line"))?;
        let header: Vec<String> =
            header.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_owned()).collect();
        if header.iter().all(String::is_empty) {
            return Err(Failure::new("there is nothing in it: the first line names the columns"));
        }
        if let Some(twice) =
            header.iter().enumerate().find_map(|(at, name)| header.iter().skip(at + 1).find(|one| *one == name))
        {
            return Err(Failure::new(format!("the header line names \"{}\" twice", out::tame(twice))));
        }
        Ok(Self { reader, header, bytes: count, long: Long::default() })
    }

    fn next(&mut self) -> Result<Option<Found>, Failure> {
        self.bytes.limit.set(self.bytes.read.get().saturating_add(LONGEST));
        let mut fields = csv::ByteRecord::new();
        let at = self.reader.position().line();
        match self.reader.read_byte_record(&mut fields) {
            Ok(false) => return Ok(None),
            Ok(true) => {}
            Err(error) => return Err(Failure::new(format!("from line {at} on: {error}"))),
        }
        let at = fields.position().map_or(at, csv::Position::line);
        let (position, count) = (self.reader.position(), &self.bytes);
        if position.byte() == count.read.get() && count.quotes.get() % 2 == 1 {
            let why = "a quote is not closed, or one stands in a field without quotes around it";
            return Err(Failure::new(format!("from line {at} on, or before: {why}")));
        }
        let breaks = fields.iter().flatten().filter(|byte| **byte == b'\n').count();
        self.long.note(at, breaks);
        Ok(Some(Found { at, record: self.record(&fields) }))
    }

    fn record(&self, fields: &csv::ByteRecord) -> Result<Record, String> {
        if fields.len() != self.header.len() {
            return Err(format!("it has {} fields and the header line {}", fields.len(), self.header.len()));
        }
        let value = |field: &[u8]| std::str::from_utf8(field).map(Value::from);
        let named = self.header.iter().zip(fields.iter()).map(|(name, field)| Ok((name.clone(), value(field)?)));
        named.collect::<Result<Record, std::str::Utf8Error>>().map_err(|_| "it is not in UTF-8".to_owned())
    }
}

/// A JSON object on each line.
pub(super) struct Lines {
    bytes: BufReader<Bytes>,
    line: u64,
}

impl Lines {
    fn next(&mut self) -> Result<Option<Found>, Failure> {
        let mut line = Vec::new();
        loop {
            self.line += 1;
            line.clear();
            let at = self.line;
            let read = self.bytes.by_ref().take(LONGEST).read_until(b'\n', &mut line);
            let read = read.map_err(|error| Failure::new(format!("from line {at} on: {error}")))?;
            if read == 0 {
                return Ok(None);
            }
            if read as u64 == LONGEST && line.last() != Some(&b'\n') {
                return Err(Failure::new(format!("line {at} has more than 1 MiB: each line is one user")));
            }
            let text = line.strip_prefix(b"\xef\xbb\xbf").filter(|_| at == 1).unwrap_or(&line).trim_ascii();
            if !text.is_empty() {
                return Ok(Some(Found { at, record: object(text) }));
            }
        }
    }
}

fn object(text: &[u8]) -> Result<Record, String> {
    match serde_json::from_slice(text) {
        Ok(Value::Object(record)) => Ok(record),
        Ok(Value::Array(_)) => Err("it is a list: each line is one user (`jq -c '.[]' FILE` writes it so)".to_owned()),
        _ => Err("it is no JSON object: each line is one user (`jq -c '.users[]' FILE` writes a list so)".to_owned()),
    }
}

/// Rows as objects.
pub(super) struct Table {
    rows: ForeignTable,
    ready: std::vec::IntoIter<String>,
    row: u64,
}

impl Table {
    async fn next(&mut self) -> Result<Option<Found>, Failure> {
        if self.ready.len() == 0 {
            self.ready = self.rows.next().await.map_err(Failure::because("--from"))?.into_iter();
        }
        let Some(text) = self.ready.next() else { return Ok(None) };
        self.row += 1;
        Ok(Some(Found { at: self.row, record: object(text.as_bytes()) }))
    }
}
