//! The newest entries of the log as this process applied them, for those who follow it from outside.
//!
//! An entry is here before its position counts as applied: whatever was acknowledged to anybody is here.

use std::collections::VecDeque;
use std::sync::{PoisonError, RwLock};

use cerrojo_domain::{Entry, Fact, KeyId, ListIndex, ListName, Position};
use tokio::sync::watch;

use crate::incarnation;

/// Entries that are kept. Whoever is further behind is better served by a snapshot.
pub(crate) const KEPT: usize = 20_000;

/// The newest entries.
pub struct Feed {
    ring: RwLock<Ring>,
    /// Changes with every entry.
    news: watch::Sender<u64>,
}

struct Ring {
    incarnation: String,
    /// Changes when what follows does not go on from what was before.
    life: u64,
    /// Where the log stood before the first of `items`.
    base: Position,
    items: VecDeque<Item>,
}

struct Item {
    mark: Box<str>,
    news: News,
}

/// What an entry says to a follower outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A session is over.
    Ended(ListName, ListIndex),
    /// There is a key that was not known before.
    KeyAdded,
    /// Nothing that this key signed is accepted any more.
    KeyRetired(KeyId),
    /// Nothing that points to this list is accepted any more.
    ListRetired(ListName),
}

/// How far somebody outside has followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    life: u64,
    number: i64,
}

impl Place {
    pub(crate) fn number(self) -> i64 {
        self.number
    }
}

/// What has happened since.
#[derive(Debug)]
pub struct Tail {
    /// In order.
    pub news: Vec<News>,
    /// How far that is.
    pub place: Place,
    /// The same as told outside.
    pub position: String,
}

/// Where a position is that somebody outside came back with.
pub(crate) enum Found {
    /// Everything since is here.
    Here(Place),
    /// Not here; it may be in the database's log.
    Earlier(Position),
    /// Not here, but another process may have read so far.
    Ahead,
    /// Of another history, or none of ours.
    Nowhere,
}

impl Feed {
    /// Begins where this process has applied the log so far.
    pub(crate) fn at(incarnation: String, position: Position) -> Self {
        let ring = Ring { incarnation, life: 0, base: position, items: VecDeque::new() };
        Self { ring: RwLock::new(ring), news: watch::Sender::new(0) }
    }

