//! The counters of one rate: fixed windows that begin with the first counted try, in bounded memory.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use cerrojo_domain::{AddressBlock, UnixMillis};
use cerrojo_store::attempts;
use ring::digest;

use super::Quota;
use crate::Rate;

/// The most counters of a table. 64 bytes each or so.
pub(super) const MOST_COUNTERS: usize = 100_000;

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Figure {
    /// Tries for an account from an address.
    Pair,
    /// Tries from an address.
    Address,
    /// Tries for an account.
    Account,
    /// Registrations from an address.
    Register,
    /// Requests for and with reset links from an address.
    Recover,
    /// Requests for and with links that confirm an address, and with invitations, from an address.
    Verify,
    /// Wrong credentials of services from an address.
    Service,
}

impl Figure {
    /// How many are allowed where `count` is the setting's figure.
    fn limit(self, count: u32) -> u32 {
        match self {
            Self::Pair | Self::Register | Self::Recover | Self::Verify | Self::Service => count,
            Self::Address => count.saturating_mul(10),
            Self::Account => count.saturating_mul(20),
        }
    }

    /// As stored; `None`: forgotten with the process.
    fn letter(self) -> Option<char> {
        match self {
            Self::Pair => Some('p'),
            Self::Address => Some('b'),
            Self::Account => Some('a'),
            Self::Register | Self::Recover | Self::Verify | Self::Service => None,
        }
    }
}

/// Names a counter: the figure and half a SHA-256 of what it is about. What was typed as an account can be long and
/// hostile and is not kept; nor has it to be secret, for real addresses stand in the same database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) figure: Figure,
    digest: u128,
}

impl Key {
    pub(super) fn new(figure: Figure, account: &str, block: Option<AddressBlock>) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&account.len().to_le_bytes());
        context.update(account.as_bytes());
        context.update(block.map(|block| block.to_string()).unwrap_or_default().as_bytes());
        let digest = context.finish();
        let half = digest.as_ref().first_chunk().copied().unwrap_or_default();
        Self { figure, digest: u128::from_be_bytes(half) }
    }

    fn text(self) -> Option<String> {
        self.figure.letter().map(|letter| format!("{letter}{:032x}", self.digest))
    }

    fn parse(text: &str) -> Option<Self> {
        let (letter, hex) = text.split_at_checked(1)?;
        let figures = [Figure::Pair, Figure::Address, Figure::Account];
        let figure = figures.into_iter().find(|figure| figure.letter().is_some_and(|own| letter.starts_with(own)))?;
        let digest = u128::from_str_radix(hex, 16).ok().filter(|_| hex.len() == 32)?;
        Some(Self { figure, digest })
    }
}

#[derive(Clone, Copy)]
struct Counter {
    count: u32,
    /// When the window is over, by the clock's elapsed time.
    ends: Duration,
}

/// A point on both clocks.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) elapsed: Duration,
    pub(super) time: UnixMillis,
}

pub(super) struct Table {
    rate: Rate,
    most: usize,
    counters: HashMap<Key, Counter>,
    /// Those of `counters` that are to be stored and differ from what is.
    unsaved: HashSet<Key>,
    /// How many changes there have been to what is to be stored.
    changes: u64,
}

impl Table {
    pub(super) fn new(rate: Rate, most: usize) -> Self {
        Self { rate, most, counters: HashMap::new(), unsaved: HashSet::new(), changes: 0 }
    }

    /// The tightest figure of `keys`: the fewest left and, of equals, the longest to wait.
    pub(super) fn tightest(&self, keys: impl Iterator<Item = Key>, now: Duration) -> Option<Quota> {
        keys.map(|key| self.quota(key, now)).min_by_key(|quota| (quota.remaining, Reverse(quota.reset)))
    }

