//! Forgotten passwords: the link and what it does.

use std::time::Duration;

use cerrojo_domain::password::PasswordFlaw;
use cerrojo_domain::{Actor, AuditKind, Email, EndReason, Ending, Origin, Status, User};
use cerrojo_store::audit::{self, Act};
use cerrojo_store::codes::{Code, Purpose};
use cerrojo_store::endings::Which;
use cerrojo_store::registrations::{self, Registration};
use cerrojo_store::{StoreError, outbox, users};

use crate::confirm::Opened;
use crate::hashing::{self, Busy, Checked, Known, Turn};
use crate::limits::Public;
use crate::metrics::Attempt;
use crate::profile::filled;
use crate::{App, Limited, Trouble, codes, confirm, end, mail, password, take_back};

/// A reset link works for so long from when it was made.
pub(crate) const RESET_TTL: Duration = Duration::from_hours(1);

/// Why not.
#[derive(Debug)]
pub enum ForgotError {
    /// 400 "Email es requerido"
    EmailMissing,
    /// 400
    Email,
    /// 429
    TooMany,
    /// 503 or 500
    Trouble(Trouble),
}

impl From<StoreError> for ForgotError {
    fn from(error: StoreError) -> Self {
        Self::Trouble(error.into())
    }
}

/// Asks for a reset mail. Only writes a job, account known or not.
pub async fn forgot(app: &App, origin: &Origin, email: Option<String>) -> Limited<Result<(), ForgotError>> {
    let limited = match app.limits.request(Public::Recover, origin.block()) {
        Err(quota) => Limited { outcome: Err(ForgotError::TooMany), quota: Some(quota) },
        Ok(quota) => Limited { outcome: ask(app, origin, email).await, quota },
    };
    app.metrics.reset_requests.count(match &limited.outcome {
        Ok(()) => Attempt::Success,
        Err(ForgotError::TooMany) => Attempt::Limited,
        Err(ForgotError::Trouble(trouble)) => trouble.into(),
        Err(_) => Attempt::Refused,
    });
    limited
}

async fn ask(app: &App, origin: &Origin, email: Option<String>) -> Result<(), ForgotError> {
    let email = address(email)?;
    let mut tx = app.store.begin().await?;
    mail::ask_reset(&mut tx, &email, origin, app.clock.now()).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    Ok(())
}

/// The address that a person typed.
pub(crate) fn address(email: Option<String>) -> Result<Email, ForgotError> {
    let email = filled(email).ok_or(ForgotError::EmailMissing)?;
    Email::parse(&email).map_err(|_| ForgotError::Email)
}

/// What a person typed.
pub struct Reset {
    /// The code of the link.
    pub token: Option<String>,
    /// As typed.
    pub new_password: Option<String>,
}

/// Why not.
#[derive(Debug)]
pub enum ResetError {
    /// 400 "Token es requerido"
    TokenMissing,
    /// 400 "Nueva contraseña es requerida"
    PasswordMissing,
    /// 400 "La nueva contraseña no cumple requisitos"; the code can still be used.
    Flawed(Vec<PasswordFlaw>),
    /// 401 `INVALID_RESET_TOKEN`
    InvalidToken,
    /// 429
    TooMany,
    /// 503 or 500
    Trouble(Trouble),
}

impl From<StoreError> for ResetError {
    fn from(error: StoreError) -> Self {
        Self::Trouble(error.into())
    }
}

impl From<Busy> for ResetError {
    fn from(busy: Busy) -> Self {
        Self::Trouble(busy.into())
    }
}

/// Sets the password; every session of the user is over. A code works once, and not at all once something else raised
/// the user's epoch.
pub async fn reset(app: &App, origin: &Origin, typed: Reset) -> Limited<Result<(), ResetError>> {
    let limited = match app.limits.request(Public::Recover, origin.block()) {
        Err(quota) => Limited { outcome: Err(ResetError::TooMany), quota: Some(quota) },
        Ok(quota) => Limited { outcome: take_link(app, origin, typed).await, quota },
    };
    app.metrics.resets.count(match &limited.outcome {
        Ok(()) => Attempt::Success,
        Err(ResetError::TooMany) => Attempt::Limited,
        Err(ResetError::Trouble(trouble)) => trouble.into(),
        Err(_) => Attempt::Refused,
    });
    limited
}

/// Whose password is set.
enum Whose {
    User(Box<User>),
    /// Somebody's who registered and has not confirmed the address: the link shows that it is theirs.
    Registration(Box<Registration>),
}

