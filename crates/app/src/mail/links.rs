//! Mails with a link. Its code is made only now: a code is never stored, and one that could not be sent is followed by another.

use cerrojo_domain::{AddressBlock, AuditKind, Email, Origin, Status, UnixMillis, User};
use cerrojo_store::audit::{self, Act};
use cerrojo_store::codes::Purpose;
use cerrojo_store::outbox::{self, Counted, Job};
use cerrojo_store::registrations::{self, Registration};
use cerrojo_store::{StoreError, Tx, email_changes, held_addresses, invitations, users};

use super::deliver::{Addressed, read};
use super::flood::{has_links, is_flooded};
use super::job::{ConfirmAsked, EMAIL_CHANGE, EmailChanged, Invited, NewDevice, ResetAsked, ResetForced, VERIFY};
use super::templates::Writer;
use crate::mail::Mail;
use crate::recover::RESET_TTL;
use crate::take_back::{Notice, TAKE_BACK_TTL};
use crate::{App, administer, codes};

/// What codes of registrations are bound to that were asked for as for a forgotten password: those are counted.
const BY_FORGETTING: &str = "forgotten";
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
    let from = Some(AddressBlock::of(asked.address));
    if is_flooded(app, tx, job, (&user.email, from)).await? {
        return Ok(None);
    }
    let (subject, epoch) = (user.id.to_string(), user.epoch.to_string());
    if is_first(job) && has_links(app, tx, job, (Purpose::Reset, &subject, &epoch)).await? {
        return Ok(None);
    }
    outbox::count_to(tx, job.id, Counted { to: &user.email, from }).await?;
    let code = codes::make(app, tx, (Purpose::Reset, &subject), (&epoch, now.plus(RESET_TTL))).await?;
    // Here and not where it was asked for: there nobody looks whether there is an account.
    if is_first(job) {
        let act = Act::new(AuditKind::ResetAsked, job.created_at).to(user.id);
        audit::record(tx, act.from(&Origin::new(asked.address, &asked.device))).await?;
    }
    let mail = Writer::new(&app.settings, &app.templates).reset(&user.email, &code, (&asked, job.created_at))?;
    Ok(Some(Addressed { user: Some(user.id), mail }))
}

/// Whether the job was never tried before. One that was has made links that never left, and they do not count against it.
fn is_first(job: &Job) -> bool {
    job.attempts == 0
}

/// The same for somebody whose password was taken away. It goes to the address that the account has by now.
pub(super) async fn forced_reset(app: &App, tx: &mut Tx, job: &Job) -> Result<Option<Addressed>, StoreError> {
    let (Some(_), Some(user)) = (read::<ResetForced>(job), job.user) else { return Ok(None) };
    let user = users::by_id(tx, user).await?.filter(|user| user.status == Status::Active);
    let Some(user) = user else { return Ok(None) };
    if is_flooded(app, tx, job, (&user.email, None)).await? {
        return Ok(None);
    }
    let (subject, epoch, expires_at) = (user.id.to_string(), user.epoch.to_string(), app.clock.now().plus(RESET_TTL));
    let code = codes::make(app, tx, (Purpose::Reset, &subject), (&epoch, expires_at)).await?;
    let writer = Writer::new(&app.settings, &app.templates);
    let mail = writer.reset_forced((&user.email, &code), &user.name, job.created_at)?;
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
    let from = Some(AddressBlock::of(asked.address));
    if is_flooded(app, tx, job, (&waiting.email, from)).await?
        || (is_first(job)
            && has_links(app, tx, job, (Purpose::ResetRegistration, waiting.id.as_str(), BY_FORGETTING)).await?)
    {
        return Ok(None);
    }
    outbox::count_to(tx, job.id, Counted { to: &waiting.email, from }).await?;
    let expires_at = waiting.expires_at.min(now.plus(RESET_TTL));
    let code = of_registration(app, tx, (Purpose::ResetRegistration, &waiting), (BY_FORGETTING, expires_at)).await?;
    let mail = Writer::new(&app.settings, &app.templates).reset(&waiting.email, &code, (asked, job.created_at))?;
    Ok(Some(Addressed { user: None, mail }))
}

/// The link that confirms an address; or, to one that has an account, word that somebody wanted another.
pub(super) async fn confirm(app: &App, tx: &mut Tx, job: &Job) -> Result<Option<Addressed>, StoreError> {
    let Some(asked) = read::<ConfirmAsked>(job) else { return Ok(None) };
    let to = Email::from_stored(asked.email.clone());
    if is_flooded(app, tx, job, (&to, asked.address.map(AddressBlock::of))).await? {
        return Ok(None);
    }
    let writer = Writer::new(&app.settings, &app.templates);
    let asked = (&asked, job.created_at);
    let made = match users::by_email(tx, to.as_str()).await? {
        // It is about whoever has the account, unless another account wants the address: it counts for that one.
        Some(user) if job.kind != VERIFY => {
            let mail = writer.already_registered(&to, asked)?;
            return Ok(Some(Addressed { user: job.user.or(Some(user.id)), mail }));
        }
        Some(user) if user.email_verified || user.status != Status::Active => return Ok(None),
        Some(user) => Some(of_account(app, tx, job, &user).await?),
        None if job.kind == EMAIL_CHANGE => of_change(app, tx, job, asked.0).await?,
        None => return of_waiting(app, tx, job, (&to, asked)).await,
    };
    let Some((user, code, expires_at)) = made else { return Ok(None) };
    let mail = writer.verify((&to, &code), asked, expires_at)?;
    Ok(Some(Addressed { user, mail }))
}

