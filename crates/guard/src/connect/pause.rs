//! How long to wait, with jitter, so that not all guards of a server come at the same moment.

use std::time::Duration;

use cerrojo_domain::{Random, SystemRandom};

const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(5);

/// A random time up to `most`.
pub(super) fn up_to(most: Duration) -> Duration {
    let random: &dyn Random = &SystemRandom;
    Duration::from_millis(random.below(u64::try_from(most.as_millis()).unwrap_or(u64::MAX).saturating_add(1)))
}

/// A random time around `usual`: from 0.9 to 1.1 times it.
pub(super) fn about(usual: Duration) -> Duration {
    usual.saturating_sub(usual / 10).saturating_add(up_to(usual / 5))
}

/// Waits that grow from 0.25 s to 5 s, each with up to half of it taken off.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(super) fn next(&mut self) -> Duration {
        let full = SHORTEST.saturating_mul(1 << self.failures.min(8)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        full.saturating_sub(up_to(full / 2)).max(SHORTEST)
    }

    /// After a success.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_within_their_bounds_and_start_over() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next(), SHORTEST);
        let all: Vec<_> = (0..40).map(|_| backoff.next()).collect();
        assert!(all.iter().all(|wait| (SHORTEST..=LONGEST).contains(wait)));
        assert!(all.iter().skip(8).all(|wait| *wait >= LONGEST / 2));
        backoff.reset();
        assert_eq!(backoff.next(), SHORTEST);
        assert!((0..100).all(|_| (900..=1100).contains(&about(Duration::from_secs(1)).as_millis())));
    }
}
