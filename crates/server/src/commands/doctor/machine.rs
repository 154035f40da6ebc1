//! The machine: its clock, what it lets a process open, and as whom the server runs.

use std::path::Path;
use std::time::Duration;

use cerrojo_domain::UnixMillis;
use rustix::process::{Resource, getrlimit};

use super::{Finding, Patient};
use crate::open_files::wanted;

/// 2026-01-01: no clock was right before this program was written.
const WRITTEN: UnixMillis = UnixMillis(1_767_225_600_000);
/// 2100-01-01.
const FAR: UnixMillis = UnixMillis(4_102_444_800_000);
/// What the clock may be behind the times of files that the server has written.
const BEHIND: Duration = Duration::from_mins(1);

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let newest = super::files::made_by_the_server(&patient.configuration).iter().filter_map(|path| changed(path)).max();
    let limit = most_files(patient.serving.pid);
    let guards = patient.configuration.guards;
    vec![
        clock(patient.now, newest),
        synchronisation(&daemons()),
        running_as(patient),
        open_files(limit, (guards.services.into(), guards.anonymous.into()), patient.configuration.max_streams),
    ]
}

/// Whether the time of day can be right: expiry and idleness go by it.
fn clock(now: UnixMillis, newest: Option<UnixMillis>) -> Finding {
    const CHECK: &str = "clock";
    const SET_IT: &str = "set the clock (timedatectl set-ntp true): tokens and sessions expire by it";
    if now < WRITTEN || now > FAR {
        return Finding::problem(CHECK, format!("it says {}, which cannot be", now.rfc3339()), SET_IT);
    }
    match newest {
        Some(newest) if newest > now.plus(BEHIND) => Finding::problem(
            CHECK,
            format!("it says {}, but the server's files were changed at {}", now.rfc3339(), newest.rfc3339()),
            SET_IT,
        ),
        _ => Finding::ok(CHECK, format!("it says {}", now.rfc3339())),
    }
}

/// What keeps the clock right, as far as a process can see that.
fn synchronisation(daemons: &[String]) -> Finding {
    const CHECK: &str = "clock is kept right";
    const KNOWN: [&str; 5] = ["chronyd", "ntpd", "ntpsec", "openntpd", "ptp4l"];
    let seen = daemons.iter().find(|name| KNOWN.contains(&name.as_str()));
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Finding::ok(CHECK, "by systemd-timesyncd, which is synchronized");
    }
    if let Some(name) = seen {
        return Finding::ok(CHECK, format!("by {name}"));
    }
    if daemons.iter().any(|name| name.starts_with("systemd-timesyn")) {
        return Finding::warning(
            CHECK,
            "systemd-timesyncd runs and has not synchronized",
            "let it reach an NTP server: timedatectl timesync-status",
        );
    }
    if daemons.iter().any(|name| name == "systemd") {
        return Finding::warning(
            CHECK,
            "nothing that keeps it right (NTP) runs on this machine",
            "timedatectl set-ntp true, or install chrony; a machine whose host keeps its clock needs neither",
        );
    }
    Finding::skipped(CHECK, "in a container the clock is the host's: look there (timedatectl)")
}

/// As whom the server runs, or this command if none does.
fn running_as(patient: &Patient) -> Finding {
    const CHECK: &str = "user";
    let me = rustix::process::geteuid().as_raw();
    match patient.serving.user {
        Some(0) => Finding::warning(
            CHECK,
            "the server runs as root, or did: whatever goes wrong in it has the whole machine",
            "give it a user of its own: User=cerrojo in its unit, chown -R cerrojo its files (docs/OPERATIONS.md, «Install»)",
        ),
        Some(user) if user == me || me == 0 => Finding::ok(CHECK, format!("the server runs as {}", name_of(user))),
        Some(user) => Finding::warning(
            CHECK,
            format!(
                "the server runs as {0}, and this command as {1}: what {1} may not read is not looked at",
                name_of(user),
                name_of(me)
            ),
            format!("sudo -u {} cerrojo doctor", name_of(user)),
        ),
        None if me == 0 => Finding::warning(
            CHECK,
            "nothing was made yet, and this command runs as root: a server should not",
            "start the server as a user of its own (docs/OPERATIONS.md, «Install»)",
        ),
        None => Finding::ok(CHECK, format!("nothing was made yet; this command runs as {}", name_of(me))),
    }
}

