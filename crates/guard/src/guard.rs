//! The check: from memory, in one order, never waiting.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use cerrojo_domain::{Clock, KeyId, ListIndex, ListName, RoleId, UnixMillis};
use quick_cache::sync::Cache;
use ring::digest;

use crate::claims;
use crate::jws::{Jws, SESSION_TOKEN};
use crate::keys::VerifyingKey;
use crate::lease::{Deadline, Lease};
use crate::lists::{List, Lists, Missing};
use crate::verdict::{Counts, Refusal, Refused, Verified};

/// What a token must say to be one of ours.
#[derive(Clone, Debug)]
pub struct Policy {
    /// `iss`, and the base of list addresses: `<issuer>/status-lists/<name>`. No slash at the end.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// How long a session may go unused; `None`: for ever.
    pub idle_timeout: Option<Duration>,
    /// How many verified tokens are remembered.
    pub cache_capacity: usize,
}

/// The verifier. All of it is shared between threads without further ado.
pub struct Guard {
    policy: Policy,
    idle_by_role: HashMap<RoleId, Option<Duration>>,
    max_age: HashMap<RoleId, Option<Duration>>,
    usual_max_age: Option<Duration>,
    clock: Arc<dyn Clock>,
    lease: Lease,
    /// Until when every key that signs is known.
    every_key: Lease,
    lists: Lists,
    /// `None`: retired before it was known.
    keys: RwLock<HashMap<KeyId, Option<Arc<Key>>>>,
    cache: Cache<TokenHash, Arc<Known>>,
    unwritten: Mutex<Vec<(Arc<List>, ListIndex)>>,
    verifications: AtomicU64,
}

/// SHA-256 of the whole token, signature included.
type TokenHash = [u8; digest::SHA256_OUTPUT_LEN];

struct Key {
    key: VerifyingKey,
    in_use: AtomicBool,
}

/// A token whose signature and claims were found good, with what can still turn against it.
struct Known {
    verified: Arc<Verified>,
    key: Arc<Key>,
    list: Arc<List>,
}

/// Why a token's signature and claims were not found good.
enum Unread {
    Invalid,
    /// All of it is good, but its key or its list is retired.
    Over(Arc<Verified>),
    /// No key of that name was ever told.
    UnknownKey,
    /// All of it is good, and no list of that name was ever told.
    UnknownList(Arc<Verified>),
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Guard {
    /// A guard that knows no key and no list and holds no lease: it accepts nothing yet.
    #[must_use]
    pub fn new(policy: Policy, clock: Arc<dyn Clock>) -> Self {
        Self {
            cache: Cache::new(policy.cache_capacity),
            policy,
            idle_by_role: HashMap::new(),
            max_age: HashMap::new(),
            usual_max_age: None,
            clock,
            lease: Lease::default(),
            every_key: Lease::default(),
            lists: Lists::default(),
            keys: RwLock::default(),
            unwritten: Mutex::default(),
            verifications: AtomicU64::new(0),
        }
    }

    /// With another idle timeout for sessions of these roles than [`Policy::idle_timeout`].
    #[must_use]
    pub fn with_idle_by_role(self, idle_by_role: HashMap<RoleId, Option<Duration>>) -> Self {
        Self { idle_by_role, ..self }
    }

    /// With a longest age of sessions, counted from `iat`, whatever `exp` says; for these roles another one.
    #[must_use]
    pub fn with_max_age(self, usual: Option<Duration>, by_role: HashMap<RoleId, Option<Duration>>) -> Self {
        Self { usual_max_age: usual, max_age: by_role, ..self }
    }

    /// The whole check. The order is part of the guarantee: the deadline is copied before anything is looked at, and the
    /// clock that it is measured by is read after everything was.
    pub fn check(&self, token: &str) -> Result<Arc<Verified>, Refusal> {
        self.examine(token, Counts::AsUse).map_err(|refused| refused.refusal)
    }

    /// The same check, which need not count as a use of the session, and says of a token that is refused whether it is one.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn examine(&self, token: &str, counts: Counts) -> Result<Arc<Verified>, Refused> {
        let deadline = self.lease.copy();
        let every_key = self.every_key.copy();
        if token.len() > SESSION_TOKEN.max_bytes {
            return Err(Refused::unread(Refusal::Invalid));
        }
        let now = self.clock.now();
        let known = match self.find(token, now) {
            Ok(known) => known,
            Err(Unread::Invalid) => return Err(Refused::unread(Refusal::Invalid)),
            Err(Unread::Over(_)) => return Err(Refusal::Invalid.into()),
            // Over, whatever becomes of its list: nobody need look that up.
            Err(Unread::UnknownList(verified)) if now >= verified.expires_at => return Err(Refusal::Invalid.into()),
            Err(Unread::UnknownList(verified)) => return Err(Refusal::UnknownList(verified).into()),
            // Whoever is current knows every key.
            Err(Unread::UnknownKey) if every_key.lies_ahead(&*self.clock) => {
                return Err(Refused::unread(Refusal::Invalid));
            }
            Err(Unread::UnknownKey) => return Err(Refused::unread(Refusal::Unavailable)),
        };
        if !known.key.in_use.load(Ordering::Acquire) {
            return Err(Refusal::Invalid.into());
        }
        Ok(self.judge((&known.verified, &known.list), (now, counts), deadline)?)
    }

