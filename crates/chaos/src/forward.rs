//! What stands between nodes and the database: passes bytes on to whichever server is the primary, or keeps them for a while.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How a statement begins that asks for notifications.
const LISTEN: &[u8] = b"LISTEN \"";

/// Where connections lead.
#[derive(Clone, Copy, Debug)]
struct Way {
    target: SocketAddr,
    /// Connections of an earlier one are closed.
    turn: u32,
    /// Nothing passes, in neither direction; nothing is lost.
    is_held: bool,
    /// Whoever wants to hear notifications loses the connection, as behind a pooler that does not keep it.
    is_deaf: bool,
}

/// Forwards connections for as long as it is kept.
#[derive(Debug)]
pub struct Forwarder(watch::Sender<Way>);

impl Forwarder {
    /// Listens on this address.
    ///
    /// # Panics
    /// If it cannot be listened on.
    #[must_use]
    pub fn start(address: SocketAddr, target: SocketAddr) -> Self {
        let (sender, mut way) = watch::channel(Way { target, turn: 0, is_held: false, is_deaf: false });
        let listener = std::net::TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        listener.set_nonblocking(true).expect("a listener that does not block");
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::spawn(accept(listener, way.clone()));
                while way.changed().await.is_ok() {}
            });
        });
        Self(sender)
    }

    /// From now on there; whoever is connected loses the connection.
    pub fn point_to(&self, target: SocketAddr) {
        self.0.send_modify(|way| (way.target, way.turn) = (target, way.turn.wrapping_add(1)));
    }

    /// From now on nobody hears notifications; whoever is connected loses the connection.
    pub fn keep_words_back(&self) {
        self.0.send_modify(|way| (way.is_deaf, way.turn) = (true, way.turn.wrapping_add(1)));
    }

    /// Nothing passes until it is let go again.
    pub fn hold(&self) {
        self.0.send_modify(|way| way.is_held = true);
    }

    /// What was held back passes.
    pub fn let_go(&self) {
        self.0.send_modify(|way| way.is_held = false);
    }
}

async fn accept(listener: TcpListener, way: watch::Receiver<Way>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => drop(tokio::spawn(forward(client, way.clone()))),
            // Out of file descriptors, or a client that was gone at once.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn forward(client: TcpStream, mut way: watch::Receiver<Way>) {
    let Ok(Way { target, turn, .. }) = passes(&mut way).await else { return };
    let Ok(server) = TcpStream::connect(target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (there, back) = (way.clone(), way.clone());
    tokio::select! {
        () = pass(from_client, to_server, there) => {}
        () = pass(from_server, to_client, back) => {}
        _ = way.wait_for(|way| way.turn != turn) => {}
    }
}

async fn passes(way: &mut watch::Receiver<Way>) -> Result<Way, watch::error::RecvError> {
    way.wait_for(|way| !way.is_held).await.map(|way| *way)
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut way: watch::Receiver<Way>) {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let Ok(read) = from.read(&mut bytes).await else { return };
        let Ok(Way { is_deaf, .. }) = passes(&mut way).await else { return };
        let wants_words = is_deaf && bytes[..read].windows(LISTEN.len()).any(|window| window == LISTEN);
        if wants_words || read == 0 || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
