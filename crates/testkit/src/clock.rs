//! Time that only moves when told.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cerrojo_domain::{Clock, UnixMillis};

/// Where every test begins: 2026-02-13T10:00:00.000Z.
pub const BEGINNING: UnixMillis = UnixMillis(1_770_976_800_000);

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicI64,
    elapsed: AtomicI64,
}

impl Default for ManualClock {
    fn default() -> Self {
        // A machine that has been up for an hour: nothing may count on starting at zero.
        Self { now: AtomicI64::new(BEGINNING.0), elapsed: AtomicI64::new(3_600_000) }
    }
}

impl ManualClock {
    /// Lets `time` pass: the time of day and the elapsed time move together.
    pub fn advance(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        self.now.fetch_add(millis, Ordering::SeqCst);
        self.elapsed.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sets the time of day alone, as an administrator or NTP does: the elapsed time goes on as it was.
    pub fn set_time_of_day(&self, to: UnixMillis) {
        self.now.store(to.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.now.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.elapsed.load(Ordering::SeqCst)).unwrap_or(0))
    }
}
