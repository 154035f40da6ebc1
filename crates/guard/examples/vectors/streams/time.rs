//! When a guard may say yes.

use std::error::Error;

use serde_json::{Value, json};

use super::{Script, ended, entries, event, first, hello};
use crate::world::{NOW, SMALL, Signer, World, claims};

pub(super) fn all(world: &World) -> Result<Vec<Value>, Box<dyn Error>> {
    let token = world.token(&SMALL, 42)?;
    let mut all = bounds(world, &token);
    all.extend(never_from_an_arrival(world, &token));
    all.push(expiry(world)?);
    all.push(unknown_key(world)?);
    Ok(all)
}

fn bounds(world: &World, token: &str) -> Vec<Value> {
    let dead_at = |about: &'static str, bound: u64| {
        // Fresh as of 10 ms less a hundredth of one.
        Script::begun(about, world)
            .within(bound)
            .checks(50, token, "accepted")
            .loses(60)
            .checks(bound + 9, token, "accepted")
            .checks(bound + 10, token, "unavailable")
            .checks(bound + 100_000, token, "unavailable")
            .done()
    };
    vec![
        Script::new("nothing is accepted before there is a snapshot")
            .checks(0, token, "unavailable")
            .asks_after(0, None)
            .checks(10, token, "unavailable")
            .receives(20, &hello(5))
            .checks(20, token, "unavailable")
            .done(),
        dead_at("a lost connection: nothing is accepted once the bound is past", 5000),
        dead_at("another bound: two seconds", 2000),
        dead_at("another bound: a minute", 60_000),
        Script::begun("heartbeats keep a guard fresh, a thousandth off", world)
            .heartbeat(1020, 1000)
            .heartbeat(2020, 2000)
            .checks(6997, token, "accepted")
            .checks(6998, token, "unavailable")
            .heartbeat(7000, 6000)
            .checks(7000, token, "accepted")
            .checks(10_993, token, "accepted")
            .checks(10_994, token, "unavailable")
            .done(),
        Script::begun("after five minutes the thousandth is 300 ms", world)
            .heartbeat(300_000, 300_000)
            .checks(304_699, token, "accepted")
            .checks(304_700, token, "unavailable")
            .done(),
        Script::begun("entries make a guard fresh as a heartbeat does", world)
            .receives(2000, &ended("p2", 1000, &SMALL, &[5]))
            .checks(5998, token, "accepted")
            .checks(5999, token, "unavailable")
            .receives(6000, &entries("p3", 6000, &json!({})))
            .checks(6000, token, "accepted")
            .checks(10_993, token, "accepted")
            .checks(10_994, token, "unavailable")
            .done(),
    ]
}

/// The server signs with a new key three seconds after it made it known.
fn unknown_key(world: &World) -> Result<Value, Box<dyn Error>> {
    let (known, unknown) = (world.token(&SMALL, 42)?, world.token_by(Signer::Third, &SMALL, 43)?);
    Ok(Script::begun(
        "a key that is not known is none to a guard that is current, and may be new to one that is not",
        world,
    )
    .checks(50, &unknown, "refused")
    .loses(60)
    .checks(2509, &unknown, "refused")
    .checks(2510, &unknown, "unavailable")
    .checks(2510, &known, "accepted")
    .checks(5010, &unknown, "unavailable")
    .checks(100_000, &unknown, "unavailable")
    .asks_after(100_000, Some("p1"))
    .receives(100_050, &(hello(1) + &entries("p2", 10, &json!({}))))
    .checks(100_050, &unknown, "refused")
    .heartbeat(103_000, 3000)
    .receives(103_100, &entries("p3", 3100, &json!({ "keys": world.jwks(&[Signer::First, Signer::Third]) })))
    .checks(103_100, &unknown, "accepted")
    .done())
}

fn never_from_an_arrival(world: &World, token: &str) -> Vec<Value> {
    vec![
        Script::begun("a heartbeat that lay in a buffer: it counts from when it was asked for", world)
            .heartbeat(4500, 1000)
            .checks(5998, token, "accepted")
            .checks(5999, token, "unavailable")
            .heartbeat(9000, 3000)
            .checks(9000, token, "unavailable")
            .heartbeat(9100, 9000)
            .checks(9100, token, "accepted")
            .done(),
        Script::new("a snapshot that lay in a buffer for longer than the bound")
            .asks_after(0, None)
            .snapshot(6000, 10, &first(world))
            .checks(6000, token, "unavailable")
            .checks(6000, &token.replace('.', ".A"), "refused")
            .heartbeat(6010, 2000)
            .checks(6010, token, "accepted")
            .checks(6997, token, "accepted")
            .checks(6998, token, "unavailable")
            .done(),
        Script::begun("never fresher than when the message was read", world)
            .heartbeat(2000, 60_000)
            .checks(6999, token, "accepted")
            .checks(7000, token, "unavailable")
            .done(),
        Script::begun("elapsed that goes back takes nothing away and gives nothing", world)
            .heartbeat(3020, 3000)
            .heartbeat(3100, 1000)
            .checks(7996, token, "accepted")
            .checks(7997, token, "unavailable")
            .done(),
        Script::begun("what is over is refused, however old the guard's knowledge", world)
            .receives(1000, &ended("p2", 900, &SMALL, &[42]))
            .checks(1000, token, "refused")
            .loses(1100)
            .checks(100_000, token, "refused")
            .done(),
        Script::begun("each asking counts from its own begin", world)
            .loses(1000)
            .asks_after(4000, Some("p1"))
            .receives(4100, &(hello(1) + &event("heartbeat", None, &json!({ "elapsed": 1000 }))))
            .checks(9099, token, "accepted")
            .checks(9100, token, "unavailable")
            .done(),
    ]
}

fn expiry(world: &World) -> Result<Value, Box<dyn Error>> {
    let mut short = claims(&SMALL, 42);
    short.exp = NOW / 1000 + 3;
    let token = world.signed(Signer::First, &short)?;
    Ok(Script::begun("a token expires while the guard is fresh, and stays so when it is not", world)
        .heartbeat(2000, 2000)
        .checks(2999, &token, "accepted")
        .checks(3000, &token, "refused")
        .checks(60_000, &token, "refused")
        .done())
}
