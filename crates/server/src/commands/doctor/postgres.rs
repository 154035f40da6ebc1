//! A PostgreSQL server: whether it keeps what it was told, and how it is reached.

use std::time::Duration;

use cerrojo_app::Failover;
use cerrojo_domain::{Clock as _, SystemClock, UnixMillis};
use cerrojo_store::look::{self, Server};

use super::database::Opened;
use super::finding::Report;
use super::{Finding, Patient};
use crate::config::PostgresUrl;
use crate::failure::Failure;
use crate::open;

/// A difference between clocks that is seen to, and one that is not to be borne.
const CLOCKS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

pub(super) async fn open(patient: &Patient, url: &PostgresUrl, report: &mut Report) -> Option<Opened> {
    const CHECK: &str = "database";
    let clock = SystemClock::new();
    let before = clock.now();
    let server = match look::at(&url.text).await {
        Ok(server) => server,
        Err(error) => {
            report.add([Finding::failed(CHECK, &Failure::from(error))
                .with_remedy("look at database.url: `cerrojo config show`")]);
            return None;
        }
    };
    let version = format!("PostgreSQL {}.{}", server.version / 10_000, server.version % 10_000);
    report.add([Finding::ok(CHECK, format!("{version} answers"))]);
    report.add([durability(&server), standby(&server), failover(&server, patient.configuration.app.failover)]);
    report.add([encryption(&server), timeouts(&server), pooler(&server), clocks(&server, (before, clock.now()))]);
    match open::remote(url, 1).await {
        Ok(store) => Some(Opened { store, _lock: None }),
        Err(failure) => {
            report.add([Finding::failed("what is in it", &failure)]);
            None
        }
    }
}

/// Whether what was committed is still there after a crash.
fn durability(server: &Server) -> Finding {
    const CHECK: &str = "durability";
    if server.fsync == "off" {
        return Finding::problem(
            CHECK,
            "fsync = off: a crash loses logouts, and no node starts",
            "ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf();",
        );
    }
    if server.full_page_writes == "off" {
        return Finding::problem(
            CHECK,
            "full_page_writes = off: a crash may leave half-written pages, unless the file system never tears one (ZFS)",
            "ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf();",
        );
    }
    match server.synchronous_commit.as_str() {
        commit @ ("off" | "local") => {
            let says = format!("synchronous_commit = {commit}, which nodes overrule where a logout would be lost");
            Finding::warning(
                CHECK,
                says,
                "ALTER ROLE … SET synchronous_commit = on, so that nothing else is lost either",
            )
        }
        commit => Finding::ok(CHECK, format!("fsync = on, full_page_writes = on, synchronous_commit = {commit}")),
    }
}

fn standby(server: &Server) -> Finding {
    const CHECK: &str = "primary";
    if server.is_standby {
        return Finding::problem(
            CHECK,
            "database.url leads to a standby, which takes no writes",
            "let it lead to the primary, or promote the standby (docs/OPERATIONS.md, «Backups, restores and failovers»)",
        );
    }
    Finding::ok(CHECK, "it takes writes")
}

fn failover(server: &Server, setting: Failover) -> Finding {
    const CHECK: &str = "failover";
    let standbys = &server.synchronous_standbys;
    match (setting, standbys.is_empty()) {
        (Failover::Synchronous, true) => Finding::problem(
            CHECK,
            "database.failover is synchronous, and synchronous_standby_names is empty: a promotion may lose logouts",
            "set synchronous_standby_names on the primary, or database.failover = \"end-all\"",
        ),
        (Failover::Synchronous, false) => {
            Finding::ok(CHECK, format!("a promotion loses nothing (synchronous_standby_names = {standbys})"))
        }
        (Failover::EndAll, _) => Finding::ok(CHECK, "a promotion ends every session (database.failover = end-all)"),
    }
}

fn encryption(server: &Server) -> Finding {
    const CHECK: &str = "database TLS";
    match &server.tls {
        Some(version) => Finding::ok(CHECK, version.as_str()),
        None if server.is_here => Finding::ok(CHECK, "none: the server is on this machine"),
        None => Finding::warning(
            CHECK,
            "the connection is not encrypted: hashes of passwords and codes of reset links travel over it",
            "turn ssl on at the server and leave sslmode out of database.url, or set it to verify-full",
        ),
    }
}

