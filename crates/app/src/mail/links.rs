//! Mails with a link. Its code is made only now: a code is never stored, and one that could not be sent is followed by another.

use std::time::Duration;

use cerrojo_domain::{Email, Status, UnixMillis, User};
use cerrojo_store::codes::Purpose;
use cerrojo_store::outbox::{self, Job};
use cerrojo_store::{StoreError, Tx, email_changes, invitations, registrations, users};

use super::deliver::{Addressed, read};
use super::job::{ConfirmAsked, EMAIL_CHANGE, Invited, REGISTERED, RESET, ResetAsked};
use super::templates::Writer;
use crate::{App, administer, codes};

/// Mails in [`FLOOD_WINDOW`], at most: with a reset link to an account, and with any other to an address.
pub(crate) const FLOOD: i64 = 3;
pub(crate) const FLOOD_WINDOW: Duration = Duration::from_hours(1);
/// Addresses that an account asks to confirm in [`FLOOD_WINDOW`], at most.
const ASKED: i64 = 5;
/// A reset link works for so long from when it was made.
const RESET_TTL: Duration = Duration::from_hours(1);

/// A reset link.
pub(super) async fn reset(app: &App, tx: &mut Tx, job: &Job) -> Result<Option<Addressed>, StoreError> {
    let Some(asked) = read::<ResetAsked>(job) else { return Ok(None) };
    let now = app.clock.now();
    let Some(user) = users::by_email(tx, &asked.email).await? else {
        return reset_of_registration(app, tx, (job, &asked)).await;
    };
    if user.status != Status::Active {
        return Ok(None);
    }
    if outbox::done_since(tx, RESET, user.id, now.minus(FLOOD_WINDOW)).await? >= FLOOD {
        tracing::info!(mail.id = job.id, user.id = %user.id, "no further reset mail for this account within an hour");
        return Ok(None);
    }
    let about = (Purpose::Reset, &*user.id.to_string());
    let code = codes::make(app, tx, about, (&user.epoch.to_string(), now.plus(RESET_TTL))).await?;
    let mail = Writer::new(&app.settings, &app.templates).reset(&user.email, &code, (&asked, job.created_at))?;
    Ok(Some(Addressed { user: Some(user.id), mail }))
}

/// The same for whoever has not confirmed the address yet, which the link does as well.
async fn reset_of_registration(
    app: &App,
    tx: &mut Tx,
    (job, asked): (&Job, &ResetAsked),
) -> Result<Option<Addressed>, StoreError> {
    let now = app.clock.now();
    let waiting = registrations::by_email(tx, &asked.email).await?.filter(|waiting| now < waiting.expires_at);
    let Some(waiting) = waiting else { return Ok(None) };
    if is_flooded(app, tx, (job, &waiting.email)).await? {
        return Ok(None);
    }
    outbox::count_to(tx, job.id, &waiting.email).await?;
    let expires_at = waiting.expires_at.min(now.plus(RESET_TTL));
    let about = (Purpose::ResetRegistration, waiting.id.as_str());
    let code = codes::make(app, tx, about, ("", expires_at)).await?;
    let mail = Writer::new(&app.settings, &app.templates).reset(&waiting.email, &code, (asked, job.created_at))?;
    Ok(Some(Addressed { user: None, mail }))
}

