//! Connections: accepted, bounded in number and time, and closed without losing answers.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tower::Service as _;

use crate::lingering::Lingering;

/// Connections at a time; further ones wait in the listener's queue.
const MOST_CONNECTIONS: u32 = 4096;
/// Longest head of a request, in bytes; a longer one is 431.
const LONGEST_HEAD: usize = 64 * 1024;
/// A connection on which no request is being answered and none has begun for two of these in a row is closed: it is idle,
/// sends its head too slowly, or does not read its answer.
const TICK: Duration = Duration::from_secs(5);
/// How long connections may go on with what they have begun after a shutdown was asked for.
const GRACE: Duration = Duration::from_secs(10);
/// Pause after the system refused a connection (no file descriptors left, most likely).
const PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` on `listener` until `shutdown` completes; then accepts nothing more, lets what was begun be answered
/// (10 s at most) and returns.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()> + Send) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS as usize));
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
                let conversation = converse(stream, peer, router.clone(), stopping.clone());
                tokio::spawn(async move {
                    conversation.await;
                    drop(place);
                });
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
    if timeout(GRACE, room.acquire_many(MOST_CONNECTIONS)).await.is_err() {
        tracing::warn!("connections were cut off: they did not finish in time");
    }
}

/// One connection, from its first request to its last.
async fn converse(stream: TcpStream, peer: SocketAddr, router: Router, mut stopping: watch::Receiver<()>) {
    // A failure costs latency, nothing else.
    let _ = stream.set_nodelay(true);
    let pulse = Arc::new(Pulse::default());
    let service = {
        let pulse = Arc::clone(&pulse);
        service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
            let beat = Beat::start(&pulse);
            request.extensions_mut().insert(ConnectInfo(peer));
            let answering = router.clone().call(request);
            async move {
                let response = answering.await;
                drop(beat);
                Ok::<_, Infallible>(response.unwrap_or_else(|never| match never {}))
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
                    tracing::debug!(%error, %peer, "a connection ended badly");
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
    begun: AtomicUsize,
    answering: AtomicUsize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    begun: usize,
    answering: usize,
}

impl Pulse {
    fn look(&self) -> Look {
        Look { begun: self.begun.load(Ordering::Relaxed), answering: self.answering.load(Ordering::Relaxed) }
    }
}

/// A request that is being answered.
struct Beat(Arc<Pulse>);

impl Beat {
    fn start(pulse: &Arc<Pulse>) -> Self {
        pulse.begun.fetch_add(1, Ordering::Relaxed);
        pulse.answering.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(pulse))
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
    }
}
