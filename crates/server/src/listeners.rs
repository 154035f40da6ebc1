//! Where the server listens: sockets that it opens, or that systemd opened and passes (`sd_listen_fds(3)`).

use std::net::SocketAddr;

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;
use tokio::net::TcpListener;

use crate::config::{Configuration, told_to_strangers};
use crate::failure::Failure;

/// The names by which systemd passes sockets (`FileDescriptorName=`), for the API and for metrics.
const PUBLIC: &str = "cerrojo";
const METRICS: &str = "cerrojo-metrics";
/// What a socket without a name is called.
const UNNAMED: &str = "unknown";

/// Where requests and where metrics are answered.
pub(crate) struct Listeners {
    pub(crate) public: Vec<TcpListener>,
    pub(crate) metrics: Option<TcpListener>,
}

/// Sockets that were passed.
#[derive(Default)]
pub(crate) struct Passed {
    public: Vec<std::net::TcpListener>,
    metrics: Option<std::net::TcpListener>,
}

impl Passed {
    /// Takes what was passed. To be called once, before there are threads: it takes the variables away, so that no program that
    /// the server might start believes that they are meant for it.
    ///
    /// # Errors
    /// [`Failure`] if anything was passed that is not understood: a server that listens elsewhere than it was told to would
    /// not be found.
    pub(crate) fn take() -> Result<Self, Failure> {
        let names = std::env::var("LISTEN_FDNAMES").ok();
        let mut passed = ListenFd::from_env();
        let names = names_of(names.as_deref(), passed.len())?;
        let mut this = Self::default();
        for (place, name) in names.iter().enumerate() {
            let listener = listener(&mut passed, (place, name));
            match name.strip_suffix(".socket").unwrap_or(name) {
                PUBLIC => this.public.push(listener?),
                METRICS if this.metrics.is_none() => this.metrics = Some(listener?),
                METRICS => return Err(Failure::new("systemd passed two sockets for metrics: one is enough")),
                UNNAMED | "" if names.len() == 1 => this.public.push(listener?),
                _ => {
                    return Err(Failure::new(format!(
                        "systemd passed a socket named {name:?}: FileDescriptorName= has to be {PUBLIC} (the API) or {METRICS} (metrics)"
                    )));
                }
            }
        }
        Ok(this)
    }

    /// Listens where sockets were passed, otherwise where the settings say.
    pub(crate) async fn listen(self, configuration: &Configuration) -> Result<Listeners, Failure> {
        let mut public = Vec::new();
        for passed in self.public {
            let listener = adopt(passed)?;
            tracing::info!("systemd passed a socket for requests, {}", address(&listener)?);
            public.push(listener);
        }
        let set = configuration.listen;
        if public.is_empty() {
            public.push(TcpListener::bind(set).await.map_err(Failure::because(format!(
                "server.listen: {set} cannot be listened on (another address: --listen, or CERROJO_SERVER__LISTEN)"
            )))?);
        } else if configuration.listen_is_set
            && public.iter().all(|listener| address(listener).is_ok_and(|is| is != set))
        {
            tracing::warn!(
                "server.listen is {set}, but requests come in where systemd passed a socket: set ListenStream= instead"
            );
        }
        let metrics = match (self.metrics, configuration.metrics_listen) {
            (Some(passed), set) => {
                let listener = adopt(passed)?;
                let address = address(&listener)?;
                if let Some(set) = set.filter(|set| *set != address) {
                    tracing::warn!(
                        "metrics.listen is {set}, but the socket that systemd passed is {address}, which is used"
                    );
                }
                if let Some(warning) = told_to_strangers(address) {
                    tracing::warn!("{warning}");
                }
                Some(listener)
            }
            (None, Some(set)) => Some(TcpListener::bind(set).await.map_err(Failure::because(format!(
                "metrics.listen: {set} cannot be listened on (set another one, or none)"
            )))?),
            (None, None) => None,
        };
        if let Some(listener) = &metrics {
            tracing::info!("metrics are at http://{}/metrics", address(listener)?);
        }
        Ok(Listeners { public, metrics })
    }
}

impl Listeners {
    /// Where requests come in: the first of several addresses.
    pub(crate) fn address(&self) -> Result<SocketAddr, Failure> {
        self.public.first().map_or_else(|| Err(Failure::new("nothing is listened on")), address)
    }
}

fn address(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(Failure::because("where the server listens"))
}

fn adopt(passed: std::net::TcpListener) -> Result<TcpListener, Failure> {
    let adopted = passed.set_nonblocking(true).and_then(|()| TcpListener::from_std(passed));
    adopted.map_err(Failure::because("the socket that systemd passed cannot be used"))
}

/// A name for each socket.
fn names_of(names: Option<&str>, count: usize) -> Result<Vec<String>, Failure> {
    let Some(names) = names.filter(|_| count > 0) else { return Ok(vec![UNNAMED.to_owned(); count]) };
    let names: Vec<_> = names.split(':').map(str::to_owned).collect();
    if names.len() == count {
        return Ok(names);
    }
    Err(Failure::new(format!(
        "LISTEN_FDNAMES names {} sockets, but LISTEN_FDS says that {count} were passed",
        names.len()
    )))
}

fn listener(passed: &mut ListenFd, (place, name): (usize, &str)) -> Result<std::net::TcpListener, Failure> {
    let wrong = |why: &str| Failure::new(format!("the socket {name} that systemd passed {why}"));
    match passed.take_tcp_listener(place) {
        Ok(Some(listener)) if socket_acceptconn(&listener).is_ok_and(|listens| listens) => Ok(listener),
        Ok(Some(_)) => Err(wrong("is a connection and no listening socket: Accept= has to be no")),
        Ok(None) => Err(wrong("was taken already")),
        Err(_) if matches!(passed.take_unix_listener(place), Ok(Some(_))) => Err(wrong(
            "is a Unix socket, on which nobody has the address that limits are counted by: let it be TCP on a loopback address \
             (ListenStream=127.0.0.1:4000)",
        )),
        Err(error) => Err(wrong(&format!("is no TCP socket (ListenStream=): {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_have_the_names_that_they_are_passed_by() {
        let names = |names, count| names_of(names, count).map_err(|failure| failure.message);
        assert_eq!(names(Some("cerrojo:cerrojo-metrics"), 2).unwrap(), ["cerrojo", "cerrojo-metrics"]);
        assert_eq!(names(None, 2).unwrap(), ["unknown", "unknown"]);
        assert_eq!(names(Some("left:over"), 0).unwrap(), Vec::<String>::new());
        assert!(names(Some("cerrojo"), 2).unwrap_err().contains("LISTEN_FDNAMES"));
    }
}