    /// Takes entries that were applied. Those that it has already are passed over.
    pub(crate) fn push(&self, entries: &[Entry]) {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        for entry in entries {
            ring.push(entry);
        }
        drop(ring);
        self.news.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Begins anew: what was loaded is not what follows the last entry here. Whoever follows gets a snapshot.
    pub fn begin_anew(&self, incarnation: String, position: Position) {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        ring.incarnation = incarnation;
        ring.begin_at(position);
        drop(ring);
        self.news.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Tells when there is something new.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// What has happened since `place`; `None`: it does not go on from there.
    #[must_use]
    pub fn since(&self, place: Place) -> Option<Tail> {
        let ring = self.read();
        if place.life != ring.life {
            return None;
        }
        let known = usize::try_from(place.number.checked_sub(ring.base.number)?).ok()?;
        if known > ring.items.len() {
            return None;
        }
        let news = ring.items.range(known..).map(|item| item.news.clone()).collect();
        Some(Tail { news, place: ring.place(), position: ring.position() })
    }

    /// Where the newest entry is.
    #[must_use]
    pub fn head(&self) -> Tail {
        let ring = self.read();
        Tail { news: Vec::new(), place: ring.place(), position: ring.position() }
    }

    /// The same, and the name of the history.
    pub(crate) fn head_of(&self) -> (Tail, String) {
        let ring = self.read();
        (Tail { news: Vec::new(), place: ring.place(), position: ring.position() }, ring.incarnation.clone())
    }

    /// The name of the history.
    #[must_use]
    pub fn incarnation(&self) -> String {
        self.read().incarnation.clone()
    }

    /// Where `position`, as it was told outside, is.
    pub(crate) fn find(&self, position: &str) -> Found {
        let mut parts = position.split('.');
        let (Some(incarnation), Some(number), Some(mark), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Found::Nowhere;
        };
        let Some(number) = number.parse::<i64>().ok().filter(|number| *number >= 0) else { return Found::Nowhere };
        let ring = self.read();
        if incarnation != ring.incarnation {
            let is_later = incarnation::count(incarnation) > incarnation::count(&ring.incarnation);
            return if is_later { Found::Ahead } else { Found::Nowhere };
        }
        if number > ring.number() {
            return Found::Ahead;
        }
        if number < ring.base.number {
            return Found::Earlier(Position { number, mark: mark.to_owned() });
        }
        if ring.mark_at(number).is_some_and(|known| known == mark) {
            return Found::Here(Place { life: ring.life, number });
        }
        Found::Nowhere
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn number(&self) -> i64 {
        self.base.number.saturating_add(i64::try_from(self.items.len()).unwrap_or(i64::MAX))
    }

    fn place(&self) -> Place {
        Place { life: self.life, number: self.number() }
    }

    fn position(&self) -> String {
        let mark = self.items.back().map_or(self.base.mark.as_str(), |item| &item.mark);
        format!("{}.{}.{mark}", self.incarnation, self.number())
    }

    fn mark_at(&self, number: i64) -> Option<&str> {
        if number == self.base.number {
            return Some(&self.base.mark);
        }
        let place = usize::try_from(number.checked_sub(self.base.number)?.checked_sub(1)?).ok()?;
        self.items.get(place).map(|item| &*item.mark)
    }

    fn begin_at(&mut self, position: Position) {
        self.items.clear();
        self.base = position;
        self.life = self.life.wrapping_add(1);
    }

    fn push(&mut self, entry: &Entry) {
        let Entry { position, fact } = entry;
        if position.number <= self.number() {
            return;
        }
        let news = match news(fact) {
            Some(news) if position.number == self.number() + 1 => news,
            _ => {
                if let Fact::EverythingOver { incarnation } = fact {
                    self.incarnation.clone_from(incarnation);
                }
                return self.begin_at(position.clone());
            }
        };
        if self.items.len() >= KEPT
            && let Some(first) = self.items.pop_front()
        {
            self.base = Position { number: self.base.number + 1, mark: first.mark.into() };
        }
        self.items.push_back(Item { mark: position.mark.as_str().into(), news });
    }
}

/// `None`: what follows does not go on from what was before.
pub(crate) fn news(fact: &Fact) -> Option<News> {
    match fact {
        Fact::SessionEnded { list, index, .. } => Some(News::Ended(list.clone(), *index)),
        Fact::KeyAdded { .. } => Some(News::KeyAdded),
        Fact::KeyRetired { key } => Some(News::KeyRetired(key.clone())),
        Fact::ListRetired { list } => Some(News::ListRetired(list.clone())),
        Fact::EverythingOver { .. } | Fact::Unknown { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(number: i64) -> Position {
        Position { number, mark: format!("m{number}") }
    }

    fn ended(number: i64) -> Entry {
        let index = ListIndex(u32::try_from(number).unwrap());
        let fact = Fact::SessionEnded {
            session: cerrojo_domain::SessionId::from_text("s"),
            list: ListName::from_text("l"),
            index,
        };
        Entry { position: position(number), fact }
    }

    fn feed() -> Feed {
        Feed::at("one".to_owned(), position(7))
    }

    fn here(feed: &Feed, position: &str) -> Option<Place> {
        match feed.find(position) {
            Found::Here(place) => Some(place),
            Found::Earlier(_) | Found::Ahead | Found::Nowhere => None,
        }
    }

    fn indexes(tail: &Tail) -> Vec<u32> {
        tail.news.iter().map(|news| if let News::Ended(_, index) = news { index.0 } else { 0 }).collect()
    }

    #[test]
    fn what_came_since_is_told_once_and_in_order() {
        let feed = feed();
        let start = feed.head();
        assert_eq!(start.position, "one.7.m7");
        feed.push(&[ended(8), ended(9)]);
        feed.push(&[ended(9), ended(10)]);
        let tail = feed.since(start.place).unwrap();
        assert_eq!((indexes(&tail), tail.position.as_str()), (vec![8, 9, 10], "one.10.m10"));
        assert!(feed.since(tail.place).unwrap().news.is_empty());
        assert_eq!(indexes(&feed.since(here(&feed, "one.8.m8").unwrap()).unwrap()), [9, 10]);
    }

    #[test]
    fn a_position_of_another_history_is_nowhere() {
        let feed = feed();
        feed.push(&[ended(8)]);
        for text in ["one.9.m9", "1:one.2.m2"] {
            assert!(matches!(feed.find(text), Found::Ahead), "{text}");
        }
        for text in ["", "one.8", "one.8.m9", "two.8.m8", "0:two.9.m9", "one.-1.m", "one.8.m8.x", "one.x.m", "one.7.m"]
        {
            assert!(matches!(feed.find(text), Found::Nowhere), "{text}");
        }
        assert!(matches!(feed.find("one.6.anything"), Found::Earlier(at) if at.number == 6 && at.mark == "anything"));
    }

    #[test]
    fn when_everything_is_over_nothing_goes_on() {
        let feed = feed();
        feed.push(&[ended(8)]);
        let before = feed.head().place;
        let over = Fact::EverythingOver { incarnation: "two".to_owned() };
        feed.push(&[Entry { position: position(9), fact: over }, ended(10)]);
        assert!(feed.since(before).is_none());
        assert_eq!(feed.head().position, "two.10.m10");
        assert!(matches!(feed.find("one.8.m8"), Found::Nowhere));
        assert_eq!(indexes(&feed.since(here(&feed, "two.9.m9").unwrap()).unwrap()), [10]);
    }

    #[test]
    fn a_gap_is_no_tail() {
        let feed = feed();
        let before = feed.head().place;
        feed.push(&[ended(9)]);
        assert!(feed.since(before).is_none());
        assert_eq!(feed.head().position, "one.9.m9");
    }

    #[test]
    fn no_more_is_kept_than_has_a_use() {
        let feed = feed();
        let before = feed.head().place;
        let last = 7 + i64::try_from(KEPT).unwrap();
        feed.push(&(8..=last).map(ended).collect::<Vec<_>>());
        assert_eq!(feed.since(before).unwrap().news.len(), KEPT);
        feed.push(&[ended(last + 1)]);
        assert!(feed.since(before).is_none());
        assert!(matches!(feed.find("one.7.m7"), Found::Earlier(_)));
        assert_eq!(feed.since(here(&feed, "one.8.m8").unwrap()).unwrap().news.len(), KEPT);
    }
}