async fn take_link(app: &App, origin: &Origin, typed: Reset) -> Result<(), ResetError> {
    let token = filled(typed.token).ok_or(ResetError::TokenMissing)?;
    let typed_password = typed.new_password.filter(|password| !password.is_empty());
    let new_password = typed_password.ok_or(ResetError::PasswordMissing)?;
    // The password is judged before the code is used up, and hashed only for a code that is good.
    accepted(password::own_flaws(app, &new_password, "", &Email::from_stored(String::new())))?;
    let (code, whose) = look_up(app, &token).await?.ok_or(ResetError::InvalidToken)?;
    let (name, email) = match &whose {
        Whose::User(user) => (&user.name, &user.email),
        Whose::Registration(registration) => (&registration.name, &registration.email),
    };
    let flaws = password::flaws(app, &new_password, name, email).await;
    accepted(flaws.map_err(ResetError::Trouble)?)?;
    let turn = Turn { block: origin.block(), known: Known::No };
    if let Whose::User(user) = &whose
        && let Some(voided) = hashing::of_voided(&user.password_hash)
        && app.hasher.check(turn, new_password.clone(), Some(voided.to_owned())).await? != Checked::Wrong
    {
        // Somebody else may know it: that is why it was made worth nothing.
        return Err(ResetError::Flawed(vec![PasswordFlaw::Voided]));
    }
    let password_hash = app.hasher.hash(turn, new_password).await?;
    match whose {
        Whose::User(user) => set_password(app, origin, (&code, &user), password_hash).await,
        Whose::Registration(registration) => open_account(app, origin, (&code, *registration), password_hash).await,
    }
}

fn accepted(flaws: Vec<PasswordFlaw>) -> Result<(), ResetError> {
    if flaws.is_empty() { Ok(()) } else { Err(ResetError::Flawed(flaws)) }
}

/// Whether the code of a link would work now. It is not used up.
///
/// # Errors
/// [`Trouble`] if the database cannot be read.
pub async fn works(app: &App, token: &str) -> Result<bool, Trouble> {
    Ok(look_up(app, token).await?.is_some())
}

/// The code and whose it is, if it would work now. It is not used up.
async fn look_up(app: &App, token: &str) -> Result<Option<(Code, Whose)>, StoreError> {
    let Some(code) = codes::look_up(app, token).await? else { return Ok(None) };
    let mut reader = app.store.reader();
    let whose = match (code.purpose, code.user()) {
        (Purpose::Reset, Some(user)) => {
            let user = users::by_id(&mut reader, user).await?;
            user.filter(|user| is_for(&code, user)).map(|user| Whose::User(Box::new(user)))
        }
        (Purpose::ResetRegistration, _) => {
            let registration = registrations::by_id(&mut reader, &code.subject).await?;
            registration.map(|registration| Whose::Registration(Box::new(registration)))
        }
        _ => None,
    };
    Ok(whose.map(|whose| (code, whose)))
}

/// A link works only under the epoch that it was made under.
fn is_for(code: &Code, user: &User) -> bool {
    user.epoch.to_string() == code.bound_to && user.status == Status::Active
}

/// Uses the code up, sets the password, ends the sessions and writes the mail: all of it or nothing. Whoever has the code reads
/// the account's mail, so the address is confirmed as well.
async fn set_password(
    app: &App,
    origin: &Origin,
    (code, looked_up): (&Code, &User),
    password_hash: String,
) -> Result<(), ResetError> {
    let mut tx = app.store.begin_ending().await?;
    let change = users::Change {
        password_hash: Some(password_hash),
        raise_epoch: true,
        email_verified: Some(true),
        ..users::Change::default()
    };
    // Hits only if nothing raised the epoch since the link was made, another reset included.
    let user = users::change(&mut tx, looked_up.id, looked_up.epoch, &change).await?;
    let user = user.filter(|user| user.status == Status::Active).ok_or(ResetError::InvalidToken)?;
    if !codes::use_up(app, &mut tx, code).await? {
        return Err(ResetError::InvalidToken);
    }
    outbox::adopt(&mut tx, user.id, &user.email).await?;
    take_back::shown_in_force(app, &mut tx, &user).await?;
    let at = app.clock.now();
    let place = Some(origin.address);
    let ending = Ending { reason: EndReason::PasswordReset, actor: Actor::User(user.id), at, place };
    let entries = end::in_tx(&mut tx, Which::OfUser(user.id), &ending).await?;
    let act = Act::new(AuditKind::PasswordReset, at).by(Actor::User(user.id)).to(user.id).from(origin);
    audit::record(&mut tx, act).await?;
    mail::tell_password_changed(&mut tx, &user, place, at).await?;
    end::commit(app, tx, entries).await.map_err(ResetError::Trouble)?;
    app.mail_waiting.notify_one();
    Ok(())
}

/// The account begins with the new password: the one that was typed at registration was never anybody's.
async fn open_account(
    app: &App,
    origin: &Origin,
    (code, registration): (&Code, Registration),
    password_hash: String,
) -> Result<(), ResetError> {
    let mut tx = app.store.begin().await?;
    match confirm::open_account(app, &mut tx, (code, &registration.id), Some(password_hash)).await? {
        Opened::Account(user) => {
            audit::record(&mut tx, confirm::registered(app, origin, &user)).await?;
            Ok(tx.commit().await?)
        }
        Opened::Nothing | Opened::EmailTaken => Err(ResetError::InvalidToken),
    }
}
