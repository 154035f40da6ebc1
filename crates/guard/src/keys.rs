//! Keys that verify: one algorithm each (RFC 8725, section 3.1), read from and written as JWKs (RFC 7517, RFC 7518).

use std::collections::HashMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cerrojo_domain::KeyId;
use ring::{hmac, signature};
use serde::Serialize;
use serde_json::{Value, json};

/// The signature algorithms there are (RFC 7518, section 3.1). There is no `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// HMAC with SHA-256.
    #[serde(rename = "HS256")]
    Hs256,
}

impl Algorithm {
    /// The algorithm of this exact name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "ES256" => Some(Self::Es256),
            "HS256" => Some(Self::Hs256),
            _ => None,
        }
    }
}

/// Public half (or shared secret) of a signing key. One that breaks the rule of its kind verifies nothing.
#[derive(Clone, PartialEq, Eq)]
pub enum VerifyingKey {
    /// P-256, uncompressed point of 65 bytes (0x04 ‖ x ‖ y).
    Es256(Vec<u8>),
    /// Shared secret, 32 bytes at least (RFC 7518, section 3.2).
    Hs256(Vec<u8>),
}

/// A JWK that this crate cannot verify with, and what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnusableJwk(pub &'static str);

impl fmt::Display for UnusableJwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for UnusableJwk {}

/// Says the kind alone: a shared secret must not reach a log.
impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({:?})", self.algorithm())
    }
}

const COORDINATE: usize = 32;
const SHORTEST_SECRET: usize = 32;

/// The order n of P-256's base point (FIPS 186-5; SEC 2, section 2.4.2).
pub(crate) const ORDER: [u8; COORDINATE] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

impl VerifyingKey {
    /// The one algorithm that this key is for.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Es256(_) => Algorithm::Es256,
            Self::Hs256(_) => Algorithm::Hs256,
        }
    }

    /// Whether `signature` is this key's over `signed`.
    ///
    /// An ES256 signature is 64 bytes, r ‖ s, both from 1 to n - 1 (RFC 7518, section 3.4). With (r, s) also (r, n - s) is
    /// one: whoever holds a token can write it in a second way. Both are accepted, since honest signers make either. It
    /// does no harm because nothing is decided by a token's text: what ends is the session that the token names.
    #[must_use]
    pub fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Es256(point) => {
                let Some((r, s)) = signature.split_at_checked(COORDINATE) else { return false };
                is_scalar(r)
                    && is_scalar(s)
                    && signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
                        .verify(signed, signature)
                        .is_ok()
            }
            Self::Hs256(secret) => {
                secret.len() >= SHORTEST_SECRET
                    && hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed, signature).is_ok()
            }
        }
    }

    /// The public key of an elliptic-curve JWK (RFC 7518, section 6.2.1): P-256, for ES256 signatures. A private part is
    /// not looked at. Symmetric keys are not read from JWKs.
    pub fn from_jwk(jwk: &Value) -> Result<Self, UnusableJwk> {
        if jwk.get("kty").and_then(Value::as_str) != Some("EC")
            || jwk.get("crv").and_then(Value::as_str) != Some("P-256")
        {
            return Err(UnusableJwk("not an elliptic-curve key on P-256"));
        }
        if jwk.get("alg").is_some_and(|alg| alg != "ES256") {
            return Err(UnusableJwk("meant for another algorithm than ES256"));
        }
        if jwk.get("use").is_some_and(|purpose| purpose != "sig") {
            return Err(UnusableJwk("not meant for signatures"));
        }
        let allows =
            |operations: &Value| operations.as_array().is_some_and(|all| all.iter().any(|one| one == "verify"));
        if jwk.get("key_ops").is_some_and(|operations| !allows(operations)) {
            return Err(UnusableJwk("not meant for verifying"));
        }
        let mut point = vec![0x04];
        for name in ["x", "y"] {
            let text = jwk.get(name).and_then(Value::as_str).ok_or(UnusableJwk("a coordinate is missing"))?;
            let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| UnusableJwk("a coordinate is not base64url"))?;
            if bytes.len() != COORDINATE {
                return Err(UnusableJwk("a coordinate is not 32 bytes long"));
            }
            point.extend(bytes);
        }
        Ok(Self::Es256(point))
    }

    /// The key as a public JWK (RFC 7517). `None` for a symmetric key, which is never shown, and for a point of wrong form.
    #[must_use]
    pub fn to_jwk(&self, kid: &KeyId) -> Option<Value> {
        let Self::Es256(point) = self else { return None };
        let (x, y) = point.strip_prefix(&[0x04])?.split_at_checked(COORDINATE)?;
        if y.len() != COORDINATE {
            return None;
        }
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        Some(json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid, "x": x, "y": y }))
    }
}

/// From 1 to n - 1, big-endian. ring looks too; that zero is refused is not left to anybody else.
fn is_scalar(bytes: &[u8]) -> bool {
    bytes.len() == COORDINATE && bytes < ORDER.as_slice() && bytes.iter().any(|byte| *byte != 0)
}

