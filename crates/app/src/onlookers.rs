//! Who follows the own session as it goes on, and what wakes them.
//!
//! However many there are, an ending wakes those of its session alone. Times and the lease are looked at for all of them
//! together, in memory; nobody polls the database.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cerrojo_domain::{Entry, Fact, ListIndex, ListName, UnixMillis, UserId};
use cerrojo_guard::Verified;
use cerrojo_store::{sessions, users};
use tokio::sync::{Notify, Semaphore};

use crate::{App, Caller, Trouble};

/// How many of one session may follow at a time.
pub const PER_SESSION: usize = 4;
/// How many of one user's sessions together.
pub const PER_USER: usize = 32;
/// How often it is looked whether somebody's time has come.
pub(crate) const LOOK: Duration = Duration::from_millis(250);
/// Questions to the database at a time: many deadlines can come at once.
const QUESTIONS: usize = 8;

/// Everybody who follows at this node.
pub struct Onlookers {
    inside: Mutex<Inside>,
    /// How many found no place: of a session, of a user, of this node.
    refused: [AtomicU64; 3],
    questions: Semaphore,
}

#[derive(Default)]
struct Inside {
    by_session: HashMap<(ListName, ListIndex), Vec<Arc<Onlooker>>>,
    by_user: HashMap<UserId, Vec<Arc<Onlooker>>>,
    all: usize,
}

/// Which places are all taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// Those of the session.
    Session,
    /// Those of the user.
    User,
    /// Those of this node.
    Node,
}

impl Full {
    /// Each, in the order of [`Onlookers::refused`].
    pub const ALL: [Self; 3] = [Self::Session, Self::User, Self::Node];

    /// As it is counted.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::User => "user",
            Self::Node => "node",
        }
    }
}

/// One of them.
struct Onlooker {
    session: Caller,
    wake: Notify,
    /// The profile was changed since it was last told.
    profile: AtomicBool,
    /// The deadlines were moved on purpose since they were last told.
    moved: AtomicBool,
    /// When it wants to be woken.
    due: AtomicI64,
}

/// A place, given back when dropped.
pub struct Place {
    app: Arc<App>,
    me: Arc<Onlooker>,
}

impl Default for Onlookers {
    fn default() -> Self {
        Self { inside: Mutex::default(), refused: Default::default(), questions: Semaphore::new(QUESTIONS) }
    }
}

