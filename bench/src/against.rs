//! Another commit of this repository, built to be compared with.

use std::path::Path;
use std::process::Command;

use crate::failure::{Outcome, fail};
use crate::place::Build;
use crate::say;

/// Builds the server of `revision` in a worktree of its own, with the release profile.
pub(crate) fn build(revision: &str, target: &Path) -> Outcome<Build> {
    let commit =
        output(Command::new("git").args(["rev-parse", "--verify", "--short=12", &format!("{revision}^{{commit}}")]))?;
    let folder = target.join("bench/against");
    let tree = folder.join(&commit);
    if !tree.exists() {
        std::fs::create_dir_all(&folder)?;
        output(Command::new("git").args(["worktree", "prune"]))?;
        output(Command::new("git").args(["worktree", "add", "--force", "--detach"]).arg(&tree).arg(&commit))?;
    }
    let built = folder.join("target");
    say(&format!("building {commit} …"));
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--quiet", "--package", "cerrojo-server"]).arg("--target-dir").arg(&built);
    output(cargo.current_dir(&tree))?;
    let program = folder.join(format!("cerrojo-{commit}"));
    std::fs::copy(built.join("release/cerrojo"), &program)?;
    Ok(Build { name: commit, program })
}

fn output(command: &mut Command) -> Outcome<String> {
    let done = command.output()?;
    if !done.status.success() {
        return fail(format!("{command:?}: {}", String::from_utf8_lossy(&done.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}
