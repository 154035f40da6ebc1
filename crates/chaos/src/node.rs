//! A node: the real binary in a network of its own, which leads to its clients and, by another way, to the database.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::http::{Connection, Request};
use crate::process::{Process, within};
use crate::world;

/// Longer than this no node starts, also on a busy machine.
const START: Duration = Duration::from_mins(1);
/// Where nodes of every cluster listen, and where each finds the database.
const PORT: u16 = 4000;
const DATABASE: u16 = 5432;
/// The issuer is the same on every node.
const PUBLIC_URL: &str = "http://127.0.0.1:4000";
const MASTER_KEY: &str = "6368616f732121216368616f732121216368616f732121216368616f73212121";

/// Where a node is to be.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The binary `cerrojo`.
    pub program: &'a Path,
    /// The cluster's number and the node's in it.
    pub number: (u8, u8),
    /// Settings beside those that every node has, as environment variables.
    pub settings: &'a [(&'a str, &'a str)],
}

/// Which packets between a node and the database are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// All.
    Both,
    /// Those to the database: it hears nothing of the node.
    ToDatabase,
    /// Those from it: it is told to commit, and nobody hears that it did.
    FromDatabase,
}

/// A node. Killed when dropped.
#[derive(Debug)]
pub struct Node {
    program: PathBuf,
    folder: PathBuf,
    settings: Vec<(String, String)>,
    /// The network namespace, and where the database's way ends outside of it.
    network: String,
    wire: String,
    /// The database's end of the way and the node's.
    ends: [Ipv4Addr; 2],
    /// Where it answers.
    pub address: SocketAddr,
    process: Option<Process>,
}

