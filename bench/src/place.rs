//! Where things are, and how much of everything is done.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::against;
use crate::cluster;
use crate::failure::{Failure, Outcome};
use crate::options::Options;

/// How much is done.
#[derive(Clone, Copy)]
pub(crate) struct Amounts {
    /// Rounds taken in turn.
    pub(crate) rounds: usize,
    /// Requests in a round of verify and profile.
    pub(crate) requests: usize,
    /// Logouts in a round.
    pub(crate) logouts: usize,
    /// Seconds of a round of logins.
    pub(crate) seconds: u64,
    /// Sign-ins before memory is looked at.
    pub(crate) sign_ins: usize,
    /// What is done to nodes on PostgreSQL.
    pub(crate) cluster: cluster::Amounts,
    /// Seconds of endings that guards follow.
    pub(crate) guards: u64,
    /// Live sessions of the largest database.
    pub(crate) sessions: usize,
}

/// A server to be measured.
#[derive(Clone)]
pub(crate) struct Build {
    /// `cerrojo`, or the commit it is of.
    pub(crate) name: String,
    /// The program.
    pub(crate) program: PathBuf,
}

/// Where things are, and how much of everything is done.
pub(crate) struct Place {
    /// Cargo's target folder.
    pub(crate) target: PathBuf,
    /// This run's own folder, removed when dropped.
    work: PathBuf,
    folders: AtomicUsize,
    /// The servers: this tree's first.
    pub(crate) builds: Vec<Build>,
    /// How much is done.
    pub(crate) amounts: Amounts,
}

impl Place {
    /// Finds the servers and makes a folder for this run. It is beside the builds, so that it is on a disk: what is in
    /// memory alone would make durability cost nothing.
    pub(crate) fn prepare(options: &Options) -> Outcome<Self> {
        let me = std::env::current_exe()?;
        let release = me.parent().ok_or_else(|| Failure("this program has no folder".to_owned()))?;
        let target = release.parent().unwrap_or(Path::new("/")).to_owned();
        let mut builds = vec![Build { name: "cerrojo".to_owned(), program: release.join("cerrojo") }];
        if let Some(revision) = &options.against {
            builds.push(against::build(revision, &target)?);
        }
        let work = target.join(format!("bench/run-{}", std::process::id()));
        std::fs::create_dir_all(&work)?;
        let guards = if options.quick { 3 } else { 10 };
        let sessions = options.sessions.unwrap_or(if options.quick { 200_000 } else { 10_000_000 });
        let amounts = if options.quick {
            let cluster = cluster::Amounts { alone: 200, floor: 2, steady: 10, fault: 10 };
            Amounts {
                rounds: 3,
                requests: 60_000,
                logouts: 640,
                seconds: 3,
                sign_ins: 1_000,
                cluster,
                guards,
                sessions,
            }
        } else {
            let cluster = cluster::Amounts { alone: 500, floor: 5, steady: 60, fault: 15 };
            Amounts {
                rounds: 5,
                requests: 100_000,
                logouts: 1_920,
                seconds: 10,
                sign_ins: 1_000,
                cluster,
                guards,
                sessions,
            }
        };
        Ok(Self { target, work, folders: AtomicUsize::new(0), builds, amounts })
    }

    /// A new folder, for a server or a seed.
    pub(crate) fn folder(&self, name: &str) -> Outcome<PathBuf> {
        let number = self.folders.fetch_add(1, Ordering::Relaxed);
        let folder = self.work.join(format!("{number}-{name}"));
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// A new folder with copies of the files in `seed`.
    pub(crate) fn copy_of(&self, seed: &Path) -> Outcome<PathBuf> {
        let folder = self.folder("copy")?;
        for file in std::fs::read_dir(seed)? {
            let file = file?;
            if file.file_type()?.is_dir() {
                continue;
            }
            std::fs::copy(file.path(), folder.join(file.file_name()))?;
        }
        Ok(folder)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.work);
    }
}
