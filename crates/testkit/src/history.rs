//! Judges what many clients saw at once by the rules of the guarantee.
//!
//! Every call is recorded with the moment before it was made and the moment after its answer was there, both from one
//! clock that only grows. What was seen is then compared with what the guarantee allows, whatever the servers are made of.

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
    /// A sign-in that got this session under this password, named so that it differs from every other password.
    SignedIn {
        /// The session.
        session: String,
        /// The password's name.
        password: String,
    },
    /// An operation that answered that this password is no longer good.
    PasswordOver(String),
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The moment before it was made.
    pub begun: u64,
    /// The moment after its answer was there.
    pub answered: u64,
    /// Which node was asked.
    pub node: usize,
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
    /// A node accepted a session long after another one had refused it: an ending reaches everybody, answered or not.
    AcceptedLongAfterRefusal {
        /// The session.
        session: String,
        /// When the refusal was answered.
        refused: u64,
        /// When the check began.
        begun: u64,
    },
    /// A sign-in succeeded with a password that had been answered to be over before.
    SignedInWithOldPassword {
        /// The session.
        session: String,
        /// When it was answered that the password is over.
        over: u64,
        /// When the sign-in began.
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
    /// Fewer than 99% of the checks of untouched sessions, outside of disturbances, were answered: whatever was not
    /// answered cannot be judged.
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

    /// Writes down a call to the one node that was made at `begun` and whose answer is there.
    pub fn answered(&self, begun: u64, seen: Seen) {
        let event = Event { begun, answered: self.moment(), node: 0, seen };
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// All that was written down.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the judge has to know beside the history.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// From when to when something was broken on purpose: what was asked then need not have been answered.
    pub disturbed: Vec<(u64, u64)>,
    /// How long after a refusal by one node another may still accept, if the ending was never answered. Nothing is
    /// demanded without it.
    pub agreement: Option<u64>,
}

/// What is known of one session's endings.
#[derive(Default)]
struct Fate {
    /// When anybody first began to end it.
    touched: Option<u64>,
    /// When it was first answered that it is over.
    over: Option<u64>,
    /// By node, when it was first answered that it is refused.
    refused: HashMap<usize, u64>,
    /// Logouts of it alone that got the 200.
    logouts: usize,
}

/// Everything that is wrong with a history without disturbances; empty if nothing is.
#[must_use]
pub fn judge(events: &[Event]) -> Vec<Fault> {
    judge_under(&Circumstances::default(), events)
}

/// The same with disturbances.
#[must_use]
pub fn judge_under(circumstances: &Circumstances, events: &[Event]) -> Vec<Fault> {
    let case = Case { circumstances, fates: fates(events), passwords: passwords(events) };
    let mut faults: Vec<Fault> = events.iter().filter_map(|event| case.fault_of(event)).collect();
    for (session, fate) in &case.fates {
        if fate.logouts > 1 {
            faults.push(Fault::EndedTwice { session: session.clone() });
        }
    }
    faults.extend(case.too_few(events));
    faults
}

/// When each password was first answered to be over.
fn passwords(events: &[Event]) -> HashMap<&str, u64> {
    let mut over = HashMap::new();
    for event in events {
        if let Seen::PasswordOver(password) = &event.seen {
            let at = over.entry(password.as_str()).or_insert(event.answered);
            *at = event.answered.min(*at);
        }
    }
    over
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
            Seen::Refused(session) => of(session, &|fate| {
                let at = fate.refused.entry(event.node).or_insert(event.answered);
                *at = event.answered.min(*at);
            }),
            Seen::Accepted(_) | Seen::Unanswered(_) | Seen::SignedIn { .. } | Seen::PasswordOver(_) => {}
        }
    }
    fates
}

struct Case<'a> {
    circumstances: &'a Circumstances,
    fates: HashMap<String, Fate>,
    passwords: HashMap<&'a str, u64>,
}

