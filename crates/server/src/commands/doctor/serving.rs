//! Whether a server runs here, and as whom.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpStream;

use super::http;
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
                Some((pid, address)) => (Some(pid), Some(here(address))),
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

/// The address, if Cerrojo answers there; over TLS, if anybody does.
async fn answering(configuration: &Configuration) -> Option<SocketAddr> {
    let address = here(configuration.listen);
    if configuration.tls.is_some() {
        let connected = tokio::time::timeout(Duration::from_secs(2), TcpStream::connect(address)).await;
        return connected.is_ok_and(|connected| connected.is_ok()).then_some(address);
    }
    let url = format!("http://{address}").parse().ok()?;
    http::get(&url, "/health/live").await.is_ok_and(|answer| answer.is_ours()).then_some(address)
}

/// How this machine reaches what listens there.
fn here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
