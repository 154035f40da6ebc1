//! What is measured, and its median.

use std::time::Duration;

use serde::Serialize;

/// What a round of requests showed.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Figures {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Half of the answers came within so many microseconds.
    pub(crate) p50: f64,
    /// 99 of 100 came within so many microseconds.
    pub(crate) p99: f64,
    /// Microseconds of processor time a request, all threads of the server's process.
    pub(crate) cpu: f64,
}

/// The time each answer took.
#[derive(Debug)]
pub(crate) struct Sample {
    /// From the first request to the last answer.
    pub(crate) took: Duration,
    /// Ascending.
    latencies: Vec<Duration>,
}

impl Sample {
    /// Of answers in any order.
    pub(crate) fn new(took: Duration, mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        Self { took, latencies }
    }

    /// How many answers.
    pub(crate) fn count(&self) -> usize {
        self.latencies.len()
    }

    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        real(self.count()) / self.took.as_secs_f64()
    }

    /// The time within which `hundredths` of 100 answers came, in microseconds.
    pub(crate) fn percentile(&self, hundredths: usize) -> f64 {
        let rank = (self.count() * hundredths).div_ceil(100).saturating_sub(1);
        self.latencies.get(rank).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
    }

    /// The figures, with the processor time that the server used meanwhile.
    pub(crate) fn figures(&self, used: Duration) -> Figures {
        Figures {
            rate: self.rate(),
            p50: self.percentile(50),
            p99: self.percentile(99),
            cpu: used.as_secs_f64() * 1e6 / real(self.count().max(1)),
        }
    }
}

/// One figure of every round.
pub(crate) fn each(rounds: &[Figures], figure: fn(&Figures) -> f64) -> Vec<f64> {
    rounds.iter().map(figure).collect()
}

/// The median of each figure by itself.
pub(crate) fn median_of(rounds: &[Figures]) -> Figures {
    let of = |figure: fn(&Figures) -> f64| median(rounds.iter().map(figure).collect());
    Figures { rate: of(|it| it.rate), p50: of(|it| it.p50), p99: of(|it| it.p99), cpu: of(|it| it.cpu) }
}

/// The middle one; 0 of none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// A count as a real number.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
pub(crate) fn real(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_smallest_time_that_so_many_kept() {
        let sample = Sample::new(Duration::from_secs(2), (1..=200).rev().map(Duration::from_micros).collect());
        assert!((sample.percentile(50) - 100.0).abs() < 1e-6);
        assert!((sample.percentile(99) - 198.0).abs() < 1e-6);
        assert!((sample.rate() - 100.0).abs() < 1e-9);
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert!((median(vec![9.0, 1.0, 5.0]) - 5.0).abs() < 1e-9);
    }
}
