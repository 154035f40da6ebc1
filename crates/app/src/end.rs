//! The one road by which sessions end.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use cerrojo_domain::{
    Actor, AuditKind, EndReason, Ending, Entry, Fact, KeyId, Origin, Position, SessionId, UnixMillis,
};
use cerrojo_store::audit::{self, Act};
use cerrojo_store::endings::{self, Which};
use cerrojo_store::{EndingTx, StoreError, keys, log, origin};
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument as _, Span};

use crate::metrics::Timing;
use crate::request::RequestId;
use crate::{App, Caller, Lease, Trouble, follow, incarnation, old_tokens, request, traced};

/// Endings that share one transaction at most.
const BATCH: usize = 128;
/// How long an ending waits for company, if the last one had some.
const GATHERING: Duration = Duration::from_millis(1);
/// Endings that wait at most; further ones wait for a place.
const QUEUE: usize = 4096;

/// Why a logout is not a 200.
#[derive(Debug)]
pub enum LogoutError {
    /// 401: it had ended already, and everybody knows.
    AlreadyEnded,
    /// 503 or 500.
    Trouble(Trouble),
}

/// Ends the calling session. Returns when the ending is durable and known wherever yes could be said.
pub async fn logout(app: &App, caller: &Caller, origin: &Origin) -> Result<(), LogoutError> {
    let actor = Actor::User(caller.user);
    let ending = Ending { reason: EndReason::Logout, actor, at: app.clock.now(), place: Some(origin.address) };
    match one(app, How::Now(caller.session.clone()), ending).await {
        Ok(Outcome::Ended) => Ok(()),
        Ok(Outcome::WasOver) => {
            // Whether it ended or is not there at all: nobody is told 401 while others are told 200.
            app.guard.end(&caller.list, caller.index);
            Err(LogoutError::AlreadyEnded)
        }
        Err(trouble) => Err(LogoutError::Trouble(trouble)),
    }
}

/// A logout by a token that is not accepted: if that is because its session has ended, returns only when everybody knows.
pub async fn known_to_be_over(app: &App, token: &str) -> Result<(), Trouble> {
    if app.lease == Lease::Holder {
        return Ok(());
    }
    if app.guard.identify(token).is_none() && !old_tokens::is_one(app, token) {
        return Ok(());
    }
    // Whatever refuses it was committed before this process knew of it.
    let head = log::head(&mut app.store.reader()).await?.number;
    follow::reach(app, head).await?;
    follow::known_everywhere(app, head).await
}

/// Which session, and under what condition.
#[derive(Clone, Debug)]
pub(crate) enum How {
    /// Without condition.
    Now(SessionId),
    /// If nobody was seen using it after this time.
    UnlessSeenAfter(SessionId, UnixMillis),
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// This call ended it.
    Ended,
    /// It had ended, or the condition did not hold; if it had ended, that is known everywhere.
    WasOver,
}

/// Ends what is live of `which`. This, [`each_in_tx`] and [`write`] are the only callers of the store's endings, but for rows
/// of what [`everything`] has ended.
pub(crate) async fn in_tx(tx: &mut EndingTx, which: Which<'_>, ending: &Ending) -> Result<Vec<Entry>, StoreError> {
    endings::end(tx, which, ending).await
}

/// The same for sessions of one ending each, in the order of their ids, none twice.
async fn each_in_tx(tx: &mut EndingTx, wanted: &[(&SessionId, &Ending)]) -> Result<Vec<Entry>, StoreError> {
    endings::end_each(tx, wanted).await
}

/// Ends these sessions, whichever of them are live.
pub(crate) async fn these_in_tx(
    tx: &mut EndingTx,
    mut sessions: Vec<SessionId>,
    ending: &Ending,
) -> Result<Vec<Entry>, StoreError> {
    sessions.sort();
    let wanted: Vec<_> = sessions.iter().map(|id| (id, ending)).collect();
    each_in_tx(tx, &wanted).await
}

/// Commits, applies the entries here and waits until they are known wherever yes could be said.
///
/// A caller that goes away does not stop it: between COMMIT and the bits nothing may be left half done.
pub(crate) async fn commit(app: &App, tx: EndingTx, entries: Vec<Entry>) -> Result<(), Trouble> {
    let app = app.shared()?;
    tokio::spawn(request::carried(async move { commit_here(&app, tx, &entries).await }))
        .await
        .map_err(|error| Trouble::Unavailable(format!("commit was interrupted: {error}")))?
}

