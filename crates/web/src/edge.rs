//! What every request passes on its way in and every answer on its way out.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::HttpBody as _;
use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse as _, Response};
use cerrojo_app::request::{self, RequestId};
use cerrojo_app::{App, Trouble, over};
use cerrojo_domain::host::{host_of, is_loopback};
use cerrojo_domain::{Clock, bearer_token};
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue};
use tower::{Layer, Service};
use tracing::{Instrument as _, Span};

use crate::HttpSettings;
use crate::body::{self, Gathered};
use crate::cookie::{self, KeptPages, SessionCookie, SessionOver};
use crate::cors::{CorsPolicy, Grant};
use crate::cross_site::{is_same_origin, only_reads};
use crate::envelope::{self, Voice, Why};
use crate::metrics::{Asked, Routes};
use crate::problem::{self, Problem};
use crate::request_id::{RequestIds, X_REQUEST_ID};
use crate::traced;

/// Who may embed an answer as a resource (Fetch standard, "CORP"). Handlers that set it themselves are left alone.
pub(crate) static RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

struct Edge {
    app: Arc<App>,
    ids: RequestIds,
    cors: CorsPolicy,
    cookie: SessionCookie,
    voice: Voice,
    transport: Transport,
    body_time: Duration,
    answer_time: Duration,
    clock: Arc<dyn Clock>,
    routes: Arc<Routes>,
    http: HttpSettings,
}

/// How clients reach the server.
enum Transport {
    Plain,
    /// Over TLS: browsers are told to stay with it (RFC 6797).
    Secure,
}

impl Transport {
    /// By where clients reach the server. A browser would hold other programs on this machine to it, whatever their port.
    fn of(public_url: &str) -> Self {
        let is_secure = public_url.starts_with("https://") && !is_loopback(host_of(public_url));
        if is_secure { Self::Secure } else { Self::Plain }
    }
}

/// Puts the edge around a router.
#[derive(Clone)]
pub(crate) struct EdgeLayer(Arc<Edge>);

impl EdgeLayer {
    pub(crate) fn new(app: &Arc<App>, http: &HttpSettings, routes: Arc<Routes>) -> Self {
        let settings = &app.settings;
        let window = settings.login_limit.map_or(Duration::ZERO, |rate| rate.window);
        Self(Arc::new(Edge {
            app: Arc::clone(app),
            ids: RequestIds::new(&*app.random),
            cors: CorsPolicy::new(&http.cors, &settings.public_url),
            cookie: SessionCookie::new(&settings.public_url),
            voice: Voice { locale: settings.locale, login_minutes: window.as_secs().div_ceil(60) },
            transport: Transport::of(&settings.public_url),
            body_time: http.body_timeout,
            answer_time: http.request_timeout,
            clock: Arc::clone(&app.clock),
            routes,
            http: http.clone(),
        }))
    }
}

impl<S> Layer<S> for EdgeLayer {
    type Service = EdgeService<S>;

    fn layer(&self, inner: S) -> EdgeService<S> {
        EdgeService { inner, edge: Arc::clone(&self.0) }
    }
}

/// A router behind the edge.
#[derive(Clone)]
pub(crate) struct EdgeService<S> {
    inner: S,
    edge: Arc<Edge>,
}

impl<S> Service<Request> for EdgeService<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let edge = Arc::clone(&self.edge);
        let arrival = edge.arrive(&request);
        if arrival.only_reads && request.body().is_end_stream() {
            let answering =
                self.inner.call(request).instrument(arrival.span.clone()).instrument(arrival.traced.clone());
            return Box::pin(request::within(RequestId::new(arrival.id.as_bytes()), async move {
                let Ok(mut response) = answering.await;
                edge.explain(&arrival.shown, &mut response).await;
                Ok(edge.leave(arrival, response))
            }));
        }
        let inner = self.inner.clone();
        Box::pin(request::within(RequestId::new(arrival.id.as_bytes()), async move {
            let (span, traced) = (arrival.span.clone(), arrival.traced.clone());
            let (request, gathered) = body::gather(request, edge.body_time).await;
            let answering = answer(inner, request).instrument(span).instrument(traced);
            let mut response =
                if arrival.only_reads { answering.await } else { in_time(answering, edge.answer_time).await };
            edge.explain(&arrival.shown, &mut response).await;
            if matches!(gathered, Some(Gathered::TooLarge | Gathered::TooSlow | Gathered::CutOff)) {
                // What is left of the body must not be taken for the next request.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(edge.leave(arrival, response))
        }))
    }
}

async fn answer<S>(mut inner: S, request: Request) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let Ok(()) = std::future::poll_fn(|cx| inner.poll_ready(cx)).await;
    let Ok(response) = inner.call(request).await;
    response
}

/// An answer, or 503 when the time runs out. A client that goes away takes its handler with it, so that nothing works for
/// nobody: least of all a thread that hashes. Whatever must come to its end once begun (a commit and what is to be known
/// of it) outlives its caller by itself, in the app.
async fn in_time(answering: impl Future<Output = Response>, time: Duration) -> Response {
    let late = |_| Problem::from(Trouble::Unavailable(format!("no answer within {time:?}"))).into_response();
    tokio::time::timeout(time, answering).await.unwrap_or_else(late)
}

