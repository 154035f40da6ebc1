//! The span of a request, by OpenTelemetry's semantic conventions for HTTP servers. Only what the server itself made is in it: the
//! template of the route and not the path, the status, and the request's name, which is in the log as well.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, MatchedPath, Request};
use cerrojo_app::Trouble;
use http::{HeaderValue, StatusCode};
use tracing::field::Empty;
use tracing::{Span, trace_span};

use crate::HttpSettings;
use crate::metrics::method_of;

/// It begins. Costs a look at a flag unless traces are sent.
pub(crate) fn request(request: &Request, id: &HeaderValue, settings: &HttpSettings) -> Span {
    let span = trace_span!(
        target: "cerrojo_traces", parent: None, "request",
        otel.kind = "server", otel.name = Empty, otel.status_code = Empty,
        http.request.method = method_of(request.method()), http.route = Empty,
        http.response.status_code = Empty, error.type = Empty, request.id = Empty,
    );
    if span.is_disabled() {
        return span;
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    if peer.is_some_and(|peer: IpAddr| settings.callers.iter().any(|network| network.contains(peer))) {
        (settings.adopt)(&span, request.headers());
    }
    // The convention has no name for a method that is none but this.
    let method = if method_of(request.method()) == "_OTHER" { "HTTP" } else { method_of(request.method()) };
    match request.extensions().get().map(MatchedPath::as_str) {
        Some(route) => {
            span.record("http.route", route);
            span.record("otel.name", format!("{method} {route}"));
        }
        None => {
            span.record("otel.name", method);
        }
    }
    span.record("request.id", id.to_str().unwrap_or_default());
    span
}

/// It was answered so.
pub(crate) fn answered(span: &Span, status: StatusCode, cause: Option<&Trouble>) {
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        let kind = match cause {
            Some(Trouble::Internal(_)) => "internal",
            Some(Trouble::Unavailable(_)) => "unavailable",
            Some(Trouble::Unconfirmed(_)) => "unconfirmed",
            None => status.as_str(),
        };
        span.record("error.type", kind);
        span.record("otel.status_code", "ERROR");
    }
}
