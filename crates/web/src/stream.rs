//! A stream of events, from its opening to its goodbye.
//!
//! Every message is made in the order of the check (`docs/GUARD-PROTOCOL.md`): the time, the lease, the news, the clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use cerrojo_app::picture::{self, Snapshot};
use cerrojo_app::services::{self, ServiceId};
use cerrojo_app::{Trouble, feed};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::Web;
use crate::places::Place;
use crate::unfold::Pieces;
use crate::wire::{self, HEARTBEAT};

/// Entries that come so soon after others travel together.
const GATHERING: Duration = Duration::from_millis(20);
/// How long a stream lasts, less up to a fifth of it, so that not all end together.
const LONGEST: Duration = Duration::from_mins(15);
/// How long a snapshot may take to be sent to whoever has no credentials: as long it is kept in memory.
pub(crate) const LONGEST_SNAPSHOT: Duration = Duration::from_mins(1);
/// Guards that are told goodbye come back within this time.
const RETRY: Duration = Duration::from_millis(500);

/// Tells when the server stops.
#[derive(Clone)]
pub(crate) struct Stopping(pub(crate) watch::Receiver<()>);

/// A stream.
pub(crate) struct Stream {
    web: Web,
    /// When the request came, by `Clock::elapsed`.
    arrival: Duration,
    service: Option<ServiceId>,
    stopping: Option<Stopping>,
    news: watch::Receiver<u64>,
    /// What is to be sent before anything new is looked for.
    ready: VecDeque<Bytes>,
    snapshot: Option<Sending>,
    at: feed::Place,
    times: Times,
    /// `None`: goodbye was said.
    place: Option<Place>,
}

struct Sending {
    snapshot: Arc<Snapshot>,
    sent: usize,
    /// A service has the stream's own time.
    until: Option<Instant>,
}

struct Times {
    ends: Instant,
    heartbeat: Instant,
    entries: Instant,
    /// When it is looked again whether the service is still there.
    service: Instant,
}

/// Who asks for a stream, and from where on.
pub(crate) struct Asked {
    pub(crate) arrival: Duration,
    pub(crate) place: Place,
    pub(crate) service: Option<ServiceId>,
    pub(crate) stopping: Option<Stopping>,
    pub(crate) last: Option<String>,
}

impl Stream {
    /// Takes what the stream opens with: what came since `last`, or a snapshot.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] if this node cannot show that it is current.
    pub(crate) async fn open(web: Web, asked: Asked) -> Result<Self, Trouble> {
        let Asked { arrival, place, service, stopping, last } = asked;
        // Before anything is taken, so that nothing that follows is missed.
        let news = web.feed.watch();
        let mut about = wire::about(&web);
        about.insert("heartbeat".to_owned(), wire::milliseconds(HEARTBEAT));
        let mut ready = VecDeque::from([wire::event("hello", None, &about.into())]);
        let taken_at = web.clock.elapsed();
        let lease = web.guard.lease();
        let tail = match &last {
            Some(last) => picture::resume(&web, last).await?,
            None => None,
        };
        let mut sending = None;
        let at = if let Some(tail) = tail {
            if !lease.lies_ahead(&*web.clock) {
                return Err(Trouble::Unavailable("this node may not be current".to_owned()));
            }
            let mut data = wire::entries(&web, &tail.news);
            data.insert("elapsed".to_owned(), wire::elapsed(taken_at, arrival));
            ready.push_back(wire::event("entries", Some(&tail.position), &data.into()));
            tail.place
        } else {
            let snapshot = snapshot_for(&web, arrival, service.is_some()).await?;
            let at = snapshot.tail.place;
            let until = service.is_none().then(|| Instant::now() + LONGEST_SNAPSHOT);
            sending = Some(Sending { snapshot, sent: 0, until });
            at
        };
        let times = Times::from_now(&web);
        Ok(Self { web, arrival, service, stopping, news, ready, snapshot: sending, at, times, place: Some(place) })
    }

    /// Whether the stream has lasted long enough, or takes too long to begin.
    fn is_over(&self) -> bool {
        let now = Instant::now();
        let stops = |Stopping(receiver): &Stopping| receiver.has_changed().unwrap_or(true);
        now >= self.times.ends
            || self.snapshot.as_ref().and_then(|sending| sending.until).is_some_and(|until| now >= until)
            || self.stopping.as_ref().is_some_and(stops)
    }

