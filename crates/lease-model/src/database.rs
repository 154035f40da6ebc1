//! The database: the log and the leases, as everybody sees them and as they are on disk.

use crate::protocol::{Protocol, Safeguard};

/// Rows that can exist at the same time. A place is a name: it is used again only when nothing remembers the old one.
pub(crate) const PLACES: usize = 2;

/// A row of `leases`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Row {
    pub(crate) turn: u8,
    /// Whether `applied` is at the ending.
    pub(crate) applied: bool,
}

/// What a transaction leaves behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Content {
    /// Whether the log has the ending: its head is one past what it was at first.
    pub(crate) ended: bool,
    pub(crate) leases: [Option<Row>; PLACES],
}

/// The write-ahead log is one sequence: what is on disk is an older state of what is seen, and a durable commit takes all
/// before it to disk as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Database {
    pub(crate) seen: Content,
    pub(crate) on_disk: Content,
}

/// A statement that is a transaction of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Statement {
    /// `INSERT` of a new name.
    Join { name: u8, applied: bool },
    /// `UPDATE … SET turn = turn + 1, applied = $a WHERE node = $n AND turn = $t RETURNING` the head.
    Renew { name: u8, turn: u8, applied: bool },
    /// `UPDATE … SET applied = $a WHERE node = $n`.
    Tell { name: u8 },
    /// `DELETE … WHERE node = $n`, by its own node.
    GiveBack { name: u8 },
    /// `DELETE … WHERE node = $n AND turn = $t`, by whoever waits.
    Delete { name: u8, turn: u8 },
    /// The transaction that ends the session.
    End,
}

/// What the database answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Answer {
    /// It hit; for a renewal, whether the head is at the ending.
    Hit { ended: bool },
    /// It hit nothing.
    Missed,
}

impl Statement {
    /// The row that it is about.
    pub(crate) fn name(mut self) -> Option<u8> {
        self.name_mut().copied()
    }

    pub(crate) fn name_mut(&mut self) -> Option<&mut u8> {
        match self {
            Self::Join { name, .. }
            | Self::Renew { name, .. }
            | Self::Tell { name }
            | Self::GiveBack { name }
            | Self::Delete { name, .. } => Some(name),
            Self::End => None,
        }
    }

    fn durable(self, protocol: Protocol) -> bool {
        match self {
            Self::Join { .. } => protocol.has(Safeguard::DurableJoins),
            Self::Renew { .. } => protocol.has(Safeguard::DurableRenewals),
            Self::Tell { .. } => false,
            Self::GiveBack { .. } | Self::Delete { .. } => protocol.has(Safeguard::DurableDeletions),
            Self::End => protocol.has(Safeguard::DurableEndings),
        }
    }
}

impl Database {
    pub(crate) fn lease(&self, name: u8) -> Option<Row> {
        self.seen.leases[usize::from(name)]
    }

    /// Carries a statement out and commits it.
    pub(crate) fn execute(&mut self, statement: Statement, protocol: Protocol) -> Answer {
        let hit = self.change(statement, protocol);
        if !hit {
            return Answer::Missed;
        }
        if statement.durable(protocol) {
            self.flush();
        }
        Answer::Hit { ended: self.seen.ended }
    }

    /// The disk catches up, as it does at any time.
    pub(crate) fn flush(&mut self) {
        self.on_disk = self.seen;
    }

    /// The database crashes and recovers.
    pub(crate) fn crash(&mut self) {
        self.seen = self.on_disk;
    }

    fn change(&mut self, statement: Statement, protocol: Protocol) -> bool {
        let Some(name) = statement.name() else {
            self.seen.ended = true;
            return true;
        };
        let row = &mut self.seen.leases[usize::from(name)];
        match (statement, *row) {
            (Statement::Join { applied, .. }, _) => *row = Some(Row { turn: 0, applied }),
            (Statement::Renew { turn, applied, .. }, Some(old)) if old.turn == turn => {
                *row = Some(Row { turn: turn + 1, applied });
            }
            (Statement::Tell { .. }, Some(old)) => *row = Some(Row { applied: true, ..old }),
            (Statement::GiveBack { .. }, Some(_)) => *row = None,
            (Statement::Delete { turn, .. }, Some(old))
                if old.turn == turn || !protocol.has(Safeguard::DeletionNamesTheTurn) =>
            {
                *row = None;
            }
            _ => return false,
        }
        true
    }
}
