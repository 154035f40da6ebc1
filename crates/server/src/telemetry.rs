//! Log lines, on standard error.

use std::fmt;
use std::io::IsTerminal as _;

use cerrojo_app::request;
use opentelemetry_sdk::trace::SdkTracer;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, ParseError, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::LogFormat;

/// The target of spans that traces are made of.
const TRACES: &str = "cerrojo_traces";

/// What is logged at a level or by directives. Libraries speak up only when something is wrong.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, ParseError> {
    // A lone word that is no level would be taken for the name of a module, and silence everything else.
    if !level.contains('=') {
        level.parse::<LevelFilter>().map_err(ParseError::from)?;
    }
    // Spans for traces say nothing that lines do not.
    read(level, "off")
}

fn read(level: &str, traces: &str) -> Result<EnvFilter, ParseError> {
    let quiet = "sqlx=warn,hyper=warn,hyper_util=warn,lettre=warn,rustls=warn";
    EnvFilter::builder().parse(format!("{quiet},{level},{TRACES}={traces}"))
}

/// Starts logging. Only the first call in a process does something.
pub(crate) fn start(format: LogFormat, level: &str) {
    let Ok(filter) = filter(level) else { return };
    // A second call finds the first one's subscriber in place, which is as good.
    let _ = tracing_subscriber::registry().with(lines(format)).with(filter).try_init();
}

/// The same, and makes traces of the spans that are meant for them.
///
/// The filter of lines stands around everything, not around lines alone: whoever asks a layer's own filter whether something
/// would be logged and then logs nothing, as sqlx does, takes the next line of that thread with it.
pub(crate) fn start_with_traces(format: LogFormat, level: &str, tracer: SdkTracer) {
    let Ok(filter) = read(level, "trace") else { return };
    let spans = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_level(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(|about| about.is_span() && about.target() == TRACES));
    let lines = lines(format).with_filter(filter_fn(|about| about.target() != TRACES));
    let _ = tracing_subscriber::registry().with(lines).with(spans).with(filter).try_init();
}

/// What writes lines.
fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let ansi = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).log_internal_errors(false).with_ansi(ansi);
    match format {
        LogFormat::Text => Box::new(lines.map_event_format(|inner| OfRequest { inner: inner.with_ansi(ansi), format })),
        LogFormat::Json => Box::new(
            lines
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .map_event_format(|inner| OfRequest { inner, format }),
        ),
    }
}

/// Lines as `inner` writes them, with the request that they come of. No span carries it: the way through the hottest
/// endpoint is too short for one.
struct OfRequest<F> {
    inner: F,
    format: LogFormat,
}

impl<S, N, F> FormatEvent<S, N> for OfRequest<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(id) = request::current() else { return self.inner.format_event(context, writer, event) };
        let mut line = String::new();
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        writer.write_str(&with_request(&line, id.as_str(), self.format))
    }
}

/// Names of requests hold letters, digits and `._-` alone: nothing in them has to be escaped.
fn with_request(line: &str, id: &str, format: LogFormat) -> String {
    let line = line.trim_end_matches('\n');
    match (format, line.strip_suffix('}')) {
        (LogFormat::Json, Some(open)) => format!("{open},\"request.id\":\"{id}\"}}\n"),
        _ => format!("{line} request.id={id}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_is_refused() {
        assert!(filter("loud").is_err());
        for good in ["off", "warn", "DEBUG", "warn,cerrojo_app=debug"] {
            assert!(filter(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_line_says_which_request_it_comes_of() {
        assert_eq!(with_request("INFO a b=1\n", "r-1", LogFormat::Text), "INFO a b=1 request.id=r-1\n");
        assert_eq!(with_request("{\"a\":{}}\n", "r-1", LogFormat::Json), "{\"a\":{},\"request.id\":\"r-1\"}\n");
    }
}
