//! The follower: a guard, where in the log it stands, and how fresh it is.

use std::sync::Arc;
use std::time::Duration;

use cerrojo_domain::{Clock, KeyId, ListIndex, ListName};
use serde_json::Value;

use super::known::{Known, Look, Source};
use super::message::{ListState, Position, RawEntries, RawPolled, Terms, read};
use super::{Fault, Stream};
use crate::guard::{Guard, Policy};
use crate::keys::VerifyingKey;

/// What the follower was told by whoever started it.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The issuer: its server may speak for no other.
    pub issuer: String,
    /// `aud` of the tokens; `None`: as the server says.
    pub audience: Option<String>,
    /// A key that the server does not show: the shared secret of HS256.
    pub secret: Option<(KeyId, VerifyingKey)>,
    /// How old the guard's knowledge may be where it says yes.
    pub max_staleness: Duration,
    /// How many verified tokens are remembered.
    pub cache_capacity: usize,
}

/// Something that turned against sessions, as it was told. It may be told more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The sessions at these places of the list have ended.
    Ended(ListName, Vec<ListIndex>),
    /// Every session of this list is over.
    ListRetired(ListName),
    /// Whatever this key signed is over.
    KeyRetired(KeyId),
}

/// Follows one server: applies what it says to a guard.
pub struct Follower {
    pub(super) expected: Expected,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) guard: Option<Arc<Guard>>,
    pub(super) position: Option<Position>,
    pub(super) incarnation: Option<Value>,
    pub(super) known: Known,
    pub(super) told: Vec<Told>,
    /// As the server said first, whatever was expected.
    audience_told: Option<String>,
    askings: u64,
    fresh: Option<Duration>,
    heartbeat: Duration,
    report: Option<Duration>,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("position", &self.position).field("fresh", &self.fresh).finish_non_exhaustive()
    }
}

/// A server signs with a new key three seconds after it was made known. Who has not heard from it for so long (with some room)
/// may meet a key that he does not know and that is good.
const KEYS: Duration = Duration::from_millis(2500);

/// Until the server says how often it sends something.
const USUAL_HEARTBEAT: Duration = Duration::from_secs(1);
const HEARTBEATS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_mins(1));

impl Follower {
    /// A follower that was told nothing yet.
    #[must_use]
    pub fn new(expected: Expected, clock: Arc<dyn Clock>) -> Self {
        Self {
            expected,
            clock,
            guard: None,
            position: None,
            incarnation: None,
            known: Known::default(),
            told: Vec::new(),
            audience_told: None,
            askings: 0,
            fresh: None,
            heartbeat: USUAL_HEARTBEAT,
            report: None,
        }
    }

    /// The clock that freshness is measured by.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// How old the guard's knowledge may be where it says yes.
    #[must_use]
    pub fn max_staleness(&self) -> Duration {
        self.expected.max_staleness
    }

    /// The guard; there is none before the server said hello.
    #[must_use]
    pub fn guard(&self) -> Option<&Arc<Guard>> {
        self.guard.as_ref()
    }

    /// Where in the log it stands; `None`: it needs a snapshot.
    #[must_use]
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// As of when, by the guard's clock, everything that was over is known. `None`: there was no snapshot yet.
    #[must_use]
    pub fn fresh_as_of(&self) -> Option<Duration> {
        self.fresh
    }

    /// How often the server sends something at least.
    #[must_use]
    pub fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    /// How often uses are to be reported at the latest; `None`: not at all.
    #[must_use]
    pub fn report(&self) -> Option<Duration> {
        self.report
    }

    /// Begins to ask for the stream, now: to be called before the request is sent, with [`Follower::position`] in it.
    #[must_use]
    pub fn ask(&mut self) -> Stream {
        Stream::new(self.next_asking(), self.clock.elapsed(), self.position.is_some())
    }

    /// What turned against sessions since this was last asked.
    #[must_use]
    pub fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// Notes that a list is about to be looked up: to be called before the request is sent. A snapshot that comes meanwhile
    /// may say that the list is over; an answer that is older than that then opens nothing.
    pub fn looking_up(&mut self, name: &ListName) -> Result<(), Fault> {
        let source = Source { asking: self.next_asking(), at: self.clock.elapsed() };
        self.known.awaited(name, 0, source)
    }

    /// Opens a list that was looked up.
    pub fn looked_up(&mut self, list: &ListState) -> Result<(), Fault> {
        let source = Source { asking: self.next_asking(), at: self.clock.elapsed() };
        self.open(list, source)
    }

