//! Which sessions ended lately, at this node or another one, for whoever looks on as it happens.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cerrojo_domain::{Entry, Fact, SessionId};
use tokio::sync::watch;

/// How many are remembered: whoever is further behind is told how many were left out.
const REMEMBERED: usize = 200;

/// The newest endings that this process has applied.
pub struct EndedLately {
    inside: Mutex<Inside>,
    news: watch::Sender<u64>,
}

#[derive(Default)]
struct Inside {
    /// How many there were since the process began.
    count: u64,
    newest: VecDeque<SessionId>,
}

/// What came since somebody last looked.
#[derive(Debug, Default)]
pub struct Since {
    /// Sessions that ended, in the order of the log.
    pub sessions: Vec<SessionId>,
    /// How many more had ended before them.
    pub left_out: u64,
}

impl Default for EndedLately {
    fn default() -> Self {
        Self { inside: Mutex::default(), news: watch::Sender::new(0) }
    }
}

impl EndedLately {
    /// Tells of these entries. They hold in memory already.
    pub(crate) fn told(&self, entries: &[Entry]) {
        let ended = entries.iter().filter_map(|entry| match &entry.fact {
            Fact::SessionEnded { session, .. } => Some(session),
            _ => None,
        });
        let mut inside = self.inside();
        let before = inside.count;
        for session in ended {
            inside.count += 1;
            inside.newest.push_back(session.clone());
            if inside.newest.len() > REMEMBERED {
                inside.newest.pop_front();
            }
        }
        let count = inside.count;
        drop(inside);
        if count != before {
            self.news.send_replace(count);
        }
    }

    /// Wakes when there are more.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// What came since there had been `seen`, and how many there are now.
    #[must_use]
    pub fn since(&self, seen: u64) -> (Since, u64) {
        let inside = self.inside();
        let new = inside.count.saturating_sub(seen);
        let known = usize::try_from(new).unwrap_or(usize::MAX).min(inside.newest.len());
        let sessions: Vec<_> = inside.newest.iter().skip(inside.newest.len() - known).cloned().collect();
        let left_out = new.saturating_sub(u64::try_from(known).unwrap_or(u64::MAX));
        (Since { sessions, left_out }, inside.count)
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use cerrojo_domain::{ListIndex, ListName, Position};

    use super::*;

    fn ended(number: i64) -> Entry {
        let session = SessionId::from_text(number.to_string());
        let fact = Fact::SessionEnded { session, list: ListName::from_text("l".to_owned()), index: ListIndex(0) };
        Entry { position: Position { number, mark: String::new() }, fact }
    }

    #[test]
    fn whoever_looks_is_told_what_is_new_and_how_much_was_missed() {
        let lately = EndedLately::default();
        let mut news = lately.watch();
        assert!(!news.has_changed().unwrap());
        lately.told(&[ended(1), ended(2)]);
        assert!(news.has_changed().unwrap());
        news.mark_unchanged();
        let (since, seen) = lately.since(1);
        assert_eq!((since.sessions, since.left_out, seen), (vec![SessionId::from_text("2".to_owned())], 0, 2));
        let many: Vec<Entry> = (3..503).map(ended).collect();
        lately.told(&many);
        let (since, seen) = lately.since(2);
        assert_eq!((since.sessions.len(), since.left_out, seen), (200, 300, 502));
        assert_eq!(since.sessions.last().unwrap().as_str(), "502");
        lately.told(&[]);
        assert_eq!(lately.since(502).0.sessions.len(), 0);
    }
}
