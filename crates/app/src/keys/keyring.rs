//! The keys of this process, equal to the database's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use cerrojo_domain::{Clock, KeyId, Random};
use cerrojo_guard::status_list::StatusListClaims;
use cerrojo_guard::{Guard, VerifyingKey};
use cerrojo_store::Store;
use cerrojo_store::keys::Key;
use serde_json::{Value, json};

use super::signer::Signer;
use super::{ES256, HS256, KeyError, MasterKey, SESSION, STATUS_LIST, SessionSigner};
use crate::{Algorithm, Lease, Trouble};

/// How long a new key is known before it signs: longer than a node may say yes without having read of it, and than a guard
/// that follows takes to hear of it.
pub const RIPENS: Duration = Duration::from_secs(3);

/// What a keyring is opened with.
pub struct KeyringParts<'a> {
    /// Where keys are kept.
    pub store: &'a Store,
    /// What is told of every session key.
    pub guard: Arc<Guard>,
    /// For the time that a key was made.
    pub clock: Arc<dyn Clock>,
    /// For names and seals.
    pub random: Arc<dyn Random>,
    /// What private halves are sealed with.
    pub master: MasterKey,
    /// What session tokens are to be signed with.
    pub algorithm: Algorithm,
    /// A command beside a running server makes no keys: its settings need not be the server's.
    pub lease: Lease,
}

/// The keys of this process, equal to the database's.
pub struct Keyring {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) master: MasterKey,
    pub(super) algorithm: Algorithm,
    guard: Arc<Guard>,
    keys: RwLock<Arc<Keys>>,
    /// When this process first knew each key.
    seen: Mutex<HashMap<KeyId, Duration>>,
    /// Two readings at once could end with the older one.
    reading: tokio::sync::Mutex<()>,
}

/// One reading of the keys.
#[derive(Default)]
struct Keys {
    signers: HashMap<KeyId, Arc<Signer>>,
    session: Option<Arc<SessionSigner>>,
    /// What signs session tokens from a time on.
    next: Option<(Duration, Arc<SessionSigner>)>,
    status_list: Option<Arc<Signer>>,
    public: Vec<Value>,
    public_session: Vec<Value>,
}

impl Keyring {
    /// Makes the first keys where there are none (one for sessions, one ES256 for lists; the entries are in the log), unseals all, tells the guard.
    ///
    /// # Errors
    /// [`KeyError`] if the master key or the HS256 secret cannot be used here, or the database fails.
    pub async fn open(parts: KeyringParts<'_>) -> Result<Self, KeyError> {
        let keyring = Self {
            clock: parts.clock,
            random: parts.random,
            master: parts.master,
            algorithm: parts.algorithm,
            guard: parts.guard,
            keys: RwLock::default(),
            seen: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
        };
        keyring.make_first(parts.store, parts.lease).await?;
        // What has been there for a while others have known for as long.
        let now = keyring.clock.now();
        for row in cerrojo_store::keys::all(&mut parts.store.control()).await? {
            if row.created_at.plus(RIPENS) <= now {
                keyring.seen().insert(row.id, Duration::ZERO);
            }
        }
        keyring.refresh(parts.store).await?;
        Ok(keyring)
    }

    /// Reads the keys again: after `KeyAdded` or `KeyRetired` in the log. The guard knows a key before it signs.
    pub async fn refresh(&self, store: &Store) -> Result<(), Trouble> {
        let _turn = self.reading.lock().await;
        let rows = cerrojo_store::keys::all(&mut store.control()).await?;
        let before = self.now();
        let mut keys = Keys::default();
        for row in &rows {
            if row.retired_at.is_some() {
                if row.purpose == SESSION {
                    self.guard.retire_key(&row.id);
                }
                continue;
            }
            if let Some(jwk) = public_jwk(row) {
                if row.purpose == SESSION {
                    keys.public_session.push(jwk.clone());
                }
                keys.public.push(jwk);
            }
            let signer = match before.signers.get(&row.id) {
                Some(known) => Some(Arc::clone(known)),
                None => self.take_up(row)?,
            };
            if let Some(signer) = signer {
                keys.signers.insert(row.id.clone(), signer);
            }
        }
        for id in before.signers.keys().filter(|id| !rows.iter().any(|row| row.id == **id)) {
            // Of a history that was lost.
            self.guard.retire_key(id);
        }
        if let Some(newest) = self.newest(&rows, SESSION, &keys) {
            self.choose(&mut keys, newest, &rows);
        }
        keys.status_list = self.newest(&rows, STATUS_LIST, &keys);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(())
    }

    /// Unseals a key met for the first time and tells the guard of it. `None`: its private half is not to be had here (a
    /// shared secret that the settings no longer give) or its algorithm is not known.
    fn take_up(&self, row: &Key) -> Result<Option<Arc<Signer>>, Trouble> {
        let (signer, verifying) = match (row.algorithm.as_str(), &self.algorithm) {
            (ES256, _) => {
                let signer = self
                    .master
                    .unseal(&seal_label(row), &row.sealed)
                    .and_then(|pkcs8| Signer::es256(row.id.clone(), &pkcs8, &row.public))
                    .ok_or_else(|| Trouble::Internal(format!("the private half of key {} does not open", row.id)))?;
                (signer, VerifyingKey::Es256(row.public.clone()))
            }
            (HS256, Algorithm::Hs256(secret)) if self.given().as_ref() == Some(&row.id) => {
                (Signer::hs256(row.id.clone(), secret), VerifyingKey::Hs256(secret.0.to_vec()))
            }
            _ => return Ok(None),
        };
        if row.purpose == SESSION {
            self.guard.add_key(row.id.clone(), verifying);
        }
        Ok(Some(Arc::new(signer)))
    }

