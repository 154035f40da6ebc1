//! What somebody outside needs to begin following, or to go on: all lists with their bits, or what came since.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cerrojo_domain::{KeyId, ListName, Position};
use cerrojo_guard::status_list::encode;
use cerrojo_store::lists::{by_name, in_use};
use cerrojo_store::log;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};

use crate::feed::{self, Found, KEPT, Tail};
use crate::together::Together;
use crate::{App, Trouble, follow, lists};

/// Entries of the database's log that are read at once.
const CHUNK: i64 = 1000;

/// Look-ups in the database at a time, which anybody can cause: they leave connections to others.
const LOOK_UPS: usize = 2;

/// Snapshots in memory at a time that were made for whoever has no credentials: a reader that takes them slowly holds them.
const FOR_STRANGERS: usize = 16;
/// The least time between two of those. After one that took longer so many times as long is left to others, but never so long
/// that whoever waits through it has no time left for a snapshot.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(2500);
const SHARE: u32 = 4;
/// How long somebody waits for their turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lists and keys as of one moment, without a gap to what the feed has from `tail` on.
pub struct Snapshot {
    /// When it was begun, by `Clock::elapsed`: what was over by then shows in it.
    pub taken_at: Duration,
    /// From where on what is missing here is in the feed.
    pub tail: Tail,
    /// The name of the history.
    pub incarnation: String,
    /// The JWK set that session tokens may be signed with.
    pub keys: Value,
    /// Retired keys that are in no JWK set, so that whoever has one from elsewhere (a shared secret) is to be told.
    pub retired_keys: Vec<KeyId>,
    /// Every list in use.
    pub lists: Vec<ListPicture>,
    _room: Option<OwnedSemaphorePermit>,
}

/// One list.
#[derive(Clone)]
pub struct ListPicture {
    /// Its name.
    pub name: ListName,
    /// How many sessions it has room for.
    pub capacity: u32,
    /// Its bitmap as in a Token Status List.
    pub lst: Arc<str>,
}

/// What was made last, for whoever asked before it was begun.
pub struct Pictures {
    last: Mutex<Option<Arc<Snapshot>>>,
    packed: Mutex<HashMap<ListName, Packed>>,
    /// Of those who ask for lists that this process does not know.
    turns: Semaphore,
    /// Of those who come with a position that this process has not read.
    catching_up: Together<()>,
    /// Of those who ask for the names of all lists.
    names: Together<Arc<[ListName]>>,
    /// When strangers may be made the next snapshot; one is made for them at a time.
    strangers: Mutex<Option<Instant>>,
    room: Arc<Semaphore>,
}

impl Default for Pictures {
    fn default() -> Self {
        Self {
            last: Mutex::default(),
            packed: Mutex::default(),
            turns: Semaphore::new(LOOK_UPS),
            catching_up: Together::default(),
            names: Together::default(),
            strangers: Mutex::default(),
            room: Arc::new(Semaphore::new(FOR_STRANGERS)),
        }
    }
}

struct Packed {
    bits: [u8; 32],
    lst: Arc<str>,
}

/// A snapshot of a moment not before `arrival`. One is made at a time, however many ask.
///
/// # Errors
/// [`Trouble::Unavailable`] if this node cannot show that it is current.
pub async fn take(app: &App, arrival: Duration) -> Result<Arc<Snapshot>, Trouble> {
    take_with(app, arrival, None).await
}

/// The same for whoever has no credentials: never more often, nor more of them at once, than leaves enough to others.
///
/// # Errors
/// [`Trouble::Unavailable`] also if it was not their turn for some seconds.
pub async fn take_for_stranger(app: &App, arrival: Duration) -> Result<Arc<Snapshot>, Trouble> {
    let taken = async {
        let next = app.pictures.strangers.lock().await;
        if let Some(ready) = begun_after(arrival, app.pictures.last.lock().await.as_ref()) {
            return Ok(ready);
        }
        if let Some(next) = *next {
            sleep_until(next).await;
        }
        let room = Arc::clone(&app.pictures.room).acquire_owned().await;
        let _pace = Pace { next, begun: Instant::now() };
        take_with(app, arrival, room.ok()).await
    };
    let taken = timeout(PATIENCE, taken).await;
    taken.map_err(|_| Trouble::Unavailable("too many ask for everything at once".to_owned()))?
}

