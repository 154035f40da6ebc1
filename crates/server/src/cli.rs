//! The command line.

mod audit;
mod breached;
mod doctor;
mod import;
mod mail;
mod users;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

pub(crate) use self::audit::{Audit, Between, Which as WhichEntries};
pub(crate) use self::breached::{BreachedList, BuildList, SourceFormat};
pub(crate) use self::doctor::Doctor;
pub(crate) use self::import::{FileFormat, Import, ImportField};
pub(crate) use self::mail::Mail;
pub(crate) use self::users::WhichUsers;

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
  cerrojo doctor                                 is all well, and what to do if not

Commands that change something work beside a running server: they succeed when it has confirmed.
Exit codes: 0 done, 1 error, 2 not understood, 3 done but not confirmed by the running server within 10 s."
)]
pub(crate) struct Cli {
    /// File of settings [default: cerrojo.toml or /etc/cerrojo/cerrojo.toml, if there is one]
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
    ///
    /// It speaks plain HTTP, for a proxy in front, or TLS with `server.tls_certificate` and `server.tls_key`. SIGTERM and
    /// SIGINT stop it when what has begun is answered; SIGHUP has it read the certificate anew. systemd is told how it is
    /// (`Type=notify`, with a watchdog if it asks for one), and sockets that systemd passes by the names cerrojo and cerrojo-metrics are served on.
    Serve(Serve),
    /// See and change accounts
    #[command(subcommand)]
    User(User),
    /// See and end sessions
    #[command(subcommand)]
    Session(Session),
    /// Look through the audit trail, and whether it is whole
    #[command(subcommand)]
    Audit(Audit),
    /// See and change the keys that sign tokens
    #[command(subcommand)]
    Key(Key),
    /// See and change the services that may follow this server
    #[command(subcommand)]
    Service(Service),
    /// Try, look at and follow mail
    #[command(subcommand)]
    Mail(Mail),
    /// Look after the database
    #[command(subcommand)]
    Db(Db),
    /// Look at the nodes of an installation on PostgreSQL
    #[command(subcommand)]
    Cluster(Cluster),
    /// Build and ask a list of passwords that were breached
    #[command(subcommand)]
    BreachedList(BreachedList),
    /// Look at the settings
    #[command(subcommand)]
    Config(Config),
    /// Look whether all is well with this installation, and say what to do about what is not
    #[command(after_help = doctor::HELP)]
    Doctor(Doctor),
    /// Ask the server of this machine whether it may be sent requests
    #[command(after_help = "\
Asks `/health/ready` at `server.listen`; 3 s at most. Exit code 0 if it may, otherwise 1: what a container's health check needs.

Example:
  HEALTHCHECK CMD [\"/cerrojo\", \"health\"]")]
    Health(Health),
    /// Print completions for a shell
    #[command(after_help = "Example:\n  cerrojo completions bash > /etc/bash_completion.d/cerrojo")]
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write the manual pages
    #[command(after_help = "\
Examples:
  cerrojo man /usr/local/share/man               a page for each command, and cerrojo.toml(5)
  cerrojo man pages && man pages/man5/cerrojo.toml.5")]
    Man {
        /// The folder to write them into, which gets folders man1 and man5
        #[arg(value_name = "FOLDER", value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
}

/// What is asked of a server.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Health {
    /// Only whether it runs (`/health/live`)
    #[arg(long)]
    pub(crate) live: bool,
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
        /// Mail to the address is known to reach the person: it counts as confirmed
        #[arg(long)]
        email_verified: bool,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// Invite somebody, who sets a name and a password by a link
    #[command(after_help = "\
Examples:
  cerrojo user invite ana@example.com --role admin
  cerrojo user invite ana@example.com --name \"Ana Ruiz\"

