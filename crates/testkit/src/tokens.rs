//! Reading tokens without believing them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value;

/// The claims of a compact JWS (RFC 7515, section 3.1), its signature not looked at.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a compact JWS, its signature not looked at.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn header_of(token: &str) -> Value {
    part(token, 0)
}

/// Whether a compact JWS is signed by one of these keys of a JWK set, found by its `kid` and checked without any code of ours
/// for what the key says that it is for.
///
/// # Panics
/// If the token is none, or the key not of the form that its `alg` asks for.
#[must_use]
pub fn is_signed(token: &str, keys: &[Value]) -> bool {
    let header = header_of(token);
    let Some(key) = keys.iter().find(|key| key["kid"] == header["kid"]) else { return false };
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("base64url");
    let member = |name: &str| decode(key[name].as_str().expect("a member of this kind of key"));
    let (input, signature) = token.rsplit_once('.').expect("a compact JWS");
    let (input, signature) = (input.as_bytes(), decode(signature));
    let verified = match (key["kty"].as_str(), key["alg"].as_str()) {
        (Some("EC"), Some("ES256")) => {
            let point = [vec![4], member("x"), member("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(input, &signature)
        }
        (Some("OKP"), Some("Ed25519" | "EdDSA")) => {
            UnparsedPublicKey::new(&ED25519, member("x")).verify(input, &signature)
        }
        (Some("RSA"), Some("RS256")) => {
            let key = RsaPublicKeyComponents { n: member("n"), e: member("e") };
            key.verify(&RSA_PKCS1_2048_8192_SHA256, input, &signature)
        }
        _ => return false,
    };
    header["alg"] == key["alg"] && verified.is_ok()
}

fn part(token: &str, place: usize) -> Value {
    let encoded = token.split('.').nth(place).expect("a compact JWS");
    let json = URL_SAFE_NO_PAD.decode(encoded).expect("base64url");
    serde_json::from_slice(&json).expect("JSON")
}
