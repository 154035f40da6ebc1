//! What others need to verify tokens by themselves: keys and status lists. Public, and the same for everybody.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use cerrojo_app::picture;
use cerrojo_app::status_list::{self, ListToken};
use cerrojo_domain::ListName;
use http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONTENT_ENCODING,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use crate::Web;
use crate::edge::RESOURCE_POLICY;
use crate::envelope::Failure;
use crate::problem::{self, Problem};
use crate::query::{Named, Pairs};

/// The public keys.
///
/// A JWK set (RFC 7517, section 5): what signs session tokens and status lists, never a symmetric key.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "verifying",
    responses((
        status = 200,
        description = "The keys in use",
        body = serde_json::Value,
        content_type = "application/jwk-set+json"
    ))
)]
pub(crate) async fn jwks(State(app): State<Web>) -> Response {
    let mut response = Json(app.keys.jwks()).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
    for_everybody(response, 300)
}

/// What there is here.
///
/// Authorization server metadata (RFC 8414).
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    tag = "verifying",
    responses((status = 200, description = "The metadata", body = serde_json::Value))
)]
pub(crate) async fn metadata(State(app): State<Web>) -> Response {
    let issuer = &app.settings.public_url;
    let metadata = json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "response_types_supported": [],
        "grant_types_supported": [],
        "introspection_endpoint": format!("{issuer}/api/auth/introspect"),
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
        "status_list_aggregation_endpoint": format!("{issuer}/status-lists"),
        "cerrojo_guard_endpoint": format!("{issuer}/api/guards"),
    });
    for_everybody(Json(metadata).into_response(), 300)
}

/// All status lists.
///
/// The addresses of all lists in use (draft-ietf-oauth-status-list, section 9).
#[utoipa::path(
    get,
    path = "/status-lists",
    tag = "verifying",
    responses((status = 200, description = "The addresses", body = serde_json::Value))
)]
pub(crate) async fn status_lists(State(app): State<Web>) -> Result<Response, Problem> {
    let issuer = &app.settings.public_url;
    let names = picture::names(&app).await?;
    let addresses: Vec<String> = names.iter().map(|name| format!("{issuer}/status-lists/{name}")).collect();
    Ok(for_everybody(Json(json!({ "status_lists": addresses })).into_response(), 5))
}

/// The same for whoever asks, from whatever page.
fn for_everybody(mut response: Response, max_age: u64) -> Response {
    let headers = response.headers_mut();
    headers
        .extend(HeaderValue::try_from(format!("public, max-age={max_age}")).ok().map(|value| (CACHE_CONTROL, value)));
    headers.insert(&RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("ETag"));
    response
}

/// A status list.
///
/// A Status List Token (draft-ietf-oauth-status-list, section 5.1): one bit a session, set when it is over.
#[utoipa::path(
    get,
    path = "/status-lists/{name}",
    tag = "verifying",
    params(
        ("name" = String, Path, description = "As in the `uri` of a token's `status.status_list`"),
        ("If-None-Match" = Option<String>, Header, description = "An entity tag of an earlier answer"),
        ("Accept-Encoding" = Option<String>, Header, description = "`gzip`, to get it compressed"),
    ),
    responses(
        (status = 200, description = "The list", body = String, content_type = "application/statuslist+jwt"),
        (status = 304, description = "The list has not changed"),
        (status = 404, description = "No such list", body = Failure),
        (status = 501, description = "`time` was given: the status at another time is not kept", body = Failure),
    )
)]
pub(crate) async fn status_list(
    State(app): State<Web>,
    Named(name): Named,
    pairs: Pairs,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if pairs.has("time") {
        return Err((&problem::NO_HISTORY).into());
    }
    let name = ListName::from_text(name.ok_or(&problem::NO_LIST)?);
    let list = status_list::token(&app, &name).await?.ok_or(&problem::NO_LIST)?;
    Ok(served(&list, &headers))
}

