//! A guard that follows its server over HTTP.

mod activity;
mod discover;
mod drive;
mod error;
mod handle;
mod http;
mod look_up;
mod metrics;
mod options;
mod pause;
mod poll;
mod shared;
mod until;
mod watch;

pub use error::ConnectError;
pub use handle::{ConnectedGuard, Denied};
pub use options::Options;
pub use until::UntilEnded;
pub use watch::{Ended, Over};

use crate::guard::Guard;

impl Guard {
    /// Connects to the server of this issuer (its `server.public_url`, exactly) and returns once everything that is over is
    /// known. From then on a task on the current tokio runtime keeps it so, until the last clone of the guard is dropped.
    ///
    /// # Errors
    /// [`ConnectError`] says what to do.
    pub async fn connect(issuer: impl Into<String>) -> Result<ConnectedGuard, ConnectError> {
        Self::connect_with(issuer).connect().await
    }

    /// The same with [`Options`]: credentials, `max_staleness` and more.
    pub fn connect_with(issuer: impl Into<String>) -> Options {
        Options::new(issuer.into())
    }
}
