//! When sessions were last used, written down some time after it happened.

use std::time::Duration;

use cerrojo_domain::{ListIndex, ListName, UnixMillis};
use cerrojo_guard::Verified;
use cerrojo_store::sessions;

use crate::{App, Trouble, picture};

/// So many to a transaction, so that others get their turn at the one writer.
const CHUNK: usize = 1000;

/// How long activity may wait before it is written down: a tenth of the shortest idle
/// timeout, a minute at most.
pub(crate) fn interval(app: &App) -> Duration {
    let minute = Duration::from_mins(1);
    app.settings.shortest_idle_timeout().map_or(minute, |idle| (idle / 10).min(minute))
}

/// Writes down what was seen since the last time. One at a time: whoever has waited finds everything written.
pub async fn write_down(app: &App) -> Result<(), Trouble> {
    let _turn = app.writing_down.lock().await;
    let mut seen = app.guard.take_activity();
    seen.sort();
    let mut left = seen.as_slice();
    while !left.is_empty() {
        let (chunk, rest) = left.split_at(left.len().min(CHUNK));
        if let Err(error) = sessions::saw(&app.store, chunk).await {
            for (list, index, at) in left {
                app.guard.used(list, *index, *at);
            }
            return Err(error.into());
        }
        left = rest;
    }
    Ok(())
}

/// When a session will be over if nobody does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// It lives no longer than that.
    pub expires_at: UnixMillis,
    /// Unused until then, it is over; `None`: it may go unused. As far as this node knows: used elsewhere, it is later.
    pub idle_at: Option<UnixMillis>,
}

/// Those of a session that was accepted.
#[must_use]
pub fn deadlines(app: &App, session: &Verified) -> Deadlines {
    let rules = app.settings.session_rules(session.role_id);
    let oldest = rules.max_age.map(|most| session.issued_at.plus(most));
    let seen = app.guard.last_seen(&session.list, session.index).unwrap_or(session.issued_at);
    Deadlines {
        expires_at: oldest.into_iter().fold(session.expires_at, UnixMillis::min),
        idle_at: rules.idle_timeout.map(|idle| seen.plus(idle)),
    }
}

/// Somebody is there: moves the idle deadline of the calling session, and tells whoever follows it.
#[must_use]
pub fn note(app: &App, session: &Verified) -> Deadlines {
    app.guard.use_now(session);
    app.onlookers.moved(session);
    deadlines(app, session)
}

/// How often whoever saw uses elsewhere is to tell of them; `None`: nobody needs to.
#[must_use]
pub fn report_interval(app: &App) -> Option<Duration> {
    app.settings.shortest_idle_timeout().map(|_| interval(app))
}

/// Uses that a service saw, each so long ago; written down when this returns. Those of ended sessions and of lists that
/// are not in use are passed over.
pub async fn report(app: &App, uses: &[(ListName, Vec<(ListIndex, Duration)>)]) -> Result<(), Trouble> {
    let now = app.clock.now();
    for (list, seen) in uses {
        if picture::is_in_use(app, list).await? {
            for (index, ago) in seen.iter().filter(|(index, _)| !app.guard.is_over(list, *index)) {
                app.guard.used(list, *index, now.minus(*ago));
            }
        }
    }
    write_down(app).await
}
