//! Entries of the log: every fact that makes a verifier refuse.

use crate::{KeyId, ListIndex, ListName, SessionId};

/// A place in the log: numbered without gaps in commit order, with a random mark that tells two histories apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// From 1; 0 stands for the empty log.
    pub number: i64,
    /// Random.
    pub mark: String,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub position: Position,
    /// What it says.
    pub fact: Fact,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A session is over.
    SessionEnded {
        /// The session.
        session: SessionId,
        /// Its list.
        list: ListName,
        /// Its bit.
        index: ListIndex,
    },
    /// A key may be trusted from now on.
    KeyAdded {
        /// The key.
        key: KeyId,
    },
    /// A key is no longer trusted: whatever it signed is refused.
    KeyRetired {
        /// The key.
        key: KeyId,
    },
    /// A list is no longer used: whatever points to it is refused.
    ListRetired {
        /// The list.
        list: ListName,
    },
    /// Everything is over: all lists there were are retired and a new incarnation begins.
    EverythingOver {
        /// The new incarnation's name.
        incarnation: String,
    },
    /// A kind that this version does not know. A reader that meets one cannot claim to be current.
    Unknown {
        /// The kind as stored.
        kind: String,
    },
}
