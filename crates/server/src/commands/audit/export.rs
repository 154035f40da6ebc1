//! `cerrojo audit export`.

use std::io::{BufWriter, Write};
use std::path::Path;

use cerrojo_app::audit::{self, After, Format, Listed, Writer};

use crate::cli::{Between, FileFormat};
use crate::commands::export::open_file;
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
    let format = match format {
        FileFormat::Csv => Format::Csv(FileFormat::delimiter(file)),
        FileFormat::Jsonl => Format::Lines,
    };
    let count = write_all(&read, (BufWriter::new(to), Writer::new(format)), between).await;
    read.close().await;
    if count.is_err() && !is_output {
        // Half of it would look like all.
        let _ = std::fs::remove_file(file);
    }
    let count = count?;
    out::note(&format!("{count} entries written"));
    Ok(())
}

async fn write_all(
    read: &open::ToRead,
    (mut to, mut writer): (BufWriter<impl Write>, Writer),
    between: Between,
) -> Result<u64, Failure> {
    let cannot = || Failure::because("the file cannot be written");
    let mut run = read.store.snapshot().await?;
    let (mut after, mut count) = (After::Position(0), 0);
    loop {
        let some = audit::forwards(&mut run, after, (between.since, between.until), CHUNK).await?;
        for listed in &some {
            writer.write(&mut to, listed).map_err(cannot())?;
            count += 1;
        }
        after = match (some.last(), after) {
            (Some(Listed { sealed: Some((position, _)), .. }), _) => After::Position(*position),
            (Some(Listed { said, .. }), _) => After::Waiting(said.id),
            (None, After::Position(_)) => After::Waiting(i64::MIN),
            (None, After::Waiting(_)) => break,
        };
    }
    to.flush().map_err(cannot())?;
    Ok(count)
}
