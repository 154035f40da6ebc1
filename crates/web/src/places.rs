//! How many may follow at a time. Services have places of their own, which those without credentials cannot take.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cerrojo_app::{Quota, Trouble};
use cerrojo_domain::AddressBlock;

use crate::GuardPlaces;
use crate::basic::Who;
use crate::problem::{self, Problem};

/// Seconds until whoever finds no place may try again.
const LATER: u32 = 5;

/// The places and who has them.
pub(crate) struct Places {
    most: GuardPlaces,
    taken: Mutex<Taken>,
    /// How many services, and how many others, found none.
    refused: [AtomicU64; 2],
}

#[derive(Default)]
struct Taken {
    anonymous: Kind<AddressBlock>,
    services: Kind<String>,
}

struct Kind<K> {
    all: u32,
    each: HashMap<K, u32>,
}

impl<K> Default for Kind<K> {
    fn default() -> Self {
        Self { all: 0, each: HashMap::new() }
    }
}

/// A place, given back when dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    whose: Whose,
}

enum Whose {
    Anonymous(AddressBlock),
    Service(String),
}

impl Places {
    pub(crate) fn new(most: GuardPlaces) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default(), refused: Default::default() })
    }

    /// How many services, and how many others, have a place now.
    pub(crate) fn taken_now(&self) -> [u64; 2] {
        let taken = self.taken();
        [taken.services.all.into(), taken.anonymous.all.into()]
    }

    /// How many services, and how many others, found none.
    pub(crate) fn refused(&self) -> [u64; 2] {
        self.refused.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// A place for whoever asks, if one is left.
    pub(crate) fn take(self: &Arc<Self>, who: &Who) -> Result<Place, Problem> {
        let place = self.take_one(who);
        if place.is_err() {
            let [services, anonymous] = &self.refused;
            let refused = if matches!(who, Who::Service(_)) { services } else { anonymous };
            refused.fetch_add(1, Ordering::Relaxed);
        }
        place
    }

    fn take_one(self: &Arc<Self>, who: &Who) -> Result<Place, Problem> {
        let most = self.most;
        let mut taken = self.taken();
        let whose = match who {
            Who::Anonymous(_) if most.anonymous == 0 || most.anonymous_per_address == 0 => {
                return Err((&problem::SERVICE).into());
            }
            Who::Anonymous(block) => {
                if !taken.anonymous.take(*block, (most.anonymous, most.anonymous_per_address)) {
                    let all_taken = taken.anonymous.all >= most.anonymous;
                    let limit = if all_taken { most.anonymous } else { most.anonymous_per_address };
                    let quota = Quota { limit, remaining: 0, reset: Duration::from_secs(LATER.into()) };
                    let problem = Problem::from(&problem::TOO_MANY_GUARDS);
                    return Err(Problem { retry_after: Some(LATER), quota: Some(quota), ..problem });
                }
                Whose::Anonymous(*block)
            }
            Who::Service(service) => {
                if !taken.services.take(service.name.clone(), (most.services, most.per_service)) {
                    let cause = format!("the service {} finds no place: guards.services are taken", service.name);
                    return Err(Problem { retry_after: Some(LATER), ..Trouble::Unavailable(cause).into() });
                }
                Whose::Service(service.name.clone())
            }
        };
        drop(taken);
        Ok(Place { places: Arc::clone(self), whose })
    }

    fn taken(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        match &self.whose {
            Whose::Anonymous(block) => taken.anonymous.give_back(block),
            Whose::Service(name) => taken.services.give_back(name),
        }
    }
}

impl<K: Hash + Eq + Clone> Kind<K> {
    fn take(&mut self, key: K, (all, each): (u32, u32)) -> bool {
        if self.all >= all {
            return false;
        }
        match self.each.entry(key) {
            Entry::Occupied(entry) if *entry.get() >= each => return false,
            Entry::Occupied(mut entry) => *entry.get_mut() += 1,
            Entry::Vacant(_) if each == 0 => return false,
            Entry::Vacant(entry) => {
                entry.insert(1);
            }
        }
        self.all += 1;
        true
    }

    fn give_back(&mut self, key: &K) {
        self.all = self.all.saturating_sub(1);
        if let Entry::Occupied(mut entry) = self.each.entry(key.clone()) {
            *entry.get_mut() = entry.get().saturating_sub(1);
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anonymous(address: &str) -> Who {
        Who::Anonymous(AddressBlock::of(address.parse().unwrap()))
    }

    fn places(anonymous: u32, anonymous_per_address: u32) -> Arc<Places> {
        Places::new(GuardPlaces { anonymous_per_address, anonymous, ..GuardPlaces::default() })
    }

    #[test]
    fn an_address_has_so_many_and_all_together_have_so_many() {
        let places = places(3, 2);
        let one = places.take(&anonymous("2001:db8::1")).unwrap();
        let _two = places.take(&anonymous("2001:db8::2")).unwrap();
        assert_eq!(places.take(&anonymous("2001:db8::3")).err().unwrap().row, &problem::TOO_MANY_GUARDS);
        let _three = places.take(&anonymous("192.0.2.1")).unwrap();
        assert!(places.take(&anonymous("192.0.2.2")).is_err());
        drop(one);
        let _again = places.take(&anonymous("2001:db8::3")).unwrap();
        assert_eq!(places.taken().anonymous.all, 3);
    }

    #[test]
    fn what_is_given_back_leaves_nothing_behind() {
        let places = places(3, 2);
        drop(places.take(&anonymous("192.0.2.1")).unwrap());
        assert!(places.taken().anonymous.each.is_empty());
        assert_eq!(places.taken().anonymous.all, 0);
    }

    #[test]
    fn where_none_are_wanted_credentials_are_asked_for() {
        for places in [places(0, 8), places(8, 0)] {
            assert_eq!(places.take(&anonymous("192.0.2.1")).err().unwrap().row, &problem::SERVICE);
        }
    }
}
