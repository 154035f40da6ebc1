//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Measures verify, profile, logout, login, start-up, memory, nodes on PostgreSQL, guards that follow, clients that follow their session and signatures, and prints tables.
#[derive(Parser)]
#[command(name = "bench/run")]
pub(crate) struct Options {
    /// Fewer rounds and smaller numbers, for trying. Its figures decide nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these sections, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) only: Vec<Section>,
    /// Builds this commit as well and measures its server in the same turns.
    #[arg(long, value_name = "GITREV")]
    pub(crate) against: Option<String>,
    /// Live sessions of the section `scale`, 200,000 at least: 10,000,000 unless given, 200,000 with `--quick`.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) sessions: Option<usize>,
    /// What this process is for, when the harness starts itself.
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

/// What can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Section {
    /// `GET /api/auth/verify`.
    Verify,
    /// `GET /api/auth/profile`.
    Profile,
    /// `POST /api/auth/logout`.
    Logout,
    /// `POST /api/auth/login`, alone and beside verify.
    Login,
    /// Start-up and memory.
    Startup,
    /// Nodes on PostgreSQL: logouts, a steady load, faults.
    Cluster,
    /// Guards that follow.
    Guards,
    /// Clients that follow their own session.
    Streams,
    /// Look-ups in a list of ten million breached passwords.
    Breached,
    /// Signatures, by algorithm, without a server.
    Signatures,
    /// Ten million live sessions on PostgreSQL. Only when asked for.
    Scale,
}

/// Processes that the harness starts.
#[derive(Subcommand)]
pub(crate) enum Role {
    /// Serves one answer with the bare HTTP framework.
    #[command(hide = true)]
    Floor {
        /// The answer, as JSON.
        answer: PathBuf,
        /// On which loopback port.
        port: u16,
    },
    /// Ends sessions in transactions of 64, without a server.
    #[command(hide = true)]
    BareStore {
        /// A seeded folder.
        folder: PathBuf,
        /// Sessions to leave out.
        skip: usize,
        /// Sessions to end.
        count: usize,
    },
    /// Asks a list of breached passwords, without a server.
    #[command(hide = true)]
    BreachedList {
        /// The list.
        list: PathBuf,
        /// How many passwords are asked for of each kind.
        count: u32,
    },
    /// Hashes passwords, without a server.
    #[command(hide = true)]
    BareHash {
        /// How many threads.
        threads: usize,
        /// For how long.
        seconds: u64,
    },
}

impl Options {
    /// What is to be measured.
    pub(crate) fn sections(&self) -> Vec<Section> {
        // The largest takes longer than all the others: only when it is asked for.
        let usual = |section: &Section| self.only.is_empty() && *section != Section::Scale;
        let wanted = |section: &Section| usual(section) || self.only.contains(section);
        Section::value_variants().iter().copied().filter(wanted).collect()
    }
}
