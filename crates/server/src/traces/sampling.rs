//! Which traces are kept.

use opentelemetry::trace::{Link, SpanKind, TraceContextExt as _, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

/// This share of the traces that begin here, and those that a caller who may decide wants kept.
#[derive(Clone, Debug)]
pub(super) struct Sampled(pub(super) f64);

impl ShouldSample for Sampled {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let has_parent = parent.is_some_and(|parent| parent.span().span_context().is_valid());
        // What nobody asked for, such as a lease's renewal, is no trace of its own.
        if !has_parent && !matches!(kind, SpanKind::Server | SpanKind::Consumer) {
            let decision = SamplingDecision::Drop;
            return SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::default() };
        }
        let of_parent = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(self.0)));
        of_parent.should_sample(parent, trace, name, kind, attributes, links)
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags};

    use super::*;

    fn decision(ratio: f64, parent: Option<&Context>, kind: &SpanKind) -> SamplingDecision {
        Sampled(ratio).should_sample(parent, TraceId::from(7), "x", kind, &[], &[]).decision
    }

    fn called_by(flags: TraceFlags) -> Context {
        let (trace, span) = (TraceId::from(7), SpanId::from(7));
        Context::new().with_remote_span_context(SpanContext::new(trace, span, flags, true, TraceState::default()))
    }

    #[test]
    fn requests_are_kept_by_the_share_and_by_those_who_may_decide() {
        use SamplingDecision::{Drop, RecordAndSample};
        assert_eq!(decision(1.0, None, &SpanKind::Server), RecordAndSample);
        assert_eq!(decision(0.0, None, &SpanKind::Server), Drop);
        assert_eq!(decision(0.0, Some(&called_by(TraceFlags::SAMPLED)), &SpanKind::Server), RecordAndSample);
        assert_eq!(decision(1.0, Some(&called_by(TraceFlags::default())), &SpanKind::Server), Drop);
    }

    #[test]
    fn background_work_is_no_trace_of_its_own() {
        assert_eq!(decision(1.0, None, &SpanKind::Client), SamplingDecision::Drop);
        assert_eq!(decision(1.0, None, &SpanKind::Consumer), SamplingDecision::RecordAndSample);
    }
}
