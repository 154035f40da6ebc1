//! How a database gets its master key's check and its first keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cerrojo_domain::{Actor, AuditKind, Entry, Fact, KeyId};
use cerrojo_guard::Algorithm;
use cerrojo_store::audit::{self, Act};
use cerrojo_store::keys::Key;
use cerrojo_store::{EndingTx, Store, log, meta};
use ring::hmac;

use super::made::unmade;
use super::{KeyError, Keyring, SESSION, STATUS_LIST};
use crate::{App, Lease, Secret, Trouble, follow};

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
        loop {
            let (checked, missing) = {
                let mut reader = store.reader();
                let checked = self.is_right_master(meta::get(&mut reader, CHECK).await?.as_deref())?;
                (checked, self.missing(&cerrojo_store::keys::all(&mut reader).await?)?)
            };
            if (checked && missing.is_empty()) || lease == Lease::Guest {
                return Ok(());
            }
            let mut made = Vec::new();
            for purpose in missing {
                made.push((purpose, self.prepare(purpose).await?));
            }
            // Another process may be doing the same: look again once the head row is held.
            let mut tx = store.begin_ending().await?;
            if !self.is_right_master(meta::get(&mut *tx, CHECK).await?.as_deref())? {
                let check =
                    URL_SAFE_NO_PAD.encode(self.maker.master.seal(&*self.maker.random, CHECK_LABEL, b"cerrojo")?);
                meta::set(&mut tx, CHECK, &check).await?;
            }
            let missing = self.missing(&cerrojo_store::keys::all(&mut *tx).await?)?;
            if !missing.iter().all(|purpose| made.iter().any(|(made, _)| made == purpose)) {
                // Retired just now.
                continue;
            }
            made.retain(|(purpose, _)| missing.contains(purpose));
            let mut told = Vec::new();
            for (purpose, key) in made {
                told.push((purpose, self.add(&mut tx, key).await?.0));
            }
            tx.commit().await?;
            for (purpose, key) in told {
                tracing::info!(key.id = %key, key.purpose = purpose, key.algorithm = self.algorithm_for(purpose).name(), "new signing key");
            }
            return Ok(());
        }
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
        self.maker.master.unseal(CHECK_LABEL, &sealed).map(|_| true).ok_or(KeyError::WrongMasterKey)
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

    /// The key that is to sign for `purpose`: the configured secret, or a new one. Made before any transaction, since that may
    /// take a while.
    pub(super) async fn prepare(&self, purpose: &'static str) -> Result<Key, Trouble> {
        match self.given() {
            Some(given) if purpose == SESSION => Ok(unmade(given, Algorithm::Hs256, purpose)),
            _ => self.maker.make(self.algorithm_for(purpose), purpose).await,
        }
    }

    /// Adds a key that was prepared: it counts as made now.
    pub(super) async fn add(&self, tx: &mut EndingTx, key: Key) -> Result<(KeyId, Entry), Trouble> {
        let key = Key { created_at: self.clock.now(), ..key };
        cerrojo_store::keys::insert(tx, &key).await?;
        let entry = log::append(tx, Fact::KeyAdded { key: key.id.clone() }, key.created_at).await?;
        let act = Act::new(AuditKind::KeyAdded, key.created_at).by(Actor::Server).with("key", key.id.as_str());
        audit::record(tx, act.with("algorithm", key.algorithm.as_str()).with("purpose", key.purpose.as_str())).await?;
        Ok((key.id, entry))
    }

    /// What signs for this purpose under these settings.
    pub(super) fn algorithm_for(&self, purpose: &str) -> Algorithm {
        if purpose == SESSION { self.algorithm.of_sessions() } else { self.algorithm.of_lists() }
    }

    /// The key that the settings give for session tokens, if they do.
    pub(super) fn given(&self) -> Option<KeyId> {
        given_key(&self.algorithm)
    }

    /// The secret of this name, if the settings still give it.
    pub(super) fn secret(&self, id: &KeyId) -> Option<&Secret> {
        let secret = match &self.algorithm {
            crate::Algorithm::Hs256(secret) => Some(secret),
            _ => self.earlier_secret.as_ref(),
        };
        secret.filter(|secret| given_id(secret) == *id)
    }
}

/// The key that these settings give for session tokens, if they do.
pub(crate) fn given_key(algorithm: &crate::Algorithm) -> Option<KeyId> {
    match algorithm {
        crate::Algorithm::Hs256(secret) => Some(given_id(secret)),
        _ => None,
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
