//! The lease of a node among several on one database: joined, renewed, given back, and waited for.
//!
//! A lease is a row without any time in it. A node counts two seconds by its own clock from before each renewal that hit;
//! whoever waits for a node that does not answer removes its row once it has itself seen the row unchanged for longer than
//! that. `docs/decisions/0006` tells of the model that these rules were checked with.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cerrojo_domain::SessionId;
use cerrojo_store::{StoreError, leases, postgres};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::agreement::Agreement;
use crate::together::Together;
use crate::{App, Lease, Trouble, follow, went_back};

/// How long a renewal lets a node say yes, counted from before it was sent.
pub(crate) const TERM: Duration = Duration::from_secs(2);
/// How often a lease is renewed.
pub const BEAT: Duration = Duration::from_millis(500);
/// How long a turn has to be seen unchanged before its lease may be removed: longer than the term by more than clocks' rates
/// differ (5%).
const PATIENCE: Duration = Duration::from_millis(2200);
/// A database that has not answered a renewal for so long is not heard of at all.
const ANSWER: Duration = Duration::from_secs(1);

/// A node's place among the others.
pub(crate) struct Membership {
    held: tokio::sync::Mutex<Held>,
    /// The name under which others wait for this node.
    name: Mutex<Option<String>>,
    /// What this process knows may not be so: it has to join anew.
    broken: AtomicBool,
    /// When the lease was last renewed, in milliseconds of the clock's elapsed time.
    renewed: AtomicU64,
    /// A statement about the lease was not answered, or its connection was lost.
    unheard: AtomicBool,
    /// When connections were last given up, in the same; 0: never.
    gave_up: AtomicU64,
    /// Looks at all leases, each with whether it was seen to stand still.
    looks: Together<Arc<Vec<(leases::Lease, bool)>>>,
    /// The turn at which each lease stands, and since when this process has seen it there.
    watched: Mutex<HashMap<String, (i64, Duration)>>,
    /// How many nodes there were at the last look, and how many entries the one that was furthest behind had to apply.
    seen: Mutex<(usize, i64)>,
    /// How far nodes have said that they are. Only good for knowing when to look.
    told: Mutex<HashMap<String, i64>>,
    /// Where this node listens and which version it is, for people.
    about: String,
    agreement: Agreement,
    /// Somebody says that it has applied the log.
    heard: Notify,
    /// Somebody says that the log has grown: not lost if it comes while the follower is at work.
    pub(crate) grown: Notify,
    /// The lease was lost: no need to wait for the next beat.
    pub(crate) lost: Notify,
}

#[derive(Default)]
struct Held {
    lease: Option<leases::Lease>,
    /// The last entry of the log when the lease was last renewed: to be applied before it is renewed again.
    head: i64,
    /// Every name whose row may be there.
    names: Vec<String>,
}

impl Membership {
    /// Where this node listens and which version it is.
    pub(crate) fn about(&self) -> &str {
        &self.about
    }

    /// What it says of its settings.
    pub(crate) fn settings(&self) -> &str {
        self.agreement.said()
    }

    pub(crate) fn new(about: String, agreement: Agreement) -> Self {
        Self {
            held: tokio::sync::Mutex::default(),
            name: Mutex::default(),
            broken: AtomicBool::new(false),
            renewed: AtomicU64::new(0),
            unheard: AtomicBool::new(false),
            gave_up: AtomicU64::new(0),
            looks: Together::default(),
            watched: Mutex::default(),
            seen: Mutex::default(),
            told: Mutex::default(),
            about,
            agreement,
            heard: Notify::new(),
            grown: Notify::new(),
            lost: Notify::new(),
        }
    }

    /// The name under which others wait for this node; none while it holds no lease.
    pub(crate) fn name(&self) -> Option<String> {
        lock(&self.name).clone()
    }

