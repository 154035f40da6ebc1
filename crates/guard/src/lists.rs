//! Status lists in memory: one bit a session, which is only ever set, and when each session was last used.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cerrojo_domain::{ListIndex, ListName, UnixMillis};

const CHUNK: u32 = 1024;

/// When the sessions of one stretch of a list were last used: milliseconds shifted left by one, and whether that is yet
/// to be written down. 0: not known.
type Uses = Box<[AtomicU64]>;

/// One status list.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) name: ListName,
    capacity: u32,
    retired: AtomicBool,
    bits: Box<[AtomicU64]>,
    uses: Box<[OnceLock<Uses>]>,
}

fn zeros(count: u32) -> Box<[AtomicU64]> {
    (0..count).map(|_| AtomicU64::new(0)).collect()
}

impl List {
    fn new(name: ListName, capacity: u32) -> Self {
        Self {
            name,
            capacity,
            retired: AtomicBool::new(false),
            bits: zeros(capacity.div_ceil(u64::BITS)),
            uses: (0..capacity.div_ceil(CHUNK)).map(|_| OnceLock::new()).collect(),
        }
    }

    fn word(&self, index: ListIndex) -> Option<(&AtomicU64, u64)> {
        if index.0 >= self.capacity {
            return None;
        }
        Some((self.bits.get((index.0 / u64::BITS) as usize)?, 1 << (index.0 % u64::BITS)))
    }

    /// Whether the bit is set, the list retired, or the index none of this list's.
    pub(crate) fn is_over(&self, index: ListIndex) -> bool {
        self.word(index).is_none_or(|(word, bit)| word.load(Ordering::Acquire) & bit != 0)
            || self.retired.load(Ordering::Acquire)
    }

    /// For ever: nothing clears a bit.
    fn end(&self, index: ListIndex) {
        if let Some((word, bit)) = self.word(index) {
            word.fetch_or(bit, Ordering::AcqRel);
        }
    }

    /// Sets every bit that is set in `bitmap`; answers those that were not before. What lies beyond the list is passed over.
    pub(crate) fn end_all(&self, bitmap: &[u8]) -> Vec<ListIndex> {
        let mut fresh = Vec::new();
        for ((word, bytes), number) in self.bits.iter().zip(bitmap.chunks(8)).zip(0_u32..) {
            let wanted = bytes.iter().rev().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
            let mut added = wanted & !word.fetch_or(wanted, Ordering::AcqRel);
            while added != 0 {
                fresh.push(ListIndex(number * u64::BITS + added.trailing_zeros()));
                added &= added - 1;
            }
        }
        fresh.retain(|index| index.0 < self.capacity);
        fresh
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.bits.iter().flat_map(|word| word.load(Ordering::Acquire).to_le_bytes()).collect();
        bytes.truncate(self.capacity.div_ceil(u8::BITS) as usize);
        bytes
    }

    fn slot(&self, index: ListIndex) -> Option<&AtomicU64> {
        if index.0 >= self.capacity {
            return None;
        }
        let chunk = self.uses.get((index.0 / CHUNK) as usize)?;
        chunk.get_or_init(|| zeros(CHUNK)).get((index.0 % CHUNK) as usize)
    }

    pub(crate) fn last_seen(&self, index: ListIndex) -> Option<UnixMillis> {
        let chunk = self.uses.get((index.0 / CHUNK) as usize)?.get()?;
        let use_ = chunk.get((index.0 % CHUNK) as usize)?.load(Ordering::Acquire) >> 1;
        if use_ == 0 { None } else { i64::try_from(use_).ok().map(UnixMillis) }
    }

    /// Notes a use that is already written down elsewhere, unless a later one is known.
    pub(crate) fn seen(&self, index: ListIndex, at: UnixMillis) {
        if let Some(slot) = self.slot(index) {
            raise(slot, at, 0);
        }
    }

    /// Notes a use. True: it is the first since the last [`List::take_use`], so that somebody has to write it down.
    pub(crate) fn used(&self, index: ListIndex, at: UnixMillis) -> bool {
        self.slot(index).is_some_and(|slot| raise(slot, at, 1) & 1 == 0)
    }

    /// The last use, from now on taken as written down.
    pub(crate) fn take_use(&self, index: ListIndex) -> Option<UnixMillis> {
        let before = self.slot(index)?.fetch_and(!1, Ordering::AcqRel);
        i64::try_from(before >> 1).ok().map(UnixMillis)
    }
}

