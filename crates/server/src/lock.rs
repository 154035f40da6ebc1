//! One server at a time: the operating system's lock on `<database file>.lock`. It ends with the process that holds it,
//! however that ends, and so is never stale. What the file says is only for people, and to tell a server from a command.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cerrojo_domain::{Clock as _, SystemClock};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::still_ours::Opened;

/// What holds the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A server: it keeps it.
    Serve,
    /// A command: it is soon done.
    Command,
}

/// Who holds the lock, as the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    kind: Kind,
    pid: u32,
    since: String,
    what: String,
}

impl Holder {
    /// This process.
    pub(crate) fn this(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, pid: std::process::id(), since: SystemClock::new().now().rfc3339(), what: what.into() }
    }

    /// Its process and where it listens, if it is a server.
    pub(crate) fn server(&self) -> Option<(u32, SocketAddr)> {
        let (_, address) = self.what.rsplit_once(' ')?;
        (self.kind == Kind::Serve).then_some((self.pid, address.parse().ok()?))
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (process {}, since {})", self.what, self.pid, self.since)
    }
}

/// The lock, held until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

/// What became of an attempt.
#[derive(Debug)]
pub(crate) enum Taken {
    /// It is ours.
    Ours(Lock),
    /// A server has it.
    Serving(Holder),
}

/// What was found of the lock without taking it for oneself.
#[derive(Debug)]
pub(crate) enum Looked {
    /// Nobody has it, nor will as long as this file is open. None: there is no file yet.
    Free(Option<File>),
    /// It is taken, by whom the file says.
    Held(Option<Holder>),
}

/// How long a command is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

impl Lock {
    /// Takes the lock of `database`, waiting for a command that holds it, but not for a server.
    pub(crate) async fn take(database: &Path, holder: &Holder) -> Result<Taken, Failure> {
        crate::owner::check(database)?;
        let mut path = lock_path(database);
        let mut file = open(&path)?;
        let mut waited = Duration::ZERO;
        let mut seen: Option<Holder> = None;
        loop {
            match file.try_lock() {
                Ok(()) => {
                    let mut lock = Self { file, path };
                    if lock.opened()?.is_there() {
                        lock.name(holder)?;
                        return Ok(Taken::Ours(lock));
                    }
                    // Removed since it was opened: whoever comes next would lock another one.
                    path = lock.path.clone();
                    file = open(&path)?;
                    continue;
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => {
                    return Err(Failure::new(format!("{} cannot be locked: {error}", path.display())));
                }
            }
            // Whoever just took the lock may not have written its name yet: only the same name twice counts.
            let named = read_holder(&mut file);
            match &named {
                Some(named) if named.kind == Kind::Serve && seen.as_ref() == Some(named) => {
                    return Ok(Taken::Serving(named.clone()));
                }
                _ if waited >= PATIENCE => {
                    let who = named.map_or_else(|| "another process".to_owned(), |named| named.to_string());
                    return Err(Failure::new(format!(
                        "{who} has had the database for 10 s; try again when it is done"
                    )));
                }
                _ => {}
            }
            seen = named;
            tokio::time::sleep(PAUSE).await;
            waited += PAUSE;
        }
    }

    /// Looks who has the lock of `database`, and writes nothing.
    pub(crate) fn look(database: &Path) -> std::io::Result<Looked> {
        let mut file = match File::open(lock_path(database)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Looked::Free(None)),
            opened => opened?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(Looked::Free(Some(file))),
            Err(TryLockError::WouldBlock) => Ok(Looked::Held(read_holder(&mut file))),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The file that is locked.
    pub(crate) fn opened(&self) -> Result<Opened, Failure> {
        let file = self.file.metadata().map_err(Failure::because(self.path.display().to_string()))?;
        Ok(Opened::new(self.path.clone(), &file))
    }

    /// Writes who holds it.
    pub(crate) fn name(&mut self, holder: &Holder) -> Result<(), Failure> {
        let text = serde_json::to_string(holder).map_err(Failure::because("the lock's holder"))?;
        let written = self
            .file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .and_then(|_| self.file.write_all(format!("{text}\n").as_bytes()));
        written.map_err(Failure::because(format!("{} cannot be written", self.path.display())))
    }
}

impl Drop for Lock {
    /// The name goes before the lock does. A name that stays behind misleads nobody for long: it is only read while the lock is held.
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}

/// Where the lock of a database is.
fn lock_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    PathBuf::from(path)
}

fn open(path: &Path) -> Result<File, Failure> {
    let cannot = || Failure::because(format!("{} cannot be opened", path.display()));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(cannot())?;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(cannot())
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(4096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_holds_the_lock_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("new/cerrojo.db");
        let server = Holder::this(Kind::Serve, "cerrojo serve on 127.0.0.1:4000");
        let Taken::Ours(lock) = Lock::take(&database, &server).await.unwrap() else { panic!("free") };
        let command = Holder::this(Kind::Command, "cerrojo user add");
        let Taken::Serving(named) = Lock::take(&database, &command).await.unwrap() else { panic!("held") };
        assert_eq!(named, server);
        drop(lock);
        assert!(matches!(Lock::take(&database, &command).await.unwrap(), Taken::Ours(_)));
    }

    #[tokio::test]
    async fn a_look_at_the_lock_names_the_server_and_makes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("cerrojo.db");
        assert!(matches!(Lock::look(&database).unwrap(), Looked::Free(None)));
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
        let server = Holder::this(Kind::Serve, "cerrojo serve on 127.0.0.1:4000");
        let Taken::Ours(lock) = Lock::take(&database, &server).await.unwrap() else { panic!("free") };
        let Looked::Held(Some(named)) = Lock::look(&database).unwrap() else { panic!("held") };
        assert_eq!(named.server(), Some((std::process::id(), "127.0.0.1:4000".parse().unwrap())));
        drop(lock);
        assert!(matches!(Lock::look(&database).unwrap(), Looked::Free(Some(_))));
    }

    #[tokio::test]
    async fn a_command_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("cerrojo.db");
        let first = Holder::this(Kind::Command, "cerrojo user add");
        let Taken::Ours(lock) = Lock::take(&database, &first).await.unwrap() else { panic!("free") };
        let second = tokio::spawn(async move { Lock::take(&database, &first).await });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(lock);
        assert!(matches!(second.await.unwrap().unwrap(), Taken::Ours(_)));
    }
}
