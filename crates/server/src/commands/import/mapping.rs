//! Which column of another system's table is which field of an account, and what its values mean here.

use std::collections::BTreeMap;

use cerrojo_app::hashing::{Foreign, Format, adopt};
use cerrojo_domain::{Email, RoleId, Roles, Status, USER_ROLE, UnixMillis, UserId};
use cerrojo_store::imports::Imported;
use serde_json::{Map, Value};

use crate::cli::ImportField;
use crate::failure::Failure;
use crate::out;

/// A row as it was read: CSV gives texts only.
pub(super) type Record = Map<String, Value>;

/// What stands for every value that is not named.
const ANY: &str = "*";
/// Numbers that JavaScript still counts with exactly, and as many again after them.
const HIGHEST_ID: i64 = 1 << 52;
/// Unix times from here on are milliseconds: as seconds it is the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Columns in which yes is active and no is not.
const FLAGS: [&str; 4] = ["is_active", "isActive", "active", "enabled"];
/// Columns that may say that somebody must not sign in.
const TELLING: [&str; 19] = [
    "disabled",
    "is_disabled",
    "isDisabled",
    "banned",
    "is_banned",
    "isBanned",
    "blocked",
    "is_blocked",
    "isBlocked",
    "locked",
    "locked_at",
    "is_locked",
    "suspended",
    "is_suspended",
    "isSuspended",
    "deleted",
    "is_deleted",
    "deleted_at",
    "deletedAt",
];

/// All of it.
pub(super) struct Mapping {
    columns: BTreeMap<ImportField, Option<String>>,
    roles: BTreeMap<String, RoleId>,
    statuses: BTreeMap<String, Status>,
    declared: Roles,
    format: Format,
    now: UnixMillis,
}

/// What was said on the command line.
pub(super) struct Said<'a> {
    pub(super) columns: &'a [(ImportField, String)],
    pub(super) roles: &'a [(String, String)],
    pub(super) statuses: &'a [(String, String)],
    pub(super) format: Format,
}

impl ImportField {
    /// The names under which it is looked for, if none is said.
    fn usual(self) -> &'static [&'static str] {
        match self {
            Self::UserId => &["user_id", "id", "userId"],
            Self::Email => &["email", "email_address", "emailAddress", "mail"],
            Self::Name => &["name", "full_name", "fullName", "display_name", "displayName"],
            Self::PasswordHash => {
                &["password_hash", "passwordHash", "password", "encrypted_password", "password_digest", "hash"]
            }
            Self::Salt => &["salt", "password_salt", "passwordSalt"],
            Self::HashParameters => &[],
            Self::Role => &["role_name", "roleName", "role", "role_id", "roleId"],
            Self::Status => &["status", "is_active", "isActive", "active", "enabled"],
            Self::RegistrationDate => {
                &["registration_date", "registrationDate", "created_at", "createdAt", "date_joined"]
            }
            Self::EmailVerified => &[
                "email_verified",
                "emailVerified",
                "email_verified_at",
                "emailVerifiedAt",
                "email_confirmed",
                "emailConfirmed",
                "confirmed_at",
                "confirmedAt",
                "is_verified",
                "isVerified",
            ],
            Self::LastSession => {
                &["last_session", "lastSession", "last_login", "lastLogin", "last_login_at", "last_sign_in_at"]
            }
        }
    }
}

impl Mapping {
    /// # Errors
    /// A role or status that does not exist.
    pub(super) fn new(said: Said<'_>, declared: &Roles, now: UnixMillis) -> Result<Self, Failure> {
        let filled = |column: &String| (!column.is_empty()).then(|| column.clone());
        let mut roles = BTreeMap::new();
        for (value, role) in said.roles {
            roles.insert(value.clone(), crate::commands::user::role_named(declared, role)?);
        }
        let mut statuses = BTreeMap::new();
        for (value, status) in said.statuses {
            let known = Status::parse(status).ok_or_else(|| {
                Failure::usage(format!("a status is active, inactive or suspended, not \"{}\"", out::tame(status)))
            })?;
            statuses.insert(value.clone(), known);
        }
        Ok(Self {
            columns: said.columns.iter().map(|(field, column)| (*field, filled(column))).collect(),
            roles,
            statuses,
            declared: declared.clone(),
            format: said.format,
            now,
        })
    }

    /// Refuses a column that was named and is not there, and a table without addresses.
    pub(super) fn check_columns(&self, header: &[String]) -> Result<(), Failure> {
        let there = || header.iter().map(|name| out::tame(name)).collect::<Vec<_>>().join(", ");
        if let Some((_, column)) = self.named().find(|(_, column)| !header.iter().any(|name| name == column)) {
            return Err(Failure::usage(format!(
                "there is no column \"{}\"; there are: {}",
                out::tame(column),
                there()
            )));
        }
        let record: Record = header.iter().map(|name| (name.clone(), Value::Null)).collect();
        if self.column(ImportField::Email, &record).is_none() {
            return Err(Failure::usage(format!(
                "none of the columns is known as the address: say --column email=…, or --delimiter if they are not parted \
                 rightly; there are: {}",
                there()
            )));
        }
        Ok(())
    }