/// Keys by their `kid`.
#[derive(Clone, Debug, Default)]
pub struct KeySet(HashMap<String, VerifyingKey>);

impl KeySet {
    /// No keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key, unless that `kid` is taken: a name never comes to mean another key.
    pub fn add(&mut self, kid: &KeyId, key: VerifyingKey) {
        self.0.entry(kid.as_str().to_owned()).or_insert(key);
    }

    /// The usable keys of a JWK set (RFC 7517, section 5); others are passed over, and so is every key whose `kid` is
    /// missing or stands there twice.
    #[must_use]
    pub fn from_jwks(jwks: &Value) -> Self {
        let keys = jwks.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let kid = |jwk: &Value| jwk.get("kid").and_then(Value::as_str).map(str::to_owned);
        let alone = |name: &str| keys.iter().filter(|jwk| kid(jwk).as_deref() == Some(name)).count() == 1;
        let usable = keys.iter().filter_map(|jwk| {
            let name = kid(jwk).filter(|name| alone(name))?;
            Some((name, VerifyingKey::from_jwk(jwk).ok()?))
        });
        Self(usable.collect())
    }

    /// All keys with their `kid`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &VerifyingKey)> {
        self.0.iter().map(|(kid, key)| (kid.as_str(), key))
    }

    /// The key of exactly this `kid`.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<&VerifyingKey> {
        self.0.get(kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The public key of RFC 7515, appendix A.3.
    fn jwk() -> Value {
        json!({
            "kty": "EC", "crv": "P-256", "kid": "a",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        })
    }

    fn with(member: &str, value: &Value) -> Value {
        let mut jwk = jwk();
        jwk[member] = value.clone();
        jwk
    }

    #[test]
    fn a_public_key_survives_the_way_to_a_jwk_and_back() {
        let key = VerifyingKey::from_jwk(&jwk()).unwrap();
        let shown = key.to_jwk(&KeyId::from_text("a")).unwrap();
        assert_eq!(VerifyingKey::from_jwk(&shown).unwrap(), key);
        assert_eq!(shown["kid"], "a");
        assert!(shown.get("d").is_none());
    }

    #[test]
    fn a_symmetric_key_is_never_shown() {
        let key = VerifyingKey::Hs256(b"a secret of thirty-two bytes....".to_vec());
        assert_eq!(key.to_jwk(&KeyId::from_text("a")), None);
        assert_eq!(format!("{key:?}"), "VerifyingKey(Hs256)");
    }

    #[test]
    fn a_jwk_for_something_else_is_refused() {
        for (member, value) in [
            ("kty", json!("oct")),
            ("kty", json!("RSA")),
            ("kty", Value::Null),
            ("crv", json!("P-384")),
            ("crv", json!("secp256k1")),
            ("alg", json!("ES384")),
            ("alg", json!("HS256")),
            ("alg", Value::Null),
            ("use", json!("enc")),
            ("key_ops", json!(["sign"])),
            ("key_ops", json!("verify")),
            ("x", json!("AAAA")),
            ("x", json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU=")),
            ("x", json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEV")),
            ("y", Value::Null),
        ] {
            assert!(VerifyingKey::from_jwk(&jwk()).is_ok());
            assert!(VerifyingKey::from_jwk(&with(member, &value)).is_err(), "{member}: {value}");
        }
        assert!(VerifyingKey::from_jwk(&with("key_ops", &json!(["sign", "verify"]))).is_ok());
    }

    #[test]
    fn a_set_gives_no_key_for_an_ambiguous_name() {
        let other = with("kid", &json!("b"));
        let set = KeySet::from_jwks(&json!({ "keys": [jwk(), other, other, { "kty": "RSA", "kid": "c" }, 7] }));
        assert!(set.get("a").is_some());
        assert!(set.get("b").is_none());
        assert!(set.get("c").is_none());
        assert!(KeySet::from_jwks(&json!([])).get("a").is_none());
    }

    #[test]
    fn a_short_secret_and_a_point_off_the_curve_verify_nothing() {
        let secret = b"only thirty-one bytes of secret";
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), b"text");
        assert!(!VerifyingKey::Hs256(secret.to_vec()).verifies(b"text", mac.as_ref()));
        assert!(!VerifyingKey::Es256(vec![4; 65]).verifies(b"text", &[1; 64]));
        assert!(!VerifyingKey::Es256(Vec::new()).verifies(b"text", &[1; 64]));
    }

    #[test]
    fn scalars_run_from_one_to_the_order_less_one() {
        let mut last = ORDER;
        last[31] -= 1;
        let mut one = [0; 32];
        assert!(!is_scalar(&one));
        one[31] = 1;
        assert!(is_scalar(&one));
        assert!(is_scalar(&last));
        assert!(!is_scalar(&ORDER));
        assert!(!is_scalar(&[0xff; 32]));
        assert!(!is_scalar(&[1; 31]));
    }
}
