//! Standing still in the middle of a request, where it asks for the time or for randomness.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// How long a test waits for somebody to come by before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// What whoever passes looks at.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<Option<(usize, Arc<Stop>)>>);

#[derive(Debug, Default)]
struct Stop {
    is_open: Mutex<bool>,
    opened: Condvar,
    reached: Notify,
}

/// Somebody stands still, or will as soon as it comes by; goes on when this is dropped.
///
/// Threads stand still, so the test needs a runtime of several (`flavor = "multi_thread"`).
#[derive(Debug)]
#[must_use = "dropped, it lets everybody through"]
pub struct Pause(Arc<Stop>);

impl Gate {
    /// Lets `passing` by and stops the next.
    pub(crate) fn close_after(&self, passing: usize) -> Pause {
        let stop = Arc::new(Stop::default());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((passing, Arc::clone(&stop)));
        Pause(stop)
    }

    /// Passes, or stands still until the pause is over.
    pub(crate) fn pass(&self) {
        let mut closed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match closed.as_mut() {
            None => return,
            Some((passing, _)) if *passing > 0 => {
                *passing -= 1;
                return;
            }
            Some(_) => {}
        }
        let stop = closed.take().map(|(_, stop)| stop);
        drop(closed);
        if let Some(stop) = stop {
            tokio::task::block_in_place(|| stop.stand_still());
        }
    }
}

impl Stop {
    fn stand_still(&self) {
        self.reached.notify_one();
        let mut is_open = self.is_open.lock().unwrap_or_else(PoisonError::into_inner);
        while !*is_open {
            is_open = self.opened.wait(is_open).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Pause {
    /// Returns when somebody stands still.
    ///
    /// # Panics
    /// If nobody comes.
    pub async fn reached(&self) {
        tokio::time::timeout(PATIENCE, self.0.reached.notified()).await.expect("somebody comes by the gate");
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        *self.0.is_open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.opened.notify_all();
    }
}
