use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cerrojo_domain::{Clock, KeyId, ListIndex, ListName, UnixMillis};
use serde_json::{Value, json};

use super::{Expected, Fault, Follower, ListState, Position, Told};
use crate::status_list::encode;

struct Stopped(AtomicU64);

impl Clock for Stopped {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_770_976_800_000)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

fn follower() -> (Follower, Arc<Stopped>) {
    let clock = Arc::new(Stopped(AtomicU64::new(1000)));
    let expected = Expected {
        issuer: "https://a.example".to_owned(),
        audience: None,
        secret: None,
        max_staleness: Duration::from_secs(5),
        cache_capacity: 10,
    };
    (Follower::new(expected, Arc::<Stopped>::clone(&clock)), clock)
}

fn event(name: &str, id: &str, data: &Value) -> Vec<u8> {
    format!("event: {name}\nid: {id}\ndata: {data}\n\n").into_bytes()
}

fn hello(incarnation: &str) -> Vec<u8> {
    let terms = json!({
        "issuer": "https://a.example", "audience": "b", "heartbeat": 1000, "incarnation": incarnation, "report": 6000,
    });
    event("hello", "", &terms)
}

fn snapshot(elapsed: u64, lists: &[&str]) -> Vec<u8> {
    event("snapshot", "p", &json!({ "elapsed": elapsed, "keys": { "keys": [] }, "lists": lists }))
}

fn list(name: &str) -> Value {
    json!({ "name": name, "capacity": 8, "lst": encode(&[1]) })
}

fn state(name: &str) -> ListState {
    ListState::read(list(name).to_string().as_bytes()).unwrap()
}

fn polled(members: &Value) -> Vec<u8> {
    let mut body = json!({
        "elapsed": 1, "position": "p2", "issuer": "https://a.example", "audience": "b", "incarnation": "i",
    });
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body.to_string().into_bytes()
}

fn over(follower: &Follower, name: &str, index: u32) -> bool {
    follower.guard().unwrap().is_over(&ListName::from_text(name), ListIndex(index))
}

#[test]
fn a_list_that_was_looked_up_while_a_snapshot_was_underway_is_neither_retired_nor_trusted() {
    let (mut follower, clock) = follower();
    let mut stream = follower.ask();
    stream.receive(&mut follower, &hello("i")).unwrap();
    clock.0.store(2000, Ordering::Relaxed);
    let name = ListName::from_text("new");
    follower.looking_up(&name).unwrap();
    follower.looked_up(&state("new")).unwrap();
    assert_eq!(stream.receive(&mut follower, &snapshot(10, &[])), Err(Fault::Doubt));
    assert_eq!(follower.fresh_as_of(), None);
    assert_eq!(follower.position(), None);
    assert!(!over(&follower, "new", 1));

    let mut stream = follower.ask();
    stream.receive(&mut follower, &hello("i")).unwrap();
    stream.receive(&mut follower, &snapshot(1, &["new"])).unwrap();
    assert!(!over(&follower, "new", 1) && over(&follower, "new", 0));
    assert_eq!(follower.fresh_as_of(), Some(Duration::from_secs(2)));
}

/// Every snapshot names them anew; only what is new takes a place among the names that are never forgotten.
#[test]
fn a_key_that_snapshots_name_as_retired_is_told_once() {
    let (mut follower, _) = follower();
    for _ in 0..3 {
        let mut stream = follower.ask();
        stream.receive(&mut follower, &hello("i")).unwrap();
        let end = json!({ "elapsed": 1, "keys": { "keys": [] }, "retired_keys": ["hs-a", "hs-b"], "lists": [] });
        stream.receive(&mut follower, &event("snapshot", "p", &end)).unwrap();
    }
    let whole = json!({ "snapshot": { "keys": { "keys": [] }, "retired_keys": ["hs-a", "hs-c"], "lists": [] } });
    follower.polled(Duration::from_secs(1), None, &polled(&whole)).unwrap();
    let told: Vec<Told> = ["hs-a", "hs-b", "hs-c"].map(|id| Told::KeyRetired(KeyId::from_text(id))).into();
    assert_eq!(follower.take_told(), told);
}

#[test]
fn an_answer_to_a_look_up_that_a_snapshot_has_overtaken_opens_nothing() {
    let (mut follower, _) = follower();
    follower.looking_up(&ListName::from_text("old")).unwrap();
    let mut stream = follower.ask();
    stream.receive(&mut follower, &hello("i")).unwrap();
    stream.receive(&mut follower, &snapshot(10, &[])).unwrap();
    follower.looked_up(&state("old")).unwrap();
    assert!(over(&follower, "old", 1));
}

