//! A world of its own for what is broken on purpose: network, process ids and temporary files that nobody outside sees, and
//! that are gone when the process that made them is, however it ended.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::mount::MountFlags;
use tokio::signal::unix::{SignalKind, signal};

/// Set for the process that is inside.
const INSIDE: &str = "CERROJO_CHAOS_INSIDE";

/// Where everything that a world writes is: in memory, and gone with it.
const FILES: &str = "/dev/shm";

/// To be called first in `main`, before there is any thread: goes on, as another process, in a world of its own.
///
/// Whoever is not root gets one by a user namespace, where the machine allows those.
///
/// # Panics
/// If it cannot be made; says what is missing.
pub fn enter() {
    if std::env::var_os(INSIDE).is_some() {
        settle_in();
        return;
    }
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    command.args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    command.arg(std::env::current_exe().expect("the path of this program")).args(std::env::args_os().skip(1));
    let error = command.env(INSIDE, "1").exec();
    panic!("unshare (of Debian's package util-linux) is needed to make namespaces: {error}");
}

fn settle_in() {
    // PostgreSQL and `ip` write to these; what they write belongs to this world alone.
    for place in [FILES, "/run"] {
        // The program `mount` does this for root alone.
        rustix::mount::mount("tmpfs", place, "tmpfs", MountFlags::empty(), c"mode=1777")
            .unwrap_or_else(|error| panic!("{place} of this world's own: {error}"));
    }
    run("ip", ["link", "set", "lo", "up"]);
    // The first process of its namespace is not ended by signals that it does not ask for.
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        runtime.block_on(async {
            let asked = |kind| signal(kind).expect("signals can be listened for");
            let (mut terminate, mut interrupt) = (asked(SignalKind::terminate()), asked(SignalKind::interrupt()));
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        });
        std::process::exit(130);
    });
}

/// A new folder that nobody else has.
///
/// # Panics
/// If it cannot be made.
#[must_use]
pub fn folder(name: &str) -> PathBuf {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let folder = PathBuf::from(FILES).join(format!("{name}-{}", MADE.fetch_add(1, Ordering::Relaxed)));
    std::fs::create_dir(&folder).expect("a folder in memory");
    folder
}

/// Runs a program to its end; what it wrote.
///
/// # Panics
/// If it is not there or fails.
pub(crate) fn run<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> String {
    let mut command = Command::new(program);
    command.args(arguments);
    finished(&mut command)
}

/// The same for a command that was put together elsewhere.
pub(crate) fn finished(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {said}", output.status);
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}
