//! Changing one's own password.

use cerrojo_domain::password::PasswordFlaw;
use cerrojo_domain::{Actor, AuditKind, Email, EndReason, Ending, Origin, User};
use cerrojo_store::audit;
use cerrojo_store::endings::Which;
use cerrojo_store::users::{self, Change};

use crate::account::{self, Reauth, if_live};
use crate::hashing::{Known, Turn};
use crate::profile::changed_meanwhile;
use crate::{App, Caller, Limited, Quota, Trouble, end, mail};

/// What a person typed.
pub struct PasswordChange {
    /// As typed.
    pub current: Option<String>,
    /// As typed.
    pub new: Option<String>,
}

/// Why not.
#[derive(Debug)]
pub enum PasswordError {
    /// 400 "Contraseña actual y nueva contraseña son requeridas".
    Incomplete,
    /// 400 "La nueva contraseña no cumple requisitos".
    Flawed(Vec<PasswordFlaw>),
    /// 401 `INVALID_CREDENTIALS`.
    Wrong,
    /// 429.
    TooMany,
    /// 401: the calling session ended meanwhile.
    SessionOver,
    /// 503 or 500.
    Trouble(Trouble),
}

impl<E: Into<Trouble>> From<E> for PasswordError {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

/// What is wrong with a password for this person, whether it was breached left out: from memory.
#[must_use]
pub fn own_flaws(app: &App, password: &str, name: &str, email: &Email) -> Vec<PasswordFlaw> {
    let context = cerrojo_domain::password::Context::new(&app.settings.public_url, name, email);
    cerrojo_domain::password::judge(password, app.settings.password.composition, &context)
}

/// What is wrong with a password for this person. Asks the list of breached ones, if there is one, for a password that would
/// be accepted otherwise or only lacks a kind of characters.
///
/// # Errors
/// [`Trouble`] if the list cannot be asked: then the password is not accepted.
pub async fn flaws(app: &App, password: &str, name: &str, email: &Email) -> Result<Vec<PasswordFlaw>, Trouble> {
    let mut flaws = own_flaws(app, password, name, email);
    let is_out = |flaw| matches!(flaw, &PasswordFlaw::TooShort | &PasswordFlaw::TooLong | &PasswordFlaw::Common);
    if let Some(breached) = &app.breached
        && !flaws.iter().any(is_out)
        && breached.contains(password).await?
    {
        flaws.push(PasswordFlaw::Breached);
    }
    Ok(flaws)
}

/// Changes it. Every other session of the user is over; this one goes on.
pub async fn change(
    app: &App,
    caller: &Caller,
    origin: &Origin,
    typed: PasswordChange,
) -> Limited<Result<(), PasswordError>> {
    let user = match users::by_id(&mut app.store.reader(), caller.user).await {
        Ok(Some(user)) => user,
        Ok(None) => return unlimited(PasswordError::SessionOver),
        Err(error) => return unlimited(error.into()),
    };
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (Some(current), Some(new)) = (given(typed.current), given(typed.new)) else {
        return Limited { outcome: Err(PasswordError::Incomplete), quota: left(app, &user, origin) };
    };
    // Whoever does not know the current password learns nothing of the list, and costs no look at the disk.
    let flaws = own_flaws(app, &new, &user.name, &user.email);
    if !flaws.is_empty() {
        return Limited { outcome: Err(PasswordError::Flawed(flaws)), quota: left(app, &user, origin) };
    }
    let Limited { outcome, quota } = account::check_password(app, &user, origin, current).await;
    let outcome = match outcome {
        Ok(()) => set(app, caller, origin, (user, new)).await,
        Err(Reauth::Wrong | Reauth::Missing) => Err(PasswordError::Wrong),
        Err(Reauth::TooMany(_)) => Err(PasswordError::TooMany),
        Err(Reauth::Trouble(trouble)) => Err(PasswordError::Trouble(trouble)),
    };
    Limited { outcome, quota }
}

async fn set(app: &App, caller: &Caller, origin: &Origin, (user, new): (User, String)) -> Result<(), PasswordError> {
    let flaws = flaws(app, &new, &user.name, &user.email).await?;
    if !flaws.is_empty() {
        return Err(PasswordError::Flawed(flaws));
    }
    // The person has just given the right password: one of those that are known.
    let turn = Turn { block: origin.block(), known: Known::Yes };
    let password_hash = Some(app.hasher.hash(turn, new).await.map_err(Trouble::from)?);
    let at = app.clock.now();
    let mut tx = app.store.begin_ending().await?;
    let change = Change { password_hash, raise_epoch: true, ..Change::default() };
    let after = users::change(&mut tx, user.id, user.epoch, &change).await?;
    let mut tx = if_live(app, tx, caller).await?.ok_or(PasswordError::SessionOver)?;
    let after = after.ok_or_else(changed_meanwhile)?;
    let actor = Actor::User(caller.user);
    let ending = Ending { reason: EndReason::PasswordChanged, actor, at, place: Some(origin.address) };
    let entries = end::in_tx(&mut tx, Which::OthersOf(caller.user, &caller.session), &ending).await?;
    audit::record(&mut tx, crate::audit::own(app, AuditKind::PasswordChanged, (caller, origin))).await?;
    mail::tell_password_changed(&mut tx, &after, Some(origin.address), at).await?;
    end::commit(app, tx, entries).await?;
    app.mail_waiting.notify_one();
    Ok(())
}

fn unlimited(error: PasswordError) -> Limited<Result<(), PasswordError>> {
    Limited { outcome: Err(error), quota: None }
}

/// What is left of the limit, without a try.
fn left(app: &App, user: &User, origin: &Origin) -> Option<Quota> {
    match app.limits.try_password(user.email.as_str(), origin.block(), Known::No) {
        Ok(counted) => counted.give_back(),
        Err(quota) => Some(quota),
    }
}
