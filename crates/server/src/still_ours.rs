//! Whether the lock and the database are still where the server opened them. Once either path leads elsewhere, another
//! server may have begun beside this one, or the operator means another database: what this one knows is then not to be
//! relied on.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cerrojo_app::App;
use tokio::time::{MissedTickBehavior, interval};

use crate::failure::{ERROR, Failure};

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);

/// A file that was opened, told from every other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Opened {
    /// An open file, by what the system says of it.
    pub(crate) fn new(path: PathBuf, file: &Metadata) -> Self {
        Self { path, device: file.dev(), inode: file.ino() }
    }

    /// The file that a path leads to. It is not opened: closing it again would take away SQLite's own locks on it (fcntl(2)).
    pub(crate) fn at(path: &Path) -> Result<Self, Failure> {
        let file = std::fs::metadata(path).map_err(Failure::because(path.display().to_string()))?;
        Ok(Self::new(path.to_owned(), &file))
    }

    /// Whether the path still leads to it.
    pub(crate) fn is_there(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|file| Self::new(self.path.clone(), &file) == *self)
    }
}

/// Looks for as long as it is polled; ends the process when a file is no longer there.
pub(crate) async fn watch(files: Vec<Opened>, app: Arc<App>) {
    let mut clock = interval(LOOK);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        if let Some(lost) = files.iter().find(|file| !file.is_there()) {
            app.guard.hold_lease_until(Duration::ZERO);
            tracing::error!(
                file.path = %lost.path.display(),
                "the file was removed or replaced under the running server, which must not go on: it ends at once. \
                 Stop the server before touching the files of its database"
            );
            std::process::exit(ERROR.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_until_it_is_removed_or_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&path, "1").unwrap();
        let opened = Opened::at(&path).unwrap();
        std::fs::write(&path, "2").unwrap();
        assert!(opened.is_there());
        std::fs::rename(&path, &other).unwrap();
        assert!(!opened.is_there());
        std::fs::copy(&other, &path).unwrap();
        assert!(!opened.is_there());
        std::fs::rename(&other, &path).unwrap();
        assert!(opened.is_there());
    }
}
