//! The signer's side of a key.

use std::fmt;

use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};

use crate::keys::{Algorithm, VerifyingKey};

/// What signs, for one algorithm.
pub struct SigningKey {
    half: Half,
    public: VerifyingKey,
}

enum Half {
    Ecdsa(EcdsaKeyPair),
    Edwards(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
    Shared(hmac::Key),
}

/// Says the kind alone.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?})", self.algorithm())
    }
}

impl SigningKey {
    /// The private half in PKCS #8 (RFC 5208; with the public half beside it for Ed25519, RFC 5958). `None`: it is none of this
    /// algorithm, or one that no verifier here would accept.
    #[must_use]
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Option<Self> {
        let (half, public) = match algorithm {
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &SystemRandom::new());
                let pair = pair.ok()?;
                let public = pair.public_key().as_ref().to_vec();
                (Half::Ecdsa(pair), public)
            }
            Algorithm::Ed25519 | Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
                let public = pair.public_key().as_ref().to_vec();
                (Half::Edwards(pair), public)
            }
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8).ok()?;
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
                (Half::Rsa(Box::new(pair)), public.n)
            }
            Algorithm::Hs256 => return None,
        };
        let public = VerifyingKey::new(algorithm, public);
        let key = Self { half, public };
        // Of another exponent, for example: what it signs is good for nothing.
        key.public.verifies(b"", &key.sign("")?).then_some(key)
    }

    /// A shared secret.
    #[must_use]
    pub fn shared(secret: &[u8]) -> Self {
        let half = Half::Shared(hmac::Key::new(hmac::HMAC_SHA256, secret));
        Self { half, public: VerifyingKey::Hs256(secret.to_vec()) }
    }

    /// A new private half in PKCS #8, from the operating system's randomness. `None` for a shared secret, and for RSA, of
    /// which ring makes no keys.
    #[must_use]
    pub fn generate_pkcs8(algorithm: Algorithm) -> Option<impl AsRef<[u8]>> {
        let random = SystemRandom::new();
        match algorithm {
            Algorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).ok(),
            Algorithm::Ed25519 | Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random).ok(),
            Algorithm::Rs256 | Algorithm::Hs256 => None,
        }
    }

    /// The one algorithm that this key is for.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }

    /// What verifies.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    /// The signature over a signing input ([`crate::signing_input`]); `None` if there is no randomness to be had. RS256 takes
    /// milliseconds, the others microseconds.
    #[must_use]
    pub fn sign(&self, signing_input: &str) -> Option<Vec<u8>> {
        let input = signing_input.as_bytes();
        match &self.half {
            Half::Ecdsa(pair) => pair.sign(&SystemRandom::new(), input).ok().map(|made| made.as_ref().to_vec()),
            Half::Edwards(pair) => Some(pair.sign(input).as_ref().to_vec()),
            Half::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature).ok().map(|()| signature)
            }
            Half::Shared(key) => Some(hmac::sign(key, input).as_ref().to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RSA: &[u8] = include_bytes!("hostile/server.pk8");

    #[test]
    fn a_key_signs_what_its_other_half_verifies() {
        for algorithm in Algorithm::ALL {
            let key = match SigningKey::generate_pkcs8(algorithm) {
                Some(pkcs8) => SigningKey::from_pkcs8(algorithm, pkcs8.as_ref()).unwrap(),
                None if algorithm == Algorithm::Rs256 => SigningKey::from_pkcs8(algorithm, RSA).unwrap(),
                None => SigningKey::shared(b"a secret of thirty-two bytes...."),
            };
            assert_eq!(key.algorithm(), algorithm);
            let signature = key.sign("a.text").unwrap();
            assert!(key.verifying_key().verifies(b"a.text", &signature));
            assert!(!key.verifying_key().verifies(b"another.text", &signature));
            assert_eq!(format!("{key:?}"), format!("SigningKey({algorithm:?})"));
        }
    }

    #[test]
    fn a_private_half_is_of_one_kind() {
        let ec = SigningKey::generate_pkcs8(Algorithm::Es256).unwrap();
        let okp = SigningKey::generate_pkcs8(Algorithm::Ed25519).unwrap();
        for (algorithm, own) in
            [(Algorithm::Es256, ec.as_ref()), (Algorithm::EdDsa, okp.as_ref()), (Algorithm::Rs256, RSA)]
        {
            for pkcs8 in [ec.as_ref(), okp.as_ref(), RSA, b"nonsense"] {
                assert_eq!(SigningKey::from_pkcs8(algorithm, pkcs8).is_some(), pkcs8 == own);
                assert!(SigningKey::from_pkcs8(Algorithm::Hs256, pkcs8).is_none());
            }
        }
    }
}
