//! One request to a server, and the certificate that it showed.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const LONGEST: usize = 1 << 20;

/// What was answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    /// When the server's certificate ends, in seconds since 1970; none: it showed none.
    pub(super) certificate_ends: Option<u64>,
}

impl Answer {
    /// Whether that looks like an answer of Cerrojo's: its envelope.
    pub(super) fn is_ours(&self) -> bool {
        self.body.get("success").is_some_and(Value::is_boolean)
    }
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// The name leads nowhere.
    Name(String),
    /// Nobody can be reached there.
    Connection(String),
    /// TLS, or the certificate.
    Tls(String),
    /// What came is no HTTP.
    Http(String),
}

/// Asks for a path below a URL.
pub(super) async fn get(base: &Url, path: &str) -> Result<Answer, NoAnswer> {
    let late = |_| Err(NoAnswer::Connection(format!("no answer within {} s", PATIENCE.as_secs())));
    tokio::time::timeout(PATIENCE, ask(base, path)).await.unwrap_or_else(late)
}

async fn ask(base: &Url, path: &str) -> Result<Answer, NoAnswer> {
    let (Some(host), Some(port)) = (base.host(), base.port_or_known_default()) else {
        return Err(NoAnswer::Name("there is no host in it".to_owned()));
    };
    let name = match host {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(ip) => ip.to_string(),
        Host::Ipv6(ip) => ip.to_string(),
    };
    let looked_up = tokio::net::lookup_host((name.as_str(), port)).await;
    let addresses: Vec<_> = looked_up.map_err(|error| NoAnswer::Name(error.to_string()))?.collect();
    let connected = TcpStream::connect(addresses.as_slice()).await;
    let stream = connected.map_err(|error| NoAnswer::Connection(error.to_string()))?;
    let request = Request::get(format!("{}{path}", base.path().trim_end_matches('/')))
        .header(header::HOST, base.authority())
        .header(header::USER_AGENT, concat!("cerrojo-doctor/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|error| NoAnswer::Http(error.to_string()))?;
    if base.scheme() != "https" {
        return converse(stream, request).await;
    }
    let tls = |error: &dyn std::fmt::Display| NoAnswer::Tls(error.to_string());
    let server = ServerName::try_from(name).map_err(|error| tls(&error))?;
    let connector = TlsConnector::from(Arc::new(crate::tls_client::config().map_err(|failure| tls(&failure.message))?));
    let stream = connector.connect(server, stream).await.map_err(|error| tls(&error))?;
    let shown = stream.get_ref().1.peer_certificates().and_then(|all| all.first()).map(|first| first.to_vec());
    let answer = converse(stream, request).await?;
    Ok(Answer { certificate_ends: shown.as_deref().and_then(end_of), ..answer })
}

async fn converse<S>(stream: S, request: Request<Empty<Bytes>>) -> Result<Answer, NoAnswer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let wrong = |error: &dyn std::fmt::Display| NoAnswer::Http(error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| wrong(&error))?;
    let driven = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(|error| wrong(&error))?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), LONGEST).collect().await.map_err(|error| wrong(&error))?;
    driven.abort();
    let body = serde_json::from_slice(&body.to_bytes()).unwrap_or(Value::Null);
    Ok(Answer { status, body, certificate_ends: None })
}

/// When a certificate ends (RFC 5280, section 4.1.2.5), in seconds since 1970.
fn end_of(certificate: &[u8]) -> Option<u64> {
    let certificate = Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate().validity().not_after.to_unix_duration().as_secs())
}
