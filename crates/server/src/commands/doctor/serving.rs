//! Whether a server runs here, and as whom.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use super::super::health;
use crate::config::{Configuration, Database};
use crate::lock::{Lock, Looked};
use crate::owner::is_handed_over;
use crate::place::Place;

/// A server of this installation on this machine.
pub(super) struct Serving {
    /// Where it listens; none: none runs.
    pub(super) address: Option<SocketAddr>,
    /// Its process, where that is known.
    pub(super) pid: Option<u32>,
    /// The number of the user that it runs as, or will: the owner of what it made.
    pub(super) user: Option<u32>,
}

impl Serving {
    pub(super) async fn look(configuration: &Configuration) -> Self {
        let (pid, address) = match &configuration.database {
            Database::Sqlite(_) => match holder(configuration) {
                Some((pid, address)) => (Some(pid), Some(health::here(address))),
                None => (None, None),
            },
            Database::Postgres(_) => (None, answering(configuration).await),
        };
        // A key that root handed over tells nothing of the server's user.
        let found = |path: PathBuf| std::fs::metadata(path).ok().filter(|file| !is_handed_over(file, None));
        let owner = |path: PathBuf| found(path).map(|file| file.uid());
        let of_running =
            pid.and_then(|pid| std::fs::metadata(format!("/proc/{pid}")).ok()).map(|process| process.uid());
        let made = super::files::made_by_the_server(configuration).into_iter().find_map(owner);
        Self { address, pid, user: of_running.or(made) }
    }

    pub(super) fn runs(&self) -> bool {
        self.address.is_some()
    }
}

/// Who holds the lock of the database, if it is a server.
fn holder(configuration: &Configuration) -> Option<(u32, SocketAddr)> {
    let place = Place::of(configuration).ok()?;
    match Lock::look(&place.database) {
        Ok(Looked::Held(Some(holder))) => holder.server(),
        _ => None,
    }
}

/// The address, if Cerrojo answers there.
async fn answering(configuration: &Configuration) -> Option<SocketAddr> {
    let address = health::here(configuration.listen);
    health::get(configuration, address, "/health/live").await.is_ok_and(|answer| answer.is_ours).then_some(address)
}
