//! Keys that verify: one algorithm each (RFC 8725, section 3.1).

mod bounds;
mod jwk;

use std::collections::HashMap;
use std::fmt;

use cerrojo_domain::KeyId;
use ring::{hmac, signature};
use serde::{Serialize, Serializer};
use serde_json::Value;

#[cfg(any(test, feature = "hostile"))]
pub(crate) use self::bounds::{ED25519_ORDER, P256_ORDER};
pub use self::jwk::UnusableJwk;

/// The signature algorithms there are. There is no `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256 (RFC 7518, section 3.4).
    Es256,
    /// Ed25519 (RFC 8032) by the name that says all of it (RFC 9864, section 2.2).
    Ed25519,
    /// The same signatures by the older name (RFC 8037, section 3.1). To a verifier the two are different algorithms.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518, section 3.3).
    Rs256,
    /// HMAC with SHA-256 (RFC 7518, section 3.2).
    Hs256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Es256, Self::Ed25519, Self::EdDsa, Self::Rs256, Self::Hs256];

    /// As it stands in `alg`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Ed25519 => "Ed25519",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Hs256 => "HS256",
        }
    }

    /// The algorithm of this exact name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

impl Serialize for Algorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Public half (or shared secret) of a signing key. One that breaks the rule of its kind verifies nothing.
#[derive(Clone, PartialEq, Eq)]
pub enum VerifyingKey {
    /// P-256, uncompressed point of 65 bytes (0x04 ‖ x ‖ y).
    Es256(Vec<u8>),
    /// Ed25519, encoded point of 32 bytes (RFC 8032, section 5.1.2), neither in a second spelling nor of small order.
    Ed25519(Vec<u8>),
    /// The same under the older name.
    EdDsa(Vec<u8>),
    /// RSA, modulus of 2048 to 4096 bits, big-endian and without leading zeros. The exponent is 65537.
    Rs256(Vec<u8>),
    /// Shared secret, 32 bytes at least (RFC 7518, section 3.2).
    Hs256(Vec<u8>),
}

/// Says the kind alone: a shared secret must not reach a log.
impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({:?})", self.algorithm())
    }
}

impl VerifyingKey {
    /// The key that these bytes are for this algorithm; what they have to be stands at each kind.
    #[must_use]
    pub fn new(algorithm: Algorithm, bytes: Vec<u8>) -> Self {
        match algorithm {
            Algorithm::Es256 => Self::Es256(bytes),
            Algorithm::Ed25519 => Self::Ed25519(bytes),
            Algorithm::EdDsa => Self::EdDsa(bytes),
            Algorithm::Rs256 => Self::Rs256(bytes),
            Algorithm::Hs256 => Self::Hs256(bytes),
        }
    }

    /// The one algorithm that this key is for.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Es256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::Ed25519,
            Self::EdDsa(_) => Algorithm::EdDsa,
            Self::Rs256(_) => Algorithm::Rs256,
            Self::Hs256(_) => Algorithm::Hs256,
        }
    }

    /// Whether `signature` is this key's over `signed`.
    ///
    /// - ES256: 64 bytes, r ‖ s, both from 1 to n - 1 (RFC 7518, section 3.4). With (r, s) also (r, n - s) is one: whoever
    ///   holds a token can write it in a second way. Both are accepted, since honest signers make either. It does no harm
    ///   because nothing is decided by a token's text: what ends is the session that the token names.
    /// - Ed25519, `EdDSA`: 64 bytes, R ‖ S (RFC 8032, section 5.1.7), S below the group's order, R in its one spelling; without
    ///   the cofactor. There is one signature a message.
    /// - RS256: exactly as long as the modulus, and below it; padding and digest are compared whole (RFC 8017, section 8.2.2).
    #[must_use]
    pub fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Es256(point) => {
                bounds::are_p256_scalars(signature)
                    && signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
                        .verify(signed, signature)
                        .is_ok()
            }
            Self::Ed25519(point) | Self::EdDsa(point) => {
                bounds::is_ed25519_key(point)
                    && bounds::has_low_ed25519_scalar(signature)
                    && signature::UnparsedPublicKey::new(&signature::ED25519, point).verify(signed, signature).is_ok()
            }
            Self::Rs256(modulus) => {
                let key =
                    signature::RsaPublicKeyComponents { n: modulus.as_slice(), e: bounds::RSA_EXPONENT.as_slice() };
                bounds::is_rsa_modulus(modulus)
                    && modulus.len() == signature.len()
                    && key.verify(&signature::RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
            }
            Self::Hs256(secret) => {
                secret.len() >= bounds::SHORTEST_SECRET
                    && hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed, signature).is_ok()
            }
        }
    }
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

    /// The usable keys of a JWK set (RFC 7517, section 5); others are passed over, whatever their kind, and so is every key
    /// whose `kid` is missing or stands there twice.
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
    use serde_json::json;

    use super::*;

    #[test]
    fn a_short_secret_and_a_point_off_the_curve_verify_nothing() {
        let secret = b"only thirty-one bytes of secret";
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), b"text");
        assert!(!VerifyingKey::Hs256(secret.to_vec()).verifies(b"text", mac.as_ref()));
        assert!(!VerifyingKey::Es256(vec![4; 65]).verifies(b"text", &[1; 64]));
        assert!(!VerifyingKey::Es256(Vec::new()).verifies(b"text", &[1; 64]));
    }

    #[test]
    fn algorithms_have_exact_names_and_their_own_kind_of_key() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
            assert_eq!(json!(algorithm), algorithm.name());
            assert_eq!(VerifyingKey::new(algorithm, Vec::new()).algorithm(), algorithm);
            assert!(!VerifyingKey::new(algorithm, Vec::new()).verifies(b"", b""));
        }
        for name in ["none", "eddsa", "EDDSA", "ed25519", "Ed448", "RS256 ", "rs256", "RS384", "PS256", ""] {
            assert_eq!(Algorithm::from_name(name), None, "{name}");
        }
    }
}
