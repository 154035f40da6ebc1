//! The layer that lets in only requests of live sessions.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use cerrojo_domain::RoleId;
use tower::{Layer, Service};

use super::Session;
use crate::connect::ConnectedGuard;

/// Lets in only requests of live sessions; to handlers the session is there as `Extension<Session>` and as [`Session`].
/// A layer for cross-origin requests belongs outside of it: preflights have no token.
#[derive(Clone, Debug)]
pub struct RequireSession {
    guard: ConnectedGuard,
    roles: Vec<RoleId>,
}

/// What [`RequireSession`] makes of a service.
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    inner: S,
    require: RequireSession,
}

impl RequireSession {
    /// Of whatever role.
    #[must_use]
    pub fn new(guard: ConnectedGuard) -> Self {
        Self { guard, roles: Vec::new() }
    }

    /// Only of these roles; others are answered 403.
    #[must_use]
    pub fn of_roles(mut self, roles: &[RoleId]) -> Self {
        self.roles = roles.to_vec();
        self
    }
}

impl<S> Layer<S> for RequireSession {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, require: self.clone() }
    }
}

impl<S> Service<Request> for Guarded<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The one that was asked whether it is ready is the one to be called.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let require = self.require.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let session = match Session::of(&parts, &require.guard).await {
                Ok(session) => session,
                Err(rejection) => return Ok(rejection.into_response()),
            };
            if !require.roles.is_empty()
                && let Err(rejection) = session.require_role(&require.roles)
            {
                return Ok(rejection.into_response());
            }
            parts.extensions.insert(session);
            inner.call(Request::from_parts(parts, body)).await
        })
    }
}