#[test]
fn polling_goes_on_from_a_position_or_starts_over() {
    let (mut follower, clock) = follower();
    let asked = clock.elapsed();
    assert_eq!(follower.polled(asked, None, &polled(&json!({}))), Err(Fault::Malformed("snapshot")));
    let whole = json!({ "snapshot": { "keys": { "keys": [] }, "lists": [list("a"), list("b")] } });
    follower.polled(asked, None, &polled(&whole)).unwrap();
    assert_eq!(follower.fresh_as_of(), Some(asked));
    assert!(over(&follower, "a", 0) && !over(&follower, "a", 1));
    let after = follower.position().cloned();
    assert_eq!(after.as_ref().map(Position::as_str), Some("p2"));
    assert_eq!(follower.take_told(), []);

    let ended = json!({ "ended": { "a": [1, 1] }, "retired_lists": ["b"], "retired_keys": ["k"] });
    follower.polled(asked, after.as_ref(), &polled(&ended)).unwrap();
    assert!(over(&follower, "a", 1) && over(&follower, "b", 1) && !over(&follower, "a", 2));
    assert_eq!(follower.take_told().len(), 3);
    assert_eq!(follower.take_told(), []);

    clock.0.store(9000, Ordering::Relaxed);
    let whole = json!({ "snapshot": { "keys": { "keys": [] }, "lists": [list("c")] }, "incarnation": "other" });
    follower.polled(clock.elapsed(), after.as_ref(), &polled(&whole)).unwrap();
    assert!(over(&follower, "a", 2) && !over(&follower, "c", 1));
    let other = json!({ "incarnation": "third" });
    assert_eq!(follower.polled(asked, after.as_ref(), &polled(&other)), Err(Fault::OtherIncarnation));
    assert_eq!(follower.position(), None);
}

#[test]
fn a_server_that_goes_on_in_another_history_is_asked_for_everything() {
    let (mut follower, _) = follower();
    let mut stream = follower.ask();
    for bytes in [hello("i"), snapshot(1, &[])] {
        stream.receive(&mut follower, &bytes).unwrap();
    }
    let fresh = follower.fresh_as_of();
    let mut stream = follower.ask();
    stream.receive(&mut follower, &hello("other")).unwrap();
    let entries = event("entries", "p9", &json!({ "elapsed": 900 }));
    assert_eq!(stream.receive(&mut follower, &entries), Err(Fault::OtherIncarnation));
    assert!(!stream.is_current());
    assert_eq!(follower.fresh_as_of(), fresh);
    assert_eq!(follower.position(), None);
}

#[test]
fn what_changes_for_the_whole_server_is_noticed() {
    let (mut follower, _) = follower();
    let mut stream = follower.ask();
    stream.receive(&mut follower, &hello("i")).unwrap();
    assert_eq!(follower.report(), Some(Duration::from_secs(6)));
    assert_eq!(follower.heartbeat(), Duration::from_secs(1));
    let asked = Duration::from_secs(1);
    let audience = polled(&json!({ "audience": "other" }));
    assert_eq!(follower.polled(asked, None, &audience), Err(Fault::OtherAudience));
    let issuer = polled(&json!({ "issuer": "https://b.example" }));
    assert_eq!(follower.polled(asked, None, &issuer), Err(Fault::OtherIssuer));
    let nobody = polled(&json!({ "issuer": null }));
    assert_eq!(follower.polled(asked, None, &nobody), Err(Fault::Malformed("issuer")));
    assert_eq!(follower.polled(asked, None, b"{}"), Err(Fault::Malformed("entries")));
}

#[test]
fn a_server_cannot_make_the_guards_memory_grow_without_bound() {
    let (mut follower, _) = follower();
    let mut stream = follower.ask();
    stream.receive(&mut follower, &hello("i")).unwrap();
    let bomb = json!({ "name": "a", "capacity": u32::MAX, "lst": "" });
    assert_eq!(stream.receive(&mut follower, &event("list", "", &bomb)), Err(Fault::Malformed("capacity")));

    let many: Vec<u32> = (0..300_000).collect();
    let mut stream = follower.ask();
    stream.receive(&mut follower, &hello("i")).unwrap();
    let flood = event("entries", "p", &json!({ "elapsed": 1, "ended": { "unknown": many } }));
    let result = (0..4).try_for_each(|_| stream.receive(&mut follower, &flood));
    assert_eq!(result, Err(Fault::TooMany));

    let names: Vec<String> = (0..100_000).map(|number| format!("n{number}")).collect();
    let retired = polled(&json!({ "retired_lists": names }));
    let after = Position::from_text("p".to_owned());
    assert_eq!(follower.polled(Duration::ZERO, after.as_ref(), &retired), Err(Fault::TooMany));
    assert!(matches!(follower.take_told().first(), Some(Told::Ended(..))));
}

#[test]
fn a_list_has_exactly_the_bits_that_its_capacity_needs() {
    let read = |capacity: u32, bytes: usize| {
        let list = json!({ "name": "a", "capacity": capacity, "lst": encode(&vec![0; bytes]) });
        ListState::read(list.to_string().as_bytes()).is_ok()
    };
    for (capacity, bytes) in [(1, 1), (8, 1), (9, 2), (512, 64)] {
        assert!(read(capacity, bytes));
        assert!(!read(capacity, bytes - 1) && !read(capacity, bytes + 1));
    }
    assert!(!read(0, 0));
}
