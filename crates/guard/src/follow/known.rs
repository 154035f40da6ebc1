//! What a guard knows since when, and how much of it there may be.

use std::collections::HashMap;
use std::time::Duration;

use cerrojo_domain::{KeyId, ListName};

use super::Fault;

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
    /// The guard's clock when it was read.
    pub(super) read: Duration,
}

/// When, by the guard's clock, a server began to look at what it then sent; it was not earlier than this.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) asking: u64,
    pub(super) at: Duration,
}

impl Look {
    /// Whether what was told so was there when the server looked. Within one asking things come in their order; what came
    /// another way may have been made since, however long this look was underway, unless it was read before the look.
    fn is_after(self, told: Source) -> bool {
        told.asking == self.asking || told.read <= self.at
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

    /// The lists that a server which looked when `look` says must still have if they are in use.
    pub(super) fn lists_before(&self, look: Look) -> Vec<ListName> {
        self.lists.iter().filter(|(_, list)| look.is_after(list.told)).map(|(name, _)| name.clone()).collect()
    }

    /// The same for keys.
    pub(super) fn keys_before(&self, look: Look) -> Vec<KeyId> {
        self.keys.iter().filter(|(_, told)| look.is_after(**told)).map(|(id, _)| id.clone()).collect()
    }

    fn has_room(&self) -> Result<(), Fault> {
        let names = self.lists.len() + self.keys.len() + self.retired;
        if names < MOST_NAMES { Ok(()) } else { Err(Fault::TooMany) }
    }
}
