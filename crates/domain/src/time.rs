//! Time: unix milliseconds for what is stored and shown, elapsed time for what is measured.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// RFC 3339 in UTC with milliseconds, as the contract shows dates: `2026-02-13T10:00:00.000Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let stamp = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX);
        format!("{stamp:.3}")
    }

    /// Reads a date: RFC 3339, the same with a space in it or without an offset (which is UTC then), or a day alone.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix(" UTC").unwrap_or(text);
        let stamp = text.parse::<jiff::Timestamp>().ok();
        let utc = |date: jiff::civil::DateTime| Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp());
        let stamp = stamp.or_else(|| utc(text.parse::<jiff::civil::DateTime>().ok()?));
        stamp.map(|stamp| Self(stamp.as_millisecond()))
    }

    /// This time moved later by `duration`; saturates.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// This time moved earlier by `duration`; saturates.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// Whole seconds, rounded down: the `NumericDate` of RFC 7519, section 2.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The two clocks that decisions are made by.
pub trait Clock: Send + Sync + 'static {
    /// The time of day. Never runs backwards within a process.
    fn now(&self) -> UnixMillis;
    /// Time since an arbitrary start that also runs while the machine sleeps (`CLOCK_BOOTTIME`), for leases and limits.
    fn elapsed(&self) -> Duration;
}

/// The operating system's clocks.
#[derive(Debug, Default)]
pub struct SystemClock {
    latest: AtomicI64,
}

impl SystemClock {
    /// A clock that has not been read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that everybody else takes the time from")]
    fn now(&self) -> UnixMillis {
        let read = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis);
        UnixMillis(self.latest.fetch_max(read, Ordering::Relaxed).max(read))
    }

    fn elapsed(&self) -> Duration {
        let read = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(u64::try_from(read.tv_sec).unwrap_or(0), u32::try_from(read.tv_nsec).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_shown_with_milliseconds_in_utc() {
        assert_eq!(UnixMillis(1_770_976_800_000).rfc3339(), "2026-02-13T10:00:00.000Z");
        assert_eq!(UnixMillis(7).rfc3339(), "1970-01-01T00:00:00.007Z");
    }

    #[test]
    fn dates_are_read_as_databases_write_them() {
        for text in [
            "2026-02-13T10:00:00Z",
            "2026-02-13T10:00:00.000Z",
            "2026-02-13T11:00:00+01:00",
            "2026-02-13 11:00:00.000000+01",
            "2026-02-13 10:00:00",
            "2026-02-13 10:00:00 UTC",
            "2026-02-13T10:00:00.000",
        ] {
            assert_eq!(UnixMillis::parse(text), Some(UnixMillis(1_770_976_800_000)), "{text}");
        }
        assert_eq!(
            UnixMillis::parse("2026-02-13").map(UnixMillis::rfc3339).as_deref(),
            Some("2026-02-13T00:00:00.000Z")
        );
        for text in ["", "yesterday", "13/02/2026", "2026-02-30", "2026-02-13T25:00:00Z", "1770976800"] {
            assert_eq!(UnixMillis::parse(text), None, "{text}");
        }
    }

    #[test]
    fn seconds_round_down() {
        assert_eq!(UnixMillis(1999).seconds(), 1);
        assert_eq!(UnixMillis(-1).seconds(), -1);
    }
}
