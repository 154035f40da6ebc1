//! What is told, applied to the guard: bits and retirements first, so that freshness comes after them.

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
        for id in &snapshot.retired_keys {
            self.retire_key(id)?;
        }
        let keys_in_doubt = self.apply_keys(&snapshot.keys, source, look)?;
        let lists = self.known.other_lists(&snapshot.lists, look);
        for name in lists.over {
            self.retire_list(&name)?;
        }
        self.known.nothing_is_awaited();
        if keys_in_doubt || lists.doubtful { Err(Fault::Doubt) } else { Ok(()) }
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
        if let Some(keys) = &entries.keys {
            // None is in doubt: those that are over are also named one by one.
            self.apply_keys(keys, source, look)?;
        }
        Ok(())
    }

    /// The whole set as of a look. True: a key is in doubt.
    fn apply_keys(&mut self, keys: &KeySet, source: Source, look: Look) -> Result<bool, Fault> {
        let guard = self.met()?;
        for (id, key) in keys.iter() {
            let id = KeyId::from_text(id);
            self.known.key(&id, source)?;
            guard.add_key(id, key.clone());
        }
        let others = self.known.other_keys(keys, look);
        for id in others.over {
            self.retire_key(&id)?;
        }
        Ok(others.doubtful)
    }

    fn retire_list(&mut self, name: &ListName) -> Result<(), Fault> {
        self.met()?.retire_list(name);
        self.told.push(Told::ListRetired(name.clone()));
        self.known.retired_list(name)
    }

    fn retire_key(&mut self, id: &KeyId) -> Result<(), Fault> {
        // Each snapshot names those of before again.
        if self.met()?.retire_key(id) {
            self.told.push(Told::KeyRetired(id.clone()));
            self.known.retired_key(id)?;
        }
        Ok(())
    }

    /// The guard, which there is once the server said hello.
    fn met(&self) -> Result<Arc<Guard>, Fault> {
        self.guard.clone().ok_or(Fault::OutOfOrder)
    }
}