    /// The check of a session whose token is another application's, which is verified where it was taken over: everything
    /// but signature, claims and key is looked at, in the same order.
    pub fn check_session(&self, verified: &Arc<Verified>, counts: Counts) -> Result<Arc<Verified>, Refusal> {
        let deadline = self.lease.copy();
        let now = self.clock.now();
        let list = match self.lists.find(&verified.list) {
            Ok(list) => list,
            Err(Missing::Retired) => return Err(Refusal::Invalid),
            Err(Missing::Unknown) if now >= verified.expires_at => return Err(Refusal::Invalid),
            Err(Missing::Unknown) => return Err(Refusal::UnknownList(Arc::clone(verified))),
        };
        self.judge((verified, &list), (now, counts), deadline)
    }

    /// What of a check comes after the token itself was found good at `now`, under a deadline that was copied before.
    fn judge(
        &self,
        (verified, list): (&Arc<Verified>, &Arc<List>),
        (now, counts): (UnixMillis, Counts),
        deadline: Deadline,
    ) -> Result<Arc<Verified>, Refusal> {
        let expired = self.is_expired(verified, now);
        let idle = self.is_idle((verified, list), now);
        if list.is_over(verified.index) {
            return Err(Refusal::Invalid);
        }
        if expired {
            return Err(Refusal::Expired(Arc::clone(verified)));
        }
        if idle {
            return Err(Refusal::Idle(Arc::clone(verified)));
        }
        if !deadline.lies_ahead(&*self.clock) {
            return Err(Refusal::Unavailable);
        }
        if counts == Counts::AsUse && list.used(verified.index, now) {
            self.unwritten().push((Arc::clone(list), verified.index));
        }
        Ok(Arc::clone(verified))
    }

    /// The check of a token that was accepted earlier, for what goes on for longer than a request: everything that can turn
    /// against it is looked at again, in the same order. Not a use of the session.
    pub fn recheck(&self, verified: &Arc<Verified>) -> Result<(), Refusal> {
        let deadline = self.lease.copy();
        let now = self.clock.now();
        let in_use = self.key(&verified.key).is_ok_and(|key| key.in_use.load(Ordering::Acquire));
        if !in_use || self.is_over(&verified.list, verified.index) {
            return Err(Refusal::Invalid);
        }
        if self.is_expired(verified, now) {
            return Err(Refusal::Expired(Arc::clone(verified)));
        }
        if deadline.lies_ahead(&*self.clock) { Ok(()) } else { Err(Refusal::Unavailable) }
    }

    /// Notes that the session is used, as [`Guard::check`] does.
    pub fn use_now(&self, verified: &Verified) {
        self.used(&verified.list, verified.index, self.clock.now());
    }

    /// Verifies the signature and claims of a token that was just given out, so that its first check finds that done.
    /// Nothing is accepted by it: every check still looks at key, expiry, idleness, bit and lease.
    pub fn expect(&self, token: &str) {
        if token.len() <= SESSION_TOKEN.max_bytes {
            // What is not good is simply not remembered.
            let _ = self.find(token, self.clock.now());
        }
    }

    /// Whose token this is: signature and claims are good. Whether the session is over, and whether anything may be
    /// accepted now, is not looked at.
    #[must_use]
    pub fn identify(&self, token: &str) -> Option<Arc<Verified>> {
        if token.len() > SESSION_TOKEN.max_bytes {
            return None;
        }
        match self.find(token, self.clock.now()) {
            Ok(known) => Some(Arc::clone(&known.verified)),
            Err(Unread::Over(verified) | Unread::UnknownList(verified)) => Some(verified),
            Err(Unread::Invalid | Unread::UnknownKey) => None,
        }
    }

    /// How many tokens were not among those remembered, so that signature and claims had to be verified.
    #[must_use]
    pub fn verifications(&self) -> u64 {
        self.verifications.load(Ordering::Relaxed)
    }

