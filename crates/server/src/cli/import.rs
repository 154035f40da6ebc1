//! How users of another application are described on the command line.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum, ValueHint};

pub(super) const HELP: &str = "\
Examples:
  cerrojo user import users.csv --dry-run                what would be added, refused, and why
  cerrojo user import users.csv --report refused.csv
  cerrojo user import users.jsonl --column name=profile.fullName --column password_hash=pwd
  cerrojo user import users.csv --role 1=admin --role 2=user --column status=banned --status true=suspended --status false=active
  cerrojo user import --from postgres://app@db.example.com/app --table users --dry-run
  cerrojo user import users.csv --hash node-scrypt       salt:hash of Node's crypto.scrypt
  cerrojo user import users.csv --hash node-pbkdf2,iterations=100000,digest=sha512
  cerrojo user import users.jsonl --hash firebase=hash-parameters.txt --column password_hash=passwordHash

Fields: user_id, email, name, password_hash, salt, hash_parameters, role, status, registration_date, last_session,
email_verified.
Only the address is needed. Where no column is said the usual names are looked for (id, created_at, last_login, …);
--column FIELD= leaves a field out. --dry-run shows what is taken from where.

Passwords go on working if their hashes are bcrypt, Argon2, scrypt or PBKDF2: as they are written by bcrypt and argon2
libraries, as PHC strings, by passlib, Django, ASP.NET Core Identity, or Keycloak (password_hash=secretData,
hash_parameters=credentialData). Node's crypto and Firebase's need --hash. Each is replaced by an Argon2id hash when its
user signs in. Users without a hash set a password by \"forgot password\".

It can be repeated: whoever is there already stays as is. Works beside a running server.
The password of --from is better in PGPASSWORD or ~/.pgpass than on the command line.";

/// Which users, and what their columns mean.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// CSV with a header line, or JSON Lines; - is standard input
    #[arg(value_name = "FILE", conflicts_with = "from", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// Read a table of this PostgreSQL database instead of a file
    #[arg(long, value_name = "URL")]
    pub(crate) from: Option<String>,
    /// The table, with its schema if need be (app.users) [default: users]
    #[arg(long, value_name = "TABLE", requires = "from")]
    pub(crate) table: Option<String>,
    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Write everybody who is not added into this new file, with the line and the reason (CSV); an earlier report is replaced
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) report: Option<PathBuf>,
    /// Take a field from this column; in JSON dots lead into objects and lists (emails.0.address)
    #[arg(long = "column", value_name = "FIELD=COLUMN", value_parser = pair::<ImportField>)]
    pub(crate) columns: Vec<(ImportField, String)>,
    /// What a value means as a role; * is every other value. Numbers are never taken for roles by themselves
    #[arg(long = "role", value_name = "VALUE=ROLE", value_parser = pair::<String>)]
    pub(crate) roles: Vec<(String, String)>,
    /// What a value means as a status; * is every other value, and nothing before the = an empty one
    #[arg(long = "status", value_name = "VALUE=STATUS", value_parser = pair::<String>)]
    pub(crate) statuses: Vec<(String, String)>,
    /// How the hashes were made, if they do not say it themselves: node-scrypt, node-pbkdf2 (with options behind commas: N, r, p,
    /// iterations, digest, salt=text, hex or base64), or firebase=FILE with the project's hash parameters
    #[arg(long, value_name = "KIND")]
    pub(crate) hash: Option<String>,
    /// What the file is, if its name does not tell
    #[arg(long, conflicts_with = "from")]
    pub(crate) format: Option<FileFormat>,
    /// What stands between the fields of CSV [default: a comma, in .tsv a tab]
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter, conflicts_with = "from")]
    pub(crate) delimiter: Option<u8>,
}

/// How users are written in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileFormat {
    /// With a header line
    Csv,
    /// A JSON object on each line
    Jsonl,
}

impl FileFormat {
    /// What the end of a file's name says.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" | "tsv" => Some(Self::Csv),
            "jsonl" | "ndjson" | "json" => Some(Self::Jsonl),
            _ => None,
        }
    }

    /// What stands between fields of CSV.
    pub(crate) fn delimiter(path: &Path) -> u8 {
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tsv")) { b'\t' } else { b',' }
    }
}

/// What an account is imported from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ImportField {
    UserId,
    Email,
    Name,
    PasswordHash,
    Salt,
    HashParameters,
    Role,
    Status,
    RegistrationDate,
    LastSession,
    EmailVerified,
}

impl ImportField {
    pub(crate) const ALL: [(Self, &str); 11] = [
        (Self::UserId, "user_id"),
        (Self::Email, "email"),
        (Self::Name, "name"),
        (Self::PasswordHash, "password_hash"),
        (Self::Salt, "salt"),
        (Self::HashParameters, "hash_parameters"),
        (Self::Role, "role"),
        (Self::Status, "status"),
        (Self::RegistrationDate, "registration_date"),
        (Self::LastSession, "last_session"),
        (Self::EmailVerified, "email_verified"),
    ];

    /// As it is written on the command line.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(field, _)| *field == self).map_or("", |(_, name)| *name)
    }
}

impl FromStr for ImportField {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let field = Self::ALL.iter().find(|(_, name)| *name == text).map(|(field, _)| *field);
        field.ok_or_else(|| {
            let all: Vec<&str> = Self::ALL.iter().map(|(_, name)| *name).collect();
            format!("there is no field \"{text}\": {}", all.join(", "))
        })
    }
}

/// `LEFT=RIGHT`; the left side may not hold an equals sign.
fn pair<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<(T, String), String> {
    let (left, right) = text.split_once('=').ok_or("write it with = between the two")?;
    Ok((left.parse().map_err(|error: T::Err| error.to_string())?, right.to_owned()))
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        b"\\t" => Ok(b'\t'),
        _ => Err("one ASCII character, or \\t for a tab".to_owned()),
    }
}
