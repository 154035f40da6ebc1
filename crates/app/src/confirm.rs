//! Confirming an address: the link that was mailed, and asking for it again.
//!
//! A code is good for what it was made for and nothing else. None of this signs anybody in: whoever opens the link need not be
//! who typed the password.

use cerrojo_domain::{Actor, AuditKind, Email, EndReason, Ending, Origin, PendingId, Status, USER_ROLE, User};
use cerrojo_store::audit::{self, Act};
use cerrojo_store::codes::{Code, Purpose};
use cerrojo_store::email_changes::{self, EmailChange};
use cerrojo_store::endings::Which;
use cerrojo_store::users::{self, Change, NewUser};
use cerrojo_store::{StoreError, Tx, outbox, registrations, sessions};

use crate::account::if_live;
use crate::limits::Public;
use crate::mail::Undo;
use crate::metrics::Attempt;
use crate::profile::filled;
use crate::recover::{self, ForgotError};
use crate::{App, Caller, Limited, Trouble, Verification, codes, end, mail, onlookers, take_back};

/// Why not.
#[derive(Debug)]
pub enum ConfirmError {
    /// 400 "Token es requerido"
    TokenMissing,
    /// 401 `INVALID_VERIFICATION_TOKEN`
    InvalidToken,
    /// 403 `SIGN_IN_REQUIRED`: the link changes the address of an account that whoever opened it is not signed in to.
    SignInNeeded,
    /// 409: another account has the address meanwhile.
    EmailTaken,
    /// 429
    TooMany,
    /// 503 or 500
    Trouble(Trouble),
}

