//! What a guard reads, as far as it has to be understood here: which sessions are over.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::GUARDS;
use crate::failure::{Failure, Outcome, fail};
use crate::load::elapsed;
use crate::requests::plain;

/// When each guard heard that each session was over.
pub(super) struct Heard {
    /// The sessions' places, by list and index, in the order in which they are ended.
    places: HashMap<(String, u64), usize>,
    /// For each session and guard a time in nanoseconds; 0: not yet.
    times: Vec<AtomicU64>,
    count: AtomicUsize,
    bytes: AtomicUsize,
}

impl Heard {
    /// Nothing yet, of the sessions whose logouts these are from `first` on.
    pub(super) fn of(logouts: &[Vec<u8>], first: usize) -> Outcome<Arc<Self>> {
        let mut places = HashMap::new();
        for (request, number) in logouts.iter().skip(first).zip(0..) {
            places.insert(place_of(request)?, number);
        }
        let times = (0..places.len() * GUARDS).map(|_| AtomicU64::new(0)).collect();
        Ok(Arc::new(Self { places, times, count: AtomicUsize::new(0), bytes: AtomicUsize::new(0) }))
    }

    /// How often anybody heard.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// What all guards read.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }

    /// When this guard heard of this session.
    pub(super) fn at(&self, guard: usize, session: usize) -> Option<Duration> {
        let at = self.times.get(session * GUARDS + guard)?.load(Ordering::Acquire);
        (at > 0).then(|| Duration::from_nanos(at))
    }

    fn note(&self, guard: usize, entries: &Value) {
        let now = u64::try_from(elapsed().as_nanos()).unwrap_or(u64::MAX);
        for (list, indexes) in entries.get("ended").and_then(Value::as_object).into_iter().flatten() {
            for index in indexes.as_array().into_iter().flatten().filter_map(Value::as_u64) {
                let session = self.places.get(&(list.clone(), index));
                let Some(time) = session.and_then(|session| self.times.get(session * GUARDS + guard)) else { continue };
                if time.swap(now, Ordering::AcqRel) == 0 {
                    self.count.fetch_add(1, Ordering::AcqRel);
                }
            }
        }
    }
}

/// The place in a status list, out of the token in a request.
fn place_of(request: &[u8]) -> Outcome<(String, u64)> {
    let text = String::from_utf8_lossy(request);
    let payload = text.split("Bearer ").nth(1).and_then(|token| token.split('.').nth(1));
    let payload = URL_SAFE_NO_PAD.decode(payload.unwrap_or_default());
    let payload = payload.map_err(|error| Failure(format!("a token's claims: {error}")))?;
    let claims: Value = serde_json::from_slice(&payload)?;
    let list = claims.pointer("/status/status_list/uri").and_then(Value::as_str);
    let list = list.and_then(|uri| uri.rsplit('/').next());
    let index = claims.pointer("/status/status_list/idx").and_then(Value::as_u64);
    list.map(str::to_owned).zip(index).ok_or_else(|| Failure("a token points to no status list".to_owned()))
}

/// Follows a node from now on; returns when the snapshot is complete.
pub(super) async fn follow(address: SocketAddr, guard: usize, heard: &Arc<Heard>) -> Outcome<JoinHandle<Outcome<()>>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&plain("GET /api/guards/events")).await?;
    let (complete, completed) = oneshot::channel();
    let heard = Arc::clone(heard);
    let reading = tokio::spawn(async move { read(BufReader::new(stream), guard, &heard, complete).await });
    match completed.await {
        Ok(()) => Ok(reading),
        Err(_) => fail("a stream ended before its snapshot did"),
    }
}

/// A line at a time: each event comes as one chunk, so that the chunks' lengths are lines of their own.
async fn read(
    mut stream: BufReader<TcpStream>,
    guard: usize,
    heard: &Heard,
    complete: oneshot::Sender<()>,
) -> Outcome<()> {
    let (mut line, mut event, mut complete) = (String::new(), String::new(), Some(complete));
    loop {
        line.clear();
        let length = stream.read_line(&mut line).await?;
        if length == 0 {
            return Ok(());
        }
        heard.bytes.fetch_add(length, Ordering::AcqRel);
        if let Some(name) = line.strip_prefix("event: ") {
            name.trim_end().clone_into(&mut event);
        } else if let Some(text) = line.strip_prefix("data: ") {
            match event.as_str() {
                "entries" => heard.note(guard, &serde_json::from_str(text)?),
                "snapshot" => drop(complete.take().map(|complete| complete.send(()))),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_in_the_token() {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"status":{"status_list":{"idx":7,"uri":"https://a/status-lists/x"}}}"#);
        let request = format!("POST / HTTP/1.1\r\nauthorization: Bearer a.{claims}.b\r\n\r\n");
        assert_eq!(place_of(request.as_bytes()).unwrap(), ("x".to_owned(), 7));
    }
}