fn timeouts(server: &Server) -> Finding {
    const CHECK: &str = "timeouts";
    let set: Vec<String> = server.timeouts.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    if set.is_empty() {
        return Finding::ok(CHECK, "none cut a node off");
    }
    let says = format!("{} for this role and database: nodes lose connections or work by it", set.join(", "));
    let names: Vec<String> = server.timeouts.iter().map(|(name, _)| format!("ALTER ROLE … SET {name} = 0;")).collect();
    Finding::warning(CHECK, says, names.join(" "))
}

fn pooler(server: &Server) -> Finding {
    const CHECK: &str = "pooler";
    if server.is_pooled {
        return Finding::warning(
            CHECK,
            "one in transaction mode is between: no notification gets through it, so nodes look every 50 ms",
            "let database.url lead to the server itself, or to a pool in session mode; PgBouncer needs 1.21 and max_prepared_statements above 0",
        );
    }
    Finding::ok(CHECK, "none in transaction mode")
}

/// `around`: this machine's time before and after the server was asked.
fn clocks(server: &Server, around: (UnixMillis, UnixMillis)) -> Finding {
    const CHECK: &str = "database clock";
    let theirs = UnixMillis(server.time);
    let off = theirs.since(around.1).max(around.0.since(theirs));
    let says = format!("{:.1} s from this machine's", off.as_secs_f64());
    let remedy = "keep both clocks right (NTP): expiry and idleness go by the time of day";
    match off {
        off if off > CLOCKS.1 => Finding::problem(CHECK, says, remedy),
        off if off > CLOCKS.0 => Finding::warning(CHECK, says, remedy),
        _ => Finding::ok(CHECK, says),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn server() -> Server {
        Server {
            version: 150_004,
            fsync: "on".to_owned(),
            full_page_writes: "on".to_owned(),
            synchronous_commit: "on".to_owned(),
            synchronous_standbys: String::new(),
            is_standby: false,
            connections: 97,
            timeouts: Vec::new(),
            tls: None,
            is_here: true,
            is_pooled: false,
            time: 1_000_000,
        }
    }

    #[test]
    fn what_a_crash_would_lose_is_a_problem() {
        assert_eq!(durability(&server()).level, Level::Ok);
        assert_eq!(durability(&Server { full_page_writes: "off".to_owned(), ..server() }).level, Level::Problem);
        let off = durability(&Server { fsync: "off".to_owned(), ..server() });
        assert!(off.level == Level::Problem && off.remedy.is_some_and(|remedy| remedy.contains("fsync = on")));
    }

    #[test]
    fn a_way_that_is_open_or_shared_is_told_of() {
        assert_eq!(encryption(&server()).level, Level::Ok);
        assert_eq!(encryption(&Server { is_here: false, ..server() }).level, Level::Warning);
        assert_eq!(encryption(&Server { is_here: false, tls: Some("TLSv1.3".to_owned()), ..server() }).says, "TLSv1.3");
        assert_eq!(pooler(&Server { is_pooled: true, ..server() }).level, Level::Warning);
        assert_eq!(standby(&Server { is_standby: true, ..server() }).level, Level::Problem);
        let with_standby = Server { synchronous_standbys: "b".to_owned(), ..server() };
        assert_eq!(failover(&with_standby, Failover::Synchronous).level, Level::Ok);
    }

    #[test]
    fn clocks_are_compared_as_well_as_the_way_between_allows() {
        let found = |theirs, before, after| {
            clocks(&Server { time: theirs, ..server() }, (UnixMillis(before), UnixMillis(after)))
        };
        assert_eq!(found(1_000_000, 999_000, 1_001_000).says, "0.0 s from this machine's");
        assert_eq!(found(1_005_000, 999_000, 1_000_000).level, Level::Warning);
        assert_eq!(found(900_000, 999_000, 1_000_000).level, Level::Problem);
    }
}
