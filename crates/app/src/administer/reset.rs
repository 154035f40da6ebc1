//! Having somebody choose another password.

use cerrojo_domain::{AuditKind, EndReason, User, UserId};
use cerrojo_store::audit;
use cerrojo_store::endings::Which;
use cerrojo_store::users::{self, Change};

use super::{AdminError, By};
use crate::hashing;
use crate::profile::changed_meanwhile;
use crate::{App, end, mail, take_back};

/// Takes somebody's password away: it works no more, nor do sign-ins with it that are in flight; every session of the user is
/// over, and a mail brings a link with which the user chooses another. Where the account gets no mail now (it is not active, or several went there
/// within the hour) the user asks for a link as for a forgotten password.
///
/// An administrator does not do it to the own account, whose session would go with it.
pub async fn force_reset(app: &App, by: By<'_>, id: UserId) -> Result<User, AdminError> {
    by.check_role()?;
    let mut tx = app.store.begin_ending().await?;
    let before = users::lock(&mut tx, id).await?;
    let mut tx = by.check_session(app, tx).await?;
    let before = before.ok_or(AdminError::NotFound)?;
    if by.is(&before) {
        return Err(AdminError::OneSelf);
    }
    let change =
        Change { password_hash: Some(hashing::voided(&before.password_hash)), raise_epoch: true, ..Change::default() };
    let changed = users::change(&mut tx, id, before.epoch, &change).await?;
    let after = changed.ok_or_else(changed_meanwhile)?;
    let ending = by.ending(app, EndReason::PasswordChanged);
    let entries = end::in_tx(&mut tx, Which::OfUser(id), &ending).await?;
    take_back::forget_links(&mut tx, id).await?;
    let act = by.act(app, AuditKind::ResetForced).to(id);
    audit::record(&mut tx, act.with("sessions", entries.len())).await?;
    mail::ask_forced_reset(&mut tx, &after, ending.at).await?;
    end::commit(app, tx, entries).await?;
    app.mail_waiting.notify_one();
    Ok(after)
}