impl Onlookers {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.inside().all
    }

    /// How many found no place, by [`Full::ALL`].
    #[must_use]
    pub fn refused(&self) -> [u64; 3] {
        self.refused.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// Wakes those whom these entries are about. They hold in memory already.
    pub(crate) fn told(&self, entries: &[Entry]) {
        if entries.iter().any(|entry| !matches!(entry.fact, Fact::SessionEnded { .. } | Fact::KeyAdded { .. })) {
            return self.wake_all();
        }
        let inside = self.inside();
        for entry in entries {
            if let Fact::SessionEnded { list, index, .. } = &entry.fact {
                inside.of_session(list, *index).for_each(|onlooker| onlooker.wake.notify_one());
            }
        }
    }

    /// Wakes everybody: nothing can be taken for what it was.
    pub(crate) fn wake_all(&self) {
        self.inside().everybody().for_each(|onlooker| onlooker.wake.notify_one());
    }

    /// Tells those who follow this session that its deadlines were moved.
    pub(crate) fn moved(&self, session: &Verified) {
        for onlooker in self.inside().of_session(&session.list, session.index) {
            onlooker.moved.store(true, Ordering::Release);
            onlooker.wake.notify_one();
        }
    }

    /// Tells those who follow a session of this user that the profile was changed.
    pub(crate) fn profile_changed(&self, user: UserId) {
        for onlooker in self.inside().by_user.get(&user).into_iter().flatten() {
            onlooker.profile.store(true, Ordering::Release);
            onlooker.wake.notify_one();
        }
    }

    /// Wakes those whose time has come.
    fn wake_due(&self, now: UnixMillis) {
        let inside = self.inside();
        let due = inside.everybody().filter(|onlooker| onlooker.due.load(Ordering::Acquire) <= now.0);
        due.for_each(|onlooker| onlooker.wake.notify_one());
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn of_session(&self, list: &ListName, index: ListIndex) -> impl Iterator<Item = &Arc<Onlooker>> {
        self.by_session.get(&(list.clone(), index)).into_iter().flatten()
    }

    fn everybody(&self) -> impl Iterator<Item = &Arc<Onlooker>> {
        self.by_session.values().flatten()
    }
}

/// A place for somebody who follows this session, of `most` that this node has.
///
/// # Errors
/// [`Full`] if none is left.
pub fn enter(app: &Arc<App>, session: &Caller, most: usize) -> Result<Place, Full> {
    let entered = try_enter(app, session, most);
    if let Err(full) = &entered
        && let Some((_, count)) = Full::ALL.iter().zip(&app.onlookers.refused).find(|(one, _)| *one == full)
    {
        count.fetch_add(1, Ordering::Relaxed);
    }
    entered
}

fn try_enter(app: &Arc<App>, session: &Caller, most: usize) -> Result<Place, Full> {
    let mut inside = app.onlookers.inside();
    if inside.of_session(&session.list, session.index).count() >= PER_SESSION {
        return Err(Full::Session);
    }
    if inside.by_user.get(&session.user).is_some_and(|of_user| of_user.len() >= PER_USER) {
        return Err(Full::User);
    }
    if inside.all >= most {
        return Err(Full::Node);
    }
    let me = Arc::new(Onlooker {
        session: Arc::clone(session),
        wake: Notify::new(),
        profile: AtomicBool::new(false),
        moved: AtomicBool::new(false),
        due: AtomicI64::new(i64::MAX),
    });
    inside.all += 1;
    inside.by_user.entry(session.user).or_default().push(Arc::clone(&me));
    inside.by_session.entry((session.list.clone(), session.index)).or_default().push(Arc::clone(&me));
    drop(inside);
    Ok(Place { app: Arc::clone(app), me })
}

impl Place {
    /// The session that is followed.
    #[must_use]
    pub fn session(&self) -> &Caller {
        &self.me.session
    }

    /// Returns when there may be news, once for all since the last time.
    pub async fn woken(&self) {
        self.me.wake.notified().await;
    }

    /// Asks to be woken at this time at the latest.
    pub fn wake_at(&self, due: UnixMillis) {
        self.me.due.store(due.0, Ordering::Release);
    }

    /// Whether the profile was changed since this was last asked.
    #[must_use]
    pub fn take_profile(&self) -> bool {
        self.me.profile.swap(false, Ordering::AcqRel)
    }

    /// Whether the deadlines were moved on purpose since this was last asked.
    #[must_use]
    pub fn take_moved(&self) -> bool {
        self.me.moved.swap(false, Ordering::AcqRel)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let session = &self.me.session;
        let mut inside = self.app.onlookers.inside();
        inside.all = inside.all.saturating_sub(1);
        leave(&mut inside.by_user, &session.user, &self.me);
        leave(&mut inside.by_session, &(session.list.clone(), session.index), &self.me);
    }
}

fn leave<K: Hash + Eq>(places: &mut HashMap<K, Vec<Arc<Onlooker>>>, key: &K, me: &Arc<Onlooker>) {
    if let Some(of_key) = places.get_mut(key) {
        of_key.retain(|other| !Arc::ptr_eq(other, me));
        if of_key.is_empty() {
            places.remove(key);
        }
    }
}

/// One look at times and the lease: wakes those whose time has come, and everybody when this node may say nothing.
pub fn look(app: &App) {
    if app.is_ready() { app.onlookers.wake_due(app.clock.now()) } else { app.onlookers.wake_all() }
}

/// How long until the next look. A lease that runs out before that is not overslept: until then other nodes wait for this one.
pub(crate) fn pause(app: &App) -> Duration {
    let left = app.guard.lease().left(&*app.clock).filter(|left| !left.is_zero());
    left.map_or(LOOK, |left| left.min(LOOK)).max(Duration::from_millis(1))
}

/// The profile of a user was changed here: tells whoever follows, at other nodes as well. Only a hint, which may get lost.
pub(crate) async fn tell_profile(app: &App, user: UserId) {
    app.onlookers.profile_changed(user);
    if let Err(error) = users::tell_profile(&app.store, user, &app.node).await {
        tracing::debug!(%error, "other nodes were not told that a profile was changed");
    }
}

/// Word from another node that a profile was changed.
pub(crate) fn hear_profile(app: &App, user: UserId, node: &str) {
    if node != app.node {
        app.onlookers.profile_changed(user);
    }
}

/// Takes over what the database knows of the last use of a session that looks unused here: it may have been used elsewhere.
///
/// # Errors
/// [`Trouble`] if it cannot be asked.
pub async fn refresh(app: &App, session: &Verified) -> Result<(), Trouble> {
    if app.store.is_sqlite() {
        return Ok(());
    }
    let _turn = app.onlookers.questions.acquire().await;
    if let Some(at) = sessions::last_seen(&mut app.store.reader(), &session.session).await? {
        app.guard.seen(&session.list, session.index, at);
    }
    Ok(())
}