/// The last one, if it will do for who asked at `arrival`.
fn begun_after(arrival: Duration, last: Option<&Arc<Snapshot>>) -> Option<Arc<Snapshot>> {
    last.filter(|ready| arrival < ready.taken_at).cloned()
}

/// Sets when strangers may be made the next one, also if nobody waits for this one any more.
struct Pace<'a> {
    next: MutexGuard<'a, Option<Instant>>,
    begun: Instant,
}

impl Drop for Pace<'_> {
    fn drop(&mut self) {
        *self.next = Some(Instant::now() + (self.begun.elapsed() * SHARE).clamp(PAUSE, LONGEST_PAUSE));
    }
}

async fn take_with(app: &App, arrival: Duration, room: Option<OwnedSemaphorePermit>) -> Result<Arc<Snapshot>, Trouble> {
    let mut last = app.pictures.last.lock().await;
    if let Some(ready) = begun_after(arrival, last.as_ref()) {
        return Ok(ready);
    }
    let made = Arc::new(make(app, room).await?);
    *last = Some(Arc::clone(&made));
    Ok(made)
}

/// The order is part of the guarantee: the time, the lease, the position, then the bits, which may be newer than it and
/// never older; at last the clock again.
async fn make(app: &App, room: Option<OwnedSemaphorePermit>) -> Result<Snapshot, Trouble> {
    let taken_at = app.clock.elapsed();
    let lease = app.guard.lease();
    let (tail, incarnation) = app.feed.head_of();
    // Lists that other nodes made as well: whoever follows takes a list that is not named here for retired.
    open_all(app).await?;
    let mut lists = Vec::new();
    for (name, capacity) in app.guard.open_lists() {
        if let Some(lst) = packed(app, &name).await? {
            lists.push(ListPicture { name, capacity, lst });
        }
    }
    app.pictures.packed.lock().await.retain(|name, _| lists.iter().any(|list| list.name == *name));
    // As of now, like the lists: a guard retires whatever key is not named.
    app.keys.refresh(&app.store).await?;
    let (keys, retired_keys) = (app.keys.session_jwks(), app.keys.retired_secrets());
    if !lease.lies_ahead(&*app.clock) {
        return Err(Trouble::Unavailable("the lists of this node may not be current".to_owned()));
    }
    Ok(Snapshot { taken_at, tail, incarnation, keys, retired_keys, lists, _room: room })
}

/// One list as it is now; `None`: retired, or there never was one.
///
/// # Errors
/// [`Trouble::Unavailable`] if this node cannot show that it is current.
pub async fn list(app: &App, name: &ListName) -> Result<Option<ListPicture>, Trouble> {
    let lease = app.guard.lease();
    if !is_in_use(app, name).await? {
        return Ok(None);
    }
    let open = app.guard.open_lists().into_iter().find(|(open, _)| open == name);
    let Some((name, capacity)) = open else { return Ok(None) };
    let Some(lst) = packed(app, &name).await? else { return Ok(None) };
    if !lease.lies_ahead(&*app.clock) {
        return Err(Trouble::Unavailable("the lists of this node may not be current".to_owned()));
    }
    Ok(Some(ListPicture { name, capacity, lst }))
}

