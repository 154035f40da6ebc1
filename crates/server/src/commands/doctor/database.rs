//! The database: opened to be looked at, whichever engine it is.

use cerrojo_domain::UnixMillis;
use cerrojo_store::{Store, keys as store_keys, outbox};

use super::finding::Report;
use super::{Depth, Finding, Patient, keys, nodes, postgres, sqlite};
use crate::commands::db;
use crate::config::Database;

/// What later checks want to know of the database.
#[derive(Default)]
pub(super) struct Known {
    /// Names of the public keys in use; none: the database could not be asked.
    pub(super) keys: Option<Vec<String>>,
}

/// Mail that waits longer than that is stuck.
const STUCK: std::time::Duration = std::time::Duration::from_hours(1);

pub(super) async fn look(patient: &Patient, report: &mut Report) -> Known {
    let opened = match &patient.configuration.database {
        Database::Sqlite(_) => sqlite::open(patient, report).await,
        Database::Postgres(url) => postgres::open(patient, url, report).await,
    };
    let Some(opened) = opened else { return Known::default() };
    let known = within(patient, &opened.store, report).await;
    if patient.depth == Depth::Whole && known.keys.is_some() {
        report.add([whole(&opened.store).await]);
    }
    opened.store.close().await;
    known
}

/// A database to look at, and what keeps servers out meanwhile where that is needed.
pub(super) struct Opened {
    pub(super) store: Store,
    /// Keeps servers out for as long, where none runs: see [`Lock::look`](crate::lock::Lock::look).
    pub(super) _lock: Option<std::fs::File>,
}

async fn within(patient: &Patient, store: &Store, report: &mut Report) -> Known {
    let schema = schema(patient, store).await;
    let is_current = schema.level == super::finding::Level::Ok;
    report.add([schema]);
    if !is_current {
        report.add([Finding::skipped("what is in it", "the schema has to be current first")]);
        return Known::default();
    }
    if store.is_sqlite() {
        report.add([Finding::ok("nodes", "one server at a time (SQLite)")]);
    } else {
        report.add(nodes::look(patient, store).await);
    }
    report.add([keys::look(patient, store).await, backlog(store, patient.now).await]);
    let keys = store_keys::all(&mut store.reader()).await.ok();
    let in_use = |key: &store_keys::Key| key.retired_at.is_none() && !key.public.is_empty();
    let names = keys.map(|keys| keys.iter().filter(|key| in_use(key)).map(|key| key.id.to_string()).collect());
    Known { keys: names }
}

async fn schema(patient: &Patient, store: &Store) -> Finding {
    const CHECK: &str = "schema";
    let version = env!("CARGO_PKG_VERSION");
    match store.is_begun().await {
        Ok(false) => return Finding::warning(CHECK, "the database is empty", "`cerrojo serve` makes what it needs"),
        Ok(true) => {}
        Err(error) => return Finding::failed(CHECK, &error.into()),
    }
    match store.schema_is_current().await {
        Ok(true) => Finding::ok(CHECK, format!("that of {version}")),
        Ok(false) if patient.serving.runs() => Finding::warning(
            CHECK,
            format!("older than this program, {version}: the server that runs is of an earlier release"),
            "restart the server with this program: systemctl restart cerrojo",
        ),
        Ok(false) => Finding::warning(
            CHECK,
            format!("older than this program, {version}"),
            "make a backup; the next start, or `cerrojo db migrate`, brings it up to date",
        ),
        Err(error) => Finding::failed(CHECK, &error.into()),
    }
}

/// Whether mail leaves.
async fn backlog(store: &Store, now: UnixMillis) -> Finding {
    match outbox::waiting(&mut store.reader(), now).await {
        Ok(waiting) => stuck(&waiting, now),
        Err(error) => Finding::failed("mail that waits", &error.into()),
    }
}

fn stuck(waiting: &outbox::Waiting, now: UnixMillis) -> Finding {
    const CHECK: &str = "mail that waits";
    let age = waiting.oldest.map(|oldest| now.since(oldest)).unwrap_or_default();
    let says = format!("{} wait, the oldest for {} min", waiting.all, age.as_secs() / 60);
    if waiting.all == 0 {
        Finding::ok(CHECK, "none")
    } else if age > STUCK {
        Finding::warning(
            CHECK,
            says,
            "`cerrojo mail list` says what went wrong, `cerrojo mail test EMAIL` whether it still does",
        )
    } else {
        Finding::ok(CHECK, says)
    }
}

/// Reads all of it.
async fn whole(store: &Store) -> Finding {
    const CHECK: &str = "whole database";
    match db::problems(store).await {
        Ok(problems) if problems.is_empty() => Finding::ok(CHECK, "it is whole and does not contradict itself"),
        Ok(problems) => Finding::problem(
            CHECK,
            problems.join("; "),
            "stop the server and restore the newest backup that `cerrojo db check` finds whole (docs/OPERATIONS.md, «Backup and restore»)",
        ),
        Err(failure) => Finding::failed(CHECK, &failure),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn mail_is_stuck_after_an_hour() {
        let now = UnixMillis(10 * 3_600_000);
        let waiting = |hours: i64| outbox::Waiting { all: 3, due: 1, oldest: Some(UnixMillis(hours * 3_600_000)) };
        let found = stuck(&waiting(8), now);
        assert!(found.level == Level::Warning && found.says == "3 wait, the oldest for 120 min", "{found:?}");
        assert_eq!(stuck(&waiting(10), now).level, Level::Ok);
        assert_eq!(stuck(&outbox::Waiting { all: 0, due: 0, oldest: None }, now).says, "none");
    }
}
