//! What a service holds.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::look_up::{Found, answered};
use super::shared::{Shared, count};
use super::watch::{ended, notice_staleness};
use super::{ConnectError, Ended, activity, drive, poll};
use crate::follow::Told;
use crate::guard::Guard;
use crate::verdict::{Refusal, Verified};

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// It is not valid (any more): 401.
    Invalid,
    /// It may be valid, but the guard has not heard from its server for too long: 503.
    Unavailable,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "the token is not valid",
            Self::Unavailable => "whether the token is valid cannot be said at the moment",
        })
    }
}

impl std::error::Error for Denied {}

/// A guard that follows its server. Clones are one guard; when the last is dropped it follows no more.
#[derive(Clone)]
pub struct ConnectedGuard(Arc<Inner>);

struct Inner {
    guard: Arc<Guard>,
    shared: Arc<Shared>,
    max_staleness: Duration,
    /// Dropped, they are aborted.
    _tasks: JoinSet<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.watchers.close();
    }
}

impl fmt::Debug for ConnectedGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectedGuard").field("staleness", &self.staleness()).finish_non_exhaustive()
    }
}

impl ConnectedGuard {
    /// Begins to follow and waits for the first snapshot.
    pub(super) async fn start(shared: Shared) -> Result<Self, ConnectError> {
        let shared = Arc::new(shared);
        let max_staleness = shared.follower().max_staleness();
        let mut tasks = JoinSet::new();
        tasks.spawn(drive::follow(Arc::clone(&shared)));
        tasks.spawn(poll::poll(Arc::clone(&shared), max_staleness));
        tasks.spawn(notice_staleness(Arc::clone(&shared), max_staleness));
        let mut state = shared.state();
        let begun = state.wait_for(|state| state.fresh.is_some() || state.refused).await.map(|state| *state);
        let begun = begun.map_err(|_| ConnectError::NoRuntime)?;
        if begun.fresh.is_none() {
            return Err(ConnectError::Credentials);
        }
        let guard = shared.guard().ok_or(ConnectError::NoRuntime)?;
        tasks.spawn(activity::report(Arc::clone(&shared), shared.client.has_credentials()));
        tracing::info!(url.full = %shared.endpoint, "the guard follows its server");
        Ok(Self(Arc::new(Inner { guard, shared, max_staleness, _tasks: tasks })))
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Whether this token's session goes on. From memory, unless the token is valid and of a list that nobody told of yet:
    /// that is looked up once.
    ///
    /// # Errors
    /// [`Denied`]: 401 or 503.
    pub async fn check(&self, token: &str) -> Result<Arc<Verified>, Denied> {
        let mut result = self.0.guard.check(token);
        if let Err(Refusal::UnknownList(verified)) = &result {
            let found = match self.0.shared.look_up(&verified.list) {
                Ok(found) => found,
                Err(answer) => answered(answer).await,
            };
            result = match found {
                Found::Open => self.0.guard.check(token),
                Found::Nothing => Err(Refusal::Invalid),
                Found::Unclear => Err(Refusal::Unavailable),
            };
        }
        self.verdict(result)
    }

    /// The same without waiting: where a list must be looked up first, that begins, and this time the answer is
    /// [`Denied::Unavailable`].
    ///
    /// # Errors
    /// [`Denied`]: 401 or 503.
    pub fn check_now(&self, token: &str) -> Result<Arc<Verified>, Denied> {
        let mut result = self.0.guard.check(token);
        if let Err(Refusal::UnknownList(verified)) = &result {
            result = match self.0.shared.look_up(&verified.list) {
                Ok(Found::Open) => self.0.guard.check(token),
                Ok(Found::Nothing) => Err(Refusal::Invalid),
                Ok(Found::Unclear) | Err(_) => Err(Refusal::Unavailable),
            };
        }
        self.verdict(result)
    }

    fn verdict(&self, result: Result<Arc<Verified>, Refusal>) -> Result<Arc<Verified>, Denied> {
        let counts = &self.0.shared.counts;
        let denied = match result {
            Ok(verified) => {
                count(&counts.accepted);
                return Ok(verified);
            }
            // Opened and yet not known: it cannot be, and what cannot be is not accepted.
            Err(Refusal::Unavailable | Refusal::UnknownList(_)) => Denied::Unavailable,
            Err(Refusal::Invalid | Refusal::Idle(_) | Refusal::Expired(_)) => Denied::Invalid,
        };
        count(if denied == Denied::Invalid { &counts.refused } else { &counts.unavailable });
        Err(denied)
    }

    /// Notes that the session was used just now, as a check does: for what comes over a connection that was checked when it
    /// was opened. [`SessionSocket`](crate::axum::SessionSocket) does it for each message that it receives.
    pub fn used(&self, verified: &Verified) {
        self.0.guard.use_now(verified);
    }

    /// A future that completes when this session is over or the guard can no longer say that it is not: for a WebSocket or
    /// whatever else goes on for longer than a request.
    pub fn watch(&self, verified: &Arc<Verified>) -> Ended {
        ended(Arc::clone(&self.0.shared), Arc::clone(&self.0.guard), Arc::clone(verified))
    }

    /// Calls this for everything that turns against sessions from now on, after it did. It may be told more than once, and
    /// of sessions that this service never saw. The call must not take long: nothing is followed meanwhile.
    pub fn on_end(&self, call: impl Fn(&Told) + Send + Sync + 'static) {
        self.0.shared.call_on_end(Arc::new(call));
    }

    /// How old the guard's knowledge is: what was over this long ago is refused for certain.
    #[must_use]
    pub fn staleness(&self) -> Duration {
        self.0.shared.staleness().unwrap_or(Duration::MAX)
    }

    /// Beyond this age nothing is accepted.
    #[must_use]
    pub fn max_staleness(&self) -> Duration {
        self.0.max_staleness
    }

    /// Whether a check that ends now could say yes: for readiness probes.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.0.guard.holds_lease()
    }
}
