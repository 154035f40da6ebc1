//! `cerrojo mail templates`.

use std::fs::{DirBuilder, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use cerrojo_app::mail::{Kind, built_in_files};
use tempfile::NamedTempFile;

use crate::failure::Failure;
use crate::out;

/// What becomes of a file that is there already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    Left,
    Replaced,
}

/// Writes the built-in texts of these letters, or all there are, and says of each file what became of it.
pub(super) fn write(folder: &Path, letters: &[Kind], existing: Existing) -> Result<(), Failure> {
    let shown = out::tame(&folder.to_string_lossy());
    DirBuilder::new().recursive(true).create(folder).map_err(Failure::because(shown.clone()))?;
    let is_wanted = |file: &str| {
        let of = file.split('.').next().unwrap_or_default();
        letters.is_empty() || letters.iter().any(|letter| letter.name() == of)
    };
    let mut left = 0;
    for (file, source) in built_in_files().filter(|(file, _)| is_wanted(file)) {
        let path = folder.join(&file);
        if write_one((folder, &path), source, existing).map_err(Failure::because(format!("{shown}/{file}")))? {
            out::line(&format!("{shown}/{file}"));
        } else {
            left += 1;
            out::note(&format!("{shown}/{file} is there already and was left as it is"));
        }
    }
    if left > 0 {
        out::note("--replace writes over files that are there");
    }
    Ok(())
}

/// Whole or not at all. Whether it was written.
fn write_one((folder, path): (&Path, &Path), source: &str, existing: Existing) -> io::Result<bool> {
    // Begins with a dot, which nobody takes for a template. Nothing in it is secret, and the server may be another user.
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(source.as_bytes())?;
    file.as_file().set_permissions(Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    if existing == Existing::Replaced {
        file.persist(path)?;
        return Ok(true);
    }
    match file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(failed) => Err(failed.error),
    }
}