impl Node {
    /// Makes the network of a node that does not run yet.
    #[must_use]
    pub fn new(place: &Place<'_>) -> Self {
        let (cluster, number) = place.number;
        let network = format!("c{cluster}n{number}");
        world::run("ip", ["netns", "add", &network]);
        world::run("ip", ["-n", &network, "link", "set", "lo", "up"]);
        let way = |name: &str, third: u8| {
            let outside = format!("{network}{name}");
            let (here, there) = (Ipv4Addr::new(10, cluster, third, 1), Ipv4Addr::new(10, cluster, third, 2));
            let [here_net, there_net] = [here, there].map(|end| format!("{end}/30"));
            world::run(
                "ip",
                ["link", "add", "name", &outside, "type", "veth", "peer", "name", name, "netns", &network],
            );
            world::run("ip", ["address", "add", &here_net, "dev", &outside]);
            world::run("ip", ["link", "set", &outside, "up"]);
            world::run("ip", ["-n", &network, "address", "add", &there_net, "dev", name]);
            world::run("ip", ["-n", &network, "link", "set", name, "up"]);
            (outside, [here, there])
        };
        let (_, [_, address]) = way("web", number * 2);
        let (wire, ends) = way("db", number * 2 + 1);
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            program: place.program.to_owned(),
            folder: world::folder("node"),
            settings: place.settings.iter().map(owned).collect(),
            network,
            wire,
            ends,
            address: SocketAddr::from((address, PORT)),
            process: None,
        }
    }

    /// Where this node will look for the database.
    #[must_use]
    pub fn database(&self) -> SocketAddr {
        SocketAddr::from((self.ends[0], DATABASE))
    }

    /// The binary in this node's folder and network.
    fn command(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.network)).arg("--").arg(&self.program);
        let database = format!("postgres://postgres@{}/postgres?sslmode=disable", self.database());
        command.current_dir(&self.folder).env_clear().envs([
            ("CERROJO_SERVER__LISTEN", self.address.to_string().as_str()),
            ("CERROJO_SERVER__PUBLIC_URL", PUBLIC_URL),
            ("CERROJO_DATABASE__URL", &database),
            ("CERROJO_KEYS__MASTER_KEY", MASTER_KEY),
            ("CERROJO_LIMITS__LOGIN", "off"),
            ("CERROJO_LIMITS__PUBLIC", "off"),
            // As cheap as is allowed: passwords are not what is looked at here.
            ("CERROJO_PASSWORD__ARGON2_MEMORY_KIB", "7168"),
            ("CERROJO_PASSWORD__ARGON2_PASSES", "5"),
        ]);
        command.envs(self.settings.iter().cloned());
        command
    }

    /// From its next start on it has this setting as well, as an environment variable.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// What a command says that is run beside it, on standard output and then on standard error; whether it succeeded.
    ///
    /// # Panics
    /// If it cannot be run.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.command().args(arguments).stdin(Stdio::null()).output().expect("a command runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// Starts it and waits for nothing.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn launch(&mut self) {
        let log = std::fs::File::options().append(true).create(true).open(self.folder.join("log"));
        let mut command = self.command();
        command.arg("serve").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.expect("a log of the node's"));
        self.process = Some(Process::start(&mut command));
    }

    /// Waits until it says that it may be asked.
    ///
    /// # Panics
    /// If it does not.
    pub fn wait_until_ready(&mut self) {
        assert!(self.becomes_ready(), "the node at {} did not start: {}", self.address, self.said());
    }

    /// Waits until it says that it may be asked; whether it does.
    pub fn becomes_ready(&mut self) -> bool {
        within(START, || (self.is_ready() || self.has_ended()).then_some(())).is_some() && !self.has_ended()
    }

    /// Whether it says so.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let request = Request { line: "GET /health/ready", token: None, body: None, patience: Duration::from_secs(1) };
        Connection::to(self.address).ask(request).is_ok_and(|answer| answer.status == 200)
    }

    /// What it said so far.
    #[must_use]
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Forgets what this node keeps beside the database, as a node on a new machine.
    pub fn forget_files(&self) {
        let _ = std::fs::remove_dir_all(self.folder.join("data"));
    }

    /// kill -9, and it is gone.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// SIGTERM; returns when it has ended.
    ///
    /// # Panics
    /// If it does not.
    pub fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        process.signal(Signal::TERM);
        assert!(process.ends_within(START).is_some(), "the node at {} does not stop: {}", self.address, self.said());
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(|process| process.ended().is_some())
    }

    /// The same, within a time.
    pub fn ends_within(&mut self, patience: Duration) -> bool {
        self.process.as_mut().is_none_or(|process| process.ends_within(patience).is_some())
    }

    /// SIGSTOP.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }

    /// Packets between it and the database are lost, without anybody being told.
    pub fn cut(&self, cut: Cut) {
        let [database, node] = self.ends.map(|end| end.to_string());
        // An Ethernet address that nobody has.
        let nobody =
            |end: &str, wire: &str| ["replace", end, "lladdr", "02:00:00:00:00:fe", "dev", wire].map(str::to_owned);
        match cut {
            Cut::Both => drop(world::run("ip", ["link", "set", &self.wire, "down"])),
            Cut::ToDatabase => {
                world::run(
                    "ip",
                    ["-n", &self.network, "neighbour"].map(str::to_owned).into_iter().chain(nobody(&database, "db")),
                );
            }
            Cut::FromDatabase => {
                world::run("ip", ["neighbour".to_owned()].into_iter().chain(nobody(&node, &self.wire)));
            }
        }
    }

    /// They arrive again.
    pub fn heal(&self, cut: Cut) {
        let [database, node] = self.ends.map(|end| end.to_string());
        match cut {
            Cut::Both => drop(world::run("ip", ["link", "set", &self.wire, "up"])),
            Cut::ToDatabase => {
                world::run("ip", ["-n", &self.network, "neighbour", "delete", &database, "dev", "db"]);
            }
            Cut::FromDatabase => drop(world::run("ip", ["neighbour", "delete", &node, "dev", &self.wire])),
        }
    }
}
