//! One's own sessions: see them, end them.

use cerrojo_domain::{Actor, AuditKind, EndReason, Ending, Origin, SessionId, UnixMillis, UserId};
use cerrojo_store::audit;
use cerrojo_store::endings::Which;
pub use cerrojo_store::sessions::{Ended, Session};
use cerrojo_store::{Reader, StoreError, sessions, users};

use crate::account::{self, Reauth, if_live};
use crate::end::{How, Outcome};
use crate::{App, Caller, Retention, Trouble, end};

/// Which sessions to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// The live ones.
    Live,
    /// The live ones and those that ended within [`crate::Retention::ended_sessions`].
    WithEnded,
}

/// Why not.
#[derive(Debug)]
pub enum SessionsError {
    /// 404: no live session of the caller's has this id.
    NotFound,
    /// 401: the calling session ended meanwhile.
    SessionOver,
    /// The current password is asked for.
    Reauth(Reauth),
    /// 503 or 500.
    Trouble(Trouble),
}

impl<E: Into<Trouble>> From<E> for SessionsError {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

/// Lists one's own.
pub async fn list(app: &App, caller: &Caller, show: Show) -> Result<Vec<Session>, Trouble> {
    of_user(app, caller.user, show).await
}

/// A user's sessions, with the times of last use that this process knows of.
pub(crate) async fn of_user(app: &App, user: UserId, show: Show) -> Result<Vec<Session>, Trouble> {
    let mut found = recorded(&mut app.store.reader(), user, (show, app.clock.now(), app.settings.retention)).await?;
    for session in &mut found {
        if let Some(seen) = app.guard.last_seen(&session.list, session.index) {
            session.last_seen_at = session.last_seen_at.max(seen);
        }
    }
    Ok(found)
}

/// A user's sessions as the database has them at `now`.
///
/// # Errors
/// [`StoreError`] if the database cannot be read.
pub async fn recorded(
    run: &mut Reader,
    user: UserId,
    (show, now, kept): (Show, UnixMillis, Retention),
) -> Result<Vec<Session>, StoreError> {
    let ended_since = (show == Show::WithEnded).then(|| now.minus(kept.ended_sessions));
    let mut found = sessions::of_user(run, user, ended_since).await?;
    // What has expired is over, whether or not the sweeper has been there.
    found.retain(|session| session.ended.is_some() || session.expires_at > now);
    Ok(found)
}

/// Ends one of one's own, the calling one included.
pub async fn end_one(
    app: &App,
    caller: &Caller,
    origin: &Origin,
    (id, current_password): (&SessionId, Option<String>),
) -> Result<(), SessionsError> {
    let session = sessions::by_id(&mut app.store.reader(), id).await?;
    let own = session.filter(|session| session.user == caller.user && session.ended.is_none());
    if own.is_none() {
        return Err(SessionsError::NotFound);
    }
    if *id == caller.session {
        let ending = by_caller(app, caller, origin, EndReason::Logout);
        return match end::one(app, How::Now(id.clone()), ending).await? {
            Outcome::Ended => Ok(()),
            Outcome::WasOver => Err(SessionsError::SessionOver),
        };
    }
    prove(app, caller, origin, current_password).await?;
    let ending = by_caller(app, caller, origin, EndReason::LogoutElsewhere);
    match end_several(app, (caller, origin), Which::One(id), &ending).await? {
        0 => Err(SessionsError::NotFound),
        _ => Ok(()),
    }
}

/// Ends all, the calling one included.
pub async fn logout_all(
    app: &App,
    caller: &Caller,
    origin: &Origin,
    current_password: Option<String>,
) -> Result<(), SessionsError> {
    prove(app, caller, origin, current_password).await?;
    let ending = by_caller(app, caller, origin, EndReason::LogoutAll);
    end_several(app, (caller, origin), Which::OfUser(caller.user), &ending).await.map(drop)
}

/// Ends all but the calling one.
pub async fn logout_others(
    app: &App,
    caller: &Caller,
    origin: &Origin,
    current_password: Option<String>,
) -> Result<(), SessionsError> {
    prove(app, caller, origin, current_password).await?;
    let ending = by_caller(app, caller, origin, EndReason::LogoutOthers);
    end_several(app, (caller, origin), Which::OthersOf(caller.user, &caller.session), &ending).await.map(drop)
}

fn by_caller(app: &App, caller: &Caller, origin: &Origin, reason: EndReason) -> Ending {
    Ending { reason, actor: Actor::User(caller.user), at: app.clock.now(), place: Some(origin.address) }
}

async fn prove(
    app: &App,
    caller: &Caller,
    origin: &Origin,
    current_password: Option<String>,
) -> Result<(), SessionsError> {
    let user = account::reauthenticate(app, caller, origin, current_password).await;
    user.map_err(SessionsError::Reauth)?.map(drop).ok_or(SessionsError::SessionOver)
}

async fn end_several(
    app: &App,
    (caller, origin): (&Caller, &Origin),
    which: Which<'_>,
    ending: &Ending,
) -> Result<usize, SessionsError> {
    let mut tx = app.store.begin_ending().await?;
    users::lock(&mut tx, caller.user).await?;
    let mut tx = if_live(app, tx, caller).await?.ok_or(SessionsError::SessionOver)?;
    let is_one = matches!(which, Which::One(_));
    let entries = end::in_tx(&mut tx, which, ending).await?;
    let ended = entries.len();
    if !is_one {
        let act = crate::audit::own(app, AuditKind::SessionsEnded, (caller, origin));
        audit::record(&mut tx, act.with("reason", ending.reason.as_str()).with("count", ended)).await?;
    }
    end::commit(app, tx, entries).await?;
    Ok(ended)
}
