//! Requests to the server: bounded in size and time, never redirected.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client as Pool};
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

use super::discover::Issuer;
use super::{ConnectError, Options};

/// For everything but the body of a stream.
const PATIENCE: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(30);

/// Asks the server.
pub(super) struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    authorization: Option<HeaderValue>,
    agent: HeaderValue,
    trouble: Mutex<String>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// No connection, or it broke, or too slow.
    Network(String),
    /// An answer, but not a good one.
    Status(StatusCode, Option<Duration>),
    /// More than was to be expected.
    TooLarge,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Network(what) => f.write_str(what),
            Self::Status(status, _) => write!(f, "it answers {status}"),
            Self::TooLarge => f.write_str("its answer is too large"),
        }
    }
}

impl Client {
    pub(super) fn new(issuer: &Issuer, options: &Options) -> Result<Self, ConnectError> {
        let secret = |text: String| {
            let mut value = HeaderValue::try_from(text);
            if let Ok(value) = &mut value {
                value.set_sensitive(true);
            }
            value.map_err(|_| ConnectError::Option("the credentials cannot stand in a header".to_owned()))
        };
        let agent = HeaderValue::from_str(&options.user_agent);
        let agent = agent.map_err(|_| ConnectError::Option("user_agent cannot stand in a header".to_owned()))?;
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(PATIENCE));
        connector.set_nodelay(true);
        connector.set_keepalive(Some(IDLE));
        let tls = HttpsConnectorBuilder::new().with_tls_config(tls(issuer, options)?);
        let schemes = if issuer.is_https() { tls.https_only() } else { tls.https_or_http() };
        let pool = Pool::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(hyper_util::rt::TokioTimer::new())
            .build(schemes.enable_http1().wrap_connector(connector));
        Ok(Self {
            pool,
            authorization: options.authorization().map(secret).transpose()?,
            agent,
            trouble: Mutex::default(),
        })
    }

    pub(super) fn has_credentials(&self) -> bool {
        self.authorization.is_some()
    }

    /// Remembers what went wrong, for whoever waits for the start.
    pub(super) fn note(&self, trouble: &dyn std::fmt::Display) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble.to_string();
    }

    pub(super) fn last_trouble(&self) -> String {
        let last = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if last.is_empty() { "no answer yet".to_owned() } else { last }
    }

    /// The whole body of a 200, at most `most` bytes of it.
    pub(super) async fn get(&self, address: &str, most: usize) -> Result<Bytes, Trouble> {
        let answer = self.whole(self.request(Method::GET, address)?, most).await;
        answer.inspect_err(|trouble| self.note(trouble))
    }

    /// Sends JSON; a 200 is success.
    pub(super) async fn post(&self, address: &str, json: String) -> Result<(), Trouble> {
        let mut request = self.request(Method::POST, address)?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Full::new(Bytes::from(json));
        self.whole(request, 64 * 1024).await.map(|_| ())
    }

    /// The body of an event stream.
    pub(super) async fn stream(&self, address: &str, last: Option<&str>) -> Result<Incoming, Trouble> {
        self.open(address, last).await.inspect_err(|trouble| self.note(trouble))
    }

    async fn open(&self, address: &str, last: Option<&str>) -> Result<Incoming, Trouble> {
        let mut request = self.request(Method::GET, address)?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(last) = last {
            let value =
                HeaderValue::from_str(last).map_err(|_| Trouble::Network("the position is wrong".to_owned()))?;
            headers.insert(HeaderName::from_static("last-event-id"), value);
        }
        let response = timeout(PATIENCE, self.send(request)).await.map_err(|_| slow())??;
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.to_ascii_lowercase().starts_with("text/event-stream") {
            return Err(Trouble::Network("its answer is no event stream".to_owned()));
        }
        Ok(response.into_body())
    }

    fn request(&self, method: Method, address: &str) -> Result<Request<Full<Bytes>>, Trouble> {
        let request = Request::builder().method(method).uri(address).header(USER_AGENT, &self.agent);
        let request = match &self.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization),
            None => request,
        };
        request.body(Full::default()).map_err(|error| Trouble::Network(error.to_string()))
    }

    async fn whole(&self, request: Request<Full<Bytes>>, most: usize) -> Result<Bytes, Trouble> {
        let answer = async {
            let body = Limited::new(self.send(request).await?.into_body(), most);
            let whole =
                body.collect().await.map_err(|error| match error.downcast::<http_body_util::LengthLimitError>() {
                    Ok(_) => Trouble::TooLarge,
                    Err(error) => Trouble::Network(format!("the connection broke: {error}")),
                });
            Ok(whole?.to_bytes())
        };
        timeout(PATIENCE, answer).await.map_err(|_| slow())?
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Trouble> {
        let response = self.pool.request(request).await.map_err(|error| Trouble::Network(causes(&error)))?;
        if response.status() != StatusCode::OK {
            let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            return Err(Trouble::Status(response.status(), after.map(Duration::from_secs)));
        }
        Ok(response)
    }
}

fn slow() -> Trouble {
    Trouble::Network("no answer in time".to_owned())
}

/// What hyper says of itself is little; the reason stands in its causes.
fn causes(error: &legacy::Error) -> String {
    let mut text = "no connection".to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// `Basic`, both parts form-encoded first (RFC 6749, section 2.3.1).
pub(super) fn basic(name: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", form(name), form(secret))))
}

/// `application/x-www-form-urlencoded`, of one part.
fn form(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"*-._".contains(&byte) {
            encoded.push(char::from(byte));
        } else if byte == b' ' {
            encoded.push('+');
        } else {
            // Writing to memory does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn tls(issuer: &Issuer, options: &Options) -> Result<ClientConfig, ConnectError> {
    let mut roots = RootCertStore::empty();
    if issuer.is_https() {
        // Those that cannot be read are not trusted; if none can be, that is said below.
        let _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = &options.ca_file {
            let wrong = |what: &dyn std::fmt::Display| ConnectError::Roots(format!("{}: {what}", path.display()));
            let pem = std::fs::read(path).map_err(|error| wrong(&error))?;
            let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem).collect();
            if certificates.is_empty() {
                return Err(wrong(&"no certificates in it"));
            }
            for certificate in certificates {
                roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
            }
        }
        if roots.is_empty() {
            return Err(ConnectError::Roots("the system has none".to_owned()));
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectError::Roots(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_form_encoded_first() {
        let header = basic("a service", "s:é+/%");
        let plain = STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(plain, b"a+service:s%3A%C3%A9%2B%2F%25");
    }
}
