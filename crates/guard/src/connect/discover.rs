//! From an issuer to the endpoint that guards ask (RFC 8414).

use std::net::IpAddr;

use http::Uri;
use http::uri::{Authority, Scheme};
use serde::Deserialize;

use super::ConnectError;
use super::http::{Client, Trouble};
use super::pause::Backoff;

const LARGEST: usize = 64 * 1024;

/// An issuer that a guard may ask.
#[derive(Clone, Debug)]
pub(super) struct Issuer {
    text: String,
    origin: (Scheme, String, u16),
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    cerrojo_guard_endpoint: Option<String>,
}

impl Issuer {
    pub(super) fn parse(text: &str) -> Result<Self, ConnectError> {
        let wrong = ConnectError::Issuer;
        if text.contains(['?', '#']) {
            return Err(wrong("has a query or a fragment"));
        }
        if text.ends_with('/') {
            return Err(wrong("ends with a slash"));
        }
        let uri: Uri = text.parse().map_err(|_| wrong("is no address"))?;
        let origin = origin(&uri).ok_or(wrong("is no http or https address"))?;
        Ok(Self { text: text.to_owned(), origin })
    }

    pub(super) fn is_https(&self) -> bool {
        self.origin.0 == Scheme::HTTPS
    }

    /// Whether nobody else can listen or speak: TLS, or never leaving this machine.
    pub(super) fn is_private(&self) -> bool {
        let host = self.origin.1.trim_start_matches('[').trim_end_matches(']');
        self.is_https() || host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    fn has_origin(&self, address: &str) -> bool {
        address.parse().is_ok_and(|uri| origin(&uri).as_ref() == Some(&self.origin))
    }
}

/// Scheme, host and port.
fn origin(uri: &Uri) -> Option<(Scheme, String, u16)> {
    let scheme = uri.scheme()?;
    let usual = if *scheme == Scheme::HTTPS {
        443
    } else if *scheme == Scheme::HTTP {
        80
    } else {
        return None;
    };
    // Credentials belong into the options, not into addresses that are written to logs.
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
    Some((scheme.clone(), authority.host().to_ascii_lowercase(), Authority::port_u16(authority).unwrap_or(usual)))
}

/// The address that guards ask. What may pass is tried again; the caller bounds the time.
pub(super) async fn discover(client: &Client, issuer: &Issuer) -> Result<String, ConnectError> {
    let address = format!("{}/.well-known/oauth-authorization-server", issuer.text);
    let mut backoff = Backoff::default();
    loop {
        match client.get(&address, LARGEST).await {
            Ok(body) => return read(&body, issuer),
            Err(Trouble::Status(status, _)) if status.is_client_error() && status != 429 && status != 408 => {
                let what = format!("{address} answers {status}; is there a Cerrojo with guards at this address?");
                return Err(ConnectError::Metadata(what));
            }
            Err(trouble) => {
                tracing::warn!(error = %trouble, url.full = %address, "the server's metadata cannot be read yet");
                tokio::time::sleep(backoff.next()).await;
            }
        }
    }
}

fn read(body: &[u8], issuer: &Issuer) -> Result<String, ConnectError> {
    let wrong = |what: &str| ConnectError::Metadata(what.to_owned());
    let metadata: Metadata = serde_json::from_slice(body).map_err(|_| wrong("not what they must be"))?;
    if metadata.issuer != issuer.text {
        let what = format!("the server is {:?}, not {:?}: give exactly that", metadata.issuer, issuer.text);
        return Err(ConnectError::Metadata(what));
    }
    let endpoint = metadata.cerrojo_guard_endpoint.ok_or_else(|| wrong("no cerrojo_guard_endpoint: it is too old"))?;
    if !issuer.has_origin(&endpoint) || endpoint.contains(['?', '#']) || endpoint.ends_with('/') {
        return Err(wrong("its cerrojo_guard_endpoint is not of the issuer's origin"));
    }
    Ok(endpoint)
}
