//! Tokens that another application gave out, accepted until they expire while its users move in.
//!
//! A session is made of each when it is first used, and from then on that one is looked at: whatever ends sessions ends it,
//! on every node, and once it is over the token is dead for good. A token of which none was made yet dies with all sessions
//! of its user ([`cerrojo_store::old_tokens`]). Only the server does this: guards elsewhere do not have the secret.

mod read;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cerrojo_domain::{Actor, AuditKind, KeyId, ListIndex, ListName, Origin, SessionId, UnixMillis, User, UserId};
use cerrojo_guard::Verified;
use cerrojo_store::audit::{self, Act};
use cerrojo_store::old_tokens::Naming;
use cerrojo_store::sessions::{NewSession, Session};
use cerrojo_store::{Store, StoreError, lists, old_tokens, sessions, users};
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use self::read::{Named, OldToken};
use crate::authenticate::AuthError;
use crate::lists::For;
use crate::sha256::sha256;
use crate::{App, Settings, Trouble};

/// In the place of the key that signed: none of ours did.
const KEY: &str = "old-tokens";
/// How often a place is taken anew because everything was over meanwhile.
const TRIES: usize = 3;
/// The other application's clock may be ahead by so much: what it issued just before everything was over says a later time.
const SKEW: Duration = Duration::from_mins(1);

type TokenHash = [u8; 32];

/// How long it is remembered that one is not accepted: its user may be imported at any time.
const REMEMBERED: Duration = Duration::from_secs(10);
/// Looked up in the database at a time: anybody can cause it who has a token that is not remembered.
const LOOK_UPS: usize = 8;

/// Why one is not accepted.
#[derive(Clone, Copy, Debug)]
enum Refused {
    /// No session was ever made of it.
    NoSession,
    /// That one is over.
    Over,
}

impl From<Refused> for AuthError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NoSession => Self::Invalid,
            Refused::Over => Self::Over,
        }
    }
}

/// What is remembered of them.
pub(crate) struct Known {
    sessions: Cache<TokenHash, Arc<Verified>>,
    /// Until when, on the clock's `elapsed`, each need not be looked up again, and what it was.
    refused: Cache<TokenHash, (Duration, Refused)>,
    look_ups: Semaphore,
    /// What has expired by this time is written down as expired.
    expired_by: AtomicI64,
}

impl Known {
    pub(crate) fn new(settings: &Settings) -> Self {
        let capacity = if settings.old_tokens.is_some() { settings.cache_capacity } else { 0 };
        Self {
            sessions: Cache::new(capacity),
            refused: Cache::new(capacity),
            look_ups: Semaphore::new(LOOK_UPS),
            expired_by: AtomicI64::new(0),
        }
    }
}

/// Before any is accepted: from now on no program starts that knows nothing of them.
pub(crate) async fn prepare(store: &Store, settings: &Settings) -> Result<(), StoreError> {
    if settings.old_tokens.is_some() { old_tokens::accept(store).await } else { Ok(()) }
}

/// Whether the other application signed this, expired or not.
pub(crate) fn is_one(app: &App, token: &str) -> bool {
    let now = app.clock.now();
    app.settings.old_tokens.as_ref().is_some_and(|settings| read::read(token, settings, now).is_some())
}

/// Whether this session was made of such a token: no key of ours signed it.
pub(crate) fn is_of_one(session: &Verified) -> bool {
    session.key.as_str() == KEY
}

/// Which session this token stands for, if the other application signed it, whether or not one was ever made of it.
pub(crate) fn session_of(app: &App, token: &str) -> Option<SessionId> {
    let settings = app.settings.old_tokens.as_ref()?;
    read::read(token, settings, app.clock.now()).map(|old| old.session)
}

/// The session that this token stands for, made now if there was none; what the guard says of it is still to be asked.
/// `from`: where it is used, for people.
///
/// # Errors
/// [`AuthError::Invalid`] if it is no such token, or none is made of it; [`AuthError::Over`] if it has expired or is over.
pub(crate) async fn session(app: &App, token: &str, from: Option<&Origin>) -> Result<Arc<Verified>, AuthError> {
    let Some(settings) = &app.settings.old_tokens else { return Err(AuthError::Invalid) };
    if let Some(known) = remembered(app, &sha256(token.as_bytes())) {
        return known;
    }
    let now = app.clock.now();
    let Some(old) = read::read(token, settings, now) else { return Err(AuthError::Invalid) };
    if old.lasts_until <= now {
        note_expired(app, old.lasts_until).await;
    }
    if old.expires_at <= now {
        return Err(AuthError::Over);
    }
    let _turn = app.old_tokens.look_ups.acquire().await;
    // Whoever had the turn before may have come with the same one.
    if let Some(known) = remembered(app, &old.hash) {
        return known;
    }
    let found = find_or_make(app, &old, from).await;
    match found {
        Ok(verified) => {
            let verified = Arc::new(verified);
            app.old_tokens.sessions.insert(old.hash, Arc::clone(&verified));
            Ok(verified)
        }
        Err(refused) => {
            let why = match &refused {
                AuthError::Invalid => Refused::NoSession,
                AuthError::Over => Refused::Over,
                AuthError::Trouble(_) => return Err(refused),
            };
            app.old_tokens.refused.insert(old.hash, (app.clock.elapsed() + REMEMBERED, why));
            Err(refused)
        }
    }
}

/// What became of this one lately, if that is remembered.
fn remembered(app: &App, hash: &TokenHash) -> Option<Result<Arc<Verified>, AuthError>> {
    if let Some(known) = app.old_tokens.sessions.get(hash) {
        return Some(Ok(known));
    }
    let (until, why) = app.old_tokens.refused.get(hash)?;
    (app.clock.elapsed() < until).then(|| Err(why.into()))
}