type Made = (Option<cerrojo_domain::UserId>, String, UnixMillis);

/// What somebody asked for again is not the account's own asking until the address is confirmed.
async fn of_account(app: &App, tx: &mut Tx, job: &Job, user: &User) -> Result<Made, StoreError> {
    let expires_at = app.clock.now().plus(app.settings.confirm_within);
    let about = (Purpose::Verify, &*user.id.to_string());
    let code = codes::make(app, tx, about, (user.email.as_str(), expires_at)).await?;
    Ok((job.user, code, expires_at))
}

/// A code for the change of address that the job is about, if that still waits.
async fn of_change(app: &App, tx: &mut Tx, job: &Job, asked: &ConfirmAsked) -> Result<Option<Made>, StoreError> {
    let change = match (&asked.id, job.user) {
        (Some(id), _) => email_changes::by_id(tx, id).await?,
        // An earlier release wrote the job.
        (None, Some(user)) => email_changes::of_user(tx, user).await?,
        (None, None) => None,
    };
    let now = app.clock.now();
    let change = change.filter(|change| change.email.as_str() == asked.email && now < change.expires_at);
    let Some(change) = change else { return Ok(None) };
    let about = (Purpose::Change, change.id.as_str());
    let code = codes::make(app, tx, about, ("", change.expires_at)).await?;
    Ok(Some((job.user, code, change.expires_at)))
}

/// The link that makes an account of a registration. Only where it is certain whose registration that is does it take the
/// password that was typed: the job tells which one it is, and nobody registered the address beside it. Otherwise whoever reads
/// the mail sets one.
async fn of_waiting(
    app: &App,
    tx: &mut Tx,
    job: &Job,
    (to, asked): (&Email, (&ConfirmAsked, UnixMillis)),
) -> Result<Option<Addressed>, StoreError> {
    let waiting = match &asked.0.id {
        Some(id) => registrations::by_id(tx, id).await?,
        None => registrations::by_email(tx, to.as_str()).await?,
    };
    let now = app.clock.now();
    let waiting = waiting.filter(|waiting| waiting.email == *to && now < waiting.expires_at);
    let Some(waiting) = waiting else { return Ok(None) };
    let writer = Writer::new(&app.settings, &app.templates);
    let until = waiting.expires_at;
    let mail = if asked.0.id.is_some() && !waiting.is_contested {
        let code = of_registration(app, tx, (Purpose::Register, &waiting), ("", until)).await?;
        writer.verify((to, &code), asked, until)?
    } else {
        let code = of_registration(app, tx, (Purpose::ResetRegistration, &waiting), ("", until)).await?;
        writer.finish_registration((to, &code), asked, until)?
    };
    Ok(Some(Addressed { user: job.user, mail }))
}

async fn of_registration(
    app: &App,
    tx: &mut Tx,
    (purpose, waiting): (Purpose, &Registration),
    bound: (&str, UnixMillis),
) -> Result<String, StoreError> {
    codes::make(app, tx, (purpose, waiting.id.as_str()), bound).await
}

/// Word of a sign-in from elsewhere; with a link for whoever it was not.
pub(super) async fn new_device(app: &App, tx: &mut Tx, job: &Job) -> Result<Option<Mail>, StoreError> {
    let Some(body) = read::<NewDevice>(job) else { return Ok(None) };
    let until = app.clock.now().plus(TAKE_BACK_TTL);
    let owner = match job.user {
        Some(user) => users::by_id(tx, user).await?,
        None => None,
    };
    let is_theirs = |user: &User| user.email.as_str() == body.to && user.status == Status::Active;
    let code = match owner.filter(is_theirs) {
        Some(owner) if app.settings.not_me_link.is_some() => {
            let about = (Notice::NewDevice.purpose(), &*owner.id.to_string());
            Some(codes::make(app, tx, about, (&body.to, until)).await?)
        }
        _ => None,
    };
    Ok(Some(Writer::new(&app.settings, &app.templates).new_device(&body, code.as_deref())?))
}

/// Word that the address was changed, to the old one; with a link that changes it back, if that is offered.
pub(super) async fn email_changed(app: &App, tx: &mut Tx, job: &Job) -> Result<Option<Mail>, StoreError> {
    let Some(body) = read::<EmailChanged>(job) else { return Ok(None) };
    let writer = Writer::new(&app.settings, &app.templates);
    let to = Email::from_stored(body.to.clone());
    // Who has taken the account back meanwhile, or an administrator, has made an end of that.
    let held = held_addresses::find(tx, &to, app.clock.now()).await?.filter(|held| Some(held.user) == job.user);
    let (Some(held), true) = (held, body.undo) else { return Ok(Some(writer.email_changed(&body, None)?)) };
    let about = (Notice::EmailChanged.purpose(), &*held.user.to_string());
    let code = codes::make(app, tx, about, (&body.to, held.until)).await?;
    Ok(Some(writer.email_changed(&body, Some((&code, held.until)))?))
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
