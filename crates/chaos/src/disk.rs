//! A disk that cannot write when it is told that it cannot: a library that takes the place of `fsync` in a program under test.

use std::path::PathBuf;

use crate::world;

const SOURCE: &str = include_str!("fail_sync.c");

/// The library, and the file whose presence makes it fail.
#[derive(Debug)]
pub struct Disk {
    library: PathBuf,
    fails: PathBuf,
}

impl Disk {
    /// Compiles the library with the machine's `cc`.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn new() -> Self {
        let folder = world::folder("disk");
        let (source, library) = (folder.join("fail_sync.c"), folder.join("fail_sync.so"));
        std::fs::write(&source, SOURCE).expect("the source can be written");
        let options = ["-shared", "-fPIC", "-O1", "-o"].map(PathBuf::from);
        world::run("cc", options.into_iter().chain([library.clone(), source]));
        Self { library, fails: folder.join("fails") }
    }

    /// What a program has to find in its environment, for files with this text in their path.
    ///
    /// # Panics
    /// Never: the paths were made here.
    #[must_use]
    pub fn environment<'a>(&'a self, of: &'a str) -> [(&'static str, &'a str); 3] {
        let text = |path: &'a PathBuf| path.to_str().expect("a path that is text");
        [("LD_PRELOAD", text(&self.library)), ("FAIL_SYNC_WHILE", text(&self.fails)), ("FAIL_SYNC_OF", of)]
    }

    /// From now on it fails.
    ///
    /// # Panics
    /// If it cannot be told.
    pub fn fail(&self) {
        std::fs::write(&self.fails, "").expect("a file can be written");
    }

    /// From now on it works.
    pub fn recover(&self) {
        let _ = std::fs::remove_file(&self.fails);
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}
