//! Being told when a session that was accepted is over.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use cerrojo_domain::{ListIndex, ListName};
use tokio::sync::watch;
use tokio::time::sleep;

use super::shared::Shared;
use crate::guard::Guard;
use crate::verdict::{Refusal, Verified};

/// Why what goes on under a session must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The session has ended, or its list or key was retired.
    Ended,
    /// The token has expired.
    Expired,
    /// The guard does not know any more whether the session goes on, or nobody keeps it any more.
    Unavailable,
}

/// Completes when a session is over, or when the guard can no longer say that it is not. Made by
/// [`ConnectedGuard::watch`](super::ConnectedGuard::watch); it does not keep the guard going.
#[must_use = "a future does nothing unless it is polled"]
pub struct Ended {
    /// Dropped before the place that it waits at.
    wait: Pin<Box<dyn Future<Output = Over> + Send>>,
    watching: Arc<Watching>,
}

impl std::fmt::Debug for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ended")
    }
}

impl Ended {
    /// Notes that the session was used just now, as a check does: what comes over a WebSocket is no less a sign of its
    /// person than a request.
    pub fn used(&self) {
        let Watching { guard, verified, .. } = &*self.watching;
        guard.use_now(verified);
    }
}

impl Future for Ended {
    type Output = Over;

    /// Looks each time, so that nothing goes on between the end and being woken.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Over> {
        match self.watching.look() {
            Some(over) => Poll::Ready(over),
            None => self.wait.as_mut().poll(context),
        }
    }
}

type Places = HashMap<ListName, HashMap<ListIndex, watch::Sender<()>>>;

/// Who is to be woken when which session ends.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    places: Mutex<Places>,
    closed: AtomicBool,
}

/// A place in [`Watchers`], given up when dropped.
struct Watching {
    shared: Arc<Shared>,
    guard: Arc<Guard>,
    verified: Arc<Verified>,
}

impl Watchers {
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After the bits were set: whoever looks before this finds them, whoever looks later is woken.
    pub(super) fn wake(&self, list: &ListName, indexes: &[ListIndex]) {
        if let Some(list) = self.places().get(list) {
            for one in indexes.iter().filter_map(|index| list.get(index)) {
                one.send_replace(());
            }
        }
    }

    pub(super) fn wake_all(&self) {
        for one in self.places().values().flat_map(HashMap::values) {
            one.send_replace(());
        }
    }

    /// Nobody follows the server any more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.wake_all();
    }
}

impl Watching {
    fn wait(&self) -> watch::Receiver<()> {
        let mut places = self.shared.watchers.places();
        places.entry(self.verified.list.clone()).or_default().entry(self.verified.index).or_default().subscribe()
    }

    fn look(&self) -> Option<Over> {
        if self.shared.watchers.closed.load(Ordering::Acquire) {
            return Some(Over::Unavailable);
        }
        match self.guard.recheck(&self.verified) {
            Ok(()) => None,
            Err(Refusal::Expired(_)) => Some(Over::Expired),
            Err(Refusal::Unavailable) => Some(Over::Unavailable),
            Err(_) => Some(Over::Ended),
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut places = self.shared.watchers.places();
        let Some(list) = places.get_mut(&self.verified.list) else { return };
        if list.get(&self.verified.index).is_some_and(watch::Sender::is_closed) {
            list.remove(&self.verified.index);
        }
        if list.is_empty() {
            places.remove(&self.verified.list);
        }
    }
}

/// Watches a session from now on.
pub(super) fn ended(shared: Arc<Shared>, guard: Arc<Guard>, verified: Arc<Verified>) -> Ended {
    let watching = Arc::new(Watching { shared, guard, verified });
    // Before the first look, so that nothing is missed between the two.
    let mut woken = watching.wait();
    let here = Arc::clone(&watching);
    let wait = Box::pin(async move {
        loop {
            if let Some(over) = here.look() {
                return over;
            }
            let left = here.verified.expires_at.since(here.shared.clock.now());
            tokio::select! {
                // Its sender stands in the table as long as this does.
                _ = woken.changed() => {}
                () = sleep(left.min(LONGEST_SLEEP)) => {}
            }
        }
    });
    Ended { wait, watching }
}

/// The time of day may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);
/// Between a deadline and looking whether it has passed.
const MOMENT: Duration = Duration::from_millis(1);

/// Wakes everybody when the guard no longer knows, until it is aborted.
pub(super) async fn notice_staleness(shared: Arc<Shared>, max_staleness: Duration) {
    let mut state = shared.state();
    loop {
        let fresh = state.borrow_and_update().fresh;
        let now = shared.clock.elapsed();
        let left = fresh.map(|fresh| fresh.saturating_add(max_staleness).saturating_sub(now));
        match left {
            Some(Duration::ZERO) => {
                tracing::error!("nothing new from the server within the bound: nothing is accepted");
                shared.watchers.wake_all();
                if state.changed().await.is_err() {
                    return;
                }
                tracing::info!("the server is heard again");
            }
            Some(left) => sleep(left.saturating_add(MOMENT)).await,
            None => {
                if state.changed().await.is_err() {
                    return;
                }
            }
        }
    }
}
