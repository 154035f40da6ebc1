//! Sign in.

use cerrojo_domain::{AuditKind, Email, Origin, Status, User, UserId};
use cerrojo_store::audit::Act;
use cerrojo_store::{known_addresses, registrations, users};

pub use crate::birth::SignedIn;
use crate::birth::{self, Birth};
use crate::hashing::{Busy, Checked, Known, Turn};
use crate::limits::Try;
use crate::metrics::SignIn;
use crate::{App, Limited, Quota, Trouble, Verification, WhenFull, audit};

/// What a person typed.
pub struct Credentials {
    /// As typed.
    pub email: Option<String>,
    /// As typed.
    pub password: Option<String>,
}

/// Why not.
#[derive(Debug)]
pub enum LoginError {
    /// 400: e-mail or password is missing.
    Incomplete,
    /// 401: unknown e-mail and wrong password alike.
    Credentials,
    /// 401: the password is right, but the user is not active.
    Inactive,
    /// 403: the password is right, but the address was not confirmed, so there is no account yet.
    Unverified,
    /// 409: the password is right, and the user has as many sessions as one may have.
    TooManySessions,
    /// 429.
    TooMany,
    /// 503 or 500.
    Trouble(Trouble),
}

impl<E: Into<Trouble>> From<E> for LoginError {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

impl From<Busy> for Trouble {
    fn from(busy: Busy) -> Self {
        Self::Unavailable(format!("too many passwords wait to be hashed; try again in {:?}", busy.retry_after))
    }
}

/// Signs in: limits, then one hash whatever happens, then the session.
pub async fn login(app: &App, origin: &Origin, typed: Credentials) -> Limited<Result<SignedIn, LoginError>> {
    let limited = limited_login(app, origin, typed).await;
    app.metrics.sign_ins.count(match &limited.outcome {
        Ok(_) => SignIn::Success,
        Err(LoginError::Incomplete) => SignIn::Incomplete,
        Err(LoginError::Credentials) => SignIn::Credentials,
        Err(LoginError::Inactive) => SignIn::Inactive,
        Err(LoginError::Unverified) => SignIn::Unverified,
        Err(LoginError::TooManySessions) => SignIn::TooManySessions,
        Err(LoginError::TooMany) => SignIn::Limited,
        Err(LoginError::Trouble(Trouble::Internal(_))) => SignIn::Failed,
        Err(LoginError::Trouble(_)) => SignIn::Unavailable,
    });
    limited
}

async fn limited_login(app: &App, origin: &Origin, typed: Credentials) -> Limited<Result<SignedIn, LoginError>> {
    let email = Email::fold(typed.email.as_deref().unwrap_or_default());
    let (user, known) = match look_up(app, origin, &email).await {
        Ok(found) => found,
        Err(trouble) => return Limited { outcome: Err(trouble.into()), quota: None },
    };
    let counted = match app.limits.try_password(&email, origin.block(), known) {
        Ok(counted) => counted,
        Err(quota) => return Limited { outcome: Err(LoginError::TooMany), quota: Some(quota) },
    };
    let password = typed.password.filter(|password| !password.is_empty());
    let (Some(password), false) = (password, email.is_empty()) else {
        return Limited { outcome: Err(LoginError::Incomplete), quota: counted.give_back() };
    };
    let account = user.as_ref().map(|user| user.id);
    let outcome = check_and_sign_in(app, origin, Attempt { email, user, known, password }).await;
    let quota = settle(&outcome, counted);
    if let Some(why) = why_refused(&outcome, account) {
        say_refused(app, origin, (account, why), quota);
        if let Err(trouble) = app.limits.save(&app.store).await {
            return Limited { outcome: Err(trouble.into()), quota };
        }
    }
    Limited { outcome, quota }
}

/// What the audit trail says of a sign-in that was refused for what was typed, or for the account.
fn why_refused<T>(outcome: &Result<T, LoginError>, account: Option<UserId>) -> Option<&'static str> {
    match outcome {
        Err(LoginError::Credentials) if account.is_none() => Some("unknown_account"),
        Err(LoginError::Credentials) => Some("wrong_password"),
        Err(LoginError::Inactive) => Some("not_active"),
        Err(LoginError::Unverified) => Some("not_confirmed"),
        Err(LoginError::TooManySessions) => Some("too_many_sessions"),
        _ => None,
    }
}

/// Not what was typed as an address: people type their password there.
fn say_refused(app: &App, origin: &Origin, (account, why): (Option<UserId>, &str), quota: Option<Quota>) {
    let mut act = Act::new(AuditKind::SignInFailed, app.clock.now()).from(origin);
    if quota.is_some_and(|quota| quota.remaining == 0) {
        act = act.with("limit_reached", true);
    }
    let (act, about) = match account {
        Some(user) => (act.to(user), audit::About::Account),
        None => (act, audit::About::Nobody),
    };
    audit::will_say_refused(app, act, (about, why));
}

struct Attempt {
    email: String,
    user: Option<User>,
    known: Known,
    password: String,
}