    /// Applies an answer to `GET /entries`. `asked`: the guard's clock before the request was sent; `after`: the position
    /// that was in it.
    pub fn polled(&mut self, asked: Duration, after: Option<&Position>, body: &[u8]) -> Result<(), Fault> {
        let applied = self.apply_polled(asked, after, body);
        self.unless_fault(applied)
    }

    fn apply_polled(&mut self, asked: Duration, after: Option<&Position>, body: &[u8]) -> Result<(), Fault> {
        let source = Source { asking: self.next_asking(), at: self.clock.elapsed() };
        let terms: Terms = read(body, "entries")?;
        let polled: RawPolled = read(body, "entries")?;
        let look = Look { asking: source.asking, at: look_at(asked, polled.elapsed) };
        let goes_on = self.meet(&terms)?;
        if let Some(snapshot) = polled.snapshot {
            let (snapshot, lists) = snapshot.check()?;
            for list in lists {
                self.open(&list?, source)?;
            }
            self.apply_snapshot(&snapshot, source, look)?;
        } else if after.is_none() {
            return Err(Fault::Malformed("snapshot"));
        } else if !goes_on {
            return Err(Fault::OtherIncarnation);
        } else {
            self.apply_entries(&read::<RawEntries>(body, "entries")?.check()?, source, look)?;
        }
        self.incarnation = Some(terms.incarnation);
        self.position = Some(Position::from_text(polled.position).ok_or(Fault::Malformed("position"))?);
        self.raise_freshness(look.at, source.at);
        Ok(())
    }

    /// Looks at what holds for the whole server. False: another history than the one that the position is of, if any.
    pub(super) fn meet(&mut self, terms: &Terms) -> Result<bool, Fault> {
        // Without one every history would look like the one before.
        if terms.incarnation.is_null() {
            return Err(Fault::Malformed("incarnation"));
        }
        // Who does not say who it is may be anybody.
        if *terms.issuer.as_ref().ok_or(Fault::Malformed("issuer"))? != self.expected.issuer {
            return Err(Fault::OtherIssuer);
        }
        let told = self.audience_told.get_or_insert_with(|| terms.audience.clone());
        if *told != terms.audience {
            return Err(Fault::OtherAudience);
        }
        self.guard.get_or_insert_with(|| {
            let policy = Policy {
                issuer: self.expected.issuer.clone(),
                audience: self.expected.audience.as_ref().unwrap_or(told).clone(),
                idle_timeout: None,
                cache_capacity: self.expected.cache_capacity,
            };
            let guard = Guard::new(policy, Arc::clone(&self.clock));
            if let Some((id, key)) = self.expected.secret.clone() {
                guard.add_key(id, key);
            }
            Arc::new(guard)
        });
        if let Some(heartbeat) = terms.heartbeat {
            self.heartbeat = Duration::from_millis(heartbeat).clamp(HEARTBEATS.0, HEARTBEATS.1);
        }
        self.report = terms.report.map(Duration::from_millis);
        Ok(self.incarnation.as_ref().is_none_or(|incarnation| *incarnation == terms.incarnation))
    }

    /// After everything up to a look was applied: says yes for as long as that may be.
    pub(super) fn raise_freshness(&mut self, look: Duration, read: Duration) {
        let look = look.min(read);
        if self.fresh.is_some_and(|fresh| fresh >= look) {
            return;
        }
        self.fresh = Some(look);
        if let Some(guard) = &self.guard {
            let deadline = look.saturating_add(self.expected.max_staleness);
            guard.hold_lease_and_keys_until(deadline, look.saturating_add(KEYS));
        }
    }

    /// Passes a result on; after a fault nobody knows what was lost, so everything is asked for again.
    pub(super) fn unless_fault<T>(&mut self, result: Result<T, Fault>) -> Result<T, Fault> {
        if result.is_err() {
            self.position = None;
        }
        result
    }

    fn next_asking(&mut self) -> u64 {
        self.askings += 1;
        self.askings
    }
}

/// When, by the guard's clock, the server began to look, at the earliest: the thousandth is for clocks whose rates differ.
pub(super) fn look_at(asked: Duration, elapsed: u64) -> Duration {
    let margin = Duration::from_micros(elapsed);
    asked.saturating_add(Duration::from_millis(elapsed)).saturating_sub(margin)
}
