//! For services on axum: a layer, extractors, and sockets that close with their session.
//!
//! Tokens are taken from `Authorization: Bearer` (RFC 6750). What is not accepted is answered with the same JSON as by the
//! server itself: 401 with `WWW-Authenticate`, 503 with `Retry-After`. Whoever wants to answer otherwise extracts a
//! `Result<Session, Rejection>`.

mod layer;
mod rejection;
mod session;
#[cfg(feature = "websocket")]
mod socket;

pub use layer::{Guarded, RequireSession};
pub use rejection::Rejection;
pub use session::Session;
#[cfg(feature = "websocket")]
pub use socket::SessionSocket;
