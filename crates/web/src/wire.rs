//! What guards are told, as `docs/GUARD-PROTOCOL.md` has it.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Bytes;
use cerrojo_app::feed::News;
use cerrojo_app::picture::{ListPicture, Snapshot};
use cerrojo_app::{App, activity};
use serde_json::{Map, Value, json};

/// How often something comes on a stream at least.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);
/// Longest position that is looked at, in bytes.
const LONGEST_POSITION: usize = 128;

/// How long after `arrival` something was taken, in whole milliseconds: rather too little, so that nothing seems fresher
/// than it is.
pub(crate) fn elapsed(taken_at: Duration, arrival: Duration) -> Value {
    milliseconds(taken_at.saturating_sub(arrival))
}

pub(crate) fn milliseconds(duration: Duration) -> Value {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).into()
}

/// A text that can be a position.
pub(crate) fn is_position(text: &str) -> bool {
    (1..=LONGEST_POSITION).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What every guard is to know first.
pub(crate) fn about(app: &App) -> Map<String, Value> {
    members([
        ("issuer", app.settings.public_url.as_str().into()),
        ("audience", app.settings.audience.as_str().into()),
        ("report", activity::report_interval(app).map_or(Value::Null, milliseconds)),
        ("incarnation", app.feed.incarnation().into()),
    ])
}

/// What the log has, as members of an answer. Keys are read after the news were: they may be newer, never older.
pub(crate) fn entries(app: &App, news: &[News]) -> Map<String, Value> {
    let mut ended: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    let (mut lists, mut keys, mut keys_changed) = (Vec::new(), Vec::new(), false);
    for one in news {
        match one {
            News::Ended(list, index) => ended.entry(list.as_str()).or_default().push(index.0),
            News::ListRetired(list) => lists.push(list.as_str()),
            News::KeyRetired(key) => {
                keys.push(key.as_str());
                keys_changed = true;
            }
            News::KeyAdded => keys_changed = true,
        }
    }
    let mut told = Map::new();
    if !ended.is_empty() {
        told.insert("ended".to_owned(), json!(ended));
    }
    if !lists.is_empty() {
        told.insert("retired_lists".to_owned(), lists.into());
    }
    if !keys.is_empty() {
        told.insert("retired_keys".to_owned(), keys.into());
    }
    if keys_changed {
        told.insert("keys".to_owned(), app.keys.session_jwks());
    }
    told
}

/// One list with its bits.
pub(crate) fn list(list: &ListPicture) -> Value {
    json!({ "name": list.name, "capacity": list.capacity, "lst": &*list.lst })
}

/// The end of a snapshot.
pub(crate) fn snapshot_end(snapshot: &Snapshot, arrival: Duration) -> Value {
    let names: Vec<&str> = snapshot.lists.iter().map(|list| list.name.as_str()).collect();
    json!({
        "elapsed": elapsed(snapshot.taken_at, arrival),
        "incarnation": snapshot.incarnation,
        "keys": snapshot.keys,
        "retired_keys": snapshot.retired_keys,
        "lists": names,
    })
}

/// One event of a stream (HTML standard, section 9.2.6). JSON has no line's end in it.
pub(crate) fn event(name: &str, id: Option<&str>, data: &Value) -> Bytes {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("event: {name}\n{id}data: {data}\n\n").into()
}

pub(crate) fn members<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