    /// How many nodes there were at the last look, this one included, and how many entries the one that was furthest behind
    /// had still to apply.
    pub(crate) fn seen(&self) -> (usize, i64) {
        *lock(&self.seen)
    }

    /// A node says that it has applied the log up to entry `number`.
    pub(crate) fn hear(&self, node: String, number: i64) {
        let mut told = lock(&self.told);
        let known = told.entry(node).or_insert(number);
        *known = number.max(*known);
        drop(told);
        self.heard.notify_waiters();
    }

    /// Whether each of these has said so of entry `number`.
    pub(crate) fn have_told(&self, nodes: &[String], number: i64) -> bool {
        let told = lock(&self.told);
        nodes.iter().all(|node| told.get(node).is_some_and(|known| *known >= number))
    }

    /// Returns when each of these has.
    pub(crate) async fn all_have_told(&self, nodes: &[String], number: i64) {
        loop {
            let mut heard = pin!(self.heard.notified());
            // From here on no word is lost.
            heard.as_mut().enable();
            if self.have_told(nodes, number) {
                return;
            }
            heard.await;
        }
    }

    /// This node is not current any more, whatever its lease says.
    pub(crate) fn broke(&self) {
        self.broken.store(true, Ordering::Release);
        self.lost.notify_one();
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// Whether connections may be given up now: not again and again while a server is away.
    fn may_give_up(&self, now: Duration) -> bool {
        let now = millis(now);
        let last = self.gave_up.load(Ordering::Acquire);
        let may = last == 0 || now.saturating_sub(last) >= millis(TERM);
        if may {
            self.gave_up.store(now.max(1), Ordering::Release);
        }
        may
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Renews the lease, or joins where there is none. To be done every [`BEAT`].
///
/// # Errors
/// [`Trouble`] if the database did not say so: the lease runs out where it stands.
pub async fn beat(app: &App) -> Result<(), Trouble> {
    if app.lease != Lease::Member {
        return Ok(());
    }
    let mut held = app.membership.held.lock().await;
    app.membership.unheard.store(false, Ordering::Release);
    if let Err(trouble) = once(app, &mut held).await {
        // Only if the database was not heard of: what is slow for another reason must not be begun again and again.
        let unheard = app.membership.unheard.load(Ordering::Acquire);
        if !unheard || !app.membership.may_give_up(app.clock.elapsed()) {
            return Err(trouble);
        }
        // Connections that a restarted or unreachable server left behind would be in everybody's way.
        tracing::warn!(error = %trouble, "the lease could not be renewed: connecting to the database anew");
        postgres::give_up_connections(&app.store);
        once(app, &mut held).await?;
    }
    let now = app.clock.elapsed();
    app.membership.renewed.store(millis(now), Ordering::Release);
    drop(held);
    if let Err(trouble) = clear_away(app).await {
        tracing::warn!(error = %trouble, "leases of nodes that are gone could not be removed; it is tried again");
    }
    Ok(())
}

fn millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// The same if it is due: for whoever has no clock that ticks.
pub async fn keep(app: &App) -> Result<(), Trouble> {
    let renewed = Duration::from_millis(app.membership.renewed.load(Ordering::Acquire));
    let is_due = app.clock.elapsed().saturating_sub(renewed) >= BEAT;
    if app.lease == Lease::Member && (is_due || !app.guard.holds_lease()) { beat(app).await } else { Ok(()) }
}

async fn once(app: &App, held: &mut Held) -> Result<(), Trouble> {
    if app.membership.is_broken() {
        held.lease = None;
    }
    if let Some(lease) = held.lease.clone()
        && renew(app, held, lease).await?
    {
        return Ok(());
    }
    join(app, held).await
}

/// Whether it hit; if not, the lease is gone.
async fn renew(app: &App, held: &mut Held, lease: leases::Lease) -> Result<bool, Trouble> {
    if app.follower.number() < held.head {
        while_heard(app, follow::catch_up(app)).await?;
    }
    let applied = app.follower.number();
    if applied < held.head {
        return Err(Trouble::Unavailable("the log is not applied to where it was".to_owned()));
    }
    let asked = app.clock.elapsed();
    let lease = leases::Lease { applied, ..lease };
    let Some(renewed) = in_time(app, leases::renew(&app.store, &lease)).await? else {
        held.lease = None;
        return Ok(false);
    };
    held.head = renewed.head;
    held.lease = Some(leases::Lease { turn: lease.turn.saturating_add(1), ..lease });
    if !app.follower.is_on(&renewed.identity) || renewed.flushed < app.follower.flushed() {
        while_heard(app, went_back::look(app)).await?;
        return Ok(false);
    }
    app.follower.has_flushed(renewed.flushed);
    if let Some(file) = &app.side_file {
        follow::report(file.note_commit(renewed.flushed));
    }
    follow::if_current(app, applied, || app.guard.hold_lease_until(asked.saturating_add(TERM))).await?;
    Ok(true)
}

/// A new name, then the log to its end, and only then the right to say yes: from the insert on everybody waits for this node.
async fn join(app: &App, held: &mut Held) -> Result<(), Trouble> {
    app.guard.hold_lease_until(Duration::ZERO);
    *lock(&app.membership.name) = None;
    // Who cannot apply what is there already would only be waited for in vain.
    while_heard(app, follow::catch_up(app)).await?;
    app.membership.broken.store(false, Ordering::Release);
    let node = SessionId::new(&*app.random).to_string();
    let lease = leases::Lease {
        node: node.clone(),
        turn: 0,
        applied: app.follower.number(),
        about: app.membership.about.clone(),
        settings: app.membership.agreement.said().to_owned(),
    };
    let before = held.names.clone();
    held.names.push(node.clone());
    let asked = app.clock.elapsed();
    in_time(app, leases::join(&app.store, &lease, &before)).await?;
    held.names = vec![node.clone()];
    *lock(&app.membership.name) = Some(node.clone());
    let identity = in_time(app, leases::identity_of_original(&mut app.store.control())).await?;
    if !app.follower.is_on(&identity) {
        while_heard(app, went_back::look(app)).await?;
    }
    while_heard(app, follow::catch_up(app)).await?;
    let applied = app.follower.number();
    if applied < lease.applied || app.membership.is_broken() {
        // The log was lost meanwhile: the row says more than this node will have applied of what comes now.
        return Err(Trouble::Unavailable("the database went back while this node joined".to_owned()));
    }
    leases::set_applied(&app.store, &node, applied).await?;
    held.lease = Some(leases::Lease { applied, ..lease });
    held.head = applied;
    follow::if_current(app, applied, || app.guard.hold_lease_until(asked.saturating_add(TERM))).await
}

/// A statement that takes no time at a database that is there.
async fn in_time<T>(app: &App, asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, Trouble> {
    let unheard = || app.membership.unheard.store(true, Ordering::Release);
    match timeout(ANSWER, asked).await {
        Ok(Err(error @ (StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_)))) => {
            unheard();
            Err(error.into())
        }
        Ok(answered) => answered.map_err(Into::into),
        Err(_) => {
            unheard();
            Err(Trouble::Unavailable("the database did not answer in time".to_owned()))
        }
    }
}

/// What may take long, as long as the database is heard of.
async fn while_heard<T>(app: &App, work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let mut work = pin!(work);
    loop {
        if let Ok(done) = timeout(ANSWER, work.as_mut()).await {
            return done;
        }
        in_time(app, leases::identity(&mut app.store.control())).await?;
    }
}

/// Gives the lease back: nobody waits for this node any more.
///
/// # Errors
/// [`Trouble`] if the rows could not be removed; they are waited for then, for some seconds.
pub async fn give_back(app: &App) -> Result<(), Trouble> {
    app.guard.hold_lease_until(Duration::ZERO);
    let mut held = app.membership.held.lock().await;
    held.lease = None;
    *lock(&app.membership.name) = None;
    for node in std::mem::take(&mut held.names) {
        in_time(app, leases::give_back(&app.store, &node)).await?;
    }
    Ok(())
}

/// Who else may say yes and has not applied entry `number`. Removes leases that were seen to stand still.
pub(crate) async fn waited_for(app: &App, number: i64) -> Result<Vec<String>, Trouble> {
    let own = app.membership.name();
    let mut waited_for = Vec::new();
    for (lease, is_still) in looked_at(app).await?.iter() {
        // This process has applied it already: whoever waits has made sure of that.
        if lease.applied >= number || Some(&lease.node) == own.as_ref() {
            continue;
        }
        if *is_still {
            remove(app, lease).await?;
        }
        waited_for.push(lease.node.clone());
    }
    Ok(waited_for)
}

/// Leases of nodes that are gone, whether or not anybody waits for them.
async fn clear_away(app: &App) -> Result<(), Trouble> {
    let own = app.membership.name();
    for (lease, is_still) in looked_at(app).await?.iter() {
        if *is_still && Some(&lease.node) != own.as_ref() {
            remove(app, lease).await?;
        }
    }
    Ok(())
}

async fn remove(app: &App, lease: &leases::Lease) -> Result<(), Trouble> {
    if in_time(app, leases::remove(&app.store, &lease.node, lease.turn)).await? {
        tracing::warn!(node.id = %lease.node, node.about = %lease.about, "a node has not been heard of: its lease was removed");
    }
    Ok(())
}

/// Every lease, and whether this process has seen it stand still for longer than it can last: as they are after the call
/// was made.
async fn looked_at(app: &App) -> Result<Arc<Vec<(leases::Lease, bool)>>, Trouble> {
    app.membership.looks.make(async { look(app).await.map(Arc::new) }).await
}

/// A lease as this process sees it.
pub(crate) struct Seen {
    pub(crate) lease: leases::Lease,
    /// How long ago its turn was seen to move, if it was.
    pub(crate) renewed: Option<Duration>,
    /// It was seen to stand still for longer than it can last.
    pub(crate) is_still: bool,
}

/// Every lease as it is now.
pub(crate) async fn seen(app: &App) -> Result<Vec<Seen>, Trouble> {
    let looked = looked_at(app).await?;
    let now = app.clock.elapsed();
    let watched = lock(&app.membership.watched);
    let renewed = |node: &str| watched.get(node).map(|(_, since)| now.saturating_sub(*since));
    let seen = |(lease, is_still): &(leases::Lease, bool)| Seen {
        renewed: renewed(&lease.node),
        lease: lease.clone(),
        is_still: *is_still,
    };
    Ok(looked.iter().map(seen).collect())
}

async fn look(app: &App) -> Result<Vec<(leases::Lease, bool)>, Trouble> {
    let found = in_time(app, leases::all(&mut app.store.control())).await?;
    app.membership.agreement.compare(&found);
    let furthest_behind = found.iter().map(|lease| lease.applied).min().unwrap_or(i64::MAX);
    *lock(&app.membership.seen) = (found.len(), app.follower.number().saturating_sub(furthest_behind).max(0));
    // After the answer: a turn that was read may have been renewed until then.
    let now = app.clock.elapsed();
    let mut watched = lock(&app.membership.watched);
    watched.retain(|node, _| found.iter().any(|lease| lease.node == *node));
    lock(&app.membership.told).retain(|node, _| found.iter().any(|lease| lease.node == *node));
    let looked = |lease: leases::Lease| {
        let seen = watched.entry(lease.node.clone()).or_insert((lease.turn, now));
        if seen.0 != lease.turn {
            *seen = (lease.turn, now);
        }
        let is_still = now.saturating_sub(seen.1) >= PATIENCE;
        (lease, is_still)
    };
    Ok(found.into_iter().map(looked).collect())
}
