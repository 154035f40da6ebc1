//! `cerrojo service` beside a running server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use serde_json::json;

use crate::installation::{Installation, Server};

fn follow(server: &Server, credentials: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let basic = base64::engine::general_purpose::STANDARD.encode(credentials);
    let head = format!("GET /api/guards/events HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {basic}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    BufReader::new(stream)
}

/// The next line that begins so; `None`: the server closed before.
fn find(stream: &mut BufReader<TcpStream>, beginning: &str) -> Option<String> {
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap() == 0 || line == "0\r\n" {
            return None;
        }
        if line.starts_with(beginning) {
            return Some(line);
        }
    }
}

#[test]
fn a_service_is_added_and_removed_beside_a_running_server() {
    let here = Installation::new();
    let server = here.serve();
    let added = here.run(&["service", "add", "orders"]).ok();
    let secret = added.out.trim();
    assert_eq!((secret.len(), added.out.lines().count()), (43, 1), "the secret alone: {added:?}");
    assert!(added.err.contains("not shown again"), "{added:?}");
    assert!(!server.said().contains(secret));
    here.run(&["service", "add", "orders"]).refused(1, "already");
    here.run(&["service", "add", "no good"]).refused(2, "name");

    let credentials = format!("orders:{secret}");
    let mut stream = follow(&server, &credentials);
    assert!(find(&mut stream, "HTTP/1.1").unwrap().starts_with("HTTP/1.1 200 "));
    find(&mut stream, "event: heartbeat").unwrap();

    let listed = here.run(&["service", "list", "--json"]).ok().json();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["name"]), (1, &json!("orders")));
    assert!(listed[0]["created_at"].is_string() && !listed.to_string().contains(secret));
    assert!(here.run(&["service", "list"]).ok().out.contains("orders"));

    here.run(&["service", "remove", "orders"]).refused(2, "--yes");
    here.run(&["service", "remove", "orders", "--yes"]).ok();
    assert_eq!(find(&mut stream, "event: nothing of this name"), None, "the stream ends");
    let mut again = follow(&server, &credentials);
    assert!(find(&mut again, "HTTP/1.1").unwrap().starts_with("HTTP/1.1 401 "));
    here.run(&["service", "remove", "orders", "--yes"]).refused(1, "no service orders");
    assert!(here.run(&["completions", "bash"]).ok().out.contains("cerrojo__subcmd__service"));
    server.stop();
}

#[test]
fn a_server_that_stops_says_goodbye_to_its_streams() {
    let here = Installation::new();
    let server = here.serve();
    let secret = here.run(&["service", "add", "orders"]).ok().out;
    let mut stream = follow(&server, &format!("orders:{}", secret.trim()));
    find(&mut stream, "event: snapshot").unwrap();
    let reader = std::thread::spawn(move || find(&mut stream, "event: goodbye"));
    server.stop();
    assert!(reader.join().unwrap().is_some());
}
