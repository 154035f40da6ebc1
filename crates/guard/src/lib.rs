//! Verifies Cerrojo's session tokens: signature, claims, then one bit.
//!
//! Stub interface; see the plan.

use std::sync::Arc;
use std::time::Duration;

use cerrojo_domain::{Clock, KeyId, ListIndex, ListName, RoleId, SessionId, UnixMillis, UserId};

/// What a token must say to be one of ours.
#[derive(Clone, Debug)]
pub struct Policy {
    /// `iss`, and the base of list addresses: `<issuer>/status-lists/<name>`. No slash at the end.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// How long a session may go unused; `None`: for ever.
    pub idle_timeout: Option<Duration>,
    /// How many verified tokens are remembered.
    pub cache_capacity: usize,
}

/// A token that was found good. What it says is trusted.
pub struct Verified {
    /// `sid`
    pub session: SessionId,
    /// `user_id`, equal to `sub`
    pub user: UserId,
    /// `email`
    pub email: String,
    /// `name`
    pub name: String,
    /// `role_id`
    pub role_id: RoleId,
    /// `exp`
    pub expires_at: UnixMillis,
    /// Key, list and index
    pub key: KeyId,
    /// list
    pub list: ListName,
    /// idx
    pub index: ListIndex,
}

/// Why a token is not accepted.
pub enum Refusal {
    /// It is not valid (any more).
    Invalid,
    /// Everything about it is good, but the lease has run out: the answer would be a guess.
    Unavailable,
    /// By what this process remembers nobody used the session for the idle timeout: the database decides.
    Idle(Arc<Verified>),
}

/// Claims of a session token (RFC 9068 without `client_id`), to be signed.
pub struct Claims {}

/// Public half (or shared secret) of a signing key.
pub enum VerifyingKey {
    /// P-256, uncompressed point of 65 bytes (0x04 ‖ x ‖ y)
    Es256(Vec<u8>),
    /// Shared secret, 32 bytes at least
    Hs256(Vec<u8>),
}

/// Verifier.
pub struct Guard {}

#[allow(missing_docs, unused_variables, clippy::todo, clippy::unused_self)]
impl Guard {
    pub fn new(policy: Policy, clock: Arc<dyn Clock>) -> Self { todo!() }
    /// The whole check; from memory, never waits.
    pub fn check(&self, token: &str) -> Result<Arc<Verified>, Refusal> { todo!() }
    pub fn add_key(&self, id: KeyId, key: VerifyingKey) { todo!() }
    pub fn retire_key(&self, id: &KeyId) { todo!() }
    /// Makes a list known (all zero), unless it is known. `capacity` in sessions.
    pub fn open_list(&self, name: &ListName, capacity: u32) { todo!() }
    pub fn end(&self, list: &ListName, index: ListIndex) { todo!() }
    pub fn is_over(&self, list: &ListName, index: ListIndex) -> bool { todo!() }
    pub fn retire_list(&self, name: &ListName) { todo!() }
    pub fn retire_all_lists(&self) { todo!() }
    /// The list's bitmap as bytes, for the Status List token; `None`: unknown. Retired: all ones.
    pub fn list_bytes(&self, name: &ListName) -> Option<Vec<u8>> { todo!() }
    /// Notes that a session was used (sign-in, loading, the database's newer time). Not reported by `take_activity`.
    pub fn seen(&self, list: &ListName, index: ListIndex, at: UnixMillis) { todo!() }
    pub fn last_seen(&self, list: &ListName, index: ListIndex) -> Option<UnixMillis> { todo!() }
    /// Activity since the last call, for writing it down.
    pub fn take_activity(&self) -> Vec<(ListName, ListIndex, UnixMillis)> { todo!() }
    /// Lease: yes may be said while `clock.elapsed() < deadline`. `Duration::MAX`: does not run out. ZERO: given up.
    pub fn hold_lease_until(&self, deadline: Duration) { todo!() }
    pub fn holds_lease(&self) -> bool { todo!() }
}
