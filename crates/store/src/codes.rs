//! Codes that were mailed: what each is good for, and for whom. Only their hashes are here.

use cerrojo_domain::{UnixMillis, UserId};

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::{Result, StoreError};
use crate::row::Row;
use crate::statement::statements;
use crate::tx::Tx;

statements! {
    INSERT(5) = "INSERT INTO codes (code_hash, purpose, subject, bound_to, expires_at) VALUES ($1, $2, $3, $4, $5)";
    TAKE(1) = "DELETE FROM codes WHERE code_hash = $1 RETURNING code_hash, purpose, subject, bound_to, expires_at";
    FIND(1) = "SELECT code_hash, purpose, subject, bound_to, expires_at FROM codes WHERE code_hash = $1";
    COUNT_GOOD(4) = "SELECT count(*) FROM codes WHERE subject = $1 AND purpose = $2 AND bound_to = $3 AND expires_at > $4";
    VOID(2) = "DELETE FROM codes WHERE subject = $1 AND purpose = $2";
    FORGET(1) = "DELETE FROM codes WHERE subject = $1 AND purpose IN ('reset', 'verify', 'not_me', 'undo_email')";
    SWEEP(1) = "DELETE FROM codes WHERE expires_at < $1";
}

/// What a code is good for; `subject` says for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To set a user's password anew; bound to the user's epoch.
    Reset,
    /// The same for somebody who registered and has not confirmed the address (`registrations.id`).
    ResetRegistration,
    /// To confirm a user's address, which it is bound to.
    Verify,
    /// To confirm the address of a registration (`registrations.id`).
    Register,
    /// To confirm another address of a user (`email_changes.id`).
    Change,
    /// To accept an invitation (`invitations.id`).
    Invitation,
    /// To say that a sign-in was somebody else's; bound to the user's address.
    NotMe,
    /// To give a user the address back that it is bound to.
    UndoEmail,
    /// To make the first administrator.
    FirstAdministrator,
}

impl Purpose {
    const ALL: [Self; 9] = [
        Self::Reset,
        Self::ResetRegistration,
        Self::Verify,
        Self::Register,
        Self::Change,
        Self::Invitation,
        Self::NotMe,
        Self::UndoEmail,
        Self::FirstAdministrator,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::ResetRegistration => "reset_registration",
            Self::Verify => "verify",
            Self::Register => "register",
            Self::Change => "change",
            Self::Invitation => "invitation",
            Self::NotMe => "not_me",
            Self::UndoEmail => "undo_email",
            Self::FirstAdministrator => "first_administrator",
        }
    }
}

/// A code that was mailed.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// SHA-256 of the code, in hexadecimal.
    pub code_hash: String,
    /// What it is good for.
    pub purpose: Purpose,
    /// For whom: a user's number, or the id of what waits.
    pub subject: String,
    /// What still has to be so of the subject; empty if nothing has.
    pub bound_to: String,
    /// When it stops working.
    pub expires_at: UnixMillis,
}

impl Code {
    /// The user whom it is for.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        let is_for_one = matches!(self.purpose, Purpose::Reset | Purpose::Verify | Purpose::NotMe | Purpose::UndoEmail);
        is_for_one.then(|| self.subject.parse().ok().map(UserId))?
    }
}

/// Adds a code.
///
/// # Errors
/// [`StoreError::Taken`] if there is one of this hash.
pub async fn insert(tx: &mut Tx, code: &Code) -> Result<()> {
    let (hash, subject, bound_to) = (code.code_hash.as_str(), code.subject.as_str(), code.bound_to.as_str());
    tx.execute(INSERT, binds![hash, code.purpose.as_str(), subject, bound_to, code.expires_at]).await.map(drop)
}

/// Takes the code out: of all who try, one gets it. The caller looks at its purpose, its time and what it is bound to.
pub async fn take(tx: &mut Tx, code_hash: &str) -> Result<Option<Code>> {
    db::row(tx, TAKE, binds![code_hash]).await?.as_ref().map(read).transpose()
}

/// The code, without using it up.
pub async fn find(run: &mut impl Run, code_hash: &str) -> Result<Option<Code>> {
    db::row(run, FIND, binds![code_hash]).await?.as_ref().map(read).transpose()
}

/// How many that were made for this subject, bound to this, still work at `now`.
pub async fn count_good(
    run: &mut impl Run,
    (subject, purpose): (&str, Purpose),
    bound_to: &str,
    now: UnixMillis,
) -> Result<i64> {
    db::number(run, COUNT_GOOD, binds![subject, purpose.as_str(), bound_to, now]).await
}

/// Those that were made for this subject before work no more.
pub async fn void(tx: &mut Tx, subject: &str, purpose: Purpose) -> Result<()> {
    tx.execute(VOID, binds![subject, purpose.as_str()]).await.map(drop)
}

/// The same for everything that a user was sent.
pub(crate) async fn forget(tx: &mut Tx, user: UserId) -> Result<()> {
    tx.execute(FORGET, binds![user.to_string()]).await.map(drop)
}

/// Deletes the codes that stopped working before `before`; how many.
pub async fn sweep(tx: &mut Tx, before: UnixMillis) -> Result<u64> {
    tx.execute(SWEEP, binds![before]).await
}

fn read(row: &Row) -> Result<Code> {
    let purpose = row.text(1)?;
    let purpose = Purpose::ALL.into_iter().find(|one| one.as_str() == purpose);
    Ok(Code {
        code_hash: row.text(0)?,
        purpose: purpose.ok_or_else(|| StoreError::odd("codes.purpose"))?,
        subject: row.text(2)?,
        bound_to: row.text(3)?,
        expires_at: row.time(4)?,
    })
}
