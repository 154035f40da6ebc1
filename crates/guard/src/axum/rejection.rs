//! Answers to what is not accepted, in the contract's envelope.

use std::fmt;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::connect::Denied;

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// It has no bearer token.
    Missing,
    /// Its token is not valid (any more).
    Invalid,
    /// Whether its token is valid cannot be said at the moment.
    Unavailable,
    /// Its user's role is not enough.
    Forbidden,
}

impl Rejection {
    fn row(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Missing | Self::Invalid => {
                (StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "Token no proporcionado o inválido")
            }
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "UNAVAILABLE",
                "Servicio no disponible temporalmente. Por favor, intente de nuevo.",
            ),
            Self::Forbidden => (StatusCode::FORBIDDEN, "FORBIDDEN", "Acceso denegado"),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().2)
    }
}

impl std::error::Error for Rejection {}

impl From<Denied> for Rejection {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Invalid => Self::Invalid,
            Denied::Unavailable => Self::Unavailable,
        }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let (status, code, message) = self.row();
        let body = Json(json!({ "success": false, "message": message, "code": code }));
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::Missing => headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            Self::Invalid => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""))
            }
            Self::Unavailable => headers.insert(RETRY_AFTER, HeaderValue::from_static("1")),
            Self::Forbidden => None,
        };
        response
    }
}
