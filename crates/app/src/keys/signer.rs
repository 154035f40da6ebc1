//! What signs: one private key and its name.

use std::sync::Arc;

use cerrojo_domain::KeyId;
use cerrojo_guard::status_list::StatusListClaims;
use cerrojo_guard::{
    Algorithm, Claims, Header, SESSION_TYP, STATUS_LIST_TYP, SigningKey, VerifyingKey, attach_signature, signing_input,
};
use serde::Serialize;

use crate::{Secret, Trouble};

/// One key that can sign.
pub(super) struct Signer {
    key: KeyId,
    half: SigningKey,
}

impl Signer {
    /// From an unsealed private half; `None` unless it belongs to `public`.
    pub(super) fn own(key: KeyId, pkcs8: &[u8], public: &VerifyingKey) -> Option<Self> {
        let half = SigningKey::from_pkcs8(public.algorithm(), pkcs8)?;
        (half.verifying_key() == public).then_some(Self { key, half })
    }

    /// From the secret of the settings.
    pub(super) fn shared(key: KeyId, secret: &Secret) -> Self {
        Self { key, half: SigningKey::shared(&secret.0) }
    }

    pub(super) fn key(&self) -> &KeyId {
        &self.key
    }

    pub(super) fn verifying_key(&self) -> &VerifyingKey {
        self.half.verifying_key()
    }

    /// A Status List token's claims.
    pub(super) async fn sign_status_list(self: &Arc<Self>, claims: &StatusListClaims) -> Result<String, Trouble> {
        self.sign(STATUS_LIST_TYP, claims).await
    }

    /// A compact JWS (RFC 7515, section 7.1) of `claims`.
    async fn sign(self: &Arc<Self>, typ: &'static str, claims: &impl Serialize) -> Result<String, Trouble> {
        let header = Header { alg: self.half.algorithm(), typ, kid: self.key.clone() };
        let input = signing_input(&header, claims);
        if self.half.algorithm() != Algorithm::Rs256 {
            return self.signed(&input);
        }
        // Takes some milliseconds: not on a thread that answers requests.
        let this = Arc::clone(self);
        let signed = tokio::task::spawn_blocking(move || this.signed(&input)).await;
        signed.map_err(|error| Trouble::Internal(format!("key {} did not sign: {error}", self.key)))?
    }

    fn signed(&self, input: &str) -> Result<String, Trouble> {
        let signature = self.half.sign(input);
        let signature = signature.ok_or_else(|| Trouble::Internal(format!("key {} did not sign", self.key)))?;
        Ok(attach_signature(input, &signature))
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
    pub async fn sign(&self, claims: &Claims) -> Result<String, Trouble> {
        self.0.sign(SESSION_TYP, claims).await
    }
}
