//! The vectors that every guard is held to (`sdk/vectors/guard.json`), against this one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod support;

#[path = "../examples/vectors/file.rs"]
mod file;
#[path = "../examples/vectors/keys.rs"]
mod keys;
#[path = "../examples/vectors/streams/mod.rs"]
mod streams;
#[path = "../examples/vectors/tokens.rs"]
mod tokens;
#[path = "../examples/vectors/world.rs"]
mod world;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cerrojo_domain::{Clock, KeyId, ListName};
use cerrojo_guard::follow::{Expected, Follower, Position, Stream};
use cerrojo_guard::{Guard, KeySet, Policy, Refusal, status_list};
use serde_json::Value;
use support::StoppedClock;

fn text() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/vectors/guard.json")).unwrap()
}

fn outcome<T>(result: &Result<T, Refusal>) -> &'static str {
    match result {
        Ok(_) => "accepted",
        Err(Refusal::Invalid | Refusal::Expired(_) | Refusal::Idle(_)) => "refused",
        Err(Refusal::UnknownList(_)) => "unknown_list",
        Err(Refusal::Unavailable) => "unavailable",
    }
}

#[test]
fn the_file_is_as_the_example_writes_it() {
    let text = text();
    assert!(file::write(&text).unwrap() == text, "run `cargo run -p cerrojo-guard --example vectors`");
}

#[test]
fn every_token_gets_its_outcome() {
    let vectors: Value = serde_json::from_str(&text()).unwrap();
    let clock = Arc::new(StoppedClock::at(vectors["now"].as_i64().unwrap()));
    let policy = Policy {
        issuer: vectors["issuer"].as_str().unwrap().to_owned(),
        audience: vectors["audience"].as_str().unwrap().to_owned(),
        idle_timeout: None,
        cache_capacity: 10,
    };
    let guard = Guard::new(policy, clock);
    for (id, key) in KeySet::from_jwks(&vectors["keys"]).iter() {
        guard.add_key(KeyId::from_text(id), key.clone());
    }
    for list in vectors["lists"].as_array().unwrap() {
        let bitmap = status_list::decode(list["lst"].as_str().unwrap(), 1 << 20).unwrap();
        let capacity = u32::try_from(list["capacity"].as_u64().unwrap()).unwrap();
        guard.open_list_with(&ListName::from_text(list["name"].as_str().unwrap()), capacity, &bitmap);
    }
    guard.hold_lease_until(Duration::MAX);
    let tokens = vectors["tokens"].as_array().unwrap();
    assert!(tokens.len() > 500);
    for token in tokens {
        for _ in 0..2 {
            assert_eq!(outcome(&guard.check(token["token"].as_str().unwrap())), token["outcome"], "{}", token["about"]);
        }
    }
}

#[test]
fn every_stream_is_followed() {
    let vectors: Value = serde_json::from_str(&text()).unwrap();
    let streams = vectors["streams"].as_array().unwrap();
    assert!(streams.len() > 40);
    for stream in streams {
        run(&vectors, stream);
    }
}

fn run(vectors: &Value, vector: &Value) {
    let clock = Arc::new(StoppedClock::at(vectors["now"].as_i64().unwrap()));
    let expected = Expected {
        issuer: vectors["issuer"].as_str().unwrap().to_owned(),
        audience: None,
        secret: None,
        max_staleness: Duration::from_millis(vector["max_staleness"].as_u64().unwrap()),
        cache_capacity: 10,
    };
    let mut follower = Follower::new(expected, Arc::<StoppedClock>::clone(&clock));
    let mut stream: Option<Stream> = None;
    let begin = clock.elapsed();
    for step in vector["steps"].as_array().unwrap() {
        let at = begin + Duration::from_millis(step["at"].as_u64().unwrap());
        clock.pass(at.checked_sub(clock.elapsed()).unwrap());
        let shown = || format!("{} at {}", vector["about"], step["at"]);
        if let Some(token) = step["check"].as_str() {
            let found = follower.guard().map_or("unavailable", |guard| outcome(&guard.check(token)));
            assert_eq!(found, step["outcome"], "{}", shown());
        } else if let Some(text) = step["receive"].as_str() {
            // A fault closes the connection; the stream itself takes no more.
            let _ = stream.as_mut().unwrap().receive(&mut follower, text.as_bytes());
        } else if step["ask"] == true {
            if let Some(after) = step.get("after") {
                assert_eq!(follower.position().map(Position::as_str), after.as_str(), "{}", shown());
            }
            stream = Some(follower.ask());
        } else {
            assert_eq!(step["lost"], true);
            stream = None;
        }
    }
}
