//! TLS by the server itself: what it shows, how it is renewed, and what is refused.

use std::fs::Permissions;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cerrojo_chaos::process::within;
use cerrojo_guard::{Denied, Guard};
use cerrojo_store::testing::Fresh;
use cerrojo_testkit::Exposition;
use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use crate::http::{Answer, exchange, request};
use crate::installation::{Installation, PASSWORD, Server};
use crate::metrics::{address_of, ask};

const ANA: &str = "ana@example.com";
const HOST: &str = "auth.example.com";
/// Files are looked at every second; a busy machine is slower.
const PATIENCE: Duration = Duration::from_secs(30);

/// A certificate that is its own root, and its key.
struct Made {
    certificate: CertificateDer<'static>,
    pem: String,
    key: String,
}

fn made_with(change: impl FnOnce(&mut CertificateParams)) -> Made {
    let mut params = CertificateParams::new([HOST.to_owned()]).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Made { certificate: certificate.der().clone(), pem: certificate.pem(), key: key.serialize_pem() }
}

fn made() -> Made {
    made_with(|_| ())
}

fn expired() -> Made {
    made_with(|params| params.not_after = date_time_ymd(2024, 2, 29))
}

fn for_another_host() -> Made {
    let elsewhere = CertificateParams::new(["other.example".to_owned()]).unwrap().subject_alt_names;
    made_with(|params| params.subject_alt_names = elsewhere)
}

/// Puts a file in another's place at once.
fn put(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::set_permissions(&new, Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(new, path).unwrap();
}

fn put_pair(here: &Installation, certificate: &str, key: &str) {
    put(&here.path("privkey.pem"), key);
    put(&here.path("fullchain.pem"), certificate);
}

fn installation(pair: &Made) -> Installation {
    let here = Installation::new()
        .with("CERROJO_SERVER__PUBLIC_URL", &format!("https://{HOST}"))
        .with("CERROJO_SERVER__TLS_CERTIFICATE", "fullchain.pem")
        .with("CERROJO_SERVER__TLS_KEY", "privkey.pem");
    put_pair(&here, &pair.pem, &pair.key);
    here
}

fn client(trusted: &Made) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// A client that trusts one certificate, at one of this machine's own addresses.
struct Client {
    server: SocketAddr,
    from: SocketAddr,
    config: Arc<ClientConfig>,
}

impl Client {
    fn of(server: &Server, trusted: &Made) -> Self {
        Self { server: server.address, from: "127.0.0.1:0".parse().unwrap(), config: client(trusted) }
    }

    fn from(self, address: &str) -> Self {
        Self { from: SocketAddr::new(address.parse().unwrap(), 0), ..self }
    }

    fn connect(&self) -> TcpStream {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let stream = runtime.block_on(async {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(self.from).unwrap();
            socket.connect(self.server).await.unwrap().into_std().unwrap()
        });
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn request(&self, line: &str, token: Option<&str>, body: Option<&Value>) -> std::io::Result<Answer> {
        let name = ServerName::try_from(HOST).unwrap();
        let connection = ClientConnection::new(Arc::clone(&self.config), name).unwrap();
        exchange(&mut StreamOwned::new(connection, self.connect()), line, token, body)
    }

    fn login(&self, password: &str) -> Answer {
        let body = json!({ "email": ANA, "password": password });
        self.request("POST /api/auth/login", None, Some(&body)).unwrap()
    }

    fn is_served(&self) -> bool {
        self.request("GET /health/live", None, None).is_ok_and(|answer| answer.status == 200)
    }
}

/// Until the log says so.
#[track_caller]
fn wait_for(server: &Server, words: &str) {
    let said = within(PATIENCE, || server.said().contains(words).then_some(()));
    assert!(said.is_some(), "{words:?} is not said: {}", server.said());
}

#[test]
fn a_session_begins_is_checked_and_ends_over_tls() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fresh = runtime.block_on(Fresh::postgres());
    for database in ["sqlite:data/cerrojo.db", &fresh.url] {
        let pair = made();
        let here = installation(&pair).with("CERROJO_DATABASE__URL", database).with("CERROJO_LOG__LEVEL", "trace");
        here.add_user(ANA, "user").ok();
        let server = here.serve();
        assert!(server.said().contains("listening on https://"), "{}", server.said());
        let client = Client::of(&server, &pair);
        let answer = client.login(PASSWORD);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.head.contains("strict-transport-security: max-age=31536000"), "{}", answer.head);
        let token = answer.body["data"]["token"].as_str().unwrap();
        let verify = || client.request("GET /api/auth/verify", Some(token), None).unwrap().status;
        assert_eq!(verify(), 200);
        assert_eq!(client.request("POST /api/auth/logout", Some(token), None).unwrap().status, 200);
        assert_eq!(verify(), 401);
        // In the clear it is told that it should not be.
        let plain = request(server.address, "GET /api/auth/verify", Some(token), None).unwrap();
        assert_eq!(plain.status, 400, "{plain:?}");
        let said = server.stopped();
        assert!(pair.key.lines().filter(|line| !line.starts_with('-')).all(|line| !said.contains(line)));
    }
}

