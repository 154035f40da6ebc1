//! Debian's nginx in front of a service, with the configuration that `docs/SERVICES.md` has.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;

use crate::installation::Installation;

const ANA: &str = "ana@example.com";

/// The first block of that kind in the document.
fn documented() -> String {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/SERVICES.md");
    let text = std::fs::read_to_string(document).unwrap();
    let (_, block) = text.split_once("```nginx\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// Answers every request with `answer` and remembers what it was sent.
struct Backend {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Backend {
    fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read_request(&mut stream);
                told.lock().unwrap().push(request);
                let length = answer.split_once("\r\n\r\n").unwrap().1.len();
                let head =
                    answer.replacen("\r\n", &format!("\r\nContent-Length: {length}\r\nConnection: close\r\n"), 1);
                let _ = stream.write_all(head.as_bytes());
            }
        });
        Self { address, seen }
    }

    fn last(&self) -> String {
        self.seen.lock().unwrap().last().unwrap().clone()
    }

    fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

/// Head and body, the head in lower case.
fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return format!("{head}\r\n\r\n{body}");
            }
        }
        let mut some = [0; 4096];
        let count = stream.read(&mut some).unwrap();
        if count == 0 {
            return text;
        }
        bytes.extend(&some[..count]);
    }
}

/// nginx in a folder of its own; ended when dropped.
struct Nginx {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Nginx {
    /// Another process may take the free port first: then another one is tried.
    fn start(locations: &str) -> Self {
        let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/nginx-for-tests");
        let found = Command::new(tool).stdin(Stdio::null()).output().unwrap();
        assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
        let program = String::from_utf8(found.stdout).unwrap();
        for _ in 0..10 {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            if let Some(nginx) = Self::listen(program.trim(), locations, address) {
                return nginx;
            }
        }
        panic!("nginx does not start");
    }

    fn listen(program: &str, locations: &str, address: SocketAddr) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = kinds.map(|kind| format!("{kind}_temp_path {at}/{kind};\n")).concat();
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid {at}/pid;\nerror_log {at}/error.log;\nevents {{}}\n\
             http {{\naccess_log off;\n{temporary}server {{\nlisten {address};\n{locations}}}\n}}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
        let mut child = Command::new(program)
            .args(["-p", &at.to_string(), "-e", &format!("{at}/error.log"), "-c", &format!("{at}/nginx.conf")])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let log = folder.path().join("error.log");
        for _ in 0..600 {
            if TcpStream::connect(address).is_ok() {
                return Some(Self { child, address, _folder: folder });
            }
            if child.try_wait().unwrap().is_some() {
                let why = std::fs::read_to_string(log).unwrap_or_default();
                assert!(why.contains("Address already in use"), "{why}");
                return None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = child.kill();
        panic!("nginx does not listen");
    }

    /// Status and the whole answer.
    fn ask(&self, line: &str, headers: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn between(cerrojo: SocketAddr, backend: SocketAddr) -> String {
    let block = documented();
    assert!(block.contains("127.0.0.1:4000") && block.contains("127.0.0.1:8080"), "{block}");
    block.replace("127.0.0.1:4000", &cerrojo.to_string()).replace("127.0.0.1:8080", &backend.to_string())
}

const FINE: &str = "HTTP/1.1 200 OK\r\n\r\nfrom the service";

#[test]
fn nginx_lets_in_whoever_has_a_good_token_until_it_is_over() {
    let here = Installation::new();
    here.add_user(ANA, "admin").ok();
    let server = here.serve();
    let token = server.token(ANA);
    let service = Backend::start(FINE);
    let nginx = Nginx::start(&between(server.address, service.address));

    let (status, answer) = nginx.ask("GET /", "", "");
    assert_eq!(status, 401, "{answer}");
    assert!(answer.to_lowercase().contains("www-authenticate: bearer"), "{answer}");
    assert_eq!(nginx.ask("GET /", "Authorization: Bearer a.b.c\r\nX-Auth-User-Id: 1\r\n", "").0, 401);
    assert_eq!(service.count(), 0, "nothing reached the service");

    let bearer = format!("Authorization: Bearer {token}\r\nX-Auth-User-Id: 999\r\nX-Auth-Role: root\r\n");
    let (status, answer) = nginx.ask("POST /orders?x=1", &bearer, "a body");
    assert_eq!(status, 200, "{answer}");
    assert!(answer.ends_with("from the service"), "{answer}");
    let seen = service.last();
    assert!(seen.starts_with("post /orders?x=1 ") && seen.ends_with("a body"), "{seen}");
    for header in ["x-auth-user-id: 1\r\n", "x-auth-email: ana@example.com", "x-auth-role: admin", "x-auth-name: ana"] {
        assert_eq!(seen.matches(header.split_once(": ").unwrap().0).count(), 1, "{seen}");
        assert!(seen.contains(header), "{header} in {seen}");
    }
    assert!(seen.contains("x-auth-session: "), "{seen}");

    assert_eq!(server.logout(&token), 200);
    assert_eq!(nginx.ask("GET /", &bearer, "").0, 401);
    assert_eq!(service.count(), 1);
    server.kill();
    assert_eq!(nginx.ask("GET /", &bearer, "").0, 500, "nobody to ask");
    assert_eq!(service.count(), 1);
}

#[test]
fn nginx_makes_a_500_of_a_503_unless_it_is_told_otherwise() {
    let unavailable = Backend::start("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n{}");
    let service = Backend::start(FINE);
    let documented = between(unavailable.address, service.address);
    let (status, answer) = Nginx::start(&documented).ask("GET /", "Authorization: Bearer a.b.c\r\n", "");
    assert_eq!(status, 503, "{answer}");
    assert!(answer.to_lowercase().contains("retry-after: 1"), "{answer}");
    let plain = documented.replace("error_page 500 = @cerrojo_failed;", "");
    assert_ne!(plain, documented);
    assert_eq!(Nginx::start(&plain).ask("GET /", "Authorization: Bearer a.b.c\r\n", "").0, 500);
    assert_eq!(service.count(), 0);
}

#[test]
fn streams_come_through_nginx_as_they_are_made() {
    let here = Installation::new();
    let server = here.serve();
    let nginx = Nginx::start(&format!("location / {{\nproxy_pass http://{};\n}}\n", server.address));
    let mut stream = TcpStream::connect(nginx.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(b"GET /api/guards/events HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut read = String::new();
    while read.matches("event: heartbeat").count() < 2 {
        let mut some = [0; 4096];
        let count = stream.read(&mut some).unwrap();
        assert!(count > 0, "{read}");
        read.push_str(&String::from_utf8_lossy(&some[..count]));
    }
    assert!(read.contains("event: hello") && read.contains("event: snapshot"), "{read}");
    server.stop();
}
