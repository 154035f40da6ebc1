//! Following the event stream, again and again.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use tokio::time::{sleep, timeout};

use super::http::Trouble;
use super::pause::{self, Backoff};
use super::shared::{Shared, count};
use crate::follow::{Position, Stream};

/// A guard asks again after this at the latest, less up to a fifth of it.
const LONGEST_STREAM: Duration = Duration::from_mins(5);
/// A stream is silent after so many heartbeats without a byte.
const MISSED_HEARTBEATS: u32 = 3;
/// The longest that a server's wish to be left alone is heeded; meanwhile the guard polls.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How a stream ended.
enum End {
    /// It has lasted long enough.
    Renew,
    /// The server said goodbye: come back within this time.
    Goodbye(Duration),
    /// It was lost, or there was none. Whether it had been of use, and how long the server wants to be left alone.
    Lost { was_current: bool, retry_after: Option<Duration> },
}

/// Follows the server until it is aborted.
pub(super) async fn follow(shared: Arc<Shared>) {
    let mut backoff = Backoff::default();
    loop {
        match one_stream(&shared).await {
            End::Renew => backoff.reset(),
            End::Goodbye(within) => {
                backoff.reset();
                sleep(pause::up_to(within.min(LONGEST_PAUSE))).await;
            }
            End::Lost { was_current, retry_after } => {
                if was_current {
                    backoff.reset();
                }
                let wished = retry_after.unwrap_or_default().min(LONGEST_PAUSE);
                sleep(backoff.next().max(wished)).await;
            }
        }
    }
}

async fn one_stream(shared: &Shared) -> End {
    count(&shared.counts.streams);
    let (mut stream, after) = {
        let mut follower = shared.follower();
        let after = follower.position().cloned();
        (follower.ask(), after)
    };
    let address = format!("{}/events", shared.endpoint);
    let body = match shared.client.stream(&address, after.as_ref().map(Position::as_str)).await {
        Ok(body) => body,
        Err(trouble) => {
            tracing::warn!(error = %trouble, "no event stream; polling meanwhile");
            let retry_after = match trouble {
                Trouble::Status(status, after) => {
                    if status == StatusCode::UNAUTHORIZED {
                        shared.note_refused();
                    }
                    after
                }
                Trouble::Network(_) | Trouble::TooLarge => None,
            };
            return End::Lost { was_current: false, retry_after };
        }
    };
    let end = read(shared, &mut stream, body).await;
    if let End::Lost { .. } = end {
        tracing::warn!("the event stream was lost");
    }
    end
}

async fn read(shared: &Shared, stream: &mut Stream, mut body: Incoming) -> End {
    let longest = LONGEST_STREAM.saturating_sub(pause::up_to(LONGEST_STREAM / 5));
    let lost = |stream: &Stream| End::Lost { was_current: stream.is_current(), retry_after: None };
    loop {
        let age = shared.clock.elapsed().saturating_sub(stream.asked());
        let Some(left) = longest.checked_sub(age) else { return End::Renew };
        let silence = shared.follower().heartbeat() * MISSED_HEARTBEATS;
        let next = timeout(silence.min(left), next_piece(&mut body)).await;
        match next {
            Ok(Some(bytes)) => {
                if shared.receive(stream, &bytes).is_err() {
                    return End::Lost { was_current: false, retry_after: None };
                }
                if let Some(within) = stream.goodbye() {
                    return End::Goodbye(within);
                }
            }
            Ok(None) => return lost(stream),
            Err(_) if left <= silence => return End::Renew,
            Err(_) => {
                tracing::warn!(guard.silence = ?silence, "the event stream is silent");
                shared.client.note(&"the event stream is silent");
                return lost(stream);
            }
        }
    }
}

/// `None`: the body ended or broke.
async fn next_piece(body: &mut Incoming) -> Option<Bytes> {
    loop {
        if let Ok(bytes) = body.frame().await?.ok()?.into_data() {
            return Some(bytes);
        }
    }
}
