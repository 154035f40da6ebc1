//! What is broken on purpose, and for how long.

use std::fmt;
use std::time::Duration;

use cerrojo_domain::Random;
use rustix::process::Signal;

use crate::cluster::Cluster;
use crate::forward::Forwarder;
use crate::load::Load;
use crate::moment;
use crate::node::{Cut, Node};
use crate::postgres::Stop;

/// Longer than this nobody waits to be served again.
const SERVED: Duration = Duration::from_secs(20);
/// Well within a lease, and well beyond one.
const SHORT: Duration = Duration::from_millis(1200);
const LONG: Duration = Duration::from_secs(5);
/// As long as it takes to fail a few times.
const MOMENT: Duration = Duration::from_millis(300);

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
    /// The disk of PostgreSQL's write-ahead log fails for a moment.
    DiskError,
    /// PostgreSQL is restarted, and its files are copied meanwhile.
    KeepCopy,
    /// An older copy of the database is put back under running nodes.
    PutBack,
    /// An older copy of the database is put back while no node runs.
    PutBackWhileStopped,
    /// A standby takes over that had lost commits.
    FailOver,
    /// A standby takes over without which nothing was committed.
    FailOverWithoutLoss,
    /// The same while the old primary still runs, and one node still finds it there.
    FailOverBeside(usize),
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

    /// Whether some node found another primary than the others.
    #[must_use]
    pub fn had_two_primaries(&self) -> bool {
        self.faults.iter().any(|fault| matches!(fault, Fault::FailOverBeside(_)))
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

/// Takes the database back once, after enough has happened that can be lost; all that it took.
pub fn lose(how: &[Fault], cluster: &mut Cluster, load: &Load) -> Vec<Disturbance> {
    let mut all = Vec::new();
    if how.contains(&Fault::FailOver) {
        cluster.keep_standby_that_falls_behind();
    } else {
        all.push(strike(&[Fault::KeepCopy], cluster, load));
    }
    std::thread::sleep(SHORT);
    all.push(strike(how, cluster, load));
    all
}

/// Lets faults happen together, ends them, and waits until every node serves again.
pub fn strike(faults: &[Fault], cluster: &mut Cluster, load: &Load) -> Disturbance {
    let lasts = faults.iter().map(|fault| fault.lasts()).max();
    strike_for(lasts.unwrap_or_default(), faults, (cluster, load))
}

/// The same for a time, whatever the faults are.
pub fn strike_for(time: Duration, faults: &[Fault], (cluster, load): (&mut Cluster, &Load)) -> Disturbance {
    let from = moment::now();
    for fault in faults {
        fault.begin(cluster);
    }
    std::thread::sleep(time);
    for fault in faults.iter().rev() {
        fault.end(cluster);
    }
    let healed = moment::now();
    cluster.start_what_ended(faults, load.record());
    let disturbance = Disturbance { faults: faults.to_vec(), from, healed, served: load.served_within(SERVED) };
    if faults.iter().any(|fault| fault.loses()) {
        load.record().everything_over(from, moment::now());
        load.renew_untouched();
    }
    disturbance
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

    /// Whether commits are lost by it.
    #[must_use]
    pub fn loses(self) -> bool {
        matches!(self, Self::PutBack | Self::PutBackWhileStopped | Self::FailOver)
    }

    /// Whether that node does not run meanwhile.
    #[must_use]
    pub fn stops(self, node: usize) -> bool {
        match self {
            Self::Kill(one) | Self::Restart(one) => one == node,
            Self::PutBackWhileStopped => true,
            _ => false,
        }
    }

    fn lasts(self) -> Duration {
        match self {
            Self::Restart(_)
            | Self::RestartDatabase
            | Self::KillDatabase
            | Self::KeepCopy
            | Self::PutBack
            | Self::PutBackWhileStopped
            | Self::FailOver
            | Self::FailOverWithoutLoss => Duration::ZERO,
            Self::DiskError => MOMENT,
            Self::PauseBriefly(_) | Self::CutBriefly(..) | Self::PauseDatabaseBriefly => SHORT,
            Self::Kill(_)
            | Self::Pause(_)
            | Self::Cut(..)
            | Self::PauseDatabase
            | Self::HoldBack
            | Self::CutDatabase
            | Self::FailOverBeside(_) => LONG,
        }
    }

    fn begin(self, cluster: &mut Cluster) {
        let Cluster { nodes, database, forwarders, .. } = cluster;
        match self {
            Self::Kill(node) => nodes[node].kill(),
            Self::Restart(node) => nodes[node].stop(),
            Self::PauseBriefly(node) | Self::Pause(node) => nodes[node].pause(),
            Self::CutBriefly(node, cut) | Self::Cut(node, cut) => nodes[node].cut(cut),
            Self::RestartDatabase => database.stop(Stop::Fast),
            Self::KeepCopy => {
                database.stop(Stop::Fast);
                cluster.copy = Some(database.copy());
            }
            Self::KillDatabase | Self::PutBack | Self::FailOver | Self::FailOverWithoutLoss => {
                database.stop(Stop::Kill);
            }
            Self::PauseDatabaseBriefly | Self::PauseDatabase => database.freeze(Signal::STOP),
            Self::HoldBack => forwarders.iter().for_each(Forwarder::hold),
            Self::CutDatabase => nodes.iter().for_each(|node| node.cut(Cut::Both)),
            Self::DiskError => cluster.disk.fail(),
            Self::PutBackWhileStopped => {
                nodes.iter_mut().for_each(Node::stop);
                database.stop(Stop::Fast);
            }
            Self::FailOverBeside(node) => cluster.promote_for((0..cluster.nodes.len()).filter(|other| *other != node)),
        }
    }

    fn end(self, cluster: &mut Cluster) {
        let Cluster { nodes, database, forwarders, .. } = cluster;
        match self {
            Self::Kill(node) | Self::Restart(node) => nodes[node].launch(),
            Self::PauseBriefly(node) | Self::Pause(node) => nodes[node].go_on(),
            Self::CutBriefly(node, cut) | Self::Cut(node, cut) => nodes[node].heal(cut),
            Self::RestartDatabase | Self::KillDatabase | Self::KeepCopy => database.start(),
            Self::PauseDatabaseBriefly | Self::PauseDatabase => database.freeze(Signal::CONT),
            Self::HoldBack => forwarders.iter().for_each(Forwarder::let_go),
            Self::CutDatabase => nodes.iter().for_each(|node| node.heal(Cut::Both)),
            Self::DiskError => {
                cluster.disk.recover();
                database.recover();
            }
            Self::PutBack => cluster.put_copy_back(),
            Self::PutBackWhileStopped => {
                cluster.put_copy_back();
                cluster.nodes.iter_mut().for_each(Node::launch);
            }
            Self::FailOver | Self::FailOverWithoutLoss => {
                cluster.promote_for(0..cluster.nodes.len());
                cluster.forget_old_primary();
            }
            Self::FailOverBeside(_) => cluster.forget_old_primary(),
        }
    }
}
