//! Addresses that an account had until lately and can have back.

use cerrojo_domain::{Email, UnixMillis, UserId};

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::Result;
use crate::row::Row;
use crate::statement::statements;
use crate::tx::Tx;

statements! {
    // Later than every other of the user's, also within a millisecond or under a clock that was set back.
    HOLD(4) = "INSERT INTO held_addresses (email, user_id, since, until) \
         SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), CASE WHEN latest >= $3 THEN latest + 1 ELSE CAST($3 AS BIGINT) END, \
         CAST($4 AS BIGINT) FROM (SELECT COALESCE(max(since), 0) AS latest FROM held_addresses WHERE user_id = $2) AS others \
         WHERE TRUE ON CONFLICT (email) DO UPDATE SET user_id = excluded.user_id, until = excluded.until, \
         since = CASE WHEN held_addresses.user_id = excluded.user_id AND held_addresses.until > excluded.since \
         THEN held_addresses.since ELSE excluded.since END";
    FIND(2) = "SELECT email, user_id, since, until FROM held_addresses WHERE email = $1 AND until > $2";
    OF_USER(1) = "SELECT email, user_id, since, until FROM held_addresses WHERE user_id = $1 ORDER BY since, email";
    RELEASE_FROM(2) = "DELETE FROM held_addresses WHERE user_id = $1 AND since >= $2";
    SWEEP(1) = "DELETE FROM held_addresses WHERE until <= $1";
}

/// One that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The address.
    pub email: Email,
    /// Whose it was.
    pub user: UserId,
    /// When the account first had another one.
    pub since: UnixMillis,
    /// Until when.
    pub until: UnixMillis,
}

/// Holds the address for this user, from `now` until then. One that is held for the user already is held on, since it was.
pub async fn hold(tx: &mut Tx, email: &Email, user: UserId, (now, until): (UnixMillis, UnixMillis)) -> Result<()> {
    tx.execute(HOLD, binds![email, user, now, until]).await.map(drop)
}

/// For whom the address is held at `now`.
pub async fn find(run: &mut impl Run, email: &Email, now: UnixMillis) -> Result<Option<Held>> {
    db::row(run, FIND, binds![email, now]).await?.as_ref().map(read).transpose()
}

/// What is held for this user, the oldest first.
pub async fn of_user(run: &mut impl Run, user: UserId) -> Result<Vec<Held>> {
    run.rows(OF_USER, binds![user]).await?.iter().map(read).collect()
}

/// Holds nothing for this user any more that is held since then or later.
pub async fn release_from(tx: &mut Tx, user: UserId, since: UnixMillis) -> Result<()> {
    tx.execute(RELEASE_FROM, binds![user, since]).await.map(drop)
}

/// Forgets those that were held until `now` or earlier; how many.
pub async fn sweep(tx: &mut Tx, now: UnixMillis) -> Result<u64> {
    tx.execute(SWEEP, binds![now]).await
}

fn read(row: &Row) -> Result<Held> {
    Ok(Held { email: Email::from_stored(row.text(0)?), user: row.user(1)?, since: row.time(2)?, until: row.time(3)? })
}
