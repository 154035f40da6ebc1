//! Ending other people's sessions.

use cerrojo_domain::{AuditKind, EndReason, SessionId, UserId};
use cerrojo_store::audit;
use cerrojo_store::endings::Which;
use cerrojo_store::users;

use super::{AdminError, By};
use crate::sessions::{Session, Show, of_user};
use crate::{App, end};

/// A user's sessions.
pub async fn user_sessions(app: &App, by: By<'_>, id: UserId, show: Show) -> Result<Vec<Session>, AdminError> {
    super::user(app, by, id).await?;
    Ok(of_user(app, id, show).await?)
}

/// Ends all of a user's sessions; how many that were.
pub async fn end_user_sessions(app: &App, by: By<'_>, id: UserId) -> Result<usize, AdminError> {
    by.check_role()?;
    let mut tx = app.store.begin_ending().await?;
    let user = users::lock(&mut tx, id).await?;
    let mut tx = by.check_session(app, tx).await?;
    user.ok_or(AdminError::NotFound)?;
    let entries = end::in_tx(&mut tx, Which::OfUser(id), &by.ending(app, reason(by))).await?;
    let ended = entries.len();
    let act = by.act(app, AuditKind::SessionsEnded).to(id);
    audit::record(&mut tx, act.with("reason", reason(by).as_str()).with("count", ended)).await?;
    end::commit(app, tx, entries).await?;
    Ok(ended)
}

/// Ends one session, on the operator's word.
pub async fn end_session(app: &App, id: &SessionId) -> Result<(), AdminError> {
    let mut tx = app.store.begin_ending().await?;
    let entries = end::in_tx(&mut tx, Which::One(id), &By::Operator.ending(app, EndReason::Operator)).await?;
    if entries.is_empty() {
        return Err(AdminError::NotFound);
    }
    end::commit(app, tx, entries).await?;
    Ok(())
}

/// Ends every session there is by one entry, on the operator's word. Sign-ins and reset links in flight go on.
pub async fn end_everything(app: &App) -> Result<(), AdminError> {
    end_everything_by(app, By::Operator).await
}

/// The same on the word of an administrator, whose own session ends as well.
pub async fn end_everything_by(app: &App, by: By<'_>) -> Result<(), AdminError> {
    by.check_role()?;
    let tx = by.check_session(app, app.store.begin_ending().await?).await?;
    end::everything_by(app, tx, by.ending(app, reason(by))).await?;
    Ok(())
}

/// Ends every session after a restore; sign-ins in flight and pending reset links fail as well.
pub async fn end_everything_restored(app: &App) -> Result<(), AdminError> {
    end::everything(app, By::Operator.ending(app, EndReason::Restored)).await?;
    Ok(())
}

pub(super) fn reason(by: By<'_>) -> EndReason {
    match by {
        By::Administrator(..) => EndReason::Admin,
        By::Operator => EndReason::Operator,
    }
}
