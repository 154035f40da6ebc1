//! Verifies Cerrojo's session tokens: signature, claims, then one bit.
//!
//! A service that wants to know of its requests' sessions starts with [`Guard::connect`] and the crate's README; on axum
//! with [`axum::Session`]. What follows is for whoever brings news to a guard some other way, as the server itself does.
//!
//! A [`Guard`] answers from memory and never waits. It is given keys ([`Guard::add_key`]), status lists
//! ([`Guard::open_list`], [`Guard::end`]) and a lease ([`Guard::hold_lease_until`]) by whatever follows the log, and
//! then says of a token whether its session may go on ([`Guard::check`]). It opens no connection, reads no file and
//! follows no address that a token names.
//!
//! Below it are the pieces for those who need only one: [`verify_jws`] and [`Jws`] (RFC 7515 after the advice of
//! RFC 8725), [`VerifyingKey`] and [`KeySet`] (RFC 7517), [`status_list`] (draft-ietf-oauth-status-list), and the
//! signer's side: [`Claims`], [`SigningKey`], [`signing_input`] and [`attach_signature`].

#[cfg(feature = "axum")]
pub mod axum;
mod claims;
#[cfg(feature = "connect")]
mod connect;
#[cfg(feature = "connect")]
pub mod follow;
mod guard;
#[cfg(feature = "hostile")]
pub mod hostile;
mod jws;
mod keys;
mod lease;
mod lists;
mod signing;
pub mod status_list;
mod verdict;

/// What the README shows compiles.
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../README.md")]
struct Readme;

pub use claims::{Claims, Status, StatusList};
#[cfg(feature = "connect")]
pub use connect::{ConnectError, ConnectedGuard, Denied, Ended, Options, Over, UntilEnded};
pub use guard::{Guard, Policy};
pub use jws::{
    Header, Jws, JwsError, Kind, Payload, SESSION_TOKEN, SESSION_TYP, STATUS_LIST_TOKEN, STATUS_LIST_TYP,
    attach_signature, signing_input, verify_jws,
};
pub use keys::{Algorithm, KeySet, UnusableJwk, VerifyingKey};
pub use lease::Deadline;
pub use signing::SigningKey;
pub use verdict::{Counts, Refusal, Refused, Verified};