#[test]
fn a_browser_is_not_held_to_https_on_this_machine() {
    let pair = made();
    let here = installation(&pair).with("CERROJO_SERVER__PUBLIC_URL", "https://localhost:4000");
    let server = here.serve();
    let answer = Client::of(&server, &pair).request("GET /health/live", None, None).unwrap();
    assert!(answer.status == 200 && !answer.head.contains("strict-transport"), "{answer:?}");
}

#[test]
fn limits_go_by_the_address_of_whoever_connects() {
    let pair = made();
    let here = installation(&pair).with("CERROJO_LIMITS__LOGIN", "2/15m");
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    let (one, other) = ("127.0.0.2", "127.0.0.3");
    let wrong = |from| Client::of(&server, &pair).from(from).login("a wrong password 1").status;
    assert_eq!([wrong(one), wrong(one), wrong(one)], [401, 401, 429]);
    assert_eq!(wrong(other), 401);
    assert_eq!(Client::of(&server, &pair).from(one).login(PASSWORD).status, 429);
    assert_eq!(Client::of(&server, &pair).from(other).login(PASSWORD).status, 200);
}

#[test]
fn a_guard_follows_over_tls() {
    let pair = made_with(|params| params.subject_alt_names.push(SanType::IpAddress(Ipv4Addr::LOCALHOST.into())));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let issuer = format!("https://127.0.0.1:{port}");
    let here = installation(&pair)
        .with("CERROJO_SERVER__PUBLIC_URL", &issuer)
        .with("CERROJO_SERVER__LISTEN", &format!("127.0.0.1:{port}"));
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    let client = Client::of(&server, &pair);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let connecting = Guard::connect_with(&issuer).ca_file(here.path("fullchain.pem")).start_within(PATIENCE);
    let guard = runtime.block_on(connecting.connect()).unwrap();
    let answer = client.login(PASSWORD);
    let token = answer.body["data"]["token"].as_str().unwrap();
    assert!(runtime.block_on(guard.check(token)).is_ok());
    assert_eq!(client.request("POST /api/auth/logout", Some(token), None).unwrap().status, 200);
    let refused = within(PATIENCE, || (guard.check_now(token) == Err(Denied::Invalid)).then_some(()));
    assert!(refused.is_some(), "{:?}", guard.check_now(token));
}

#[test]
fn a_renewed_certificate_is_taken_and_what_cannot_be_used_is_not() {
    let first = made();
    let here = installation(&first).with("CERROJO_METRICS__LISTEN", "127.0.0.1:0");
    let server = here.serve();
    let metric = |name: &str| Exposition::parse(&ask(address_of(&server), "GET /metrics").2).value(name);
    let takes = |pair: &Made| {
        let client = Client::of(&server, pair);
        within(PATIENCE, || client.is_served().then_some(())).is_some()
    };
    assert!(takes(&first));
    let second = made_with(|params| params.not_after = date_time_ymd(2099, 1, 2));
    put_pair(&here, &second.pem, &second.key);
    assert!(takes(&second), "{}", server.said());
    assert!(!Client::of(&server, &first).is_served(), "the one from before is shown no more");
    assert!((metric("cerrojo_tls_certificate_not_after_timestamp_seconds") - 4_070_995_200.0).abs() < 1e-3);
    assert!(metric("cerrojo_tls_certificate_refused").abs() < 1e-9);

    put(&here.path("privkey.pem"), &first.key);
    wait_for(&server, "is not the key of the first certificate in fullchain.pem");
    assert!(Client::of(&server, &second).is_served());
    assert!((metric("cerrojo_tls_certificate_refused") - 1.0).abs() < 1e-9);
    std::fs::remove_file(here.path("fullchain.pem")).unwrap();
    wait_for(&server, "server.tls_certificate: fullchain.pem: No such file");
    let expired = expired();
    put_pair(&here, &expired.pem, &expired.key);
    wait_for(&server, "fullchain.pem: it expired at 2024-02-29");
    assert!(Client::of(&server, &second).is_served());

    let other = for_another_host();
    put_pair(&here, &other.pem, &other.key);
    wait_for(
        &server,
        "the pair from before stays in use error=\"server.tls_certificate: fullchain.pem: is not for auth.example.com",
    );
    assert!(Client::of(&server, &second).is_served());

    let third = made();
    put_pair(&here, &third.pem, &third.key);
    assert!(takes(&third), "{}", server.said());
    assert!(metric("cerrojo_tls_certificate_refused").abs() < 1e-9);
    assert!(metric("cerrojo_tls_handshakes_total{outcome=\"success\"}") >= 4.0);
    assert!(metric("cerrojo_tls_handshakes_total{outcome=\"failed\"}") >= 1.0, "somebody did not trust it");
    assert_eq!(server.said().matches("is not the key of").count(), 1, "each is told once: {}", server.said());
    server.stop();
}

