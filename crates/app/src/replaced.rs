//! What is read from files that may be replaced while the server runs: another one is in use from then on, and where what
//! stands there cannot be used, the one from before goes on.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

/// What tells a file from another one, and from itself written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// Of a file, by what the system says of it.
    #[must_use]
    pub fn of(found: &Metadata) -> Self {
        Self { file: (found.dev(), found.ino()), size: found.size(), modified: (found.mtime(), found.mtime_nsec()) }
    }

    /// Whether it is the same file, written anew or not.
    #[must_use]
    pub fn is_same_file(&self, other: &Self) -> bool {
        self.file == other.file
    }
}

/// What is in use, and which files it was read from (by their stamps, `S`).
#[derive(Debug)]
pub struct InUse<T, S> {
    now: Option<(Arc<T>, S)>,
    /// What the log says of that which stands there instead.
    told: Option<String>,
}

impl<T, S> Default for InUse<T, S> {
    fn default() -> Self {
        Self { now: None, told: None }
    }
}

/// What came of a look.
#[derive(Debug)]
pub enum Looked<T, E> {
    /// What was in use still stands there.
    Same(Arc<T>),
    /// It was something else, or the first; it is in use now.
    New(Arc<T>),
    /// What stands there cannot be used. What was in use still is.
    Refused(E),
}

impl<T, S: PartialEq> InUse<T, S> {
    /// `there`: the stamps of what stands there now, if anything does; `read`: reads it, with the stamps of what was read.
    pub fn look<E>(&mut self, there: Option<&S>, read: impl FnOnce() -> Result<(T, S), E>) -> Looked<T, E> {
        if let Some((value, stamp)) = &self.now
            && there == Some(stamp)
        {
            self.told = None;
            return Looked::Same(Arc::clone(value));
        }
        match read() {
            Ok((value, stamp)) => {
                let value = Arc::new(value);
                *self = Self { now: Some((Arc::clone(&value), stamp)), told: None };
                Looked::New(value)
            }
            Err(error) => Looked::Refused(error),
        }
    }

    /// What is in use, if anything was ever read, and its stamps.
    pub fn now(&self) -> Option<&(Arc<T>, S)> {
        self.now.as_ref()
    }

    /// Whether this cause of a refusal was not told yet: it is the same at every look.
    pub fn is_news(&mut self, cause: &str) -> bool {
        let is_news = self.told.as_deref() != Some(cause);
        self.told = Some(cause.to_owned());
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(in_use: &mut InUse<&'static str, u8>, there: Option<u8>, read: Result<&'static str, ()>) -> String {
        let looked = in_use.look(there.as_ref(), || read.map(|value| (value, there.unwrap_or(0))));
        match looked {
            Looked::Same(value) => format!("same {value}"),
            Looked::New(value) => format!("new {value}"),
            Looked::Refused(()) => format!("refused, {:?} goes on", in_use.now().map(|(value, _)| **value)),
        }
    }

    #[test]
    fn what_was_good_goes_on_until_something_else_is() {
        let mut in_use = InUse::default();
        assert_eq!(look(&mut in_use, None, Err(())), "refused, None goes on");
        assert_eq!(look(&mut in_use, Some(1), Ok("a")), "new a");
        assert_eq!(look(&mut in_use, Some(1), Ok("never read")), "same a");
        assert_eq!(look(&mut in_use, Some(2), Err(())), "refused, Some(\"a\") goes on");
        assert_eq!(look(&mut in_use, None, Err(())), "refused, Some(\"a\") goes on");
        assert_eq!(look(&mut in_use, Some(3), Ok("b")), "new b");
    }

    #[test]
    fn a_cause_is_news_once_until_all_is_well_again() {
        let mut in_use = InUse::default();
        look(&mut in_use, Some(1), Ok("a"));
        assert!(in_use.is_news("broken") && !in_use.is_news("broken") && in_use.is_news("gone"));
        look(&mut in_use, Some(1), Ok("a"));
        assert!(in_use.is_news("gone"));
    }
}
