//! A database and the nodes on it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::disk::Disk;
use crate::faults::Fault;
use crate::forward::Forwarder;
use crate::node::{Node, Place};
use crate::postgres::Postgres;
use crate::record::Record;

/// The first cluster's number, which is also the second byte of its addresses.
static NEXT: AtomicU8 = AtomicU8::new(10);

/// What a cluster is made of.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The binary `cerrojo`.
    pub program: &'a Path,
    /// How many nodes.
    pub nodes: u8,
    /// Settings of every node, as environment variables.
    pub settings: &'a [(&'a str, &'a str)],
    /// Settings of PostgreSQL, as lines of its configuration.
    pub database: &'a str,
}

/// Everything that runs. All of it is killed when dropped.
#[derive(Debug)]
pub struct Cluster {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The primary.
    pub database: Postgres,
    /// What stands between each node and the primary.
    pub forwarders: Vec<Forwarder>,
    /// The disk of the first primary's write-ahead log.
    pub disk: Disk,
    /// Another server that follows the primary.
    pub standby: Option<Postgres>,
    /// The database's files as they were.
    pub copy: Option<PathBuf>,
    number: u8,
}

impl Cluster {
    /// Starts a new database, and all nodes on it at the same time.
    ///
    /// # Panics
    /// If anything does not start.
    #[must_use]
    pub fn start(options: Options<'_>) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let disk = Disk::new();
        let mut database = Postgres::create(5000 + u16::from(number) * 10);
        database.set_environment(&disk.environment("/pg_wal/"));
        database.set(options.database);
        database.start();
        let place = |node| Place { program: options.program, number: (number, node), settings: options.settings };
        let mut nodes: Vec<Node> = (0..options.nodes).map(|node| Node::new(&place(node))).collect();
        let forwarders = nodes.iter().map(|node| Forwarder::start(node.database(), address(&database))).collect();
        nodes.iter_mut().for_each(Node::launch);
        nodes.iter_mut().for_each(Node::wait_until_ready);
        Self { nodes, database, forwarders, disk, standby: None, copy: None, number }
    }

    /// Starts again what a fault kept from starting. A node that ended without that is written down.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_what_ended(&mut self, faults: &[Fault], record: &Record) {
        for (number, node) in self.nodes.iter_mut().enumerate() {
            let is_to_start = faults.iter().any(|fault| fault.stops(number));
            if node.has_ended() {
                if !is_to_start {
                    record.wondered(format!("node {number} ended by itself: {}", node.said()));
                }
                node.launch();
            }
            // It may be that it looked for the database before that was back.
            if is_to_start && !node.becomes_ready() {
                node.launch();
                node.wait_until_ready();
            }
        }
    }

    /// The database is as it was when the copy was made. It must be stopped.
    ///
    /// # Panics
    /// If there is no copy.
    pub fn put_copy_back(&mut self) {
        let copy = self.copy.take().expect("a copy was kept");
        self.database.put_back(&copy);
        let _ = std::fs::remove_dir_all(copy);
        self.database.start();
    }

    /// A standby that soon hears no more from the primary: what is committed from then on is lost if it takes over.
    pub fn keep_standby_that_falls_behind(&mut self) {
        let standby = self.database.standby(self.another_port());
        standby.lose_primary();
        self.standby = Some(standby);
    }

    /// A standby without which the primary commits nothing.
    pub fn keep_synchronous_standby(&mut self) {
        let standby = self.database.standby(self.another_port());
        self.database.wait_for_standby();
        self.standby = Some(standby);
    }

    fn another_port(&self) -> u16 {
        let first = 5000 + u16::from(self.number) * 10;
        if self.database.port() == first { first + 1 } else { first }
    }

    /// The standby takes over for these nodes; the old primary may still run.
    ///
    /// # Panics
    /// If there is none.
    pub fn promote_for(&self, nodes: impl Iterator<Item = usize>) {
        let standby = self.standby.as_ref().expect("a standby");
        standby.promote();
        self.lead(nodes, standby);
    }

    /// These nodes find that server as the primary.
    pub fn lead(&self, nodes: impl Iterator<Item = usize>, to: &Postgres) {
        nodes.for_each(|node| self.forwarders[node].point_to(address(to)));
    }

    /// The old primary is gone, and all nodes find the one that took over.
    ///
    /// # Panics
    /// If none did.
    pub fn forget_old_primary(&mut self) {
        let primary = self.standby.take().expect("a standby");
        self.database = primary;
        self.lead(0..self.nodes.len(), &self.database);
    }

    /// Where the nodes answer.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.address).collect()
    }
}

fn address(server: &Postgres) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()))
}
