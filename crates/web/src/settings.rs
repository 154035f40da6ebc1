//! What an operator can set about HTTP, already checked.

use std::time::Duration;

use crate::Network;

/// Which other web origins may call the API from a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cors {
    /// Loopback origins of any port while the server itself is reached at a loopback address; none otherwise.
    Unset,
    /// These (`https://app.example.com`). An empty list: none.
    Origins(Vec<String>),
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
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            cors: Cors::Unset,
            request_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
        }
    }
}