    /// How many verified tokens are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.cache.len()
    }

    fn find(&self, token: &str, now: UnixMillis) -> Result<Arc<Known>, Unread> {
        let hash = TokenHash::try_from(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        let hash = hash.map_err(|_| Unread::Invalid)?;
        if let Some(known) = self.cache.get(&hash) {
            return Ok(known);
        }
        self.verifications.fetch_add(1, Ordering::Relaxed);
        let known = Arc::new(self.verify(token, now)?);
        if now < known.verified.expires_at {
            self.cache.insert(hash, Arc::clone(&known));
        }
        Ok(known)
    }

    fn verify(&self, token: &str, now: UnixMillis) -> Result<Known, Unread> {
        let jws = Jws::parse(token, SESSION_TOKEN.max_bytes).ok().filter(|jws| jws.is_typ(SESSION_TOKEN.typ));
        let jws = jws.ok_or(Unread::Invalid)?;
        let kid = KeyId::from_text(jws.kid().ok_or(Unread::Invalid)?);
        let key = self.key(&kid)?;
        let payload = jws.verify(&key.key).map_err(|_| Unread::Invalid)?;
        let verified = claims::read(payload.bytes(), kid, &self.policy, now).ok_or(Unread::Invalid)?;
        if !key.in_use.load(Ordering::Acquire) {
            return Err(Unread::Over(Arc::new(verified)));
        }
        match self.lists.find(&verified.list) {
            Ok(list) => Ok(Known { verified: Arc::new(verified), key, list }),
            Err(Missing::Retired) => Err(Unread::Over(Arc::new(verified))),
            Err(Missing::Unknown) => Err(Unread::UnknownList(Arc::new(verified))),
        }
    }

    /// By its token, or by its age.
    fn is_expired(&self, verified: &Verified, now: UnixMillis) -> bool {
        let age = of_role(&self.max_age, verified.role_id, self.usual_max_age);
        now >= verified.expires_at || age.is_some_and(|age| now >= verified.issued_at.plus(age))
    }

    fn is_idle(&self, (verified, list): (&Verified, &List), now: UnixMillis) -> bool {
        let timeout = of_role(&self.idle_by_role, verified.role_id, self.policy.idle_timeout);
        timeout.is_some_and(|timeout| list.last_seen(verified.index).is_none_or(|seen| now >= seen.plus(timeout)))
    }

    fn key(&self, id: &KeyId) -> Result<Arc<Key>, Unread> {
        match self.keys.read().unwrap_or_else(PoisonError::into_inner).get(id) {
            Some(Some(key)) => Ok(Arc::clone(key)),
            Some(None) => Err(Unread::Invalid),
            None => Err(Unread::UnknownKey),
        }
    }

    fn unwritten(&self) -> std::sync::MutexGuard<'_, Vec<(Arc<List>, ListIndex)>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a key known, unless its name is: a name never comes to mean another key, and a retired one stays retired.
    pub fn add_key(&self, id: KeyId, key: VerifyingKey) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let key = Key { key, in_use: AtomicBool::new(true) };
        keys.entry(id).or_insert_with(|| Some(Arc::new(key)));
    }

    /// Makes a key known that is retired: nothing it signed is ever accepted, but [`Guard::examine`] and [`Guard::identify`] tell
    /// its tokens from forged ones.
    pub fn add_retired_key(&self, id: KeyId, key: VerifyingKey) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let retired = || Some(Arc::new(Key { key, in_use: AtomicBool::new(false) }));
        if let Some(known) = keys.entry(id).or_insert_with(retired) {
            known.in_use.store(false, Ordering::Release);
        }
    }

    /// Refuses from now on, for ever, whatever this key signed. False: it was retired before.
    pub fn retire_key(&self, id: &KeyId) -> bool {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        match keys.entry(id.clone()) {
            Entry::Occupied(known) => known.get().as_ref().is_some_and(|key| key.in_use.swap(false, Ordering::AcqRel)),
            Entry::Vacant(unknown) => unknown.insert(None).is_none(),
        }
    }

    /// Makes a list known (all zero but for endings told before), unless it is known or retired. `capacity` in sessions.
    pub fn open_list(&self, name: &ListName, capacity: u32) {
        self.lists.open(name, capacity);
    }

    /// Opens a list as [`Guard::open_list`] does, with every bit set that is set in `bitmap` (the first of a byte is its
    /// lowest) before any check can look. If the list is open already the bits are set in it, and those that were not
    /// before are the answer; what lies beyond the list is passed over.
    pub fn open_list_with(&self, name: &ListName, capacity: u32, bitmap: &[u8]) -> Vec<ListIndex> {
        self.lists.open_with(name, capacity, bitmap)
    }

    /// Sets a session's bit, for ever. False: the list is not known (its tokens are refused anyhow); the ending is kept
    /// and is there when the list is opened.
    pub fn end(&self, list: &ListName, index: ListIndex) -> bool {
        self.lists.end(list, index)
    }

    /// Sets the bits that are set in a bitmap (the first of a byte is its lowest) of a list that is known, for ever.
    pub fn end_all(&self, list: &ListName, bits: &[u8]) {
        if let Some(list) = self.lists.get(list) {
            list.end_all(bits);
        }
    }

    /// Whether the session at this place is refused: its bit is set, its list retired or not known, the place none of
    /// the list's.
    #[must_use]
    pub fn is_over(&self, list: &ListName, index: ListIndex) -> bool {
        self.lists.get(list).is_none_or(|list| list.is_over(index))
    }

    /// Refuses from now on, for ever, every session of this list; known or not.
    pub fn retire_list(&self, name: &ListName) {
        self.lists.retire(name);
    }

    /// The names of all lists that this guard was told of, retired ones too. When everything is over, those of them that
    /// are not made since are to be retired; they are asked for first, since a new one may be opened at any time.
    #[must_use]
    pub fn lists(&self) -> Vec<ListName> {
        self.lists.names()
    }

    /// The lists in use, as far as this guard was told, and how many sessions each has room for.
    #[must_use]
    pub fn open_lists(&self) -> Vec<(ListName, u32)> {
        self.lists.open_ones()
    }

    /// Whether this list is in use, as far as this guard was told.
    #[must_use]
    pub fn has_open_list(&self, name: &ListName) -> bool {
        self.lists.get(name).is_some()
    }

    /// The list's bitmap as bytes, for the Status List token; `None`: not known. Retired: all ones.
    #[must_use]
    pub fn list_bytes(&self, name: &ListName) -> Option<Vec<u8>> {
        self.lists.bytes(name)
    }

    /// Notes that a session was used (sign-in, loading, the database's newer time). Not reported by `take_activity`.
    pub fn seen(&self, list: &ListName, index: ListIndex, at: UnixMillis) {
        if let Some(list) = self.lists.get(list) {
            list.seen(index, at);
        }
    }

    /// Notes a use that [`Guard::take_activity`] is to report, as [`Guard::check`] does.
    pub fn used(&self, list: &ListName, index: ListIndex, at: UnixMillis) {
        if let Some(list) = self.lists.get(list)
            && list.used(index, at)
        {
            self.unwritten().push((list, index));
        }
    }

    /// When the session was last used, as far as this process knows.
    #[must_use]
    pub fn last_seen(&self, list: &ListName, index: ListIndex) -> Option<UnixMillis> {
        self.lists.get(list)?.last_seen(index)
    }

    /// The last use of each session that was accepted since the last call, for writing it down.
    #[must_use]
    pub fn take_activity(&self) -> Vec<(ListName, ListIndex, UnixMillis)> {
        let taken = std::mem::take(&mut *self.unwritten());
        let last = |(list, index): (Arc<List>, ListIndex)| Some((list.name.clone(), index, list.take_use(index)?));
        taken.into_iter().filter_map(last).collect()
    }

    /// Lease: yes may be said while `clock.elapsed() < deadline`. `Duration::MAX`: does not run out. `ZERO`: given up.
    /// The caller has applied everything that the lease stands for before it calls this.
    pub fn hold_lease_until(&self, deadline: Duration) {
        self.every_key.hold_until(deadline);
        self.lease.hold_until(deadline);
    }

    /// The same for a guard that may say yes for longer than it can be sure to know every key: a new one signs some seconds
    /// after it was made known, so until `keys` a key that is not known is none, and after that it may be new.
    pub fn hold_lease_and_keys_until(&self, deadline: Duration, keys: Duration) {
        self.every_key.hold_until(keys.min(deadline));
        self.lease.hold_until(deadline);
    }

    /// The lease as it is now. Whoever passes on what this guard knows copies it first, takes what is to be passed on, and
    /// passes it on as current only if [`Deadline::lies_ahead`] then: the order of [`Guard::check`].
    #[must_use]
    pub fn lease(&self) -> Deadline {
        self.lease.copy()
    }

    /// Whether a check that ends now could say yes.
    #[must_use]
    pub fn holds_lease(&self) -> bool {
        self.lease.copy().lies_ahead(&*self.clock)
    }
}

/// What holds for a role; most servers have nothing by role, and hash nothing for it.
fn of_role(by_role: &HashMap<RoleId, Option<Duration>>, role: RoleId, usual: Option<Duration>) -> Option<Duration> {
    if by_role.is_empty() { usual } else { by_role.get(&role).copied().unwrap_or(usual) }
}
