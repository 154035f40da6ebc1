//! What cannot be right, and what is merely new.

use std::error::Error;

use serde_json::{Value, json};

use super::{Script, ended, event, first, hello};
use crate::world::{LATER, SMALL, World};

pub(super) fn all(world: &World) -> Result<Vec<Value>, Box<dyn Error>> {
    let token = world.token(&SMALL, 42)?;
    let mut all = vec![ignored(world, &token), another_issuer(world, &token)];
    all.extend(greetings(world, &token));
    all.extend(garbage(world, &token));
    all.extend(no_snapshot(world, &token));
    Ok(all)
}

fn ignored(world: &World, token: &str) -> Value {
    Script::new("comments, unknown events and unknown members are ignored")
        .asks_after(0, None)
        .receives(10, ": a comment\n\n:\nevent: later-version\ndata: not even JSON\n\n")
        .snapshot(50, 10, &first(world))
        .receives(60, "event: later-version\nid: p7\ndata: {\"elapsed\":60}\n\n")
        .receives(70, "data: no name\n\nevent: heartbeat\n\nretry: 1\nfield: x\n\n")
        .receives(80, &event("heartbeat", None, &json!({ "elapsed": 70, "more": { "of": [1] } })))
        .checks(5068, token, "accepted")
        .checks(5070, token, "unavailable")
        .loses(5100)
        .asks_after(5200, Some("p1"))
        .done()
}

fn another_issuer(world: &World, token: &str) -> Value {
    let other = hello(5).replace("https://auth.example.org", "https://auth.example.com");
    Script::new("a hello of another issuer: nothing of that stream is applied")
        .asks_after(0, None)
        .receives(50, &(other + &first(world).concat().replace("ELAPSED", "10")))
        .checks(50, token, "unavailable")
        .asks(1000)
        .snapshot(1050, 10, &first(world))
        .checks(1050, token, "accepted")
        .done()
}

/// Who says that it is another, or does not say who it is or which history it tells, may be any server.
fn greetings(world: &World, token: &str) -> Vec<Value> {
    let refused = |about: &'static str, told: &str, instead: &str| {
        Script::begun(about, world)
            .loses(100)
            .asks_after(200, Some("p1"))
            .receives(250, &(hello(5).replace(told, instead) + &ended("p2", 40, &SMALL, &[42])))
            .checks(250, token, "accepted")
            .checks(5009, token, "accepted")
            .checks(5010, token, "unavailable")
            .asks_after(6000, None)
            .snapshot(6050, 10, &first(world))
            .checks(6050, token, "accepted")
            .done()
    };
    vec![
        refused(
            "a hello of another audience than at first: nothing of that stream is applied",
            "https://api.example.org",
            "https://api.example.com",
        ),
        refused("a hello without an issuer: nothing of that stream is applied", "\"issuer\"", "\"other\""),
        refused("a hello without an incarnation: nothing of that stream is applied", "\"incarnation\"", "\"other\""),
        refused("a hello whose incarnation is null: nothing of that stream is applied", "\"first\"", "null"),
    ]
}

/// After an event that cannot be read nothing more of its stream counts: what it said is not known.
fn garbage(world: &World, token: &str) -> Vec<Value> {
    let wrong = |about: &'static str, text: &str| {
        Script::begun(about, world)
            .receives(1000, text)
            .checks(1000, token, "accepted")
            .heartbeat(2000, 2000)
            .checks(5009, token, "accepted")
            .checks(5010, token, "unavailable")
            .asks(6000)
            .snapshot(6050, 10, &first(world))
            .checks(6050, token, "accepted")
            .done()
    };
    let entries = |data: Value| event("entries", Some("p2"), &data);
    let list = |lst: &str| event("list", None, &json!({ "name": LATER.name, "capacity": 512, "lst": lst }));
    vec![
        wrong("garbage: data that is no JSON", "event: entries\nid: p2\ndata: {\"elapsed\": 900, \"ended\n\n"),
        wrong("garbage: data that is no object", "event: entries\nid: p2\ndata: [900]\n\n"),
        wrong("garbage: entries without elapsed", &entries(json!({ "ended": { SMALL.name: [5] } }))),
        wrong("garbage: elapsed below zero", &entries(json!({ "elapsed": -1 }))),
        wrong("garbage: elapsed as text", &entries(json!({ "elapsed": "900" }))),
        wrong("garbage: an index below zero", &entries(json!({ "elapsed": 900, "ended": { SMALL.name: [-1] } }))),
        wrong("garbage: an index that is none", &entries(json!({ "elapsed": 900, "ended": { SMALL.name: ["5"] } }))),
        wrong("garbage: ended is no object", &entries(json!({ "elapsed": 900, "ended": [5] }))),
        wrong("garbage: a name that no list can have", &entries(json!({ "elapsed": 900, "ended": { "a/b": [5] } }))),
        wrong("garbage: entries without a position", &event("entries", None, &json!({ "elapsed": 900 }))),
        wrong("garbage: a position with a space", &event("entries", Some("p 2"), &json!({ "elapsed": 900 }))),
        wrong("garbage: a heartbeat without elapsed", &event("heartbeat", None, &json!({}))),
        wrong("garbage: a second hello", &hello(900)),
        wrong("garbage: a list that is no base64url", &list("eJ!!")),
        wrong("garbage: a list that is no ZLIB", &list("AAAA")),
        wrong("garbage: a list shorter than its capacity", &list("eJwDAAAAAAE")),
        wrong(
            "garbage: a snapshot without keys",
            &event("snapshot", Some("p2"), &json!({ "elapsed": 900, "lists": [SMALL.name] })),
        ),
    ]
}

fn no_snapshot(world: &World, token: &str) -> Vec<Value> {
    let beat = |elapsed: u64| event("heartbeat", None, &json!({ "elapsed": elapsed }));
    vec![
        Script::new("asked for everything: heartbeats before the snapshot make nothing fresh")
            .asks_after(0, None)
            .receives(50, &(hello(1) + &first(world).concat().replace("ELAPSED", "10")))
            .loses(60)
            .asks_after(10_000, Some("p1"))
            .receives(10_050, &(hello(1) + &event("list", None, &LATER.json()) + &beat(30)))
            .checks(10_050, token, "unavailable")
            .receives(10_060, &first(world).concat().replace("ELAPSED", "40"))
            .checks(10_060, token, "accepted")
            .done(),
        Script::new("events before hello: nothing of that stream counts")
            .asks_after(0, None)
            .receives(50, &(first(world).concat().replace("ELAPSED", "10") + &hello(10) + &beat(20)))
            .checks(50, token, "unavailable")
            .done(),
    ]
}
