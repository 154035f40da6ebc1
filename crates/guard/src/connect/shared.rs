//! What the handle and the tasks of a connected guard share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cerrojo_domain::Clock;
use tokio::sync::watch;

use super::http::Client;
use super::look_up::LookUps;
use super::watch::Watchers;
use crate::follow::{Fault, Follower, Stream, Told};
use crate::guard::Guard;

type OnEnd = Arc<dyn Fn(&Told) + Send + Sync>;

pub(super) struct Shared {
    pub(super) client: Arc<Client>,
    pub(super) endpoint: String,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) counts: Counts,
    pub(super) watchers: Watchers,
    pub(super) look_ups: LookUps,
    follower: Mutex<Follower>,
    on_end: Mutex<Vec<OnEnd>>,
    state: watch::Sender<State>,
}

/// What those wait for who wait for the follower.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// As of when everything that was over is known; `None`: there was no snapshot yet.
    pub(super) fresh: Option<Duration>,
    /// The server did not accept the credentials.
    pub(super) refused: bool,
}

/// How often something happened.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) unavailable: AtomicU64,
    pub(super) streams: AtomicU64,
    pub(super) polls: AtomicU64,
    pub(super) look_ups: AtomicU64,
    pub(super) faults: AtomicU64,
    pub(super) reported: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Shared {
    pub(super) fn new(client: Arc<Client>, endpoint: String, follower: Follower) -> Self {
        Self {
            client,
            endpoint,
            clock: Arc::clone(follower.clock()),
            counts: Counts::default(),
            watchers: Watchers::default(),
            look_ups: LookUps::default(),
            follower: Mutex::new(follower),
            on_end: Mutex::default(),
            state: watch::Sender::default(),
        }
    }

    pub(super) fn follower(&self) -> MutexGuard<'_, Follower> {
        self.follower.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn guard(&self) -> Option<Arc<Guard>> {
        self.follower().guard().cloned()
    }

    pub(super) fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Now less when the guard is fresh as of; `None`: there was no snapshot yet.
    pub(super) fn staleness(&self) -> Option<Duration> {
        let fresh = self.state.borrow().fresh?;
        Some(self.clock.elapsed().saturating_sub(fresh))
    }

    /// The credentials were not accepted; those who wait for the start are told.
    pub(super) fn note_refused(&self) {
        self.state.send_if_modified(|state| !std::mem::replace(&mut state.refused, true));
    }

    pub(super) fn call_on_end(&self, call: OnEnd) {
        self.on_end.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    /// Applies bytes of a stream.
    pub(super) fn receive(&self, stream: &mut Stream, bytes: &[u8]) -> Result<(), Fault> {
        self.apply(|follower| stream.receive(follower, bytes))
    }

    /// Applies something, and tells whoever wants to know what it turned against. What was applied before a fault counts.
    pub(super) fn apply<T>(&self, with: impl FnOnce(&mut Follower) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut follower = self.follower();
        let result = with(&mut follower);
        let (told, fresh) = (follower.take_told(), follower.fresh_as_of());
        drop(follower);
        self.tell(&told);
        self.state.send_if_modified(|state| std::mem::replace(&mut state.fresh, fresh) != fresh);
        if let Err(fault) = &result {
            count(&self.counts.faults);
            self.client.note(fault);
            if *fault == Fault::Doubt {
                tracing::info!(error = %fault);
            } else {
                tracing::error!(error = %fault, "what the server sent was not applied");
            }
        }
        result
    }

    fn tell(&self, told: &[Told]) {
        if told.is_empty() {
            return;
        }
        for one in told {
            match one {
                Told::Ended(list, indexes) => self.watchers.wake(list, indexes),
                Told::ListRetired(_) | Told::KeyRetired(_) => self.watchers.wake_all(),
            }
        }
        let calls = self.on_end.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for one in told {
            for call in &calls {
                call(one);
            }
        }
    }
}
