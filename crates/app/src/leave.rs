//! Deleting one's own account.

use cerrojo_domain::{ADMIN_ROLE, Actor, EndReason, Ending, Origin, User};
use cerrojo_store::users;

use crate::account::{self, Reauth, if_live};
use crate::profile::changed_meanwhile;
use crate::{App, Caller, Limited, OwnDeletion, Trouble, administer, end};

/// Why not.
#[derive(Debug)]
pub enum LeaveError {
    /// 403: the operator has not allowed it.
    Off,
    /// 403: an administrator's account is deleted by another one.
    Administrator,
    /// 400, 401 or 429: the current password is always asked for.
    Reauth(Reauth),
    /// 401: the calling session ended meanwhile.
    SessionOver,
    /// 503 or 500.
    Trouble(Trouble),
}

impl<E: Into<Trouble>> From<E> for LeaveError {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

/// Deletes it, with the current password. Every session is over, the calling one too.
pub async fn leave(
    app: &App,
    caller: &Caller,
    origin: &Origin,
    current_password: Option<String>,
) -> Limited<Result<(), LeaveError>> {
    let user = match may_leave(app, caller).await {
        Ok(user) => user,
        Err(error) => return Limited { outcome: Err(error), quota: None },
    };
    let Some(password) = current_password.filter(|password| !password.is_empty()) else {
        return Limited { outcome: Err(LeaveError::Reauth(Reauth::Missing)), quota: None };
    };
    let Limited { outcome, quota } = account::check_password(app, &user, origin, password).await;
    let outcome = match outcome {
        Ok(()) => delete(app, caller, origin, &user).await,
        Err(error) => Err(LeaveError::Reauth(error)),
    };
    Limited { outcome, quota }
}

async fn may_leave(app: &App, caller: &Caller) -> Result<User, LeaveError> {
    if app.settings.own_deletion == OwnDeletion::Off {
        return Err(LeaveError::Off);
    }
    // A changed role ends every session, so what the token says is so.
    if caller.role_id == ADMIN_ROLE {
        return Err(LeaveError::Administrator);
    }
    users::by_id(&mut app.store.reader(), caller.user).await?.ok_or(LeaveError::SessionOver)
}

async fn delete(app: &App, caller: &Caller, origin: &Origin, checked: &User) -> Result<(), LeaveError> {
    let mut tx = app.store.begin_ending().await?;
    administer::forget_registration(&mut tx, checked).await?;
    let user = users::lock(&mut tx, caller.user).await?;
    let mut tx = if_live(app, tx, caller).await?.ok_or(LeaveError::SessionOver)?;
    // The password that was given is no longer the account's.
    let user = user.filter(|user| user.epoch == checked.epoch).ok_or_else(changed_meanwhile)?;
    let (actor, place) = (Actor::User(caller.user), Some(origin.address));
    let ending = Ending { reason: EndReason::UserDeleted, actor, at: app.clock.now(), place };
    let (entries, left) = administer::remove(app, &mut tx, &user, &ending).await?;
    end::commit(app, tx, entries).await?;
    crate::audit::erase_the_rest(app, user.id, left).await;
    Ok(())
}
