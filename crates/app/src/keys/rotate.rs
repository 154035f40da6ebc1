//! New keys for old ones, and the end of a compromised one.

use cerrojo_domain::{AuditKind, EndReason, Fact, KeyId};
use cerrojo_store::audit;
use cerrojo_store::endings::Which;
use cerrojo_store::{StoreError, log};

use super::{SESSION, STATUS_LIST};
use crate::administer::{AdminError, By};
use crate::{App, Trouble, end};

/// Why keys stay as they are.
#[derive(Debug)]
pub enum RotateError {
    /// HS256: the secret is a setting; change it there. Nothing was changed.
    GivenSecret,
    /// No key has this name.
    NotFound,
    /// As for anything that administrators do.
    Admin(AdminError),
    /// 503 or 500.
    Trouble(Trouble),
}

impl From<AdminError> for RotateError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Trouble(trouble) => Self::Trouble(trouble),
            other => Self::Admin(other),
        }
    }
}

impl From<Trouble> for RotateError {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<StoreError> for RotateError {
    fn from(error: StoreError) -> Self {
        Self::Trouble(error.into())
    }
}

/// A new session key, which signs in a few seconds, when every node and service knows it, and a new list key; old ones go on
/// verifying. The session key's name. Keys of another algorithm than the settings' are left as they are: nodes that have not
/// been given the new settings yet go on signing with them.
///
/// With HS256 nothing is rotated, the list key neither: [`RotateError::GivenSecret`].
pub async fn rotate(app: &App) -> Result<KeyId, RotateError> {
    rotate_by(app, By::Operator).await
}

/// The same on somebody's word.
pub async fn rotate_by(app: &App, by: By<'_>) -> Result<KeyId, RotateError> {
    by.check_role()?;
    if app.keys.given().is_some() {
        return Err(RotateError::GivenSecret);
    }
    let (session, list) = (app.keys.prepare(SESSION).await?, app.keys.prepare(STATUS_LIST).await?);
    let mut tx = by.check_session(app, app.store.begin_ending().await?).await?;
    let before = cerrojo_store::keys::all(&mut *tx).await?;
    let (key, session) = app.keys.add(&mut tx, session).await?;
    let (_, list) = app.keys.add(&mut tx, list).await?;
    let now = app.clock.now();
    for row in before {
        if app.keys.may_sign(&row, SESSION) || app.keys.may_sign(&row, STATUS_LIST) {
            cerrojo_store::keys::set_rotated(&mut tx, &row.id, now).await?;
        }
    }
    audit::record(&mut tx, by.act(app, AuditKind::KeyRotated).with("key", key.as_str())).await?;
    end::commit(app, tx, vec![session, list]).await?;
    tracing::info!(key.id = %key, "signing keys rotated");
    Ok(key)
}

/// Retires a compromised key: what it signed is refused for ever and every session that it signed ends. A new key is in
/// the log first if this was the signing one; a shared secret cannot be replaced here, so that sign-ins are 503 until the
/// settings give another. How many sessions ended. Retiring a retired key ends what it may still have signed.
pub async fn retire(app: &App, id: &KeyId) -> Result<usize, RotateError> {
    retire_by(app, By::Operator, id).await
}

/// The same on somebody's word.
pub async fn retire_by(app: &App, by: By<'_>, id: &KeyId) -> Result<usize, RotateError> {
    by.check_role()?;
    let rows = cerrojo_store::keys::all(&mut app.store.reader()).await?;
    let row = rows.iter().find(|row| row.id == *id).ok_or(RotateError::NotFound)?;
    let purpose = if row.purpose == SESSION { SESSION } else { STATUS_LIST };
    let is_given = app.keys.given().as_ref() == Some(id);
    let next = if app.keys.may_sign(row, purpose) && !is_given { Some(app.keys.prepare(purpose).await?) } else { None };
    let mut tx = by.check_session(app, app.store.begin_ending().await?).await?;
    let rows = cerrojo_store::keys::all(&mut *tx).await?;
    let row = rows.iter().find(|row| row.id == *id).ok_or(RotateError::NotFound)?;
    let now = app.clock.now();
    let mut entries = Vec::new();
    // Whoever signs no more by then needs none after it.
    if let Some(next) = next.filter(|_| app.keys.may_sign(row, purpose)) {
        entries.push(app.keys.add(&mut tx, next).await?.1);
    }
    if row.retired_at.is_none() {
        cerrojo_store::keys::set_retired(&mut tx, id, now).await?;
        entries.push(log::append(&mut tx, Fact::KeyRetired { key: id.clone() }, now).await?);
    }
    let mut ended = Vec::new();
    if row.purpose == SESSION {
        ended = end::in_tx(&mut tx, Which::SignedBy(id), &by.ending(app, EndReason::KeyRetired)).await?;
    }
    let count = ended.len();
    let act = by.act(app, AuditKind::KeyRetired).with("key", id.as_str()).with("purpose", row.purpose.as_str());
    audit::record(&mut tx, act.with("sessions", count)).await?;
    entries.append(&mut ended);
    end::commit(app, tx, entries).await?;
    tracing::warn!(key.id = %id, session.count = count, "signing key retired as compromised");
    Ok(count)
}