/// Whatever the log held before counts as well: the caller may have found ended what another one ended, and says so only
/// when that is known everywhere.
async fn commit_here(app: &App, tx: EndingTx, entries: &[Entry]) -> Result<(), Trouble> {
    let since = app.clock.elapsed();
    let ends = !tx.ended().is_empty();
    let head = apply_here(app, Stage::Open(Box::new(tx)), entries).await?;
    let took = || app.clock.elapsed().saturating_sub(since);
    if ends {
        app.metrics.ending_commit.note(took());
    }
    let known = follow::known_everywhere(app, head).instrument(traced::ending_gets_known(&Span::current())).await;
    match &known {
        Err(_) => {
            app.metrics.unconfirmed.inc();
        }
        Ok(()) if ends => app.metrics.ending_known.note(took()),
        Ok(()) => {}
    }
    known
}

/// How far endings have come that are written.
enum Stage {
    /// COMMIT is still to be sent.
    Open(Box<EndingTx>),
    /// Durable: where the log stood before, and up to which number it tells of them.
    Committed(Position, i64),
}

/// Commits and applies. The number that everybody has to know then.
async fn apply_here(app: &App, written: Stage, entries: &[Entry]) -> Result<i64, Trouble> {
    let (after, head) = match written {
        Stage::Committed(after, head) => (after, head),
        Stage::Open(tx) => {
            let there = (tx.taken().clone(), tx.head().number);
            let ended = tx.ended().to_vec();
            tx.commit().await?;
            for (reason, count) in ended {
                app.metrics.endings.add(reason, count);
            }
            there
        }
    };
    follow::apply(app, entries, &after).await?;
    follow::reach(app, head).await?;
    Ok(head)
}

/// Ends one session together with others that end at the same time.
pub(crate) async fn one(app: &App, how: How, ending: Ending) -> Result<Outcome, Trouble> {
    let (answer, answered) = oneshot::channel();
    let whole = traced::ending();
    let stage = traced::ending_is_written(&whole);
    let wanted = Wanted {
        how,
        ending,
        since: app.clock.elapsed(),
        answer,
        request: request::current(),
        spans: Spans { whole, stage },
    };
    app.ender.0.send(wanted).await.map_err(|_| Trouble::Unavailable("shutting down".to_owned()))?;
    answered.await.map_err(|_| Trouble::Unavailable("the ending was interrupted".to_owned()))?
}

/// The way to the task that ends single sessions in shared transactions.
#[derive(Debug)]
pub(crate) struct Ender(mpsc::Sender<Wanted>);

#[derive(Debug)]
struct Wanted {
    how: How,
    ending: Ending,
    /// When it was asked for, by the clock's elapsed time.
    since: Duration,
    answer: oneshot::Sender<Result<Outcome, Trouble>>,
    /// Whose wish it is.
    request: Option<RequestId>,
    spans: Spans,
}

/// Of the wait for one ending, and of what it is at.
#[derive(Debug)]
struct Spans {
    whole: Span,
    stage: Span,
}

impl Wanted {
    fn without_condition(&self) -> Option<(&SessionId, &Ending)> {
        match &self.how {
            How::Now(id) => Some((id, &self.ending)),
            How::UnlessSeenAfter(..) => None,
        }
    }

    /// `work`, for whoever wanted this.
    async fn carried<F: Future>(&self, work: F) -> F::Output {
        match self.request {
            Some(request) => request::within(request, work).await,
            None => work.await,
        }
    }

    fn id(&self) -> &SessionId {
        let (How::Now(id) | How::UnlessSeenAfter(id, _)) = &self.how;
        id
    }
}

impl Ender {
    /// Starts the task; it ends with the app.
    pub(crate) fn start(app: Weak<App>) -> Self {
        let (sender, mut queue) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let mut batch = Vec::with_capacity(BATCH);
            let mut before = 0;
            while queue.recv_many(&mut batch, BATCH).await > 0 {
                // Whoever was answered together asks again together: the first of them need not go alone.
                let _ = tokio::time::timeout(GATHERING, gather(&mut queue, &mut batch, before)).await;
                before = batch.len();
                let Some(app) = app.upgrade() else { return };
                end_together(&app, std::mem::take(&mut batch)).await;
            }
        });
        Self(sender)
    }
}

