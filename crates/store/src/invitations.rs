//! Who was invited and has not accepted yet.

use cerrojo_domain::{Email, InvitationId, RoleId, UnixMillis, UserId};

use crate::bind::{Bind, binds};
use crate::db::{self, Run};
use crate::errors::Result;
use crate::row::Row;
use crate::statement::statements;
use crate::tx::Tx;

macro_rules! columns {
    () => {
        "id, email, name, role_id, invited_by, inviter_epoch, created_at, expires_at"
    };
}

statements! {
    INSERT(8) = concat!("INSERT INTO invitations (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
    BY_ID(1) = concat!("SELECT ", columns!(), " FROM invitations WHERE id = $1");
    BY_EMAIL(1) = concat!("SELECT ", columns!(), " FROM invitations WHERE email = $1");
    PAGE(3) = concat!(
        "SELECT ", columns!(), " FROM invitations WHERE expires_at > $1 ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3");
    COUNT(1) = "SELECT count(*) FROM invitations WHERE expires_at > $1";
    PROLONG(4) = concat!(
        "UPDATE invitations SET expires_at = $2, invited_by = $3, inviter_epoch = $4 WHERE id = $1 RETURNING ", columns!());
    TAKE(1) = concat!("DELETE FROM invitations WHERE id = $1 RETURNING ", columns!());
    FORGET(1) = "DELETE FROM invitations WHERE email = $1";
    SWEEP(1) = "DELETE FROM invitations WHERE expires_at < $1";
}

/// The administrator who answers for an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inviter {
    /// Who.
    pub user: UserId,
    /// The epoch that this one had: under another the invitation is void, as pending reset links are.
    pub epoch: i64,
}

/// One that waits.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Random.
    pub id: InvitationId,
    /// Whom it goes to.
    pub email: Email,
    /// What the person is called, if it was said.
    pub name: Option<String>,
    /// Number of the role that the person gets.
    pub role_id: RoleId,
    /// The administrator who invites; `None`: the operator.
    pub invited_by: Option<Inviter>,
    /// When.
    pub created_at: UnixMillis,
    /// When it can be accepted no more.
    pub expires_at: UnixMillis,
}

/// Adds it.
///
/// # Errors
/// [`crate::StoreError::Taken`] if there is one of this address.
pub async fn insert(tx: &mut Tx, invitation: &Invitation) -> Result<()> {
    let Invitation { id, email, name, role_id, invited_by, created_at, expires_at } = invitation;
    let name = Bind::from(name.clone());
    let (user, epoch) = (invited_by.map(|by| by.user), invited_by.map(|by| by.epoch));
    tx.execute(INSERT, binds![id.as_str(), email, name, *role_id, user, epoch, *created_at, *expires_at])
        .await
        .map(drop)
}

/// The one of this id.
pub async fn by_id(run: &mut impl Run, id: &str) -> Result<Option<Invitation>> {
    db::row(run, BY_ID, binds![id]).await?.as_ref().map(read).transpose()
}

/// The one of this address, given in its one form.
pub async fn by_email(run: &mut impl Run, email: &str) -> Result<Option<Invitation>> {
    db::row(run, BY_EMAIL, binds![email]).await?.as_ref().map(read).transpose()
}

/// Those that can be accepted at `now`, the newest first.
pub async fn page(run: &mut impl Run, now: UnixMillis, (offset, limit): (i64, i64)) -> Result<Vec<Invitation>> {
    run.rows(PAGE, binds![now, limit, offset]).await?.iter().map(read).collect()
}

/// How many can be accepted at `now`.
pub async fn count(run: &mut impl Run, now: UnixMillis) -> Result<i64> {
    db::number(run, COUNT, binds![now]).await
}

/// It can be accepted until `expires_at`, and `by` answers for it from now on; as it is then.
pub async fn prolong(
    tx: &mut Tx,
    id: &str,
    (expires_at, by): (UnixMillis, Option<Inviter>),
) -> Result<Option<Invitation>> {
    let (user, epoch) = (by.map(|by| by.user), by.map(|by| by.epoch));
    db::row(tx, PROLONG, binds![id, expires_at, user, epoch]).await?.as_ref().map(read).transpose()
}

/// Takes it out: of all who try, one gets it.
pub async fn take(tx: &mut Tx, id: &str) -> Result<Option<Invitation>> {
    db::row(tx, TAKE, binds![id]).await?.as_ref().map(read).transpose()
}

/// The address is to be forgotten.
pub async fn forget(tx: &mut Tx, email: &Email) -> Result<()> {
    tx.execute(FORGET, binds![email]).await.map(drop)
}

/// Deletes those that could not be accepted any more before `before`; how many.
pub async fn sweep(tx: &mut Tx, before: UnixMillis) -> Result<u64> {
    tx.execute(SWEEP, binds![before]).await
}

fn read(row: &Row) -> Result<Invitation> {
    Ok(Invitation {
        id: InvitationId::from_text(row.text(0)?),
        email: Email::from_stored(row.text(1)?),
        name: row.text_or_null(2)?,
        role_id: row.int(3)?,
        invited_by: row
            .int_or_null(4)?
            .zip(row.int_or_null(5)?)
            .map(|(user, epoch)| Inviter { user: UserId(user), epoch }),
        created_at: row.time(6)?,
        expires_at: row.time(7)?,
    })
}
