//! The description of the API, generated from the handlers.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
    Response as Documented, ResponseBuilder,
};

use crate::Web;
use crate::envelope::{Failure, JSON};

/// What stands above the paths.
pub(crate) fn head() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Cerrojo")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "An authentication server whose logout is real.\n\n\
             Keys of request bodies are accepted in camelCase and in snake_case. Unknown keys are ignored. Every answer \
             carries `X-Request-Id`; answers of limited endpoints carry `RateLimit-Limit`, `RateLimit-Remaining` and \
             `RateLimit-Reset` (seconds).",
        ))
        .license(Some(LicenseBuilder::new().name("Apache-2.0 OR MIT").identifier(Some("Apache-2.0 OR MIT")).build()))
        .build();
    let mut components = Components::new();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    components.security_schemes.insert("bearer".to_owned(), SecurityScheme::Http(bearer).into());
    let about = "The same token, set by a sign-in with `\"cookie\": true`; over plain http the name is `cerrojo`. Looked at where there is \
                 no `Authorization` header. Whatever changes something has to come from the server's own pages or an origin of \
                 `cors.origins`.";
    let cookie = ApiKey::Cookie(ApiKeyValue::with_description("__Host-cerrojo", about));
    components.security_schemes.insert("cookie".to_owned(), SecurityScheme::ApiKey(cookie).into());
    let service = HttpBuilder::new().scheme(HttpAuthScheme::Basic).build();
    components.security_schemes.insert("service".to_owned(), SecurityScheme::Http(service).into());
    let mut schemas = Vec::new();
    Failure::schemas(&mut schemas);
    schemas.push((Failure::name().into_owned(), <Failure as utoipa::PartialSchema>::schema()));
    components.schemas.extend(schemas);
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

/// The whole description: what handlers say, and what is the same for all of them.
pub(crate) fn document() -> OpenApi {
    let mut document = super::routes().into_openapi();
    for item in document.paths.paths.values_mut() {
        let operations =
            [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch, &mut item.head];
        for operation in operations.into_iter().filter_map(Option::as_mut) {
            add_common_answers(operation);
        }
        for operation in [&mut item.get, &mut item.head].into_iter().filter_map(Option::as_mut) {
            allow_cookie(operation);
        }
        for operation in [&mut item.put, &mut item.post, &mut item.delete].into_iter().filter_map(Option::as_mut) {
            if allow_cookie(operation) {
                add_cross_site(operation);
            }
        }
    }
    document
}

/// The same as JSON.
pub(crate) fn written() -> Bytes {
    serde_json::to_vec(&document()).unwrap_or_default().into()
}

/// Answers that any endpoint of its kind can give, unless its handler says more about them.
fn add_common_answers(operation: &mut Operation) {
    let mut common = vec![
        ("500", "A defect; the log has the cause", "INTERNAL_ERROR"),
        ("503", "Overloaded or not able to answer truthfully; see `Retry-After`", "UNAVAILABLE"),
    ];
    if operation.request_body.is_some() {
        common.extend([
            ("400", "A field is missing or wrong", "VALIDATION_ERROR"),
            ("408", "The body took too long to arrive", "REQUEST_TIMEOUT"),
            ("413", "The body is longer than 64 KiB", "PAYLOAD_TOO_LARGE"),
            ("415", "The body is not JSON", "UNSUPPORTED_MEDIA_TYPE"),
        ]);
    }
    if operation.parameters.as_ref().is_some_and(|parameters| parameters.iter().any(is_checked)) {
        common.push(("400", "A parameter is wrong", "VALIDATION_ERROR"));
    }
    if operation.security.is_some() {
        common.push(("401", "No token, or one that is not valid (any more); see `WWW-Authenticate`. For the token of a session that has ended, `reason` says why", "UNAUTHORIZED"));
    }
    for (status, description, code) in common {
        let answer = || RefOr::T(failure(description, code));
        operation.responses.responses.entry(status.to_owned()).or_insert_with(answer);
    }
}

/// Where a bearer token is taken the cookie is as well. Whether it is.
fn allow_cookie(operation: &mut Operation) -> bool {
    let bearer = SecurityRequirement::new("bearer", Vec::<String>::new());
    let Some(security) = operation.security.as_mut().filter(|security| security.contains(&bearer)) else {
        return false;
    };
    security.push(SecurityRequirement::new("cookie", Vec::<String>::new()));
    true
}

/// The 403 of a request with the cookie from pages of others.
fn add_cross_site(operation: &mut Operation) {
    let why = "With a cookie, from a page that is not allowed to: `CROSS_SITE_REQUEST`";
    let answers = &mut operation.responses.responses;
    match answers.get_mut("403") {
        Some(RefOr::T(answer)) => answer.description = format!("{}. {why}", answer.description),
        _ => drop(answers.insert("403".to_owned(), RefOr::T(failure(why, "CROSS_SITE_REQUEST")))),
    }
}

/// Names of lists and sessions are looked for, not judged.
fn is_checked(parameter: &RefOr<Parameter>) -> bool {
    match parameter {
        RefOr::T(parameter) => parameter.name != "name" && parameter.name != "If-None-Match",
        RefOr::Ref(_) => false,
    }
}

fn failure(description: &str, code: &str) -> Documented {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(Failure::name())))
        .example(Some(json!({ "success": false, "message": "…", "code": code })))
        .build();
    ResponseBuilder::new().description(description).content("application/json", content).build()
}

/// This description.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "description",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value))
)]
pub(crate) async fn openapi_json(State(app): State<Web>) -> Response {
    let mut response = app.openapi().into_response();
    response.headers_mut().insert(http::header::CONTENT_TYPE, JSON);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}