impl Case<'_> {
    fn fault_of(&self, event: &Event) -> Option<Fault> {
        let Event { begun, answered, node, seen } = event;
        let fate = |session: &String| self.fates.get(session);
        let untouched = |session: &String| fate(session).and_then(|fate| fate.touched).is_none_or(|at| at > *answered);
        match seen {
            Seen::Accepted(session) => fate(session).and_then(|fate| self.revived(session, fate, (*node, *begun))),
            Seen::Refused(session) if untouched(session) => {
                Some(Fault::RefusedUntouched { session: session.clone(), answered: *answered })
            }
            Seen::WasOver(session) if untouched(session) => {
                Some(Fault::OverUntouched { session: session.clone(), answered: *answered })
            }
            Seen::SignedIn { session, password } => {
                let over = self.passwords.get(password.as_str()).copied().filter(|over| over < begun)?;
                Some(Fault::SignedInWithOldPassword { session: session.clone(), over, begun: *begun })
            }
            _ => None,
        }
    }

    /// Why a check that began then must not have accepted.
    fn revived(&self, session: &str, fate: &Fate, (node, begun): (usize, u64)) -> Option<Fault> {
        let session = session.to_owned();
        if let Some(ended) = fate.over.filter(|over| *over < begun) {
            return Some(Fault::AcceptedAfterEnding { session, ended, begun });
        }
        if let Some(refused) = fate.refused.get(&node).copied().filter(|refused| *refused < begun) {
            return Some(Fault::AcceptedAfterRefusal { session, refused, begun });
        }
        let agreement = self.circumstances.agreement?;
        let refused = fate.refused.values().copied().min()?;
        let is_late = begun.saturating_sub(refused) > agreement;
        is_late.then_some(Fault::AcceptedLongAfterRefusal { session, refused, begun })
    }

    fn too_few(&self, events: &[Event]) -> Option<Fault> {
        let (mut accepted, mut made) = (0, 0);
        for event in events {
            let (session, yes) = match &event.seen {
                Seen::Accepted(session) => (session, 1),
                Seen::Refused(session) | Seen::Unanswered(session) => (session, 0),
                _ => continue,
            };
            // Yet: nobody had begun to end it.
            let touched = self.fates.get(session).and_then(|fate| fate.touched);
            if touched.is_none_or(|at| at > event.answered) && !self.was_disturbed(event) {
                accepted += yes;
                made += 1;
            }
        }
        (accepted * 100 < made * 99 || made == 0).then_some(Fault::TooFewAnswers { accepted, made })
    }

    fn was_disturbed(&self, event: &Event) -> bool {
        self.circumstances.disturbed.iter().any(|(from, to)| event.begun <= *to && event.answered >= *from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(begun: u64, answered: u64, seen: Seen) -> Event {
        at_node(0, (begun, answered), seen)
    }

    fn at_node(node: usize, (begun, answered): (u64, u64), seen: Seen) -> Event {
        Event { begun, answered, node, seen }
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
    fn nodes_may_differ_until_the_ending_is_answered() {
        let mut events = vec![
            event(0, 30, Seen::LoggedOut(s())),
            at_node(1, (5, 6), Seen::Refused(s())),
            at_node(2, (7, 8), Seen::Accepted(s())),
            at_node(2, (29, 40), Seen::Accepted(s())),
        ];
        assert_eq!(verdict(events.clone()), []);
        events.push(at_node(1, (9, 10), Seen::Accepted(s())));
        assert_eq!(verdict(events), [Fault::AcceptedAfterRefusal { session: s(), refused: 6, begun: 9 }]);
    }

    #[test]
    fn an_answer_before_the_other_nodes_know_is_convicted() {
        let wrong = vec![event(0, 4, Seen::LoggedOut(s())), at_node(2, (5, 6), Seen::Accepted(s()))];
        assert_eq!(verdict(wrong), [Fault::AcceptedAfterEnding { session: s(), ended: 4, begun: 5 }]);
        // A second logout must not say so either before everybody knows.
        let wrong = vec![
            event(0, 20, Seen::LoggedOut(s())),
            event(1, 4, Seen::WasOver(s())),
            at_node(2, (5, 6), Seen::Accepted(s())),
        ];
        assert_eq!(verdict(wrong), [Fault::AcceptedAfterEnding { session: s(), ended: 4, begun: 5 }]);
    }

    #[test]
    fn what_was_never_answered_is_the_same_everywhere_in_the_end() {
        let circumstances = Circumstances { agreement: Some(10), ..Circumstances::default() };
        let mut events = with_others(vec![
            event(0, 3, Seen::MayHaveEnded(vec![s()])),
            at_node(1, (4, 5), Seen::Refused(s())),
            at_node(2, (15, 16), Seen::Accepted(s())),
        ]);
        assert_eq!(judge_under(&circumstances, &events), []);
        events.push(at_node(2, (16, 17), Seen::Accepted(s())));
        let wrong = [Fault::AcceptedLongAfterRefusal { session: s(), refused: 5, begun: 16 }];
        assert_eq!(judge_under(&circumstances, &events), wrong);
    }

    #[test]
    fn an_old_password_gets_no_session() {
        let signed_in = |begun| event(begun, 20, Seen::SignedIn { session: s(), password: "old".to_owned() });
        let over = event(1, 5, Seen::PasswordOver("old".to_owned()));
        assert_eq!(verdict(vec![over.clone(), signed_in(4)]), []);
        let wrong = [Fault::SignedInWithOldPassword { session: s(), over: 5, begun: 6 }];
        assert_eq!(verdict(vec![over, signed_in(6)]), wrong);
    }

    #[test]
    fn what_was_disturbed_need_not_be_answered() {
        let silent = |n| event(n, n + 1, Seen::Unanswered("other".to_owned()));
        let events = with_others((10..20).map(silent).collect());
        assert_eq!(judge(&events), [Fault::TooFewAnswers { accepted: 200, made: 210 }]);
        let disturbed = |from, to| Circumstances { disturbed: vec![(from, to)], ..Circumstances::default() };
        assert_eq!(judge_under(&disturbed(11, 19), &events), []);
        assert_ne!(judge_under(&disturbed(12, 14), &events), []);
        // What the guarantee forbids, it forbids then too.
        let wrong = vec![event(0, 1, Seen::LoggedOut(s())), event(12, 13, Seen::Accepted(s()))];
        assert_eq!(judge_under(&disturbed(11, 19), &with_others(wrong)).len(), 1);
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
