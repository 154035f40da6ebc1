//! `cerrojo user import`: the users of another system, with their passwords.

mod mapping;
mod report;
mod source;

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use cerrojo_app::administer;
use cerrojo_app::hashing::{self, Format};
use cerrojo_domain::{Clock as _, SystemClock};
use cerrojo_store::imports::{Fate, Imported};
use indicatif::ProgressBar;

use self::mapping::{Mapping, Record, Said};
use self::report::Report;
use self::source::{Found, Long, Source};
use crate::cli::{Import, ImportField};
use crate::config::Configuration;
use crate::failure::Failure;
use crate::{open, out, progress};

/// Accounts written in one transaction: nobody else's sign-in waits long for it.
const BATCH: usize = 1000;

pub(super) async fn run(command: Import, configuration: &Configuration) -> Result<(), Failure> {
    let said = Said {
        columns: &command.columns,
        roles: &command.roles,
        statuses: &command.statuses,
        format: format(command.hash.as_deref())?,
    };
    let mapping = Mapping::new(said, &configuration.app.roles, SystemClock::new().now())?;
    let source = match (&command.file, &command.from) {
        (Some(file), _) => Source::file(file, command.format, command.delimiter)?,
        (None, Some(url)) => Source::table(url, command.table.as_deref().unwrap_or("users")).await?,
        (None, None) => return Err(Failure::usage("name a file, or a database with --from")),
    };
    if let Some(header) = source.header() {
        mapping.check_columns(header)?;
    }
    let into = if command.dry_run { Target::look(configuration).await? } else { Target::write(configuration).await? };
    let report = Report::begin(command.report.as_deref())?;
    let mut import = Running { mapping, source, report, into, seen: Seen::default(), batch: Vec::new() };
    let outcome = import.all().await;
    import.into.close().await;
    import.report.tell(&configuration.app.roles, import.source.unit(), command.dry_run)?;
    import.tell_of_slips();
    outcome?;
    import.report.verdict(command.dry_run)
}

/// What is said of hashes that do not say themselves what they are.
fn format(said: Option<&str>) -> Result<Format, Failure> {
    let Some(said) = said else { return Ok(Format::default()) };
    let format = match said.strip_prefix("firebase=") {
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(Failure::because(out::tame(file)))?;
            hashing::firebase(&text).map(Format::Firebase)
        }
        None => hashing::node(said).map(Format::Node),
    };
    format.map_err(|error| Failure::usage(format!("--hash: {error}")))
}

/// Where accounts are added, or would be.
enum Target {
    Nothing,
    Looking(open::ToRead),
    Writing(open::Opened),
}

impl Target {
    /// For a dry run, which does not even make a database.
    async fn look(configuration: &Configuration) -> Result<Self, Failure> {
        let read = open::to_read_if_begun(configuration, "cerrojo user import --dry-run").await?;
        Ok(read.map_or(Self::Nothing, Self::Looking))
    }

    async fn write(configuration: &Configuration) -> Result<Self, Failure> {
        open::to_add(configuration, "cerrojo user import").await.map(Self::Writing)
    }

    async fn add(&self, users: &[Imported]) -> Result<Vec<Fate>, Failure> {
        match self {
            Self::Nothing => Ok(vec![Fate::Added; users.len()]),
            Self::Looking(read) => Ok(administer::foresee_import(&read.store, users).await?),
            Self::Writing(opened) => Ok(administer::import_users(&opened.app, users).await?),
        }
    }

    async fn close(&mut self) {
        match std::mem::replace(self, Self::Nothing) {
            Self::Nothing => {}
            Self::Looking(read) => read.close().await,
            Self::Writing(opened) => opened.close().await,
        }
    }
}

/// Addresses and numbers that came before, and where. Of addresses 128 bits of a keyed hash: a million are to fit.
#[derive(Default)]
struct Seen {
    hashers: [RandomState; 2],
    emails: HashMap<[u64; 2], u64>,
    ids: HashMap<i64, u64>,
}

