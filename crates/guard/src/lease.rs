//! The right to say yes from memory, as a deadline on `Clock::elapsed`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cerrojo_domain::Clock;

/// The deadline that holds now, in nanoseconds; 0 at first, so nothing is accepted before a lease was won.
#[derive(Debug, Default)]
pub(crate) struct Lease(AtomicU64);

/// The deadline as it was at one moment. A check takes it before anything else and is judged by it at the end, so that
/// a lease that was lost and won back meanwhile does not cover it.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(u64);

const NEVER: u64 = u64::MAX;

impl Lease {
    /// `Release`: whoever sees this deadline also sees every bit that was set before it.
    pub(crate) fn hold_until(&self, deadline: Duration) {
        self.0.store(u64::try_from(deadline.as_nanos()).unwrap_or(NEVER), Ordering::Release);
    }

    /// `Acquire`: nothing that follows in the check is read before this.
    pub(crate) fn copy(&self) -> Deadline {
        Deadline(self.0.load(Ordering::Acquire))
    }
}

impl Deadline {
    /// How far it lies ahead; `None`: it never comes.
    #[must_use]
    pub fn left(self, clock: &dyn Clock) -> Option<Duration> {
        match self.0 {
            NEVER => None,
            deadline => Some(Duration::from_nanos(deadline).saturating_sub(clock.elapsed())),
        }
    }

    /// Whether it still lies ahead. The clock is read here, and only if the answer depends on it.
    #[must_use]
    pub fn lies_ahead(self, clock: &dyn Clock) -> bool {
        match self.0 {
            NEVER => true,
            0 => false,
            deadline => clock.elapsed() < Duration::from_nanos(deadline),
        }
    }
}
