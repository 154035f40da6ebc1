//! Is this token good? For services that ask, as RFC 7662 has it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cerrojo_app::introspect::{self, Active};
use http::header::CONTENT_TYPE;
use http::{Extensions, HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::basic::Service;
use crate::body::Gathered;
use crate::envelope::{JSON, Unwritten};
use crate::problem::{self, Problem};
use crate::{Web, form, wire};

/// A problem in the form of RFC 6749, section 5.2.
pub(crate) struct OAuthProblem(Problem);

impl<P: Into<Problem>> From<P> for OAuthProblem {
    fn from(problem: P) -> Self {
        Self(problem.into())
    }
}

impl IntoResponse for OAuthProblem {
    fn into_response(self) -> Response {
        let error = match self.0.row.status {
            StatusCode::UNAUTHORIZED => "invalid_client",
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => "temporarily_unavailable",
            StatusCode::INTERNAL_SERVER_ERROR => "server_error",
            _ => "invalid_request",
        };
        let mut response = self.0.into_response();
        if let Some(Unwritten::Problem(problem)) = response.extensions_mut().remove::<Unwritten>() {
            response.extensions_mut().insert(Unwritten::OAuth(Arc::clone(&problem), error));
        }
        response
    }
}

/// What a token stands for.
///
/// Token introspection (RFC 7662). Every dead token, of whatever kind, is `{"active": false}`. An active one's session
/// counts as used.
#[utoipa::path(
    post,
    path = "/api/auth/introspect",
    tag = "verifying",
    security(("service" = [])),
    request_body(content = IntrospectBody, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "Whether it is active, and whose it is", body = Value),
        (status = 400, description = "`token` is missing or there twice: `{\"error\": \"invalid_request\"}`", body = Value),
        (status = 401, description = "Not about the token: no credentials of a service, or wrong ones", body = Value),
        (status = 429, description = "Too many wrong credentials", body = Value),
    )
)]
pub(crate) async fn introspect(
    State(web): State<Web>,
    service: Result<Service, Problem>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Response, OAuthProblem> {
    service?;
    let token = token(extensions.get(), &headers)?;
    let active = introspect::introspect(&web, &token).await?;
    let told = active.map_or_else(|| json!({ "active": false }), |active| described(&web, &active));
    let mut response = told.to_string().into_response();
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    Ok(response)
}

/// The form of an introspection.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it is read by hand; this describes it")]
pub(crate) struct IntrospectBody {
    /// The token.
    token: String,
    /// Not looked at: there is one kind.
    #[schema(required = false)]
    token_type_hint: String,
}

fn token(gathered: Option<&Gathered>, headers: &HeaderMap) -> Result<String, Problem> {
    let missing = || Problem::from(&problem::NO_ACCESS_TOKEN);
    let form = match gathered {
        None => return Err(missing()),
        Some(Gathered::TooLarge) => return Err((&problem::TOO_LARGE).into()),
        Some(Gathered::TooSlow) => return Err((&problem::TOO_SLOW).into()),
        Some(Gathered::CutOff) => return Err((&problem::CUT_OFF).into()),
        Some(Gathered::Whole(bytes)) => bytes,
    };
    if !form::says_form(headers) {
        return Err((&problem::NOT_FORM).into());
    }
    let mut tokens = form::values(form, "token").ok_or_else(missing)?.into_iter();
    match (tokens.next(), tokens.next()) {
        // Without a value it counts as left out (RFC 6749, section 3.1).
        (Some(token), None) if !token.is_empty() => Ok(token),
        _ => Err(missing()),
    }
}

fn described(web: &Web, active: &Active) -> Value {
    let Active { caller, claims } = active;
    let list = format!("{}/status-lists/{}", web.settings.public_url, caller.list);
    let mut told = wire::members([
        ("active", true.into()),
        ("iss", web.settings.public_url.as_str().into()),
        ("sub", caller.user.to_string().into()),
        ("aud", web.settings.audience.as_str().into()),
        ("exp", caller.expires_at.seconds().into()),
        ("username", caller.email.as_str().into()),
        ("token_type", "Bearer".into()),
        ("sid", caller.session.as_str().into()),
        ("user_id", caller.user.0.into()),
        ("email", caller.email.as_str().into()),
        ("name", caller.name.as_str().into()),
        ("role_id", caller.role_id.into()),
        ("role", web.settings.roles.name(caller.role_id).into()),
        ("status", json!({ "status_list": { "idx": caller.index.0, "uri": list } })),
    ]);
    for name in ["iat", "jti"] {
        told.extend(claims.get(name).map(|claim| (name.to_owned(), claim.clone())));
    }
    told.into()
}
