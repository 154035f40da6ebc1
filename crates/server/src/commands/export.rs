//! `cerrojo user export`: all users, the way out.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use cerrojo_app::personal;
use cerrojo_domain::{Clock as _, Roles, SystemClock, User, UserId};
use cerrojo_store::users;
use serde_json::{Value, json};

use crate::cli::FileFormat;
use crate::config::Configuration;
use crate::failure::Failure;
use crate::{open, out};

/// Users read at once.
const CHUNK: i64 = 1000;

/// What is written, and where.
pub(super) struct Export<'a> {
    pub(super) file: &'a Path,
    pub(super) format: Option<FileFormat>,
    pub(super) without_passwords: bool,
}

pub(super) async fn run(wanted: Export<'_>, configuration: &Configuration) -> Result<(), Failure> {
    let Export { file, format, without_passwords } = wanted;
    let format = format.or_else(|| FileFormat::of(file)).ok_or_else(|| {
        Failure::usage("the file's name does not tell what to write: say --format csv or --format jsonl")
    })?;
    let read = open::to_read(configuration, "cerrojo user export").await?;
    let to = open_file(file)?;
    personal::record_operators(&read.store, None, SystemClock::new().now()).await?;
    let written = Writer::begin(to, (format, FileFormat::delimiter(file)), without_passwords);
    let count = write_all(&read, written, &configuration.app.roles).await;
    read.close().await;
    if count.is_err() && file != Path::new("-") {
        // Half of them would look like all.
        let _ = std::fs::remove_file(file);
    }
    let count = count?;
    out::note(&format!("{count} users written"));
    Ok(())
}

/// For the owner alone, and never over another file.
pub(super) fn open_file(path: &Path) -> Result<Box<dyn Write + Send>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdout()));
    }
    let file = File::options().write(true).create_new(true).mode(0o600).open(path);
    Ok(Box::new(file.map_err(Failure::because(path.display().to_string()))?))
}

async fn write_all(read: &open::ToRead, mut writer: Writer, roles: &Roles) -> Result<u64, Failure> {
    let mut run = read.store.snapshot().await?;
    let (mut last, mut count) = (UserId(0), 0);
    loop {
        let some = users::after(&mut run, last, CHUNK).await?;
        let Some(newest) = some.last() else { break };
        last = newest.id;
        for user in &some {
            writer.write(user, roles).map_err(Failure::because("the file cannot be written"))?;
            count += 1;
        }
    }
    writer.end().map_err(Failure::because("the file cannot be written"))?;
    Ok(count)
}

enum Form {
    Csv(Box<csv::Writer<Box<dyn Write + Send>>>),
    Lines(BufWriter<Box<dyn Write + Send>>),
}

struct Writer {
    form: Form,
    without_passwords: bool,
    has_begun: bool,
}

impl Writer {
    fn begin(to: Box<dyn Write + Send>, (format, delimiter): (FileFormat, u8), without_passwords: bool) -> Self {
        let form = match format {
            FileFormat::Csv => Form::Csv(Box::new(csv::WriterBuilder::new().delimiter(delimiter).from_writer(to))),
            FileFormat::Jsonl => Form::Lines(BufWriter::new(to)),
        };
        Self { form, without_passwords, has_begun: false }
    }

    fn write(&mut self, user: &User, roles: &Roles) -> std::io::Result<()> {
        let mut fields = super::user::as_members(user, roles);
        if !self.without_passwords {
            let hash = Some(user.password_hash.as_str()).filter(|hash| !hash.is_empty() && !hash.starts_with('!'));
            fields.push(("password_hash", json!(hash)));
        }
        match &mut self.form {
            Form::Csv(csv) => {
                if !std::mem::replace(&mut self.has_begun, true) {
                    csv.write_record(fields.iter().map(|(name, _)| *name))?;
                }
                csv.write_record(fields.iter().map(|(_, value)| plain(value)))?;
            }
            Form::Lines(lines) => {
                let object: serde_json::Map<_, _> =
                    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                writeln!(lines, "{}", Value::Object(object))?;
            }
        }
        Ok(())
    }

    fn end(self) -> std::io::Result<()> {
        match self.form {
            Form::Csv(mut csv) => csv.flush(),
            Form::Lines(mut lines) => lines.flush(),
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
