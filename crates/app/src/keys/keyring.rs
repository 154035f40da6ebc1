//! The keys of this process, equal to the database's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use cerrojo_domain::{Clock, KeyId, Random, UnixMillis};
use cerrojo_guard::Guard;
use cerrojo_guard::status_list::StatusListClaims;
use cerrojo_store::Store;
use cerrojo_store::keys::Key;
use serde_json::{Value, json};

use super::halves::{public_jwk, public_key, seal_label};
use super::made::Maker;
use super::signer::Signer;
use super::{KeyError, MasterKey, SESSION, STATUS_LIST, SessionSigner};
use crate::{Algorithm, Lease, Secret, Trouble};

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
    /// What they were signed with before, where that is a secret.
    pub earlier_secret: Option<Secret>,
    /// A command beside a running server makes no keys: its settings need not be the server's.
    pub lease: Lease,
}

/// The keys of this process, equal to the database's.
pub struct Keyring {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) maker: Maker,
    pub(super) algorithm: Algorithm,
    pub(super) earlier_secret: Option<Secret>,
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
    retired_secrets: Vec<KeyId>,
    census: Vec<(KeyId, Sort, UnixMillis)>,
}

/// A key's purpose and status.
type Sort = [&'static str; 2];

/// Of which sorts there are how many keys, and since when the one that signs session tokens has been there.
pub(crate) struct Census {
    pub(crate) counts: Vec<(Sort, usize)>,
    pub(crate) signing_since: Option<UnixMillis>,
}

impl Keyring {
    /// Makes the first keys where there are none (one for sessions, one for lists; the entries are in the log), unseals all, tells the guard.
    ///
    /// # Errors
    /// [`KeyError`] if the master key or the HS256 secret cannot be used here, or the database fails.
    pub async fn open(parts: KeyringParts<'_>) -> Result<Self, KeyError> {
        let keyring = Self {
            clock: parts.clock,
            maker: Maker { random: parts.random, master: Arc::new(parts.master) },
            algorithm: parts.algorithm,
            earlier_secret: parts.earlier_secret,
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

    /// What tells whether two values are the same to whoever has the master key, and nothing to anybody else (HMAC-SHA-256).
    pub(crate) fn compare_by(&self, label: &[&str], value: &[u8]) -> [u8; 32] {
        self.maker.master.compare_by(label, value)
    }

    /// Reads the keys again: after `KeyAdded` or `KeyRetired` in the log. The guard knows a key before it signs.
    pub async fn refresh(&self, store: &Store) -> Result<(), Trouble> {
        let _turn = self.reading.lock().await;
        let rows = cerrojo_store::keys::all(&mut store.control()).await?;
        let before = self.now();
        let census = rows.iter().map(|row| (row.id.clone(), sort(row), row.created_at)).collect();
        let mut keys = Keys { census, ..Keys::default() };
        for row in &rows {
            if row.retired_at.is_some() {
                if row.purpose == SESSION {
                    match public_key(row) {
                        // Whose token it was can still be told, and why its session is over.
                        Some(public) => self.guard.add_retired_key(row.id.clone(), public),
                        None => drop(self.guard.retire_key(&row.id)),
                    }
                    if row.public.is_empty() {
                        keys.retired_secrets.push(row.id.clone());
                    }
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

    /// Unseals a key met for the first time and tells the guard of it, whatever the settings have new ones made for. `None`: its
    /// private half is not to be had here (a shared secret that the settings no longer give) or its algorithm is not known.
    fn take_up(&self, row: &Key) -> Result<Option<Arc<Signer>>, Trouble> {
        let signer = match public_key(row) {
            Some(public) => self
                .maker
                .master
                .unseal(&seal_label(row), &row.sealed)
                .and_then(|pkcs8| Signer::own(row.id.clone(), &pkcs8, &public))
                .ok_or_else(|| Trouble::Internal(format!("the private half of key {} does not open", row.id)))?,
            None => match self.secret(&row.id) {
                Some(secret) => Signer::shared(row.id.clone(), secret),
                None => return Ok(None),
            },
        };
        if row.purpose == SESSION {
            self.guard.add_key(row.id.clone(), signer.verifying_key().clone());
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
            self.one_before(keys, newest.key(), rows)
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

    /// What may sign while this key is new: one that was rotated for it, or one of another algorithm, which the settings had until
    /// they were changed. Of several of those the newest, which need not have been the last in use, but is known to everybody.
    fn one_before(&self, keys: &Keys, newest: &KeyId, rows: &[Key]) -> Option<Arc<Signer>> {
        let made = rows.iter().find(|row| row.id == *newest)?.created_at;
        let signed = |row: &&Key| row.purpose == SESSION && row.rotated_at.is_none_or(|rotated| rotated >= made);
        let before = rows.iter().filter(signed).filter(|row| row.id != *newest && keys.signers.contains_key(&row.id));
        let is_own = |row: &Key| !row.public.is_empty();
        let last = before.max_by_key(|row| (self.is_right_kind(row, SESSION), is_own(row), row.created_at))?;
        keys.signers.get(&last.id).cloned()
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
            _ => row.algorithm == self.algorithm_for(purpose).name(),
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

    /// Whether there is nothing that may sign, of one kind or the other.
    pub(crate) fn lacks_a_signer(&self) -> bool {
        self.session_signer().is_err() || self.now().status_list.is_none()
    }

    /// Signs a Status List token's claims (`typ` `statuslist+jwt`), never with a shared secret.
    pub async fn sign_status_list(&self, claims: &StatusListClaims) -> Result<String, Trouble> {
        let signer = self.now().status_list.clone();
        let signer = signer.ok_or_else(|| Trouble::Internal("no key may sign status lists".to_owned()))?;
        signer.sign_status_list(claims).await
    }

    /// The JWK Set (RFC 7517, section 5): public keys that are in use, of both purposes and every algorithm. Never a symmetric one.
    #[must_use]
    pub fn jwks(&self) -> Value {
        json!({ "keys": self.now().public })
    }

    /// Of these, the keys that session tokens may be signed with.
    #[must_use]
    pub fn session_jwks(&self) -> Value {
        json!({ "keys": self.now().public_session })
    }

    /// The shared secrets of session tokens that were retired, by name: a JWK set has none, so that none is missing from it either.
    #[must_use]
    pub fn retired_secrets(&self) -> Vec<KeyId> {
        self.now().retired_secrets.clone()
    }

    pub(super) fn signs_with(&self, id: &KeyId) -> bool {
        let keys = self.now();
        self.session_signer().is_ok_and(|signer| signer.key() == id)
            || keys.status_list.as_ref().is_some_and(|signer| signer.key() == id)
    }

    /// Whether what this key signed can be verified here.
    pub(super) fn verifies_with(&self, id: &KeyId) -> bool {
        self.now().signers.contains_key(id)
    }

    pub(crate) fn census(&self) -> Census {
        let keys = self.now();
        let sorts = PURPOSES.into_iter().flat_map(|purpose| STATUSES.map(|status| [purpose, status]));
        let count = |sort: Sort| (sort, keys.census.iter().filter(|(_, other, _)| *other == sort).count());
        let signing = self.session_signer().ok();
        let made = keys.census.iter().find(|(id, ..)| signing.as_ref().is_some_and(|signer| signer.key() == id));
        Census { counts: sorts.map(count).collect(), signing_since: made.map(|(.., at)| *at) }
    }

    fn now(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

const PURPOSES: [&str; 2] = [SESSION, STATUS_LIST];
const STATUSES: [&str; 3] = ["in_use", "rotated", "retired"];

fn sort(row: &Key) -> Sort {
    let [in_use, rotated, retired] = STATUSES;
    let purpose = if row.purpose == SESSION { SESSION } else { STATUS_LIST };
    match (row.rotated_at, row.retired_at) {
        (_, Some(_)) => [purpose, retired],
        (Some(_), None) => [purpose, rotated],
        (None, None) => [purpose, in_use],
    }
}
