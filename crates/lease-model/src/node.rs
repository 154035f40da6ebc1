//! What a node does by itself: join, renew, follow the log, give back, crash.

use crate::cast::Cast;
use crate::database::{Answer, Statement};
use crate::protocol::{LEASE, Protocol, Safeguard};
use crate::state::{ENDER, Lease, Logout, Node, Request, State, Watch};

/// A bound on the distance between turns, reached only where renewals can be lost.
const TURNS: u8 = 3;

/// A node's step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeStep {
    /// Reads the clock and sends the INSERT of a new name.
    Join,
    /// Reads the log to its end.
    ReadLog,
    /// Sets the bit of the session whose ending it read.
    SetBit,
    /// Writes `applied` into its row, lazily.
    Tell,
    /// Sets the deadline, its row being committed and the log read since.
    TakeLease,
    /// Reads the clock and sends the UPDATE.
    Renew,
    /// Sends the DELETE of its own row.
    GiveBack,
    /// The database carries out what it sent.
    CarriedOut,
    /// The answer is there.
    Hear,
    /// The connection is lost: what it sent is never carried out, or was and nobody says so.
    LoseConnection,
    /// The connection is lost, and what it sent may be carried out later.
    LeaveBehind,
    /// Its process ends without a word.
    Crash,
    /// It crashes, and what it sent may be carried out later.
    CrashAndLeaveBehind,
}

/// One node of a state, about to take steps.
pub(crate) struct At<'a> {
    pub(crate) protocol: Protocol,
    pub(crate) state: &'a State,
    pub(crate) node: usize,
    pub(crate) cast: Cast,
}

