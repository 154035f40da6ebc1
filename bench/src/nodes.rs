//! Several servers on one PostgreSQL database, with sessions that were signed in beforehand.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::child::Child;
use crate::failure::{Failure, Outcome};
use crate::logout;
use crate::open_loop::Servers;
use crate::place::{Build, Place};
use crate::requests::{Requests, with_tokens};
use crate::seed::{self, MASTER_KEY, Plan};
use crate::verify;

/// Settings other than the usual ones, as variables.
pub(crate) type Settings = &'static [(&'static str, &'static str)];

/// A running cluster.
pub(crate) struct Cluster {
    build: Build,
    url: String,
    settings: Settings,
    /// Holds the master key.
    seed: PathBuf,
    /// The servers.
    pub(crate) nodes: Vec<Child>,
    /// A logout of each session that may be ended.
    pub(crate) logouts: Requests,
    /// Those before this one have ended.
    pub(crate) next: usize,
    /// A check of each session that is not ended.
    pub(crate) checks: Requests,
}

/// What is signed in beforehand.
#[derive(Clone, Copy)]
pub(crate) struct Sessions {
    /// To be ended.
    pub(crate) ending: usize,
    /// To be checked.
    pub(crate) staying: usize,
}

impl Cluster {
    /// Fills the new database at `url` and starts `count` servers on it.
    pub(crate) async fn start(
        place: &Place,
        build: &Build,
        (url, count, settings): (&str, usize, Settings),
        sessions: Sessions,
    ) -> Outcome<Self> {
        let seed = place.folder("seed")?;
        let live = sessions.ending + sessions.staying;
        seed::fill_at(url, &seed, Plan { live, ended: 0, tokens: live }).await?;
        let tokens = seed::read_tokens(&seed, "live")?;
        let (ending, staying) = tokens.split_at(sessions.ending.min(tokens.len()));
        let mut nodes = Self {
            build: build.clone(),
            url: url.to_owned(),
            settings,
            seed,
            nodes: Vec::new(),
            logouts: with_tokens(logout::LINE, ending),
            next: 0,
            checks: with_tokens(verify::LINE, staying),
        };
        for _ in 0..count {
            nodes.add(place).await?;
        }
        Ok(nodes)
    }

    /// Starts one more, and waits until it answers a check.
    pub(crate) async fn add(&mut self, place: &Place) -> Outcome<()> {
        let folder = folder_of_its_own(place, &self.seed)?;
        let asked = self.checks.get(..1).unwrap_or_default();
        self.nodes.push(Child::node(&self.build, (&folder, &self.url, self.settings), asked).await?);
        Ok(())
    }

    /// All of them, to be asked in turn.
    pub(crate) fn servers(&self) -> Arc<Servers> {
        Servers::at(self.nodes.iter().map(|node| node.address))
    }

    /// The node of this number.
    pub(crate) fn node(&self, number: usize) -> Outcome<&Child> {
        self.nodes.get(number % self.nodes.len().max(1)).ok_or_else(|| Failure("no node".to_owned()))
    }

    /// The first of `count` sessions that nobody has ended.
    pub(crate) fn take(&mut self, count: usize) -> Outcome<usize> {
        let first = self.next;
        self.next += count;
        if self.next > self.logouts.len() {
            return Err(Failure("too few sessions were signed in".to_owned()));
        }
        Ok(first)
    }
}

/// A node keeps its position beside the master key: two of them in one folder would read each other's.
pub(crate) fn folder_of_its_own(place: &Place, seed: &Path) -> Outcome<PathBuf> {
    let folder = place.folder("node")?;
    std::fs::copy(seed.join(MASTER_KEY), folder.join(MASTER_KEY))?;
    Ok(folder)
}
