//! What a check says.

use std::sync::Arc;

use cerrojo_domain::{KeyId, ListIndex, ListName, RoleId, SessionId, UnixMillis, UserId};

/// A token that was found good. What it says is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// `sid`: the session that the token was issued under.
    pub session: SessionId,
    /// `user_id`, equal to `sub`.
    pub user: UserId,
    /// `email`, as it was at the sign-in.
    pub email: String,
    /// `name`, as it was at the sign-in.
    pub name: String,
    /// `role_id`.
    pub role_id: RoleId,
    /// `iat`: when it was issued, and its session began.
    pub issued_at: UnixMillis,
    /// `exp`: from this time on the token is refused.
    pub expires_at: UnixMillis,
    /// `kid` of the header: the key that signed it.
    pub key: KeyId,
    /// The status list that holds the session's bit: the last part of `status.status_list.uri`.
    pub list: ListName,
    /// `status.status_list.idx`: the session's place in that list.
    pub index: ListIndex,
}

/// Why a token is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not valid (any more), whatever the lease.
    Invalid,
    /// Everything about it is good, or it names a key that may be new, but the lease has run out: the answer would be a
    /// guess.
    Unavailable,
    /// By what this process remembers nobody used the session for the idle timeout: the database decides.
    Idle(Arc<Verified>),
    /// It has expired, and this process does not know that its session is over otherwise. Refused in any case; whoever
    /// can write it down does, so that a clock set back revives nothing.
    Expired(Arc<Verified>),
    /// Signature and claims are good, it has not expired, and no list of this name was ever told: it may be new. Whoever can looks it up,
    /// opens it or retires it, and checks again; otherwise it is refused.
    UnknownList(Arc<Verified>),
}

/// Whether an accepted check is a use of the session, which moves its idle deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// It is.
    AsUse,
    /// It is not: a program asks by itself, and nobody is there.
    AsNothing,
}

/// Why a token is not accepted, and whether it is one at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// Signature and claims are good: it is the token of a session, over or not. Whoever shows it may be told more.
    pub is_genuine: bool,
}

impl Refused {
    /// Of what was not found to be a token.
    pub(crate) fn unread(refusal: Refusal) -> Self {
        Self { refusal, is_genuine: false }
    }
}

impl From<Refusal> for Refused {
    /// Of what was.
    fn from(refusal: Refusal) -> Self {
        Self { refusal, is_genuine: true }
    }
}
