//! The token of a request, as a bearer token (RFC 6750, section 2.1) or in the cookie, and who it says is calling.

use axum::extract::FromRequestParts;
use cerrojo_app::administer::By;
use cerrojo_app::authenticate::{AuthError, Counts, Showing};
use cerrojo_app::{Caller, account, authenticate, end};
use cerrojo_domain::{ADMIN_ROLE, NoBearerToken, Origin, bearer_token};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::Web;
use crate::client::Client;
use crate::cross_site::only_reads;
use crate::problem::{self, Problem};

static ACTIVITY: HeaderName = HeaderName::from_static("cerrojo-activity");

/// Whoever is calling, by a token that was checked.
pub(crate) struct Bearer(pub(crate) Caller);

impl FromRequestParts<Web> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        let from = origin(parts, web).await;
        let token = shown(parts, web)?;
        let showing = Showing { token, from: from.as_ref(), counts: counts(&parts.headers) };
        Ok(Self(authenticate::authenticate(web, showing).await?))
    }
}

/// The same, of whoever only looks on: no use of the session. By a cookie not from a page that says that it is of others,
/// which could take all the places there are.
pub(crate) struct Onlooking(pub(crate) Caller);

impl FromRequestParts<Web> for Onlooking {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        let from = origin(parts, web).await;
        let token = shown(parts, web)?;
        if !parts.headers.contains_key(AUTHORIZATION) {
            web.own_pages().check_reading(&parts.headers)?;
        }
        let showing = Showing { token, from: from.as_ref(), counts: Counts::AsNothing };
        Ok(Self(authenticate::authenticate(web, showing).await?))
    }
}

/// The same, for the endpoint that ends the session: one that has ended is told only when every node knows of it.
pub(crate) struct ToBeEnded(pub(crate) Caller);

impl FromRequestParts<Web> for ToBeEnded {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        let from = origin(parts, web).await;
        let token = shown(parts, web)?;
        let showing = Showing { token, from: from.as_ref(), counts: counts(&parts.headers) };
        match authenticate::authenticate(web, showing).await {
            Err(refused @ (AuthError::Invalid | AuthError::Over)) => {
                end::known_to_be_over(web, token).await?;
                Err(refused.into())
            }
            checked => Ok(Self(checked?)),
        }
    }
}

/// The same, and its role is the administrator's. Use cases look for themselves; this answers before the rest of the
/// request is looked at.
pub(crate) struct Administrator {
    pub(crate) caller: Caller,
    origin: Origin,
    /// The token itself was shown, or the cookie is of a sign-in of lately.
    is_certain: bool,
}

impl Administrator {
    /// On whose word, and from where.
    pub(crate) fn by(&self) -> By<'_> {
        By::Administrator(&self.caller, &self.origin)
    }

    /// Refuses a cookie of a sign-in of long ago; to be asked where more is read than a page shows. What changes something is
    /// refused before.
    pub(crate) fn check_certain(&self) -> Result<(), Problem> {
        if self.is_certain { Ok(()) } else { Err((&problem::SIGN_IN_AGAIN).into()) }
    }
}

/// Whoever is calling, if it is somebody with a session. A token that is not accepted is nobody's.
pub(crate) struct Anybody(pub(crate) Option<Caller>);

impl FromRequestParts<Web> for Anybody {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        match Bearer::from_request_parts(parts, web).await {
            Ok(Bearer(caller)) => Ok(Self(Some(caller))),
            Err(problem) if problem.row.status == StatusCode::UNAUTHORIZED => Ok(Self(None)),
            Err(problem) => Err(problem),
        }
    }
}

impl FromRequestParts<Web> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        let Bearer(caller) = Bearer::from_request_parts(parts, web).await?;
        if caller.role_id != ADMIN_ROLE {
            return Err((&problem::NOT_ADMINISTRATOR).into());
        }
        // Whoever sits before a browser that was left open has the cookie, and is asked for the password on the pages.
        let is_certain = parts.headers.contains_key(AUTHORIZATION) || account::is_fresh(web, &caller);
        let Ok(Client(origin)) = Client::from_request_parts(parts, web).await;
        let administrator = Self { caller, origin, is_certain };
        if !only_reads(&parts.method) {
            administrator.check_certain()?;
        }
        Ok(administrator)
    }
}

/// Whether the request is a use of its session: a client says which ones it makes by itself.
fn counts(headers: &HeaderMap) -> Counts {
    let said = headers.get(&ACTIVITY).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"background"));
    if said { Counts::AsNothing } else { Counts::AsUse }
}

/// Where the request comes from, if a session may be made of its token.
async fn origin(parts: &mut Parts, web: &Web) -> Option<Origin> {
    web.settings.old_tokens.as_ref()?;
    let Ok(Client(origin)) = Client::from_request_parts(parts, web).await;
    Some(origin)
}

/// The token that a request shows: in its `Authorization` header, or, if it has none at all, in the cookie.
fn shown<'p>(parts: &'p Parts, web: &Web) -> Result<&'p str, Problem> {
    if parts.headers.contains_key(AUTHORIZATION) {
        return token(&parts.headers).map_err(Problem::from);
    }
    let token = web.cookie().token(&parts.headers).ok_or(&problem::NO_TOKEN)?;
    if !only_reads(&parts.method) {
        web.own_pages().check(&parts.headers)?;
    }
    Ok(token)
}

/// The one token of the one `Authorization` header. Tokens in the query or the body are not looked for.
fn token(headers: &HeaderMap) -> Result<&str, &'static problem::Row> {
    bearer_token(headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes)).map_err(|none| match none {
        NoBearerToken::Missing => &problem::NO_TOKEN,
        NoBearerToken::Invalid => &problem::BAD_TOKEN,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static str]) -> Result<String, &'static problem::Row> {
        let headers: HeaderMap = values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_static(value))).collect();
        token(&headers).map(str::to_owned)
    }

    #[test]
    fn the_scheme_is_read_without_regard_to_case() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c"] {
            assert_eq!(read(&[value]).as_deref(), Ok("a.b.c"), "{value}");
        }
    }

    #[test]
    fn what_is_no_bearer_token_is_none() {
        for values in [&[][..], &[""], &["Bearer"], &["Bearer "], &["Basic YTpi"], &["Bearera.b.c"], &["a.b.c"]] {
            assert_eq!(read(values), Err(&problem::NO_TOKEN), "{values:?}");
        }
    }

    #[test]
    fn two_headers_are_one_too_many() {
        assert_eq!(read(&["Bearer a.b.c", "Bearer a.b.c"]), Err(&problem::BAD_TOKEN));
    }
}
