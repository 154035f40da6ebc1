//! Changing somebody's account: what the change is, and what it ends.

use cerrojo_domain::{ADMIN_ROLE, AuditKind, Email, EndReason, Status, UnixMillis, User, UserId};
use cerrojo_store::audit;
use cerrojo_store::endings::Which;
use cerrojo_store::users::{self, Change};
use cerrojo_store::{EndingTx, StoreError};

use super::accounts::keep_an_administrator;
use super::{AdminError, By, UserChange};
use crate::hashing::Hasher;
use crate::mail::Undo;
use crate::profile::{changed_meanwhile, filled, name_is_fit, name_may_be_taken};
use crate::{App, Trouble, Verification, end, mail, onlookers, password, take_back};

/// Changes a user. A role, a status other than `active`, a password or an e-mail address that was changed ends every
/// session of the user; an administrator's own new address ends the other ones.
pub async fn update_user(app: &App, by: By<'_>, id: UserId, typed: UserChange) -> Result<User, AdminError> {
    by.check_role()?;
    let wanted = read(app, typed)?;
    let before = users::by_id(&mut app.store.reader(), id).await?.ok_or(AdminError::NotFound)?;
    let password_hash = hash_password(app, &before, wanted.password).await?;
    let mut tx = app.store.begin_ending().await?;
    let before = users::lock(&mut tx, id).await?.ok_or(AdminError::NotFound)?;
    let mut tx = by.check_session(app, tx).await?;
    let change = Change {
        name: wanted.name.filter(|name| *name != before.name),
        email: wanted.email.filter(|email| *email != before.email),
        password_hash,
        role_id: wanted.role_id.filter(|role| *role != before.role_id),
        status: wanted.status.filter(|status| *status != before.status),
        raise_epoch: false,
        email_verified: wanted.email_verified,
    };
    if wanted.seen.is_some_and(|seen| clashes(&seen, (&before, &change))) {
        return Err(AdminError::Changed);
    }
    if change.name.as_deref().is_some_and(|name| !name_may_be_taken(name)) {
        return Err(AdminError::Name);
    }
    check_own_and_last(&mut tx, by, (&before, &change)).await?;
    apply(app, tx, by, (before, change)).await
}

/// Whether something that is to change was changed since it was seen.
fn clashes(seen: &User, (before, change): (&User, &Change)) -> bool {
    let verified = change.email_verified.is_some_and(|verified| verified != before.email_verified);
    change.name.is_some() && seen.name != before.name
        || change.email.is_some() && seen.email != before.email
        || change.role_id.is_some() && seen.role_id != before.role_id
        || change.status.is_some() && seen.status != before.status
        || verified && seen.email_verified != before.email_verified
}

struct Wanted {
    name: Option<String>,
    email: Option<Email>,
    role_id: Option<i64>,
    status: Option<Status>,
    email_verified: Option<bool>,
    password: Option<String>,
    seen: Option<User>,
}

fn read(app: &App, typed: UserChange) -> Result<Wanted, AdminError> {
    let UserChange { name, email, role_id, status, email_verified, password, seen } = typed;
    let (name, email) = (filled(name), filled(email));
    let says_who = name.is_some() || email.is_some() || email_verified.is_some();
    if !says_who && role_id.is_none() && status.is_none() && password.is_none() {
        return Err(AdminError::Nothing);
    }
    if name.as_deref().is_some_and(|name| !name_is_fit(name)) {
        return Err(AdminError::Name);
    }
    if role_id.is_some_and(|role| !app.settings.roles.exists(role)) {
        return Err(AdminError::Role);
    }
    let status = status.map(|status| Status::parse(&status).ok_or(AdminError::Status)).transpose()?;
    let email = email.as_deref().map(Email::parse).transpose()?;
    Ok(Wanted { name, email, role_id, status, email_verified, password, seen })
}

async fn hash_password(app: &App, user: &User, password: Option<String>) -> Result<Option<String>, AdminError> {
    let Some(password) = password else { return Ok(None) };
    let flaws = password::flaws(app, &password, &user.name, &user.email).await?;
    if !flaws.is_empty() {
        return Err(AdminError::Password(flaws));
    }
    Ok(Some(app.hasher.hash(Hasher::operator_turn(), password).await.map_err(Trouble::from)?))
}

