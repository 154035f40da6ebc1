//! Hostile tokens: each is refused, at the same guard that accepts the token it was made from.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::HashSet;

use cerrojo_domain::{KeyId, UnixMillis};
use cerrojo_guard::hostile::{Hostile, every_signature_bit, every_truncation, hostile_tokens, other_spelling};
use cerrojo_guard::{Algorithm, KeySet, Refusal, SESSION_TOKEN, SigningKey, attach_signature};
use ring::rand::SystemRandom;
use ring::signature::{
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use serde_json::json;
use support::{START, World, key};

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
    for algorithm in Algorithm::ALL {
        let world = World::of(algorithm);
        let good = world.token(42);
        let sign = |input: &str| world.signer.sign(input).unwrap();
        let hostile = hostile_tokens(&good, world.signer.verifying_key(), &sign);
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
    for algorithm in Algorithm::ALL {
        let world = World::of(algorithm);
        let good = world.token(1);
        let flipped = every_signature_bit(&good);
        assert!(flipped.len() >= 256);
        all_refused(&world, &good, &flipped);
    }
}

#[test]
fn no_part_of_a_token_is_a_token() {
    for algorithm in Algorithm::ALL {
        let world = World::of(algorithm);
        let good = world.token(1);
        let cut = every_truncation(&good);
        assert!(cut.len() > good.len());
        all_refused(&world, &good, &cut);
    }
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

/// Of a guard that knows a key of each algorithm: a token is good under the name, the algorithm and the signature of one key,
/// and under no mixture. `Ed25519` and `EdDSA` are two algorithms also where the key is the same.
#[test]
fn an_algorithm_belongs_to_a_key() {
    let world = World::new();
    let pkcs8 = SigningKey::generate_pkcs8(Algorithm::Ed25519).unwrap();
    let keys: Vec<(KeyId, SigningKey)> = Algorithm::ALL
        .into_iter()
        .map(|algorithm| match algorithm {
            Algorithm::Ed25519 | Algorithm::EdDsa => SigningKey::from_pkcs8(algorithm, pkcs8.as_ref()).unwrap(),
            _ => key(algorithm),
        })
        .map(|key| (KeyId::from_text(format!("key-{}", key.algorithm().name())), key))
        .collect();
    for (kid, key) in &keys {
        world.guard.add_key(kid.clone(), key.verifying_key().clone());
    }
    let mut accepted = 0;
    for (kid, named) in &keys {
        for alg in Algorithm::ALL {
            for (_, signer) in &keys {
                let token = world.sign(&json!({ "alg": alg, "typ": "at+jwt", "kid": kid }), &world.claims(1));
                let (input, _) = token.rsplit_once('.').unwrap();
                let token = attach_signature(input, &signer.sign(input).unwrap());
                let is_edwards = |alg| matches!(alg, Algorithm::Ed25519 | Algorithm::EdDsa);
                let same_key = signer.algorithm() == alg || (is_edwards(signer.algorithm()) && is_edwards(alg));
                let fine = named.algorithm() == alg && same_key;
                assert_eq!(world.guard.check(&token).is_ok(), fine, "{kid} {alg:?} {signer:?}");
                accepted += usize::from(fine);
            }
        }
    }
    assert_eq!(accepted, 7, "each of five, and the two names of one key for each other's signatures");
}

/// An RSA key can sign in other ways too, and its key says one.
#[test]
fn an_rsa_key_is_for_one_padding_and_one_digest() {
    let world = World::of(Algorithm::Rs256);
    let good = world.token(1);
    let (input, _) = good.rsplit_once('.').unwrap();
    let pair = RsaKeyPair::from_pkcs8(include_bytes!("../src/hostile/server.pk8")).unwrap();
    let signed = |padding: &'static dyn RsaEncoding| {
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(padding, &SystemRandom::new(), input.as_bytes(), &mut signature).unwrap();
        world.guard.check(&attach_signature(input, &signature)).is_ok()
    };
    assert!(signed(&RSA_PKCS1_SHA256));
    for (name, other) in [
        ("PS256", &RSA_PSS_SHA256 as &'static dyn RsaEncoding),
        ("RS384", &RSA_PKCS1_SHA384),
        ("RS512", &RSA_PKCS1_SHA512),
        ("PS512", &RSA_PSS_SHA512),
    ] {
        assert!(!signed(other), "{name}");
    }
}

/// What a server of a later version may publish beside the keys that this guard knows.
#[test]
fn keys_of_other_kinds_are_passed_over() {
    let world = World::of(Algorithm::EdDsa);
    let kid = |name: &str| KeyId::from_text(name);
    let known = world.signer.verifying_key().to_jwk(&kid("known")).unwrap();
    let jwks = json!({ "keys": [
        { "kty": "AKP", "alg": "ML-DSA-44", "kid": "a", "pub": "AAAA" },
        { "kty": "OKP", "crv": "Ed448", "alg": "EdDSA", "kid": "b", "x": "AAAA" },
        { "kty": "EC", "crv": "P-521", "alg": "ES512", "kid": "c", "x": "AAAA", "y": "AAAA" },
        { "kty": "RSA", "alg": "PS256", "kid": "d", "n": "AAAA", "e": "AQAB" },
        { "kty": ["EC"], "kid": "e" }, { "kid": "f" }, null, [], "EC", known,
    ] });
    let keys = KeySet::from_jwks(&jwks);
    assert_eq!(keys.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["known"]);
}
