//! Polling for entries while streams do not get through.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::http::Trouble;
use super::pause;
use super::shared::{Shared, count};

const EVERY: Duration = Duration::from_secs(1);
/// After failures, so that the bound is still kept if the next one succeeds.
const AFTER_FAILURE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The largest answer, a whole snapshot.
const LARGEST: usize = 32 * 1024 * 1024;

/// Polls whenever the stream leaves the guard behind, until it is aborted.
pub(super) async fn poll(shared: Arc<Shared>, max_staleness: Duration) {
    let mut wait = EVERY;
    loop {
        sleep(pause::about(wait)).await;
        wait = EVERY;
        if !is_needed(&shared, max_staleness) {
            continue;
        }
        if let Err(trouble) = once(&shared).await {
            tracing::warn!(error = %trouble, "polling failed");
            wait = match trouble {
                Trouble::Status(_, Some(after)) => after.clamp(AFTER_FAILURE, LONGEST_PAUSE),
                Trouble::Status(..) | Trouble::Network(_) | Trouble::TooLarge => AFTER_FAILURE,
            };
        }
    }
}

/// A stream that gets through tells something with every heartbeat; one that lies in buffers does not keep the guard fresh.
fn is_needed(shared: &Shared, max_staleness: Duration) -> bool {
    let bearable = (shared.follower().heartbeat() * 5 / 2).min(max_staleness / 2);
    shared.staleness().is_none_or(|staleness| staleness > bearable)
}

async fn once(shared: &Shared) -> Result<(), Trouble> {
    count(&shared.counts.polls);
    let asked = shared.clock.elapsed();
    let after = shared.follower().position().cloned();
    let query = after.as_ref().map(|after| format!("?after={}", encoded(after.as_str()))).unwrap_or_default();
    let body = shared.client.get(&format!("{}/entries{query}", shared.endpoint), LARGEST).await?;
    // A fault is noted where it is found.
    let _ = shared.apply(|follower| follower.polled(asked, after.as_ref(), &body));
    Ok(())
}

/// For a query (RFC 3986, section 3.4): nothing but letters and digits stays as it is.
fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            // Writing to memory does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}
