//! Keeping this process's lists and keys equal to the log.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use cerrojo_domain::{Entry, Fact, ListName, Position};
use cerrojo_store::{Reader, commits, leases, lists, log, sessions, snapshots};
use tokio::sync::{Mutex, MutexGuard};

use crate::went_back::{self, Verdict};
use crate::{App, Lease, Trouble, lease};

/// Entries read at once.
const CHUNK: i64 = 1000;
/// How long others are waited for before it is said that they have not confirmed.
const CONFIRMATION: Duration = Duration::from_secs(10);
/// How often it is looked whether they have, where no word of it comes.
const LOOK: Duration = Duration::from_millis(20);

/// How far this process has applied the log.
#[derive(Debug)]
pub(crate) struct Follower {
    applied: Mutex<Applied>,
    /// The same number, for whoever need not wait.
    number: AtomicI64,
    /// What others were told last.
    told: AtomicI64,
    /// The server that the database was on, and which history of it.
    identity: SyncMutex<String>,
    flushed: AtomicI64,
}

/// Where in which history.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    pub(crate) position: Position,
    pub(crate) incarnation: String,
}

impl Follower {
    pub(crate) fn at(applied: Applied, (identity, flushed): (String, i64)) -> Self {
        let number = applied.position.number;
        Self {
            told: AtomicI64::new(number),
            number: AtomicI64::new(number),
            applied: Mutex::new(applied),
            identity: SyncMutex::new(identity),
            flushed: AtomicI64::new(flushed),
        }
    }

    /// The number of the last entry applied.
    pub(crate) fn number(&self) -> i64 {
        self.number.load(Ordering::Acquire)
    }

    /// Whether this is the server, and the history of it, that this process follows.
    pub(crate) fn is_on(&self, identity: &str) -> bool {
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) == identity
    }

    /// From now on this one.
    pub(crate) fn moved_to(&self, verdict: &Verdict) {
        verdict.identity.clone_into(&mut self.identity.lock().unwrap_or_else(PoisonError::into_inner));
        self.flushed.store(verdict.flushed, Ordering::Release);
    }

    /// How far the server's write-ahead log was on the disk, at the least.
    pub(crate) fn flushed(&self) -> i64 {
        self.flushed.load(Ordering::Acquire)
    }

    /// It is so far now.
    pub(crate) fn has_flushed(&self, flushed: i64) {
        self.flushed.fetch_max(flushed, Ordering::AcqRel);
    }

    /// While this is held nothing is applied.
    pub(crate) async fn hold_still(&self) -> MutexGuard<'_, Applied> {
        self.applied.lock().await
    }
}

/// Loads lists, bits and the times of last use, all as of one position of the log, which it returns with the lists in use.
pub(crate) async fn load(parts: &crate::app::Loading<'_>) -> Result<(Applied, HashSet<ListName>), Trouble> {
    let mut run: Reader = parts.store.control_snapshot().await?;
    let position = log::head(&mut run).await?;
    let incarnation = log::incarnation(&mut run).await?;
    let mut names = HashSet::new();
    for list in lists::in_use(&mut run).await? {
        parts.guard.open_list(&list.name, list.capacity);
        names.insert(list.name);
    }
    for (list, ended) in snapshots::endings(&mut run).await? {
        parts.guard.end_all(&list, &ended.bits);
        for index in ended.since {
            parts.guard.end(&list, index);
        }
    }
    if parts.idle_timeout.is_some() {
        // A list at a time: of millions of sessions all together would take a hundred times the room that is kept.
        for list in &names {
            for (index, at) in sessions::live_activity(&mut run, list).await? {
                parts.guard.seen(list, index, at);
            }
        }
    }
    Ok((Applied { position, incarnation }, names))
}

/// Applies entries that this process committed. What they say holds in memory when this returns, and so does all that
/// the log held before them.
///
/// `after`: where the log stood before them.
pub(crate) async fn apply(app: &App, entries: &[Entry], after: &Position) -> Result<(), Trouble> {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
    // At once, whatever becomes of the rest: bits know no order.
    for entry in entries {
        if let Fact::SessionEnded { list, index, .. } = &entry.fact {
            app.guard.end(list, *index);
        }
    }
    let mut applied = app.follower.applied.lock().await;
    if last.position.number <= applied.position.number {
        return Ok(());
    }
    if first.position.number > applied.position.number + 1 || applied.position != *after {
        // Something came between, or they continue another history than this process has read.
        return read_on(app, &mut applied).await;
    }
    apply_facts(app, &mut applied, entries).await?;
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
    if applied.position.number >= number { Ok(()) } else { read_on(app, &mut applied).await }
}