impl<E: Into<Trouble>> From<E> for ConfirmError {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

/// Confirms the address that the code was mailed to, which is given back. `caller`: who is signed in where the link was opened,
/// if anybody is.
pub async fn confirm(
    app: &App,
    origin: &Origin,
    caller: Option<&Caller>,
    token: Option<String>,
) -> Limited<Result<Email, ConfirmError>> {
    let limited = match app.limits.request(Public::Verify, origin.block()) {
        Err(quota) => Limited { outcome: Err(ConfirmError::TooMany), quota: Some(quota) },
        Ok(quota) => Limited { outcome: take_link(app, (origin, caller), token).await, quota },
    };
    app.metrics.verifications.count(match &limited.outcome {
        Ok(_) => Attempt::Success,
        Err(ConfirmError::TooMany) => Attempt::Limited,
        Err(ConfirmError::Trouble(trouble)) => trouble.into(),
        Err(_) => Attempt::Refused,
    });
    limited
}

/// Whether the code of a link is one that confirms an address, and its time is not over. It is not used up.
///
/// # Errors
/// [`Trouble`] if the database cannot be read.
pub async fn works(app: &App, token: &str) -> Result<bool, Trouble> {
    let code = codes::look_up(app, token).await?;
    Ok(code.is_some_and(|code| matches!(code.purpose, Purpose::Verify | Purpose::Register | Purpose::Change)))
}

async fn take_link(
    app: &App,
    (origin, caller): (&Origin, Option<&Caller>),
    token: Option<String>,
) -> Result<Email, ConfirmError> {
    let token = filled(token).ok_or(ConfirmError::TokenMissing)?;
    let code = codes::look_up(app, &token).await?.ok_or(ConfirmError::InvalidToken)?;
    match code.purpose {
        Purpose::Verify => verify(app, origin, &code).await,
        Purpose::Register => register(app, origin, &code).await,
        Purpose::Change => change(app, (origin, caller), &code).await,
        _ => Err(ConfirmError::InvalidToken),
    }
}

/// The address of an account, if it is still the one that the code was mailed to.
async fn verify(app: &App, origin: &Origin, code: &Code) -> Result<Email, ConfirmError> {
    let user = code.user().ok_or(ConfirmError::InvalidToken)?;
    let mut tx = app.store.begin().await?;
    let is_theirs = users::verify(&mut tx, user, &code.bound_to).await?;
    if !is_theirs || !codes::use_up(app, &mut tx, code).await? {
        return Err(ConfirmError::InvalidToken);
    }
    let email = Email::from_stored(code.bound_to.clone());
    outbox::adopt(&mut tx, user, &email).await?;
    let act = Act::new(AuditKind::EmailConfirmed, app.clock.now()).by(Actor::User(user)).to(user).from(origin);
    audit::record(&mut tx, act.with_personal("email", code.bound_to.as_str())).await?;
    tx.commit().await?;
    Ok(email)
}

/// What the audit trail says of an account that was made when its address was confirmed.
pub(crate) fn registered(app: &App, origin: &Origin, user: &User) -> Act {
    let act = Act::new(AuditKind::Registered, app.clock.now()).by(Actor::User(user.id)).to(user.id).from(origin);
    act.with("confirmed", true).with_personal("email", user.email.as_str())
}

async fn register(app: &App, origin: &Origin, code: &Code) -> Result<Email, ConfirmError> {
    let mut tx = app.store.begin().await?;
    let id = PendingId::from_text(code.subject.clone());
    match open_account(app, &mut tx, (code, &id), None).await? {
        Opened::Account(user) => {
            audit::record(&mut tx, registered(app, origin, &user)).await?;
            tx.commit().await?;
            Ok(user.email)
        }
        Opened::EmailTaken => Err(ConfirmError::EmailTaken),
        Opened::Nothing => Err(ConfirmError::InvalidToken),
    }
}

/// What became of a registration whose address was confirmed.
pub(crate) enum Opened {
    /// The account is in the transaction.
    Account(Box<User>),
    /// Another account has the address. The transaction can only be dropped.
    EmailTaken,
    /// The code was used meanwhile, or somebody registered the address again: then only a link that sets a password is good.
    Nothing,
}

/// Uses the code up and makes an account of the registration that it is for, with this password or the one that was typed.
pub(crate) async fn open_account(
    app: &App,
    tx: &mut Tx,
    (code, id): (&Code, &PendingId),
    password_hash: Option<String>,
) -> Result<Opened, StoreError> {
    if !codes::use_up(app, tx, code).await? {
        return Ok(Opened::Nothing);
    }
    let Some(waiting) = registrations::take(tx, id).await? else { return Ok(Opened::Nothing) };
    if waiting.is_contested && password_hash.is_none() {
        return Ok(Opened::Nothing);
    }
    // The name that was typed last need not be theirs either.
    let name = if waiting.is_contested { waiting.email.local_part().to_owned() } else { waiting.name };
    let user = NewUser {
        name,
        email: waiting.email,
        password_hash: password_hash.unwrap_or(waiting.password_hash),
        role_id: USER_ROLE,
        status: Status::Active,
        registered_at: waiting.registered_at,
        email_verified: true,
    };
    match users::insert(tx, &user).await {
        Err(StoreError::Taken) => Ok(Opened::EmailTaken),
        inserted => {
            let user = inserted?;
            outbox::adopt(tx, user.id, &user.email).await?;
            Ok(Opened::Account(Box::new(user)))
        }
    }
}

/// The new address takes the old one's place. As with any change of one's own address the other sessions end and the calling one
/// goes on; if the one that asked is over, or anything raised the epoch since, so is what it asked for.
///
/// It takes both, the mail and a session of the account: anybody can want anybody's address, and whoever reads the mail may be
/// about to confirm a registration of their own.
async fn change(app: &App, (origin, caller): (&Origin, Option<&Caller>), code: &Code) -> Result<Email, ConfirmError> {
    let waiting = email_changes::by_id(&mut app.store.reader(), &code.subject).await?;
    let EmailChange { id, user, email, epoch, session, .. } = waiting.ok_or(ConfirmError::InvalidToken)?;
    let caller = caller.filter(|caller| caller.user == user).ok_or(ConfirmError::SignInNeeded)?;
    let before = users::by_id(&mut app.store.reader(), user).await?;
    let before = before.filter(|user| user.epoch == epoch && user.status == Status::Active);
    let before = before.ok_or(ConfirmError::InvalidToken)?;
    let at = app.clock.now();
    let place = Some(origin.address);
    let mut tx = app.store.begin_ending().await?;
    // Before the users row, as whoever confirms such a registration has it: the other way round the two could wait for each other.
    registrations::forget(&mut tx, &email).await?;
    let change =
        Change { email: Some(email.clone()), raise_epoch: true, email_verified: Some(true), ..Change::default() };
    let after = match users::change(&mut tx, user, epoch, &change).await {
        Err(StoreError::Taken) => return Err(ConfirmError::EmailTaken),
        changed => changed?.filter(|user| user.status == Status::Active).ok_or(ConfirmError::InvalidToken)?,
    };
    let mut tx = if_live(app, tx, caller).await?.ok_or(ConfirmError::SignInNeeded)?;
    let is_wanted = sessions::is_live(&mut tx, &session).await? && email_changes::take(&mut tx, &id).await?;
    if !is_wanted || !codes::use_up(app, &mut tx, code).await? {
        return Err(ConfirmError::InvalidToken);
    }
    let ending = Ending { reason: EndReason::EmailChanged, actor: Actor::User(user), at, place };
    let entries = end::in_tx(&mut tx, Which::OthersOf(user, &caller.session), &ending).await?;
    outbox::adopt(&mut tx, user, &email).await?;
    mail::keep_with(&mut tx, &before).await?;
    let act =
        Act::new(AuditKind::EmailChanged, at).by(Actor::User(user)).to(user).in_session(&caller.session).from(origin);
    let act = act.with("confirmed", true).with_personal("from", before.email.as_str());
    audit::record(&mut tx, act.with_personal("to", email.as_str())).await?;
    take_back::hold(app, &mut tx, &before, at).await?;
    mail::tell_email_changed(&mut tx, (&before, &after, Undo::Offered), place, at).await?;
    end::commit(app, tx, entries).await?;
    app.mail_waiting.notify_one();
    onlookers::tell_profile(app, user).await;
    Ok(email)
}

/// Why not.
#[derive(Debug)]
pub enum ResendError {
    /// 403: addresses are not confirmed here.
    Off,
    /// As for a forgotten password.
    Asked(ForgotError),
}

/// Asks for the link again. Only writes a job, whatever there is of the address: an account gets another link, somebody who has
/// registered and has no account yet one that sets the password as well.
pub async fn resend(app: &App, origin: &Origin, email: Option<String>) -> Limited<Result<(), ResendError>> {
    match app.limits.request(Public::Verify, origin.block()) {
        Err(quota) => Limited { outcome: Err(ResendError::Asked(ForgotError::TooMany)), quota: Some(quota) },
        Ok(quota) => Limited { outcome: ask(app, origin, email).await, quota },
    }
}

async fn ask(app: &App, origin: &Origin, email: Option<String>) -> Result<(), ResendError> {
    if app.settings.verification == Verification::Off {
        return Err(ResendError::Off);
    }
    let email = recover::address(email).map_err(ResendError::Asked)?;
    let written = async {
        let mut tx = app.store.begin().await?;
        mail::ask_verify(&mut tx, (None, &email), Some(origin), app.clock.now()).await?;
        tx.commit().await
    };
    written.await.map_err(|error| ResendError::Asked(error.into()))?;
    app.mail_waiting.notify_one();
    Ok(())
}
