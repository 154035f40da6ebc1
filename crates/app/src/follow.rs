//! Keeping this process's lists and keys equal to the log.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cerrojo_domain::{Entry, Fact, Position};
use cerrojo_store::{Reader, commits, leases, lists, log, sessions};
use tokio::sync::Mutex;

use crate::{App, Lease, Trouble};

/// Entries read at once.
const CHUNK: i64 = 1000;
/// How long a command waits for the server beside which it runs.
const CONFIRMATION: Duration = Duration::from_secs(10);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(20);

/// How far this process has applied the log.
#[derive(Debug)]
pub(crate) struct Follower {
    applied: Mutex<Position>,
    /// What commands beside the server were told last.
    told: AtomicI64,
}

impl Follower {
    pub(crate) fn at(position: Position) -> Self {
        Self { told: AtomicI64::new(position.number), applied: Mutex::new(position) }
    }
}

/// Loads lists, bits and the times of last use, all as of one position of the log, which it returns.
pub(crate) async fn load(parts: &crate::app::Loading<'_>) -> Result<Position, Trouble> {
    let mut run: Reader = parts.store.snapshot().await?;
    let position = log::head(&mut run).await?;
    for list in lists::in_use(&mut run).await? {
        parts.guard.open_list(&list.name, list.capacity);
    }
    for (list, ended) in sessions::ended_bits(&mut run).await? {
        for index in ended {
            parts.guard.end(&list, index);
        }
    }
    if parts.idle_timeout.is_some() {
        for (list, index, at) in sessions::live_activity(&mut run).await? {
            parts.guard.seen(&list, index, at);
        }
    }
    Ok(position)
}

/// Applies entries that this process committed. What they say holds in memory when this returns, and so does all that
/// the log held before them.
pub(crate) async fn apply(app: &App, entries: &[Entry]) -> Result<(), Trouble> {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
    // At once, whatever becomes of the rest: bits know no order.
    for entry in entries {
        if let Fact::SessionEnded { list, index, .. } = &entry.fact {
            app.guard.end(list, *index);
        }
    }
    let mut applied = app.follower.applied.lock().await;
    if last.position.number <= applied.number {
        return Ok(());
    }
    if first.position.number > applied.number + 1 {
        return read_on(app, &mut applied).await;
    }
    apply_facts(app, entries).await?;
    advance(app, &mut applied, last.position.clone());
    Ok(())
}

/// Applies whatever the log has and this process has not.
pub async fn catch_up(app: &App) -> Result<(), Trouble> {
    let mut applied = app.follower.applied.lock().await;
    read_on(app, &mut applied).await
}

/// Applies the log up to entry `number` at least.
pub(crate) async fn reach(app: &App, number: i64) -> Result<(), Trouble> {
    let mut applied = app.follower.applied.lock().await;
    if applied.number >= number { Ok(()) } else { read_on(app, &mut applied).await }
}

/// One look at the log by the holder of the lease: applies what is new and confirms it to commands that wait.
pub(crate) async fn look(app: &App) -> Result<(), Trouble> {
    catch_up(app).await?;
    if app.lease == Lease::Guest {
        return Ok(());
    }
    // Whoever applied it: a logout may have come upon a command's entry before this look did.
    let number = app.follower.applied.lock().await.number;
    if number > app.follower.told.load(Ordering::Acquire) {
        leases::set_applied(&app.store, &app.node, number).await?;
        app.follower.told.fetch_max(number, Ordering::AcqRel);
    }
    if let Some(file) = &app.side_file {
        // Commands that end nothing commit too.
        report(file.note_commit(commits::count(&mut app.store.reader()).await?));
    }
    if app.keys.session_signer().is_err() {
        app.keys.make_missing(app).await?;
    }
    Ok(())
}

/// Returns when every process that may say yes has applied entry `number`.
pub(crate) async fn known_everywhere(app: &App, number: i64) -> Result<(), Trouble> {
    if app.lease == Lease::Holder {
        return Ok(());
    }
    let deadline = app.clock.elapsed() + CONFIRMATION;
    loop {
        let leases = leases::all(&mut app.store.reader()).await?;
        if leases.iter().any(|(_, _, applied)| *applied >= number) {
            return Ok(());
        }
        if app.clock.elapsed() >= deadline {
            return Err(Trouble::Unconfirmed(number));
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn read_on(app: &App, applied: &mut Position) -> Result<(), Trouble> {
    loop {
        // From the last one on, that one included: another mark there is another history.
        let entries = log::after(&mut app.store.reader(), applied.number - 1, CHUNK).await?;
        let new = match entries.split_first() {
            Some((last, new)) if last.position == *applied => new,
            _ if applied.number == 0 => &entries,
            _ => return Err(lost(app, "the database is not the one that this process has been following")),
        };
        let Some(last) = new.last() else { return Ok(()) };
        let mut numbers = (applied.number + 1)..;
        if !new.iter().all(|entry| Some(entry.position.number) == numbers.next()) {
            return Err(lost(app, "the log has a gap"));
        }
        apply_facts(app, new).await?;
        advance(app, applied, last.position.clone());
    }
}

/// What this process knows may not be so: it says yes no more.
fn lost(app: &App, why: &str) -> Trouble {
    app.guard.hold_lease_until(Duration::ZERO);
    tracing::error!("{why}: this process no longer answers, restart it");
    Trouble::Unavailable(why.to_owned())
}

async fn apply_facts(app: &App, entries: &[Entry]) -> Result<(), Trouble> {
    let mut keys_changed = false;
    for entry in entries {
        match &entry.fact {
            Fact::SessionEnded { list, index, .. } => {
                app.guard.end(list, *index);
            }
            Fact::KeyAdded { .. } => keys_changed = true,
            Fact::KeyRetired { key } => {
                app.guard.retire_key(key);
                keys_changed = true;
            }
            Fact::ListRetired { list } => app.guard.retire_list(list),
            Fact::EverythingOver { incarnation } => {
                app.blocks.forget();
                // Lists made since are new ones; if they cannot be told apart, nothing is kept. What is opened after the
                // names were asked for is new as well, whether or not it is read below.
                let known = app.guard.lists();
                let in_use = lists::in_use(&mut app.store.reader()).await;
                let kept: HashSet<_> = in_use.iter().flatten().map(|list| &list.name).collect();
                known.iter().filter(|name| !kept.contains(name)).for_each(|name| app.guard.retire_list(name));
                in_use?;
                if let Some(file) = &app.side_file {
                    report(file.note_incarnation(incarnation, &entry.position));
                }
            }
            Fact::Unknown { kind } => {
                app.guard.hold_lease_until(Duration::ZERO);
                tracing::error!(
                    kind,
                    number = entry.position.number,
                    "unknown kind of log entry: a newer version wrote it"
                );
                return Err(Trouble::Unavailable("the log holds what this version does not know".to_owned()));
            }
        }
    }
    if keys_changed { app.keys.refresh(&app.store).await } else { Ok(()) }
}

fn advance(app: &App, applied: &mut Position, position: Position) {
    if let Some(file) = &app.side_file {
        report(file.note_position(&position));
    }
    *applied = position;
}

/// A position that is behind is safe: it is still in the database.
pub(crate) fn report(written: std::io::Result<()>) {
    if let Err(error) = written {
        tracing::error!(%error, "the position file beside the database cannot be written");
    }
}
