//! TLS on connections: handshakes bounded in time and number, the certificate exchanged while the server runs, and whoever
//! speaks plain HTTP told so.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use cerrojo_domain::{AddressBlock, UnixMillis};
use rustls::ServerConfig;
use rustls::server::ServerSessionMemoryCache;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::lingering::Lingering;

/// Longest that a handshake may take, from the first byte that is waited for on.
const LONGEST: Duration = Duration::from_secs(10);
/// Handshakes at a time. One more, and the one that has been at it longest gives way: those that are meant to be finished
/// are, in a fraction of a second, however many others are kept open on purpose.
const MOST: usize = 1024;
/// The same of one address (IPv6: of a /64).
const MOST_OF_ONE: usize = 64;
/// Sessions that may be resumed without another signature, each some hundred bytes. No early data: it can be replayed.
const RESUMABLE: usize = 4096;

/// What whoever speaks plain HTTP is answered. No redirection: a client that follows it sends its token in the clear each time.
const PLAIN: &str = "This port speaks TLS: the address begins with https://\n";

/// A certificate with its chain and its key, and until when it is good.
#[derive(Debug)]
pub struct Identity {
    /// What is shown, and what proves that it is ours.
    pub key: Arc<CertifiedKey>,
    /// `notAfter` of the certificate (RFC 5280, section 4.1.2.5).
    pub not_after: UnixMillis,
}

/// TLS 1.2 and 1.3 for whoever comes in. Clones are the same.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    now: RwLock<Arc<ServerConfig>>,
    /// In milliseconds since 1970.
    not_after: AtomicI64,
    refused: AtomicBool,
    half_open: Mutex<HalfOpen>,
    handshakes: [AtomicU64; Outcome::ALL.len()],
}

impl Tls {
    /// # Errors
    /// None with the cryptography that this is built with: some other might know neither version.
    pub fn new(identity: Identity) -> Result<Self, rustls::Error> {
        let not_after = AtomicI64::new(identity.not_after.0);
        let now = RwLock::new(Arc::new(spoken(identity.key)?));
        Ok(Self(Arc::new(Inner {
            now,
            not_after,
            refused: AtomicBool::new(false),
            half_open: Mutex::default(),
            handshakes: Default::default(),
        })))
    }

    /// Shows another certificate from the next handshake on. Connections that there are go on; sessions of before are not
    /// resumed.
    ///
    /// # Errors
    /// As of [`Tls::new`].
    pub fn replace(&self, identity: Identity) -> Result<(), rustls::Error> {
        let spoken = Arc::new(spoken(identity.key)?);
        *self.0.now.write().unwrap_or_else(PoisonError::into_inner) = spoken;
        self.0.not_after.store(identity.not_after.0, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the files hold a certificate that cannot be used, for whoever watches.
    pub fn note_refused(&self, is_refused: bool) {
        self.0.refused.store(is_refused, Ordering::Relaxed);
    }

    /// Until when the certificate is good.
    #[must_use]
    pub fn not_after(&self) -> UnixMillis {
        UnixMillis(self.0.not_after.load(Ordering::Relaxed))
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// How handshakes ended so far.
    pub(crate) fn handshakes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Outcome::ALL
            .iter()
            .zip(&self.0.handshakes)
            .map(|(outcome, count)| (outcome.text(), count.load(Ordering::Relaxed)))
    }

    /// Shakes hands. `None`: it came to nothing, and the connection is closed.
    pub(crate) async fn accept(
        &self,
        (stream, peer): (TcpStream, IpAddr),
        block: Option<AddressBlock>,
    ) -> Option<TlsStream<Lingering<TcpStream>>> {
        let (_begun, give_way) = self.begin(block);
        let spoken = Arc::clone(&self.0.now.read().unwrap_or_else(PoisonError::into_inner));
        let outcome = tokio::select! {
            shaken = timeout(LONGEST, shake_hands(stream, peer, spoken)) => match shaken {
                Ok(Shaken::Done(stream)) => {
                    self.count(Outcome::Success);
                    return Some(*stream);
                }
                Ok(Shaken::Not(outcome)) => outcome,
                Err(_) => Outcome::Slow,
            },
            // The sender is never used, only dropped.
            _ = give_way => Outcome::Crowded,
        };
        self.count(outcome);
        None
    }

    fn count(&self, outcome: Outcome) {
        let place = Outcome::ALL.iter().position(|one| *one == outcome);
        if let Some(counter) = place.and_then(|place| self.0.handshakes.get(place)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn begin(&self, block: Option<AddressBlock>) -> (Begun, oneshot::Receiver<()>) {
        let (number, give_way) = self.half_open().enter(block);
        (Begun { tls: self.clone(), number }, give_way)
    }

    fn half_open(&self) -> MutexGuard<'_, HalfOpen> {
        self.0.half_open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spoken(key: Arc<CertifiedKey>) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut spoken = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    spoken.alpn_protocols = vec![b"http/1.1".to_vec()];
    spoken.session_storage = ServerSessionMemoryCache::new(RESUMABLE);
    Ok(spoken)
}

/// How a handshake ended, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Success,
    /// The other side does not speak TLS of these versions as it should, or does not trust the certificate.
    Failed,
    /// It speaks HTTP without TLS.
    Plain,
    /// It took too long.
    Slow,
    /// It had been at it longest, and others came.
    Crowded,
    /// The other side went away before it was done, as whoever only looks whether the port is open does.
    Gone,
}

impl Outcome {
    const ALL: [Self; 6] = [Self::Success, Self::Failed, Self::Plain, Self::Slow, Self::Crowded, Self::Gone];

    fn text(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Plain => "plain_http",
            Self::Slow => "timeout",
            Self::Crowded => "crowded",
            Self::Gone => "closed",
        }
    }
}

enum Shaken {
    Done(Box<TlsStream<Lingering<TcpStream>>>),
    Not(Outcome),
}

async fn shake_hands(stream: TcpStream, peer: IpAddr, spoken: Arc<ServerConfig>) -> Shaken {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(0) | Err(_) => return Shaken::Not(Outcome::Gone),
        // A record of a handshake begins with 22 (RFC 8446, section 5.1), a request with the letters of its method.
        Ok(_) if first[0].is_ascii_alphabetic() => {
            let told = async {
                let mut stream = Lingering::new(stream);
                let head = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close";
                let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{PLAIN}", PLAIN.len());
                stream.write_all(answer.as_bytes()).await?;
                stream.shutdown().await
            };
            let _ = told.await;
            return Shaken::Not(Outcome::Plain);
        }
        Ok(_) => {}
    }
    match TlsAcceptor::from(spoken).accept(Lingering::new(stream)).into_fallible().await {
        Ok(stream) => Shaken::Done(Box::new(stream)),
        Err((error, _)) if has_gone(&error) => Shaken::Not(Outcome::Gone),
        Err((error, mut stream)) => {
            tracing::debug!(%error, client.address = %peer, "a TLS handshake failed");
            // So that the alert arrives which says why.
            let _ = stream.shutdown().await;
            Shaken::Not(Outcome::Failed)
        }
    }
}

fn has_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | TimedOut | UnexpectedEof)
}

