//! From whoever ends a span to the task that sends them: nobody ever waits here.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cerrojo_app::metrics::{By, SpanFate};
use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::mpsc;

/// What becomes of spans, counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting(Arc<OnceLock<By<SpanFate>>>);

impl Waiting {
    pub(super) fn count_in(&self, spans: By<SpanFate>) {
        let _ = self.0.set(spans);
    }

    pub(super) fn count(&self, fate: SpanFate, spans: usize) {
        if let Some(counters) = self.0.get() {
            counters.add(fate, u64::try_from(spans).unwrap_or(u64::MAX));
        }
    }
}

/// Takes spans as they end. Full, it drops them.
#[derive(Debug)]
pub(super) struct Queue {
    sender: mpsc::Sender<SpanData>,
    waiting: Waiting,
}

impl Queue {
    pub(super) fn new(sender: mpsc::Sender<SpanData>, waiting: Waiting) -> Self {
        Self { sender, waiting }
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.sender.try_send(span).is_err() {
            self.waiting.count(SpanFate::Dropped, 1);
        }
    }

    /// The task sends them by itself.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use prometheus_client::encoding::prometheus_text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn a_full_queue_drops_spans_and_counts_them() {
        let (spans, waiting, mut registry) = (By::default(), Waiting::default(), Registry::default());
        waiting.count_in(spans.clone());
        registry.register("spans", "of a test", spans);
        let (sender, mut receiver) = mpsc::channel(2);
        let provider = SdkTracerProvider::builder().with_span_processor(Queue::new(sender, waiting)).build();
        let tracer = provider.tracer("test");
        (0..5).for_each(|_| drop(tracer.start("one")));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert!(text.contains("spans_total{outcome=\"dropped\"} 3"), "{text}");
        assert!(receiver.try_recv().is_ok() && receiver.try_recv().is_ok() && receiver.try_recv().is_err());
    }
}
