//! Whatever a server sends, a follower does not panic, keeps its bounds, and says yes for no longer than it may.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use cerrojo_domain::{Clock as _, ListIndex, ListName};
use cerrojo_guard::follow::{Event, EventParser, Expected, Follower, ListState};
use cerrojo_guard::status_list::encode;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::StoppedClock;

const ISSUER: &str = "https://auth.example.org";
const BOUND: Duration = Duration::from_secs(5);

fn follower() -> (Follower, Arc<StoppedClock>) {
    let clock = Arc::new(StoppedClock::at(1_770_976_800_000));
    let expected =
        Expected { issuer: ISSUER.to_owned(), audience: None, secret: None, max_staleness: BOUND, cache_capacity: 10 };
    (Follower::new(expected, Arc::<StoppedClock>::clone(&clock)), clock)
}

fn hello() -> String {
    event(
        "hello",
        "x",
        &json!({ "issuer": ISSUER, "audience": "a", "heartbeat": 1000, "incarnation": "i", "report": null }),
    )
}

fn event(name: &str, id: &str, data: &Value) -> String {
    format!("event: {name}\nid: {id}\ndata: {data}\n\n")
}

/// JSON of any shape, its members often those that mean something.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zA-Z0-9_/-]{0,70}".prop_map(Value::from),
        Just(json!(encode(&[0; 64]))),
        Just(json!({ "keys": [] })),
    ];
    let name = prop_oneof![
        prop::sample::select(vec![
            "elapsed",
            "name",
            "capacity",
            "lst",
            "keys",
            "lists",
            "ended",
            "retired_lists",
            "retired_keys",
            "retry",
            "issuer",
            "audience",
            "heartbeat",
            "incarnation",
            "report",
            "position",
            "snapshot",
        ])
        .prop_map(str::to_owned),
        "[a-z]{0,8}",
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn message() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec!["hello", "list", "snapshot", "entries", "heartbeat", "goodbye", "other"]);
    let good = prop_oneof![
        (0_u64..100_000).prop_map(|elapsed| event("heartbeat", "", &json!({ "elapsed": elapsed }))),
        (0_u64..100_000, 0_u32..600).prop_map(|(elapsed, index)| {
            event("entries", "p", &json!({ "elapsed": elapsed, "ended": { "list": [index] } }))
        }),
        (0_u64..100_000).prop_map(|elapsed| {
            event("snapshot", "p", &json!({ "elapsed": elapsed, "keys": { "keys": [] }, "lists": ["list"] }))
        }),
        Just(event("list", "", &json!({ "name": "list", "capacity": 512, "lst": encode(&[1; 64]) }))),
    ];
    prop_oneof![
        3 => good,
        2 => (known, json_value()).prop_map(|(name, data)| event(name, "p", &data)),
        1 => ".{0,80}",
    ]
}

proptest! {
    #[test]
    fn the_parser_gives_the_same_however_the_bytes_are_cut(
        bytes in prop::collection::vec(prop::sample::select(b"data: evntid:\r\n\n\n\0\xef\xbb\xbf{}x".to_vec()), 0..400),
        cuts in prop::collection::vec(1_usize..20, 1..50),
    ) {
        let whole = EventParser::new().push(&bytes).unwrap();
        let mut parser = EventParser::new();
        let (mut rest, mut events) = (bytes.as_slice(), Vec::<Event>::new());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (head, tail) = rest.split_at((*cut).min(rest.len()));
            events.extend(parser.push(head).unwrap());
            rest = tail;
        }
        prop_assert_eq!(events, whole);
    }

    #[test]
    fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let (mut follower, clock) = follower();
        let mut stream = follower.ask();
        let _ = stream.receive(&mut follower, &bytes);
        let _ = follower.polled(clock.elapsed(), None, &bytes);
        let _ = ListState::read(&bytes);
        prop_assert!(follower.fresh_as_of().is_none());
    }

    #[test]
    fn nothing_that_a_server_sends_makes_a_guard_fresher_than_now_or_clears_a_bit(
        messages in prop::collection::vec((message(), 0_u64..3000), 1..30),
    ) {
        let (mut follower, clock) = follower();
        let mut stream = follower.ask();
        stream.receive(&mut follower, hello().as_bytes()).unwrap();
        let list = ListName::from_text("list");
        let (mut fresh, mut over) = (None, vec![false; 512]);
        for (text, pause) in messages {
            clock.pass(Duration::from_millis(pause));
            if stream.receive(&mut follower, text.as_bytes()).is_err() {
                prop_assert!(follower.position().is_none());
                prop_assert!(stream.receive(&mut follower, hello().as_bytes()).is_err());
                stream = follower.ask();
                let _ = stream.receive(&mut follower, hello().as_bytes());
            }
            let now = follower.fresh_as_of();
            prop_assert!(now >= fresh, "only raised");
            prop_assert!(now.is_none_or(|now| now <= clock.elapsed()), "never later than now");
            fresh = now;
            let guard = follower.guard().unwrap();
            if guard.list_bytes(&list).is_some() {
                for (index, over) in over.iter_mut().enumerate() {
                    let is_over = guard.is_over(&list, ListIndex(u32::try_from(index).unwrap()));
                    prop_assert!(is_over || !*over, "a bit is never cleared");
                    *over = is_over;
                }
            }
            if fresh.is_none_or(|fresh| clock.elapsed() >= fresh + BOUND) {
                prop_assert!(!guard.holds_lease());
            }
        }
    }

    #[test]
    fn any_json_can_be_polled(body in json_value(), more in json_value()) {
        let (mut follower, clock) = follower();
        let mut body = body;
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        let _ = follower.polled(clock.elapsed(), None, body.to_string().as_bytes());
        prop_assert!(follower.fresh_as_of().is_none_or(|fresh| fresh <= clock.elapsed()));
        let _ = follower.take_told();
    }
}
