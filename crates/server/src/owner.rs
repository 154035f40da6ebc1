//! Whose the files of an installation are. root may write everywhere, and a file that root made the server cannot open: so
//! a command of root's is refused where the files are another user's.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::failure::Failure;

const ROOT: u32 = 0;

/// Opens what has to be a regular file, and waits for nobody where it is a pipe.
pub(crate) fn open_regular(path: &Path) -> std::io::Result<(File, Metadata)> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let found = file.metadata()?;
    if found.is_file() { Ok((file, found)) } else { Err(std::io::Error::other("it is not a regular file")) }
}

/// Why settings that nobody named are not taken from a file, if they are not: a stranger may have put it there.
pub(crate) fn is_strange(file: &Metadata) -> Option<&'static str> {
    is_strange_to(rustix::process::geteuid().as_raw(), (file.uid(), file.mode()))
}

fn is_strange_to(user: u32, (owner, mode): (u32, u32)) -> Option<&'static str> {
    if owner != user && owner != ROOT {
        return Some("belongs to another user");
    }
    (mode & 0o022 != 0).then_some("can be changed by others (chmod go-w)")
}

/// Refuses root where `file`, or the folder it is to be made in, belongs to somebody else.
pub(crate) fn check(file: &Path) -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some((place, owner)) = owner(file).or_else(|| owner(folder)).filter(|(_, owner)| *owner != ROOT) else {
        return Ok(());
    };
    let whose = name(owner).unwrap_or_else(|| format!("#{owner}"));
    Err(Failure::new(format!(
        "{} belongs to the user {whose}, and root would leave files there that {whose} cannot open: \
         runuser -u {whose} -- cerrojo …, or sudo -u {whose} cerrojo …",
        place.display()
    )))
}

/// Whether nobody else can read or change a file with a secret.
pub(crate) fn is_closed(file: &Metadata) -> bool {
    is_closed_mode(file.mode(), file.uid() == rustix::process::geteuid().as_raw())
}

/// What somebody else hands over may be open to a group, which is the server's own: so do systemd (credentials) and
/// Kubernetes (secrets).
fn is_closed_mode(mode: u32, is_ours: bool) -> bool {
    let allowed = if is_ours { 0o700 } else { 0o740 };
    mode & 0o777 & !allowed == 0
}

/// Whether root handed a file with a secret over to the group of the server, which runs as `user` where that is known.
pub(crate) fn is_handed_over(file: &Metadata, user: Option<u32>) -> bool {
    file.uid() == ROOT && user != Some(ROOT) && file.mode() & 0o040 != 0 && is_closed_mode(file.mode(), false)
}

fn owner(path: &Path) -> Option<(&Path, u32)> {
    std::fs::metadata(path).ok().map(|found| (path, found.uid()))
}

/// What the machine calls a user.
fn name(user: u32) -> Option<String> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(user)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_open_to_a_group_only_where_it_was_handed_over() {
        assert!(is_closed_mode(0o100_600, true) && is_closed_mode(0o400, true));
        assert!(is_closed_mode(0o440, false) && is_closed_mode(0o100_640, false));
        assert!(!is_closed_mode(0o640, true) && !is_closed_mode(0o440, true));
        for mode in [0o660, 0o444, 0o644, 0o604, 0o601] {
            assert!(!is_closed_mode(mode, false), "{mode:o}");
        }
    }

    #[test]
    fn settings_that_nobody_named_are_the_users_or_roots_and_nobody_else_changes_them() {
        for (owner, mode) in [(4711, 0o100_644), (4711, 0o600), (ROOT, 0o644), (ROOT, 0o100_640)] {
            assert_eq!(is_strange_to(4711, (owner, mode)), None, "{owner} {mode:o}");
        }
        for (owner, mode) in [(4712, 0o644), (4711, 0o664), (4711, 0o646), (ROOT, 0o666)] {
            assert!(is_strange_to(4711, (owner, mode)).is_some(), "{owner} {mode:o}");
        }
        assert!(is_strange_to(ROOT, (4711, 0o600)).is_some());
    }

    #[test]
    fn users_are_named() {
        assert_eq!(name(0).as_deref(), Some("root"));
        assert_eq!(name(u32::MAX - 1), None);
    }
}
