//! How often something may be tried: failed passwords by account and address, public endpoints by address.

mod table;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cerrojo_domain::{AddressBlock, Clock};
use cerrojo_store::audit::{self, Act};
use cerrojo_store::{Store, attempts};

use self::table::{Figure, Key, MOST_COUNTERS, Moment, Table};
use crate::hashing::Known;
use crate::metrics::{By, Limit};
use crate::{Rate, Trouble};

/// The tightest figure that bound a request: what `RateLimit-*` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many are allowed in a window.
    pub limit: u32,
    /// How many are left in this one.
    pub remaining: u32,
    /// How long it lasts; the whole window while nothing is counted.
    pub reset: Duration,
}

/// An outcome, and what is left of the limit that the request was bound by.
pub struct Limited<T> {
    /// The outcome.
    pub outcome: T,
    /// `None`: the limit is off.
    pub quota: Option<Quota>,
}

/// Public endpoints that count requests of an address, each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Public {
    /// Registration.
    Register,
    /// Asking for a reset link, and using it.
    Recover,
    /// Asking for a link to confirm an address, and using it or an invitation.
    Verify,
    /// Wrong credentials of a service.
    Service,
}

impl Public {
    fn limit(self) -> Limit {
        match self {
            Self::Register => Limit::Register,
            Self::Recover => Limit::Recover,
            Self::Verify => Limit::Verify,
            Self::Service => Limit::Service,
        }
    }

    fn key(self, block: AddressBlock) -> Key {
        let figure = match self {
            Self::Register => Figure::Register,
            Self::Recover => Figure::Recover,
            Self::Verify => Figure::Verify,
            Self::Service => Figure::Service,
        };
        Key::new(figure, "", Some(block))
    }
}

/// The counters.
pub struct Limits {
    login: Option<Mutex<Table>>,
    public: Option<Mutex<Table>>,
    clock: Arc<dyn Clock>,
    /// How often a limit was hit.
    pub(crate) hits: By<Limit>,
    /// Held while counters are written; how many of their changes are durable.
    saved: tokio::sync::Mutex<u64>,
    /// What the audit trail is to say of tries that failed, with their counters.
    acts: Mutex<Vec<Act>>,
}

/// A try that was counted. Dropped, it stays counted.
#[must_use = "a try that succeeded is given back"]
pub struct Try(Option<Counted>);

struct Counted {
    limits: Arc<Limits>,
    known: Known,
    /// Each counter, and when the window is over that the try was counted in.
    keys: [(Key, Duration); 3],
}

impl Try {
    /// As of now. `None`: the limit is off.
    #[must_use]
    pub fn quota(&self) -> Option<Quota> {
        let counted = self.0.as_ref()?;
        let table = lock(counted.limits.login.as_ref()?);
        table.tightest(binding(counted.keys.map(|(key, _)| key), counted.known), counted.limits.clock.elapsed())
    }

    /// The try succeeded, or never got as far as a password: what it took is given back, and no more. The quota after that.
    #[must_use]
    pub fn give_back(self) -> Option<Quota> {
        let counted = self.0.as_ref()?;
        let mut table = lock(counted.limits.login.as_ref()?);
        for (key, ends) in counted.keys {
            table.take_back(key, ends);
        }
        drop(table);
        self.quota()
    }
}

impl Limits {
    /// No counters yet. `login` `None` turns off the limits of sign-ins, all three; `public` `None` those of public
    /// endpoints.
    #[must_use]
    pub fn new(login: Option<Rate>, public: Option<Rate>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let table = |rate: Rate| Mutex::new(Table::new(rate, MOST_COUNTERS));
        let saved = tokio::sync::Mutex::new(0);
        Arc::new(Self {
            login: login.map(table),
            public: public.map(table),
            clock,
            hits: By::default(),
            saved,
            acts: Mutex::default(),
        })
    }

    /// Takes up the counters of accounts as they were saved.
    ///
    /// # Errors
    /// [`Trouble`] if they cannot be read.
    pub async fn load(&self, store: &Store) -> Result<(), Trouble> {
        let Some(table) = &self.login else { return Ok(()) };
        let most = i64::try_from(MOST_COUNTERS).unwrap_or(i64::MAX);
        let rows = attempts::load(&mut store.reader(), self.clock.now(), most).await?;
        lock(table).restore(&rows, self.now());
        Ok(())
    }

