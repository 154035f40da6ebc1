//! Streams: what the server sends when, and what a guard says in between.

mod ask;
mod over;
mod time;
mod wrong;

use std::error::Error;

use serde_json::{Value, json};

use crate::world::{AUDIENCE, ISSUER, List, SMALL, Signer, World};

pub(crate) fn all(world: &World) -> Result<Vec<Value>, Box<dyn Error>> {
    let mut all = time::all(world)?;
    all.extend(over::all(world)?);
    all.extend(ask::all(world)?);
    all.extend(wrong::all(world)?);
    Ok(all)
}

/// One stream, step by step.
pub(crate) struct Script {
    about: &'static str,
    max_staleness: u64,
    steps: Vec<Value>,
}

impl Script {
    pub(crate) fn new(about: &'static str) -> Self {
        Self { about, max_staleness: 5000, steps: Vec::new() }
    }

    /// Asked at 0, and a snapshot of the first keys and lists, looked at after 10 ms and read after 50.
    pub(crate) fn begun(about: &'static str, world: &World) -> Self {
        Self::new(about).asks_after(0, None).snapshot(50, 10, &first(world))
    }

    pub(crate) fn within(mut self, max_staleness: u64) -> Self {
        self.max_staleness = max_staleness;
        self
    }

    /// The guard asks, after whatever position.
    pub(crate) fn asks(mut self, at: u64) -> Self {
        self.steps.push(json!({ "at": at, "ask": true }));
        self
    }

    /// The guard asks after this position, or for everything.
    pub(crate) fn asks_after(mut self, at: u64, after: Option<&str>) -> Self {
        self.steps.push(json!({ "at": at, "ask": true, "after": after }));
        self
    }

    pub(crate) fn receives(mut self, at: u64, text: &str) -> Self {
        self.steps.push(json!({ "at": at, "receive": text }));
        self
    }

    pub(crate) fn loses(mut self, at: u64) -> Self {
        self.steps.push(json!({ "at": at, "lost": true }));
        self
    }

    pub(crate) fn checks(mut self, at: u64, token: &str, outcome: &str) -> Self {
        self.steps.push(json!({ "at": at, "check": token, "outcome": outcome }));
        self
    }

    /// `hello` and a whole snapshot.
    pub(crate) fn snapshot(self, at: u64, elapsed: u64, snapshot: &[String]) -> Self {
        let text = format!("{}{}", hello(elapsed), snapshot.concat().replace("ELAPSED", &elapsed.to_string()));
        self.receives(at, &text)
    }

    pub(crate) fn heartbeat(self, at: u64, elapsed: u64) -> Self {
        self.receives(at, &event("heartbeat", None, &json!({ "elapsed": elapsed })))
    }

    pub(crate) fn done(self) -> Value {
        json!({ "about": self.about, "max_staleness": self.max_staleness, "steps": self.steps })
    }
}

/// An event as text.
pub(crate) fn event(name: &str, id: Option<&str>, data: &Value) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("event: {name}\n{id}data: {data}\n\n")
}

/// `hello` of the first incarnation.
pub(crate) fn hello(elapsed: u64) -> String {
    hello_of(elapsed, "first")
}

pub(crate) fn hello_of(elapsed: u64, incarnation: &str) -> String {
    let data = json!({
        "elapsed": elapsed, "issuer": ISSUER, "audience": AUDIENCE, "heartbeat": 1000, "incarnation": incarnation,
        "report": null,
    });
    event("hello", None, &data)
}

/// Events of a snapshot, its `elapsed` yet to be filled in by [`Script::snapshot`].
pub(crate) fn snapshot_of(keys: &Value, lists: &[List], id: &str) -> Vec<String> {
    let names: Vec<&str> = lists.iter().map(|list| list.name).collect();
    let end = json!({ "elapsed": "ELAPSED", "keys": keys, "lists": names });
    let mut events: Vec<String> = lists.iter().map(|list| event("list", None, &list.json())).collect();
    events.push(event("snapshot", Some(id), &end).replace("\"ELAPSED\"", "ELAPSED"));
    events
}

/// A snapshot of the first keys and the small list, position `p1`.
pub(crate) fn first(world: &World) -> Vec<String> {
    snapshot_of(&world.first_keys(), &[SMALL], "p1")
}

/// `entries` at a position with these members.
pub(crate) fn entries(id: &str, elapsed: u64, members: &Value) -> String {
    let mut data = members.clone();
    data["elapsed"] = json!(elapsed);
    event("entries", Some(id), &data)
}

/// `entries` that say these sessions of a list have ended.
pub(crate) fn ended(id: &str, elapsed: u64, list: &List, indexes: &[u32]) -> String {
    entries(id, elapsed, &json!({ "ended": { list.name: indexes } }))
}

/// The first and the third key: the second is gone.
pub(crate) fn rotated(world: &World) -> Value {
    world.jwks(&[Signer::First, Signer::Third])
}