    /// Counts one; when its window is over, which [`Table::take_back`] wants to know.
    pub(super) fn add(&mut self, key: Key, now: Duration) -> Duration {
        let (count, ends) = self.current(key, now).map_or((0, now + self.rate.window), |own| (own.count, own.ends));
        if self.counters.len() >= self.most && !self.counters.contains_key(&key) {
            self.make_room(now);
        }
        self.counters.insert(key, Counter { count: count.saturating_add(1), ends });
        self.mark(key);
        ends
    }

    /// Takes back one that was counted in the window that `ends`; nothing if that window is over.
    pub(super) fn take_back(&mut self, key: Key, ends: Duration) {
        if let Some(counter) = self.counters.get_mut(&key)
            && counter.ends == ends
        {
            counter.count = counter.count.saturating_sub(1);
            self.mark(key);
        }
    }

    /// How many changes there have been to what is to be stored.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// Takes what is to be stored.
    pub(super) fn take_unsaved(&mut self) -> HashSet<Key> {
        std::mem::take(&mut self.unsaved)
    }

    /// Puts back what could not be stored.
    pub(super) fn put_back(&mut self, keys: impl IntoIterator<Item = Key>) {
        let counters = &self.counters;
        self.unsaved.extend(keys.into_iter().filter(|key| counters.contains_key(key)));
    }

    /// `keys` as they are stored.
    pub(super) fn stored<'a>(&self, keys: impl IntoIterator<Item = &'a Key>, now: Moment) -> Vec<attempts::Counter> {
        let row = |key: &Key| {
            let counter = self.counters.get(key)?;
            let resets_at = now.time.plus(counter.ends.saturating_sub(now.elapsed));
            Some(attempts::Counter { key: key.text()?, count: i64::from(counter.count), resets_at })
        };
        keys.into_iter().filter_map(row).collect()
    }

    /// Takes up what was stored. However the time of day was moved meanwhile, no window is longer than the rate's.
    pub(super) fn restore(&mut self, rows: &[attempts::Counter], now: Moment) {
        for row in rows.iter().take(self.most) {
            let left = row.resets_at.since(now.time).min(self.rate.window);
            let count = u32::try_from(row.count).unwrap_or(if row.count < 0 { 0 } else { u32::MAX });
            if let Some(key) = Key::parse(&row.key)
                && count > 0
                && !left.is_zero()
            {
                self.counters.entry(key).or_insert(Counter { count, ends: now.elapsed + left });
            }
        }
    }

    /// The counter, if its window is running: it begins with a try that stays counted.
    fn current(&self, key: Key, now: Duration) -> Option<Counter> {
        self.counters.get(&key).copied().filter(|counter| counter.count > 0 && counter.ends > now)
    }

    fn quota(&self, key: Key, now: Duration) -> Quota {
        let limit = key.figure.limit(self.rate.count);
        let (count, reset) =
            self.current(key, now).map_or((0, self.rate.window), |own| (own.count, own.ends.saturating_sub(now)));
        Quota { limit, remaining: limit.saturating_sub(count), reset }
    }

    fn mark(&mut self, key: Key) {
        if key.figure.letter().is_some() {
            self.changes += 1;
            self.unsaved.insert(key);
        }
    }

    /// Forgets what is over and, if that is not an eighth, the least of the rest: exhausted counters are the last to
    /// go, and among the others those with the fewest tries the first. A flood of made-up accounts is made of those.
    fn make_room(&mut self, now: Duration) {
        self.counters.retain(|_, counter| counter.count > 0 && counter.ends > now);
        let most = self.most - self.most / 8;
        let surplus = self.counters.len().saturating_sub(most.max(1) - 1);
        let count = self.rate.count;
        let mut all: Vec<_> = self
            .counters
            .iter()
            .map(|(key, own)| (own.count >= key.figure.limit(count), own.count, own.ends, *key))
            .collect();
        if let Some(last) = surplus.checked_sub(1)
            && last < all.len()
        {
            all.select_nth_unstable(last);
            for (_, _, _, key) in all.iter().take(surplus) {
                self.counters.remove(key);
            }
        }
        let counters = &self.counters;
        self.unsaved.retain(|key| counters.contains_key(key));
    }
}