/// Does `then` if the log is applied up to entry `number` and nothing speaks against it, while nothing is applied.
pub(crate) async fn if_current(app: &App, number: i64, then: impl FnOnce()) -> Result<(), Trouble> {
    let applied = app.follower.applied.lock().await;
    if applied.position.number < number || app.membership.is_broken() {
        return Err(Trouble::Unavailable("this node is not current".to_owned()));
    }
    then();
    Ok(())
}

/// One look at the log: applies what is new and confirms it to whoever waits.
pub async fn look(app: &App) -> Result<(), Trouble> {
    catch_up(app).await?;
    if app.lease == Lease::Guest {
        return Ok(());
    }
    confirm(app).await?;
    if let Some(file) = &app.side_file
        && app.store.is_sqlite()
    {
        // Commands that end nothing commit too.
        report(file.note_commit(commits::count(&mut app.store.reader()).await?));
    }
    if app.keys.lacks_a_signer() {
        app.keys.make_missing(app).await?;
    }
    Ok(())
}

/// Whoever applied it: a logout may have come upon a command's entry before a look did.
async fn confirm(app: &App) -> Result<(), Trouble> {
    let number = app.follower.number();
    if number <= app.follower.told.load(Ordering::Acquire) {
        return Ok(());
    }
    let node = match app.lease {
        Lease::Member => app.membership.name(),
        Lease::Holder | Lease::Guest => Some(app.node.clone()),
    };
    // Without a lease there is nobody who waits.
    let Some(node) = node else { return Ok(()) };
    if let Err(error) = leases::set_applied(&app.store, &node, number).await {
        if app.lease == Lease::Member {
            // Removed by somebody who waited too long: it joins anew.
            app.membership.lost.notify_one();
        }
        return Err(error.into());
    }
    app.follower.told.fetch_max(number, Ordering::AcqRel);
    Ok(())
}

