//! What is broken on purpose, and for how long.

use std::fmt;
use std::time::Duration;

use cerrojo_domain::Random;
use rustix::process::Signal;

use crate::cluster::Cluster;
use crate::load::Load;
use crate::moment;
use crate::node::Cut;
use crate::postgres::Stop;

/// Longer than this nobody waits to be served again.
const SERVED: Duration = Duration::from_secs(20);
/// Well within a lease, and well beyond one.
const SHORT: Duration = Duration::from_millis(1200);
const LONG: Duration = Duration::from_secs(5);

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// kill -9 of a node; it is started again.
    Kill(usize),
    /// A node is stopped as an operator does and started again.
    Restart(usize),
    /// A node stands still (SIGSTOP) within its lease.
    PauseBriefly(usize),
    /// A node stands still beyond its lease.
    Pause(usize),
    /// A node and the database lose each other's packets within its lease.
    CutBriefly(usize, Cut),
    /// The same beyond its lease.
    Cut(usize, Cut),
    /// PostgreSQL is restarted.
    RestartDatabase,
    /// kill -9 of all of PostgreSQL; it is started again.
    KillDatabase,
    /// PostgreSQL stands still within a lease.
    PauseDatabaseBriefly,
    /// PostgreSQL stands still beyond every lease.
    PauseDatabase,
    /// What nodes and database send each other is held back, and arrives in the end.
    HoldBack,
    /// Nobody reaches the database.
    CutDatabase,
}

/// What was broken at one time, as it was.
#[derive(Clone, Debug)]
pub struct Disturbance {
    /// What.
    pub faults: Vec<Fault>,
    /// When it began.
    pub from: u64,
    /// When it ended.
    pub healed: u64,
    /// When each node served again; none if it did not for a long time.
    pub served: Vec<Option<u64>>,
}

impl Disturbance {
    /// When all nodes served again.
    #[must_use]
    pub fn over(&self) -> u64 {
        let late = self.healed.saturating_add(moment::nanoseconds(SERVED));
        self.served.iter().map(|at| at.unwrap_or(late)).max().unwrap_or(self.healed)
    }

    /// Whether it left this node and the database alone.
    #[must_use]
    pub fn spared(&self, node: usize) -> bool {
        self.faults.iter().all(|fault| fault.node().is_some_and(|struck| struck != node))
    }
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self.faults.iter().map(|fault| format!("{fault:?}")).collect();
        write!(f, "{}", faults.join(" + "))
    }
}

/// Lets faults happen together, ends them, and waits until every node serves again.
pub fn strike(faults: &[Fault], cluster: &mut Cluster, load: &Load) -> Disturbance {
    let from = moment::now();
    faults.iter().for_each(|fault| fault.begin(cluster));
    let lasts = faults.iter().map(|fault| fault.lasts()).max();
    std::thread::sleep(lasts.unwrap_or_default());
    faults.iter().rev().for_each(|fault| fault.end(cluster));
    let healed = moment::now();
    cluster.start_what_ended(faults, load.record());
    Disturbance { faults: faults.to_vec(), from, healed, served: load.served_within(SERVED) }
}

impl Fault {
    /// Every fault, each of those that strike one node at one of the nodes.
    #[must_use]
    pub fn all(nodes: usize) -> Vec<Self> {
        let one = |number: usize| number % nodes;
        vec![
            Self::Kill(one(0)),
            Self::PauseBriefly(one(1)),
            Self::Pause(one(2)),
            Self::CutBriefly(one(0), Cut::Both),
            Self::Cut(one(1), Cut::Both),
            Self::Cut(one(2), Cut::ToDatabase),
            Self::Cut(one(0), Cut::FromDatabase),
            Self::Restart(one(1)),
            Self::RestartDatabase,
            Self::KillDatabase,
            Self::PauseDatabaseBriefly,
            Self::PauseDatabase,
            Self::HoldBack,
            Self::CutDatabase,
        ]
    }

    /// One or two at random, at most one of them of the database.
    #[must_use]
    pub fn some(nodes: usize, random: &dyn Random) -> Vec<Self> {
        let pick = |below: usize| usize::try_from(random.below(below as u64)).unwrap_or_default();
        let first = pick(nodes);
        let at_node = |node: usize| match pick(9) {
            0 => Self::Kill(node),
            1 => Self::Restart(node),
            2 => Self::PauseBriefly(node),
            3 => Self::Pause(node),
            4 => Self::CutBriefly(node, [Cut::Both, Cut::ToDatabase, Cut::FromDatabase][pick(3)]),
            5 | 6 => Self::Cut(node, Cut::Both),
            7 => Self::Cut(node, Cut::ToDatabase),
            _ => Self::Cut(node, Cut::FromDatabase),
        };
        let of_all = || match pick(6) {
            0 => Self::RestartDatabase,
            1 => Self::KillDatabase,
            2 => Self::PauseDatabaseBriefly,
            3 => Self::PauseDatabase,
            4 => Self::HoldBack,
            _ => Self::CutDatabase,
        };
        match pick(8) {
            0..=3 => vec![at_node(first)],
            4 => vec![at_node(first), at_node((first + 1) % nodes)],
            5 => vec![of_all(), at_node(first)],
            _ => vec![of_all()],
        }
    }

    /// The one node that it strikes; none if it strikes all.
    #[must_use]
    pub fn node(self) -> Option<usize> {
        match self {
            Self::Kill(node)
            | Self::Restart(node)
            | Self::PauseBriefly(node)
            | Self::Pause(node)
            | Self::CutBriefly(node, _)
            | Self::Cut(node, _) => Some(node),
            _ => None,
        }
    }

    fn lasts(self) -> Duration {
        match self {
            Self::Restart(_) | Self::RestartDatabase | Self::KillDatabase => Duration::ZERO,
            Self::PauseBriefly(_) | Self::CutBriefly(..) | Self::PauseDatabaseBriefly => SHORT,
            Self::Kill(_) | Self::Pause(_) | Self::Cut(..) => LONG,
            Self::PauseDatabase | Self::HoldBack | Self::CutDatabase => LONG,
        }
    }

    fn begin(self, Cluster { nodes, database, forwarder, .. }: &mut Cluster) {
        match self {
            Self::Kill(node) => nodes[node].kill(),
            Self::Restart(node) => nodes[node].stop(),
            Self::PauseBriefly(node) | Self::Pause(node) => nodes[node].pause(),
            Self::CutBriefly(node, cut) | Self::Cut(node, cut) => nodes[node].cut(cut),
            Self::RestartDatabase => database.stop(Stop::Fast),
            Self::KillDatabase => database.stop(Stop::Kill),
            Self::PauseDatabaseBriefly | Self::PauseDatabase => database.freeze(Signal::STOP),
            Self::HoldBack => forwarder.hold(),
            Self::CutDatabase => nodes.iter().for_each(|node| node.cut(Cut::Both)),
        }
    }

    fn end(self, Cluster { nodes, database, forwarder, .. }: &mut Cluster) {
        match self {
            Self::Kill(node) | Self::Restart(node) => nodes[node].launch(),
            Self::PauseBriefly(node) | Self::Pause(node) => nodes[node].go_on(),
            Self::CutBriefly(node, cut) | Self::Cut(node, cut) => nodes[node].heal(cut),
            Self::RestartDatabase | Self::KillDatabase => database.start(),
            Self::PauseDatabaseBriefly | Self::PauseDatabase => database.freeze(Signal::CONT),
            Self::HoldBack => forwarder.let_go(),
            Self::CutDatabase => nodes.iter().for_each(|node| node.heal(Cut::Both)),
        }
    }
}
