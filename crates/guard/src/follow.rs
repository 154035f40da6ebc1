//! What a guard makes of what its server tells it, without any input or output of its own (`docs/GUARD-PROTOCOL.md`).
//!
//! A [`Follower`] holds the guard and where in the log it stands. A [`Stream`] is one asking for the event stream: it is
//! given the bytes as they come and applies them. [`Follower::polled`] does the same with an answer to polling. Whoever has
//! a way to the server of its own can drive these; [`Guard::connect`](crate::Guard::connect) drives them over HTTP.

mod apply;
mod follower;
mod known;
mod message;
mod sse;
mod stream;

pub use follower::{Expected, Follower, Told};
pub use message::{ListState, Position};
pub use sse::{Event, EventParser, LARGEST_EVENT};
pub use stream::Stream;

use std::fmt;

/// What the server sent cannot be right, or is more than a guard takes. The connection is closed; since what was lost is
/// not known, the guard has forgotten its position and asks for everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An event or an answer larger than allowed.
    TooLarge,
    /// More lists or sessions than a guard keeps.
    TooMany,
    /// This part of an event is missing or not what it must be.
    Malformed(&'static str),
    /// Events came in an order that makes no sense.
    OutOfOrder,
    /// It speaks for another issuer.
    OtherIssuer,
    /// Its tokens are for another audience than they were at first.
    OtherAudience,
    /// It went on from a position in another history.
    OtherIncarnation,
    /// Something was looked up while a snapshot was underway that does not have it: it may be over or newer.
    Doubt,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the server sent more at once than a guard takes",
            Self::TooMany => "the server has more lists or sessions than a guard keeps",
            Self::Malformed(part) => return write!(f, "{part} is missing or malformed"),
            Self::OutOfOrder => "events came in an order that makes no sense",
            Self::OtherIssuer => "the server speaks for another issuer",
            Self::OtherAudience => "the server's audience has changed: start this service again",
            Self::OtherIncarnation => "the server went on from a position in another history",
            Self::Doubt => "something was looked up while a snapshot was underway; it is asked for again",
        })
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests;