    /// Which column each field is taken from in this record.
    pub(super) fn columns(&self, record: &Record) -> Vec<(ImportField, String)> {
        let found = |(field, _): &(ImportField, &str)| {
            self.column(*field, record).map(|(column, _)| (*field, column.to_owned()))
        };
        ImportField::ALL.iter().filter_map(found).collect()
    }

    /// The columns that were named, and for what.
    pub(super) fn named(&self) -> impl Iterator<Item = (ImportField, &str)> {
        self.columns.iter().filter_map(|(field, column)| Some((*field, column.as_deref()?)))
    }

    fn column<'a>(&'a self, field: ImportField, record: &'a Record) -> Option<(&'a str, &'a Value)> {
        if let Some(said) = self.columns.get(&field) {
            let said = said.as_deref()?;
            return look_up(record, said).map(|value| (said, value));
        }
        let usual = field.usual();
        usual.iter().find_map(|name| Some((*name, record.get(*name)?))).or_else(|| {
            let like_it = |name: &&str| record.iter().find(|(column, _)| column.eq_ignore_ascii_case(name));
            usual.iter().find_map(like_it).map(|(column, value)| (column.as_str(), value))
        })
    }

    /// A plain value as text; none if it is absent, null or empty.
    fn text(&self, field: ImportField, record: &Record) -> Result<Option<String>, String> {
        let Some((column, value)) = self.column(field, record) else { return Ok(None) };
        let text = match value {
            Value::Null => return Ok(None),
            // So PostgreSQL and MySQL write NULL.
            Value::String(text) if text == "\\N" => return Ok(None),
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(yes) => yes.to_string(),
            Value::Array(_) | Value::Object(_) => {
                return Err(format!("{} is no plain value: name what is in it, as {column}.part", out::tame(column)));
            }
        };
        Ok((!text.trim().is_empty()).then_some(text))
    }

    /// The address in a record, whatever it is; empty if there is none.
    pub(super) fn address(&self, record: &Record) -> String {
        self.text(ImportField::Email, record).ok().flatten().unwrap_or_default()
    }

    /// The account that a record tells of.
    ///
    /// # Errors
    /// Why it is refused, for people; without any part of the hash.
    pub(super) fn read(&self, record: &Record) -> Result<Imported, String> {
        let email = self.text(ImportField::Email, record)?.ok_or("there is no e-mail address")?;
        let email = Email::parse(&email).map_err(|_| "that is no e-mail address")?;
        let name = self.text(ImportField::Name, record)?;
        let name = name.map_or_else(|| email.local_part().to_owned(), |name| name.trim().to_owned());
        if !cerrojo_app::profile::name_is_fit(&name) {
            return Err("a name has 1 to 200 characters, none of them control characters".to_owned());
        }
        Ok(Imported {
            id: self.text(ImportField::UserId, record)?.map(|text| id(&text)).transpose()?,
            password_hash: self.hash(record)?,
            role_id: self.role(record)?,
            status: self.status(record)?,
            registration_date: self.date(ImportField::RegistrationDate, record)?.unwrap_or(self.now),
            last_session: self.date(ImportField::LastSession, record)?,
            email_verified: self.verified(record)?,
            name,
            email,
        })
    }

    fn hash(&self, record: &Record) -> Result<String, String> {
        let Some(hash) = self.text(ImportField::PasswordHash, record)? else { return Ok(String::new()) };
        let hash = hash.trim();
        // So Django and Unix write that there is no password.
        if hash.starts_with('!') || hash == "*" {
            return Ok(String::new());
        }
        let (salt, parameters) =
            (self.text(ImportField::Salt, record)?, self.text(ImportField::HashParameters, record)?);
        let foreign = Foreign { hash, salt: salt.as_deref().map(str::trim), parameters: parameters.as_deref() };
        adopt(&self.format, foreign).map_err(|error| error.to_string())
    }

    /// A number means something else in every application, so it has to be said which role it is.
    fn role(&self, record: &Record) -> Result<RoleId, String> {
        let text = self.text(ImportField::Role, record)?;
        let Some(text) = text.as_deref().map(str::trim) else {
            return Ok(said(&self.roles, &[""]).unwrap_or(USER_ROLE));
        };
        said(&self.roles, &[text])
            .or_else(|| self.declared.by_name(text))
            .or_else(|| self.declared.by_name(&text.to_lowercase()))
            .ok_or_else(|| {
                let numbers =
                    if text.parse::<i64>().is_ok() { "numbers are no names" } else { "there is none of that name" };
                format!("the role is {}: {numbers}; say what it is here (--role 'VALUE=user')", shown(text))
            })
    }

    /// Whoever could not sign in there must not here, so nothing is guessed.
    fn status(&self, record: &Record) -> Result<Status, String> {
        let Some((column, _)) = self.column(ImportField::Status, record) else {
            // A column that was named, and is not there, is as good as empty.
            return match self.columns.get(&ImportField::Status) {
                Some(Some(_)) => said(&self.statuses, &[""]).ok_or_else(no_status),
                _ => Ok(Status::Active),
            };
        };
        let is_flag = FLAGS.contains(&column);
        let text = self.text(ImportField::Status, record)?;
        let Some(text) = text.as_deref().map(str::trim) else {
            return said(&self.statuses, &[""]).ok_or_else(no_status);
        };
        let flag = flag(text);
        let usual = || match flag {
            "true" if is_flag => Some(Status::Active),
            "false" if is_flag => Some(Status::Inactive),
            other => Status::parse(&other.to_lowercase()),
        };
        said(&self.statuses, &[text, flag]).or_else(usual).ok_or_else(|| {
            format!(
                "the status is {}: say what it is here (--status 'VALUE=active', inactive or suspended)",
                shown(text)
            )
        })
    }

    /// Whether the address was confirmed there: yes or no, or when. Nothing is no.
    fn verified(&self, record: &Record) -> Result<bool, String> {
        let Some(text) = self.text(ImportField::EmailVerified, record)? else { return Ok(false) };
        match flag(text.trim()) {
            "true" => return Ok(true),
            "false" => return Ok(false),
            _ => {}
        }
        let at = self.date(ImportField::EmailVerified, record).map_err(|_| {
            format!("whether the address was confirmed is {}: true, false, or the date on which it was", shown(&text))
        })?;
        Ok(at.is_some())
    }

    fn date(&self, field: ImportField, record: &Record) -> Result<Option<UnixMillis>, String> {
        let Some(text) = self.text(field, record)? else { return Ok(None) };
        let at = UnixMillis::parse(text.trim()).or_else(|| unix_time(text.trim()));
        at.map(Some).ok_or_else(|| {
            format!("{} is no date: 2026-02-13T10:00:00Z, 2026-02-13 10:00:00 or a unix time", shown(&text))
        })
    }
}