fn served(list: &ListToken, asked: &HeaderMap) -> Response {
    let gzip = takes_gzip(asked);
    // Two representations, two strong tags (RFC 9110, section 8.8.3.3).
    let etag = if gzip { format!("\"{}-gzip\"", list.version) } else { format!("\"{}\"", list.version) };
    let mut response = if has(asked, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let body = if gzip { Bytes::from_owner(list.gzipped()) } else { Bytes::from_owner(Shared(list.token.clone())) };
        let mut response = Response::new(Body::from(body));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/statuslist+jwt"));
        headers.extend(gzip.then(|| (CONTENT_ENCODING, HeaderValue::from_static("gzip"))));
        response
    };
    let headers = response.headers_mut();
    headers.extend(HeaderValue::try_from(etag).ok().map(|etag| (ETAG, etag)));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    for_everybody(response, list.max_age)
}

struct Shared(std::sync::Arc<str>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Whether gzip is named, or everything is, and not ruled out by a weight of zero (RFC 9110, section 12.5.3).
fn takes_gzip(asked: &HeaderMap) -> bool {
    let texts = asked.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut any = false;
    for coding in texts.flat_map(|text| text.split(',')) {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let wanted = weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0));
        if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            return wanted;
        }
        any |= name == "*" && wanted;
    }
    any
}

/// Whether whoever asks has this version already (RFC 9110, section 13.1.2: weak comparison).
fn has(asked: &HeaderMap, etag: &str) -> bool {
    asked
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.trim() == "*" || value.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(http::HeaderName, &'static str)]) -> (Response, ListToken) {
        let asked = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        let list = ListToken::new("a.b.c", 5);
        let response = served(&list, &asked);
        assert_eq!(response.headers()[CACHE_CONTROL], "public, max-age=5");
        assert_eq!(response.headers()[VARY], "Accept-Encoding");
        (response, list)
    }

    fn status(tag: &str, coding: &'static str) -> (StatusCode, bool) {
        let version = ListToken::new("a.b.c", 5).version;
        let asked = [
            (IF_NONE_MATCH, HeaderValue::from_str(&tag.replace('7', &version)).unwrap()),
            (ACCEPT_ENCODING, HeaderValue::from_static(coding)),
        ];
        let response = served(&ListToken::new("a.b.c", 5), &asked.into_iter().collect());
        (response.status(), response.headers().contains_key(CONTENT_TYPE))
    }

    #[test]
    fn whoever_has_the_list_is_told_so() {
        assert_eq!(answer(&[]).0.status(), StatusCode::OK);
        assert_eq!(status("\"6\"", ""), (StatusCode::OK, true));
        for tag in ["\"7\"", "W/\"7\"", "\"6\", \"7\"", "*"] {
            assert_eq!(status(tag, ""), (StatusCode::NOT_MODIFIED, false), "{tag}");
        }
    }

    #[test]
    fn what_is_compressed_has_a_tag_of_its_own() {
        assert_eq!(status("\"7\"", "gzip"), (StatusCode::OK, true));
        assert_eq!(status("\"7-gzip\"", "gzip"), (StatusCode::NOT_MODIFIED, false));
        assert_eq!(status("\"7-gzip\"", ""), (StatusCode::OK, true));
        let (plain, list) = answer(&[]);
        assert_eq!(plain.headers()[ETAG], format!("\"{}\"", list.version));
        assert!(!plain.headers().contains_key(CONTENT_ENCODING));
        let (packed, list) = answer(&[(ACCEPT_ENCODING, "br, gzip")]);
        assert_eq!(packed.headers()[CONTENT_ENCODING], "gzip");
        assert_eq!(packed.headers()[ETAG], format!("\"{}-gzip\"", list.version));
    }

    #[test]
    fn gzip_is_taken_where_it_is_asked_for() {
        let takes =
            |text: &'static str| takes_gzip(&HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(text))]));
        for text in ["gzip", "GZIP", "br;q=1, gzip;q=0.5", "*", "x-gzip", "identity, *;q=0.1"] {
            assert!(takes(text), "{text}");
        }
        for text in ["", "br", "gzip;q=0", "gzip;q=0.000, *", "*;q=0", "gzip;q=x", "notgzip"] {
            assert!(!takes(text), "{text}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
