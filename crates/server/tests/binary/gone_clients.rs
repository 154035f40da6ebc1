//! Clients who do not wait for their answer.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use cerrojo_chaos::process::within;

use crate::installation::{Installation, PASSWORD, Server};

const ANA: &str = "ana@example.com";

#[test]
fn who_goes_away_takes_no_place_in_the_queue_for_hashing() {
    let here = Installation::new()
        .with("CERROJO_LIMITS__LOGIN", "off")
        .with("CERROJO_PASSWORD__ARGON2_MEMORY_KIB", "32768")
        .with("CERROJO_PASSWORD__ARGON2_PASSES", "3")
        .with("CERROJO_PASSWORD__THREADS", "1");
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    server.token(ANA);
    let body = format!(r#"{{"email":"{ANA}","password":"not {PASSWORD}"}}"#);
    let head = "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json";
    let login = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    for _ in 0..300 {
        TcpStream::connect(server.address).unwrap().write_all(login.as_bytes()).unwrap();
    }
    // It hears of each by itself; how soon is the machine's.
    wait_until_nobody_is_connected(&server);
    let answer = server.login(ANA, PASSWORD);
    assert_eq!(answer.status, 200, "{answer:?}");
    server.stop();
}

/// Until the server has let go of every connection (`/proc/net/tcp`: state 0A listens, 06 is over).
fn wait_until_nobody_is_connected(server: &Server) {
    let port = format!(":{:04X}", server.address.port());
    let is_held = |line: &str| {
        let columns: Vec<_> = line.split_whitespace().collect();
        columns[1].ends_with(&port) && !["0A", "06"].contains(&columns[3])
    };
    let is_free = || !std::fs::read_to_string("/proc/net/tcp").unwrap().lines().any(is_held);
    let freed = within(Duration::from_mins(1), || is_free().then_some(()));
    assert!(freed.is_some(), "connections of clients that are gone are kept");
}
