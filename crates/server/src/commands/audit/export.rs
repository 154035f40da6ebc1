//! `cerrojo audit export`.

use std::io::{BufWriter, Write};
use std::path::Path;

use cerrojo_app::audit::{self, After, Listed};
use serde_json::Value;

use super::{as_json, members};
use crate::cli::{Between, FileFormat};
use crate::commands::export::{open_file, plain};
use crate::config::Configuration;
use crate::failure::Failure;
use crate::{open, out};

/// Entries read at once.
const CHUNK: i64 = 1000;

pub(super) async fn run(
    configuration: &Configuration,
    (file, format): (&Path, Option<FileFormat>),
    between: Between,
) -> Result<(), Failure> {
    let is_output = file == Path::new("-");
    let format =
        format.or_else(|| FileFormat::of(file)).or_else(|| is_output.then_some(FileFormat::Jsonl)).ok_or_else(
            || Failure::usage("the file's name does not tell what to write: say --format csv or --format jsonl"),
        )?;
    let read = open::to_read(configuration, "cerrojo audit export").await?;
    let to = open_file(file)?;
    let written = Writer::begin(to, (format, FileFormat::delimiter(file)));
    let count = write_all(&read, written, between).await;
    read.close().await;
    if count.is_err() && !is_output {
        // Half of it would look like all.
        let _ = std::fs::remove_file(file);
    }
    let count = count?;
    out::note(&format!("{count} entries written"));
    Ok(())
}

async fn write_all(read: &open::ToRead, mut writer: Writer, between: Between) -> Result<u64, Failure> {
    let cannot = || Failure::because("the file cannot be written");
    let mut run = read.store.snapshot().await?;
    let (mut after, mut count) = (After::Position(0), 0);
    loop {
        let some = audit::forwards(&mut run, after, (between.since, between.until), CHUNK).await?;
        for listed in &some {
            writer.write(listed).map_err(cannot())?;
            count += 1;
        }
        after = match (some.last(), after) {
            (Some(Listed { sealed: Some((position, _)), .. }), _) => After::Position(*position),
            (Some(Listed { said, .. }), _) => After::Waiting(said.id),
            (None, After::Position(_)) => After::Waiting(i64::MIN),
            (None, After::Waiting(_)) => break,
        };
    }
    writer.end().map_err(cannot())?;
    Ok(count)
}

enum Form {
    Csv(Box<csv::Writer<Box<dyn Write + Send>>>),
    Lines(BufWriter<Box<dyn Write + Send>>),
}

struct Writer {
    form: Form,
    has_begun: bool,
}

impl Writer {
    fn begin(to: Box<dyn Write + Send>, (format, delimiter): (FileFormat, u8)) -> Self {
        let form = match format {
            FileFormat::Csv => Form::Csv(Box::new(csv::WriterBuilder::new().delimiter(delimiter).from_writer(to))),
            FileFormat::Jsonl => Form::Lines(BufWriter::new(to)),
        };
        Self { form, has_begun: false }
    }

    fn write(&mut self, listed: &Listed) -> std::io::Result<()> {
        match &mut self.form {
            Form::Csv(csv) => {
                let fields = members(listed);
                if !std::mem::replace(&mut self.has_begun, true) {
                    csv.write_record(fields.iter().map(|(name, _)| *name))?;
                }
                csv.write_record(fields.iter().map(|(_, value)| harmless(value)))?;
                Ok(())
            }
            Form::Lines(lines) => writeln!(lines, "{}", as_json(listed)),
        }
    }

    fn end(self) -> std::io::Result<()> {
        match self.form {
            Form::Csv(mut csv) => csv.flush(),
            Form::Lines(mut lines) => lines.flush(),
        }
    }
}

/// Whoever signs in chooses what the device is called, and a spreadsheet runs what begins like a formula.
fn harmless(value: &Value) -> String {
    let text = plain(value);
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) && value.is_string() { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"] {
            assert_eq!(harmless(&json!(text)), format!("'{text}"));
        }
        for (value, text) in
            [(json!(-5), "-5"), (json!("a=b"), "a=b"), (json!(null), ""), (json!({"a": 1}), "{\"a\":1}")]
        {
            assert_eq!(harmless(&value), text);
        }
    }
}
