//! The stream of one's own session over a real connection: how long it may be silent, and what becomes of it when the server stops.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::time::Duration;

use cerrojo_testkit::{Actor, Engine, Options, TestApp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than this nobody waits for anything here.
const PATIENCE: Duration = Duration::from_secs(30);

struct Server {
    app: TestApp,
    listener: Option<TcpListener>,
    address: std::net::SocketAddr,
}

impl Server {
    async fn start() -> Self {
        let app = TestApp::start(Engine::Sqlite, Options::default()).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { app, listener: Some(listener), address }
    }

    fn serve(&mut self) -> (oneshot::Sender<()>, JoinHandle<()>) {
        let (stop, stopped) = oneshot::channel::<()>();
        let listener = self.listener.take().unwrap();
        let serving = cerrojo_web::serve(listener, self.app.router(), async { drop(stopped.await) });
        (stop, tokio::spawn(serving))
    }

    async fn follow(&self, actor: &Actor) -> Following {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head =
            format!("GET /api/auth/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", actor.token());
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut following = Following { stream, read: String::new() };
        following.until("event: session").await;
        following
    }
}

struct Following {
    stream: TcpStream,
    read: String,
}

impl Following {
    /// Reads on until this has come.
    async fn until(&mut self, wanted: &str) {
        while !self.read.contains(wanted) {
            let mut piece = [0; 1024];
            let length = timeout(PATIENCE, self.stream.read(&mut piece)).await.unwrap().unwrap();
            assert!(length > 0, "closed after {}", self.read);
            self.read.push_str(std::str::from_utf8(piece.get(..length).unwrap()).unwrap());
        }
    }

    /// What still comes until the other side closes.
    async fn rest(mut self) -> String {
        timeout(PATIENCE, self.stream.read_to_string(&mut self.read)).await.unwrap().unwrap();
        self.read
    }
}

#[tokio::test]
async fn a_stream_that_says_little_is_not_taken_for_a_dead_one() {
    let mut server = Server::start().await;
    let _serving = server.serve();
    let ana = server.app.user("ana").await;
    let mut following = server.follow(&ana).await;
    // A connection on which nothing moves is closed earlier than that.
    following.until("\r\n:\n\n").await;
    ana.logout().await;
    // The last chunk: the stream is over, the connection may be used for more.
    following.until("\r\n0\r\n\r\n").await;
    let all = &following.read;
    assert!(all.contains("event: ended") && all.contains("\"reason\":\"logout\""), "{all}");
    assert_eq!(server.app.inside().onlookers.count(), 0);
}

#[tokio::test]
async fn streams_are_closed_at_once_when_the_server_stops() {
    let mut server = Server::start().await;
    let (stop, stopped) = server.serve();
    let ana = server.app.user("ana").await;
    let following = server.follow(&ana).await;
    let begun = tokio::time::Instant::now();
    stop.send(()).unwrap();
    let all = following.rest().await;
    assert!(!all.contains("event: ended"), "{all}");
    stopped.await.unwrap();
    // Otherwise it is 10 s, and they are cut off.
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_client_that_goes_away_gives_its_place_back() {
    let mut server = Server::start().await;
    let _serving = server.serve();
    let ana = server.app.user("ana").await;
    for _ in 0..3 {
        let mut open = Vec::new();
        for _ in 0..4 {
            open.push(server.follow(&ana).await);
        }
        drop(open);
        let gone = async {
            while server.app.inside().onlookers.count() > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, gone).await.unwrap();
    }
}