/// Raises the time to `at` if that is later and adds the mark; answers what was there before.
fn raise(slot: &AtomicU64, at: UnixMillis, mark: u64) -> u64 {
    let at = u64::try_from(at.0).unwrap_or(0);
    let raised = |before: u64| {
        let after = ((before >> 1).max(at) << 1) | (before & 1) | mark;
        (after != before).then_some(after)
    };
    slot.fetch_update(Ordering::AcqRel, Ordering::Acquire, raised).unwrap_or_else(|before| before)
}

/// What is known of a list's name.
#[derive(Debug)]
enum Place {
    Open(Arc<List>),
    /// Endings that were told before their list was.
    Awaited(Vec<ListIndex>),
    /// For ever: a retired name is never opened again. Its bits are gone; all that were issued in it are refused.
    Retired {
        capacity: u32,
    },
}

/// Why there is no list of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It is retired.
    Retired,
    /// Nobody told of it yet.
    Unknown,
}

/// All lists by name.
#[derive(Debug, Default)]
pub(crate) struct Lists(RwLock<HashMap<ListName, Place>>);

impl Lists {
    fn read(&self) -> RwLockReadGuard<'_, HashMap<ListName, Place>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<ListName, Place>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The list, if it is known and not retired.
    pub(crate) fn get(&self, name: &ListName) -> Option<Arc<List>> {
        self.find(name).ok()
    }

    /// The list, or why there is none.
    pub(crate) fn find(&self, name: &ListName) -> Result<Arc<List>, Missing> {
        match self.read().get(name) {
            Some(Place::Open(list)) => Ok(Arc::clone(list)),
            Some(Place::Retired { .. }) => Err(Missing::Retired),
            Some(Place::Awaited(_)) | None => Err(Missing::Unknown),
        }
    }

    pub(crate) fn open(&self, name: &ListName, capacity: u32) {
        self.open_with(name, capacity, &[]);
    }

    /// Opens the list with these bits set: no check ever sees it without them. Of one that is open already the bits are
    /// set too, and those that were not before are the answer.
    pub(crate) fn open_with(&self, name: &ListName, capacity: u32, bitmap: &[u8]) -> Vec<ListIndex> {
        let mut places = self.write();
        let earlier: &[ListIndex] = match places.get_mut(name) {
            Some(Place::Open(list)) => return list.end_all(bitmap),
            Some(Place::Retired { capacity: known }) => {
                *known = (*known).max(capacity);
                return Vec::new();
            }
            Some(Place::Awaited(ended)) => ended,
            None => &[],
        };
        let list = List::new(name.clone(), capacity);
        for index in earlier {
            list.end(*index);
        }
        list.end_all(bitmap);
        places.insert(name.clone(), Place::Open(Arc::new(list)));
        Vec::new()
    }

    /// Sets the bit. False: the list is not known yet; the ending is kept and applied when it is opened.
    pub(crate) fn end(&self, name: &ListName, index: ListIndex) -> bool {
        if let Some(list) = self.get(name) {
            list.end(index);
            return true;
        }
        let mut places = self.write();
        match places.entry(name.clone()).or_insert_with(|| Place::Awaited(Vec::new())) {
            Place::Open(list) => list.end(index),
            Place::Retired { .. } => {}
            Place::Awaited(ended) => {
                ended.push(index);
                return false;
            }
        }
        true
    }

    pub(crate) fn retire(&self, name: &ListName) {
        let mut places = self.write();
        let place = places.entry(name.clone()).or_insert(Place::Retired { capacity: 0 });
        retire(place);
    }

    pub(crate) fn names(&self) -> Vec<ListName> {
        self.read().keys().cloned().collect()
    }

    pub(crate) fn open_ones(&self) -> Vec<(ListName, u32)> {
        let open = |(name, place): (&ListName, &Place)| match place {
            Place::Open(list) => Some((name.clone(), list.capacity)),
            Place::Awaited(_) | Place::Retired { .. } => None,
        };
        self.read().iter().filter_map(open).collect()
    }

    /// `None`: not known.
    pub(crate) fn bytes(&self, name: &ListName) -> Option<Vec<u8>> {
        match self.read().get(name)? {
            Place::Open(list) => Some(list.bytes()),
            Place::Retired { capacity } => Some(vec![0xff; capacity.div_ceil(u8::BITS) as usize]),
            Place::Awaited(_) => None,
        }
    }
}

fn retire(place: &mut Place) {
    let capacity = match place {
        // Tokens in the cache hold the list itself: they must learn of it too.
        Place::Open(list) => {
            list.retired.store(true, Ordering::Release);
            list.capacity
        }
        Place::Retired { capacity } => *capacity,
        Place::Awaited(_) => 0,
    };
    *place = Place::Retired { capacity };
}
