//! What ends, is retired, and stays so.

use std::error::Error;

use serde_json::{Value, json};

use super::{Script, ended, entries, event, first, rotated, snapshot_of};
use crate::keys;
use crate::world::{LARGE, LATER, List, SMALL, Signer, World};

pub(super) fn all(world: &World) -> Result<Vec<Value>, Box<dyn Error>> {
    Ok(vec![
        tail(world)?,
        cut_up(world)?,
        bits_stay(world)?,
        bits_of_a_later_snapshot(world)?,
        retired_list(world)?,
        retired_key(world)?,
        named_as_retired(world)?,
        keys_come_and_go(world)?,
        the_algorithm_changes(world)?,
        awaited(world)?,
        everything(world)?,
        everything_without_lists(world)?,
    ])
}

type One = Result<Value, Box<dyn Error>>;

fn tail(world: &World) -> One {
    let (first, second, third) = (world.token(&SMALL, 42)?, world.token(&SMALL, 43)?, world.token(&SMALL, 3)?);
    Ok(Script::begun("sessions end one after the other", world)
        .checks(60, &first, "accepted")
        .checks(60, &second, "accepted")
        .checks(60, &third, "refused")
        .receives(1000, &ended("p2", 950, &SMALL, &[42]))
        .checks(1000, &first, "refused")
        .checks(1000, &second, "accepted")
        .receives(1500, &ended("p3", 1450, &SMALL, &[5, 43, 43, 70_000]))
        .checks(1500, &second, "refused")
        .loses(1600)
        .asks_after(1700, Some("p3"))
        .done())
}

fn cut_up(world: &World) -> One {
    let token = world.token(&SMALL, 42)?;
    let text = ended("p2", 900, &SMALL, &[42]);
    let (head, rest) = text.split_at(40);
    let (middle, end) = rest.split_at(rest.len() - 1);
    Ok(Script::begun("an event comes in pieces and counts when it is whole", world)
        .receives(1000, head)
        .checks(1000, &token, "accepted")
        .receives(1100, middle)
        .checks(1100, &token, "accepted")
        .receives(1200, end)
        .checks(1200, &token, "refused")
        .done())
}

fn bits_stay(world: &World) -> One {
    let token = world.token(&SMALL, 42)?;
    let clear = List { ended: &[], ..SMALL };
    Ok(Script::begun("a bit is never cleared, whatever a later snapshot says", world)
        .receives(1000, &ended("p2", 900, &SMALL, &[42]))
        .loses(1100)
        .asks_after(1200, Some("p2"))
        .snapshot(1300, 10, &snapshot_of(&world.first_keys(), &[clear], "p3"))
        .checks(1300, &token, "refused")
        .checks(1300, &world.token(&SMALL, 3)?, "refused")
        .checks(1300, &world.token(&SMALL, 44)?, "accepted")
        .done())
}

fn bits_of_a_later_snapshot(world: &World) -> One {
    let token = world.token(&SMALL, 42)?;
    let later = List { ended: &[3, 42, 64, 999], ..SMALL };
    Ok(Script::begun("a later snapshot sets the bits of a list that is known", world)
        .checks(60, &token, "accepted")
        .loses(100)
        .asks_after(9000, Some("p1"))
        .snapshot(9050, 10, &snapshot_of(&world.first_keys(), &[later], "p9"))
        .checks(9050, &token, "refused")
        .checks(9050, &world.token(&SMALL, 43)?, "accepted")
        .done())
}

fn retired_list(world: &World) -> One {
    let (small, large) = (world.token(&SMALL, 42)?, world.token(&LARGE, 42)?);
    Ok(Script::new("a retired list is over for ever")
        .asks_after(0, None)
        .snapshot(50, 10, &snapshot_of(&world.first_keys(), &[SMALL, LARGE], "p1"))
        .checks(60, &small, "accepted")
        .receives(1000, &entries("p2", 900, &json!({ "retired_lists": [SMALL.name, LATER.name] })))
        .checks(1000, &small, "refused")
        .checks(1000, &large, "accepted")
        .checks(1000, &world.token(&LATER, 1)?, "refused")
        .loses(1100)
        .asks_after(1200, Some("p2"))
        .snapshot(1300, 10, &snapshot_of(&world.first_keys(), &[SMALL, LARGE, LATER], "p3"))
        .checks(1300, &small, "refused")
        .checks(1300, &world.token(&LATER, 1)?, "refused")
        .checks(1300, &large, "accepted")
        .done())
}

fn retired_key(world: &World) -> One {
    let (first, second) = (world.token(&SMALL, 42)?, world.token_by(Signer::Second, &SMALL, 42)?);
    Ok(Script::begun("whatever a retired key signed is over, whatever comes later", world)
        .checks(60, &second, "accepted")
        .receives(1000, &entries("p2", 900, &json!({ "retired_keys": ["kEy0000000000000000002"] })))
        .checks(1000, &second, "refused")
        .checks(1000, &first, "accepted")
        .receives(1100, &entries("p3", 1000, &json!({ "keys": world.first_keys() })))
        .checks(1100, &second, "refused")
        .checks(1100, &first, "accepted")
        .done())
}

