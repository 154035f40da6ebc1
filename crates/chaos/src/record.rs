//! Everything that clients saw, for the judge.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use cerrojo_testkit::history::{Event, Seen};

use crate::moment;

/// What was seen, by any number of threads.
#[derive(Debug, Default)]
pub struct Record {
    events: Mutex<Vec<Event>>,
    births: Mutex<Vec<Birth>>,
    losses: Mutex<Vec<(u64, u64)>>,
    oddities: Mutex<BTreeMap<String, u64>>,
    lost_accounts: Mutex<Vec<(u64, u64)>>,
}

/// When a session was signed in.
#[derive(Clone, Debug)]
struct Birth {
    session: String,
    begun: u64,
    answered: u64,
}

impl Record {
    /// A call to `node` was answered just now.
    pub fn saw(&self, node: usize, begun: u64, seen: Seen) {
        self.add(Event { begun, answered: moment::now(), node, seen });
    }

    /// The same for one that was answered at another moment.
    pub fn add(&self, event: Event) {
        if let Seen::SignedIn { session, .. } = &event.seen {
            let (begun, answered) = (event.begun, event.answered);
            lock(&self.births).push(Birth { session: session.clone(), begun, answered });
        }
        lock(&self.events).push(event);
    }

    /// Something between `from` and `to` took the database back: all that was signed in before is over by then, and
    /// whatever was signed in meanwhile may be.
    pub fn everything_over(&self, from: u64, to: u64) {
        lock(&self.losses).push((from, to));
    }

    /// An answer that no client expects. Counted.
    pub fn wondered(&self, at: String) {
        *lock(&self.oddities).entry(at).or_default() += 1;
    }

    /// A sign-in with the right password, begun then, was refused just now. That is odd unless the database went back
    /// before it was answered.
    pub fn lost_account(&self, begun: u64) {
        lock(&self.lost_accounts).push((begun, moment::now()));
    }

    /// Such answers, and how often there was each.
    #[must_use]
    pub fn oddities(&self) -> BTreeMap<String, u64> {
        lock(&self.oddities).clone()
    }

    /// From when to when sign-ins with the right password were asked for that were refused before the database went back
    /// for the first time. One that was under way then may have been answered from the database that lost the account.
    #[must_use]
    pub fn lost_accounts(&self) -> Vec<(u64, u64)> {
        let first = lock(&self.losses).iter().map(|(from, _)| *from).min().unwrap_or(u64::MAX);
        lock(&self.lost_accounts).iter().copied().filter(|(_, answered)| *answered < first).collect()
    }

    /// All of it, as the judge wants it.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let mut events = lock(&self.events).clone();
        let births = lock(&self.births);
        for (from, to) in lock(&self.losses).iter().copied() {
            let of = |is_meant: &dyn Fn(&Birth) -> bool| -> Vec<String> {
                births.iter().filter(|birth| is_meant(birth)).map(|birth| birth.session.clone()).collect()
            };
            let over = of(&|birth| birth.answered < from);
            let may_be = of(&|birth| birth.answered >= from && birth.begun <= to);
            events.push(Event { begun: from, answered: to, node: 0, seen: Seen::Ended(over) });
            events.push(Event { begun: from, answered: to, node: 0, seen: Seen::MayHaveEnded(may_be) });
        }
        events
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