The link goes by mail, from the running server. Where there is no mail server (mail.url is not set) no mail is written: the
link is printed, this once, for you to hand over. It works once, for `register.invitation_ttl`.")]
    Invite {
        /// E-mail address
        email: String,
        /// What the person is called; whoever accepts may give another name
        #[arg(long)]
        name: Option<String>,
        /// admin, user, or a role declared under [roles]
        #[arg(long, default_value = "user")]
        role: String,
    },
    /// List invitations that were not accepted yet, the newest first
    Invitations {
        #[command(flatten)]
        shape: Shape,
    },
    /// Send another link to somebody who was invited; the one of before works no more
    ResendInvitation {
        /// E-mail address
        email: String,
    },
    /// Take an invitation back: its link works no more
    RevokeInvitation {
        /// E-mail address
        email: String,
    },
    /// List people who registered and have not confirmed their address yet (`register.verification = "required"`), the newest first
    #[command(after_help = "\
There is no account of theirs yet, so no other command knows of them. Whoever lost the mail registers again, or asks for the link
again. To let somebody in on your own word: `cerrojo user add --email-verified`, or `cerrojo user invite`.")]
    Registrations {
        #[command(flatten)]
        shape: Shape,
    },
    /// Forget a registration whose address was not confirmed yet: its links work no more
    ForgetRegistration {
        /// E-mail address
        email: String,
    },
    /// List users, the newest first
    #[command(after_help = "\
Examples:
  cerrojo user list
  cerrojo user list --search garcia --sort name        García as well: case and accents do not matter
  cerrojo user list --status suspended --role admin

What is looked for is a part of the name or the e-mail address, or the number. A list has 10000 users at most, and says so if there
are more; `cerrojo user export` writes all of them.")]
    List {
        #[command(flatten)]
        whom: WhichUsers,
        #[command(flatten)]
        shape: Shape,
    },
    /// Show a user
    #[command(after_help = "Examples:\n  cerrojo user show ana@example.com\n  cerrojo user show 17")]
    Show {
        /// E-mail address, or the user's number
        #[arg(value_name = "EMAIL|ID")]
        email: String,
        #[command(flatten)]
        shape: Shape,
    },
    /// Show all that is kept of a person, as JSON
    #[command(after_help = "\
Example:
  cerrojo user data ana@example.com > ana.json

The account, its sessions with devices and addresses, the addresses that it signed in from, the mails that were sent to it, and
what the audit trail says of it: what a person may ask for. That you asked is in the trail as well. The hash of the password is left out.")]
    Data {
        /// E-mail address
        email: String,
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
    /// Say whether mail to a user's address is known to reach the user; ends nothing
    #[command(after_help = "Example:\n  cerrojo user set-email-verified ana@example.com true")]
    SetEmailVerified {
        /// E-mail address
        email: String,
        /// true or false
        #[arg(action = clap::ArgAction::Set)]
        verified: bool,
    },
    /// Set a user's password; ends every session of the user
    #[command(after_help = "Example:\n  cerrojo user set-password ana@example.com --password-stdin < password.txt")]
    SetPassword {
        /// E-mail address
        email: String,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// Take a user's password away: it works no more, every session ends, and a link to choose another goes by mail
    #[command(after_help = "\
Example:
  cerrojo user force-reset ana@example.com
  cerrojo user force-reset ana@example.com --yes

For when a password may be known to somebody else. The link works for an hour, and five an hour are sent at most; after that the
person asks for another as for a forgotten password. To set one yourself: `cerrojo user set-password`.")]
    ForceReset {
        /// E-mail address
        email: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// Take over the users of another application, with their passwords
    #[command(after_help = import::HELP)]
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

#[derive(Debug, Subcommand)]
pub(crate) enum Session {
    /// List a user's sessions
    #[command(after_help = "\
Examples:
  cerrojo session list --user ana@example.com
  cerrojo session list --user ana@example.com --ended    who ended them, and why

`cerrojo audit list --session ID` tells more of one of them, and for longer.")]
    List {
        /// E-mail address
        #[arg(long, value_name = "EMAIL")]
        user: String,
        /// Also those that ended in the last 30 days (`retention.ended_sessions`): when, why and by whom
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
