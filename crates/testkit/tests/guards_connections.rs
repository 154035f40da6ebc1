//! Streams over real connections: how they end.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use cerrojo_testkit::{TestApp, on_both_engines};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    done: JoinHandle<()>,
}

async fn serve(router: Router) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let done = tokio::spawn(cerrojo_web::serve(listener, router, async {
        let _ = stopped.await;
    }));
    Server { address, stop, done }
}

async fn follow(server: &Server) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /api/guards/events HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    BufReader::new(stream)
}

/// Lines up to one that begins so.
async fn read_to(stream: &mut BufReader<TcpStream>, beginning: &str) -> String {
    let mut all = String::new();
    let read = async {
        loop {
            let mut line = String::new();
            assert!(stream.read_line(&mut line).await.unwrap() > 0, "closed before {beginning}: {all}");
            all.push_str(&line);
            if line.starts_with(beginning) {
                return;
            }
        }
    };
    timeout(PATIENCE, read).await.unwrap();
    all
}

async fn scene(app: &TestApp) -> (Server, BufReader<TcpStream>) {
    app.user("ana").await;
    let server = serve(app.router()).await;
    let mut stream = follow(&server).await;
    let head = read_to(&mut stream, "event: hello").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    read_to(&mut stream, "event: snapshot").await;
    (server, stream)
}

/// Longer than a connection may stand still.
#[tokio::test]
async fn a_stream_lives_as_long_as_it_is_read() {
    on_both_engines(async |app| {
        let (_server, mut stream) = scene(&app).await;
        for _ in 0..16 {
            read_to(&mut stream, "event: heartbeat").await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_stops_says_goodbye_and_does_not_wait() {
    on_both_engines(async |app| {
        let (server, mut stream) = scene(&app).await;
        server.stop.send(()).unwrap();
        let last = read_to(&mut stream, "data: {\"retry\"").await;
        assert!(last.contains("event: goodbye"), "{last}");
        let mut rest = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
        drop(stream);
        // Sooner than connections are cut off.
        timeout(Duration::from_secs(9), server.done).await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test]
async fn whoever_goes_away_gives_the_place_back() {
    on_both_engines(async |app| {
        let (server, first) = scene(&app).await;
        let mut kept = vec![first];
        for _ in 1..8 {
            let mut stream = follow(&server).await;
            read_to(&mut stream, "event: hello").await;
            kept.push(stream);
        }
        let mut refused = follow(&server).await;
        let head = read_to(&mut refused, "HTTP/1.1").await;
        assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
        kept.clear();
        let again = async {
            loop {
                let mut stream = follow(&server).await;
                if read_to(&mut stream, "HTTP/1.1").await.starts_with("HTTP/1.1 200 ") {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, again).await.unwrap();
    })
    .await;
}
