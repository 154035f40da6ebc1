//! The one clock by which everything that is seen is written down: nanoseconds of the machine's `CLOCK_BOOTTIME`.

use std::time::Duration;

use cerrojo_domain::{Clock as _, SystemClock};

/// Now.
#[must_use]
pub fn now() -> u64 {
    nanoseconds(SystemClock::new().elapsed())
}

/// Now, and so much later.
#[must_use]
pub fn after(later: Duration) -> u64 {
    now().saturating_add(nanoseconds(later))
}

/// How long it was from one moment to another.
#[must_use]
pub fn between(from: u64, to: u64) -> Duration {
    Duration::from_nanos(to.saturating_sub(from))
}

/// A duration on this clock.
#[must_use]
pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