/// The bitmap as it is now. It is compressed again only if a bit has changed.
async fn packed(app: &App, name: &ListName) -> Result<Option<Arc<str>>, Trouble> {
    let Some(bytes) = app.guard.list_bytes(name) else { return Ok(None) };
    let mut bits = [0; 32];
    bits.iter_mut().zip(digest(&SHA256, &bytes).as_ref()).for_each(|(to, from)| *to = *from);
    if let Some(ready) = app.pictures.packed.lock().await.get(name).filter(|ready| ready.bits == bits) {
        return Ok(Some(Arc::clone(&ready.lst)));
    }
    // Off the threads that answer requests: a large list takes some milliseconds.
    let lst = tokio::task::spawn_blocking(move || encode(&bytes)).await;
    let lst: Arc<str> =
        lst.map_err(|error| Trouble::Internal(format!("a status list could not be compressed: {error}")))?.into();
    app.pictures.packed.lock().await.insert(name.clone(), Packed { bits, lst: Arc::clone(&lst) });
    Ok(Some(lst))
}

/// Whether there is such a list and it is not retired; then the guard knows it. A made-up name
/// costs one query, on the connections of requests.
pub async fn is_in_use(app: &App, name: &ListName) -> Result<bool, Trouble> {
    if app.guard.has_open_list(name) {
        return Ok(true);
    }
    let _turn = app.pictures.turns.acquire().await;
    if by_name(&mut app.store.reader(), name).await?.is_none_or(|list| list.retired) {
        return Ok(false);
    }
    Ok(lists::look_up(app, name).await? && app.guard.has_open_list(name))
}

/// Makes every list in use known to the guard.
async fn open_all(app: &App) -> Result<(), Trouble> {
    for list in in_use(&mut app.store.reader()).await? {
        is_in_use(app, &list.name).await?;
    }
    Ok(())
}

/// The names of all lists in use.
pub async fn names(app: &App) -> Result<Arc<[ListName]>, Trouble> {
    let names = async {
        open_all(app).await?;
        let mut names: Vec<ListName> = app.guard.open_lists().into_iter().map(|(name, _)| name).collect();
        names.sort();
        Ok(names.into())
    };
    app.pictures.names.make(names).await
}

/// What has happened since a position that somebody outside came back with; `None`: it does not go on from there, so
/// that a snapshot is needed. What was acknowledged before the call is in it.
pub async fn resume(app: &App, position: &str) -> Result<Option<Tail>, Trouble> {
    let mut found = app.feed.find(position);
    if matches!(found, Found::Ahead) {
        // It may be of a node that has read further. A snapshot of what this one knows would take away from the guard what it
        // has learnt there, for ever. Anybody can say so: one reading is for all who do.
        let caught_up = timeout(PATIENCE, app.pictures.catching_up.make(follow::catch_up(app))).await;
        caught_up.map_err(|_| Trouble::Unavailable("the log could not be read in time".to_owned()))??;
        found = app.feed.find(position);
    }
    match found {
        Found::Ahead | Found::Nowhere => Ok(None),
        Found::Here(place) => Ok(app.feed.since(place)),
        Found::Earlier(position) => from_log(app, position).await,
    }
}

/// The feed begins with this process; the log goes further back.
async fn from_log(app: &App, from: Position) -> Result<Option<Tail>, Trouble> {
    let mut tail = app.feed.head();
    let last = tail.place.number();
    if last.saturating_sub(from.number) > i64::try_from(KEPT).unwrap_or(i64::MAX) {
        return Ok(None);
    }
    let mut run = app.store.reader();
    if log::at(&mut run, from.number).await?.is_none_or(|entry| entry.position != from) {
        return Ok(None);
    }
    let mut number = from.number;
    while number < last {
        let entries = log::after(&mut run, number, CHUNK.min(last - number)).await?;
        if entries.is_empty() {
            return Ok(None);
        }
        for entry in entries {
            number += 1;
            match feed::news(&entry.fact) {
                Some(news) if entry.position.number == number => tail.news.push(news),
                _ => return Ok(None),
            }
        }
    }
    // If another history has begun meanwhile this tail is of the old one.
    Ok(app.feed.since(tail.place).is_some().then_some(tail))
}
