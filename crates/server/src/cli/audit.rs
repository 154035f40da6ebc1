//! `cerrojo audit`.

use std::net::IpAddr;
use std::path::PathBuf;

use cerrojo_domain::{AuditKind, Clock as _, SystemClock, UnixMillis};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueHint};

use super::{FileFormat, Shape};
use crate::config::duration;

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Look through the trail, the newest entries first
    #[command(after_help = "\
Examples:
  cerrojo audit list --user ana@example.com          what was done by Ana and to Ana's account
  cerrojo audit list --session 3q2-7wAAAAAAAAAAAAAAAA    how this session began, and who ended it
  cerrojo audit list --kind sign_in --since 24h      sign-ins that were refused since yesterday
  cerrojo audit list --kind account.role_changed --by operator
  cerrojo audit list --address 203.0.113.9 --json

Kinds are groups and acts: `--kind session` is session.began, session.ended and session.everything_ended. A position of - means
that the entry is not in the chain yet; a running server puts it there within a second or so.")]
    List {
        #[command(flatten)]
        which: Which,
        /// Entries, at most
        #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        limit: i64,
        #[command(flatten)]
        shape: Shape,
    },
    /// Write the trail into a file, the oldest entries first
    #[command(after_help = "\
Examples:
  cerrojo audit export audit.jsonl                   all of it, one JSON object a line
  cerrojo audit export audit.csv --since 2026-01-01 --until 2026-02-01
  cerrojo audit export --format jsonl | gzip > audit.jsonl.gz

In CSV a cell that a spreadsheet would take for a formula begins with an apostrophe.")]
    Export {
        /// A file that does not exist yet; - is standard output
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, default_value = "-")]
        file: PathBuf,
        /// What to write, if the file's name does not tell
        #[arg(long)]
        format: Option<FileFormat>,
        #[command(flatten)]
        between: Between,
    },
    /// Say where the chain is: the position of its last entry, and its mac
    #[command(after_help = "\
Example:
  cerrojo audit head >> /somewhere/else/heads

Keep it where whoever changes the database cannot: `cerrojo audit verify --head` tells later whether it is still in the chain. The
server says it in its log as well, at the start and once a day.")]
    Head,
    /// Look whether the trail is whole: nothing changed, removed or put in
    #[command(after_help = "\
Examples:
  cerrojo audit verify
  cerrojo audit verify --head 4711:9f2c…             and whether that entry is still what it was

It works while the server runs, and needs the master key: without it nobody can make an entry. What it cannot know is that the
whole database was put back to an earlier state, or that the newest entries were removed by who kept an older copy of it; that is
what --head is for.

Exit codes: 0 the chain holds, 1 it does not (each fault is told, with its position), 2 not understood.")]
    Verify {
        /// What `cerrojo audit head` or the server's log said earlier
        #[arg(long, value_name = "POSITION:MAC", value_parser = noted)]
        head: Option<(i64, String)>,
    },
}

/// Which entries.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// About this user, by number or e-mail address (of one who was deleted, by number)
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Of this kind, or group of kinds
    #[arg(long, value_name = "KIND", value_parser = kinds(), hide_possible_values = true)]
    pub(crate) kind: Option<String>,
    /// Done by this user (by number or e-mail address), or by operator, server, nobody, user or administrator
    #[arg(long, value_name = "WHO")]
    pub(crate) by: Option<String>,
    /// About this session, or done by it
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub(crate) session: Option<String>,
    /// From this network address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Option<IpAddr>,
    #[command(flatten)]
    pub(crate) between: Between,
    /// Only entries before the one of this number (--json shows numbers as id)
    #[arg(long, value_name = "ID")]
    pub(crate) before: Option<i64>,
}

/// Of which time.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Between {
    /// From this time on: a date, a time (2026-02-13T10:00:00Z), or so long ago (24h, 7d)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<UnixMillis>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<UnixMillis>,
}

fn time(text: &str) -> Result<UnixMillis, String> {
    time_at(text, SystemClock::new().now())
}

fn time_at(text: &str, now: UnixMillis) -> Result<UnixMillis, String> {
    let ago = || duration(text).ok().map(|ago| now.minus(ago));
    UnixMillis::parse(text)
        .or_else(ago)
        .ok_or_else(|| "expects a date, a time such as 2026-02-13T10:00:00Z, or so long ago, such as 24h".to_owned())
}

fn noted(text: &str) -> Result<(i64, String), String> {
    let parsed = text.split_once(':').and_then(|(position, mac)| {
        let is_mac = mac.len() == 64 && mac.bytes().all(|byte| byte.is_ascii_hexdigit());
        let position = position.parse().ok().filter(|position| *position > 0)?;
        is_mac.then(|| (position, mac.to_ascii_lowercase()))
    });
    parsed.ok_or_else(|| {
        "expects a position, a colon and a mac of 64 hexadecimal digits, as `cerrojo audit head` says them".to_owned()
    })
}

fn kinds() -> PossibleValuesParser {
    let mut names: Vec<&str> = AuditKind::ALL.iter().map(|kind| kind.as_str()).collect();
    names.extend(AuditKind::ALL.iter().filter_map(|kind| kind.as_str().split('.').next()));
    names.sort_unstable();
    names.dedup();
    PossibleValuesParser::new(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_read_as_it_is_said() {
        let mac = "0123456789abcdef".repeat(4);
        assert_eq!(noted(&format!("7:{mac}")), Ok((7, mac.clone())));
        for text in ["", "7", &mac, &format!("0:{mac}"), &format!("7:{}", &mac[1..]), &format!("x:{mac}")] {
            assert!(noted(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_is_a_date_or_so_long_ago() {
        let now = UnixMillis(10_000_000_000);
        assert_eq!(time_at("1970-01-02", now), Ok(UnixMillis(86_400_000)));
        assert_eq!(time_at("1h", now), Ok(UnixMillis(10_000_000_000 - 3_600_000)));
        assert!(time_at("yesterday", now).is_err());
    }
}
