//! Time that only moves when told.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cerrojo_domain::{Clock, UnixMillis};

use crate::Pause;
use crate::pause::Gate;

/// Where every test begins: 2026-02-13T10:00:00.000Z.
pub const BEGINNING: UnixMillis = UnixMillis(1_770_976_800_000);

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct ManualClock {
    day: AtomicI64,
    /// What was told last: within a process the time does not run backwards.
    told: AtomicI64,
    elapsed: AtomicI64,
    gate: Gate,
}

impl Default for ManualClock {
    fn default() -> Self {
        // A machine that has been up for an hour: nothing may count on starting at zero.
        Self {
            day: AtomicI64::new(BEGINNING.0),
            told: AtomicI64::new(0),
            elapsed: AtomicI64::new(3_600_000),
            gate: Gate::default(),
        }
    }
}

impl ManualClock {
    /// Lets `time` pass: the time of day and the elapsed time move together.
    pub fn advance(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        self.day.fetch_add(millis, Ordering::SeqCst);
        self.elapsed.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sets the time of day alone, as an administrator or NTP does: the elapsed time goes on as it was. An earlier one than
    /// this process was told takes effect only in the next.
    pub fn set_time_of_day(&self, to: UnixMillis) {
        self.day.store(to.0, Ordering::SeqCst);
    }

    /// Lets the time of day be asked for `passing` times; whoever asks next stands still before being told.
    pub fn pause_after(&self, passing: usize) -> Pause {
        self.gate.close_after(passing)
    }

    /// The process that was told the time is gone.
    pub(crate) fn begin_process(&self) {
        self.told.store(0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixMillis {
        self.gate.pass();
        let now = self.day.load(Ordering::SeqCst);
        UnixMillis(now.max(self.told.fetch_max(now, Ordering::SeqCst)))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.elapsed.load(Ordering::SeqCst)).unwrap_or(0))
    }
}