    /// Counts a try of a password, before any hash. `account` is the folded e-mail, known or not. From an address that
    /// the account signed in from before (`known`) the account's own figure is counted but does not bind: nobody can
    /// lock out somebody else.
    ///
    /// # Errors
    /// The exhausted figure; then nothing was counted.
    pub fn try_password(self: &Arc<Self>, account: &str, block: AddressBlock, known: Known) -> Result<Try, Quota> {
        let Some(table) = &self.login else { return Ok(Try(None)) };
        let keys = [
            Key::new(Figure::Pair, account, Some(block)),
            Key::new(Figure::Address, "", Some(block)),
            Key::new(Figure::Account, account, None),
        ];
        let mut table = lock(table);
        let now = self.clock.elapsed();
        if let Some(quota) = table.tightest(binding(keys, known), now).filter(|quota| quota.remaining == 0) {
            self.hits.count(Limit::Password);
            return Err(quota);
        }
        let keys = keys.map(|key| (key, table.add(key, now)));
        Ok(Try(Some(Counted { limits: Arc::clone(self), known, keys })))
    }

    /// Counts a request to a public endpoint. What is left; `None`: the limit is off.
    ///
    /// # Errors
    /// The exhausted figure; then nothing was counted.
    pub fn request(&self, endpoint: Public, block: AddressBlock) -> Result<Option<Quota>, Quota> {
        let Some(table) = &self.public else { return Ok(None) };
        let key = endpoint.key(block);
        let mut table = lock(table);
        let now = self.clock.elapsed();
        if let Some(quota) = table.tightest([key].into_iter(), now).filter(|quota| quota.remaining == 0) {
            self.hits.count(endpoint.limit());
            return Err(quota);
        }
        table.add(key, now);
        Ok(table.tightest([key].into_iter(), now))
    }

    /// The audit trail is to say this of a try: the next [`Limits::save`] writes it.
    pub(crate) fn will_say(&self, act: Act) {
        lock(&self.acts).push(act);
    }

    /// Writes changed counters of accounts down, and what the audit trail is to say; returns when all of it that was there before
    /// the call is durable. Whoever comes first writes for all who wait.
    ///
    /// # Errors
    /// [`Trouble`] if they cannot be written; the next call tries again.
    pub async fn save(&self, store: &Store) -> Result<(), Trouble> {
        let wanted = self.login.as_ref().map_or(0, |table| lock(table).changes());
        let mut saved = self.saved.lock().await;
        let acts = Unsaid { place: &self.acts, acts: std::mem::take(&mut *lock(&self.acts)) };
        if *saved >= wanted && acts.acts.is_empty() {
            return Ok(());
        }
        let counted = self.login.as_ref().map(|table| {
            let mut open = lock(table);
            let keys = open.take_unsaved();
            (open.stored(&keys, self.now()), open.changes(), Unsaved { table, keys })
        });
        let mut tx = store.begin().await?;
        if let Some((rows, ..)) = &counted {
            attempts::save(&mut tx, rows).await?;
        }
        audit::record_all(&mut tx, acts.acts.clone()).await?;
        tx.commit().await?;
        acts.are_said();
        if let Some((_, changes, unsaved)) = counted {
            unsaved.are_saved();
            *saved = changes;
        }
        Ok(())
    }

    fn now(&self) -> Moment {
        Moment { elapsed: self.clock.elapsed(), time: self.clock.now() }
    }
}

/// Counters that are being written. Dropped before they are, because of an error or because whoever was at it went away,
/// they are to be written still.
struct Unsaved<'a> {
    table: &'a Mutex<Table>,
    keys: HashSet<Key>,
}

impl Unsaved<'_> {
    fn are_saved(mut self) {
        self.keys.clear();
    }
}

impl Drop for Unsaved<'_> {
    fn drop(&mut self) {
        if !self.keys.is_empty() {
            lock(self.table).put_back(self.keys.drain());
        }
    }
}

/// The same of what the audit trail is to say.
struct Unsaid<'a> {
    place: &'a Mutex<Vec<Act>>,
    acts: Vec<Act>,
}

impl Unsaid<'_> {
    fn are_said(mut self) {
        self.acts.clear();
    }
}

impl Drop for Unsaid<'_> {
    fn drop(&mut self) {
        if !self.acts.is_empty() {
            lock(self.place).splice(0..0, self.acts.drain(..));
        }
    }
}

/// The figures that bind a try.
fn binding(keys: [Key; 3], known: Known) -> impl Iterator<Item = Key> {
    keys.into_iter().filter(move |key| key.figure != Figure::Account || known == Known::No)
}

/// Nothing is left half done under this lock.
fn lock<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