#[test]
fn with_what_cannot_work_no_server_starts() {
    let pair = made();
    let here = installation(&pair);
    here.run(&["config", "check"]).ok();
    let other = made();
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let damaged = "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n";
    let cases = [
        (pair.pem.as_str(), other.key.as_str(), "server.tls_key: privkey.pem: is not the key of the first certificate"),
        (&pair.pem, encrypted, "passphrase"),
        (&pair.pem, &pair.pem, "server.tls_key: privkey.pem: there is no private key in it"),
        (&pair.pem, "", "there is no private key in it"),
        (&pair.key, &pair.key, "server.tls_certificate: fullchain.pem: there is no certificate in it"),
        (damaged, &pair.key, "a certificate in it cannot be read"),
        (&pair.pem[..100], &pair.key, "it is damaged"),
    ];
    for (certificate, key, why) in cases {
        put_pair(&here, certificate, key);
        for arguments in [&["config", "check"][..], &["serve"]] {
            let ran = here.run(arguments).refused(1, why);
            assert!(!ran.err.contains("listening"), "{ran:?}");
        }
    }
    std::fs::remove_file(here.path("privkey.pem")).unwrap();
    put(&here.path("fullchain.pem"), &pair.pem);
    here.run(&["serve"]).refused(1, "server.tls_key: privkey.pem: No such file");
}

#[test]
fn a_pipe_in_place_of_a_certificate_is_not_waited_for() {
    let here = installation(&made());
    let server = here.serve();
    std::fs::remove_file(here.path("fullchain.pem")).unwrap();
    assert!(here.here("mkfifo").arg("fullchain.pem").status().unwrap().success());
    server.signal(rustix::process::Signal::HUP);
    wait_for(&server, "server.tls_certificate: fullchain.pem: it is not a regular file");
    server.stop();
    for arguments in [&["config", "check"][..], &["serve"]] {
        here.run(arguments).refused(1, "server.tls_certificate: fullchain.pem: it is not a regular file");
    }
}

#[test]
fn what_will_work_for_nobody_is_warned_of() {
    let later = made_with(|params| params.not_before = date_time_ymd(2099, 1, 1));
    let stranger = made_with(|params| params.distinguished_name.push(DnType::CommonName, "a stranger"));
    let unordered = made();
    let unordered = Made { pem: unordered.pem + &stranger.pem, ..unordered };
    for (pair, mode, warning) in [
        (expired(), 0o600, "it expired at 2024-02-29T00:00:00.000Z"),
        (later, 0o600, "it is good only from 2099-01-01T00:00:00.000Z on"),
        (
            for_another_host(),
            0o600,
            "is not for auth.example.com, where clients reach the server (server.public_url), but for other.example",
        ),
        (made(), 0o644, "can be read by everybody on this machine: chmod 600 privkey.pem"),
        (unordered, 0o600, "do not lead from one to the next"),
    ] {
        let here = installation(&pair);
        std::fs::set_permissions(here.path("privkey.pem"), Permissions::from_mode(mode)).unwrap();
        let ran = here.run(&["config", "check"]).ok();
        assert!(ran.err.contains("warning: server.tls_") && ran.err.contains(warning), "{ran:?}");
        let said = here.serve().stopped();
        assert!(said.contains(warning), "{warning:?} is not said: {said}");
    }
}

#[test]
fn the_doctor_looks_at_the_certificate_and_expects_no_proxy() {
    let found = |here: &Installation, check: &str| {
        let all = here.run(&["doctor", "--json"]).json();
        all["checks"].as_array().unwrap().iter().find(|found| found["check"] == check).unwrap().clone()
    };
    let here = installation(&made());
    assert_eq!(found(&here, "TLS files")["level"], "ok");
    assert_eq!(found(&here, "proxy headers")["level"], "ok");
    let late = found(&installation(&expired()), "TLS files");
    assert_eq!(late["level"], "problem", "{late}");
    assert!(late["says"].as_str().unwrap().contains("it expired at"), "{late}");
    // The server of this machine is asked, whatever answers at the public URL and whomever this machine trusts.
    let server = here.serve();
    let ready = found(&here, "server");
    assert!(ready["level"] == "ok" && ready["says"].as_str().unwrap().contains("and is ready"), "{ready}");
    server.stop();
    put(&here.path("privkey.pem"), &made().key);
    assert_eq!(found(&here, "TLS files")["level"], "problem");
}
