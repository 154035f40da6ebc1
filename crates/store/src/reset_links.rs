//! Pending links to reset a password. Only the hash of a link's code is here.

use cerrojo_domain::{UnixMillis, UserId};

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::Result;
use crate::row::Row;
use crate::statement::statements;
use crate::tx::Tx;

statements! {
    INSERT(4) = "INSERT INTO reset_links (code_hash, user_id, epoch, expires_at) VALUES ($1, $2, $3, $4)";
    TAKE(1) = "DELETE FROM reset_links WHERE code_hash = $1 RETURNING code_hash, user_id, epoch, expires_at";
    FIND(1) = "SELECT code_hash, user_id, epoch, expires_at FROM reset_links WHERE code_hash = $1";
    SWEEP(1) = "DELETE FROM reset_links WHERE expires_at < $1";
}

/// A pending link.
pub struct Link {
    /// SHA-256 of the code, in hexadecimal.
    pub code_hash: String,
    /// Whose password it resets.
    pub user: UserId,
    /// The user's epoch when it was made: it works under no other.
    pub epoch: i64,
    /// When it stops working.
    pub expires_at: UnixMillis,
}

/// Adds a link.
///
/// # Errors
/// [`crate::StoreError::Taken`] if there is one of this code; `Broken` if the user is gone.
pub async fn insert(tx: &mut Tx, link: &Link) -> Result<()> {
    let binds = binds![link.code_hash.as_str(), link.user, link.epoch, link.expires_at];
    tx.execute(INSERT, binds).await.map(drop)
}

/// Takes the link out: of all who try, one gets it. The caller looks at its time and its epoch.
pub async fn take(tx: &mut Tx, code_hash: &str) -> Result<Option<Link>> {
    db::row(tx, TAKE, binds![code_hash]).await?.as_ref().map(read).transpose()
}

/// The link, without using it up.
pub async fn find(run: &mut impl Run, code_hash: &str) -> Result<Option<Link>> {
    db::row(run, FIND, binds![code_hash]).await?.as_ref().map(read).transpose()
}

/// Deletes the links that stopped working before `before`; how many.
pub async fn sweep(tx: &mut Tx, before: UnixMillis) -> Result<u64> {
    tx.execute(SWEEP, binds![before]).await
}

fn read(row: &Row) -> Result<Link> {
    Ok(Link { code_hash: row.text(0)?, user: row.user(1)?, epoch: row.int(2)?, expires_at: row.time(3)? })
}
