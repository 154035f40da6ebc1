//! Asking again: with a position, without one, and where the server cannot go on.

use std::error::Error;

use serde_json::{Value, json};

use super::{Script, ended, event, first, hello, hello_of, snapshot_of};
use crate::world::{LARGE, LATER, SMALL, Signer, World};

pub(super) fn all(world: &World) -> Result<Vec<Value>, Box<dyn Error>> {
    let token = world.token(&SMALL, 42)?;
    let mut all = resumed(world, &token)?;
    all.push(from_the_start(world, &token)?);
    all.push(another_history(world, &token)?);
    all.push(a_silent_snapshot(world, &token));
    all.push(unknown_list(world)?);
    Ok(all)
}

fn resumed(world: &World, token: &str) -> Result<Vec<Value>, Box<dyn Error>> {
    let other = world.token(&SMALL, 43)?;
    Ok(vec![
        Script::begun("resumed: what ended meanwhile comes first", world)
            .loses(100)
            .checks(6000, token, "unavailable")
            .asks_after(8000, Some("p1"))
            .receives(8050, &hello(2))
            .checks(8050, token, "unavailable")
            .receives(8060, &ended("p2", 3, &SMALL, &[42]))
            .checks(8060, token, "refused")
            .checks(8060, &other, "accepted")
            .loses(8100)
            .asks_after(8200, Some("p2"))
            .done(),
        Script::begun("resumed: hello alone makes nothing fresh", world)
            .loses(100)
            .asks_after(8000, Some("p1"))
            .receives(8050, &hello(2))
            .checks(8050, token, "unavailable")
            .heartbeat(8060, 3)
            .checks(8060, token, "accepted")
            .done(),
        Script::begun("the connection is lost in the midst of an event: nothing of it counts", world)
            .receives(1000, ended("p2", 900, &SMALL, &[42]).trim_end())
            .loses(1100)
            .checks(1100, token, "accepted")
            .asks_after(1200, Some("p1"))
            .receives(1300, &(hello(1) + &ended("p2", 2, &SMALL, &[42])))
            .checks(1300, token, "refused")
            .done(),
        Script::begun("the connection is lost in the midst of a snapshot: it is asked for again", world)
            .receives(1000, &event("list", None, &LARGE.json()))
            .receives(1400, &ended("p2", 1400, &SMALL, &[43]))
            .heartbeat(1500, 1500)
            .loses(2000)
            .checks(5009, token, "accepted")
            .checks(5010, token, "unavailable")
            .checks(5010, &other, "refused")
            .asks_after(6000, Some("p1"))
            .snapshot(6050, 5, &first(world))
            .checks(6050, token, "accepted")
            .checks(6050, &world.token(&LARGE, 42)?, "refused")
            .done(),
        Script::begun("goodbye: the guard goes on with what it has", world)
            .receives(1000, &event("goodbye", None, &json!({ "retry": 2000 })))
            .loses(1001)
            .checks(1001, token, "accepted")
            .asks_after(2500, Some("p1"))
            .receives(2550, &(hello(1) + &event("heartbeat", None, &json!({ "elapsed": 1 }))))
            .checks(7499, token, "accepted")
            .checks(7501, token, "unavailable")
            .done(),
    ])
}

fn from_the_start(world: &World, token: &str) -> Result<Value, Box<dyn Error>> {
    let (kept, second) = (world.token(&LARGE, 42)?, world.token_by(Signer::Second, &LARGE, 42)?);
    Ok(Script::new("a position too old: a snapshot, and what is not in it any more is retired")
        .asks_after(0, None)
        .snapshot(50, 10, &snapshot_of(&world.first_keys(), &[SMALL, LARGE], "p1"))
        .checks(60, token, "accepted")
        .checks(60, &second, "accepted")
        .loses(100)
        .asks_after(9000, Some("p1"))
        .receives(9020, &hello(1))
        .receives(9030, &event("list", None, &LARGE.json()))
        .checks(9030, &kept, "unavailable")
        .receives(
            9040,
            &event(
                "snapshot",
                Some("p9"),
                &json!({ "elapsed": 2, "keys": world.jwks(&[Signer::First]), "lists": [LARGE.name] }),
            ),
        )
        .checks(9040, &kept, "accepted")
        .checks(9040, token, "refused")
        .checks(9040, &second, "refused")
        .done())
}

fn another_history(world: &World, token: &str) -> Result<Value, Box<dyn Error>> {
    let keys = world.first_keys();
    let text = hello_of(1, "second") + &snapshot_of(&keys, &[LATER], "q1").concat().replace("ELAPSED", "2");
    Ok(Script::begun("another incarnation: everything before it is over", world)
        .loses(100)
        .asks_after(1000, Some("p1"))
        .receives(1050, &text)
        .checks(1050, token, "refused")
        .checks(1050, &world.token(&LATER, 42)?, "accepted")
        .loses(1100)
        .asks_after(1200, Some("q1"))
        .receives(1250, &(hello_of(1, "second") + &event("heartbeat", None, &json!({ "elapsed": 2 }))))
        .checks(6201, &world.token(&LATER, 42)?, "accepted")
        .checks(6202, &world.token(&LATER, 42)?, "unavailable")
        .done())
}

fn a_silent_snapshot(world: &World, token: &str) -> Value {
    let second = first(world).concat().replace("ELAPSED", "1000");
    Script::begun("a second snapshot that names no incarnation is of the same: another is not gone on with", world)
        .receives(1050, &second)
        .loses(1100)
        .asks_after(1200, Some("p1"))
        .receives(1250, &(hello_of(1, "second") + &ended("p2", 40, &SMALL, &[7])))
        .checks(1250, token, "accepted")
        .checks(5998, token, "accepted")
        .checks(5999, token, "unavailable")
        .asks_after(7000, None)
        .done()
}

fn unknown_list(world: &World) -> Result<Value, Box<dyn Error>> {
    let token = world.token(&LATER, 42)?;
    Ok(Script::begun("a list that is not known, and then is", world)
        .checks(60, &token, "unknown_list")
        .loses(100)
        .asks_after(200, Some("p1"))
        .snapshot(250, 5, &snapshot_of(&world.first_keys(), &[SMALL, LATER], "p2"))
        .checks(250, &token, "accepted")
        .checks(250, &world.token(&LATER, 7)?, "refused")
        .checks(250, &world.token(&LATER, 512)?, "refused")
        .done())
}