impl Seen {
    fn note(&mut self, user: &Imported, at: u64, unit: &str) -> Result<(), String> {
        let key = self.hashers.each_ref().map(|hasher| hasher.hash_one(user.email.as_str()));
        if let Some(before) = self.emails.get(&key) {
            return Err(format!("the same address stands in {unit} {before}"));
        }
        if let Some(id) = user.id {
            if let Some(before) = self.ids.get(&id.0) {
                return Err(format!("the same number, {id}, stands in {unit} {before}"));
            }
            self.ids.insert(id.0, at);
        }
        self.emails.insert(key, at);
        Ok(())
    }
}

struct Running {
    mapping: Mapping,
    source: Source,
    report: Report,
    into: Target,
    seen: Seen,
    batch: Vec<(u64, Imported)>,
}

impl Running {
    async fn all(&mut self) -> Result<(), Failure> {
        let bar = progress::bar(self.source.size(), self.source.counted());
        let mut outcome = self.each(&bar).await;
        if outcome.is_err() {
            // What was read before is whole.
            outcome = self.flush().await.and(outcome);
        }
        bar.finish_and_clear();
        outcome
    }

    async fn each(&mut self, bar: &ProgressBar) -> Result<(), Failure> {
        while let Some(Found { at, record }) = self.source.next().await? {
            match self.account(at, record) {
                Ok(user) => self.batch.push((at, user)),
                Err((email, why)) => self.report.refused(at, &email, &why)?,
            }
            if self.batch.len() == BATCH {
                self.flush().await?;
            }
            bar.set_position(self.source.done());
        }
        self.flush().await
    }

    /// The account of a record that fits; otherwise its address, if any, and why it is refused.
    fn account(&mut self, at: u64, record: Result<Record, String>) -> Result<Imported, (String, String)> {
        let record = record.map_err(|why| (String::new(), why))?;
        self.report.look_at_columns(&self.mapping, &record, self.source.header().is_some());
        let user = self.mapping.read(&record).map_err(|why| (self.mapping.address(&record), why))?;
        let noted = self.seen.note(&user, at, self.source.unit());
        noted.map_err(|why| (user.email.as_str().to_owned(), why))?;
        Ok(user)
    }

    /// What may be meant, or not.
    fn tell_of_slips(&self) {
        for (_, column) in self.report.missing(&self.mapping) {
            out::note(&format!("none of them had a column \"{}\"", out::tame(column)));
        }
        if let Some(Long { count, first }) = self.source.long() {
            out::note(&format!(
                "{count} of them run over several lines, the first at line {first}: if that is not meant, a quote stands alone"
            ));
        }
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let (places, users): (Vec<u64>, Vec<Imported>) = std::mem::take(&mut self.batch).into_iter().unzip();
        if users.is_empty() {
            return Ok(());
        }
        // Nobody has these now and then: it is a slip, and found before the first is written.
        let never =
            |field: &ImportField| matches!(field, ImportField::PasswordHash | ImportField::UserId | ImportField::Role);
        if let Some((_, column)) = self.report.missing(&self.mapping).into_iter().find(|(field, _)| never(field)) {
            let read = places.len();
            return Err(Failure::usage(format!(
                "none of the {read} read so far has a column \"{}\"",
                out::tame(column)
            )));
        }
        let fates = self.into.add(&users).await?;
        for ((at, user), fate) in places.into_iter().zip(&users).zip(fates) {
            let email = user.email.as_str();
            match fate {
                Fate::Added => self.report.added(user),
                Fate::Present => self.report.present(at, email)?,
                Fate::OtherNumber(id) => {
                    self.report.refused(at, email, &format!("the address is there already, as user {id}"))?;
                }
                Fate::NumberTaken => self.report.refused(at, email, "the number is another user's, or was")?,
            }
        }
        Ok(())
    }
}
