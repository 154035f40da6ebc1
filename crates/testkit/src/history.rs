//! Judges what many clients saw at once by the rules of the guarantee.
//!
//! Every call is recorded with the moment before it was made and the moment after its answer was there, both from one
//! counter that only grows. What was seen is then compared with what the guarantee allows, whatever the server is made of.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What a call was and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A check that accepted the session.
    Accepted(String),
    /// A check that refused it (401).
    Refused(String),
    /// A check that was not answered truthfully either way (503, a lost connection).
    Unanswered(String),
    /// A logout of this session that got the 200.
    LoggedOut(String),
    /// Another operation that answered that these sessions are over.
    Ended(Vec<String>),
    /// A logout that found its session already over (401).
    WasOver(String),
    /// An operation that may have ended these sessions or not.
    MayHaveEnded(Vec<String>),
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The moment before it was made.
    pub begun: u64,
    /// The moment after its answer was there.
    pub answered: u64,
    /// What it was and what came of it.
    pub seen: Seen,
}

/// Why a history is impossible under the guarantee, or proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A check that began after its session's ending was answered accepted it.
    AcceptedAfterEnding {
        /// The session.
        session: String,
        /// When the ending was answered.
        ended: u64,
        /// When the check began.
        begun: u64,
    },
    /// One node refused a session and accepted it later.
    AcceptedAfterRefusal {
        /// The session.
        session: String,
        /// When the refusal was answered.
        refused: u64,
        /// When the check began.
        begun: u64,
    },
    /// A session was refused that nobody had begun to end.
    RefusedUntouched {
        /// The session.
        session: String,
        /// When the refusal was answered.
        answered: u64,
    },
    /// A logout said that its session was over before anything had begun to end it.
    OverUntouched {
        /// The session.
        session: String,
        /// When that was answered.
        answered: u64,
    },
    /// More than one logout of one session got the 200.
    EndedTwice {
        /// The session.
        session: String,
    },
    /// Fewer than 99% of the checks of untouched sessions were answered: whatever was not asked cannot be judged.
    TooFewAnswers {
        /// Checks answered with yes.
        accepted: usize,
        /// Checks made.
        made: usize,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// What was seen, by any number of tasks.
#[derive(Debug, Default)]
pub struct History {
    clock: AtomicU64,
    events: Mutex<Vec<Event>>,
}

impl History {
    /// Now, as a moment that no other call gets.
    #[must_use]
    pub fn moment(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// Writes down a call that was made at `begun` and whose answer is there.
    pub fn answered(&self, begun: u64, seen: Seen) {
        let event = Event { begun, answered: self.moment(), seen };
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// All that was written down.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What is known of one session's endings.
#[derive(Default)]
struct Fate {
    /// When anybody first began to end it.
    touched: Option<u64>,
    /// When it was first answered that it is over.
    over: Option<u64>,
    /// When it was first answered that it is refused.
    refused: Option<u64>,
    /// Logouts of it alone that got the 200.
    logouts: usize,
}

/// Everything that is wrong with a history of one node; empty if nothing is.
#[must_use]
pub fn judge(events: &[Event]) -> Vec<Fault> {
    let fates = fates(events);
    let mut faults: Vec<Fault> = events.iter().filter_map(|event| fault_of(event, &fates)).collect();
    for (session, fate) in &fates {
        if fate.logouts > 1 {
            faults.push(Fault::EndedTwice { session: session.clone() });
        }
    }
    let (mut accepted, mut made) = (0, 0);
    for event in events {
        let (session, yes) = match &event.seen {
            Seen::Accepted(session) => (session, 1),
            Seen::Refused(session) | Seen::Unanswered(session) => (session, 0),
            _ => continue,
        };
        if fates.get(session).is_none_or(|fate| fate.touched.is_none()) {
            accepted += yes;
            made += 1;
        }
    }
    if accepted * 100 < made * 99 || made == 0 {
        faults.push(Fault::TooFewAnswers { accepted, made });
    }
    faults
}

fn fates(events: &[Event]) -> HashMap<String, Fate> {
    let mut fates: HashMap<String, Fate> = HashMap::new();
    let earlier = |at: &mut Option<u64>, other: u64| *at = Some(at.map_or(other, |known| known.min(other)));
    for event in events {
        let mut of = |session: &String, note: &dyn Fn(&mut Fate)| note(fates.entry(session.clone()).or_default());
        let over = |fate: &mut Fate| {
            earlier(&mut fate.touched, event.begun);
            earlier(&mut fate.over, event.answered);
        };
        match &event.seen {
            Seen::LoggedOut(session) => of(session, &|fate| {
                over(fate);
                fate.logouts += 1;
            }),
            Seen::Ended(sessions) => {
                for session in sessions {
                    of(session, &over);
                }
            }
            Seen::MayHaveEnded(sessions) => {
                for session in sessions {
                    of(session, &|fate| earlier(&mut fate.touched, event.begun));
                }
            }
            Seen::WasOver(session) => of(session, &|fate| earlier(&mut fate.over, event.answered)),
            Seen::Refused(session) => of(session, &|fate| earlier(&mut fate.refused, event.answered)),
            Seen::Accepted(_) | Seen::Unanswered(_) => {}
        }
    }
    fates
}

fn fault_of(event: &Event, fates: &HashMap<String, Fate>) -> Option<Fault> {
    let Event { begun, answered, seen } = event;
    let of = |session: &String| fates.get(session);
    let untouched = |session: &String| of(session).and_then(|fate| fate.touched).is_none_or(|at| at > *answered);
    match seen {
        Seen::Accepted(session) => {
            let fate = of(session)?;
            if let Some(ended) = fate.over.filter(|over| over < begun) {
                return Some(Fault::AcceptedAfterEnding { session: session.clone(), ended, begun: *begun });
            }
            let refused = fate.refused.filter(|refused| refused < begun)?;
            Some(Fault::AcceptedAfterRefusal { session: session.clone(), refused, begun: *begun })
        }
        Seen::Refused(session) if untouched(session) => {
            Some(Fault::RefusedUntouched { session: session.clone(), answered: *answered })
        }
        Seen::WasOver(session) if untouched(session) => {
            Some(Fault::OverUntouched { session: session.clone(), answered: *answered })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(begun: u64, answered: u64, seen: Seen) -> Event {
        Event { begun, answered, seen }
    }

    fn s() -> String {
        "s".to_owned()
    }

    /// Enough good answers of another session that the history counts.
    fn with_others(mut events: Vec<Event>) -> Vec<Event> {
        events.extend((0..200).map(|n| event(1000 + n, 1001 + n, Seen::Accepted("other".to_owned()))));
        events
    }

    fn verdict(events: Vec<Event>) -> Vec<Fault> {
        judge(&with_others(events))
    }

    #[test]
    fn a_right_history_is_not_convicted() {
        let right = vec![
            event(0, 1, Seen::Accepted(s())),
            event(2, 7, Seen::LoggedOut(s())),
            // Under way together with the ending: either is right.
            event(3, 4, Seen::Accepted(s())),
            event(3, 5, Seen::Refused(s())),
            event(5, 9, Seen::Accepted("other".to_owned())),
            event(6, 8, Seen::WasOver(s())),
            event(10, 11, Seen::Refused(s())),
        ];
        assert_eq!(verdict(right), []);
    }

    #[test]
    fn an_answer_before_the_bits_is_convicted() {
        let wrong = vec![event(0, 1, Seen::LoggedOut(s())), event(2, 3, Seen::Accepted(s()))];
        assert_eq!(verdict(wrong), [Fault::AcceptedAfterEnding { session: s(), ended: 1, begun: 2 }]);
    }

    #[test]
    fn a_second_logout_says_over_only_when_it_is() {
        let wrong =
            vec![event(0, 9, Seen::LoggedOut(s())), event(1, 2, Seen::WasOver(s())), event(3, 4, Seen::Accepted(s()))];
        assert_eq!(verdict(wrong), [Fault::AcceptedAfterEnding { session: s(), ended: 2, begun: 3 }]);
    }

    #[test]
    fn endings_of_many_count_for_each() {
        let wrong = vec![
            event(0, 1, Seen::Ended(vec!["a".to_owned(), s()])),
            event(2, 3, Seen::Refused("a".to_owned())),
            event(2, 3, Seen::Accepted(s())),
        ];
        assert_eq!(verdict(wrong).len(), 1);
    }

    #[test]
    fn a_session_does_not_come_back() {
        let wrong = vec![
            event(0, 9, Seen::MayHaveEnded(vec![s()])),
            event(1, 2, Seen::Refused(s())),
            event(3, 4, Seen::Accepted(s())),
        ];
        assert_eq!(verdict(wrong), [Fault::AcceptedAfterRefusal { session: s(), refused: 2, begun: 3 }]);
    }

    #[test]
    fn an_untouched_session_is_not_refused() {
        let wrong = vec![event(0, 1, Seen::Refused(s())), event(2, 3, Seen::LoggedOut(s()))];
        assert_eq!(verdict(wrong), [Fault::RefusedUntouched { session: s(), answered: 1 }]);
        let wrong = vec![event(0, 1, Seen::WasOver(s()))];
        assert_eq!(verdict(wrong), [Fault::OverUntouched { session: s(), answered: 1 }]);
    }

    #[test]
    fn one_logout_gets_the_200() {
        let wrong = vec![event(0, 3, Seen::LoggedOut(s())), event(1, 2, Seen::LoggedOut(s()))];
        assert_eq!(verdict(wrong), [Fault::EndedTwice { session: s() }]);
    }

    #[test]
    fn silence_proves_nothing() {
        assert_eq!(judge(&[]), [Fault::TooFewAnswers { accepted: 0, made: 0 }]);
        let mut mostly = with_others(Vec::new());
        assert_eq!(judge(&mostly), []);
        mostly.extend((0..3).map(|n| event(n, n + 1, Seen::Unanswered("other".to_owned()))));
        assert_eq!(judge(&mostly), [Fault::TooFewAnswers { accepted: 200, made: 203 }]);
    }

    #[test]
    fn moments_only_grow() {
        let history = History::default();
        let begun = history.moment();
        history.answered(begun, Seen::Accepted(s()));
        let later = history.moment();
        let [Event { begun: first, answered, .. }] = history.events()[..] else { panic!("one event") };
        assert!(first == begun && begun < answered && answered < later);
    }
}
