//! One asking for the event stream, from hello to its end.

use std::time::Duration;

use serde_json::Value;

use super::follower::look_at;
use super::known::{Look, Source};
use super::message::{Elapsed, Goodbye, ListState, Position, RawEntries, RawSnapshot, Terms, read};
use super::{Event, EventParser, Fault, Follower};

/// One stream. It is done with after a [`Fault`].
#[derive(Debug)]
pub struct Stream {
    asking: u64,
    asked: Duration,
    parser: EventParser,
    stage: Stage,
    /// As hello said, until there was a snapshot.
    incarnation: Option<Value>,
    goodbye: Option<Duration>,
}

/// What has to come before what the stream says makes the guard fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// `hello`.
    Hello { resumed: bool },
    /// The end of a snapshot.
    Snapshot,
    /// The same, and nothing else may come before it: the position is of another history.
    Lost,
    /// Nothing: there is no gap to what the guard has.
    Current,
    /// A fault was found.
    Broken,
}

impl Stream {
    pub(super) fn new(asking: u64, asked: Duration, resumed: bool) -> Self {
        let stage = Stage::Hello { resumed };
        Self { asking, asked, parser: EventParser::new(), stage, incarnation: None, goodbye: None }
    }

    /// What the guard's clock said before the request was sent.
    #[must_use]
    pub fn asked(&self) -> Duration {
        self.asked
    }

    /// Whether the stream makes the guard fresh: nothing of a snapshot is missing.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.stage == Stage::Current
    }

    /// The server said goodbye: the next stream is to be asked for after a random time up to this.
    #[must_use]
    pub fn goodbye(&self) -> Option<Duration> {
        self.goodbye
    }

    /// Applies the events that these bytes complete. After a fault nothing more of this stream is applied.
    pub fn receive(&mut self, follower: &mut Follower, bytes: &[u8]) -> Result<(), Fault> {
        if self.stage == Stage::Broken {
            return Err(Fault::OutOfOrder);
        }
        let result = self.parser.push(bytes);
        let result = result.and_then(|events| events.into_iter().try_for_each(|event| self.apply(follower, event)));
        if result.is_err() {
            self.stage = Stage::Broken;
        }
        follower.unless_fault(result)
    }

    fn apply(&mut self, follower: &mut Follower, event: Event) -> Result<(), Fault> {
        let source = Source { asking: self.asking, at: follower.clock.elapsed() };
        match (event.name.as_str(), self.stage) {
            ("hello", Stage::Hello { resumed }) => return self.hello(follower, resumed, &event),
            ("goodbye", _) => self.goodbye = Some(read::<Goodbye>(&event.data, "goodbye")?.pause()),
            ("entries" | "heartbeat", Stage::Lost) => return Err(Fault::OtherIncarnation),
            ("hello", _) | ("list" | "snapshot" | "entries" | "heartbeat", Stage::Hello { .. }) => {
                return Err(Fault::OutOfOrder);
            }
            ("list", _) => {
                self.stage = Stage::Snapshot;
                follower.open(&ListState::read(&event.data)?, source)?;
            }
            ("snapshot", _) => {
                let look = self.look(&event)?;
                let snapshot = read::<RawSnapshot>(&event.data, "snapshot")?.check()?;
                follower.apply_snapshot(&snapshot, source, look)?;
                // In the midst of a stream it may be of another history than the hello was.
                if let Some(incarnation) = snapshot.incarnation.or(self.incarnation.take()) {
                    follower.incarnation = Some(incarnation);
                }
                self.stage = Stage::Current;
                self.reached(follower, event.id, (source, look))?;
            }
            ("entries", _) => {
                let look = self.look(&event)?;
                follower.apply_entries(&read::<RawEntries>(&event.data, "entries")?.check()?, source, look)?;
                self.reached(follower, event.id, (source, look))?;
            }
            ("heartbeat", _) => self.looked(follower, source, self.look(&event)?),
            _ => {}
        }
        Ok(())
    }

    fn hello(&mut self, follower: &mut Follower, resumed: bool, event: &Event) -> Result<(), Fault> {
        let terms: Terms = read(&event.data, "hello")?;
        let goes_on = follower.meet(&terms)?;
        self.stage = match (resumed, goes_on) {
            (true, true) => Stage::Current,
            (true, false) => Stage::Lost,
            (false, _) => Stage::Snapshot,
        };
        if self.stage == Stage::Current {
            follower.incarnation = Some(terms.incarnation);
        } else {
            self.incarnation = Some(terms.incarnation);
        }
        Ok(())
    }

    fn look(&self, event: &Event) -> Result<Look, Fault> {
        let Elapsed { elapsed } = read(&event.data, "elapsed")?;
        Ok(Look { asking: self.asking, at: look_at(self.asked, elapsed) })
    }

    /// Everything up to the event's position and this look is applied, if nothing of a snapshot is missing.
    fn reached(&self, follower: &mut Follower, id: Option<String>, seen: (Source, Look)) -> Result<(), Fault> {
        let position = id.and_then(Position::from_text).ok_or(Fault::Malformed("id"))?;
        if self.stage == Stage::Current {
            follower.position = Some(position);
        }
        self.looked(follower, seen.0, seen.1);
        Ok(())
    }

    fn looked(&self, follower: &mut Follower, source: Source, look: Look) {
        if self.stage == Stage::Current {
            follower.raise_freshness(look.at, source.at);
        }
    }
}
