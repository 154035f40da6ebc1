//! Everything that the future of a cluster depends on.

use crate::database::{Answer, Database, PLACES, Row, Statement};

/// Nodes at most; the first ends the session.
pub(crate) const NODES: usize = 3;
/// The node that ends the session, waits, and deletes what does not move.
pub(crate) const ENDER: usize = 0;

/// One moment of a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    pub(crate) database: Database,
    /// A statement whose sender has given it up or crashed, and which may be carried out yet.
    pub(crate) late: Option<Statement>,
    pub(crate) nodes: [Node; NODES],
    pub(crate) watch: Watch,
    pub(crate) logout: Logout,
}

/// A node's memory, and its clock. Times are what is left of them or what has passed, in ticks of its own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Node {
    pub(crate) lease: Lease,
    /// What is left until the deadline; 0: no lease.
    pub(crate) deadline: u8,
    /// Whether it has read the ending in the log.
    pub(crate) read: bool,
    /// Whether it has set the session's bit.
    pub(crate) bit: bool,
    pub(crate) request: Option<Request>,
    pub(crate) check: Option<Check>,
    /// How many ticks its clock must not miss now.
    pub(crate) steady: u8,
    /// How long it has said yes from memory with an ending not applied.
    pub(crate) lag: u8,
}

/// What a node knows of its own row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Lease {
    #[default]
    None,
    /// The row is committed, the deadline not set. `since`: since the clock was read for it.
    Joining { name: u8, since: u8, log_read: bool },
    /// `to_apply`: the head that the last renewal returned.
    Held { name: u8, turn: u8, to_apply: bool },
}

/// A statement under way, or its answer. `since`: since the clock was read for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Request {
    pub(crate) statement: Statement,
    pub(crate) since: u8,
    pub(crate) answer: Option<Answer>,
}

/// A check of the ended session's token that began after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Check {
    /// What was left until the deadline that it copied.
    Begun(u8),
    BitWasClear(u8),
    Accepted,
}

/// What the process that waits remembers of the rows, from this logout or from earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Watch {
    /// How long ago it may have asked for the leases that it reads next: just after the last answer. Counted only without
    /// [`PatienceFromAfterTheLook`](crate::Safeguard::PatienceFromAfterTheLook).
    pub(crate) asked: u8,
    pub(crate) sightings: [Option<Sighting>; PLACES],
    /// A deletion under way.
    pub(crate) deletion: Option<Statement>,
}

/// A turn, and for how long it has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Sighting {
    pub(crate) turn: u8,
    pub(crate) unchanged: u8,
}

/// By name: whether the logout waits for it.
pub(crate) type Awaited = [bool; PLACES];

/// How far the logout is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Logout {
    #[default]
    NotBegun,
    /// Only without [`LeasesReadAfterCommit`](crate::Safeguard::LeasesReadAfterCommit).
    LeasesRead(Awaited),
    Committed,
    Waiting(Awaited),
    Answered,
}

impl State {
    /// Whether the logout was answered.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.logout == Logout::Answered
    }

    /// Whether `node` holds a lease.
    #[must_use]
    pub fn holds_lease(&self, node: usize) -> bool {
        self.nodes[node].deadline > 0
    }

    /// Whether `node` accepts the token when it checks it in one go.
    #[must_use]
    pub fn accepts(&self, node: usize) -> bool {
        self.holds_lease(node) && !self.nodes[node].bit
    }

    /// Whether nobody and nothing knows of the name any more, so that its place can stand for a new one.
    pub(crate) fn is_forgotten(&self, name: u8) -> bool {
        let place = usize::from(name);
        let named = |statement: Option<Statement>| statement.and_then(Statement::name) == Some(name);
        let awaited = match self.logout {
            Logout::LeasesRead(awaited) | Logout::Waiting(awaited) => awaited[place],
            _ => false,
        };
        let known = self.nodes.iter().any(|node| {
            let own =
                matches!(node.lease, Lease::Joining { name: own, .. } | Lease::Held { name: own, .. } if own == name);
            own || named(node.request.map(|request| request.statement))
        });
        let watched = self.watch.sightings[place].is_some() || named(self.watch.deletion);
        let stored = self.database.seen.leases[place].is_some() || self.database.on_disk.leases[place].is_some();
        !(awaited || known || watched || stored || named(self.late))
    }
}

/// The leases that have not applied the ending.
pub(crate) fn behind(leases: [Option<Row>; PLACES]) -> Awaited {
    leases.map(|row| row.is_some_and(|row| !row.applied))
}