async fn check_and_sign_in(app: &App, origin: &Origin, attempt: Attempt) -> Result<SignedIn, LoginError> {
    let turn = Turn { block: origin.block(), known: attempt.known };
    let hash = attempt.user.as_ref().map(|user| user.password_hash.clone());
    let again = (app.settings.verification == Verification::Required).then(|| attempt.password.clone());
    let checked = app.hasher.check(turn, attempt.password, hash).await.map_err(Trouble::from)?;
    let (Some(user), Checked::Right | Checked::RightWith(_)) = (attempt.user, &checked) else {
        if let Some(password) = again
            && is_unconfirmed(app, turn, &attempt.email, password).await?
        {
            return Err(LoginError::Unverified);
        }
        return Err(LoginError::Credentials);
    };
    if user.status != Status::Active {
        return Err(LoginError::Inactive);
    }
    let better = if let Checked::RightWith(hash) = checked { Some(hash) } else { None };
    sign_in(app, origin, user, better).await
}

/// Whether somebody registered with this password and has not confirmed the address. Another hash whatever there is of the
/// address, an account too: whoever registered a stranger's address must not learn from the answer, or from the time,
/// whether it has one.
async fn is_unconfirmed(app: &App, turn: Turn, email: &str, password: String) -> Result<bool, LoginError> {
    let waiting = registrations::by_email(&mut app.store.reader(), email).await?;
    let waiting = waiting.filter(|waiting| app.clock.now() < waiting.expires_at && !waiting.is_contested);
    let checked = app.hasher.check(turn, password, waiting.map(|waiting| waiting.password_hash)).await;
    Ok(matches!(checked.map_err(Trouble::from)?, Checked::Right | Checked::RightWith(_)))
}

/// Makes the session where the oldest ones were; they end in the same transaction. `Err`: why there is none.
async fn in_the_place_of_others(
    app: &App,
    (mut cradle, origin): (birth::Cradle, &Origin),
    user: &User,
    better: Option<&str>,
) -> Result<Result<SignedIn, Birth>, LoginError> {
    let mut tx = app.store.begin_ending().await?;
    let (born, entries) = birth::in_the_place_of_others(&mut tx, &mut cradle, (user, origin)).await?;
    if born != Birth::Born {
        return Ok(Err(born));
    }
    if let Some(better) = better {
        users::upgrade_hash(&mut tx, user.id, &user.password_hash, better).await?;
    }
    Ok(Ok(birth::commit_in_the_place_of_others(app, (tx, entries), cradle, user.clone()).await?))
}

/// Makes the session, if the user's row still is what was checked.
async fn sign_in(app: &App, origin: &Origin, user: User, better: Option<String>) -> Result<SignedIn, LoginError> {
    for _ in 0..2 {
        let mut cradle = birth::prepare(app, user.role_id).await?;
        let mut tx = app.store.begin().await?;
        match birth::in_tx(&mut tx, &mut cradle, &user, origin).await? {
            Birth::Born => {
                if let Some(better) = &better {
                    users::upgrade_hash(&mut tx, user.id, &user.password_hash, better).await?;
                }
                return Ok(birth::commit(app, tx, cradle, user).await?);
            }
            Birth::Lost => return Err(LoginError::Credentials),
            Birth::ListRetired => app.blocks.forget(),
            Birth::Full if app.settings.when_full == WhenFull::Refuse => return Err(LoginError::TooManySessions),
            Birth::Full => {
                drop(tx);
                match in_the_place_of_others(app, (cradle, origin), &user, better.as_deref()).await? {
                    Ok(signed_in) => return Ok(signed_in),
                    Err(Birth::ListRetired) => app.blocks.forget(),
                    Err(_) => return Err(LoginError::Credentials),
                }
            }
        }
    }
    Err(LoginError::Trouble(Trouble::Unavailable("every session was being ended".to_owned())))
}

/// A try is given back unless the credentials were wrong.
fn settle<T>(outcome: &Result<T, LoginError>, counted: Try) -> Option<Quota> {
    if is_failed_try(outcome) { counted.quota() } else { counted.give_back() }
}

/// The password of a registration that waits was not the account's, if there is one: it would be a way to guess that without
/// being counted.
fn is_failed_try<T>(outcome: &Result<T, LoginError>) -> bool {
    matches!(outcome, Err(LoginError::Credentials | LoginError::Unverified))
}

async fn look_up(app: &App, origin: &Origin, email: &str) -> Result<(Option<User>, Known), Trouble> {
    let mut run = app.store.reader();
    let user = users::by_email(&mut run, email).await?;
    let known = is_known(app, origin, user.as_ref()).await?;
    Ok((user, known))
}

/// Whether the account signed in from this address lately. Asks the database for unknown accounts as well: same work.
pub(crate) async fn is_known(app: &App, origin: &Origin, user: Option<&User>) -> Result<Known, Trouble> {
    let id = user.map_or(cerrojo_domain::UserId(0), |user| user.id);
    let since = app.clock.now().minus(app.settings.retention.known_addresses);
    let known = known_addresses::is_known(&mut app.store.reader(), id, origin.block(), since).await?;
    Ok(if known { Known::Yes } else { Known::No })
}
