//! Secrets in files of their own, as Docker, Kubernetes and systemd hand them over: `database.url_file` names the file that
//! holds what `database.url` is.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::keys::{self, Key, Secrecy};

/// Bytes of such a file, at most. A URL or a key is far shorter; a file that is longer is the wrong one.
const MOST: u64 = 64 << 10;

/// The secret whose file `name` names. A setting that has this name itself goes first: `keys.master_key_file`.
pub(super) fn of(name: &str) -> Option<&'static Key> {
    let key = keys::find(name.strip_suffix("_file")?)?;
    (key.secrecy != Secrecy::Open).then_some(key)
}

/// What an operator should know whose setting `name` names a file that everybody on the machine may read or change.
pub(crate) fn warning((name, path): &(String, PathBuf)) -> String {
    format!("{name}: {0} can be read or changed by everybody on this machine: chmod o-rwx {0}", path.display())
}

/// Whom a file with a secret is open to.
pub(super) enum OpenTo {
    /// Its owner and its group: that is how a server gets at a file of root's.
    Some,
    Everybody,
}

/// What the file holds, without the end of its line, and whom it is open to.
pub(super) fn read(path: &Path) -> Result<(String, OpenTo), String> {
    let mut bytes = Zeroizing::new(Vec::new());
    let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let is_open = file.metadata().is_ok_and(|found| found.mode() & 0o006 != 0);
    file.take(MOST + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MOST {
        return Err("is longer than 64 KiB, which no secret is".to_owned());
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| "is not UTF-8".to_owned())?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err("is empty".to_owned()),
        secret => Ok((secret.to_owned(), if is_open { OpenTo::Everybody } else { OpenTo::Some })),
    }
}
