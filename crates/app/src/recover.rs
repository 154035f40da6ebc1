//! Forgotten passwords: the link and what it does.

use std::fmt::Write as _;

use cerrojo_domain::password::PasswordFlaw;
use cerrojo_domain::{Actor, Email, EndReason, Ending, Origin, Status, User};
use cerrojo_store::endings::Which;
use cerrojo_store::reset_links::{self, Link};
use cerrojo_store::{StoreError, users};
use ring::digest::{SHA256, digest};

use crate::hashing::{Busy, Known, Turn};
use crate::limits::Public;
use crate::metrics::Attempt;
use crate::profile::filled;
use crate::{App, Limited, Trouble, end, mail, password};

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
    let email = filled(email).ok_or(ForgotError::EmailMissing)?;
    let email = Email::parse(&email).map_err(|_| ForgotError::Email)?;
    let mut tx = app.store.begin().await?;
    mail::ask_reset(&mut tx, &email, origin, app.clock.now()).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    Ok(())
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

async fn take_link(app: &App, origin: &Origin, typed: Reset) -> Result<(), ResetError> {
    let code_hash = code_hash(&filled(typed.token).ok_or(ResetError::TokenMissing)?);
    let typed_password = typed.new_password.filter(|password| !password.is_empty());
    let new_password = typed_password.ok_or(ResetError::PasswordMissing)?;
    // Nobody guesses a code of 256 bits, so what the time tells about one tells nothing. The password is judged before
    // the code is used up, and hashed only for a code that is good.
    accepted(password::own_flaws(app, &new_password, "", &Email::from_stored(String::new())))?;
    let (link, user) = look_up(app, &code_hash).await?.ok_or(ResetError::InvalidToken)?;
    let flaws = password::flaws(app, &new_password, &user.name, &user.email).await;
    accepted(flaws.map_err(ResetError::Trouble)?)?;
    let turn = Turn { block: origin.block(), known: Known::No };
    let password_hash = app.hasher.hash(turn, new_password).await?;
    set_password(app, origin, &link, password_hash).await
}

fn accepted(flaws: Vec<PasswordFlaw>) -> Result<(), ResetError> {
    if flaws.is_empty() { Ok(()) } else { Err(ResetError::Flawed(flaws)) }
}

/// The link of a code and its user, if it would work now. It is not used up.
async fn look_up(app: &App, code_hash: &str) -> Result<Option<(Link, User)>, StoreError> {
    let mut reader = app.store.reader();
    let Some(link) = reset_links::find(&mut reader, code_hash).await?.filter(|link| is_in_time(app, link)) else {
        return Ok(None);
    };
    let user = users::by_id(&mut reader, link.user).await?;
    Ok(user.filter(|user| is_for(&link, user)).map(|user| (link, user)))
}

fn is_in_time(app: &App, link: &Link) -> bool {
    app.clock.now() < link.expires_at
}

fn is_for(link: &Link, user: &User) -> bool {
    user.epoch == link.epoch && user.status == Status::Active
}

/// Uses the code up, sets the password, ends the sessions and writes the mail: all of it or nothing.
async fn set_password(app: &App, origin: &Origin, link: &Link, password_hash: String) -> Result<(), ResetError> {
    let mut tx = app.store.begin_ending().await?;
    let change = users::Change { password_hash: Some(password_hash), raise_epoch: true, ..users::Change::default() };
    // Hits only if nothing raised the epoch since the link was made, another reset included.
    let user = users::change(&mut tx, link.user, link.epoch, &change).await?;
    let user = user.filter(|user| user.status == Status::Active).ok_or(ResetError::InvalidToken)?;
    let taken = reset_links::take(&mut tx, &link.code_hash).await?;
    if !taken.is_some_and(|taken| taken.user == user.id && is_in_time(app, &taken)) {
        return Err(ResetError::InvalidToken);
    }
    let at = app.clock.now();
    let place = Some(origin.address);
    let ending = Ending { reason: EndReason::PasswordReset, actor: Actor::User(user.id), at, place };
    let entries = end::in_tx(&mut tx, Which::OfUser(user.id), &ending).await?;
    mail::tell_password_changed(&mut tx, &user, place, at).await?;
    end::commit(app, tx, entries).await.map_err(ResetError::Trouble)?;
    app.mail_waiting.notify_one();
    Ok(())
}

/// What is stored of a code: SHA-256 in hex. A code is random enough to need no slow hash.
pub(crate) fn code_hash(code: &str) -> String {
    digest(&SHA256, code.as_bytes()).as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_stored_as_its_sha_256() {
        assert_eq!(code_hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