    /// A new key signs only when every node and every service that follows has had the time to learn of it; until then the
    /// one that did goes on, unless it was retired. A process that has just started takes the one before.
    fn choose(&self, keys: &mut Keys, newest: Arc<Signer>, rows: &[Key]) {
        let now = self.clock.elapsed();
        let seen = *self.seen().entry(newest.key().clone()).or_insert(now);
        let ripe = seen.saturating_add(RIPENS);
        let until_then = if let Ok(signing) = self.session_signer() {
            keys.signers.get(signing.key()).cloned()
        } else {
            // Rotated for this one, not long ago.
            let made = rows.iter().find(|row| row.id == *newest.key()).map(|row| row.created_at);
            let is_before = |row: &&Key| self.is_right_kind(row, SESSION) && row.rotated_at >= made;
            rows.iter().filter(is_before).filter_map(|row| keys.signers.get(&row.id)).next_back().cloned()
        };
        let newest = Arc::new(SessionSigner(newest));
        match until_then {
            Some(old) if seen > Duration::ZERO && now < ripe && old.key() != newest.key() => {
                keys.session = Some(Arc::new(SessionSigner(old)));
                keys.next = Some((ripe, newest));
            }
            _ => keys.session = Some(newest),
        }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<KeyId, Duration>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn newest(&self, rows: &[Key], purpose: &str, keys: &Keys) -> Option<Arc<Signer>> {
        let row = rows.iter().filter(|row| self.may_sign(row, purpose)).max_by_key(|row| row.created_at)?;
        keys.signers.get(&row.id).cloned()
    }

    /// Whether a key is of the kind that signs for `purpose` under these settings and was neither rotated nor retired.
    pub(super) fn may_sign(&self, row: &Key, purpose: &str) -> bool {
        self.is_right_kind(row, purpose) && row.rotated_at.is_none() && row.retired_at.is_none()
    }

    fn is_right_kind(&self, row: &Key, purpose: &str) -> bool {
        let fits = match self.given() {
            Some(given) if purpose == SESSION => row.id == given,
            _ => row.algorithm == ES256,
        };
        fits && row.purpose == purpose
    }

    /// What signs session tokens now.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] if nothing may: the configured HS256 secret was retired while the server ran.
    pub fn session_signer(&self) -> Result<Arc<SessionSigner>, Trouble> {
        let keys = self.now();
        if let Some((from, next)) = &keys.next
            && self.clock.elapsed() >= *from
        {
            return Ok(Arc::clone(next));
        }
        keys.session.clone().ok_or_else(|| {
            Trouble::Unavailable("no key may sign session tokens: its secret was retired, set another one".to_owned())
        })
    }

    /// Signs a Status List token's claims (`typ` `statuslist+jwt`), always ES256.
    pub fn sign_status_list(&self, claims: &StatusListClaims) -> Result<String, Trouble> {
        let signer = self.now().status_list.clone();
        let signer = signer.ok_or_else(|| Trouble::Internal("no key may sign status lists".to_owned()))?;
        signer.sign_status_list(claims)
    }

    /// The JWK Set (RFC 7517, section 5): public ES256 keys that are in use, of both purposes. Never a symmetric one.
    #[must_use]
    pub fn jwks(&self) -> Value {
        json!({ "keys": self.now().public })
    }

    /// Of these, the keys that session tokens may be signed with.
    #[must_use]
    pub fn session_jwks(&self) -> Value {
        json!({ "keys": self.now().public_session })
    }

    pub(super) fn signs_with(&self, id: &KeyId) -> bool {
        let keys = self.now();
        self.session_signer().is_ok_and(|signer| signer.key() == id)
            || keys.status_list.as_ref().is_some_and(|signer| signer.key() == id)
    }

    fn now(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a private half is sealed for: a sealed half put in another row does not open.
pub(super) fn seal_label(row: &Key) -> [&str; 4] {
    ["cerrojo signing key", row.id.as_str(), &row.algorithm, &row.purpose]
}

/// A symmetric key has none.
fn public_jwk(row: &Key) -> Option<Value> {
    if row.algorithm == ES256 { VerifyingKey::Es256(row.public.clone()).to_jwk(&row.id) } else { None }
}

#[cfg(test)]
mod tests {
    use cerrojo_domain::UnixMillis;

    use super::*;

    fn row(algorithm: &str, public: Vec<u8>) -> Key {
        Key {
            id: KeyId::from_text("k1"),
            algorithm: algorithm.to_owned(),
            purpose: SESSION.to_owned(),
            public,
            sealed: Vec::new(),
            created_at: UnixMillis(0),
            rotated_at: None,
            retired_at: None,
        }
    }

    #[test]
    fn a_symmetric_key_has_no_jwk() {
        assert_eq!(public_jwk(&row(HS256, Vec::new())), None);
        assert_eq!(public_jwk(&row(HS256, vec![4; 65])), None);
    }

    #[test]
    fn an_ec_key_shows_its_public_half() {
        let point = [vec![4], vec![1; 32], vec![2; 32]].concat();
        let jwk = public_jwk(&row(ES256, point)).unwrap();
        assert_eq!(jwk["x"], "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE");
        assert_eq!((&jwk["kid"], &jwk["alg"], &jwk["use"]), (&json!("k1"), &json!("ES256"), &json!("sig")));
        assert_eq!(jwk["d"], Value::Null);
    }
}
