//! The list that a server asks. It may be replaced by renaming another one over it while the server runs.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::format::ListError;
use super::list::List;
use super::record_of;
use crate::replaced::{InUse, Looked, Stamp};
use crate::{PasswordSettings, Trouble};

/// Searches at a time: a disk that hangs keeps no more threads than these.
const AT_ONCE: usize = 4;

/// The list of `password.breached_list`.
pub(crate) struct Breached {
    place: Arc<Place>,
    turns: Arc<Semaphore>,
    /// Whoever would wait longer is refused.
    longest_wait: Duration,
}

impl Breached {
    /// The one that these settings name, if they do. It is opened now if it can be, so that it stays in use whatever is put in its
    /// place; otherwise whoever asks it is told why not.
    pub(crate) fn of(settings: &PasswordSettings) -> Option<Self> {
        let this = settings.breached_list.clone().map(|path| Self::at(path, settings.longest_wait))?;
        let _ = this.place.current();
        Some(this)
    }

    /// Opens nothing yet.
    fn at(path: PathBuf, longest_wait: Duration) -> Self {
        let place = Arc::new(Place { path, in_use: Mutex::default() });
        Self { place, turns: Arc::new(Semaphore::new(AT_ONCE)), longest_wait }
    }

    /// Whether a password is in the list, exactly as typed.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] if nobody can tell: then the password is not accepted.
    pub(crate) async fn contains(&self, password: &str) -> Result<bool, Trouble> {
        let record = record_of(password.as_bytes());
        let place = Arc::clone(&self.place);
        let search = async {
            let turn = Arc::clone(&self.turns).acquire_owned().await;
            tokio::task::spawn_blocking(move || {
                let found = place.current().and_then(|list| list.contains(record));
                drop(turn);
                found
            })
            .await
        };
        match timeout(self.longest_wait, search).await {
            Ok(Ok(Ok(found))) => Ok(found),
            Ok(Ok(Err(error))) => Err(self.trouble(&error)),
            Ok(Err(error)) => Err(self.trouble(&error)),
            Err(_) => Err(self.trouble(&"the disk takes too long to answer")),
        }
    }

    fn trouble(&self, cause: &dyn std::fmt::Display) -> Trouble {
        Trouble::Unavailable(format!("password.breached_list: {}: {cause}", self.place.path.display()))
    }
}

struct Place {
    path: PathBuf,
    in_use: Mutex<InUse<List, Stamp>>,
}

impl Place {
    /// The list that stands there now. Where there is none any more, or no good one, the one that was opened before goes on.
    fn current(&self) -> Result<Arc<List>, ListError> {
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        let there = std::fs::metadata(&self.path).ok().map(|found| Stamp::of(&found));
        let is_first = in_use.now().is_none();
        let error = match in_use.look(there.as_ref(), || self.open()) {
            Looked::Same(list) => return Ok(list),
            Looked::New(list) => {
                if !is_first {
                    tracing::info!(file.path = %self.path.display(), breached.passwords = list.count(), "another list of breached passwords is in use");
                }
                return Ok(list);
            }
            Looked::Refused(error) => error,
        };
        let Some((list, stamp)) = in_use.now() else { return Err(error) };
        // Written over, not replaced: what was opened is not what it was either.
        if there.is_some_and(|there| there.is_same_file(stamp)) {
            return Err(error);
        }
        let list = Arc::clone(list);
        let cause = error.to_string();
        if in_use.is_news(&cause) {
            tracing::error!(
                file.path = %self.path.display(), error = cause,
                "the list of breached passwords was replaced by none that can be used: the one from before is in use until this process ends"
            );
        }
        Ok(list)
    }

    fn open(&self) -> Result<(List, Stamp), ListError> {
        let list = List::open(&self.path)?;
        let stamp = Stamp::of(&list.file().metadata()?);
        Ok((list, stamp))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::breached::{Build, Overwrite};

    fn write(path: &Path, passwords: &[&str]) {
        let mut build = Build::begin(path, 1 << 10, Overwrite::List).unwrap();
        for password in passwords {
            build.push(record_of(password.as_bytes())).unwrap();
        }
        build.end(|_| ()).unwrap();
    }

    fn breached(path: &Path) -> Breached {
        Breached::at(path.to_owned(), Duration::from_mins(1))
    }

    #[tokio::test]
    async fn a_list_that_is_renamed_over_it_is_in_use_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        write(&path, &["caballo"]);
        let breached = breached(&path);
        assert!(breached.contains("caballo").await.unwrap());
        assert!(!breached.contains("Caballo").await.unwrap());
        assert!(!breached.contains("grapa").await.unwrap());
        write(&path, &["grapa"]);
        assert!(!breached.contains("caballo").await.unwrap());
        assert!(breached.contains("grapa").await.unwrap());
    }

    #[tokio::test]
    async fn the_old_one_goes_on_where_another_is_not_good_or_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("list"), folder.path().join("other"));
        write(&path, &["caballo"]);
        let breached = breached(&path);
        assert!(breached.contains("caballo").await.unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(breached.contains("caballo").await.unwrap());
        std::fs::write(&other, "no list").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(breached.contains("caballo").await.unwrap());
        assert!(!breached.contains("grapa").await.unwrap());
        std::fs::remove_file(&path).unwrap();
        write(&path, &["grapa"]);
        assert!(breached.contains("grapa").await.unwrap());
    }

    #[tokio::test]
    async fn nobody_is_told_that_a_password_is_good_where_nobody_can_tell() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        let breached = breached(&path);
        let trouble = async |what: &str| match breached.contains("grapa").await {
            Err(Trouble::Unavailable(cause)) => {
                assert!(cause.contains("password.breached_list") && cause.contains(what));
            }
            other => panic!("{other:?}"),
        };
        trouble("No such file").await;
        std::fs::write(&path, "no list").unwrap();
        trouble("no list").await;
        std::fs::remove_file(&path).unwrap();
        write(&path, &["caballo"]);
        assert!(!breached.contains("grapa").await.unwrap());
        // Written over in place: what was opened is gone with it.
        std::fs::write(&path, "").unwrap();
        trouble("no list").await;
    }

    #[tokio::test]
    async fn whoever_waits_too_long_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        write(&path, &["caballo"]);
        let breached = Breached::at(path, Duration::from_millis(1));
        let _all_turns = breached.turns.acquire_many(4).await.unwrap();
        assert!(matches!(breached.contains("grapa").await, Err(Trouble::Unavailable(_))));
    }

    #[tokio::test]
    async fn the_list_of_the_start_stays_in_use_though_nobody_asked_it_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        write(&path, &["Tormenta-verde-27"]);
        let mut settings = crate::Settings::for_url("http://127.0.0.1:4000").password;
        settings.breached_list = Some(path.clone());
        let breached = Breached::of(&settings).unwrap();
        let other = folder.path().join("other");
        std::fs::write(&other, "no list").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(breached.contains("Tormenta-verde-27").await.unwrap());
        assert!(!breached.contains("Nube-de-paso-4481").await.unwrap());
    }
}
