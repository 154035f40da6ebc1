//! Who has asked for another address and has to confirm it first: the old one stays in force until then.

use cerrojo_domain::{Email, PendingId, SessionId, UnixMillis, UserId};

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::Result;
use crate::row::Row;
use crate::statement::statements;
use crate::tx::Tx;

macro_rules! columns {
    () => {
        "user_id, id, email, epoch, session_id, expires_at"
    };
}

statements! {
    PUT(6) = concat!(
        "INSERT INTO email_changes (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (user_id) DO UPDATE SET \
         id = excluded.id, email = excluded.email, epoch = excluded.epoch, session_id = excluded.session_id, \
         expires_at = excluded.expires_at");
    OF_USER(1) = concat!("SELECT ", columns!(), " FROM email_changes WHERE user_id = $1");
    BY_ID(1) = concat!("SELECT ", columns!(), " FROM email_changes WHERE id = $1");
    TAKE(1) = concat!("DELETE FROM email_changes WHERE id = $1 RETURNING ", columns!());
    SWEEP(1) = "DELETE FROM email_changes WHERE expires_at < $1";
}

/// One that waits.
pub struct EmailChange {
    /// Its own, new with each.
    pub id: PendingId,
    /// Whose address is to change.
    pub user: UserId,
    /// The new one.
    pub email: Email,
    /// The user's epoch when it was asked for: it works under no other.
    pub epoch: i64,
    /// The session that asked; over with it.
    pub session: SessionId,
    /// When it is forgotten.
    pub expires_at: UnixMillis,
}

/// Adds it, in the place of an earlier one of the same user, whose links lead nowhere from then on.
pub async fn put(tx: &mut Tx, change: &EmailChange) -> Result<()> {
    let EmailChange { id, user, email, epoch, session, expires_at } = change;
    tx.execute(PUT, binds![*user, id.as_str(), email, *epoch, session, *expires_at]).await.map(drop)
}

/// The one of this user.
pub async fn of_user(run: &mut impl Run, user: UserId) -> Result<Option<EmailChange>> {
    db::row(run, OF_USER, binds![user]).await?.as_ref().map(read).transpose()
}

/// The one of this id.
pub async fn by_id(run: &mut impl Run, id: &str) -> Result<Option<EmailChange>> {
    db::row(run, BY_ID, binds![id]).await?.as_ref().map(read).transpose()
}

/// Takes it out; whether it was there.
pub async fn take(tx: &mut Tx, id: &PendingId) -> Result<bool> {
    Ok(db::row(tx, TAKE, binds![id.as_str()]).await?.is_some())
}

/// Deletes those that were not confirmed before `before`; how many.
pub async fn sweep(tx: &mut Tx, before: UnixMillis) -> Result<u64> {
    tx.execute(SWEEP, binds![before]).await
}

fn read(row: &Row) -> Result<EmailChange> {
    Ok(EmailChange {
        user: row.user(0)?,
        id: PendingId::from_text(row.text(1)?),
        email: Email::from_stored(row.text(2)?),
        epoch: row.int(3)?,
        session: SessionId::from_text(row.text(4)?),
        expires_at: row.time(5)?,
    })
}