/// Returns when every process that may say yes has applied entry `number`.
pub(crate) async fn known_everywhere(app: &App, number: i64) -> Result<(), Trouble> {
    if app.lease == Lease::Holder {
        return Ok(());
    }
    let deadline = app.clock.elapsed() + CONFIRMATION;
    let (mut is_reported, mut looked_in_vain) = (false, false);
    loop {
        let missing = match missing(app, number).await {
            Ok(missing) if missing.is_empty() => return Ok(()),
            Ok(missing) => missing,
            Err(trouble) => {
                if !is_reported {
                    is_reported = true;
                    tracing::warn!(error = %trouble, log.number = number, "waiting for other nodes");
                }
                Vec::new()
            }
        };
        if app.clock.elapsed() >= deadline {
            return Err(Trouble::Unconfirmed(number));
        }
        // Words only say when to look: what counts are the leases, which are read again.
        if !app.membership.have_told(&missing, number) {
            let _ = tokio::time::timeout(LOOK, app.membership.all_have_told(&missing, number)).await;
        } else if std::mem::replace(&mut looked_in_vain, true) {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Who may say yes and has not applied entry `number`.
async fn missing(app: &App, number: i64) -> Result<Vec<String>, Trouble> {
    if !app.store.is_sqlite() {
        return lease::waited_for(app, number).await;
    }
    // One server at a time: the one that holds the file's lock, which this command does not.
    let leases = leases::all(&mut app.store.reader()).await?;
    let is_known = leases.iter().any(|lease| lease.applied >= number);
    Ok(if is_known { Vec::new() } else { vec!["the server".to_owned()] })
}

async fn read_on(app: &App, applied: &mut Applied) -> Result<(), Trouble> {
    loop {
        let number = applied.position.number;
        // From the last one on, that one included: another mark there is another history.
        let entries = log::after(&mut app.store.control(), number - 1, CHUNK).await?;
        let new = match entries.split_first() {
            Some((last, new)) if last.position == applied.position => new,
            _ if number == 0 && entries.first().is_none_or(|entry| entry.position.number == 1) => &entries,
            _ => return went_back::read_anew(app, applied).await,
        };
        let Some(last) = new.last() else { return Ok(()) };
        let mut numbers = (number + 1)..;
        if !new.iter().all(|entry| Some(entry.position.number) == numbers.next()) {
            return went_back::read_anew(app, applied).await;
        }
        apply_facts(app, applied, new).await?;
        advance(app, applied, last.position.clone());
    }
}

/// What this process knows may not be so: it says yes no more.
pub(crate) fn lost(app: &App, why: &str) -> Trouble {
    app.guard.hold_lease_until(Duration::ZERO);
    tracing::error!("{why}: this process no longer answers, restart it");
    Trouble::Unavailable(why.to_owned())
}

/// Loads everything again, as at a start, over what is known: nothing is revived by it, and what is not in use any more is
/// refused for ever. Nothing may be accepted meanwhile; the caller sees to that.
pub(crate) async fn reload(app: &App, applied: &mut Applied) -> Result<(), Trouble> {
    let known = app.guard.lists();
    app.blocks.forget();
    let idle_timeout = app.settings.shortest_idle_timeout();
    let loading = crate::app::Loading { store: &app.store, guard: &app.guard, idle_timeout };
    let (loaded, in_use) = load(&loading).await?;
    known.iter().filter(|name| !in_use.contains(name)).for_each(|name| app.guard.retire_list(name));
    app.keys.refresh(&app.store).await?;
    if let Some(file) = &app.side_file {
        report(file.note_incarnation(&loaded.incarnation, &loaded.position));
    }
    app.feed.begin_anew(loaded.incarnation.clone(), loaded.position.clone());
    app.onlookers.wake_all();
    app.follower.number.store(loaded.position.number, Ordering::Release);
    app.follower.told.store(0, Ordering::Release);
    *applied = loaded;
    Ok(())
}

async fn apply_facts(app: &App, applied: &mut Applied, entries: &[Entry]) -> Result<(), Trouble> {
    let mut keys_changed = false;
    let mut unknown = false;
    for entry in entries {
        match &entry.fact {
            Fact::SessionEnded { list, index, .. } => {
                unknown |= !app.guard.end(list, *index);
            }
            Fact::KeyAdded { .. } => keys_changed = true,
            Fact::KeyRetired { key } => {
                app.guard.retire_key(key);
                keys_changed = true;
            }
            Fact::ListRetired { list } => app.guard.retire_list(list),
            Fact::EverythingOver { incarnation } => {
                everything_over(app).await?;
                incarnation.clone_into(&mut applied.incarnation);
                if let Some(file) = &app.side_file {
                    report(file.note_incarnation(incarnation, &entry.position));
                }
            }
            Fact::Unknown { kind } => {
                app.guard.hold_lease_until(Duration::ZERO);
                app.membership.broke();
                tracing::error!(
                    log.kind = kind,
                    log.number = entry.position.number,
                    "unknown kind of log entry: a newer version wrote it"
                );
                return Err(Trouble::Unavailable("the log holds what this version does not know".to_owned()));
            }
        }
    }
    if unknown {
        // Another node made their lists: a bitmap takes less room than a name kept for each ending.
        for list in lists::in_use(&mut app.store.control()).await? {
            app.guard.open_list(&list.name, list.capacity);
        }
    }
    if keys_changed {
        app.keys.refresh(&app.store).await?;
    }
    // Before the position counts as applied: whatever was acknowledged is told to those who follow from outside.
    app.feed.push(entries);
    app.onlookers.told(entries);
    app.ended_lately.told(entries);
    Ok(())
}

async fn everything_over(app: &App) -> Result<(), Trouble> {
    app.metrics.everything_over.inc();
    app.blocks.forget();
    // Lists made since are new ones. What is opened after the names were asked for is new as well, whether or not it is read
    // below.
    let known = app.guard.lists();
    let in_use = lists::in_use(&mut app.store.control()).await;
    if in_use.is_err() && app.lease == Lease::Member {
        // They cannot be told apart, and what is retired here is retired for ever: nothing is said until they can.
        app.guard.hold_lease_until(Duration::ZERO);
        app.membership.broke();
    } else {
        let kept: HashSet<_> = in_use.iter().flatten().map(|list| &list.name).collect();
        known.iter().filter(|name| !kept.contains(name)).for_each(|name| app.guard.retire_list(name));
    }
    in_use?;
    Ok(())
}

fn advance(app: &App, applied: &mut Applied, position: Position) {
    if let Some(file) = &app.side_file {
        report(file.note_position(&position));
    }
    app.follower.number.store(position.number, Ordering::Release);
    applied.position = position;
}

/// A position that is behind is safe: it is still in the database.
pub(crate) fn report(written: std::io::Result<()>) {
    if let Err(error) = written {
        tracing::error!(%error, "the position file beside the database cannot be written");
    }
}
