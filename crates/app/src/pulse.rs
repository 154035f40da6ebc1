//! Whether the background tasks go on, for whoever would start the process anew if they did not.
//!
//! Only what a new start would help against counts: a task that has ended, or that does not come round although nothing
//! keeps it. One that waits for the database is at work for as long as it takes: a new start would wait as well.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How much longer than it meant to a task may rest.
const LATE: Duration = Duration::from_secs(10);

/// The background tasks of one app, looked at from outside.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<Mutex<Vec<Task>>>);

#[derive(Debug)]
struct Task {
    name: &'static str,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It has begun something and waits for whom it asked.
    AtWork,
    /// It comes round again by then, unless nothing comes round any more.
    Rests(Instant),
    Stopped,
    /// By a panic, or because a loop was left that should not be.
    Ended,
}

impl Pulse {
    /// What is wrong, if anything is: the name of a task and what has become of it.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble_at(Instant::now())
    }

    fn trouble_at(&self, now: Instant) -> Option<String> {
        self.tasks().iter().find_map(|Task { name, state }| match state {
            State::Ended => Some(format!("the task that {name} has ended")),
            State::Rests(until) if *until + LATE < now => Some(format!("the task that {name} does not come round")),
            State::AtWork | State::Rests(_) | State::Stopped => None,
        })
    }

    /// A task that has to go on until it is stopped. `name` completes "the task that …".
    pub(crate) fn of(&self, name: &'static str) -> Beat {
        let mut tasks = self.tasks();
        tasks.push(Task { name, state: State::AtWork });
        Beat { pulse: self.clone(), place: tasks.len() - 1 }
    }

    fn tasks(&self) -> MutexGuard<'_, Vec<Task>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held by a task for as long as it goes on.
pub(crate) struct Beat {
    pulse: Pulse,
    place: usize,
}

impl Beat {
    /// It is about to wait for nothing but this time, or less.
    pub(crate) fn rests(&self, at_most: Duration) {
        self.set(State::Rests(Instant::now() + at_most));
    }

    /// It has begun something that takes as long as it takes.
    pub(crate) fn works(&self) {
        self.set(State::AtWork);
    }

    /// It was told to stop.
    pub(crate) fn stops(self) {
        self.set(State::Stopped);
    }

    fn set(&self, state: State) {
        if let Some(task) = self.pulse.tasks().get_mut(self.place) {
            task.state = state;
        }
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        if let Some(task) = self.pulse.tasks().get_mut(self.place)
            && task.state != State::Stopped
        {
            task.state = State::Ended;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_does_not_come_round_is_told_and_one_that_waits_for_the_database_is_not() {
        let pulse = Pulse::default();
        let later = |seconds| pulse.trouble_at(Instant::now() + Duration::from_secs(seconds));
        let beat = pulse.of("renews");
        assert_eq!(later(3600), None, "it may take an hour to be answered");
        beat.rests(Duration::from_millis(500));
        assert_eq!(later(10), None);
        assert_eq!(later(12).as_deref(), Some("the task that renews does not come round"));
        beat.works();
        assert_eq!(later(3600), None);
    }

    #[tokio::test]
    async fn a_task_that_panics_has_ended_and_one_that_was_stopped_has_not() {
        let pulse = Pulse::default();
        pulse.of("follows").stops();
        assert_eq!(pulse.trouble(), None);
        let beat = pulse.of("sweeps");
        let task = tokio::spawn(async move {
            beat.works();
            panic!("on purpose");
        });
        assert!(task.await.is_err());
        assert_eq!(pulse.trouble().as_deref(), Some("the task that sweeps has ended"));
    }
}
