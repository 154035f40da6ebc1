//! Who is calling: the check of a bearer token.

use std::sync::Arc;

use cerrojo_domain::{Actor, EndReason, Ending, Origin};
pub use cerrojo_guard::Counts;
use cerrojo_guard::{Refusal, Refused, Verified};
use cerrojo_store::sessions;

use crate::end::{self, How, Outcome};
use crate::metrics::Check;
use crate::{App, Trouble, lists, old_tokens};

/// The session that a request's token belongs to, checked.
pub type Caller = Arc<Verified>;

/// Why a token is not accepted.
#[derive(Debug)]
pub enum AuthError {
    /// It is the token of no session (401).
    Invalid,
    /// It is the token of a session that is over (401).
    Over,
    /// 503 or 500.
    Trouble(Trouble),
}

impl<E: Into<Trouble>> From<E> for AuthError {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

/// A token that somebody shows.
#[derive(Clone, Copy, Debug)]
pub struct Showing<'a> {
    /// The token.
    pub token: &'a str,
    /// Where it is used, if that is known.
    pub from: Option<&'a Origin>,
    /// Whether that is a use of its session.
    pub counts: Counts,
}

/// What is shown to prove a session.
enum Shown<'a> {
    /// A token of ours.
    Token(&'a str),
    /// This session itself: its token was looked at before, or is another application's.
    Session(Caller),
}

impl Shown<'_> {
    fn check(&self, app: &App, counts: Counts) -> Result<Caller, Refused> {
        match self {
            Self::Token(token) => app.guard.examine(token, counts),
            Self::Session(session) => Ok(app.guard.check_session(session, counts)?),
        }
    }
}

/// Checks a token from memory. Only idleness is decided in the database, and that a session has expired is written there
/// once. Another application's is looked up in the database when it is first used.
pub async fn authenticate(app: &App, showing: Showing<'_>) -> Result<Caller, AuthError> {
    let authenticated = authenticate_any(app, showing).await;
    app.metrics.checks.count(match &authenticated {
        Ok(_) => Check::Accepted,
        Err(AuthError::Invalid | AuthError::Over) => Check::Refused,
        Err(AuthError::Trouble(Trouble::Internal(_))) => Check::Failed,
        Err(AuthError::Trouble(_)) => Check::Unavailable,
    });
    authenticated
}

async fn authenticate_any(app: &App, showing: Showing<'_>) -> Result<Caller, AuthError> {
    let Showing { token, from, counts } = showing;
    match authenticate_by(app, &Shown::Token(token), counts).await {
        Err(AuthError::Invalid) if app.settings.old_tokens.is_some() => {
            let session = old_tokens::session(app, token, from).await?;
            authenticate_by(app, &Shown::Session(session), counts).await
        }
        authenticated => authenticated,
    }
}

/// Whether a session that was accepted earlier would be now, for what goes on for longer than a request. No use of it.
///
/// # Errors
/// [`AuthError::Over`]; [`AuthError::Trouble`] if this node cannot say yes: whatever goes on has to end then, too.
pub async fn stands(app: &App, session: &Caller) -> Result<(), AuthError> {
    if !old_tokens::is_of_one(session)
        && let Err(Refusal::Invalid) = app.guard.recheck(session)
    {
        return Err(AuthError::Over);
    }
    authenticate_by(app, &Shown::Session(Arc::clone(session)), Counts::AsNothing).await.map(drop)
}

async fn authenticate_by(app: &App, shown: &Shown<'_>, counts: Counts) -> Result<Caller, AuthError> {
    let mut checked = shown.check(app, counts);
    if let Err(Refused { refusal: Refusal::UnknownList(session), .. }) = &checked {
        // Once: made by another node, or none of this installation's.
        if !lists::look_up(app, &session.list).await? {
            return Err(AuthError::Over);
        }
        checked = shown.check(app, counts);
    }
    match checked {
        Err(Refused { refusal: Refusal::Idle(session), .. }) => decide_idleness(app, (shown, counts), &session).await,
        Err(Refused { refusal: Refusal::Expired(session), .. }) => {
            end_expired(app, &session).await;
            Err(AuthError::Over)
        }
        checked => in_words(checked),
    }
}

fn in_words(checked: Result<Caller, Refused>) -> Result<Caller, AuthError> {
    checked.map_err(|Refused { refusal, is_genuine }| match refusal {
        _ if is_genuine && is_a_no(&refusal) => AuthError::Over,
        Refusal::Invalid | Refusal::Expired(_) | Refusal::UnknownList(_) => AuthError::Invalid,
        Refusal::Unavailable => Trouble::Unavailable("no lease".to_owned()).into(),
        // Idle by memory a moment after the database said otherwise: not current enough to say yes.
        Refusal::Idle(_) => Trouble::Unavailable("idleness could not be decided".to_owned()).into(),
    })
}

fn is_a_no(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Invalid | Refusal::Expired(_) | Refusal::UnknownList(_))
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
async fn decide_idleness(
    app: &App,
    (shown, counts): (&Shown<'_>, Counts),
    session: &Caller,
) -> Result<Caller, AuthError> {
    let Some(idle) = app.settings.session_rules(session.role_id).idle_timeout else { return Err(AuthError::Over) };
    let now = app.clock.now();
    let ending = Ending { reason: EndReason::Idle, actor: Actor::Server, at: now, place: None };
    let how = How::UnlessSeenAfter(session.session.clone(), now.minus(idle));
    if end::one(app, how, ending).await? == Outcome::Ended {
        return Err(AuthError::Over);
    }
    match sessions::last_seen(&mut app.store.reader(), &session.session).await? {
        Some(at) => app.guard.seen(&session.list, session.index, at),
        // No such session: a token of a database that went back.
        None => return Err(AuthError::Over),
    }
    in_words(shown.check(app, counts))
}
