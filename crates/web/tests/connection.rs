//! Connections as clients see them: real sockets, a router of one route.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use hyper::body::Frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

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

fn hello() -> Router {
    Router::new()
        .route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }))
        .route("/", post(|body: Bytes| async move { body.len().to_string() }))
}

/// Everything that comes until the other side closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One answer with a `content-length`, read to its end; the connection stays open.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return text;
            }
        }
        text.push(char::from(stream.read_u8().await.unwrap()));
    }
}

#[tokio::test]
async fn a_connection_carries_many_requests_and_says_where_it_comes_from() {
    let server = serve(hello()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let here = stream.local_addr().unwrap().to_string();
    for _ in 0..3 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(answer(&mut stream).await.ends_with(&here));
    }
}

#[tokio::test]
async fn a_head_of_a_megabyte_is_431_and_the_answer_arrives() {
    let server = serve(hello()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx-long: ").await.unwrap();
    stream.write_all(&vec![b'a'; 1024 * 1024]).await.unwrap();
    stream.write_all(b"\r\n\r\n").await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_handler_that_panics_takes_nothing_but_its_connection_down() {
    let server = serve(hello().route("/broken", post(async || -> &'static str { panic!("on purpose") }))).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"POST /broken HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let mut nothing = Vec::new();
    // Closed or reset: no answer in either case.
    let _ = stream.read_to_end(&mut nothing).await;
    assert_eq!(nothing, b"");
    let mut next = TcpStream::connect(server.address).await.unwrap();
    next.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(rest(&mut next).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_handler_with_it() {
    struct Tell(Option<oneshot::Sender<()>>);
    impl Drop for Tell {
        fn drop(&mut self) {
            let _ = self.0.take().unwrap().send(());
        }
    }
    static BEGUN: Notify = Notify::const_new();
    let (tell, gone) = oneshot::channel();
    let tell = Arc::new(Mutex::new(Some(tell)));
    let endless = post(|_: Bytes| async move {
        let _tell = Tell(tell.lock().unwrap().take());
        BEGUN.notify_one();
        std::future::pending::<&'static str>().await
    });
    let server = serve(Router::new().route("/", endless)).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    BEGUN.notified().await;
    drop(stream);
    gone.await.unwrap();
}

#[tokio::test]
async fn what_is_no_http_is_400() {
    let server = serve(hello()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn a_shutdown_lets_what_was_begun_be_answered() {
    static BEGUN: Notify = Notify::const_new();
    static GO_ON: Notify = Notify::const_new();
    let router = Router::new().route(
        "/",
        get(|| async {
            BEGUN.notify_one();
            GO_ON.notified().await;
            "done"
        }),
    );
    let server = serve(router).await;
    let mut busy = TcpStream::connect(server.address).await.unwrap();
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    busy.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    BEGUN.notified().await;
    server.stop.send(()).unwrap();
    assert_eq!(rest(&mut idle).await, "");
    assert!(TcpStream::connect(server.address).await.is_err());
    assert!(!server.done.is_finished());
    GO_ON.notify_one();
    assert!(rest(&mut busy).await.ends_with("done"));
    server.done.await.unwrap();
}

#[tokio::test]
async fn who_sends_too_slowly_or_not_at_all_is_let_go() {
    let (halfway, silent) = tokio::join!(after_sending(b"GET / HT"), after_sending(b""));
    assert_eq!((halfway, silent), (String::new(), String::new()));
}

/// What comes until the server closes, which it must do by itself.
async fn after_sending(beginning: &[u8]) -> String {
    let server = serve(hello()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(beginning).await.unwrap();
    tokio::time::timeout(Duration::from_secs(45), rest(&mut stream)).await.unwrap()
}

/// A body without end that tells when it is dropped.
struct Endless(Option<oneshot::Sender<()>>);

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 4096])))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        let _ = self.0.take().unwrap().send(());
    }
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_is_let_go_and_who_takes_it_is_not() {
    let (tell, gone) = oneshot::channel();
    let tell = Arc::new(Mutex::new(Some(tell)));
    let endless = get(|| async move { Body::new(Endless(tell.lock().unwrap().take())) });
    let server = serve(Router::new().route("/", endless)).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    tokio::pin!(gone);
    let mut some = vec![0; 1024 * 1024];
    // Longer than a connection may stand still.
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    for _ in 0..16 {
        tokio::select! {
            _ = beat.tick() => stream.read_exact(&mut some).await.map(drop).unwrap(),
            _ = &mut gone => panic!("it was being read"),
        }
    }
    tokio::time::timeout(Duration::from_secs(45), gone).await.unwrap().unwrap();
}
