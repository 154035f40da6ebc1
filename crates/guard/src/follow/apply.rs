//! What is told, applied to the guard: bits and retirements first, so that freshness comes after them.

use std::collections::HashSet;
use std::sync::Arc;

use cerrojo_domain::{KeyId, ListName};

use super::known::{Look, Source};
use super::message::{Entries, ListState, Snapshot};
use super::{Fault, Follower, Told};
use crate::guard::Guard;
use crate::keys::KeySet;

impl Follower {
    pub(super) fn open(&mut self, list: &ListState, source: Source) -> Result<(), Fault> {
        let guard = self.met()?;
        self.known.list(&list.name, list.capacity, source)?;
        let ended = guard.open_list_with(&list.name, list.capacity, &list.bitmap);
        if !ended.is_empty() {
            self.told.push(Told::Ended(list.name.clone(), ended));
        }
        Ok(())
    }

    /// The end of a snapshot whose lists are open: what is not in it and was there before is over.
    pub(super) fn apply_snapshot(&mut self, snapshot: &Snapshot, source: Source, look: Look) -> Result<(), Fault> {
        self.apply_keys(&snapshot.keys, source, look)?;
        let in_use: HashSet<&ListName> = snapshot.lists.iter().collect();
        for name in self.known.lists_before(look) {
            if !in_use.contains(&name) {
                self.retire_list(&name)?;
            }
        }
        self.known.nothing_is_awaited();
        Ok(())
    }

    pub(super) fn apply_entries(&mut self, entries: &Entries, source: Source, look: Look) -> Result<(), Fault> {
        let guard = self.met()?;
        for (list, indexes) in &entries.ended {
            if !self.known.is_open(list) {
                self.known.awaited(list, indexes.len(), source)?;
            }
            for index in indexes {
                guard.end(list, *index);
            }
            self.told.push(Told::Ended(list.clone(), indexes.clone()));
        }
        for name in &entries.retired_lists {
            self.retire_list(name)?;
        }
        for id in &entries.retired_keys {
            self.retire_key(id)?;
        }
        match &entries.keys {
            Some(keys) => self.apply_keys(keys, source, look),
            None => Ok(()),
        }
    }

    /// The whole set as of a look.
    fn apply_keys(&mut self, keys: &KeySet, source: Source, look: Look) -> Result<(), Fault> {
        let guard = self.met()?;
        for (id, key) in keys.iter() {
            let id = KeyId::from_text(id);
            self.known.key(&id, source)?;
            guard.add_key(id, key.clone());
        }
        for id in self.known.keys_before(look) {
            if keys.get(id.as_str()).is_none() {
                self.retire_key(&id)?;
            }
        }
        Ok(())
    }

    fn retire_list(&mut self, name: &ListName) -> Result<(), Fault> {
        self.met()?.retire_list(name);
        self.told.push(Told::ListRetired(name.clone()));
        self.known.retired_list(name)
    }

    fn retire_key(&mut self, id: &KeyId) -> Result<(), Fault> {
        self.met()?.retire_key(id);
        self.told.push(Told::KeyRetired(id.clone()));
        self.known.retired_key(id)
    }

    /// The guard, which there is once the server said hello.
    fn met(&self) -> Result<Arc<Guard>, Fault> {
        self.guard.clone().ok_or(Fault::OutOfOrder)
    }
}
