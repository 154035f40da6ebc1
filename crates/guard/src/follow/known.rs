//! What a guard knows since when, and how much of it there may be.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use cerrojo_domain::{KeyId, ListName};

use super::Fault;
use crate::keys::KeySet;

/// Names of lists and keys, retired ones too: they are refused for ever, so they are never forgotten.
const MOST_NAMES: usize = 100_000;
/// Sessions of all open lists: 32 MiB of bits.
const MOST_SESSIONS: u64 = 1 << 28;
/// Endings that wait for their list.
const MOST_AWAITED: usize = 1 << 20;

/// Where and when something was told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    /// The asking: one stream, one answer to polling or to a look-up.
    pub(super) asking: u64,
    /// The guard's clock when it was there for certain: when a message was read, when a list was looked up that a valid token
    /// named.
    pub(super) at: Duration,
}

/// When, by the guard's clock, a server began to look at what it then sent; it was not earlier than this.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) asking: u64,
    pub(super) at: Duration,
}

impl Look {
    /// Whether what was told so was there when the server looked. Within one asking things come in their order; what came
    /// another way was there only if it was before the look.
    fn is_after(self, told: Source) -> bool {
        told.asking == self.asking || told.at <= self.at
    }
}

/// What the guard knows and the server did not name.
#[derive(Debug)]
pub(super) struct Others<T> {
    /// It was there before the server looked, so it is over.
    pub(super) over: Vec<T>,
    /// Whether there is something that came another way and may have been made after the look, or be over by then.
    pub(super) doubtful: bool,
}

impl<T: Clone> Others<T> {
    fn of<'a>(all: impl Iterator<Item = (&'a T, Source)>, look: Look) -> Self
    where
        T: 'a,
    {
        let (over, doubtful): (Vec<_>, Vec<_>) = all.partition(|(_, told)| look.is_after(*told));
        Self { over: over.into_iter().map(|(name, _)| name.clone()).collect(), doubtful: !doubtful.is_empty() }
    }
}

/// What the follower itself remembers beside the guard.
#[derive(Debug, Default)]
pub(super) struct Known {
    lists: HashMap<ListName, KnownList>,
    keys: HashMap<KeyId, Source>,
    retired: usize,
    sessions: u64,
    awaited: usize,
}

#[derive(Debug)]
struct KnownList {
    told: Source,
    /// In sessions; 0 while it is not open.
    capacity: u32,
}

impl Known {
    /// Makes room for an open list.
    pub(super) fn list(&mut self, name: &ListName, capacity: u32, source: Source) -> Result<(), Fault> {
        let grown = self.sessions.saturating_add(u64::from(capacity));
        if let Some(list) = self.lists.get_mut(name) {
            list.told.asking = source.asking;
            if list.capacity == 0 && grown > MOST_SESSIONS {
                return Err(Fault::TooMany);
            }
            if list.capacity == 0 {
                list.capacity = capacity;
                self.sessions = grown;
            }
            return Ok(());
        }
        self.has_room()?;
        if grown > MOST_SESSIONS {
            return Err(Fault::TooMany);
        }
        self.lists.insert(name.clone(), KnownList { told: source, capacity });
        self.sessions = grown;
        Ok(())
    }

    /// Makes room for endings in a list that is not open.
    pub(super) fn awaited(&mut self, name: &ListName, count: usize, source: Source) -> Result<(), Fault> {
        if !self.lists.contains_key(name) {
            self.has_room()?;
            self.lists.insert(name.clone(), KnownList { told: source, capacity: 0 });
        }
        self.awaited = self.awaited.saturating_add(count);
        if self.awaited > MOST_AWAITED { Err(Fault::TooMany) } else { Ok(()) }
    }

    pub(super) fn is_open(&self, name: &ListName) -> bool {
        self.lists.get(name).is_some_and(|list| list.capacity != 0)
    }

    pub(super) fn key(&mut self, id: &KeyId, source: Source) -> Result<(), Fault> {
        if let Some(told) = self.keys.get_mut(id) {
            told.asking = source.asking;
            return Ok(());
        }
        self.has_room()?;
        self.keys.insert(id.clone(), source);
        Ok(())
    }

    pub(super) fn retired_list(&mut self, name: &ListName) -> Result<(), Fault> {
        match self.lists.remove(name) {
            Some(list) => self.sessions = self.sessions.saturating_sub(u64::from(list.capacity)),
            None => self.has_room()?,
        }
        self.retired += 1;
        Ok(())
    }

    pub(super) fn retired_key(&mut self, id: &KeyId) -> Result<(), Fault> {
        if self.keys.remove(id).is_none() {
            self.has_room()?;
        }
        self.retired += 1;
        Ok(())
    }

    /// All endings that waited are applied or void: a snapshot has everything.
    pub(super) fn nothing_is_awaited(&mut self) {
        self.awaited = 0;
    }

    /// Lists beyond these, which the server has in use as of a look.
    pub(super) fn other_lists(&self, in_use: &[ListName], look: Look) -> Others<ListName> {
        let in_use: HashSet<&ListName> = in_use.iter().collect();
        Others::of(
            self.lists.iter().map(|(name, list)| (name, list.told)).filter(|(name, _)| !in_use.contains(name)),
            look,
        )
    }

    /// The same for keys.
    pub(super) fn other_keys(&self, in_use: &KeySet, look: Look) -> Others<KeyId> {
        let others = self.keys.iter().map(|(id, told)| (id, *told)).filter(|(id, _)| in_use.get(id.as_str()).is_none());
        Others::of(others, look)
    }

    fn has_room(&self) -> Result<(), Fault> {
        let names = self.lists.len() + self.keys.len() + self.retired;
        if names < MOST_NAMES { Ok(()) } else { Err(Fault::TooMany) }
    }
}
