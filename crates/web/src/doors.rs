//! How many connections one address may have, so that nobody alone takes all there are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use cerrojo_domain::AddressBlock;

use crate::Network;

/// Connections of one address (IPv6: of a /64) at a time. Further ones are closed at once.
const MOST_OF_ONE: u32 = 512;

/// Counts connections by where they come from. Trusted proxies and this machine itself stand for many and are not
/// counted.
#[derive(Clone, Default)]
pub struct Doors(Arc<Inner>);

#[derive(Default)]
struct Inner {
    trusted: Vec<Network>,
    open: Mutex<HashMap<AddressBlock, u32>>,
}

/// Somebody came in; goes out when dropped.
pub(crate) struct Entered(Option<(Arc<Inner>, AddressBlock)>);

impl Doors {
    /// `trusted`: proxies that carry the requests of others.
    #[must_use]
    pub fn new(trusted: Vec<Network>) -> Self {
        Self(Arc::new(Inner { trusted, open: Mutex::default() }))
    }

    /// `None`: this address has as many as one may have.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Entered> {
        let carries_others = self.0.trusted.iter().any(|network| network.contains(address));
        if carries_others || address.to_canonical().is_loopback() {
            return Some(Entered(None));
        }
        let block = AddressBlock::of(address);
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(block).or_insert(0);
        if *count >= MOST_OF_ONE {
            return None;
        }
        *count += 1;
        Some(Entered(Some((Arc::clone(&self.0), block))))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let Some((inner, block)) = &self.0 else { return };
        let mut open = inner.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(block) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(block);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(doors: &Doors, address: &str) -> Option<Entered> {
        doors.enter(address.parse().unwrap())
    }

    #[test]
    fn one_address_has_its_share_and_gives_it_back() {
        let doors = Doors::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let mut inside: Vec<_> = (0..MOST_OF_ONE).map(|_| enter(&doors, "2001:db8::1").unwrap()).collect();
        assert!(enter(&doors, "2001:db8::2").is_none());
        assert!(enter(&doors, "2001:db8:0:1::1").is_some());
        inside.pop();
        assert!(enter(&doors, "2001:db8::2").is_some());
        drop(inside);
        assert!(doors.0.open.lock().unwrap().is_empty());
    }

    #[test]
    fn whoever_carries_others_is_not_counted() {
        let doors = Doors::new(vec!["10.0.0.0/8".parse().unwrap()]);
        for address in ["10.1.2.3", "127.0.0.1", "::1", "::ffff:10.1.2.3"] {
            let inside: Vec<_> = (0..=MOST_OF_ONE).map(|_| enter(&doors, address)).collect();
            assert!(inside.iter().all(Option::is_some), "{address}");
        }
    }
}
