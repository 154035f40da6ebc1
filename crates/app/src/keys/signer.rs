//! What signs: one private key and its name.

use std::sync::Arc;

use cerrojo_domain::KeyId;
use cerrojo_guard::status_list::StatusListClaims;
use cerrojo_guard::{Algorithm, Claims, Header, SESSION_TYP, STATUS_LIST_TYP, attach_signature, signing_input};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde::Serialize;

use crate::{Secret, Trouble};

/// One key that can sign.
pub(super) struct Signer {
    key: KeyId,
    half: Half,
}

enum Half {
    Es256(EcdsaKeyPair),
    Hs256(hmac::Key),
}

impl Signer {
    /// From an unsealed private half; `None` unless it belongs to `public`.
    pub(super) fn es256(key: KeyId, pkcs8: &[u8], public: &[u8]) -> Option<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &SystemRandom::new()).ok()?;
        (pair.public_key().as_ref() == public).then_some(Self { key, half: Half::Es256(pair) })
    }

    /// From the secret of the settings.
    pub(super) fn hs256(key: KeyId, secret: &Secret) -> Self {
        Self { key, half: Half::Hs256(hmac::Key::new(hmac::HMAC_SHA256, &secret.0)) }
    }

    pub(super) fn key(&self) -> &KeyId {
        &self.key
    }

    pub(super) fn sign_status_list(&self, claims: &StatusListClaims) -> Result<String, Trouble> {
        self.sign(STATUS_LIST_TYP, claims)
    }

    /// A compact JWS (RFC 7515, section 7.1) of `claims`.
    fn sign(&self, typ: &'static str, claims: &impl Serialize) -> Result<String, Trouble> {
        let alg = match self.half {
            Half::Es256(_) => Algorithm::Es256,
            Half::Hs256(_) => Algorithm::Hs256,
        };
        let input = signing_input(&Header { alg, typ, kid: self.key.clone() }, claims);
        Ok(match &self.half {
            Half::Es256(pair) => {
                let signature = pair
                    .sign(&SystemRandom::new(), input.as_bytes())
                    .map_err(|_| Trouble::Internal(format!("key {} did not sign", self.key)))?;
                attach_signature(&input, signature.as_ref())
            }
            Half::Hs256(key) => {
                let tag = hmac::sign(key, input.as_bytes());
                attach_signature(&input, tag.as_ref())
            }
        })
    }
}

/// What signs session tokens now.
pub struct SessionSigner(pub(super) Arc<Signer>);

impl SessionSigner {
    /// The key that it signs with.
    #[must_use]
    pub fn key(&self) -> &KeyId {
        self.0.key()
    }

    /// A session token (`typ` `at+jwt`, RFC 9068, section 2.1).
    pub fn sign(&self, claims: &Claims) -> Result<String, Trouble> {
        self.0.sign(SESSION_TYP, claims)
    }
}