/// The link that confirms an address; or, to one that has an account, word that somebody wanted another.
pub(super) async fn confirm(app: &App, tx: &mut Tx, job: &Job) -> Result<Option<Addressed>, StoreError> {
    let Some(asked) = read::<ConfirmAsked>(job) else { return Ok(None) };
    let to = Email::from_stored(asked.email.clone());
    if is_flooded(app, tx, (job, &to)).await? {
        return Ok(None);
    }
    let writer = Writer::new(&app.settings, &app.templates);
    let is_new = matches!(job.kind.as_str(), REGISTERED | EMAIL_CHANGE);
    let (user, code, expires_at) = match users::by_email(tx, to.as_str()).await? {
        Some(_) if is_new => {
            let mail = writer.already_registered(&to, (&asked, job.created_at))?;
            return Ok(Some(Addressed { user: job.user, mail }));
        }
        Some(user) if user.email_verified || user.status != Status::Active => return Ok(None),
        Some(user) => of_account(app, tx, &user).await?,
        None => match of_what_waits(app, tx, (job, &to)).await? {
            Some((code, expires_at)) => (job.user, code, expires_at),
            None => return Ok(None),
        },
    };
    let mail = writer.verify((&to, &code), (&asked, job.created_at), expires_at)?;
    Ok(Some(Addressed { user, mail }))
}

type Made = (Option<cerrojo_domain::UserId>, String, UnixMillis);

async fn of_account(app: &App, tx: &mut Tx, user: &User) -> Result<Made, StoreError> {
    let expires_at = app.clock.now().plus(app.settings.confirm_within);
    let about = (Purpose::Verify, &*user.id.to_string());
    let code = codes::make(app, tx, about, (user.email.as_str(), expires_at)).await?;
    Ok((Some(user.id), code, expires_at))
}

/// A code for the registration or the change of address that waits for `to` to be confirmed: of the user who asked for the
/// change, or whatever there is if somebody asked for the mail again.
async fn of_what_waits(
    app: &App,
    tx: &mut Tx,
    (job, to): (&Job, &Email),
) -> Result<Option<(String, UnixMillis)>, StoreError> {
    let now = app.clock.now();
    let registration = match job.kind.as_str() {
        EMAIL_CHANGE => None,
        _ => registrations::by_email(tx, to.as_str()).await?,
    };
    if let Some(waiting) = registration.filter(|waiting| now < waiting.expires_at) {
        let about = (Purpose::Register, waiting.id.as_str());
        let code = codes::make(app, tx, about, ("", waiting.expires_at)).await?;
        return Ok(Some((code, waiting.expires_at)));
    }
    let change = match job.user {
        Some(user) => email_changes::of_user(tx, user).await?,
        None => email_changes::newest_to(tx, to).await?,
    };
    let change = change.filter(|change| change.email == *to && now < change.expires_at);
    let Some(change) = change else { return Ok(None) };
    let about = (Purpose::Change, change.id.as_str());
    let code = codes::make(app, tx, about, ("", change.expires_at)).await?;
    Ok(Some((code, change.expires_at)))
}

/// Whether an address, which anybody could have named, or an account has had so many that there are no more for now.
async fn is_flooded(app: &App, tx: &mut Tx, (job, to): (&Job, &Email)) -> Result<bool, StoreError> {
    let since = app.clock.now().minus(FLOOD_WINDOW);
    let of_account = match job.user {
        Some(user) => outbox::done_since(tx, &job.kind, user, since).await?,
        None => 0,
    };
    let is_flooded = of_account >= ASKED || outbox::done_to_since(tx, to, since).await? >= FLOOD;
    if is_flooded {
        tracing::info!(
            mail.id = job.id,
            mail.kind = job.kind,
            "no further mail of this kind to this address within an hour"
        );
    }
    Ok(is_flooded)
}

/// The link of an invitation.
pub(super) async fn invitation(app: &App, tx: &mut Tx, job: &Job) -> Result<Option<Addressed>, StoreError> {
    let Some(asked) = read::<Invited>(job) else { return Ok(None) };
    let now = app.clock.now();
    let found = invitations::by_id(tx, &asked.id).await?.filter(|invitation| now < invitation.expires_at);
    let Some(invitation) = found else { return Ok(None) };
    let code = administer::make_code(app, tx, &invitation).await?;
    let name = invitation.name.as_deref().unwrap_or_default();
    let writer = Writer::new(&app.settings, &app.templates);
    let mail = writer.invitation((&invitation.email, &code), name, invitation.expires_at)?;
    Ok(Some(Addressed { user: None, mail }))
}
