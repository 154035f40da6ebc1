//! The session as an extractor.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use cerrojo_domain::{NoBearerToken, RoleId, bearer_token};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::Rejection;
use crate::connect::ConnectedGuard;
use crate::verdict::Verified;

/// The session that a request was made under, checked. As `Option<Session>` it may be missing, but not wrong.
#[derive(Clone, Debug)]
pub struct Session(pub Arc<Verified>);

impl Session {
    /// Goes on only if the user had one of these roles at the sign-in; a change of role ends its sessions.
    ///
    /// # Errors
    /// [`Rejection::Forbidden`].
    pub fn require_role(&self, roles: &[RoleId]) -> Result<(), Rejection> {
        if roles.contains(&self.0.role_id) { Ok(()) } else { Err(Rejection::Forbidden) }
    }

    /// Checks what a request brings.
    pub(super) async fn of(parts: &Parts, guard: &ConnectedGuard) -> Result<Self, Rejection> {
        let token = bearer_token(parts.headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes))?;
        Ok(Self(guard.check(token).await?))
    }
}

impl Deref for Session {
    type Target = Verified;

    fn deref(&self) -> &Verified {
        &self.0
    }
}

impl From<NoBearerToken> for Rejection {
    fn from(none: NoBearerToken) -> Self {
        match none {
            NoBearerToken::Missing => Self::Missing,
            NoBearerToken::Invalid => Self::Invalid,
        }
    }
}

impl<S> FromRequestParts<S> for Session
where
    S: Send + Sync,
    ConnectedGuard: FromRef<S>,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        // The layer has checked it already.
        if let Some(session) = parts.extensions.get::<Self>() {
            return Ok(session.clone());
        }
        Self::of(parts, &ConnectedGuard::from_ref(state)).await
    }
}

impl<S> OptionalFromRequestParts<S> for Session
where
    S: Send + Sync,
    ConnectedGuard: FromRef<S>,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Rejection> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(session) => Ok(Some(session)),
            Err(Rejection::Missing) if !parts.headers.contains_key(AUTHORIZATION) => Ok(None),
            Err(rejection) => Err(rejection),
        }
    }
}
