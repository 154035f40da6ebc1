//! Proving again that the caller is the person: the current password.

use std::time::Duration;

use cerrojo_domain::{Actor, AuditKind, Origin, User, UserId};
use cerrojo_store::audit::Act;
use cerrojo_store::{Run, sessions, users};

use crate::hashing::{Checked, Turn};
use crate::login::is_known;
use crate::{App, Caller, Limited, Quota, Reauthentication, Trouble, audit, follow, old_tokens};

/// Why the current password did not help.
#[derive(Debug)]
pub enum Reauth {
    /// 400: it is asked for and was not given.
    Missing,
    /// 401 `INVALID_CREDENTIALS`.
    Wrong,
    /// 429, with the exhausted figure.
    TooMany(Option<Quota>),
    /// 503 or 500.
    Trouble(Trouble),
}

impl<E: Into<Trouble>> From<E> for Reauth {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

/// Checks the current password, counted like a sign-in.
pub(crate) async fn check_password(
    app: &App,
    user: &User,
    origin: &Origin,
    password: String,
) -> Limited<Result<(), Reauth>> {
    let known = match is_known(app, origin, Some(user)).await {
        Ok(known) => known,
        Err(trouble) => return Limited { outcome: Err(trouble.into()), quota: None },
    };
    let counted = match app.limits.try_password(user.email.as_str(), origin.block(), known) {
        Ok(counted) => counted,
        Err(quota) => return Limited { outcome: Err(Reauth::TooMany(Some(quota))), quota: Some(quota) },
    };
    let turn = Turn { block: origin.block(), known };
    match app.hasher.check(turn, password, Some(user.password_hash.clone())).await {
        Ok(Checked::Right | Checked::RightWith(_)) => Limited { outcome: Ok(()), quota: counted.give_back() },
        Ok(Checked::Wrong) => {
            let quota = counted.quota();
            let act = Act::new(AuditKind::ReauthenticationFailed, app.clock.now()).by(Actor::User(user.id)).to(user.id);
            audit::will_say_refused(app, act.from(origin), (audit::About::Account, "wrong_password"));
            let saved = app.limits.save(&app.store).await;
            Limited { outcome: Err(saved.err().map_or(Reauth::Wrong, Reauth::Trouble)), quota }
        }
        Err(busy) => Limited { outcome: Err(Reauth::Trouble(busy.into())), quota: counted.give_back() },
    }
}

/// How long after signing in nobody is asked for the password again before what hurts others (OWASP ASVS 5.0, 7.5.3).
const FRESH: Duration = Duration::from_mins(10);

/// Whether whoever is calling signed in so lately that it is the same person.
#[must_use]
pub fn is_fresh(app: &App, caller: &Caller) -> bool {
    let now = app.clock.now();
    // The token of another application that is shown for the first time is no sign-in.
    !old_tokens::is_of_one(caller) && caller.issued_at <= now && now.since(caller.issued_at) < FRESH
}

/// Asks for the current password unless the sign-in [is fresh](is_fresh); counted like a sign-in.
///
/// # Errors
/// [`Reauth`].
pub async fn confirm(
    app: &App,
    caller: &Caller,
    origin: &Origin,
    password: Option<String>,
) -> Limited<Result<(), Reauth>> {
    if is_fresh(app, caller) {
        return Limited { outcome: Ok(()), quota: None };
    }
    let failed = |error| Limited { outcome: Err(error), quota: None };
    let Some(password) = password.filter(|password| !password.is_empty()) else { return failed(Reauth::Missing) };
    match users::by_id(&mut app.store.reader(), caller.user).await {
        Ok(Some(user)) => check_password(app, &user, origin, password).await,
        Ok(None) => failed(Reauth::Wrong),
        Err(error) => failed(error.into()),
    }
}

/// Asks for the current password where the settings do. `None`: the user is gone.
pub(crate) async fn reauthenticate(
    app: &App,
    caller: &Caller,
    origin: &Origin,
    password: Option<String>,
) -> Result<Option<User>, Reauth> {
    let user = users::by_id(&mut app.store.reader(), caller.user).await?;
    if let (Reauthentication::Required, Some(user)) = (app.settings.reauthentication, &user) {
        let password = password.filter(|password| !password.is_empty()).ok_or(Reauth::Missing)?;
        check_password(app, user, origin, password).await.outcome?;
    }
    Ok(user)
}

/// Gives the transaction back if the calling session may still change something: asked after the users row. A no is given
/// only when the ending is known here, so that nobody who is told 401 is told 200 afterwards; the transaction is gone then,
/// since whoever applies the log may be waiting for what it holds.
pub(crate) async fn if_live<T: Run>(app: &App, mut tx: T, caller: &Caller) -> Result<Option<T>, Trouble> {
    if sessions::is_live(&mut tx, &caller.session).await? {
        return Ok(Some(tx));
    }
    drop(tx);
    follow::catch_up(app).await?;
    app.guard.end(&caller.list, caller.index);
    Ok(None)
}

/// Whether `id` is the caller's own user.
pub(crate) fn is_own(caller: &Caller, id: UserId) -> bool {
    caller.user == id
}
