//! `cerrojo health`: asks the server of this machine, for containers that hold nothing else that could.

mod anybody;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::cli::Health;
use crate::config::Configuration;
use crate::failure::Failure;
use crate::out;

/// Well below the time that Docker and Kubernetes give by default to one that they ask often.
const PATIENCE: Duration = Duration::from_secs(3);

/// Bytes of an answer that are read: Cerrojo's has a hundred.
const LONGEST: usize = 64 << 10;
const ELSEWHERE: &str =
    "where the server listens elsewhere (--listen, a socket that systemd passes), set server.listen to that";

/// What was answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Whether it has Cerrojo's envelope.
    pub(super) is_ours: bool,
}

pub(crate) async fn run(wanted: Health, configuration: &Configuration) -> Result<(), Failure> {
    let path = if wanted.live { "/health/live" } else { "/health/ready" };
    let address = reachable(configuration.listen)?;
    let scheme = if configuration.tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{address}{path}");
    let asked = get(configuration, address, path).await;
    let elsewhere = |said: String| Failure::new(format!("{said}; {ELSEWHERE}"));
    let Answer { status, is_ours } = asked.map_err(|failure| elsewhere(failure.message))?;
    if !is_ours {
        return Err(elsewhere(format!("{url}: {status}: that is no answer of Cerrojo's")));
    }
    if status != StatusCode::OK {
        return Err(Failure::new(format!("{url}: {status}: the server's log says why")));
    }
    out::line(&format!("{url}: {status}"));
    Ok(())
}

/// Asks a server of this machine for a path, over TLS if that is spoken here, whatever the certificate is for.
pub(super) async fn get(configuration: &Configuration, address: SocketAddr, path: &str) -> Result<Answer, Failure> {
    let asked = tokio::time::timeout(PATIENCE, connect(configuration, address, path)).await;
    asked.unwrap_or_else(|_| Err(Failure::new(format!("{address} does not answer within 3 s"))))
}

async fn connect(configuration: &Configuration, address: SocketAddr, path: &str) -> Result<Answer, Failure> {
    let what = format!("{address} does not answer");
    let stream = TcpStream::connect(address).await.map_err(Failure::because(&what))?;
    if configuration.tls.is_none() {
        return ask(stream, (address, path)).await;
    }
    let tls = anybody::connector().map_err(Failure::because("TLS"))?;
    let stream = tls.connect(address.ip().into(), stream).await.map_err(Failure::because(&what))?;
    ask(stream, (address, path)).await
}

fn reachable(listen: SocketAddr) -> Result<SocketAddr, Failure> {
    if listen.port() == 0 {
        return Err(Failure::new("server.listen has port 0: nobody knows which the server took"));
    }
    Ok(here(listen))
}

/// The address that this machine reaches a listener at.
pub(super) fn here(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    };
    SocketAddr::new(address, listen.port())
}

async fn ask<S>(stream: S, (address, path): (SocketAddr, &str)) -> Result<Answer, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let what = format!("{address} does not answer");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(Failure::because(&what))?;
    let connection = tokio::spawn(connection);
    let request = Request::get(path)
        .header(HOST, address.to_string())
        .header(USER_AGENT, concat!("cerrojo/", env!("CARGO_PKG_VERSION"), " health"))
        .body(Empty::<Bytes>::new())
        .map_err(Failure::because(&what))?;
    let response = sender.send_request(request).await.map_err(Failure::because(&what))?;
    let status = response.status();
    // What is longer, or breaks off, is nothing of ours.
    let body = Limited::new(response.into_body(), LONGEST).collect().await;
    connection.abort();
    let body = body.ok().and_then(|body| serde_json::from_slice::<Value>(&body.to_bytes()).ok());
    let is_ours = body.is_some_and(|body| body.get("success").is_some_and(Value::is_boolean));
    Ok(Answer { status, is_ours })
}
