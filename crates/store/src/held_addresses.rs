//! Addresses that an account had until lately and can have back.

use cerrojo_domain::{Email, UnixMillis, UserId};

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::Result;
use crate::statement::statements;
use crate::tx::Tx;

statements! {
    HOLD(3) = "INSERT INTO held_addresses (email, user_id, until) VALUES ($1, $2, $3) ON CONFLICT (email) DO UPDATE SET \
         user_id = excluded.user_id, until = excluded.until";
    HOLDER(2) = "SELECT user_id FROM held_addresses WHERE email = $1 AND until > $2";
    OF_USER(1) = "SELECT email, until FROM held_addresses WHERE user_id = $1 ORDER BY until, email";
    RELEASE(1) = "DELETE FROM held_addresses WHERE user_id = $1";
    SWEEP(1) = "DELETE FROM held_addresses WHERE until <= $1";
}

/// Holds the address for this user until then.
pub async fn hold(tx: &mut Tx, email: &Email, user: UserId, until: UnixMillis) -> Result<()> {
    tx.execute(HOLD, binds![email, user, until]).await.map(drop)
}

/// For whom the address is held at `now`.
pub async fn holder(run: &mut impl Run, email: &Email, now: UnixMillis) -> Result<Option<UserId>> {
    db::row(run, HOLDER, binds![email, now]).await?.map(|row| row.user(0)).transpose()
}

/// What is held for this user, and until when.
pub async fn of_user(run: &mut impl Run, user: UserId) -> Result<Vec<(Email, UnixMillis)>> {
    let rows = run.rows(OF_USER, binds![user]).await?;
    rows.iter().map(|row| Ok((Email::from_stored(row.text(0)?), row.time(1)?))).collect()
}

/// Holds nothing for this user any more.
pub async fn release(tx: &mut Tx, user: UserId) -> Result<()> {
    tx.execute(RELEASE, binds![user]).await.map(drop)
}

/// Forgets those that were held until `now` or earlier; how many.
pub async fn sweep(tx: &mut Tx, now: UnixMillis) -> Result<u64> {
    tx.execute(SWEEP, binds![now]).await
}
