//! Hostile tokens: each is refused, at the same guard that accepts the token it was made from.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::HashSet;

use cerrojo_domain::{KeyId, UnixMillis};
use cerrojo_guard::hostile::{Hostile, every_signature_bit, every_truncation, hostile_tokens, other_spelling};
use cerrojo_guard::{Refusal, SESSION_TOKEN};
use serde_json::json;
use support::{START, Signer, World};

fn all_refused(world: &World, good: &str, hostile: &[Hostile]) {
    for (name, token) in hostile {
        assert!(world.guard.check(good).is_ok(), "the untouched token before: {name}");
        assert_ne!(token, good, "{name} is no attack");
        match world.guard.check(token) {
            // A name like any other, of a list that may be new: refused until somebody opens it.
            Err(Refusal::UnknownList(verified)) => {
                assert_eq!(verified.list.as_str(), "AAAAAAAAAAAAAAAAAAAAAA", "{name}");
            }
            refused => assert_eq!(refused, Err(Refusal::Invalid), "{name}: {token:.200}"),
        }
    }
    assert!(world.guard.check(good).is_ok());
}

#[test]
fn every_generated_attack_is_refused() {
    for signer in [Signer::es256(), Signer::hs256()] {
        let world = World::with(signer, None);
        let good = world.token(42);
        let sign = |input: &str| world.signer.sign(input);
        let hostile = hostile_tokens(&good, &world.signer.verifying_key(), &sign);
        assert!(hostile.len() > 600, "only {}", hostile.len());
        all_refused(&world, &good, &hostile);

        let mut names = HashSet::new();
        for (name, _) in &hostile {
            assert!(names.insert(name), "two attacks are named {name}");
        }
    }
}

/// An attack that fails only because the token was badly made shows nothing: with the same making and nothing changed, the
/// token is accepted.
#[test]
fn the_forge_itself_makes_good_tokens() {
    let world = World::new();
    let claims = serde_json::to_value(world.claims(1)).unwrap();
    let header = serde_json::to_value(world.header()).unwrap();
    assert!(world.guard.check(&world.sign(&header, &claims)).is_ok());
    let mut more = header.clone();
    more["x"] = json!({ "unknown": ["members", "are", "ignored"] });
    assert!(world.guard.check(&world.sign(&more, &claims)).is_ok());
}

#[test]
fn every_bit_of_the_signature_matters() {
    for signer in [Signer::es256(), Signer::hs256()] {
        let world = World::with(signer, None);
        let good = world.token(1);
        let flipped = every_signature_bit(&good);
        assert!(flipped.len() >= 256);
        all_refused(&world, &good, &flipped);
    }
}

#[test]
fn no_part_of_a_token_is_a_token() {
    let world = World::new();
    let good = world.token(1);
    let cut = every_truncation(&good);
    assert!(cut.len() > good.len());
    all_refused(&world, &good, &cut);
}

/// (r, n - s) is valid whenever (r, s) is. It must not be a way around an ending.
#[test]
fn the_other_spelling_of_a_signature_ends_with_its_session() {
    let world = World::new();
    let good = world.token(1);
    let other = other_spelling(&good).unwrap();
    assert_ne!(good, other);
    assert_eq!(world.guard.check(&good), world.guard.check(&other));
    assert_eq!(other_spelling(&other).unwrap(), good);
    let unseen = other_spelling(&world.token(1)).unwrap();
    world.end(1);
    for token in [&good, &other, &unseen] {
        assert_eq!(world.guard.check(token), Err(Refusal::Invalid));
    }
}

#[test]
fn typ_is_a_media_type() {
    let world = World::new();
    for typ in ["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "APPLICATION/AT+JWT"] {
        let header = json!({ "alg": "ES256", "typ": typ, "kid": world.kid });
        assert!(world.guard.check(&world.sign(&header, &world.claims(1))).is_ok(), "{typ}");
    }
}

#[test]
fn an_audience_may_stand_in_an_array_alone() {
    let world = World::new();
    let mut claims = serde_json::to_value(world.claims(1)).unwrap();
    claims["aud"] = json!(["https://api.example"]);
    assert!(world.guard.check(&world.sign(&world.header(), &claims)).is_ok());
}

#[test]
fn size_is_bounded_exactly() {
    let world = World::new();
    let token = |filling: usize| {
        let mut claims = serde_json::to_value(world.claims(1)).unwrap();
        claims["x"] = json!("A".repeat(filling));
        world.sign(&world.header(), &claims)
    };
    let mut fits = 0;
    for filling in 5000..6000 {
        let token = token(filling);
        let small = token.len() <= SESSION_TOKEN.max_bytes;
        assert_eq!(world.guard.check(&token).is_ok(), small, "{} bytes", token.len());
        fits += usize::from(small);
        if !small {
            break;
        }
    }
    assert!(fits > 100);
}

#[test]
fn times_are_kept_to_the_millisecond_and_the_minute() {
    let world = World::new();
    let check = |member: &str, value: i64| {
        let mut claims = serde_json::to_value(world.claims(1)).unwrap();
        claims[member] = json!(value);
        world.guard.check(&world.sign(&world.header(), &claims)).map(|verified| verified.expires_at)
    };
    assert_eq!(check("exp", START + 1), Ok(UnixMillis((START + 1) * 1000)));
    assert!(matches!(check("exp", START), Err(Refusal::Expired(_))), "no leeway");
    assert!(check("iat", START + 60).is_ok());
    assert_eq!(check("iat", START + 61), Err(Refusal::Invalid));
    assert!(check("nbf", START + 60).is_ok());
    assert_eq!(check("nbf", START + 61), Err(Refusal::Invalid));
    assert!(check("nbf", 0).is_ok());
    assert_eq!(check("iat", START - 1).map(|_| ()), Ok(()));

    let mut claims = serde_json::to_value(world.claims(1)).unwrap();
    (claims["iat"], claims["exp"]) = (json!(START + 30), json!(START + 29));
    assert_eq!(world.guard.check(&world.sign(&world.header(), &claims)), Err(Refusal::Invalid), "over before it began");
}

#[test]
fn an_algorithm_belongs_to_a_key() {
    let world = World::new();
    let secret = Signer::hs256();
    let other = KeyId::from_text("other");
    world.guard.add_key(other.clone(), secret.verifying_key());
    for (kid, alg, signer, fine) in [
        (&world.kid, "ES256", &world.signer, true),
        (&other, "HS256", &secret, true),
        (&world.kid, "HS256", &secret, false),
        (&other, "ES256", &world.signer, false),
        (&world.kid, "ES256", &secret, false),
        (&other, "HS256", &world.signer, false),
    ] {
        let token = world.sign(&json!({ "alg": alg, "typ": "at+jwt", "kid": kid }), &world.claims(1));
        let (input, _) = token.rsplit_once('.').unwrap();
        let token = cerrojo_guard::attach_signature(input, &signer.sign(input));
        assert_eq!(world.guard.check(&token).is_ok(), fine, "{kid} {alg}");
    }
}