/// Columns of a record that are not among those that are read although they may say that somebody must not sign in.
pub(super) fn unread(record: &Record, read: &[(ImportField, String)]) -> Vec<&'static str> {
    let is_unread = |name: &&&str| record.contains_key(**name) && !read.iter().any(|(_, column)| column == **name);
    TELLING.iter().filter(is_unread).copied().collect()
}

/// What the operator said of a value, as it stands there or as it is understood, or else of every value that is not named. It
/// counts before what the value would mean by itself.
fn said<T: Copy>(values: &BTreeMap<String, T>, texts: &[&str]) -> Option<T> {
    let named = texts.iter().find_map(|text| values.get(*text));
    named.or_else(|| values.get(ANY)).copied()
}

fn no_status() -> String {
    "the status is empty: say what that is here (--status '=active', inactive or suspended)".to_owned()
}

/// Yes and no in one spelling; anything else as it is.
fn flag(text: &str) -> &str {
    match text {
        "true" | "True" | "TRUE" | "t" | "T" | "1" => "true",
        "false" | "False" | "FALSE" | "f" | "F" | "0" => "false",
        other => other,
    }
}

/// A value for people. Nothing that may be a hash, where columns were mixed up.
fn shown(text: &str) -> String {
    let text = text.trim();
    if text.starts_with('$') || text.chars().count() > 40 {
        return "something else".to_owned();
    }
    format!("\"{}\"", out::tame(text))
}

fn unix_time(text: &str) -> Option<UnixMillis> {
    let number: i64 = text.parse().ok().filter(|number| (0..MILLISECONDS_FROM * 1000).contains(number))?;
    Some(UnixMillis(if number < MILLISECONDS_FROM { number * 1000 } else { number }))
}

fn id(text: &str) -> Result<UserId, String> {
    let number = text.trim().parse().ok().filter(|number| (1..=HIGHEST_ID).contains(number));
    number.map(UserId).ok_or_else(|| {
        format!("{} is no number of a user: leave the numbers to Cerrojo with --column user_id=", shown(text))
    })
}

/// By its name, or else by a path of names and places in lists, with dots between them.
fn look_up<'a>(record: &'a Record, path: &str) -> Option<&'a Value> {
    if let Some(value) = record.get(path) {
        return Some(value);
    }
    let mut parts = path.split('.');
    let mut value = record.get(parts.next()?)?;
    for part in parts {
        value = match value {
            Value::Object(members) => members.get(part)?,
            Value::Array(list) => list.get(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value)
}