/// What is kept of a request until its answer leaves.
struct Arrival {
    id: HeaderValue,
    grant: Grant,
    only_reads: bool,
    /// What shows the session.
    shown: Shown,
    /// For lines of the log.
    span: Span,
    /// For traces.
    traced: Span,
    asked: Asked,
    /// When it came, by `Clock::elapsed`.
    at: Duration,
}

/// What a request shows its session by.
enum Shown {
    /// Nothing.
    Nothing,
    /// Its one `Authorization` header.
    Header(HeaderValue),
    /// The token in the cookie, and what is to become of pages that its browser kept.
    Cookie(Box<str>, KeptPages),
}

impl Shown {
    fn token(&self) -> Option<&str> {
        match self {
            Self::Nothing => None,
            Self::Header(value) => bearer_token([value.as_bytes()]).ok(),
            Self::Cookie(token, _) => Some(token),
        }
    }
}

impl Edge {
    fn shown(&self, request: &Request) -> Shown {
        let headers = request.headers();
        let mut values = headers.get_all(AUTHORIZATION).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => Shown::Header(value.clone()),
            (Some(_), Some(_)) => Shown::Nothing,
            (None, _) => {
                let kept = if is_same_origin(headers) { KeptPages::Forgotten } else { KeptPages::Left };
                self.cookie.token(headers).map_or(Shown::Nothing, |token| Shown::Cookie(token.into(), kept))
            }
        }
    }

    /// Has an answer to the token of a session that is over say why.
    async fn explain(&self, shown: &Shown, response: &mut Response) {
        if envelope::row(response).is_some_and(|row| *row == problem::SESSION_OVER)
            && let Some(token) = shown.token()
            && let Some(over) = over::of_token(&self.app, token).await
        {
            response.extensions_mut().insert(Why(over.reason));
        }
    }

    /// A browser whose cookie is of no use any more is told to forget it.
    fn take_leave(&self, shown: &Shown, (response, problem): (&mut Response, Option<&Problem>)) {
        let over = response.extensions_mut().remove::<SessionOver>().is_some();
        let Shown::Cookie(_, kept) = shown else { return };
        if over {
            cookie::take_leave(response, self.cookie.clear(), *kept);
        } else if problem.is_some_and(|problem| [&problem::BAD_TOKEN, &problem::SESSION_OVER].contains(&problem.row)) {
            cookie::take_leave(response, self.cookie.clear(), KeptPages::Left);
        }
    }

    fn arrive(&self, request: &Request) -> Arrival {
        let id = self.ids.of(request.headers());
        let traced = traced::request(request, &id, &self.http);
        // At debug level: the way through the hottest endpoint is too short to carry a span that nobody reads.
        let span = traced.in_scope(|| {
            tracing::debug_span!(
                "request",
                "http.request.method" = %request.method(),
                "url.path" = request.uri().path(),
            )
        });
        Arrival {
            id,
            grant: self.cors.grant(request.method(), request.headers()),
            only_reads: only_reads(request.method()),
            shown: self.shown(request),
            span,
            traced,
            asked: self.routes.asked(request.extensions().get().map(MatchedPath::as_str), request.method()),
            at: self.clock.elapsed(),
        }
    }

    fn leave(&self, arrival: Arrival, mut response: Response) -> Response {
        let Arrival { id, grant, span, traced, asked, at, shown, .. } = arrival;
        let problem = envelope::write(&mut response, self.voice);
        self.take_leave(&shown, (&mut response, problem.as_deref()));
        let cause = problem.as_ref().and_then(|problem| problem.cause.as_ref());
        if let Some(cause) = cause {
            tell(cause);
        }
        traced::answered(&traced, response.status(), cause);
        self.cors.put(grant, &mut response);
        let headers = response.headers_mut();
        headers.reserve(8);
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        // Pages have policies of their own.
        if !headers.contains_key(REFERRER_POLICY) {
            headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        }
        if !headers.contains_key(CONTENT_SECURITY_POLICY) {
            headers.insert(
                CONTENT_SECURITY_POLICY,
                HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
            );
        }
        if !headers.contains_key(&RESOURCE_POLICY) {
            headers.insert(&RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
        }
        if !headers.contains_key(CACHE_CONTROL) {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        if matches!(self.transport, Transport::Secure) {
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
        headers.insert(&X_REQUEST_ID, id);
        self.routes.note(asked, response.status(), self.clock.elapsed().saturating_sub(at));
        let status = response.status().as_u16();
        span.in_scope(|| tracing::debug!("http.response.status_code" = status, "answered"));
        response
    }
}

/// Writes a cause to the log, once.
fn tell(cause: &Trouble) {
    match cause {
        Trouble::Internal(_) => tracing::error!(error = %cause, "answered 500"),
        Trouble::Unavailable(_) | Trouble::Unconfirmed(_) => tracing::warn!(error = %cause, "answered 503"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_held_to_https_where_it_is_and_no_other_program_is_meant() {
        let is_secure = |url| matches!(Transport::of(url), Transport::Secure);
        assert!(is_secure("https://auth.example.com") && is_secure("https://192.0.2.1:8443/base"));
        let plain =
            ["http://auth.example.com", "https://localhost:4000", "https://127.0.0.1:4000", "https://[::1]:4000"];
        assert!(!plain.into_iter().any(is_secure));
    }
}
