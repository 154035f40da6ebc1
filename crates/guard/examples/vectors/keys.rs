//! Keys of every kind, and what is said of tokens by them.

use std::error::Error;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cerrojo_domain::KeyId;
use cerrojo_guard::hostile::{hostile_tokens, padded_digest};
use cerrojo_guard::{Algorithm, Header, SESSION_TYP, attach_signature, signing_input};
use serde_json::{Value, json};

use crate::world::{Key, SMALL, Signer, World, claims};

const EACH: [Signer; 3] = [Signer::Ed25519, Signer::EdDsa, Signer::Rs256];
/// What of the attacks has to do with the algorithm; the rest stands there once, for the first key.
const OF_THE_ALGORITHM: [&str; 4] = ["alg ", "alg:", "key confusion", "signature"];

type Sign<'a> = Box<dyn Fn(&str) -> Vec<u8> + 'a>;

/// A JWK that no guard may take for a key, and a signature over some text that is good for a guard that does.
struct Unusable<'a> {
    about: &'static str,
    jwk: Value,
    alg: Algorithm,
    sign: Sign<'a>,
}

/// A JWK set with good keys of every kind, and others among them.
pub(crate) fn all(world: &World) -> Result<Value, Box<dyn Error>> {
    let mut keys = vec![
        json!({ "kty": "AKP", "alg": "ML-DSA-44", "use": "sig", "kid": "of-a-later-release", "pub": "AAAA" }),
        json!({ "kty": "oct", "alg": "HS256", "kid": "symmetric", "k": URL_SAFE_NO_PAD.encode([7; 32]) }),
    ];
    for signer in [Signer::First, Signer::Second, Signer::Ed25519, Signer::EdDsa, Signer::Rs256] {
        keys.extend(world.key(signer)?.jwk());
    }
    keys.extend(unusable(world)?.into_iter().map(|one| one.jwk));
    Ok(json!({ "keys": keys }))
}

/// Tokens by those keys.
pub(crate) fn tokens(world: &World) -> Result<Vec<Value>, Box<dyn Error>> {
    let mut all = Vec::new();
    for signer in EACH {
        let key = world.key(signer)?;
        let name = key.pair.algorithm().name();
        let good = world.token_by(signer, &SMALL, 42)?;
        all.push(one(&format!("{name}: a live session"), &good, "accepted"));
        all.push(one(&format!("{name}: an ended session"), &world.token_by(signer, &SMALL, 3)?, "refused"));
        for (about, token) in hostile_tokens(&good, key.pair.verifying_key(), &|input| world.sign(key, input)) {
            if OF_THE_ALGORITHM.iter().any(|start| about.starts_with(start)) {
                all.push(one(&format!("{name}: {about}"), &token, "refused"));
            }
        }
    }
    for Unusable { about, jwk, alg, sign } in unusable(world)? {
        let kid = KeyId::from_text(jwk.get("kid").and_then(Value::as_str).unwrap_or_default());
        let header = Header { alg, typ: SESSION_TYP, kid };
        let input = signing_input(&header, &claims(&SMALL, 42));
        all.push(one(&format!("a key that is none: {about}"), &attach_signature(&input, &sign(&input)), "refused"));
    }
    Ok(all)
}

fn one(about: &str, token: &str, outcome: &str) -> Value {
    json!({ "about": about, "token": token, "outcome": outcome })
}

fn unusable<'a>(world: &'a World) -> Result<Vec<Unusable<'a>>, Box<dyn Error>> {
    let (edwards, rsa) = (world.key(Signer::Ed25519)?, world.key(Signer::Rs256)?);
    let by = |key: &'a Key| -> Sign<'a> { Box::new(|input: &str| key.pair.sign(input).unwrap_or_default()) };
    // Null: without the member.
    let jwk = |key: &Key, kid: &str, (member, value): (&str, Value)| {
        let mut members = key.jwk().and_then(|jwk| jwk.as_object().cloned()).unwrap_or_default();
        members.insert("kid".to_owned(), json!(kid));
        members.insert(member.to_owned(), value);
        members.retain(|_, value| !value.is_null());
        Value::Object(members)
    };
    let mut identity = [0; 32];
    identity.iter_mut().take(1).for_each(|byte| *byte = 1);
    let of_small_order = move |_: &str| [identity, [0; 32]].concat();
    Ok(vec![
        Unusable {
            about: "Ed25519 that does not say its algorithm",
            jwk: jwk(edwards, "without-alg-okp", ("alg", Value::Null)),
            alg: Algorithm::Ed25519,
            sign: by(edwards),
        },
        Unusable {
            about: "the same, EdDSA in the token",
            jwk: jwk(edwards, "without-alg-okp-2", ("alg", Value::Null)),
            alg: Algorithm::EdDsa,
            sign: by(edwards),
        },
        Unusable {
            about: "RSA that does not say its algorithm",
            jwk: jwk(rsa, "without-alg-rsa", ("alg", Value::Null)),
            alg: Algorithm::Rs256,
            sign: by(rsa),
        },
        Unusable {
            about: "RSA for PS256",
            jwk: jwk(rsa, "ps256", ("alg", json!("PS256"))),
            alg: Algorithm::Rs256,
            sign: by(rsa),
        },
        Unusable {
            about: "RSA for encryption",
            jwk: jwk(rsa, "encryption", ("use", json!("enc"))),
            alg: Algorithm::Rs256,
            sign: by(rsa),
        },
        Unusable {
            about: "RSA with the exponent 1",
            jwk: jwk(rsa, "exponent-1", ("e", json!("AQ"))),
            alg: Algorithm::Rs256,
            sign: Box::new(|input| padded_digest(input, 384)),
        },
        Unusable {
            about: "RSA whose modulus has leading zeros",
            jwk: jwk(rsa, "leading-zeros", ("n", json!(leading_zeros(rsa)))),
            alg: Algorithm::Rs256,
            sign: by(rsa),
        },
        Unusable {
            about: "Ed25519 of order 1",
            jwk: jwk(edwards, "order-1", ("x", json!(URL_SAFE_NO_PAD.encode(identity)))),
            alg: Algorithm::Ed25519,
            sign: Box::new(of_small_order),
        },
    ])
}

fn leading_zeros(key: &Key) -> String {
    let modulus = key.jwk().and_then(|jwk| URL_SAFE_NO_PAD.decode(jwk.get("n")?.as_str()?).ok()).unwrap_or_default();
    URL_SAFE_NO_PAD.encode([vec![0; 3], modulus].concat())
}
