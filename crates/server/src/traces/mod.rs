//! Traces for OpenTelemetry, sent by OTLP. Without `traces.endpoint` nothing of this is there, and spans are nothing but a
//! look at a flag.
//!
//! Spans are those of one target alone, with the attributes that the code gives them: no line of the log gets into one.

mod collector;
mod queue;
mod sampling;
mod sending;

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use cerrojo_app::metrics::{By, SpanFate};
use http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use self::collector::Collector;
use self::queue::{Queue, Waiting};
use self::sampling::Sampled;
use self::sending::Sending;
use crate::config::TraceSettings;
use crate::failure::Failure;

/// Spans that wait to be sent at most; further ones are dropped.
const MOST_WAITING: usize = 4096;
/// How long the last spans may take to be sent when the server stops.
const LAST: Duration = Duration::from_secs(5);

/// The one of this process, as there is one subscriber.
static TRACES: OnceLock<Traces> = OnceLock::new();

struct Traces {
    /// Keeps the tracer alive.
    _provider: SdkTracerProvider,
    waiting: Waiting,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// Begins to gather spans and to send them. The tracer is what [`crate::telemetry`] makes them with.
///
/// # Errors
/// If the system has no root certificates for an https collector.
pub(crate) fn start(settings: &TraceSettings) -> Result<SdkTracer, Failure> {
    let collector = Collector::new(settings)?;
    let (sender, receiver) = mpsc::channel(MOST_WAITING);
    let waiting = Waiting::default();
    let resource = resource(&settings.service_name);
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampled(settings.ratio))
        .with_span_processor(Queue::new(sender, waiting.clone()))
        .with_resource(resource.clone())
        .build();
    let tracer = provider.tracer("cerrojo");
    let (stop, stopping) = watch::channel(false);
    let sending = Sending { collector, resource: (&resource).into(), waiting: waiting.clone(), stopping };
    let task = tokio::spawn(sending.run(receiver));
    // A second one would have no subscriber either.
    let _ = TRACES.set(Traces { _provider: provider, waiting, stop, task: Mutex::new(Some(task)) });
    Ok(tracer)
}

/// Counts spans there from now on. None are made before.
pub(crate) fn count(spans: &By<SpanFate>) {
    if let Some(traces) = TRACES.get() {
        traces.waiting.count_in(spans.clone());
    }
}

/// Sends what waits, within a bound.
pub(crate) async fn stop() {
    let Some(traces) = TRACES.get() else { return };
    traces.stop.send_replace(true);
    let task = traces.task.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut task) = task else { return };
    if tokio::time::timeout(LAST, &mut task).await.is_err() {
        tracing::warn!("the last traces were not taken in time and are dropped");
        task.abort();
    }
}

/// Asks whether the collector takes traces, with none in the request.
///
/// # Errors
/// Why it does not.
pub(crate) async fn try_out(settings: &TraceSettings) -> Result<(), String> {
    let collector = Collector::new(settings).map_err(|failure| failure.message)?;
    collector.send(Vec::new()).await.map(drop).map_err(|error| error.to_string())
}

/// Makes a request's span a child of the caller's, as its `traceparent` says (W3C Trace Context, section 3.2). The caller decides
/// then whether it is kept: only for those who may.
pub(crate) fn adopt(span: &Span, headers: &HeaderMap) {
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
    if parent.span().span_context().is_valid() {
        // Nobody has entered the span yet, so it takes a parent.
        let _ = span.set_parent(parent);
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    /// One that is there twice is none (section 4.2 of the same).
    fn get(&self, key: &str) -> Option<&str> {
        let mut all = self.0.get_all(key).iter();
        let first = all.next()?.to_str().ok();
        if all.next().is_some() { None } else { first }
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// What the spans are of. Variables such as `OTEL_RESOURCE_ATTRIBUTES` are not read.
fn resource(service: &str) -> Resource {
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_string_lossy().into_owned();
    let instance = format!("{machine}:{}", std::process::id());
    Resource::builder_empty()
        .with_service_name(service.to_owned())
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", instance),
            KeyValue::new("host.name", machine),
        ])
        .build()
}
