//! How many connections one address may have, so that nobody alone takes all there are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cerrojo_domain::AddressBlock;

use crate::{Network, Tls};

/// Connections of one address (IPv6: of a /64) at a time. Further ones are closed at once.
const MOST_OF_ONE: u32 = 512;
/// Connections at a time; further ones wait in the listener's queue.
const MOST: u32 = 4096;

/// Counts connections by where they come from. Trusted proxies and this machine itself stand for many and are not
/// bound so. All together are 4096 at most, and as many more as may follow their sessions, or fewer. Whoever comes in speaks TLS if that is asked for.
#[derive(Clone)]
pub struct Doors {
    inner: Arc<Inner>,
    tls: Option<Tls>,
}

struct Inner {
    trusted: Vec<Network>,
    most: u32,
    open: Mutex<HashMap<AddressBlock, u32>>,
    all: AtomicU64,
    refused: AtomicU64,
}

/// Somebody came in; goes out when dropped.
pub(crate) struct Entered {
    doors: Doors,
    /// Whose count it is in.
    block: Option<AddressBlock>,
}

impl Default for Doors {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Doors {
    /// `trusted`: proxies that carry the requests of others.
    #[must_use]
    pub fn new(trusted: Vec<Network>) -> Self {
        Self::of(trusted, MOST)
    }

    /// The same with room for so many connections more, which only wait: those of streams.
    #[must_use]
    pub fn with_streams(trusted: Vec<Network>, streams: u32) -> Self {
        Self::of(trusted, MOST.saturating_add(streams))
    }

    /// Where few come in: so many connections at a time, from wherever.
    #[must_use]
    pub fn narrow(most: u32) -> Self {
        Self::of(Vec::new(), most.min(MOST))
    }

    fn of(trusted: Vec<Network>, most: u32) -> Self {
        let (all, refused) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { inner: Arc::new(Inner { trusted, most, open: Mutex::default(), all, refused }), tls: None }
    }

    /// The same where TLS is spoken, if it is.
    #[must_use]
    pub fn with_tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// How many connections there may be at a time.
    pub(crate) fn most(&self) -> u32 {
        self.inner.most
    }

    /// How many there are.
    pub(crate) fn open(&self) -> u64 {
        self.inner.all.load(Ordering::Relaxed)
    }

    /// How many found no place.
    pub(crate) fn refused(&self) -> u64 {
        self.inner.refused.load(Ordering::Relaxed)
    }

    /// `None`: this address has as many as one may have.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Entered> {
        let carries_others = self.inner.trusted.iter().any(|network| network.contains(address));
        if carries_others || address.to_canonical().is_loopback() {
            return Some(self.entered(None));
        }
        let block = AddressBlock::of(address);
        let mut open = self.inner.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(block).or_insert(0);
        if *count >= MOST_OF_ONE {
            self.inner.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        *count += 1;
        drop(open);
        Some(self.entered(Some(block)))
    }

    fn entered(&self, block: Option<AddressBlock>) -> Entered {
        self.inner.all.fetch_add(1, Ordering::Relaxed);
        Entered { doors: self.clone(), block }
    }
}

impl Entered {
    /// What it has to speak, if it is TLS.
    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.doors.tls()
    }

    /// Whose count it is in; `None`: of somebody who stands for many.
    pub(crate) fn block(&self) -> Option<AddressBlock> {
        self.block
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.doors.inner.all.fetch_sub(1, Ordering::Relaxed);
        let Some(block) = &self.block else { return };
        let mut open = self.doors.inner.open.lock().unwrap_or_else(PoisonError::into_inner);
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
        assert!(doors.inner.open.lock().unwrap().is_empty());
        assert_eq!((doors.open(), doors.refused()), (0, 1));
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
