//! A stream of events as a guard reads it, and what it knows by then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Response};
use cerrojo_guard::status_list::decode;
use http_body_util::BodyExt as _;
use serde_json::Value;

/// How long a test waits for an event before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer that is read event by event.
pub struct Events {
    /// The status code.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    body: Body,
    read: String,
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What kind it is.
    pub name: String,
    /// Its position.
    pub id: Option<String>,
    /// What it says.
    pub data: Value,
}

impl Events {
    pub(crate) fn of(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        Self { status: parts.status.as_u16(), headers: parts.headers, body, read: String::new() }
    }

    /// The next event; `None`: the stream has ended.
    ///
    /// # Panics
    /// If none comes, or one that breaks the protocol.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.read.find("\n\n") {
                let event: String = self.read.drain(..end + 2).collect();
                return Some(parse(event.trim_end()));
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.expect("an event in time")?;
            let data = frame.expect("a whole stream").into_data().expect("data");
            self.read.push_str(std::str::from_utf8(&data).expect("UTF-8"));
        }
    }

    /// The next event of this name; others are passed over.
    ///
    /// # Panics
    /// If the stream ends before.
    pub async fn next_named(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("the stream ended before any {name}"));
            if event.name == name {
                return event;
            }
        }
    }

    /// The next event that is no heartbeat; `None`: the stream has ended.
    pub async fn news(&mut self) -> Option<Event> {
        loop {
            let event = self.next().await?;
            if event.name != "heartbeat" {
                return Some(event);
            }
        }
    }
}

fn parse(text: &str) -> Event {
    if text.starts_with(':') {
        return Event { name: "heartbeat".to_owned(), id: None, data: Value::Null };
    }
    let mut event = Event { name: String::new(), id: None, data: Value::Null };
    for line in text.lines() {
        match line.split_once(": ").expect("a field") {
            ("event", name) => name.clone_into(&mut event.name),
            ("id", id) => event.id = Some(id.to_owned()),
            ("data", data) => event.data = serde_json::from_str(data).expect("JSON"),
            (field, _) => panic!("no field of the protocol: {field}"),
        }
    }
    event
}

/// What somebody knows who has applied all that was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// The ended sessions of each list.
    pub ended: BTreeMap<String, BTreeSet<u64>>,
}

impl Picture {
    /// Applies an event.
    pub fn apply(&mut self, event: &Event) {
        match event.name.as_str() {
            "list" => self.apply_list(&event.data),
            "entries" => self.apply_entries(&event.data),
            _ => {}
        }
    }

    /// Applies a list with its bits.
    ///
    /// # Panics
    /// If it breaks the protocol.
    pub fn apply_list(&mut self, list: &Value) {
        let capacity = list["capacity"].as_u64().expect("a capacity");
        let bytes = decode(list["lst"].as_str().expect("lst"), 1 << 20).expect("a bitmap");
        assert_eq!(bytes.len() as u64, capacity.div_ceil(8));
        let set = (0..capacity).filter(|index| {
            let byte = bytes[usize::try_from(index / 8).expect("small")];
            byte >> (index % 8) & 1 == 1
        });
        self.ended.entry(list["name"].as_str().expect("a name").to_owned()).or_default().extend(set);
    }

    /// Applies what the log has.
    ///
    /// # Panics
    /// If it breaks the protocol.
    pub fn apply_entries(&mut self, entries: &Value) {
        for (list, indexes) in entries["ended"].as_object().into_iter().flatten() {
            let indexes = indexes.as_array().expect("an array").iter().map(|index| index.as_u64().expect("an index"));
            self.ended.entry(list.clone()).or_default().extend(indexes);
        }
    }

    /// Whether this token's session is over.
    ///
    /// # Panics
    /// If it is no token.
    #[must_use]
    pub fn is_over(&self, token: &str) -> bool {
        let claims = crate::claims(token);
        let place = &claims["status"]["status_list"];
        let list = place["uri"].as_str().expect("an address").rsplit('/').next().expect("a name");
        let index = place["idx"].as_u64().expect("an index");
        self.ended.get(list).is_some_and(|ended| ended.contains(&index))
    }
}
