//! Who registered and has to confirm the address before there is an account.

use cerrojo_domain::{Email, PendingId, UnixMillis};

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::{Result, StoreError};
use crate::row::Row;
use crate::statement::statements;
use crate::tx::Tx;

macro_rules! columns {
    () => {
        "email, id, name, password_hash, registered_at, expires_at, contested"
    };
}

statements! {
    // Links that set a password stay good, whoever registers again: hence the id of the one that still waits.
    PUT(6) = concat!(
        "INSERT INTO registrations (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, NULL) ON CONFLICT (email) DO UPDATE SET \
         id = CASE WHEN registrations.expires_at > excluded.registered_at THEN registrations.id ELSE excluded.id END, \
         contested = CASE WHEN registrations.expires_at > excluded.registered_at THEN 1 END, \
         name = excluded.name, \
         password_hash = CASE WHEN registrations.expires_at > excluded.registered_at THEN '' ELSE excluded.password_hash END, \
         registered_at = excluded.registered_at, expires_at = excluded.expires_at RETURNING id");
    BY_EMAIL(1) = concat!("SELECT ", columns!(), " FROM registrations WHERE email = $1");
    BY_ID(1) = concat!("SELECT ", columns!(), " FROM registrations WHERE id = $1");
    WAITING(2) = concat!(
        "SELECT ", columns!(), " FROM registrations WHERE expires_at > $1 ORDER BY registered_at DESC, email LIMIT $2");
    TAKE(1) = concat!("DELETE FROM registrations WHERE id = $1 RETURNING ", columns!());
    FORGET(1) = "DELETE FROM registrations WHERE email = $1";
    SWEEP(1) = "DELETE FROM registrations WHERE expires_at < $1";
}

/// One that waits.
pub struct Registration {
    /// Its own.
    pub id: PendingId,
    /// To be confirmed. May have an account all the same.
    pub email: Email,
    /// As given.
    pub name: String,
    /// PHC string. Empty if it is contested: no program can believe it.
    pub password_hash: String,
    /// When.
    pub registered_at: UnixMillis,
    /// When it is forgotten.
    pub expires_at: UnixMillis,
    /// Whether somebody registered the address again while it waited. Nobody knows then whose password it is: whoever reads
    /// the mail has to set another.
    pub is_contested: bool,
}

/// Adds it, in the place of an earlier one of the same address. The id that it has: that of the earlier one if that still
/// waits, and then it is contested, whatever is said here.
pub async fn put(tx: &mut Tx, registration: &Registration) -> Result<PendingId> {
    let Registration { id, email, name, password_hash, registered_at, expires_at, .. } = registration;
    let (name, hash) = (name.as_str(), password_hash.as_str());
    let row = db::row(tx, PUT, binds![email, id.as_str(), name, hash, *registered_at, *expires_at]).await?;
    let row = row.ok_or_else(|| StoreError::odd("registrations"))?;
    Ok(PendingId::from_text(row.text(0)?))
}

/// The one of this address, given in its one form.
pub async fn by_email(run: &mut impl Run, email: &str) -> Result<Option<Registration>> {
    db::row(run, BY_EMAIL, binds![email]).await?.as_ref().map(read).transpose()
}

/// The one of this id.
pub async fn by_id(run: &mut impl Run, id: &str) -> Result<Option<Registration>> {
    db::row(run, BY_ID, binds![id]).await?.as_ref().map(read).transpose()
}

/// Those that can be confirmed at `now`, the newest first, `limit` at most.
pub async fn waiting(run: &mut impl Run, now: UnixMillis, limit: i64) -> Result<Vec<Registration>> {
    run.rows(WAITING, binds![now, limit]).await?.iter().map(read).collect()
}

/// Takes it out: of all who try, one gets it.
pub async fn take(tx: &mut Tx, id: &PendingId) -> Result<Option<Registration>> {
    db::row(tx, TAKE, binds![id.as_str()]).await?.as_ref().map(read).transpose()
}

/// The address has another owner, or is to be forgotten; whether one waited.
pub async fn forget(tx: &mut Tx, email: &Email) -> Result<bool> {
    tx.hits(FORGET, binds![email]).await
}

/// Deletes those that were not confirmed before `before`; how many.
pub async fn sweep(tx: &mut Tx, before: UnixMillis) -> Result<u64> {
    tx.execute(SWEEP, binds![before]).await
}

fn read(row: &Row) -> Result<Registration> {
    Ok(Registration {
        email: Email::from_stored(row.text(0)?),
        id: PendingId::from_text(row.text(1)?),
        name: row.text(2)?,
        password_hash: row.text(3)?,
        registered_at: row.time(4)?,
        expires_at: row.time(5)?,
        is_contested: row.int_or_null(6)?.is_some(),
    })
}
