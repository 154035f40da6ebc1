//! Connections: accepted, bounded in number and time, and closed without losing answers.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tower::Service as _;

use crate::doors::{Doors, Entered};
use crate::lingering::Lingering;
use crate::stream::Stopping;
use crate::unfold::Sparse;

/// Longest head of a request, in bytes; a longer one is 431.
const LONGEST_HEAD: usize = 64 * 1024;
/// A connection on which no request is being answered, none has begun and no piece of an answer has left for [`STILL`] of
/// these in a row is closed: it is idle, sends its head too slowly, or does not read its answer. A stream that speaks more
/// rarely has that much longer.
const TICK: Duration = Duration::from_secs(5);
/// How many of these.
const STILL: usize = 2;
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
    serve_behind(Doors::default(), (vec![listener], router), shutdown).await;
}

/// The same on several at once, behind `doors`, which bound how many connections one address may have, and may ask for TLS.
pub async fn serve_behind(
    doors: Doors,
    (listeners, router): (Vec<TcpListener>, Router),
    shutdown: impl Future<Output = ()> + Send,
) {
    let most = doors.most();
    let room = Arc::new(Semaphore::new(most as usize));
    let (stop, stopping) = watch::channel(());
    let mut shutdown = pin!(shutdown);
    let mut turn = 0;
    loop {
        let accepting = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, accept(&listeners, &mut turn).await)
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
                    tokio::spawn(meet((stream, peer), (place, entered), router.clone(), stopping.clone()));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(PAUSE).await;
            }
        }
    }
    drop(listeners);
    // The receivers see the change; all places free again means that every conversation is over.
    stop.send_replace(());
    if timeout(GRACE, room.acquire_many(most)).await.is_err() {
        tracing::warn!("connections were cut off: they did not finish in time");
    }
}

/// The next connection on any of them. They take turns, so that whoever floods one address keeps nobody out at another.
async fn accept(listeners: &[TcpListener], turn: &mut usize) -> io::Result<(TcpStream, SocketAddr)> {
    poll_fn(|cx| {
        for _ in listeners {
            *turn = (*turn + 1) % listeners.len();
            if let Some(Poll::Ready(accepted)) = listeners.get(*turn).map(|listener| listener.poll_accept(cx)) {
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    })
    .await
}

/// One connection, from the first byte to the last. Gives back what it takes up when it is over.
async fn meet<P>(
    (stream, peer): (TcpStream, SocketAddr),
    (place, entered): (P, Entered),
    router: Router,
    mut stopping: watch::Receiver<()>,
) {
    // A failure costs latency, nothing else.
    let _ = stream.set_nodelay(true);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, UNCONFIRMED);
    if let Some(tls) = entered.tls() {
        let shaken = tokio::select! {
            shaken = tls.accept((stream, peer.ip()), entered.block()) => shaken,
            // Nothing has begun that could be answered.
            _ = stopping.changed() => None,
        };
        if let Some(stream) = shaken {
            converse(stream, peer, router, stopping).await;
        }
    } else {
        converse(Lingering::new(stream), peer, router, stopping).await;
    }
    drop((place, entered));
}

/// What is said on one connection, from its first request to its last.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    peer: SocketAddr,
    router: Router,
    mut stopping: watch::Receiver<()>,
) {
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
                let mut response = response.unwrap_or_else(|never| match never {});
                pulse.expect(response.extensions_mut().remove::<Sparse>());
                Ok::<_, Infallible>(response.map(|body| Watched { body, pulse }))
            }
        })
    };
    // No timer: `Pulse` watches the time, at no cost a request.
    let connection = http1::Builder::new().max_buf_size(LONGEST_HEAD).serve_connection(TokioIo::new(stream), service);
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
                if still >= pulse.patience() {
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
    /// How many ticks more than usual nothing may move.
    sparse: AtomicUsize,
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

    /// How many ticks in a row nothing may move.
    fn patience(&self) -> usize {
        STILL.saturating_add(self.sparse.load(Ordering::Relaxed))
    }

    /// An answer begins of which something leaves at least so often: in that time nothing need move.
    fn expect(&self, sparse: Option<Sparse>) {
        let ticks = sparse.map_or(0, |Sparse(often)| often.as_secs() / TICK.as_secs());
        self.sparse.store(usize::try_from(ticks).unwrap_or(0), Ordering::Relaxed);
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
        if matches!(polled, Poll::Ready(None)) {
            self.pulse.expect(None);
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
