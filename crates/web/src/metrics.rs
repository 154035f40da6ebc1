//! What is counted of HTTP, and the page that tells everything that is counted.

use std::collections::HashMap;
use std::fmt::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use cerrojo_app::metrics::{self, Family, Readings, SHORT, Timing};
use cerrojo_app::onlookers::Full;
use cerrojo_app::{App, families};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, StatusCode};
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;

use crate::Doors;
use crate::places::Places;

families! {
    /// What this crate exposes, in the order of the reference.
    HTTP:
    REQUESTS = Counter "cerrojo_http_requests_total" ["route", "method", "status"], "Requests that were answered, by the template of their route (unmatched: there is none), method and class of status";
    DURATION = Histogram "cerrojo_http_request_duration_seconds" ["route", "method"], "From when a request's head was read until its answer began to leave";
    CONNECTIONS = Gauge "cerrojo_http_connections" [], "Open connections to the public listener";
    CONNECTIONS_REFUSED = Counter "cerrojo_http_connections_refused_total" [], "Connections that were closed at once since their address had as many as one may have";
    HANDSHAKES = Counter "cerrojo_tls_handshakes_total" ["outcome"], "TLS handshakes by how they ended; plain_http: the client spoke no TLS, crowded: it gave way to newer ones, closed: the client went away first (without server.tls_certificate there are none)";
    NOT_AFTER = Gauge "cerrojo_tls_certificate_not_after_timestamp_seconds" [], "When the TLS certificate in use expires (with server.tls_certificate)";
    CERTIFICATE_REFUSED = Gauge "cerrojo_tls_certificate_refused" [], "1 while the files hold a certificate or key that cannot be used, so that those from before still are, otherwise 0 (with server.tls_certificate)";
    GUARDS = Gauge "cerrojo_guards" ["kind", "asked"], "Requests of guards that have a place now, with a service's credentials or without: streams that follow, and other questions that are being answered";
    EVENT_STREAMS = Gauge "cerrojo_event_streams" [], "Open streams by which clients follow their own session";
    EVENT_STREAMS_REFUSED = Counter "cerrojo_event_streams_refused_total" ["places"], "Such streams that found no place, by whose are all taken: the session's, the user's, or this node's (events.max_streams)";
    GUARDS_REFUSED = Counter "cerrojo_guards_refused_total" ["kind", "asked"], "Requests of guards that found no place";
}

/// What a request counts as that no route is for: whatever its path was.
const UNMATCHED: &str = "unmatched";
/// Methods by name; any other is the last.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "_OTHER"];

fn place_of(method: &Method) -> usize {
    METHODS.iter().position(|name| *name == method.as_str()).unwrap_or(METHODS.len() - 1)
}

/// The method, or `_OTHER` for one that is none of HTTP's.
pub(crate) fn method_of(method: &Method) -> &'static str {
    METHODS.get(place_of(method)).copied().unwrap_or("_OTHER")
}

const STATUSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Requests by route, method and status. The routes are those that there are, and there is a place for each from the start.
#[derive(Debug)]
pub(crate) struct Routes {
    places: HashMap<String, usize>,
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    template: String,
    methods: [OnceLock<Answered>; METHODS.len()],
}

#[derive(Debug)]
struct Answered {
    duration: Timing,
    statuses: [Counter; STATUSES.len()],
}

/// Which route and method a request is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    route: usize,
    method: usize,
}

impl Routes {
    /// `templates`: of every route there is.
    pub(crate) fn new(templates: impl IntoIterator<Item = String>) -> Arc<Self> {
        let route = |template| Route { template, methods: Default::default() };
        let routes: Vec<_> = [UNMATCHED.to_owned()].into_iter().chain(templates).map(route).collect();
        let places = routes.iter().enumerate().skip(1).map(|(place, route)| (route.template.clone(), place)).collect();
        Arc::new(Self { places, routes })
    }

    /// What a request for the route with this template counts as.
    pub(crate) fn asked(&self, template: Option<&str>, method: &Method) -> Asked {
        let route = template.and_then(|template| self.places.get(template)).copied().unwrap_or(0);
        Asked { route, method: place_of(method) }
    }

    /// It was answered.
    pub(crate) fn note(&self, asked: Asked, status: StatusCode, took: Duration) {
        let Some(method) = self.routes.get(asked.route).and_then(|route| route.methods.get(asked.method)) else {
            return;
        };
        let new = || Answered { duration: Timing::new(SHORT), statuses: Default::default() };
        let answered = method.get_or_init(new);
        answered.duration.note(took);
        if let Some(counter) = answered.statuses.get(usize::from(status.as_u16() / 100).saturating_sub(1)) {
            counter.inc();
        }
    }

    /// What was asked for so far.
    fn answered(&self) -> impl Iterator<Item = (&str, &'static str, &Answered)> {
        self.routes.iter().flat_map(|route| {
            let methods = METHODS.into_iter().zip(&route.methods);
            methods.filter_map(|(name, answered)| Some((&*route.template, name, answered.get()?)))
        })
    }
}

