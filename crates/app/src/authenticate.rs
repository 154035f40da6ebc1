//! Who is calling: the check of a bearer token.

use std::sync::Arc;

use cerrojo_domain::{Actor, EndReason, Ending, Origin};
use cerrojo_guard::{Refusal, Verified};
use cerrojo_store::sessions;

use crate::end::{self, How, Outcome};
use crate::metrics::Check;
use crate::{App, Trouble, lists, old_tokens};

/// The session that a request's token belongs to, checked.
pub type Caller = Arc<Verified>;

/// Why a token is not accepted.
#[derive(Debug)]
pub enum AuthError {
    /// It is not valid, or not any more (401).
    Invalid,
    /// 503 or 500.
    Trouble(Trouble),
}

impl<E: Into<Trouble>> From<E> for AuthError {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

/// What is shown to prove a session.
enum Shown<'a> {
    /// A token of ours.
    Token(&'a str),
    /// A token of another application, which stands for this session.
    Old(Caller),
}

impl Shown<'_> {
    fn check(&self, app: &App) -> Result<Caller, Refusal> {
        match self {
            Self::Token(token) => app.guard.check(token),
            Self::Old(session) => app.guard.check_session(session),
        }
    }
}

/// Checks a token from memory. Only idleness is decided in the database, and that a session has expired is written there
/// once. Another application's is looked up in the database when it is first used; `from`: where that is.
pub async fn authenticate(app: &App, token: &str, from: Option<&Origin>) -> Result<Caller, AuthError> {
    let authenticated = authenticate_any(app, token, from).await;
    app.metrics.checks.count(match &authenticated {
        Ok(_) => Check::Accepted,
        Err(AuthError::Invalid) => Check::Refused,
        Err(AuthError::Trouble(Trouble::Internal(_))) => Check::Failed,
        Err(AuthError::Trouble(_)) => Check::Unavailable,
    });
    authenticated
}

async fn authenticate_any(app: &App, token: &str, from: Option<&Origin>) -> Result<Caller, AuthError> {
    match authenticate_by(app, &Shown::Token(token)).await {
        Err(AuthError::Invalid) if app.settings.old_tokens.is_some() => {
            let session = old_tokens::session(app, token, from).await?;
            authenticate_by(app, &Shown::Old(session)).await
        }
        authenticated => authenticated,
    }
}

async fn authenticate_by(app: &App, shown: &Shown<'_>) -> Result<Caller, AuthError> {
    let mut checked = shown.check(app);
    if let Err(Refusal::UnknownList(session)) = &checked {
        // Once: made by another node, or none of this installation's.
        if !lists::look_up(app, &session.list).await? {
            return Err(AuthError::Invalid);
        }
        checked = shown.check(app);
    }
    match checked {
        Err(Refusal::Idle(session)) => decide_idleness(app, shown, &session).await,
        Err(Refusal::Expired(session)) => {
            end_expired(app, &session).await;
            Err(AuthError::Invalid)
        }
        checked => in_words(checked),
    }
}

fn in_words(checked: Result<Caller, Refusal>) -> Result<Caller, AuthError> {
    checked.map_err(|refusal| match refusal {
        Refusal::Invalid | Refusal::Expired(_) | Refusal::UnknownList(_) => AuthError::Invalid,
        Refusal::Unavailable => Trouble::Unavailable("no lease".to_owned()).into(),
        // Idle by memory a moment after the database said otherwise: not current enough to say yes.
        Refusal::Idle(_) => Trouble::Unavailable("idleness could not be decided".to_owned()).into(),
    })
}

/// What was refused as expired must stay refused, also if the clock is set back and the server started again. The answer
/// is a 401 whatever becomes of this.
async fn end_expired(app: &App, session: &Caller) {
    let ending = Ending { reason: EndReason::Expired, actor: Actor::Server, at: app.clock.now(), place: None };
    match end::one(app, How::Now(session.session.clone()), ending).await {
        Ok(_) => drop(app.guard.end(&session.list, session.index)),
        Err(trouble) => tracing::warn!(error = %trouble, "an expired session could not be ended yet"),
    }
}

/// The ending hits only if nobody was seen since; if it misses, the newer time is taken and the check is made again.
async fn decide_idleness(app: &App, shown: &Shown<'_>, session: &Caller) -> Result<Caller, AuthError> {
    let Some(idle) = app.settings.session_rules(session.role_id).idle_timeout else { return Err(AuthError::Invalid) };
    let now = app.clock.now();
    let ending = Ending { reason: EndReason::Idle, actor: Actor::Server, at: now, place: None };
    let how = How::UnlessSeenAfter(session.session.clone(), now.minus(idle));
    if end::one(app, how, ending).await? == Outcome::Ended {
        return Err(AuthError::Invalid);
    }
    match sessions::last_seen(&mut app.store.reader(), &session.session).await? {
        Some(at) => app.guard.seen(&session.list, session.index, at),
        // No such session: a token of a database that went back.
        None => return Err(AuthError::Invalid),
    }
    in_words(shown.check(app))
}
