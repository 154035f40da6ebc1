//! How to connect.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cerrojo_domain::{Clock, KeyId, SystemClock};
use ring::hmac;

use super::discover::{Issuer, discover};
use super::http::{Client, basic};
use super::shared::Shared;
use super::{ConnectError, ConnectedGuard};
use crate::follow::{Expected, Follower};
use crate::keys::VerifyingKey;

const MAX_STALENESS: Duration = Duration::from_secs(5);
/// Below, a single heartbeat that comes late would be felt; above, it is hardly a bound.
const STALENESS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(5));
const START_WITHIN: Duration = Duration::from_secs(10);
const CACHE_CAPACITY: usize = 20_000;
const SHORTEST_SECRET: usize = 32;

/// How to connect; what is not set is as most services need it.
#[must_use = "nothing happens before `connect`"]
pub struct Options {
    issuer: String,
    pub(super) credentials: Option<(String, String)>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) user_agent: String,
    audience: Option<String>,
    secret: Option<Vec<u8>>,
    max_staleness: Duration,
    start_within: Duration,
    cache_capacity: usize,
    plain_http: bool,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl Options {
    pub(super) fn new(issuer: String) -> Self {
        Self {
            issuer,
            credentials: None,
            ca_file: None,
            user_agent: concat!("cerrojo-guard/", env!("CARGO_PKG_VERSION")).to_owned(),
            audience: None,
            secret: None,
            max_staleness: MAX_STALENESS,
            start_within: START_WITHIN,
            cache_capacity: CACHE_CAPACITY,
            plain_http: false,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// The name and secret that `cerrojo service add` gave. Without them the server's caps for strangers hold, and uses of
    /// sessions are not reported.
    pub fn credentials(mut self, name: impl Into<String>, secret: impl Into<String>) -> Self {
        self.credentials = Some((name.into(), secret.into()));
        self
    }

    /// How old the guard's knowledge may be where it says yes: 5 s unless set, from 2 s to 5 minutes. Within this time a
    /// session that has ended is refused, whatever happens.
    pub fn max_staleness(mut self, bound: Duration) -> Self {
        self.max_staleness = bound;
        self
    }

    /// `aud` of the tokens to accept, if it is not the one that the server says.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// The shared secret, where the server signs with HS256 (32 bytes at least).
    pub fn hs256_secret(mut self, secret: impl Into<Vec<u8>>) -> Self {
        self.secret = Some(secret.into());
        self
    }

    /// A file of certificates (PEM) to trust beside the system's.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// How many verified tokens are remembered: 20 000 unless set.
    pub fn cache_capacity(mut self, tokens: usize) -> Self {
        self.cache_capacity = tokens;
        self
    }

    /// How long to wait for the first snapshot: 10 s unless set.
    pub fn start_within(mut self, time: Duration) -> Self {
        self.start_within = time;
        self
    }

    /// What the requests say of who asks.
    pub fn user_agent(mut self, agent: impl Into<String>) -> Self {
        self.user_agent = agent.into();
        self
    }

    /// Allows `http://` to hosts other than this machine. Whoever is on the way can then make this service accept and
    /// refuse what they like.
    pub fn allow_plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// Another clock, for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Connects; see [`Guard::connect`](crate::Guard::connect).
    ///
    /// # Errors
    /// [`ConnectError`] says what to do.
    pub async fn connect(self) -> Result<ConnectedGuard, ConnectError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(ConnectError::NoRuntime);
        }
        let issuer = Issuer::parse(&self.issuer)?;
        if !issuer.is_private() && !self.plain_http {
            return Err(ConnectError::Issuer("is not https"));
        }
        if !(STALENESS.0..=STALENESS.1).contains(&self.max_staleness) {
            return Err(ConnectError::Option("max_staleness must be from 2 s to 5 minutes".to_owned()));
        }
        let client = Arc::new(Client::new(&issuer, &self)?);
        let expected = Expected {
            secret: self.secret.map(named).transpose()?,
            issuer: self.issuer,
            audience: self.audience,
            max_staleness: self.max_staleness,
            cache_capacity: self.cache_capacity,
        };
        let start = async {
            let endpoint = discover(&client, &issuer).await?;
            ConnectedGuard::start(Shared::new(Arc::clone(&client), endpoint, Follower::new(expected, self.clock))).await
        };
        let started = tokio::time::timeout(self.start_within, start).await;
        started.unwrap_or_else(|_| Err(ConnectError::TimedOut(client.last_trouble())))
    }

    pub(super) fn authorization(&self) -> Option<String> {
        self.credentials.as_ref().map(|(name, secret)| basic(name, secret))
    }
}

/// The key and its name, which the server derives from the secret alike.
fn named(secret: Vec<u8>) -> Result<(KeyId, VerifyingKey), ConnectError> {
    if secret.len() < SHORTEST_SECRET {
        return Err(ConnectError::Option("the HS256 secret is shorter than 32 bytes".to_owned()));
    }
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), b"cerrojo key id");
    let short: Vec<u8> = tag.as_ref().iter().take(16).copied().collect();
    let id = KeyId::from_text(format!("hs-{}", URL_SAFE_NO_PAD.encode(short)));
    Ok((id, VerifyingKey::Hs256(secret)))
}
