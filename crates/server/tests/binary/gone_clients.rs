//! Clients who do not wait for their answer.

use std::io::Write as _;
use std::net::TcpStream;

use crate::installation::{Installation, PASSWORD};

const ANA: &str = "ana@example.com";

#[test]
fn who_goes_away_takes_no_place_in_the_queue_for_hashing() {
    let here = Installation::new()
        .with("CERROJO_LIMITS__LOGIN", "off")
        .with("CERROJO_PASSWORD__ARGON2_MEMORY_KIB", "131072")
        .with("CERROJO_PASSWORD__ARGON2_PASSES", "4")
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
    let answer = server.login(ANA, PASSWORD);
    assert_eq!(answer.status, 200, "{answer:?}");
    server.stop();
}