async fn check_own_and_last(
    tx: &mut EndingTx,
    by: By<'_>,
    (before, change): (&User, &Change),
) -> Result<(), AdminError> {
    if change.role_id.is_none() && change.status.is_none() {
        return Ok(());
    }
    if by.is(before) {
        return Err(AdminError::OneSelf);
    }
    let stays = change.role_id.unwrap_or(before.role_id) == ADMIN_ROLE
        && change.status.unwrap_or(before.status) == Status::Active;
    if stays { Ok(()) } else { keep_an_administrator(tx, before).await }
}

/// What a change ends sessions for, the gravest first; nothing if it ends none.
fn reason(change: &Change) -> Option<EndReason> {
    if change.status.is_some_and(|status| status != Status::Active) {
        Some(EndReason::Disabled)
    } else if change.role_id.is_some() {
        Some(EndReason::RoleChanged)
    } else if change.password_hash.is_some() {
        Some(EndReason::PasswordChanged)
    } else if change.email.is_some() {
        Some(EndReason::EmailChanged)
    } else {
        None
    }
}

async fn apply(
    app: &App,
    mut tx: EndingTx,
    by: By<'_>,
    (before, mut change): (User, Change),
) -> Result<User, AdminError> {
    let reason = reason(&change);
    change.raise_epoch = reason.is_some();
    let after = match users::change(&mut tx, before.id, before.epoch, &change).await {
        Err(StoreError::Taken) => return Err(AdminError::EmailTaken),
        changed => changed?.ok_or_else(changed_meanwhile)?,
    };
    record(app, &mut tx, by, (&before, &change)).await?;
    if change.email.is_some() || change.password_hash.is_some() {
        take_back::forget_links(&mut tx, after.id).await?;
    }
    let mut entries = Vec::new();
    if let Some(reason) = reason {
        let ending = by.ending(app, reason);
        let which = match by {
            By::Administrator(caller, _) if by.is(&before) => Which::OthersOf(before.id, &caller.session),
            _ => Which::OfUser(before.id),
        };
        entries = end::in_tx(&mut tx, which, &ending).await?;
        if change.email.is_some() {
            mail::keep_with(&mut tx, &before).await?;
            mail::tell_email_changed(&mut tx, (&before, &after, Undo::No), ending.place, ending.at).await?;
            ask_to_verify(app, &mut tx, &after, ending.at).await?;
        }
        if change.password_hash.is_some() {
            mail::tell_password_changed(&mut tx, &after, ending.place, ending.at).await?;
        }
    }
    end::commit(app, tx, entries).await?;
    app.mail_waiting.notify_one();
    onlookers::tell_profile(app, after.id).await;
    Ok(after)
}

/// An entry of the audit trail for each thing that was changed.
async fn record(
    app: &App,
    tx: &mut EndingTx,
    by: By<'_>,
    (before, change): (&User, &Change),
) -> Result<(), StoreError> {
    let act = |kind| by.act(app, kind).to(before.id);
    let mut acts = Vec::new();
    if let Some(name) = &change.name {
        let act = act(AuditKind::ProfileChanged).with_personal("name_from", before.name.as_str());
        acts.push(act.with_personal("name_to", name.as_str()));
    }
    if let Some(role) = change.role_id {
        acts.push(act(AuditKind::RoleChanged).with("from", before.role_id).with("to", role));
    }
    if let Some(status) = change.status {
        acts.push(act(AuditKind::StatusChanged).with("from", before.status.as_str()).with("to", status.as_str()));
    }
    if change.password_hash.is_some() {
        acts.push(act(AuditKind::PasswordChanged));
    }
    if let Some(email) = &change.email {
        let act = act(AuditKind::EmailChanged).with_personal("from", before.email.as_str());
        acts.push(act.with_personal("to", email.as_str()));
    }
    if let Some(verified) = change.email_verified.filter(|verified| *verified != before.email_verified) {
        acts.push(act(AuditKind::EmailConfirmed).with("set_to", verified));
    }
    if acts.is_empty() { Ok(()) } else { audit::record_all(tx, acts).await }
}

/// The new address is in force at once, on the word of whoever set it; that mail reaches the user still has to be shown.
async fn ask_to_verify(app: &App, tx: &mut EndingTx, user: &User, at: UnixMillis) -> Result<(), StoreError> {
    if app.settings.verification == Verification::Off || user.email_verified {
        return Ok(());
    }
    mail::ask_verify(tx, (Some(user.id), &user.email), None, at).await
}
