//! Is this token good? For reverse proxies and services that ask at each request.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use cerrojo_app::{App, Caller, Locale};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::Web;
use crate::bearer::Bearer;
use crate::envelope::{JSON, Nothing, Success};
use crate::percent;

static USER_ID: HeaderName = HeaderName::from_static("x-auth-user-id");
static EMAIL: HeaderName = HeaderName::from_static("x-auth-email");
static NAME: HeaderName = HeaderName::from_static("x-auth-name");
static ROLE: HeaderName = HeaderName::from_static("x-auth-role");
static SESSION: HeaderName = HeaderName::from_static("x-auth-session");

/// Room for these headers and those of the edge without growing.
const HEADERS: usize = 24;

/// Checks a token.
///
/// Answered from memory. Who it is stands in the headers, percent-encoded where it is not printable ASCII.
#[utoipa::path(
    get,
    path = "/api/auth/verify",
    tag = "session",
    security(("bearer" = [])),
    responses((
        status = 200,
        description = "The token is good",
        body = Success<Nothing>,
        headers(
            ("X-Auth-User-Id" = i64, description = "The user"),
            ("X-Auth-Email" = String, description = "As it was at sign-in"),
            ("X-Auth-Name" = String, description = "As it was at sign-in"),
            ("X-Auth-Role" = String, description = "The role's name"),
            ("X-Auth-Session" = String, description = "The session"),
        )
    ))
)]
pub(crate) async fn verify(State(app): State<Web>, Bearer(caller): Bearer) -> Response {
    let mut response = Response::new(Body::from(match app.settings.locale {
        Locale::Es => r#"{"success":true,"message":"Token válido","data":null}"#,
        Locale::En => r#"{"success":true,"message":"Valid token","data":null}"#,
    }));
    *response.headers_mut() = who(&app, &caller);
    response
}

fn who(app: &App, caller: &Caller) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(HEADERS);
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(&USER_ID, HeaderValue::from(caller.user.0));
    headers.insert(&EMAIL, percent::header_value(&caller.email));
    headers.insert(&NAME, percent::header_value(&caller.name));
    headers.insert(&ROLE, percent::header_value(&app.settings.roles.name(caller.role_id)));
    headers.insert(&SESSION, percent::header_value(caller.session.as_str()));
    headers
}
