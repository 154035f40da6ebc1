//! What became of an import: figures, and everybody who was refused and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use cerrojo_app::hashing;
use cerrojo_domain::{RoleId, Roles};
use cerrojo_store::imports::Imported;

use super::mapping::{self, Mapping, Record};
use crate::cli::ImportField;
use crate::commands::user::cells;
use crate::failure::Failure;
use crate::out;

/// Refused ones that are shown at once; all are in the report.
const TOLD: usize = 10;
/// Accounts that are shown as they are read.
const SHOWN: usize = 3;

const HEAD: [&str; 4] = ["line", "email", "outcome", "reason"];

/// Whether an earlier import wrote this file.
fn is_report(path: &Path) -> bool {
    let mut head = String::new();
    let Some(found) = std::fs::symlink_metadata(path).ok().filter(std::fs::Metadata::is_file) else { return false };
    let read = File::open(path).and_then(|file| BufReader::new(file.take(100)).read_line(&mut head));
    found.len() == 0 || (read.is_ok() && head.trim_end() == HEAD.join(","))
}

#[derive(Default)]
pub(super) struct Report {
    file: Option<csv::Writer<File>>,
    columns: BTreeMap<ImportField, String>,
    shown: Vec<Imported>,
    unread: BTreeSet<&'static str>,
    kinds: BTreeMap<&'static str, u64>,
    roles: BTreeMap<RoleId, u64>,
    statuses: BTreeMap<&'static str, u64>,
    added: u64,
    present: u64,
    refused: u64,
    told: Vec<(u64, String, String)>,
}

impl Report {
    /// `path`: of a file that everybody who is not added is written to. Nobody else may read it. Only an earlier report is
    /// written over.
    pub(super) fn begin(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self::default()) };
        let because = || Failure::because(path.display().to_string());
        if is_report(path) {
            std::fs::remove_file(path).map_err(because())?;
        } else if path.symlink_metadata().is_ok() {
            let shown = path.display();
            return Err(Failure::new(format!("{shown} exists and is no report of an import: name another file")));
        }
        let file = File::options().write(true).create_new(true).mode(0o600).open(path).map_err(because())?;
        let mut report = Self { file: Some(csv::Writer::from_writer(file)), ..Self::default() };
        report.write(HEAD)?;
        report.flush()?;
        Ok(report)
    }

    fn write(&mut self, fields: [&str; 4]) -> Result<(), Failure> {
        match &mut self.file {
            Some(file) => file.write_record(fields).map_err(Failure::because("the report cannot be written")),
            None => Ok(()),
        }
    }

    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        match &mut self.file {
            Some(file) => file.flush().map_err(Failure::because("the report cannot be written")),
            None => Ok(()),
        }
    }

    /// Notes which columns are read, and which are not. `all_alike`: in every record the same.
    pub(super) fn look_at_columns(&mut self, mapping: &Mapping, record: &Record, all_alike: bool) {
        if all_alike && !self.columns.is_empty() {
            return;
        }
        let read = mapping.columns(record);
        self.unread.extend(mapping::unread(record, &read));
        for (field, column) in read {
            self.columns.entry(field).or_insert(column);
        }
    }

    /// A column that was named and is in no record so far.
    pub(super) fn missing<'a>(&self, mapping: &'a Mapping) -> Vec<(ImportField, &'a str)> {
        mapping.named().filter(|(field, _)| !self.columns.contains_key(field)).collect()
    }

    pub(super) fn added(&mut self, user: &Imported) {
        self.added += 1;
        *self.kinds.entry(hashing::name_of(&user.password_hash)).or_default() += 1;
        *self.roles.entry(user.role_id).or_default() += 1;
        *self.statuses.entry(user.status.as_str()).or_default() += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(user.clone());
        }
    }

    pub(super) fn present(&mut self, at: u64, email: &str) -> Result<(), Failure> {
        self.present += 1;
        self.write([&at.to_string(), email, "there already", ""])
    }

    pub(super) fn refused(&mut self, at: u64, email: &str, why: &str) -> Result<(), Failure> {
        self.refused += 1;
        if self.told.len() < TOLD {
            self.told.push((at, email.to_owned(), why.to_owned()));
        }
        self.write([&at.to_string(), email, "refused", why])
    }

    /// Prints all of it.
    pub(super) fn tell(&mut self, roles: &Roles, unit: &str, dry_run: bool) -> Result<(), Failure> {
        self.flush()?;
        if dry_run {
            self.show(roles);
        }
        for (at, email, why) in &self.told {
            let email = if email.is_empty() { String::new() } else { format!("{}: ", out::tame(email)) };
            out::note(&format!("{unit} {at}: {email}{why}"));
        }
        let more = self.refused.saturating_sub(TOLD as u64);
        if more > 0 {
            let place =
                if self.file.is_some() { "all are in the report" } else { "--report FILE writes all of them down" };
            out::note(&format!("and {more} more; {place}"));
        }
        let added = if dry_run { "would be added" } else { "added" };
        out::line(&format!("{} {added}, {} there already, {} refused", self.added, self.present, self.refused));
        if self.added > 0 {
            let roles: Vec<_> = self.roles.iter().map(|(role, count)| (roles.name(*role), *count)).collect();
            out::line(&format!("roles: {}", counts(roles.iter().map(|(name, count)| (name.as_str(), *count)))));
            out::line(&format!("statuses: {}", counts(self.statuses.iter().map(|(name, count)| (*name, *count)))));
            out::line(&format!("password hashes: {}", counts(self.kinds.iter().map(|(name, count)| (*name, *count)))));
        }
        for column in &self.unread {
            out::note(&format!(
                "the column \"{column}\" is not read: if it says that somebody must not sign in, say --column status={column} and what \
                 its values mean: --status true=suspended --status false=active, or for a date --status '*=suspended' --status =active"
            ));
        }
        if let Some(without) = self.kinds.get(hashing::NO_PASSWORD) {
            out::line(&format!("{without} without a password sign in once they have set one by \"forgot password\""));
        }
        Ok(())
    }

    fn show(&self, roles: &Roles) {
        let columns = self.columns.iter().map(|(field, column)| format!("{}={}", field.name(), out::tame(column)));
        out::line(&format!("columns: {}", columns.collect::<Vec<_>>().join(" ")));
        let row = |user: &Imported| {
            let mut row = vec![user.id.map_or_else(|| "new".to_owned(), |id| id.to_string())];
            row.extend(cells(
                (&user.email, &user.name),
                (user.role_id, user.status),
                (user.registration_date, user.last_session),
                roles,
            ));
            row.push(hashing::name_of(&user.password_hash).to_owned());
            row
        };
        let head = ["ID", "EMAIL", "NAME", "ROLE", "STATUS", "REGISTERED", "LAST SESSION", "PASSWORD"];
        out::table(&head, &self.shown.iter().map(row).collect::<Vec<_>>());
    }

    /// An error if somebody was refused.
    pub(super) fn verdict(&self, dry_run: bool) -> Result<(), Failure> {
        match self.refused {
            0 => Ok(()),
            refused if dry_run => Err(Failure::new(format!("{refused} would be refused; nothing was written"))),
            refused => Err(Failure::new(format!(
                "{refused} were refused. Mend them and run the same command again: whoever is there already stays as is"
            ))),
        }
    }
}

fn counts<'a>(of: impl Iterator<Item = (&'a str, u64)>) -> String {
    of.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}