fn named_as_retired(world: &World) -> One {
    let (good, retired) = (world.token(&SMALL, 42)?, world.token_by(Signer::Second, &SMALL, 42)?);
    let names = "\"retired_keys\":[\"kEy0000000000000000002\",\"never heard of\"],\"lists\":";
    let told: Vec<String> = first(world).iter().map(|event| event.replace("\"lists\":", names)).collect();
    Ok(Script::new("a key that a snapshot names as retired is refused, whoever else gave it")
        .asks(0)
        .snapshot(50, 0, &told)
        .checks(60, &retired, "refused")
        .checks(60, &good, "accepted")
        .receives(1000, &entries("p2", 900, &json!({ "keys": world.first_keys() })))
        .checks(1000, &retired, "refused")
        .done())
}

fn keys_come_and_go(world: &World) -> One {
    let by = |signer| world.token_by(signer, &SMALL, 42);
    let (first, second, third) = (by(Signer::First)?, by(Signer::Second)?, by(Signer::Third)?);
    Ok(Script::begun("entries with keys: what is new is added, what is missing is retired", world)
        .checks(60, &third, "refused")
        .receives(1000, &entries("p2", 900, &json!({ "keys": rotated(world) })))
        .checks(1000, &third, "accepted")
        .checks(1000, &second, "refused")
        .checks(1000, &first, "accepted")
        .receives(2000, &entries("p3", 1900, &json!({ "ended": {} })))
        .checks(2000, &third, "accepted")
        .checks(2000, &second, "refused")
        .done())
}

fn the_algorithm_changes(world: &World) -> One {
    let by = |signer| world.token_by(signer, &SMALL, 42);
    let keys = keys::all(world)?;
    Ok(Script::begun(
        "entries with keys of every algorithm and of unknown ones: old tokens stay good, and new ones are",
        world,
    )
    .checks(60, &by(Signer::Ed25519)?, "refused")
    .receives(1000, &entries("p2", 900, &json!({ "keys": keys })))
    .checks(1000, &by(Signer::First)?, "accepted")
    .checks(1000, &by(Signer::Ed25519)?, "accepted")
    .checks(1000, &by(Signer::EdDsa)?, "accepted")
    .checks(1000, &by(Signer::Rs256)?, "accepted")
    .receives(2000, &entries("p3", 1900, &json!({ "keys": world.jwks(&[Signer::First, Signer::EdDsa]) })))
    .checks(2000, &by(Signer::First)?, "accepted")
    .checks(2000, &by(Signer::EdDsa)?, "accepted")
    .checks(2000, &by(Signer::Ed25519)?, "refused")
    .checks(2000, &by(Signer::Rs256)?, "refused")
    .done())
}

fn awaited(world: &World) -> One {
    let (ending, other) = (world.token(&LATER, 9)?, world.token(&LATER, 10)?);
    Ok(Script::begun("endings in a list that is not known are there when it is opened", world)
        .checks(60, &ending, "unknown_list")
        .receives(1000, &ended("p2", 900, &LATER, &[9]))
        .checks(1000, &other, "unknown_list")
        .loses(1100)
        .asks_after(1200, Some("p2"))
        .snapshot(1300, 10, &snapshot_of(&world.first_keys(), &[SMALL, LATER], "p3"))
        .checks(1300, &ending, "refused")
        .checks(1300, &other, "accepted")
        .checks(1300, &world.token(&LATER, 7)?, "refused")
        .done())
}

fn everything(world: &World) -> One {
    let (old, new) = (world.token(&SMALL, 42)?, world.token_by(Signer::Third, &LATER, 42)?);
    let keys = world.jwks(&[Signer::Third]);
    let midst = snapshot_of(&keys, &[LATER], "q1");
    let lists: String = midst.iter().take(1).cloned().collect();
    let end: String = midst.iter().skip(1).cloned().collect();
    Ok(Script::begun("a snapshot in the midst of a stream: everything before it is over", world)
        .heartbeat(1000, 1000)
        .receives(2000, &lists)
        .checks(2000, &old, "accepted")
        .receives(2100, &event("heartbeat", None, &json!({ "elapsed": 2050 })))
        .receives(2200, &end.replace("ELAPSED", "2000"))
        .checks(2200, &old, "refused")
        .checks(2200, &new, "accepted")
        .checks(2200, &world.token_by(Signer::First, &LATER, 42)?, "refused")
        .checks(2200, &world.token_by(Signer::Third, &LATER, 7)?, "refused")
        .loses(2300)
        .asks_after(2400, Some("q1"))
        .done())
}

fn everything_without_lists(world: &World) -> One {
    let token = world.token(&SMALL, 42)?;
    let midst: String = snapshot_of(&world.first_keys(), &[], "q1").concat().replace("ELAPSED", "2000");
    Ok(Script::begun("a snapshot in the midst of a stream that has no list, soon after the first", world)
        .checks(60, &token, "accepted")
        .receives(2010, &midst)
        .checks(2010, &token, "refused")
        .receives(2020, &first(world).concat().replace("ELAPSED", "2010"))
        .checks(2020, &token, "refused")
        .done())
}
