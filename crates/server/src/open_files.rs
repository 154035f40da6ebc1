//! How many files, and so connections, the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Enough for all connections but streams, the database and what else is open.
const WANTED: u64 = 8192;

/// The same with so many streams.
pub(crate) fn wanted(streams: u32) -> u64 {
    WANTED.saturating_add(streams.into())
}

/// Raises the limit as far as the system lets it: many give a process 1024, and connections beyond would be refused.
pub(crate) fn allow_many(streams: u32) {
    let wanted = wanted(streams);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(now) = current.filter(|now| *now < wanted) else { return };
    let raised = maximum.map_or(wanted, |most| most.min(wanted));
    if raised < wanted {
        tracing::warn!(
            file.limit = raised,
            "few files may be open, and so few connections: raise the limit (LimitNOFILE)"
        );
    }
    if raised > now
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum })
    {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}
