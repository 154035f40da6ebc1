//! Sockets that systemd opens and passes. A shell stands in for it: it puts them where they belong and starts the server in
//! its own place.

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use crate::http::request;
use crate::installation::{Installation, Ran};
use crate::metrics::ask;

/// `cerrojo serve` with these sockets; `variables` say what they are.
fn with_sockets(here: &Installation, sockets: [Option<OwnedFd>; 2], variables: &str) -> Command {
    let count = sockets.iter().flatten().count();
    let mut command = here.here("sh");
    let script = format!(
        "exec 3<&0 4<&1 0</dev/null 1>/dev/null; LISTEN_PID=${{PID:-$$}}; LISTEN_FDS={count}; {variables}; \
         export LISTEN_PID LISTEN_FDS; exec \"$0\" serve"
    );
    command.args(["-c", &script, env!("CARGO_BIN_EXE_cerrojo")]);
    let [first, second] = sockets.map(|socket| socket.map_or_else(Stdio::null, Stdio::from));
    command.stdin(first).stdout(second);
    command
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn named(names: &str) -> String {
    format!("export LISTEN_FDNAMES={names}")
}

#[test]
fn a_passed_socket_is_served_on_and_nobody_is_refused_while_the_server_starts_anew() {
    let (listener, address) = listener();
    // It takes part in no start and no stop: who connects meanwhile waits for an answer.
    let asking = || std::thread::spawn(move || request(address, "GET /health/ready", None, None).unwrap().status);
    let here = Installation::new();
    for _ in 0..2 {
        let asked = asking();
        let passed = listener.try_clone().unwrap().into();
        let server = Installation::serve_by(&mut with_sockets(&here, [Some(passed), None], &named("cerrojo")));
        assert_eq!(server.address, address);
        let said = server.said();
        assert!(said.contains(&format!("systemd passed a socket for requests, {address}")), "{said}");
        assert!(said.contains("server.listen is 127.0.0.1:0, but"), "{said}");
        assert_eq!(asked.join().unwrap(), 200);
        server.stop();
    }
}

#[test]
fn requests_and_metrics_go_by_name_whatever_the_order() {
    let ((public, address), (metrics, watched)) = (listener(), listener());
    // Without metrics.listen.
    let here = Installation::new();
    let sockets = [Some(metrics.into()), Some(public.into())];
    let server = Installation::serve_by(&mut with_sockets(&here, sockets, &named("cerrojo-metrics:cerrojo")));
    assert_eq!(server.address, address);
    assert_eq!(server.request("GET /health/ready", None, None).status, 200);
    assert_eq!(ask(watched, "GET /metrics").0, 200);
    server.stop();
}

#[test]
fn several_addresses_are_served_at_once() {
    let ((one, address), (other, too)) = (listener(), listener());
    let here = Installation::new();
    let sockets = [Some(one.into()), Some(other.into())];
    let server = Installation::serve_by(&mut with_sockets(&here, sockets, &named("cerrojo:cerrojo")));
    assert_eq!(server.address, address);
    for at in [address, too, address, too] {
        assert_eq!(request(at, "GET /health/ready", None, None).unwrap().status, 200);
    }
    server.stop();
}

#[test]
fn one_socket_without_a_name_is_for_requests() {
    for variables in [":", "export LISTEN_FDNAMES=unknown", "export LISTEN_FDNAMES=cerrojo.socket"] {
        let (listener, address) = listener();
        let here = Installation::new();
        let server = Installation::serve_by(&mut with_sockets(&here, [Some(listener.into()), None], variables));
        assert_eq!(server.address, address, "{variables}");
        server.stop();
    }
}

#[test]
fn what_was_meant_for_another_process_is_not_taken() {
    let (listener, address) = listener();
    let here = Installation::new();
    let variables = format!("LISTEN_PID=1; {}", named("cerrojo"));
    let server = Installation::serve_by(&mut with_sockets(&here, [Some(listener.into()), None], &variables));
    assert_ne!(server.address, address);
    server.stop();
}

#[test]
fn what_is_not_understood_is_refused() {
    let here = Installation::new();
    let refused = |sockets, names: &str, why: &str| {
        let mut command = with_sockets(&here, sockets, &named(names));
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        Ran::from(child.wait_with_output().unwrap()).refused(1, why);
    };
    let tcp = || Some(OwnedFd::from(listener().0));
    refused([tcp(), None], "web", "FileDescriptorName= has to be cerrojo (the API) or cerrojo-metrics (metrics)");
    refused([tcp(), tcp()], "cerrojo-metrics:cerrojo-metrics", "two sockets for metrics");
    refused([tcp(), tcp()], "unknown:unknown", "FileDescriptorName= has to be");
    refused([tcp(), tcp()], "cerrojo", "LISTEN_FDNAMES names 1 sockets, but LISTEN_FDS says that 2 were passed");
    let unix = UnixListener::bind(here.path("socket")).unwrap();
    refused([Some(unix.into()), None], "cerrojo", "is a Unix socket");
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    refused([Some(udp.into()), None], "cerrojo", "is no TCP socket");
    let (there, address) = listener();
    let connection = TcpStream::connect(address).unwrap();
    refused([Some(connection.into()), None], "cerrojo", "is a connection and no listening socket");
    drop(there);
}
