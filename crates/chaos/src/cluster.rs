//! A database and the nodes on it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

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
}

/// Everything that runs. All of it is killed when dropped.
#[derive(Debug)]
pub struct Cluster {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The primary.
    pub database: Postgres,
    /// What stands between.
    pub forwarder: Forwarder,
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
        let mut database = Postgres::create(5000 + u16::from(number) * 10);
        database.start();
        let place = |node| Place { program: options.program, number: (number, node), settings: options.settings };
        let mut nodes: Vec<Node> = (0..options.nodes).map(|node| Node::new(&place(node))).collect();
        let ends: Vec<SocketAddr> = nodes.iter().map(Node::database).collect();
        let forwarder = Forwarder::start(&ends, address(&database));
        nodes.iter_mut().for_each(Node::launch);
        nodes.iter_mut().for_each(Node::wait_until_ready);
        Self { nodes, database, forwarder, number }
    }

    /// Starts again what a fault kept from starting. A node that ended without that is written down.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_what_ended(&mut self, faults: &[Fault], record: &Record) {
        for (number, node) in self.nodes.iter_mut().enumerate() {
            let is_to_start =
                faults.iter().any(|fault| matches!(fault, Fault::Kill(n) | Fault::Restart(n) if *n == number));
            if node.has_ended() && !is_to_start {
                record.wondered(format!("node {number} ended by itself: {}", node.said()));
            }
            if node.has_ended() {
                node.launch();
            }
            if is_to_start {
                // It may be that it looked for the database before that was back.
                if !node.becomes_ready() {
                    node.launch();
                    node.wait_until_ready();
                }
            }
        }
    }

    /// A port that no other server of this world has.
    #[must_use]
    pub fn another_port(&self) -> u16 {
        let first = 5000 + u16::from(self.number) * 10;
        if self.database.port() == first { first + 1 } else { first }
    }

    /// Another server is the primary from now on; the old one is returned.
    #[must_use]
    pub fn fail_over_to(&mut self, primary: Postgres) -> Postgres {
        self.forwarder.point_to(address(&primary));
        std::mem::replace(&mut self.database, primary)
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