async fn find_or_make(app: &App, old: &OldToken, from: Option<&Origin>) -> Result<Verified, AuthError> {
    for _ in 0..TRIES {
        if let Some(session) = sessions::by_id(&mut app.store.reader(), &old.session).await? {
            return made_before(app, session, old.expires_at).await;
        }
        let run = &mut app.store.reader();
        let (user, naming) = match &old.user {
            Named::Number(user) => (Some(*user), Naming::Number),
            Named::Email(email) => (users::by_email(run, email.as_str()).await?.map(|user| user.id), Naming::Email),
        };
        let user = user.ok_or(AuthError::Invalid)?;
        if !old_tokens::is_open(run, user, naming).await? || is_over(old, old_tokens::bounds(run).await?) {
            return Err(AuthError::Invalid);
        }
        if let Some(made) = make(app, old, (user, naming, from)).await? {
            return Ok(made);
        }
    }
    Err(Trouble::Unavailable("everything is being ended".to_owned()).into())
}

async fn made_before(app: &App, session: Session, expires_at: UnixMillis) -> Result<Verified, AuthError> {
    if session.ended.is_some() {
        app.guard.end(&session.list, session.index);
        return Err(AuthError::Over);
    }
    let user = users::by_id(&mut app.store.reader(), session.user).await?.ok_or(AuthError::Invalid)?;
    let place = (session.list.clone(), session.index);
    // What the operator says now counts as well as what was said when it was made.
    let times = (session.started_at, session.expires_at.min(expires_at));
    Ok(verified(session.id.as_str(), user, (place, times)))
}

/// Makes the session. `None`: another request or node was quicker, or everything is over: look again.
async fn make(
    app: &App,
    old: &OldToken,
    (user, naming, from): (UserId, Naming, Option<&Origin>),
) -> Result<Option<Verified>, AuthError> {
    let now = app.clock.now();
    let (list, index) = app.blocks.take(app, (For::OldToken, old.lasts_until)).await?;
    let mut tx = app.store.begin().await?;
    // Whatever ends all of the user's sessions waits here, or has closed this before.
    let Some(user) = old_tokens::hold(&mut tx, user, naming).await? else { return Err(AuthError::Invalid) };
    if lists::held(&mut tx, &list).await?.is_none_or(|list| list.retired) {
        return Ok(None);
    }
    if is_over(old, old_tokens::bounds(&mut tx).await?) {
        return Err(AuthError::Invalid);
    }
    // The list is in use for as long as the token is good, so that its row is: what ended is not taken for unused.
    let oldest = app.settings.session_rules(user.role_id).max_age.map(|most| now.plus(most));
    let expires_at = oldest.into_iter().fold(old.expires_at, UnixMillis::min);
    let session = NewSession {
        id: old.session.clone(),
        user: user.id,
        list: list.clone(),
        index,
        key: KeyId::from_text(KEY),
        started_at: now,
        expires_at,
        device: from.map(|from| from.device.clone()).unwrap_or_default(),
        address: from.map(|from| from.address),
    };
    match sessions::insert(&mut tx, &session).await {
        Err(StoreError::Taken) => return Ok(None),
        inserted => inserted?,
    }
    let mut act = Act::new(AuditKind::SessionBegan, now).by(Actor::User(user.id)).to(user.id).in_session(&old.session);
    if let Some(from) = from {
        act = act.from(from);
    }
    audit::record(&mut tx, act.with("by", "old_token")).await?;
    let shared = app.shared()?;
    let place = (list, index);
    // A caller that goes away must not leave a session whose first use is not known.
    let committed = tokio::spawn(async move {
        tx.commit().await?;
        shared.guard.seen(&place.0, place.1, now);
        Ok::<_, Trouble>(place)
    });
    let place = committed.await.map_err(|error| Trouble::Unavailable(format!("interrupted: {error}")))??;
    tracing::debug!(user.id = user.id.0, session.id = old.session.as_str(), "a session was made of an old token");
    Ok(Some(verified(old.session.as_str(), user, (place, (now, expires_at)))))
}

fn is_over(old: &OldToken, bounds: old_tokens::Bounds) -> bool {
    let was_everything_over = bounds.issued_by > UnixMillis(0);
    (was_everything_over && old.issued_at <= bounds.issued_by.plus(SKEW)) || old.lasts_until <= bounds.expired_by
}

/// What was refused as expired must stay refused, also if the clock is set back: as for our own.
async fn note_expired(app: &App, time: UnixMillis) {
    if app.old_tokens.expired_by.load(Ordering::Acquire) >= time.0 {
        return;
    }
    let noted = async {
        let mut tx = app.store.begin().await?;
        old_tokens::note_expired(&mut tx, time).await?;
        tx.commit().await
    };
    match noted.await {
        Ok(()) => drop(app.old_tokens.expired_by.fetch_max(time.0, Ordering::AcqRel)),
        Err(error) => tracing::warn!(%error, "that an old token has expired could not be written down yet"),
    }
}

type Place = (ListName, ListIndex);

/// `issued_at`: when the session was made, from when its age counts.
fn verified(
    session: &str,
    user: User,
    ((list, index), (issued_at, expires_at)): (Place, (UnixMillis, UnixMillis)),
) -> Verified {
    Verified {
        session: SessionId::from_text(session),
        user: user.id,
        email: user.email.as_str().to_owned(),
        name: user.name,
        role_id: user.role_id,
        issued_at,
        expires_at,
        key: KeyId::from_text(KEY),
        list,
        index,
    }
}
