//! What is broken on purpose, and for how long.

use std::fmt;
use std::time::Duration;

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

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// One fault, as it was.
#[derive(Clone, Debug)]
pub struct Disturbance {
    /// Which.
    pub name: String,
    /// The one node that it struck; none if it struck all.
    pub node: Option<usize>,
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

    fn node(self) -> Option<usize> {
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

    /// Lets it happen, ends it, and waits until every node serves again.
    pub fn strike(self, cluster: &mut Cluster, load: &Load) -> Disturbance {
        let from = moment::now();
        self.happen(cluster);
        let healed = moment::now();
        let served = load.served_within(SERVED);
        Disturbance { name: self.to_string(), node: self.node(), from, healed, served }
    }

    fn happen(self, cluster: &mut Cluster) {
        let Cluster { nodes, database, forwarder, .. } = cluster;
        match self {
            Self::Kill(node) => {
                nodes[node].kill();
                std::thread::sleep(LONG);
                nodes[node].launch();
                nodes[node].wait_until_ready();
            }
            Self::Restart(node) => {
                nodes[node].stop();
                nodes[node].launch();
                nodes[node].wait_until_ready();
            }
            Self::PauseBriefly(node) => lasting(SHORT, || nodes[node].pause(), || nodes[node].go_on()),
            Self::Pause(node) => lasting(LONG, || nodes[node].pause(), || nodes[node].go_on()),
            Self::CutBriefly(node, cut) => lasting(SHORT, || nodes[node].cut(cut), || nodes[node].heal(cut)),
            Self::Cut(node, cut) => lasting(LONG, || nodes[node].cut(cut), || nodes[node].heal(cut)),
            Self::RestartDatabase => {
                database.stop(Stop::Fast);
                database.start();
            }
            Self::KillDatabase => {
                database.stop(Stop::Kill);
                database.start();
            }
            Self::PauseDatabaseBriefly => {
                lasting(SHORT, || database.freeze(Signal::STOP), || database.freeze(Signal::CONT));
            }
            Self::PauseDatabase => lasting(LONG, || database.freeze(Signal::STOP), || database.freeze(Signal::CONT)),
            Self::HoldBack => lasting(LONG, || forwarder.hold(), || forwarder.let_go()),
            Self::CutDatabase => lasting(
                LONG,
                || nodes.iter().for_each(|node| node.cut(Cut::Both)),
                || nodes.iter().for_each(|node| node.heal(Cut::Both)),
            ),
        }
    }
}

fn lasting(time: Duration, begin: impl FnOnce(), end: impl FnOnce()) {
    begin();
    std::thread::sleep(time);
    end();
}
