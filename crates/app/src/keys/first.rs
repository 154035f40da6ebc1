//! How a database gets its master key's check and its first keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cerrojo_domain::{Entry, Fact, KeyId};
use cerrojo_store::keys::Key;
use cerrojo_store::{EndingTx, Store, log, meta};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use super::keyring::seal_label;
use super::{ES256, HS256, KeyError, Keyring, SESSION, STATUS_LIST};
use crate::{Algorithm, App, Lease, Secret, Trouble, follow};

/// Where the sealed constant is kept.
const CHECK: &str = "master_key_check";
const CHECK_LABEL: &[&str] = &["cerrojo master key check"];

impl Keyring {
    /// Whether the database was ever sealed: then a master key must not be made silently.
    pub async fn is_sealed(store: &Store) -> Result<bool, Trouble> {
        Ok(meta::get(&mut store.reader(), CHECK).await?.is_some())
    }

    /// Makes what is missing: the check of the master key, and a key for each purpose.
    pub(super) async fn make_first(&self, store: &Store, lease: Lease) -> Result<(), KeyError> {
        let mut reader = store.reader();
        let checked = self.is_right_master(meta::get(&mut reader, CHECK).await?.as_deref())?;
        let missing = self.missing(&cerrojo_store::keys::all(&mut reader).await?)?;
        if (checked && missing.is_empty()) || lease == Lease::Guest {
            return Ok(());
        }
        drop(reader);
        // Another process may be doing the same: look again once the head row is held.
        let mut tx = store.begin_ending().await?;
        if !self.is_right_master(meta::get(&mut *tx, CHECK).await?.as_deref())? {
            let check = URL_SAFE_NO_PAD.encode(self.master.seal(&*self.random, CHECK_LABEL, b"cerrojo")?);
            meta::set(&mut tx, CHECK, &check).await?;
        }
        for purpose in self.missing(&cerrojo_store::keys::all(&mut *tx).await?)? {
            self.add(&mut tx, purpose).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Makes the keys that are missing in a running server: a command may have retired the last one of a kind.
    pub(crate) async fn make_missing(&self, app: &App) -> Result<(), Trouble> {
        let wrong = |error: KeyError| Trouble::Unavailable(error.to_string());
        self.make_first(&app.store, app.lease).await.map_err(wrong)?;
        follow::catch_up(app).await
    }

    /// Whether the check is there and opens; an error if it is there and does not.
    fn is_right_master(&self, check: Option<&str>) -> Result<bool, KeyError> {
        let Some(check) = check else { return Ok(false) };
        let sealed = URL_SAFE_NO_PAD.decode(check).map_err(|_| KeyError::WrongMasterKey)?;
        self.master.unseal(CHECK_LABEL, &sealed).map(|_| true).ok_or(KeyError::WrongMasterKey)
    }

    /// The purposes for which there is no key that may sign.
    fn missing(&self, rows: &[Key]) -> Result<Vec<&'static str>, KeyError> {
        let given = self.given();
        if rows.iter().any(|row| Some(&row.id) == given.as_ref() && row.retired_at.is_some()) {
            return Err(KeyError::RetiredSecret);
        }
        let lacks = |purpose: &&str| !rows.iter().any(|row| self.may_sign(row, purpose));
        Ok([SESSION, STATUS_LIST].into_iter().filter(lacks).collect())
    }

    /// Adds the key that is to sign for `purpose` from now on: the configured secret, or a new one.
    pub(super) async fn add(&self, tx: &mut EndingTx, purpose: &str) -> Result<(KeyId, Entry), Trouble> {
        let key = match self.given() {
            Some(given) if purpose == SESSION => self.row(given, HS256, purpose),
            _ => self.generate(purpose)?,
        };
        cerrojo_store::keys::insert(tx, &key).await?;
        let entry = log::append(tx, Fact::KeyAdded { key: key.id.clone() }, key.created_at).await?;
        Ok((key.id, entry))
    }

    fn generate(&self, purpose: &str) -> Result<Key, Trouble> {
        let broken = |_| Trouble::Internal("a signing key could not be made".to_owned());
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).map_err(broken)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)
            .map_err(|rejected| Trouble::Internal(format!("a signing key could not be made: {rejected}")))?;
        let mut key = self.row(KeyId::new(&*self.random), ES256, purpose);
        key.public = pair.public_key().as_ref().to_vec();
        key.sealed = self.master.seal(&*self.random, &seal_label(&key), pkcs8.as_ref())?;
        Ok(key)
    }

    fn row(&self, id: KeyId, algorithm: &str, purpose: &str) -> Key {
        Key {
            id,
            algorithm: algorithm.to_owned(),
            purpose: purpose.to_owned(),
            public: Vec::new(),
            sealed: Vec::new(),
            created_at: self.clock.now(),
            rotated_at: None,
            retired_at: None,
        }
    }

    /// The key that the settings give for session tokens, if they do.
    pub(super) fn given(&self) -> Option<KeyId> {
        match &self.algorithm {
            Algorithm::Es256 => None,
            Algorithm::Hs256(secret) => Some(given_id(secret)),
        }
    }
}

/// The name of a shared secret: the same for the same secret on every node, and nothing leads back from it.
fn given_id(secret: &Secret) -> KeyId {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret.0), b"cerrojo key id");
    let short: Vec<u8> = tag.as_ref().iter().take(16).copied().collect();
    KeyId::from_text(format!("hs-{}", URL_SAFE_NO_PAD.encode(short)))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn a_shared_secret_has_one_name() {
        let id = |byte: u8| given_id(&Secret(Zeroizing::new(vec![byte; 32])));
        assert_eq!(id(1), id(1));
        assert_ne!(id(1), id(2));
        assert!(id(1).as_str().starts_with("hs-"));
        assert_eq!(id(1).as_str().len(), 25);
    }
}