    /// The next piece of the snapshot that is being sent.
    fn of_snapshot(&mut self) -> Option<Bytes> {
        let sending = self.snapshot.as_mut()?;
        if let Some(list) = sending.snapshot.lists.get(sending.sent) {
            sending.sent += 1;
            return Some(wire::event("list", None, &wire::list(list)));
        }
        let end = wire::snapshot_end(&sending.snapshot, self.arrival);
        let event = wire::event("snapshot", Some(&sending.snapshot.tail.position), &end);
        self.snapshot = None;
        Some(event)
    }

    /// What there is to say now; `None`: nothing more, ever.
    fn news(&mut self) -> Option<Bytes> {
        let taken_at = self.web.clock.elapsed();
        let lease = self.web.guard.lease();
        // Everything is over, or so much at once that it was not kept: a snapshot is needed, and with a new request the
        // guard knows for certain which lists it knew before.
        let Some(tail) = self.web.feed.since(self.at) else { return Some(self.goodbye()) };
        let mut data = wire::entries(&self.web, &tail.news);
        data.insert("elapsed".to_owned(), wire::elapsed(taken_at, self.arrival));
        let event = if tail.news.is_empty() {
            wire::event("heartbeat", None, &data.into())
        } else {
            wire::event("entries", Some(&tail.position), &data.into())
        };
        if !lease.lies_ahead(&*self.web.clock) {
            return None;
        }
        self.at = tail.place;
        let now = Instant::now();
        self.times.heartbeat = now + HEARTBEAT;
        self.times.entries = now + GATHERING;
        Some(event)
    }

    /// The place is free before the guard hears of it and asks for another.
    fn goodbye(&mut self) -> Bytes {
        self.place = None;
        let retry = wire::members([("retry", wire::milliseconds(RETRY))]);
        wire::event("goodbye", None, &Value::from(retry))
    }

    /// Whether the service, if it is one, was not removed. Looked at once a heartbeat.
    async fn is_welcome(&mut self) -> bool {
        let Some(service) = &self.service else { return true };
        let now = Instant::now();
        if now < self.times.service {
            return true;
        }
        self.times.service = now + HEARTBEAT;
        services::is_still(&self.web, service).await
    }
}

/// A snapshot for a service, or for whoever has no credentials.
pub(crate) async fn snapshot_for(web: &Web, arrival: Duration, is_service: bool) -> Result<Arc<Snapshot>, Trouble> {
    if is_service { picture::take(web, arrival).await } else { picture::take_for_stranger(web, arrival).await }
}

impl Times {
    fn from_now(web: &Web) -> Self {
        let now = Instant::now();
        let longest = u64::try_from(LONGEST.as_millis()).unwrap_or(u64::MAX);
        let ends = now + LONGEST - Duration::from_millis(web.random.below(longest / 5));
        Self { ends, heartbeat: now + HEARTBEAT, entries: now, service: now + HEARTBEAT }
    }
}

impl Pieces for Stream {
    async fn next(&mut self) -> Option<Bytes> {
        self.place.as_ref()?;
        if self.is_over() {
            self.snapshot = None;
            return Some(self.goodbye());
        }
        if let Some(ready) = self.ready.pop_front() {
            return Some(ready);
        }
        if let Some(piece) = self.of_snapshot() {
            return Some(piece);
        }
        let something_new = async {
            sleep_until(self.times.entries).await;
            let _ = self.news.changed().await;
        };
        tokio::select! {
            biased;
            () = stopped(&mut self.stopping) => return Some(self.goodbye()),
            () = sleep_until(self.times.ends) => return Some(self.goodbye()),
            () = something_new => {}
            () = sleep_until(self.times.heartbeat) => {}
        }
        if self.is_welcome().await { self.news() } else { None }
    }
}

/// Returns when the server stops.
pub(crate) async fn stopped(stopping: &mut Option<Stopping>) {
    match stopping {
        Some(Stopping(receiver)) => {
            // A sender that is gone means the same.
            let _ = receiver.changed().await;
        }
        None => std::future::pending().await,
    }
}
