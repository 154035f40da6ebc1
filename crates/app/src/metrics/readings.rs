//! Numbers as they are at one moment, read when they are asked for.

use std::fmt::Error;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::family::{Family, Kind};

/// Gauges, and counters that are kept elsewhere.
#[derive(Debug, Default)]
pub struct Readings(Vec<(&'static Family, Vec<Sample>)>);

#[derive(Debug)]
struct Sample {
    labels: Vec<&'static str>,
    value: Value,
}

/// A number.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// A whole one.
    Whole(i64),
    /// A whole one that only grows.
    Count(u64),
    /// Any.
    Real(f64),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Whole(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Count(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Count(value.into())
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Count(u64::try_from(value).unwrap_or(u64::MAX))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Count(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl Readings {
    /// Adds a family of one number without labels.
    pub fn add(&mut self, family: &'static Family, value: impl Into<Value>) {
        self.0.push((family, vec![Sample { labels: Vec::new(), value: value.into() }]));
    }

    /// Adds a family of several: the values of its labels, in their order, and the number.
    pub fn add_each<const N: usize, V: Into<Value>>(
        &mut self,
        family: &'static Family,
        each: impl IntoIterator<Item = ([&'static str; N], V)>,
    ) {
        let sample = |(labels, value): ([&'static str; N], V)| Sample { labels: labels.to_vec(), value: value.into() };
        self.0.push((family, each.into_iter().map(sample).collect()));
    }
}

impl Collector for Readings {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), Error> {
        for (family, samples) in &self.0 {
            let (name, kind) = match family.kind {
                // The encoder adds it again.
                Kind::Counter => (family.name.strip_suffix("_total").unwrap_or(family.name), MetricType::Counter),
                Kind::Gauge | Kind::Histogram => (family.name, MetricType::Gauge),
            };
            let mut encoder = encoder.encode_descriptor(name, &format!("{}.", family.help), None, kind)?;
            for sample in samples {
                let labels: Vec<_> = family.labels.iter().copied().zip(sample.labels.iter().copied()).collect();
                sample.encode(family.kind, encoder.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

impl Sample {
    fn encode(&self, kind: Kind, encoder: MetricEncoder<'_>) -> Result<(), Error> {
        match (kind, self.value) {
            (Kind::Counter, Value::Count(value)) => ConstCounter::new(value).encode(encoder),
            (Kind::Counter, Value::Real(value)) => ConstCounter::new(value).encode(encoder),
            (_, Value::Count(value)) => ConstGauge::new(value).encode(encoder),
            (_, Value::Whole(value)) => ConstGauge::new(value).encode(encoder),
            (_, Value::Real(value)) => ConstGauge::new(value).encode(encoder),
        }
    }
}
