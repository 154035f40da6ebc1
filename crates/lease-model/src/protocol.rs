//! The protocol's rules, each of which can be switched off, and its durations.

/// The time that a lease lasts, in ticks of its holder's clock (design: 2 s).
pub(crate) const LEASE: u8 = 2;
/// How long a turn must have been seen unchanged, in ticks of the watching node's clock (design: 2.2 s).
pub(crate) const PATIENCE: u8 = 3;
/// Of so many ticks in a row a slow clock misses at most one: while another node counts its patience, the holder counts its
/// whole lease, and no more. That is the worst that the two durations can bear.
pub(crate) const STEADY: u8 = 3;
/// The longest that a node may go on saying yes from memory with an ending not applied, in ticks of its own clock: the
/// lease that it held when the ending was committed, and the one whose renewal told it of the ending.
pub(crate) const LAG: u8 = 2 * LEASE;

/// A rule of the protocol which the guarantee rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safeguard {
    /// A check copies the deadline before it looks at the bit. Off: it reads the deadline at the end.
    DeadlineCopiedFirst,
    /// Whoever ended a session reads the leases after COMMIT, in a statement of its own. Off: before COMMIT.
    LeasesReadAfterCommit,
    /// Whoever ended a session waits for the leases that it read. Off: it answers after COMMIT.
    LeasesAwaited,
    /// A joining node reads the log to its end after its row was committed. Off: before it inserts the row.
    LogReadAfterJoining,
    /// An ending is on disk before anybody sees it. Off: it commits lazily, and a crash of the database can undo it.
    DurableEndings,
    /// Likewise a new lease.
    DurableJoins,
    /// Likewise a renewal.
    DurableRenewals,
    /// Likewise the deletion of a lease, by whoever it is made.
    DurableDeletions,
    /// A node renews only when it has applied the head that the last renewal returned. Off: whenever it likes.
    ///
    /// Safety does not rest on this: a logout waits for the node all the same. It would wait for ever. So what is broken
    /// without it is [`Property::LagIsBounded`](crate::Property::LagIsBounded).
    HeadAppliedBeforeRenewing,
    /// The bit is set before `applied` is told. Off: `applied` is how far the log was read.
    BitSetBeforeTold,
    /// A joining node counts its deadline from before the INSERT. Off: from when it has read the log.
    DeadlineFromBeforeTheInsert,
    /// A renewing node counts its deadline from before the UPDATE. Off: from the answer.
    DeadlineFromBeforeTheUpdate,
    /// Whoever gives its lease back drops the deadline first. Off: it deletes the row first.
    DeadlineDroppedBeforeGivingBack,
    /// Whoever waits may delete a row that does not move. Off: nobody deletes another's row.
    ///
    /// What is broken without it is [`Property::LogoutCanEnd`](crate::Property::LogoutCanEnd).
    StillRowsDeleted,
    /// A row is deleted only once one turn of it was seen for the patience. Off: once the row was, whatever its turns.
    PatienceWithOneTurn,
    /// The patience is counted from when the answer with the turn was there. Off: from when it was asked for.
    PatienceFromAfterTheLook,
    /// Only what the watching process saw itself since it started counts. Off: a row that it sees for the first time is
    /// taken to have stood for the patience already, as if somebody else had said so.
    PatienceOfItsOwn,
    /// The patience is longer than the lease by more than the clocks' rates differ. Off: as long as the lease.
    PatienceLongerThanLease,
    /// The deletion says which turn it means. Off: it deletes whatever the row has become.
    DeletionNamesTheTurn,
    /// Each join is made under a name never used before. Off: under the node's old name, beginning at turn 0 again.
    NewNameAtEachJoin,
    /// No clock stands still while others run. Not a rule but an assumption. Off: a node's clock may miss any number of ticks.
    ClocksRunOn,
}

/// The protocol, whole or with one safeguard off.
#[derive(Clone, Copy, Debug, Default)]
pub struct Protocol {
    off: Option<Safeguard>,
}

impl Protocol {
    /// With every safeguard but this.
    #[must_use]
    pub fn without(safeguard: Safeguard) -> Self {
        Self { off: Some(safeguard) }
    }

    pub(crate) fn has(self, safeguard: Safeguard) -> bool {
        self.off != Some(safeguard)
    }

    pub(crate) fn patience(self) -> u8 {
        if self.has(Safeguard::PatienceLongerThanLease) { PATIENCE } else { LEASE }
    }
}
