//! Whose tokens of another application are still accepted. A session is made of each when it is first used; what is kept here
//! decides whether one still may.

use cerrojo_domain::{UnixMillis, User, UserId};

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::{Result, StoreError};
use crate::statement::statements;
use crate::tx::{EndingTx, Tx};
use crate::users;

statements! {
    IS_OPEN(1) = "SELECT count(*) FROM users WHERE user_id = $1 AND status = 'active' AND old_tokens = 1";
    HOLD(1) = concat!("UPDATE users SET epoch = epoch WHERE user_id = $1 AND status = 'active' AND old_tokens = 1 RETURNING ",
        users::columns!());
    CLOSE(1) = "UPDATE users SET old_tokens = NULL WHERE user_id = $1 AND old_tokens IS NOT NULL";
    REFUSE(2) = "UPDATE counters SET value = $2 WHERE name = $1 AND value < $2";
    BOUNDS(0) = "SELECT issued.value, expired.value FROM counters AS issued, counters AS expired \
         WHERE issued.name = 'old_tokens_issued_by' AND expired.name = 'old_tokens_expired_by'";
}

/// Tokens of the other application that are over, whoever's they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Everything was over at this time: whatever was issued by then is.
    pub issued_by: UnixMillis,
    /// Whatever expired by then has expired, whatever a clock says later.
    pub expired_by: UnixMillis,
}

/// Whether the user came from another application, is active, and nothing has ended all of the user's sessions since.
pub async fn is_open(run: &mut impl Run, user: UserId) -> Result<bool> {
    Ok(db::number(run, IS_OPEN, binds![user]).await? > 0)
}

/// The user if that is so; it stays so until the transaction ends. Only then may a session be inserted, later in it.
pub async fn hold(tx: &mut Tx, user: UserId) -> Result<Option<User>> {
    db::row(tx, HOLD, binds![user]).await?.as_ref().map(users::read).transpose()
}

/// What is over for everybody. Read after the list is held ([`crate::lists::held`]): whoever ends everything retires that.
pub async fn bounds(run: &mut impl Run) -> Result<Bounds> {
    let row = db::row(run, BOUNDS, binds![]).await?.ok_or_else(|| StoreError::odd("counters"))?;
    Ok(Bounds { issued_by: row.time(0)?, expired_by: row.time(1)? })
}

/// From now on what has expired by `time` has, for ever.
pub async fn note_expired(tx: &mut Tx, time: UnixMillis) -> Result<()> {
    tx.execute(REFUSE, binds!["old_tokens_expired_by", time]).await.map(drop)
}

/// Everything is over: so is whatever was issued by `time`, used or not.
pub(crate) async fn refuse_issued(tx: &mut EndingTx, time: UnixMillis) -> Result<()> {
    tx.execute(REFUSE, binds!["old_tokens_issued_by", time]).await.map(drop)
}

/// All of the user's sessions end, or all but one: tokens of which none was made yet are no exception.
pub(crate) async fn close(tx: &mut EndingTx, user: UserId) -> Result<()> {
    tx.execute(CLOSE, binds![user]).await.map(drop)
}
