//! TLS as clients see it: real sockets, a router of one route.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use cerrojo_domain::UnixMillis;
use cerrojo_web::{Doors, Identity, Tls};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_mins(1);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

struct Certificate {
    identity: Identity,
    shown: CertificateDer<'static>,
}

fn certificate() -> Certificate {
    let made: CertifiedKey<KeyPair> = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let shown = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let signs = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let key = Arc::new(rustls::sign::CertifiedKey::new(vec![shown.clone()], signs));
    Certificate { identity: Identity { key, not_after: UnixMillis(0) }, shown }
}

struct Server {
    address: SocketAddr,
    tls: Tls,
    shown: CertificateDer<'static>,
    stop: oneshot::Sender<()>,
    done: JoinHandle<()>,
}

async fn serve() -> Server {
    let Certificate { identity, shown } = certificate();
    let tls = Tls::new(identity).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let router =
        Router::new().route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }));
    let doors = Doors::default().with_tls(Some(tls.clone()));
    let done = tokio::spawn(cerrojo_web::serve_behind(doors, (vec![listener], router), async {
        let _ = stopped.await;
    }));
    Server { address, tls, shown, stop, done }
}

fn client(trusted: &CertificateDer<'static>, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

async fn connect(address: SocketAddr, client: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    timeout(PATIENCE, TlsConnector::from(Arc::new(client)).connect(name, stream)).await.unwrap()
}

async fn connected(server: &Server) -> TlsStream<TcpStream> {
    connect(server.address, client(&server.shown, rustls::ALL_VERSIONS)).await.unwrap()
}

/// The answer to a request on a connection that stays open.
async fn ask(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(REQUEST).await.unwrap();
    let mut bytes = [0; 4096];
    let count = timeout(PATIENCE, stream.read(&mut bytes)).await.unwrap().unwrap();
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
    bytes
}

#[tokio::test]
async fn both_versions_are_spoken_and_the_peer_is_known() {
    let server = serve().await;
    for (version, named) in
        [(&rustls::version::TLS12, ProtocolVersion::TLSv1_2), (&rustls::version::TLS13, ProtocolVersion::TLSv1_3)]
    {
        let mut config = client(&server.shown, &[version]);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut stream = connect(server.address, config).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(named));
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let here = stream.get_ref().0.local_addr().unwrap().to_string();
        for _ in 0..2 {
            let answer = ask(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&here), "{answer}");
        }
    }
}

#[tokio::test]
async fn who_speaks_another_protocol_inside_is_refused() {
    let server = serve().await;
    let mut config = client(&server.shown, rustls::ALL_VERSIONS);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let error = connect(server.address, config).await.unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
}

/// A `ClientHello` of TLS 1.1 (RFC 4346, section 7.4.1.2) with one suite that TLS 1.2 has as well.
#[tokio::test]
async fn older_versions_are_refused() {
    let server = serve().await;
    let mut hello = vec![3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&record).await.unwrap();
    let answer = rest(&mut stream).await;
    // An alert, and a fatal one.
    assert_eq!((answer[0], answer[5]), (21, 2), "{answer:?}");
}

#[tokio::test]
async fn who_speaks_plain_http_is_told_to_speak_tls() {
    let server = serve().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: 65536\r\n\r\n").await.unwrap();
    stream.write_all(&vec![b' '; 65536]).await.unwrap();
    let answer = String::from_utf8(rest(&mut stream).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("https://"), "{answer}");
    // Others are served.
    assert!(ask(&mut connected(&server).await).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn the_answer_to_a_head_that_is_too_long_arrives() {
    let server = serve().await;
    let mut stream = connected(&server).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx-long: ").await.unwrap();
    // The server may have closed before all of it is written.
    let _ = stream.write_all(&vec![b'a'; 1024 * 1024]).await;
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn another_certificate_is_shown_from_the_next_handshake_on() {
    let server = serve().await;
    let mut before = connected(&server).await;
    assert!(ask(&mut before).await.starts_with("HTTP/1.1 200 "));
    let Certificate { identity, shown } = certificate();
    server.tls.replace(identity).unwrap();
    assert!(ask(&mut before).await.starts_with("HTTP/1.1 200 "), "what there is goes on");
    let new = client(&shown, rustls::ALL_VERSIONS);
    assert!(ask(&mut connect(server.address, new).await.unwrap()).await.starts_with("HTTP/1.1 200 "));
    let old = client(&server.shown, rustls::ALL_VERSIONS);
    assert!(connect(server.address, old).await.is_err(), "the old one is shown no more");
}

#[tokio::test]
async fn a_handshake_that_is_not_finished_is_cut_off() {
    let server = serve().await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut halting = TcpStream::connect(server.address).await.unwrap();
    halting.write_all(&[22, 3, 1]).await.unwrap();
    assert_eq!(rest(&mut silent).await, b"");
    assert_eq!(rest(&mut halting).await, b"");
}

#[tokio::test]
async fn however_many_do_not_finish_theirs_others_are_served() {
    let server = serve().await;
    let mut silent = Vec::new();
    // More than may be made at a time, and fewer than all connections there may be.
    for _ in 0..1100 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    assert!(ask(&mut connected(&server).await).await.starts_with("HTTP/1.1 200 "));
    // The first gave way long before its time was up.
    assert_eq!(timeout(Duration::from_secs(5), rest(&mut silent[0])).await.unwrap(), b"");
}

#[tokio::test]
async fn a_server_that_stops_does_not_wait_for_handshakes() {
    let server = serve().await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    // Whoever comes later is accepted later: it has been seen.
    drop(connected(&server).await);
    server.stop.send(()).unwrap();
    timeout(Duration::from_secs(5), server.done).await.unwrap().unwrap();
    assert_eq!(rest(&mut silent).await, b"");
}
