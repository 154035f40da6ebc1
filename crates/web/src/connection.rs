//! Connections: accepted, bounded in number and time, and closed without losing answers.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use hyper::body::{Frame, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tower::Service as _;

use crate::doors::{Doors, Entered};
use crate::lingering::Lingering;
use crate::stream::Stopping;

/// Longest head of a request, in bytes; a longer one is 431.
const LONGEST_HEAD: usize = 64 * 1024;
/// A connection on which no request is being answered, none has begun and no piece of an answer has left for two of these
/// in a row is closed: it is idle, sends its head too slowly, or does not read its answer.
const TICK: Duration = Duration::from_secs(5);
/// How long connections may go on with what they have begun after a shutdown was asked for.
const GRACE: Duration = Duration::from_secs(10);
/// How long the other side's system may leave unconfirmed what was sent, in milliseconds. Without it a machine that is
/// gone holds its places for as long as its streams last.
const UNCONFIRMED: u32 = 10_000;
/// Pause after the system refused a connection (no file descriptors left, most likely).
const PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` on `listener` until `shutdown` completes; then accepts nothing more, lets what was begun be answered
/// (10 s at most) and returns.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()> + Send) {
    serve_behind(Doors::default(), (listener, router), shutdown).await;
}

/// The same behind `doors`, which bound how many connections one address may have.
pub async fn serve_behind(
    doors: Doors,
    (listener, router): (TcpListener, Router),
    shutdown: impl Future<Output = ()> + Send,
) {
    let most = doors.most();
    let room = Arc::new(Semaphore::new(most as usize));
    let (stop, stopping) = watch::channel(());
    let mut shutdown = pin!(shutdown);
    loop {
        let accepting = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accepting => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Otherwise closed at once: whoever has that many is answered on those.
                if let Some(entered) = doors.enter(peer.ip()) {
                    let conversation = converse(stream, peer, router.clone(), stopping.clone());
                    tokio::spawn(keep(conversation, (place, entered)));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    // The receivers see the change; all places free again means that every conversation is over.
    stop.send_replace(());
    if timeout(GRACE, room.acquire_many(most)).await.is_err() {
        tracing::warn!("connections were cut off: they did not finish in time");
    }
}

/// Gives back what a connection takes up when it is over.
async fn keep<P>(conversation: impl Future<Output = ()>, kept: (P, Entered)) {
    conversation.await;
    drop(kept);
}

/// One connection, from its first request to its last.
async fn converse(stream: TcpStream, peer: SocketAddr, router: Router, mut stopping: watch::Receiver<()>) {
    // A failure costs latency, nothing else.
    let _ = stream.set_nodelay(true);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, UNCONFIRMED);
    let pulse = Arc::new(Pulse::default());
    let service = {
        let (pulse, stopping) = (Arc::clone(&pulse), Stopping(stopping.clone()));
        service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
            let beat = Beat::start(&pulse);
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(stopping.clone());
            let pulse = Arc::clone(&pulse);
            let answering = router.clone().call(request);
            async move {
                let response = answering.await;
                drop(beat);
                let response = response.unwrap_or_else(|never| match never {});
                Ok::<_, Infallible>(response.map(|body| Watched { body, pulse }))
            }
        })
    };
    // No timer: `Pulse` watches the time, at no cost a request.
    let connection = http1::Builder::new()
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(Lingering::new(stream)), service);
    let mut connection = pin!(connection);
    let mut tick = interval_at(Instant::now() + TICK, TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = pulse.look();
    let mut still = 0;
    let mut open = true;
    loop {
        tokio::select! {
            biased;
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(%error, client.address = %peer.ip(), "a connection ended badly");
                }
                return;
            }
            _ = stopping.changed(), if open => {
                open = false;
                connection.as_mut().graceful_shutdown();
            }
            _ = tick.tick() => {
                let now = pulse.look();
                still = if now == last && now.answering == 0 { still + 1 } else { 0 };
                last = now;
                if still >= 2 {
                    return;
                }
            }
        }
    }
}

/// What goes on on a connection.
#[derive(Default)]
struct Pulse {
    /// Requests begun and pieces of answers sent.
    progress: AtomicUsize,
    answering: AtomicUsize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    progress: usize,
    answering: usize,
}

impl Pulse {
    fn look(&self) -> Look {
        Look { progress: self.progress.load(Ordering::Relaxed), answering: self.answering.load(Ordering::Relaxed) }
    }
}

/// A request that is being answered.
struct Beat(Arc<Pulse>);

impl Beat {
    fn start(pulse: &Arc<Pulse>) -> Self {
        pulse.progress.fetch_add(1, Ordering::Relaxed);
        pulse.answering.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(pulse))
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer's body: each piece that is taken from it is progress. hyper takes the next one only when there is room, so
/// that nothing moves on a connection whose other side does not read.
struct Watched {
    body: Body,
    pulse: Arc<Pulse>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_ready() {
            self.pulse.progress.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