impl At<'_> {
    pub(crate) fn steps(&self, found: &mut Vec<(NodeStep, State)>) {
        if self.names().is_empty() {
            return self.crash(found);
        }
        let node = self.node();
        self.follow(found);
        match (node.lease, node.request) {
            (_, Some(request)) => self.request_steps(request, found),
            (Lease::None, None) => self.join(found),
            (Lease::Joining { name, since, log_read }, None) if log_read && node.bit == node.read => {
                let left = self.left(since, Safeguard::DeadlineFromBeforeTheInsert);
                found.push((NodeStep::TakeLease, self.with(|node| node.take_lease(name, left))));
            }
            (Lease::Joining { .. }, None) => {}
            (Lease::Held { name, turn, to_apply }, None) => {
                let may = node.bit || !to_apply || !self.protocol.has(Safeguard::HeadAppliedBeforeRenewing);
                if may && turn < TURNS {
                    let statement = Statement::Renew { name, turn, applied: self.applied() };
                    found.push((NodeStep::Renew, self.with(|node| node.send(statement))));
                }
                if self.cast.has_all_troubles() {
                    found.push((NodeStep::GiveBack, self.with(|node| self.give_back(node, name))));
                }
            }
        }
        self.crash(found);
    }

    /// The names that it can take.
    fn names(&self) -> &'static [u8] {
        self.cast.names()[self.node]
    }

    fn node(&self) -> &Node {
        &self.state.nodes[self.node]
    }

    fn with(&self, change: impl FnOnce(&mut Node)) -> State {
        let mut state = *self.state;
        change(&mut state.nodes[self.node]);
        state
    }

    /// What it may tell as `applied`.
    fn applied(&self) -> bool {
        if self.protocol.has(Safeguard::BitSetBeforeTold) { self.node().bit } else { self.node().read }
    }

    /// What is left of a lease whose clock reading is `since` old, if it is counted as `rule` says.
    fn left(&self, since: u8, rule: Safeguard) -> u8 {
        if self.protocol.has(rule) { LEASE - since } else { LEASE }
    }

    fn follow(&self, found: &mut Vec<(NodeStep, State)>) {
        let node = self.node();
        let ended = self.state.database.seen.ended;
        let unread = matches!(node.lease, Lease::Joining { log_read: false, .. });
        if unread || (ended && !node.read) {
            found.push((NodeStep::ReadLog, self.with(|node| node.read_log(ended))));
        }
        if node.read && !node.bit {
            found.push((NodeStep::SetBit, self.with(Node::set_bit)));
        }
        if let Lease::Joining { name, .. } | Lease::Held { name, .. } = node.lease
            && self.applied()
            && self.state.database.lease(name).is_some_and(|row| !row.applied)
        {
            let mut state = *self.state;
            state.database.execute(Statement::Tell { name }, self.protocol);
            found.push((NodeStep::Tell, state));
        }
    }

    fn join(&self, found: &mut Vec<(NodeStep, State)>) {
        let free = if self.protocol.has(Safeguard::NewNameAtEachJoin) {
            self.names().iter().find(|name| self.state.is_forgotten(**name))
        } else {
            self.names().first()
        };
        let Some(&name) = free else { return };
        let ended = self.state.database.seen.ended;
        let state = self.with(|node| {
            if !self.protocol.has(Safeguard::LogReadAfterJoining) {
                node.read_log(ended);
                node.bit |= node.read;
            }
            node.send(Statement::Join { name, applied: self.applied() });
        });
        found.push((NodeStep::Join, state));
    }

    fn give_back(&self, node: &mut Node, name: u8) {
        if self.protocol.has(Safeguard::DeadlineDroppedBeforeGivingBack) {
            node.deadline = 0;
        }
        node.send(Statement::GiveBack { name });
    }

    fn request_steps(&self, request: Request, found: &mut Vec<(NodeStep, State)>) {
        if let Some(answer) = request.answer {
            found.push((NodeStep::Hear, self.with(|node| self.hear(node, request, answer))));
        } else {
            let mut state = *self.state;
            let answer = state.database.execute(request.statement, self.protocol);
            state.nodes[self.node].request = Some(Request { answer: Some(answer), ..request });
            found.push((NodeStep::CarriedOut, state));
        }
        if !self.cast.has_all_troubles() {
            return;
        }
        let lost = self.with(|node| lose(node, request.statement));
        found.push((NodeStep::LoseConnection, lost));
        if self.can_leave_behind() {
            found.push((NodeStep::LeaveBehind, State { late: Some(request.statement), ..lost }));
        }
    }

    fn can_leave_behind(&self) -> bool {
        self.cast.has_all_troubles()
            && self.state.late.is_none()
            && self.node().request.is_some_and(|request| request.answer.is_none())
    }

    fn hear(&self, node: &mut Node, request: Request, answer: Answer) {
        let Request { statement, since, .. } = request;
        node.request = None;
        match (statement, answer) {
            (Statement::Join { name, .. }, _) if self.protocol.has(Safeguard::LogReadAfterJoining) => {
                node.lease = Lease::Joining { name, since, log_read: false };
            }
            (Statement::Join { name, .. }, _) => {
                node.take_lease(name, self.left(since, Safeguard::DeadlineFromBeforeTheInsert));
            }
            (Statement::Renew { name, turn, .. }, Answer::Hit { ended }) => {
                node.lease = Lease::Held { name, turn: turn + 1, to_apply: ended };
                node.deadline = self.left(since, Safeguard::DeadlineFromBeforeTheUpdate);
            }
            (Statement::Renew { .. }, Answer::Missed) => node.lease = Lease::None,
            _ => node.gave_back(),
        }
    }

    fn crash(&self, found: &mut Vec<(NodeStep, State)>) {
        let mut state = self.with(|node| *node = Node { steady: node.steady, ..Node::default() });
        if self.node == ENDER {
            // Whatever was under way can be carried out after its sender is gone.
            state.watch = Watch { deletion: state.watch.deletion, ..Watch::default() };
            // Somebody tries the logout again: it finds the session ended, and waits as the first one did.
            state.logout = match state.logout {
                Logout::Answered => Logout::Answered,
                _ if state.database.seen.ended => Logout::Committed,
                _ => Logout::NotBegun,
            };
        }
        found.push((NodeStep::Crash, state));
        if let Some(request) = self.node().request.filter(|_| self.can_leave_behind()) {
            found.push((NodeStep::CrashAndLeaveBehind, State { late: Some(request.statement), ..state }));
        }
    }
}

/// It does not know what became of the statement. A renewal it can try again: the turn tells.
fn lose(node: &mut Node, statement: Statement) {
    node.request = None;
    if let Statement::GiveBack { .. } = statement {
        node.gave_back();
    }
}

impl Node {
    fn send(&mut self, statement: Statement) {
        self.request = Some(Request { statement, since: 0, answer: None });
    }

    fn read_log(&mut self, ended: bool) {
        self.read |= ended;
        if let Lease::Joining { log_read, .. } = &mut self.lease {
            *log_read = true;
        }
    }

    fn set_bit(&mut self) {
        self.bit = true;
        self.lag = 0;
    }

    fn take_lease(&mut self, name: u8, left: u8) {
        self.lease = Lease::Held { name, turn: 0, to_apply: false };
        self.deadline = left;
    }

    fn gave_back(&mut self) {
        self.lease = Lease::None;
        self.deadline = 0;
    }
}
