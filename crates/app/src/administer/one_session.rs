//! Ending one of somebody's sessions.

use cerrojo_domain::{SessionId, UserId};
use cerrojo_store::endings::Which;
use cerrojo_store::{sessions, users};

use super::endings::reason;
use super::{AdminError, By};
use crate::{App, end};

/// Ends one session of this user. [`AdminError::NotFound`]: the user is not there, or has no such session that is live.
pub async fn end_user_session(app: &App, by: By<'_>, user: UserId, id: &SessionId) -> Result<(), AdminError> {
    by.check_role()?;
    let mut tx = app.store.begin_ending().await?;
    let found = users::lock(&mut tx, user).await?;
    let mut tx = by.check_session(app, tx).await?;
    found.ok_or(AdminError::NotFound)?;
    let session = sessions::by_id(&mut *tx, id).await?;
    session.filter(|session| session.user == user).ok_or(AdminError::NotFound)?;
    let entries = end::in_tx(&mut tx, Which::One(id), &by.ending(app, reason(by))).await?;
    if entries.is_empty() {
        return Err(AdminError::NotFound);
    }
    end::commit(app, tx, entries).await?;
    Ok(())
}