/// Whether as many files may be open as connections are allowed.
fn open_files(limit: Option<u64>, (services, anonymous): (u64, u64), streams: u32) -> Finding {
    const CHECK: &str = "open files";
    const RAISE: &str = "LimitNOFILE=65536 in the server's unit, or ulimit -Hn 65536 before it starts";
    let guards = services.saturating_add(anonymous);
    match limit {
        Some(limit) if limit < guards.saturating_add(256) => {
            Finding::problem(CHECK, format!("{limit} at most, and {guards} guards alone may follow (guards.*)"), RAISE)
        }
        Some(limit) if limit < wanted(streams) => Finding::warning(
            CHECK,
            format!("{limit} at most: fewer than 4096 connections and {streams} streams (events.max_streams) need"),
            RAISE,
        ),
        Some(limit) => Finding::ok(CHECK, format!("{limit} at most")),
        None => Finding::ok(CHECK, "as many as it wants"),
    }
}

/// How many files the server may open; where it is not known which one it is, as many as this command.
fn most_files(server: Option<u32>) -> Option<u64> {
    let limits = server.and_then(|server| std::fs::read_to_string(format!("/proc/{server}/limits")).ok());
    let of_server = limits.as_deref().and_then(|limits| {
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
        line.split_whitespace().next()?.parse().ok()
    });
    of_server.or_else(|| getrlimit(Resource::Nofile).maximum)
}

fn changed(path: &Path) -> Option<UnixMillis> {
    let at = std::fs::metadata(path).ok()?.modified().ok()?;
    let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(UnixMillis(0).plus(since))
}

/// Names of all processes.
fn daemons() -> Vec<String> {
    let Ok(all) = std::fs::read_dir("/proc") else { return Vec::new() };
    let name = |entry: std::fs::DirEntry| std::fs::read_to_string(entry.path().join("comm")).ok();
    all.flatten().filter_map(name).map(|name| name.trim().to_owned()).collect()
}

/// A user by name, or by number.
pub(super) fn name_of(user: u32) -> String {
    let all = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let number = user.to_string();
    let named = all.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    named.unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn a_clock_that_cannot_be_right_is_a_problem() {
        let now = WRITTEN.plus(Duration::from_hours(24));
        assert_eq!(clock(now, None).level, Level::Ok);
        assert_eq!(clock(now, Some(now.plus(Duration::from_secs(5)))).level, Level::Ok);
        let behind = clock(now, Some(now.plus(Duration::from_hours(1))));
        assert!(behind.level == Level::Problem && behind.says.contains("2026-01-02T01:00:00"), "{behind:?}");
        assert_eq!(clock(UnixMillis(0), None).level, Level::Problem);
    }

    #[test]
    fn what_keeps_the_clock_is_named() {
        let running = |names: &[&str]| synchronisation(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(running(&["systemd", "chronyd"]).says, "by chronyd");
        let none = running(&["systemd", "sshd"]);
        assert!(none.level == Level::Warning && none.remedy.is_some_and(|remedy| remedy.contains("set-ntp")));
        assert_eq!(running(&["cerrojo"]).level, Level::Skipped);
    }

    #[test]
    fn few_files_are_held_against_the_guards_that_may_follow() {
        assert_eq!(open_files(Some(65536), (1024, 256), 20_000).level, Level::Ok);
        assert_eq!(open_files(None, (1024, 256), 20_000).level, Level::Ok);
        assert_eq!(open_files(Some(8192), (1024, 256), 20_000).level, Level::Warning);
        let few = open_files(Some(1024), (1024, 256), 20_000);
        assert!(few.level == Level::Problem && few.says.contains("1280 guards"), "{few:?}");
    }
}
