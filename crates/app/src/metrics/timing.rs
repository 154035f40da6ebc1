//! How long something takes, as a histogram of plain counters: noting a time takes two of them and no lock, since the
//! hottest endpoint notes one with each request.

use std::fmt::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Upper bounds of buckets, in microseconds, for what is answered from memory or waits for a disk.
pub const SHORT: &[u64] = &[
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];
/// The same for what waits for processors or other nodes.
pub const LONG: &[u64] = &[
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_000_000, 3_000_000, 5_000_000,
    10_000_000,
];

/// A histogram of durations. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Timing {
    /// In microseconds, ascending.
    bounds: &'static [u64],
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// One for each bound, and one for what is beyond.
    buckets: Box<[AtomicU64]>,
    nanoseconds: AtomicU64,
}

impl Timing {
    /// Nothing noted yet. `bounds` of buckets in microseconds, ascending.
    #[must_use]
    pub fn new(bounds: &'static [u64]) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, inner: Arc::new(Inner { buckets, nanoseconds: AtomicU64::new(0) }) }
    }

    /// Something took so long.
    pub fn note(&self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let place = self.bounds.partition_point(|bound| bound.saturating_mul(1_000) < nanoseconds);
        if let Some(bucket) = self.inner.buckets.get(place) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.inner.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

impl EncodeMetric for Timing {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), Error> {
        let counts: Vec<u64> = self.inner.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let bounds = self.bounds.iter().map(|bound| Duration::from_micros(*bound).as_secs_f64());
        let buckets: Vec<(f64, u64)> = bounds.chain([f64::INFINITY]).zip(counts.iter().copied()).collect();
        let sum = Duration::from_nanos(self.inner.nanoseconds.load(Ordering::Relaxed)).as_secs_f64();
        encoder.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::prometheus_text;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn a_bound_is_within_its_bucket_and_the_last_bucket_holds_everything() {
        let timing = Timing::new(&[1_000, 10_000]);
        for micros in [0, 1_000, 1_001, 10_000, 3_000_000] {
            timing.note(Duration::from_micros(micros));
        }
        let mut registry = Registry::default();
        registry.register("t", "T", timing);
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).unwrap();
        let told: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "t_bucket{le=\"0.001\"} 2",
            "t_bucket{le=\"0.01\"} 4",
            "t_bucket{le=\"+Inf\"} 5",
            "t_sum 3.012001",
            "t_count 5",
        ];
        assert_eq!(told, expected);
    }
}
