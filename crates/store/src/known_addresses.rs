//! From where each account signed in: those addresses are not bound by the account's limit, and no news to its owner.

use cerrojo_domain::{AddressBlock, UnixMillis, UserId};

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::Result;
use crate::statement::statements;
use crate::tx::Tx;

statements! {
    NOTE(3) = "INSERT INTO known_addresses (user_id, block, seen_at) VALUES ($1, $2, $3) \
         ON CONFLICT (user_id, block) DO UPDATE SET seen_at = excluded.seen_at \
         WHERE known_addresses.seen_at < excluded.seen_at";
    KEEP_NEWEST(1) = "DELETE FROM known_addresses WHERE user_id = $1 AND block NOT IN \
         (SELECT block FROM known_addresses WHERE user_id = $1 ORDER BY seen_at DESC, block LIMIT 20)";
    IS_KNOWN(3) = "SELECT count(*) FROM known_addresses WHERE user_id = $1 AND block = $2 AND seen_at >= $3";
    OF_USER(1) = "SELECT block, seen_at FROM known_addresses WHERE user_id = $1 ORDER BY seen_at DESC, block";
    FORGET(1) = "DELETE FROM known_addresses WHERE user_id = $1";
    SWEEP(1) = "DELETE FROM known_addresses WHERE seen_at < $1";
}

/// Notes that `user` signed in from `block`, then keeps only the newest 20 of that user.
///
/// # Errors
/// [`crate::StoreError::Broken`] if the user is gone.
pub async fn note(tx: &mut Tx, user: UserId, block: AddressBlock, at: UnixMillis) -> Result<()> {
    tx.execute(NOTE, binds![user, block.to_string(), at]).await?;
    tx.execute(KEEP_NEWEST, binds![user]).await.map(drop)
}

/// Whether `user` signed in from `block` at or after `since`.
pub async fn is_known(run: &mut impl Run, user: UserId, block: AddressBlock, since: UnixMillis) -> Result<bool> {
    Ok(db::number(run, IS_KNOWN, binds![user, block.to_string(), since]).await? > 0)
}

/// From which blocks `user` signed in, and when last; the latest first.
pub async fn of_user(run: &mut impl Run, user: UserId) -> Result<Vec<(String, UnixMillis)>> {
    run.rows(OF_USER, binds![user]).await?.iter().map(|row| Ok((row.text(0)?, row.time(1)?))).collect()
}

/// Forgets all of this user's.
pub async fn forget(tx: &mut Tx, user: UserId) -> Result<()> {
    tx.execute(FORGET, binds![user]).await.map(drop)
}

/// Forgets what was last seen before `before`; how many.
pub async fn sweep(tx: &mut Tx, before: UnixMillis) -> Result<u64> {
    tx.execute(SWEEP, binds![before]).await
}
