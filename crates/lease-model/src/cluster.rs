//! The cluster as a model: whose step is next is open, and time passes between any two.

use crate::cast::Cast;
use crate::check::{self, CheckStep};
use crate::checker::Model;
use crate::logout::{self, LogoutStep};
use crate::node::{At, NodeStep};
use crate::protocol::{LAG, LEASE, Protocol, STEADY, Safeguard};
use crate::state::{Check, ENDER, Lease, Logout, Node, State};

/// A cluster that keeps to the protocol.
#[derive(Clone, Copy, Debug)]
pub struct Cluster {
    /// Who takes part.
    pub cast: Cast,
    /// The rules.
    pub protocol: Protocol,
    /// What is judged.
    pub properties: &'static [Property],
}

/// What must hold in every state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Property {
    /// No check that begins after the logout was answered ends in acceptance.
    OverIsOver,
    /// No node says yes from memory, with an ending not applied, for longer than two leases of its own clock.
    LagIsBounded,
    /// A logout is answered when its own process goes on for the patience, though every other node stands still.
    LogoutCanEnd,
}

impl Property {
    /// All of them.
    pub const ALL: &[Self] = &[Self::OverIsOver, Self::LagIsBounded, Self::LogoutCanEnd];
}

/// A step of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Time passes; the nodes with a bit in `slow` have a clock that misses this tick.
    Tick {
        /// Bit 1 for node 1, and so on.
        slow: u8,
    },
    /// The database crashes and recovers: what was not on disk is gone.
    DatabaseCrashes,
    /// What was committed lazily reaches the disk.
    DiskCatchesUp,
    /// A statement that its sender gave up is carried out.
    LateStatement,
    /// A node does something.
    Node(usize, NodeStep),
    /// A node checks the token.
    Check(usize, CheckStep),
    /// The process that ends the session does something.
    Logout(LogoutStep),
}

impl Model for Cluster {
    type State = State;
    type Step = Step;
    type Property = Property;

    fn initial(&self) -> State {
        State::default()
    }

    fn successors(&self, state: &State, found: &mut Vec<(Step, State)>) {
        self.time(state, found);
        self.database(state, found);
        let mut steps = Vec::new();
        for node in 0..self.cast.names().len() {
            At { protocol: self.protocol, cast: self.cast, state, node }.steps(&mut steps);
            found.extend(steps.drain(..).map(|(step, next)| (Step::Node(node, step), next)));
            let check = check::step(self.protocol, state, node);
            found.extend(check.map(|(step, next)| (Step::Check(node, step), next)));
        }
        let mut steps = Vec::new();
        logout::steps(self.protocol, state, &mut steps);
        found.extend(steps.into_iter().map(|(step, next)| (Step::Logout(step), next)));
        for (_, next) in found {
            *next = next.canonical(self.protocol, self.cast);
        }
    }

    fn broken(&self, state: &State) -> Option<Property> {
        self.properties.iter().copied().find(|property| match property {
            Property::OverIsOver => state.nodes.iter().any(|node| node.check == Some(Check::Accepted)),
            Property::LagIsBounded => state.nodes.iter().any(|node| node.lag > LAG),
            Property::LogoutCanEnd => !logout::can_end(self.protocol, state),
        })
    }
}

impl Cluster {
    /// One tick passes for everybody, but for clocks that are slow. The clock of the process that waits is never the slow
    /// one: if it were, it would only wait longer.
    fn time(&self, state: &State, found: &mut Vec<(Step, State)>) {
        let nodes = self.cast.names().len();
        let any = !self.protocol.has(Safeguard::ClocksRunOn);
        let slow = |mask: u8, node: usize| mask & (1 << node) != 0;
        let may = |mask: u8, node: usize| {
            let free = node != ENDER && self.cast.has_all_troubles();
            !slow(mask, node) || (free && (any || state.nodes[node].steady == 0))
        };
        for mask in (0..1 << nodes).filter(|mask| (0..nodes).all(|node| may(*mask, node))) {
            let mut next = *state;
            let lagging = state.database.seen.ended && state.logout != Logout::Answered;
            for (number, node) in next.nodes.iter_mut().enumerate() {
                if slow(mask, number) {
                    node.steady = STEADY - 1;
                } else {
                    node.tick(lagging);
                }
            }
            logout::tick(self.protocol, &mut next.watch);
            found.push((Step::Tick { slow: mask }, next));
        }
    }

    fn database(&self, state: &State, found: &mut Vec<(Step, State)>) {
        if state.database.seen != state.database.on_disk {
            let mut crashed = *state;
            crashed.database.crash();
            found.push((Step::DatabaseCrashes, crashed));
            let mut flushed = *state;
            flushed.database.flush();
            found.push((Step::DiskCatchesUp, flushed));
        }
        if let Some(statement) = state.late {
            let mut next = State { late: None, ..*state };
            next.database.execute(statement, self.protocol);
            found.push((Step::LateStatement, next));
        }
    }
}

impl Node {
    /// Its clock runs on by one tick. What is older than a lease is as good as gone.
    fn tick(&mut self, lagging: bool) {
        if lagging && self.deadline > 0 && !self.bit {
            self.lag = (LAG + 1).min(self.lag + 1);
        }
        self.steady = self.steady.saturating_sub(1);
        self.deadline = self.deadline.saturating_sub(1);
        if let Some(request) = &mut self.request {
            request.since = LEASE.min(request.since + 1);
        }
        if let Lease::Joining { since, .. } = &mut self.lease {
            *since = LEASE.min(*since + 1);
        }
        if let Some(Check::Begun(left) | Check::BitWasClear(left)) = &mut self.check {
            *left = left.saturating_sub(1);
        }
    }
}
