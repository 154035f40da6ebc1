//! Labels of closed sets: what counts by one has a counter for each value from the start, and never any other.

use std::fmt::Error;
use std::marker::PhantomData;
use std::sync::Arc;

use cerrojo_domain::EndReason;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;

use crate::Trouble;

/// A closed set of values of one label.
pub trait Label: Copy + std::fmt::Debug + Send + Sync + PartialEq + 'static {
    /// The label's name.
    const NAME: &'static str;
    /// Every value, in the order in which they are declared.
    const ALL: &'static [Self];

    /// As it is exposed.
    fn text(self) -> &'static str;
}

/// A counter for each value of a label. Clones are the same counters.
#[derive(Debug)]
pub struct By<L> {
    counters: Arc<[Counter]>,
    label: PhantomData<L>,
}

impl<L> Clone for By<L> {
    fn clone(&self) -> Self {
        Self { counters: Arc::clone(&self.counters), label: PhantomData }
    }
}

impl<L: Label> Default for By<L> {
    fn default() -> Self {
        Self { counters: L::ALL.iter().map(|_| Counter::default()).collect(), label: PhantomData }
    }
}

impl<L: Label> By<L> {
    /// One more.
    pub fn count(&self, label: L) {
        self.add(label, 1);
    }

    /// How many there were.
    pub fn of(&self, label: L) -> u64 {
        let place = L::ALL.iter().position(|one| *one == label);
        place.and_then(|place| self.counters.get(place)).map_or(0, Counter::get)
    }

    /// So many more.
    pub fn add(&self, label: L, more: u64) {
        let place = L::ALL.iter().position(|one| *one == label);
        if let Some(counter) = place.and_then(|place| self.counters.get(place)) {
            counter.inc_by(more);
        }
    }
}

impl<L: Label> EncodeMetric for By<L> {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), Error> {
        for (label, counter) in L::ALL.iter().zip(&*self.counters) {
            counter.encode(encoder.encode_family(&[(L::NAME, label.text())])?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

/// Declares a label: `Name "label" { Value = "value", … }`.
macro_rules! labels {
    ($($(#[$doc:meta])* $visible:vis $name:ident $label:literal { $($(#[$each:meta])* $value:ident = $text:literal),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visible enum $name { $($(#[$each])* $value),+ }

        impl Label for $name {
            const NAME: &'static str = $label;
            const ALL: &'static [Self] = &[$(Self::$value),+];

            fn text(self) -> &'static str {
                match self { $(Self::$value => $text),+ }
            }
        }
    )+};
}

labels! {
    /// How a sign-in went.
    pub(crate) SignIn "outcome" {
        Success = "success",
        Credentials = "wrong_credentials",
        Inactive = "inactive",
        Unverified = "email_not_verified",
        Limited = "limited",
        TooManySessions = "too_many_sessions",
        Incomplete = "incomplete",
        Unavailable = "unavailable",
        Failed = "error",
    }
    /// How a registration, a step of a reset, or the confirmation of an address went.
    pub(crate) Attempt "outcome" {
        Success = "success",
        Refused = "refused",
        Limited = "limited",
        Unavailable = "unavailable",
        Failed = "error",
    }
    /// What became of a token that was shown.
    pub(crate) Check "outcome" {
        Accepted = "accepted",
        Refused = "refused",
        Unavailable = "unavailable",
        Failed = "error",
    }
    /// Which limit was hit.
    pub(crate) Limit "limit" {
        Password = "password",
        Register = "register",
        Recover = "recover",
        Verify = "verify",
        Service = "service",
    }
    /// What became of the notice of a sign-in from a new place.
    pub(crate) Notice "notice" { Sent = "sent", Limited = "limited", Off = "off" }
    /// What became of a mail.
    pub(crate) Delivery "outcome" { Sent = "sent", Failed = "failed", Dropped = "dropped", GivenUp = "given_up" }
    /// What became of a span.
    pub SpanFate "outcome" {
        /// The collector took it.
        Exported = "exported",
        /// Too many waited.
        Dropped = "dropped",
        /// The collector did not take it.
        Failed = "failed",
    }
}

impl From<&Trouble> for Attempt {
    fn from(trouble: &Trouble) -> Self {
        match trouble {
            Trouble::Internal(_) => Self::Failed,
            Trouble::Unavailable(_) | Trouble::Unconfirmed(_) => Self::Unavailable,
        }
    }
}

impl Label for EndReason {
    const NAME: &'static str = "reason";
    const ALL: &'static [Self] = EndReason::ALL;

    fn text(self) -> &'static str {
        self.as_str()
    }
}
