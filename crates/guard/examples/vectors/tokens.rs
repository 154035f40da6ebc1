//! Tokens, and what a guard that knows the first keys and lists says of them.

use std::error::Error;

use cerrojo_guard::hostile::hostile_tokens;
use cerrojo_guard::{Algorithm, Header, SESSION_TYP, STATUS_LIST_TYP, attach_signature, signing_input};
use serde_json::{Value, json};

use crate::world::{AUDIENCE, ISSUER, LARGE, LATER, NOW, ODD, SMALL, Signer, World, claims};

/// Longer attacks than this are left out; that size is looked at first is for each implementation to test.
const LONGEST: usize = 2000;

type All = Result<Vec<Value>, Box<dyn Error>>;

pub(crate) fn all(world: &World) -> All {
    let mut all = places(world)?;
    all.extend(times(world)?);
    all.extend(others(world)?);
    all.extend(hostile(world)?);
    Ok(all)
}

fn one(about: &str, token: &str, outcome: &str) -> Value {
    json!({ "about": about, "token": token, "outcome": outcome })
}

fn places(world: &World) -> All {
    let rows = [
        ("a live session", SMALL, 42, "accepted"),
        ("the first place", SMALL, 0, "accepted"),
        ("an ended session", SMALL, 3, "refused"),
        ("the lowest bit of a byte", SMALL, 64, "refused"),
        ("beside an ended one", SMALL, 65, "accepted"),
        ("the last place, ended", SMALL, 999, "refused"),
        ("beyond the list", SMALL, 1000, "refused"),
        ("far beyond the list", SMALL, u32::MAX, "refused"),
        ("a large list, first place, ended", LARGE, 0, "refused"),
        ("a large list", LARGE, 70_000, "accepted"),
        ("a large list, last place, ended", LARGE, 131_071, "refused"),
        ("beyond the large list", LARGE, 131_072, "refused"),
        ("a list that fills no byte, last place, ended", ODD, 12, "refused"),
        ("a list that fills no byte", ODD, 11, "accepted"),
        ("beyond the list, within its last byte", ODD, 13, "refused"),
        ("a list that nobody told of", LATER, 1, "unknown_list"),
    ];
    rows.iter().map(|(about, list, index, outcome)| Ok(one(about, &world.token(list, *index)?, outcome))).collect()
}

fn times(world: &World) -> All {
    let now = NOW / 1000;
    let at = |iat: i64, exp: i64, nbf: Option<i64>| {
        let mut claims = json!(claims(&SMALL, 42));
        claims["iat"] = json!(iat);
        claims["exp"] = json!(exp);
        if let Some(nbf) = nbf {
            claims["nbf"] = json!(nbf);
        }
        world.signed(Signer::First, &claims)
    };
    Ok(vec![
        one("expires in a second", &at(now - 60, now + 1, None)?, "accepted"),
        one("expires now", &at(now - 60, now, None)?, "refused"),
        one("has expired", &at(now - 60, now - 1, None)?, "refused"),
        one("issued a minute ahead", &at(now + 60, now + 600, None)?, "accepted"),
        one("issued more than a minute ahead", &at(now + 61, now + 600, None)?, "refused"),
        one("expires before it was issued", &at(now + 50, now + 49, None)?, "refused"),
        one("nbf now", &at(now, now + 600, Some(now))?, "accepted"),
        one("nbf a minute ahead", &at(now, now + 600, Some(now + 60))?, "accepted"),
        one("nbf more than a minute ahead", &at(now, now + 600, Some(now + 61))?, "refused"),
    ])
}

fn others(world: &World) -> All {
    let changed = |name: &str, value: Value| {
        let mut claims = json!(claims(&SMALL, 42));
        claims[name] = value;
        world.signed(Signer::First, &claims)
    };
    let listed_at = |uri: String| {
        let mut claims = json!(claims(&SMALL, 42));
        claims["status"]["status_list"]["uri"] = json!(uri);
        world.signed(Signer::First, &claims)
    };
    let headed = |alg: Algorithm, typ: &'static str| {
        let key = world.key(Signer::First)?;
        let input = signing_input(&Header { alg, typ, kid: key.id.clone() }, &claims(&SMALL, 42));
        Ok::<_, Box<dyn Error>>(attach_signature(&input, &world.sign(key, &input)))
    };
    let list = |name: &str| listed_at(format!("{ISSUER}/status-lists/{name}"));
    Ok(vec![
        one("the second key", &world.token_by(Signer::Second, &SMALL, 42)?, "accepted"),
        one("a key that nobody told of", &world.token_by(Signer::Third, &SMALL, 42)?, "refused"),
        one("an audience of one", &changed("aud", json!([AUDIENCE]))?, "accepted"),
        one("two audiences", &changed("aud", json!([AUDIENCE, "https://other.example"]))?, "refused"),
        one("another claim beside", &changed("more", json!({ "of": ["this"] }))?, "accepted"),
        one("typ in other letters", &headed(Algorithm::Es256, "AT+JWT")?, "accepted"),
        one("a status list token", &headed(Algorithm::Es256, STATUS_LIST_TYP)?, "refused"),
        one("an algorithm that is not the key's", &headed(Algorithm::Hs256, SESSION_TYP)?, "refused"),
        one("an unknown list, name of one character", &list("a")?, "unknown_list"),
        one("an unknown list, name of 64 characters", &list(&"-_aZ".repeat(16))?, "unknown_list"),
        one("a list's name of 65 characters", &list(&"a".repeat(65))?, "refused"),
        one("a list's name with a slash", &list("a/b")?, "refused"),
        one("a list's name with a dot", &list("..")?, "refused"),
        one("a list's name with a percent sign", &list("%61")?, "refused"),
        one("a list without a name", &list("")?, "refused"),
        one(
            "a list of another issuer",
            &listed_at(format!("https://x.example/status-lists/{}", SMALL.name))?,
            "refused",
        ),
    ])
}

/// What no guard may accept, made from a good token.
fn hostile(world: &World) -> All {
    let key = world.key(Signer::First)?;
    let good = world.token(&SMALL, 42)?;
    let tokens = hostile_tokens(&good, key.pair.verifying_key(), &|input| world.sign(key, input));
    if tokens.len() < 500 {
        return Err("the generators made too few".into());
    }
    // A name like any other, of a list that may be new.
    let new_list =
        |about: &str| about.starts_with("claim status.status_list.uri") && about.contains("AAAAAAAAAAAAAAAAAAAAAA");
    // Some are signed by a key that an attacker made up just now: as long as what they are made from is what it was, they
    // stay what they were.
    let same = world.kept.values().any(|token| *token == good);
    let kept = |about: &str| world.kept.get(about).filter(|_| same);
    Ok(tokens
        .iter()
        .filter(|(_, token)| token.len() <= LONGEST)
        .map(|(about, token)| (about, kept(about).unwrap_or(token)))
        .map(|(about, token)| one(about, token, if new_list(about) { "unknown_list" } else { "refused" }))
        .collect())
}
