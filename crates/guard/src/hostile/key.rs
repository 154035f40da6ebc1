//! Attacks by other keys: the public key taken for a secret, and keys that the token brings along.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cerrojo_domain::KeyId;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use ring::{digest, hmac};
use serde_json::{Value, json};

use super::{Forge, Hostile, with};
use crate::keys::VerifyingKey;

pub(super) fn attacks(forge: &Forge<'_>) -> Vec<Hostile> {
    let mut all = confusion(forge);
    all.extend(foreign_keys(forge));
    all
}

/// HMAC over what an attacker knows of a public key, in the hope that it is taken for a shared secret (RFC 8725, 2.1).
fn confusion(forge: &Forge<'_>) -> Vec<Hostile> {
    let VerifyingKey::Es256(point) = forge.key else { return Vec::new() };
    let kid = KeyId::from_text(forge.header.get("kid").and_then(Value::as_str).unwrap_or_default());
    let jwk = forge.key.to_jwk(&kid).unwrap_or_default();
    let coordinates = point.get(1..).unwrap_or_default();
    let mut compressed = vec![2 + (point.last().copied().unwrap_or_default() & 1)];
    compressed.extend(coordinates.iter().take(32));
    // SubjectPublicKeyInfo of a P-256 key up to the point (RFC 5480).
    let mut der = vec![
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
        0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    der.extend(point);
    let base64 = STANDARD.encode(&der);
    let (first, second) = base64.split_at_checked(64).unwrap_or_default();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{first}\n{second}\n-----END PUBLIC KEY-----\n");
    let secrets: Vec<(&str, Vec<u8>)> = vec![
        ("point", point.clone()),
        ("point without its first byte", coordinates.to_vec()),
        ("x alone", coordinates.iter().take(32).copied().collect()),
        ("compressed point", compressed),
        ("point in hexadecimal", point.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()),
        ("point in base64", STANDARD.encode(point).into_bytes()),
        ("point in base64url", URL_SAFE_NO_PAD.encode(point).into_bytes()),
        ("DER", der),
        ("DER in base64", base64.clone().into_bytes()),
        ("PEM", pem.clone().into_bytes()),
        ("PEM without its last newline", pem.trim_end().as_bytes().to_vec()),
        ("PEM with carriage returns", pem.replace('\n', "\r\n").into_bytes()),
        ("JWK", jwk.to_string().into_bytes()),
        ("JWK set", json!({ "keys": [jwk] }).to_string().into_bytes()),
        ("x of the JWK as text", jwk.get("x").and_then(Value::as_str).unwrap_or_default().as_bytes().to_vec()),
        ("thumbprint", digest::digest(&digest::SHA256, jwk.to_string().as_bytes()).as_ref().to_vec()),
        ("kid", kid.as_str().as_bytes().to_vec()),
        ("nothing", Vec::new()),
    ];
    let mut all = Vec::new();
    for alg in ["HS256", "ES256"] {
        let header = URL_SAFE_NO_PAD.encode(forge.header_with("alg", Some(json!(alg))).to_string());
        let input = format!("{header}.{}", forge.parts().1);
        for (name, secret) in &secrets {
            let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
            let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac));
            all.push((format!("key confusion under {alg}: {name}"), token));
        }
    }
    all
}

/// Signed with a key of the attacker's own, which the header brings along or points to (RFC 8725, section 2.10).
fn foreign_keys(forge: &Forge<'_>) -> Vec<Hostile> {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let Ok(pair) = EcdsaKeyPair::generate_pkcs8(algorithm, &random)
        .map_err(|_| ())
        .and_then(|der| EcdsaKeyPair::from_pkcs8(algorithm, der.as_ref(), &random).map_err(|_| ()))
    else {
        return Vec::new();
    };
    let kid = KeyId::from_text(forge.header.get("kid").and_then(Value::as_str).unwrap_or_default());
    let jwk = VerifyingKey::Es256(pair.public_key().as_ref().to_vec()).to_jwk(&kid).unwrap_or_default();
    let address = json!("https://attacker.example/jwks.json");
    let mut all = Vec::new();
    for (name, members) in [
        ("our kid", vec![]),
        ("embedded", vec![("jwk", jwk.clone())]),
        ("embedded, with another kid", vec![("jwk", jwk.clone()), ("kid", json!("attacker"))]),
        ("embedded, without kid", vec![("jwk", jwk.clone()), ("kid", Value::Null)]),
        ("by jku", vec![("jku", address.clone())]),
        ("by x5u", vec![("x5u", address.clone())]),
        ("in x5c", vec![("x5c", json!([STANDARD.encode(pair.public_key())]))]),
        ("by kid", vec![("kid", address.clone())]),
        ("as kid", vec![("kid", jwk.clone())]),
    ] {
        let header =
            members.into_iter().fold(forge.header_with("alg", Some(json!("ES256"))), |header, (member, value)| {
                with(&header, &[member], Some(value))
            });
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), forge.parts().1);
        if let Ok(signature) = pair.sign(&random, input.as_bytes()) {
            let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature));
            all.push((format!("the attacker's key: {name}"), token));
        }
    }
    all
}