/// Handshakes that have begun, in the order in which they did.
#[derive(Default)]
struct HalfOpen {
    next: u64,
    all: BTreeMap<u64, Half>,
}

struct Half {
    /// Whose it is; `None`: of somebody who stands for many.
    block: Option<AddressBlock>,
    /// Dropped to have it give way.
    _stay: oneshot::Sender<()>,
}

impl HalfOpen {
    fn enter(&mut self, block: Option<AddressBlock>) -> (u64, oneshot::Receiver<()>) {
        let theirs = || self.all.iter().filter(|(_, half)| block.is_some() && half.block == block);
        let first = if theirs().count() >= MOST_OF_ONE {
            theirs().next()
        } else {
            self.all.first_key_value().filter(|_| self.all.len() >= MOST)
        };
        if let Some(number) = first.map(|(number, _)| *number) {
            self.all.remove(&number);
        }
        let (stay, give_way) = oneshot::channel();
        let number = self.next;
        self.next += 1;
        self.all.insert(number, Half { block, _stay: stay });
        (number, give_way)
    }
}

/// A handshake that is being made.
struct Begun {
    tls: Tls,
    number: u64,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.tls.half_open().all.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(half_open: &mut HalfOpen, address: &str) -> (u64, oneshot::Receiver<()>) {
        half_open.enter(Some(AddressBlock::of(address.parse().unwrap())))
    }

    fn gives_way(half: &mut (u64, oneshot::Receiver<()>)) -> bool {
        half.1.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn the_oldest_of_an_address_gives_way_to_its_newest_and_others_stay() {
        let mut half_open = HalfOpen::default();
        let mut other = enter(&mut half_open, "192.0.2.1");
        let mut theirs: Vec<_> = (0..MOST_OF_ONE).map(|_| enter(&mut half_open, "2001:db8::1")).collect();
        assert!(!theirs.iter_mut().any(gives_way));
        let mut newest = enter(&mut half_open, "2001:db8::2");
        assert!(gives_way(&mut theirs[0]) && !theirs[1..].iter_mut().any(gives_way));
        assert!(!gives_way(&mut other) && !gives_way(&mut newest));
    }

    #[test]
    fn when_there_is_no_room_the_oldest_of_all_gives_way() {
        let mut half_open = HalfOpen::default();
        // A proxy stands for many and has no share of its own.
        let mut all: Vec<_> = (0..MOST).map(|_| half_open.enter(None)).collect();
        assert!(!all.iter_mut().any(gives_way));
        let mut newest = enter(&mut half_open, "192.0.2.1");
        assert!(gives_way(&mut all[0]) && !all[1..].iter_mut().any(gives_way) && !gives_way(&mut newest));
        assert_eq!(half_open.all.len(), MOST);
    }
}