/// Waits until as many want to end as did the last time.
async fn gather(queue: &mut mpsc::Receiver<Wanted>, batch: &mut Vec<Wanted>, before: usize) {
    while batch.len() < before {
        if queue.recv_many(batch, BATCH - batch.len()).await == 0 {
            return;
        }
    }
}

/// If it fails before COMMIT was sent, each runs again alone; if COMMIT's outcome is unknown, nothing is repeated.
async fn end_together(app: &Arc<App>, mut batch: Vec<Wanted>) {
    // Rows of sessions are taken in the order of their ids, everywhere.
    batch.sort_by(|a, b| a.id().cmp(b.id()));
    // What is done for all is shown with the first.
    let shown = batch.first().map_or_else(Span::none, |first| first.spans.stage.clone());
    match write(app, &batch).instrument(shown.clone()).await {
        Ok(written) => answer(app, batch, written).instrument(shown).await,
        Err(_) if batch.len() > 1 => {
            for wanted in batch {
                let alone = vec![wanted];
                match write(app, &alone).await {
                    Ok(written) => answer(app, alone, written).await,
                    Err(error) => refuse(alone, error),
                }
            }
        }
        Err(error) => refuse(batch, error),
    }
}

type Written = (Stage, Vec<Entry>, Vec<Outcome>);

async fn write(app: &App, batch: &[Wanted]) -> Result<Written, StoreError> {
    if let [alone] = batch
        && let Some((id, ending)) = alone.without_condition()
        && let Some(done) = alone.carried(endings::end_alone(&app.store, id, ending)).await?
    {
        let outcome = if done.entry.is_some() { Outcome::Ended } else { Outcome::WasOver };
        app.metrics.endings.add(ending.reason, u64::from(done.entry.is_some()));
        let head = done.head();
        return Ok((Stage::Committed(done.after, head), done.entry.into_iter().collect(), vec![outcome]));
    }
    let mut tx = app.store.begin_ending().await?;
    let mut now: Vec<(&SessionId, &Ending)> = batch.iter().filter_map(Wanted::without_condition).collect();
    // Of simultaneous logouts of one session the first is the one.
    now.dedup_by_key(|(id, _)| *id);
    let mut all = each_in_tx(&mut tx, &now).await?;
    let mut ended: HashSet<SessionId> = all.iter().filter_map(session_of).collect();
    let mut outcomes = Vec::with_capacity(batch.len());
    for wanted in batch {
        let hit = match &wanted.how {
            How::Now(id) => ended.remove(id),
            How::UnlessSeenAfter(id, time) => {
                let entries = in_tx(&mut tx, Which::IdleSince(id, *time), &wanted.ending).await?;
                let hit = !entries.is_empty();
                all.extend(entries);
                hit
            }
        };
        outcomes.push(if hit { Outcome::Ended } else { Outcome::WasOver });
    }
    let requests: HashMap<&SessionId, RequestId> =
        batch.iter().rev().filter_map(|wanted| Some((wanted.id(), wanted.request?))).collect();
    tx.name_requests(|session| requests.get(session).map(|request| request.as_str().to_owned()));
    // Before COMMIT is sent, so that each can still run again alone.
    tx.write_entries().await?;
    Ok((Stage::Open(Box::new(tx)), all, outcomes))
}

fn session_of(entry: &Entry) -> Option<SessionId> {
    match &entry.fact {
        Fact::SessionEnded { session, .. } => Some(session.clone()),
        _ => None,
    }
}

async fn answer(app: &Arc<App>, mut batch: Vec<Wanted>, (written, entries, outcomes): Written) {
    let head = match apply_here(app, written, &entries).await {
        Ok(head) => head,
        Err(trouble) => return unconfirmed(app, batch, &trouble),
    };
    note(app, &app.metrics.ending_commit, (&batch, &outcomes));
    if app.lease == Lease::Holder {
        return tell(app, batch, outcomes);
    }
    for Wanted { spans, .. } in &mut batch {
        spans.stage = traced::ending_gets_known(&spans.whole);
    }
    // Others wait for their turn at the log, not for the nodes that have to learn of this.
    let app = Arc::clone(app);
    tokio::spawn(async move {
        match follow::known_everywhere(&app, head).await {
            Ok(()) => tell(&app, batch, outcomes),
            Err(trouble) => unconfirmed(&app, batch, &trouble),
        }
    });
}