#[derive(Debug)]
struct Requests(Arc<Routes>);

impl EncodeMetric for Requests {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), Error> {
        for (route, method, answered) in self.0.answered() {
            for (status, counter) in STATUSES.into_iter().zip(&answered.statuses) {
                let labels = [("route", route), ("method", method), ("status", status)];
                counter.encode(encoder.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

#[derive(Debug)]
struct Durations(Arc<Routes>);

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), Error> {
        for (route, method, answered) in self.0.answered() {
            answered.duration.encode(encoder.encode_family(&[("route", route), ("method", method)])?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// What the page is written from.
pub(crate) struct Sources {
    pub(crate) app: Arc<App>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) places: Arc<Places>,
    pub(crate) questions: Arc<Places>,
    pub(crate) doors: Doors,
}

struct Page {
    sources: Sources,
    /// Of routes.
    registry: Registry,
    /// One page at a time: however many ask, one processor at most is busy with them.
    turn: Mutex<()>,
}

/// `GET /metrics`, and 404 for anything else.
pub(crate) fn router(sources: Sources) -> Router {
    let mut registry = Registry::default();
    metrics::register(&mut registry, &REQUESTS, Requests(Arc::clone(&sources.routes)));
    metrics::register(&mut registry, &DURATION, Durations(Arc::clone(&sources.routes)));
    let page = Arc::new(Page { sources, registry, turn: Mutex::default() });
    let not_found = || async { StatusCode::NOT_FOUND };
    Router::new().route("/metrics", get(tell).fallback(not_found)).fallback(not_found).with_state(page)
}

async fn tell(State(page): State<Arc<Page>>) -> Response {
    match page.written().await {
        Ok(text) => {
            let headers = [
                (CONTENT_TYPE, HeaderValue::from_static(prometheus_text::CONTENT_TYPE)),
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
                (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            ];
            (headers, text).into_response()
        }
        // Writing to a string does not fail.
        Err(Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl Page {
    async fn written(&self) -> Result<String, Error> {
        let _turn = self.turn.lock().await;
        let mut now = Registry::default();
        now.register_collector(Box::new(self.readings()));
        now.register_collector(Box::new(metrics::readings(&self.sources.app).await));
        let mut text = String::new();
        for registry in [self.sources.app.metrics.registry(), &self.registry, &now] {
            prometheus_text::encode(&mut text, registry)?;
        }
        Ok(text)
    }

    fn readings(&self) -> Readings {
        let Sources { places, questions, doors, .. } = &self.sources;
        let mut into = Readings::default();
        into.add(&CONNECTIONS, doors.open());
        into.add(&CONNECTIONS_REFUSED, doors.refused());
        if let Some(tls) = doors.tls() {
            into.add_each(&HANDSHAKES, tls.handshakes().map(|(outcome, count)| ([outcome], count)));
            into.add(&NOT_AFTER, tls.not_after().0.div_euclid(1000));
            into.add(&CERTIFICATE_REFUSED, tls.is_refused());
        }
        let onlookers = &self.sources.app.onlookers;
        into.add(&EVENT_STREAMS, onlookers.count());
        let refused = Full::ALL.into_iter().zip(onlookers.refused());
        into.add_each(&EVENT_STREAMS_REFUSED, refused.map(|(full, count)| ([full.name()], count)));
        let kinds = |asked, each: [u64; 2]| {
            ["service", "anonymous"].into_iter().zip(each).map(move |(kind, count)| ([kind, asked], count))
        };
        into.add_each(&GUARDS, kinds("stream", places.taken_now()).chain(kinds("question", questions.taken_now())));
        into.add_each(&GUARDS_REFUSED, kinds("stream", places.refused()).chain(kinds("question", questions.refused())));
        into
    }
}

/// Every family there is, in the order of the reference.
pub fn families() -> impl Iterator<Item = &'static Family> {
    metrics::ALL.iter().chain(HTTP).copied()
}

/// The reference, `docs/METRICS.md`.
#[must_use]
pub fn reference() -> String {
    let mut text = "# Metrics\n\n<!-- Written by the example `metrics` of crates/testkit; change the declarations in crates/app/src/metrics/family.rs and \
         crates/web/src/metrics.rs instead. -->\n\nWhat `GET /metrics` tells at `metrics.listen`, in the Prometheus text format 0.0.4. How to watch with it, and what to do about \
         what it tells: [OPERATIONS.md](OPERATIONS.md), «Watching». Each node tells of itself. Labels have the values that are declared in the code and no others; nothing \
         that a client sends becomes one.\n\n| metric | type | labels | what it is |\n| --- | --- | --- | --- |\n"
        .to_owned();
    for family in families() {
        let labels = family.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        text.extend(["| `", family.name, "` | ", family.kind.text(), " | ", &labels, " | ", family.help, " |\n"]);
    }
    text
}
