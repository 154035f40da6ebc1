//! Where the SQLite database really is. Everything beside it (lock, position, key) hangs on this one path, so a link or
//! a detour must not lead a second server past the lock of the first.

use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::config::{Configuration, Database};
use crate::failure::Failure;

/// The database's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The database itself.
    pub(crate) database: PathBuf,
}

impl Place {
    /// Where the settings say it is.
    pub(crate) fn of(configuration: &Configuration) -> Result<Self, Failure> {
        match &configuration.database {
            Database::Sqlite(path) => Ok(Self { database: real(path)? }),
            Database::Postgres(_) => Err(Failure::new(
                "this is for SQLite; with PostgreSQL use its own tools (pg_dump, pg_restore, pg_basebackup): \
                 docs/OPERATIONS.md says how",
            )),
        }
    }

    /// The URL that the store opens.
    pub(crate) fn url(&self) -> Result<String, Failure> {
        url(&self.database)
    }

    /// A file whose name is the database's and more.
    pub(crate) fn beside(&self, suffix: &str) -> PathBuf {
        beside(&self.database, suffix)
    }

    /// Where the last known position of the log is kept.
    pub(crate) fn side_file(&self) -> PathBuf {
        self.beside(".position")
    }

    /// The folder of all of it.
    pub(crate) fn folder(&self) -> &Path {
        self.database.parent().unwrap_or(Path::new("/"))
    }

    /// Refuses where a second server could open the database without knowing of the first.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let shown = self.database.display();
        if std::fs::metadata(&self.database).is_ok_and(|file| file.nlink() > 1) {
            return Err(Failure::new(format!(
                "{shown} has a second name (a hard link): two servers could open it without knowing of each other; remove the other name"
            )));
        }
        Ok(())
    }

    /// Closes the database's files to other users of the machine where somebody opened them: they hold password hashes.
    /// Before SQLite opens them, because it makes new ones with the mode of the database.
    pub(crate) fn close_to_others(&self) {
        for file in [self.database.clone(), self.beside("-wal"), self.beside("-shm")] {
            let open = std::fs::metadata(&file).is_ok_and(|found| found.mode() & 0o077 != 0);
            if !open {
                continue;
            }
            match std::fs::set_permissions(&file, Permissions::from_mode(0o600)) {
                Ok(()) => tracing::warn!(
                    file.path = %file.display(),
                    "could be read by others, which is put right now: its mode is 0600 again"
                ),
                Err(error) => tracing::warn!(
                    file.path = %file.display(), %error,
                    "can be read by others, and its mode cannot be changed: chmod 600"
                ),
            }
        }
    }

    /// Whether the folder is on a network file system, where neither locks nor SQLite's write-ahead log can be relied on.
    pub(crate) fn is_remote(&self) -> bool {
        // NFS, SMB 1 and 2, CIFS, by the numbers of statfs(2).
        const REMOTE: [i128; 4] = [0x6969, 0x517B, 0xFE53_4D42, 0xFF53_4D42];
        let nearest = self.database.ancestors().skip(1).find(|folder| folder.exists()).unwrap_or(Path::new("/"));
        rustix::fs::statfs(nearest).is_ok_and(|system| REMOTE.contains(&(i128::from(system.f_type) & 0xFFFF_FFFF)))
    }
}

/// The URL of a database file.
pub(crate) fn url(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().ok_or_else(|| Failure::new(format!("{}: the path is not UTF-8", path.display())))?;
    Ok(format!("sqlite:{text}"))
}

/// A file whose name is another's and more.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Without links, even where the file does not exist yet.
fn real(path: &Path) -> Result<PathBuf, Failure> {
    let cannot = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    if path.exists() {
        return path.canonicalize().map_err(cannot);
    }
    if path.is_symlink() {
        return Err(Failure::new(format!("{} is a symbolic link to a file that does not exist", path.display())));
    }
    let path = std::path::absolute(path).map_err(cannot)?;
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) if folder.exists() => Ok(folder.canonicalize().map_err(cannot)?.join(name)),
        _ => Ok(path),
    }
}
