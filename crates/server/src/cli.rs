//! The command line.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

/// An authentication server whose logout is real.
#[derive(Debug, Parser)]
#[command(
    name = "cerrojo",
    version,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  cerrojo                                        start the server on 127.0.0.1:4000, with nothing to configure
  cerrojo user add --email ana@example.com --name Ana --role admin --password-stdin
  cerrojo session end --user ana@example.com     sign Ana out everywhere, now
  cerrojo config show                            what is set, and where it comes from

Commands that change something work beside a running server: they succeed when it has confirmed.
Exit codes: 0 done, 1 error, 2 not understood, 3 done but not confirmed by the running server within 10 s."
)]
pub(crate) struct Cli {
    /// File of settings [default: cerrojo.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE", env = "CERROJO_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) serve: Serve,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// How to serve.
#[derive(Debug, Default, Args)]
pub(crate) struct Serve {
    /// Address and port to listen on, over `server.listen`; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the server (as without a command)
    Serve(Serve),
    /// See and change accounts
    #[command(subcommand)]
    User(User),
    /// See and end sessions
    #[command(subcommand)]
    Session(Session),
    /// See and change the keys that sign tokens
    #[command(subcommand)]
    Key(Key),
    /// See and change the services that may follow this server
    #[command(subcommand)]
    Service(Service),
    /// Look after the database
    #[command(subcommand)]
    Db(Db),
    /// Look at the nodes of an installation on PostgreSQL
    #[command(subcommand)]
    Cluster(Cluster),
    /// Look at the settings
    #[command(subcommand)]
    Config(Config),
    /// Print completions for a shell
    #[command(after_help = "Example:\n  cerrojo completions bash > /etc/bash_completion.d/cerrojo")]
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// How a list is printed.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Shape {
    /// As JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whether to ask first.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Consent {
    /// Do not ask; needed where nobody can be asked
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Where a password comes from. Never from the command line, where others could see it.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct PasswordFrom {
    /// Read the password from standard input, one line
    #[arg(long, required = true)]
    password_stdin: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Add a user
    #[command(after_help = "\
Examples:
  cerrojo user add --email ana@example.com --name Ana --role admin --password-stdin < password.txt
  pass show cerrojo/ana | cerrojo user add --email ana@example.com --name Ana --password-stdin")]
    Add {
        /// E-mail address
        #[arg(long)]
        email: String,
        /// Name
        #[arg(long)]
        name: String,
        /// admin, user, or a role declared under [roles]
        #[arg(long, default_value = "user")]
        role: String,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// List all users, the newest first
    List {
        #[command(flatten)]
        shape: Shape,
    },
    /// Show a user
    Show {
        /// E-mail address
        email: String,
        #[command(flatten)]
        shape: Shape,
    },
    /// Set whether a user may sign in; anything but active ends every session of the user
    #[command(after_help = "Example:\n  cerrojo user set-status ana@example.com suspended")]
    SetStatus {
        /// E-mail address
        email: String,
        /// active, inactive or suspended
        status: String,
    },
    /// Set a user's role; a change ends every session of the user
    #[command(after_help = "Example:\n  cerrojo user set-role ana@example.com admin")]
    SetRole {
        /// E-mail address
        email: String,
        /// admin, user, or a role declared under [roles]
        role: String,
    },
    /// Set a user's password; ends every session of the user
    #[command(after_help = "Example:\n  cerrojo user set-password ana@example.com --password-stdin < password.txt")]
    SetPassword {
        /// E-mail address
        email: String,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// Take over the users of another application, with their passwords
    #[command(after_help = IMPORT_HELP)]
    Import(Import),
    /// Write all users into a file, with the hashes of their passwords
    #[command(after_help = "\
Examples:
  cerrojo user export users.jsonl                every user, one JSON object a line
  cerrojo user export users.csv
  cerrojo user export - --format csv --without-passwords

`cerrojo user import` reads both. The file is for you alone (mode 0600): whoever has it can try passwords.")]
    Export {
        /// A file that does not exist yet; - is standard output
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// What to write, if the file's name does not tell
        #[arg(long)]
        format: Option<FileFormat>,
        /// Leave out the hashes of the passwords
        #[arg(long)]
        without_passwords: bool,
    },
    /// Delete a user for ever; the sessions end with it
    Delete {
        /// E-mail address
        email: String,
        #[command(flatten)]
        consent: Consent,
    },
}

const IMPORT_HELP: &str = "\
Examples:
  cerrojo user import users.csv --dry-run                what would be added, refused, and why
  cerrojo user import users.csv --report refused.csv
  cerrojo user import users.jsonl --column name=profile.fullName --column password_hash=pwd
  cerrojo user import users.csv --role 1=admin --role 2=user --column status=banned --status true=suspended --status false=active
  cerrojo user import --from postgres://app@db.example.com/app --table users --dry-run
  cerrojo user import users.csv --hash node-scrypt       salt:hash of Node's crypto.scrypt
  cerrojo user import users.csv --hash node-pbkdf2,iterations=100000,digest=sha512
  cerrojo user import users.jsonl --hash firebase=hash-parameters.txt --column password_hash=passwordHash

Fields: user_id, email, name, password_hash, salt, hash_parameters, role, status, registration_date, last_session.
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
}

impl FileFormat {
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
}

impl ImportField {
    pub(crate) const ALL: [(Self, &str); 10] = [
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
    ];
}

impl ImportField {
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

#[derive(Debug, Subcommand)]
pub(crate) enum Session {
    /// List a user's sessions
    List {
        /// E-mail address
        #[arg(long, value_name = "EMAIL")]
        user: String,
        /// Also those that ended in the last 30 days: when, why and by whom
        #[arg(long)]
        ended: bool,
        #[command(flatten)]
        shape: Shape,
    },
    /// End sessions, now and for ever
    #[command(after_help = "\
Examples:
  cerrojo session end 3q2-7wAAAAAAAAAAAAAAAA     one session, by the id that `session list` shows
  cerrojo session end --user ana@example.com     all of Ana's
  cerrojo session end --everyone --yes           all there are")]
    End {
        #[command(flatten)]
        which: WhichSessions,
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct WhichSessions {
    /// The id of one session
    #[arg(value_name = "ID", allow_hyphen_values = true, value_parser = id)]
    pub(crate) id: Option<String>,
    /// All sessions of this user
    #[arg(long, value_name = "EMAIL")]
    pub(crate) user: Option<String>,
    /// All sessions of everybody
    #[arg(long)]
    pub(crate) everyone: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// List the keys
    List {
        #[command(flatten)]
        shape: Shape,
    },
    /// Make a new key that signs from now on; tokens signed by older ones go on
    Rotate,
    /// Retire a compromised key: nothing that it signed is accepted any more
    #[command(after_help = "Example:\n  cerrojo key retire 3q2-7wAAAAAAAAAAAAAAAA --yes")]
    Retire {
        /// The key's id (kid)
        #[arg(allow_hyphen_values = true, value_parser = id)]
        id: String,
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Service {
    /// Add a service and print its secret, this once; only a hash of it is kept
    #[command(after_help = "\
Examples:
  cerrojo service add orders
  cerrojo service add orders > orders.secret     the secret alone goes to standard output

The service gives name and secret to its guard, or as HTTP Basic to /api/guards and /api/auth/introspect.")]
    Add {
        /// 1 to 64 letters, digits, dots, underscores and hyphens
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// List the services
    List {
        #[command(flatten)]
        shape: Shape,
    },
    /// Remove a service: nothing more is answered to it, and its streams end
    #[command(after_help = "\
Example:
  cerrojo service remove orders --yes

For another secret without a gap, add a second service, give it to the guards, then remove the first.")]
    Remove {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Db {
    /// Bring the schema up to date (a starting server does it by itself)
    Migrate,
    /// Check that the database is whole and says nothing that contradicts itself
    Check,
    /// Copy the database into a file, also while a server runs
    #[command(after_help = "\
Example:
  cerrojo db backup /backup/cerrojo-2026-02-13.db

The master key is not in the copy. Keep the key file as well, and in another place.")]
    Backup {
        /// A file that does not exist yet
        file: PathBuf,
    },
    /// Put a backup in place; every session ends. No server may be running
    #[command(after_help = "Example:\n  cerrojo db restore /backup/cerrojo-2026-02-13.db")]
    Restore {
        /// A file that `db backup` wrote
        file: PathBuf,
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cluster {
    /// List the nodes, whether they are current, and how far each has read the log
    #[command(after_help = "\
States:
  current   renews its lease and has applied the whole log
  behind    renews its lease and has not applied the whole log yet; endings wait for it
  silent    has not renewed its lease while this command looked; after 2.2 s nobody waits for it any more

Exit code 0 if every node is current, otherwise 1.")]
    Status {
        #[command(flatten)]
        shape: Shape,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Look whether all settings are right
    Check,
    /// Show what is in effect and where it comes from; secrets are masked
    Show {
        #[command(flatten)]
        shape: Shape,
    },
    /// Print all settings there are, as Markdown
    Reference,
}

/// Ids are random and one in 64 begins with a hyphen; an option that was mistyped is no id.
fn id(text: &str) -> Result<String, String> {
    if text.starts_with('-') && text.len() < 22 {
        return Err("there is no such option, and no id is that short".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(arguments: &[&str]) -> Option<WhichSessions> {
        let line = ["cerrojo", "session", "end"].iter().chain(arguments);
        match Cli::try_parse_from(line).ok()?.command {
            Some(Command::Session(Session::End { which, .. })) => Some(which),
            _ => None,
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn an_id_may_begin_with_hyphens() {
        for id in ["-hq2-7wAAAAAAAAAAAAAAAA", "--q2-7wAAAAAAAAAAAAAAAA", "-Vq2-7wAAAAAAAAAAAAAAAA", "_x"] {
            assert_eq!(ended(&[id]).and_then(|which| which.id).as_deref(), Some(id));
        }
        assert_eq!(ended(&["--user", "a@b.c"]).and_then(|which| which.user).as_deref(), Some("a@b.c"));
        assert!(ended(&["--evryone"]).is_none());
        assert!(ended(&[]).is_none());
    }
}
