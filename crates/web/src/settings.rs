//! What an operator can set about HTTP, already checked.

use std::time::Duration;

use http::HeaderMap;
use tracing::Span;

use crate::{Network, PageSettings};

/// Which other web origins may call the API from a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cors {
    /// Loopback origins of any port while the server itself is reached at a loopback address; none otherwise.
    Unset,
    /// These (`https://app.example.com`). An empty list: none.
    Origins(Vec<String>),
}

/// How many may follow at a time: streams, and other requests of guards that are being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardPlaces {
    /// Without credentials, from one address (IPv6 by /64); 0: none without.
    pub anonymous_per_address: u32,
    /// Without credentials, in all; 0: none without.
    pub anonymous: u32,
    /// With a service's credentials, in all. Those without cannot take these.
    pub services: u32,
    /// With the credentials of one service.
    pub per_service: u32,
}

impl Default for GuardPlaces {
    fn default() -> Self {
        Self { anonymous_per_address: 8, anonymous: 256, services: 1024, per_service: 64 }
    }
}

/// How requests are taken. Where clients reach the server is `public_url` of [`cerrojo_app::Settings`].
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Peers whose forwarding headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// Who may call from a browser.
    pub cors: Cors,
    /// How long a request may take to answer that changes something, after its body has been read; then it is 503.
    pub request_timeout: Duration,
    /// How long the whole body of a request may take to arrive; then it is 408.
    pub body_timeout: Duration,
    /// How many guards may follow.
    pub guards: GuardPlaces,
    /// How many may follow their own session at a time.
    pub max_streams: u32,
    /// Whether `/docs` is there.
    pub docs: bool,
    /// What pages look like; `None`: there are none.
    pub pages: Option<PageSettings>,
    /// Peers whose requests go on in their own trace.
    pub callers: Vec<Network>,
    /// How a request's span becomes one of its caller's trace, which the headers name.
    pub adopt: fn(&Span, &HeaderMap),
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            cors: Cors::Unset,
            request_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            guards: GuardPlaces::default(),
            max_streams: 20_000,
            docs: true,
            pages: Some(PageSettings::default()),
            callers: Vec::new(),
            adopt: |_, _| {},
        }
    }
}