/// How long those that ended something have taken so far.
fn note(app: &App, timing: &Timing, (batch, outcomes): (&[Wanted], &[Outcome])) {
    let now = app.clock.elapsed();
    for (wanted, _) in batch.iter().zip(outcomes).filter(|(_, outcome)| **outcome == Outcome::Ended) {
        timing.note(now.saturating_sub(wanted.since));
    }
}

fn tell(app: &App, batch: Vec<Wanted>, outcomes: Vec<Outcome>) {
    note(app, &app.metrics.ending_known, (&batch, &outcomes));
    for (wanted, outcome) in batch.into_iter().zip(outcomes) {
        // Whoever asked may have gone away; the ending stays.
        let _ = wanted.answer.send(Ok(outcome));
    }
}

fn unconfirmed(app: &App, batch: Vec<Wanted>, trouble: &Trouble) {
    app.metrics.unconfirmed.inc_by(u64::try_from(batch.len()).unwrap_or(u64::MAX));
    let cause = trouble.to_string();
    tracing::error!(error = cause, "endings could not be confirmed");
    for wanted in batch {
        let _ = wanted.answer.send(Err(Trouble::Unavailable(cause.clone())));
    }
}

fn refuse(batch: Vec<Wanted>, error: StoreError) {
    let trouble = Trouble::from(error);
    let cause = trouble.to_string();
    for wanted in batch {
        let told = match &trouble {
            Trouble::Internal(_) => Trouble::Internal(cause.clone()),
            _ => Trouble::Unavailable(cause.clone()),
        };
        let _ = wanted.answer.send(Err(told));
    }
}

/// Ends every session there is by one entry: every list is retired and a new incarnation begins. After a restore every
/// epoch is raised as well, so that sign-ins in flight and pending reset links fail.
pub(crate) async fn everything(app: &App, ending: Ending) -> Result<(), Trouble> {
    let tx = app.store.begin_ending().await?;
    everything_by(app, tx, ending).await
}

/// The same by a transaction that was begun.
pub(crate) async fn everything_by(app: &App, mut tx: EndingTx, ending: Ending) -> Result<(), Trouble> {
    let incarnation = incarnation::after(&[&log::incarnation(&mut *tx).await?], &*app.random);
    let entries = everything_in_tx(&mut tx, &incarnation, (&ending, app.given.as_ref())).await?;
    commit(app, tx, entries).await?;
    app.keys.make_missing(app).await
}

/// The same inside a transaction, for the start of a server that finds its database gone back.
///
/// After that, the database may have forgotten that a key was retired: the server's own keys end with the sessions, and so do
/// shared secrets but for the one that the settings have it sign with (`given`), which nothing but other settings can replace.
pub(crate) async fn everything_in_tx(
    tx: &mut EndingTx,
    incarnation: &str,
    (ending, given): (&Ending, Option<&KeyId>),
) -> Result<Vec<Entry>, StoreError> {
    let mut entries = vec![endings::end_everything(tx, incarnation, ending).await?];
    let act = |kind| Act::new(kind, ending.at).by(ending.actor).from_address(ending.place);
    audit::record(tx, act(AuditKind::EverythingEnded).with("reason", ending.reason.as_str())).await?;
    if ending.reason == EndReason::Restored {
        for key in keys::all(&mut **tx).await? {
            let ends = key.retired_at.is_none() && (!key.sealed.is_empty() || Some(&key.id) != given);
            if ends && keys::set_retired(tx, &key.id, ending.at).await? {
                let act = act(AuditKind::KeyRetired).with("key", key.id.as_str()).with("purpose", key.purpose.as_str());
                audit::record(tx, act.with("reason", ending.reason.as_str())).await?;
                entries.push(log::append(tx, Fact::KeyRetired { key: key.id }, ending.at).await?);
            }
        }
        origin::begin_anew(tx).await?;
    }
    Ok(entries)
}
