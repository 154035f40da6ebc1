//! What others need to verify tokens by themselves: keys and status lists. Public, and the same for everybody.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use cerrojo_app::status_list::{self, ListToken};
use cerrojo_domain::ListName;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::Web;
use crate::edge::RESOURCE_POLICY;
use crate::envelope::Failure;
use crate::problem::{self, Problem};
use crate::query::Named;

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
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    headers.insert(&RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
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
    ),
    responses(
        (status = 200, description = "The list", body = String, content_type = "application/statuslist+jwt"),
        (status = 304, description = "The list has not changed"),
        (status = 404, description = "No such list", body = Failure),
    )
)]
pub(crate) async fn status_list(
    State(app): State<Web>,
    Named(name): Named,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let name = ListName::from_text(name.ok_or(&problem::NO_LIST)?);
    let list = status_list::token(&app, &name).await?.ok_or(&problem::NO_LIST)?;
    Ok(served(list, &headers))
}

fn served(list: ListToken, asked: &HeaderMap) -> Response {
    let ListToken { token, etag, max_age } = list;
    let mut response = if has(asked, &etag) { StatusCode::NOT_MODIFIED.into_response() } else { token.into_response() };
    let headers = response.headers_mut();
    headers.remove(CONTENT_TYPE);
    if response.status() == StatusCode::OK {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/statuslist+jwt"));
    }
    let headers = response.headers_mut();
    headers.extend(HeaderValue::try_from(etag).ok().map(|etag| (ETAG, etag)));
    headers
        .extend(HeaderValue::try_from(format!("public, max-age={max_age}")).ok().map(|value| (CACHE_CONTROL, value)));
    headers.insert(&RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    response
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

    fn status(if_none_match: Option<&'static str>) -> (StatusCode, bool) {
        let asked = HeaderMap::from_iter(if_none_match.map(|tag| (IF_NONE_MATCH, HeaderValue::from_static(tag))));
        let list = ListToken { token: "a.b.c".to_owned(), etag: "\"7\"".to_owned(), max_age: 5 };
        let response = served(list, &asked);
        assert_eq!(response.headers()[ETAG], "\"7\"");
        assert_eq!(response.headers()[CACHE_CONTROL], "public, max-age=5");
        (response.status(), response.headers().contains_key(CONTENT_TYPE))
    }

    #[test]
    fn whoever_has_the_list_is_told_so() {
        assert_eq!(status(None), (StatusCode::OK, true));
        assert_eq!(status(Some("\"6\"")), (StatusCode::OK, true));
        for tag in ["\"7\"", "W/\"7\"", "\"6\", \"7\"", "*"] {
            assert_eq!(status(Some(tag)), (StatusCode::NOT_MODIFIED, false), "{tag}");
        }
    }
}
