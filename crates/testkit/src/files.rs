//! A database's files, copied and put back.

use std::path::PathBuf;

use crate::TestApp;

/// The files of a SQLite database as they were at some moment.
#[derive(Debug)]
pub struct Files(Vec<(PathBuf, Option<Vec<u8>>)>);

impl TestApp {
    fn database_files(&self) -> [PathBuf; 3] {
        let path = self.database_url().strip_prefix("sqlite:").expect("a SQLite database");
        ["", "-wal", "-shm"].map(|ending| PathBuf::from(format!("{path}{ending}")))
    }

    /// Copies the database file, its write-ahead log and its index as they are now, running server or not.
    ///
    /// # Panics
    /// If it is no SQLite database or cannot be read.
    #[must_use]
    pub fn copy_files(&self) -> Files {
        let read = |path: PathBuf| {
            let bytes = path.exists().then(|| std::fs::read(&path).expect("a file of the database"));
            (path, bytes)
        };
        Files(self.database_files().into_iter().map(read).collect())
    }

    /// Puts the copy of the database file alone in place of what is there; write-ahead log and index stay.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn put_back_file_alone(&self, files: &Files) {
        if let Some((path, Some(bytes))) = files.0.first() {
            std::fs::write(path, bytes).expect("to write the database file");
        }
    }

    /// Puts a copy in place of what is there. The server must have been dropped. The position file stays as it is.
    ///
    /// # Panics
    /// If the files cannot be written.
    pub fn put_back(&self, files: &Files) {
        for (path, bytes) in &files.0 {
            match bytes {
                Some(bytes) => std::fs::write(path, bytes).expect("to write a file of the database"),
                None if path.exists() => std::fs::remove_file(path).expect("to remove a file of the database"),
                None => {}
            }
        }
    }
}
