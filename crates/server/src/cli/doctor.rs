//! `cerrojo doctor`.

use clap::Args;

use super::Shape;

pub(super) const HELP: &str = "\
Examples:
  cerrojo doctor                        before the first start, beside a running server, or when one does not start
  sudo -u cerrojo cerrojo doctor        as the user that the server runs as: it sees what the server sees
  cerrojo doctor --strict --json        from a monitoring system or a deployment

It writes nothing and shows no secret. Each line says ok, warning or problem, and what to do about it; a dash stands before what
could not be looked at here, and says why. It asks the database, the mail server and the server itself, and hashes one password.

Exit codes: 0 no problem, 1 a problem (with --strict also a warning), 2 not understood.";

/// What to look at, and how to say it.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Doctor {
    /// Warnings count as problems
    #[arg(long)]
    pub(crate) strict: bool,
    /// Also read the whole database and the whole list of breached passwords
    #[arg(long)]
    pub(crate) deep: bool,
    #[command(flatten)]
    pub(crate) shape: Shape,
}
