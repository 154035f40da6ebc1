//! Whose tokens of another application are still accepted. A session is made of each when it is first used; what is kept here
//! decides whether one still may.

use std::collections::HashSet;

use cerrojo_domain::{Email, UnixMillis, User, UserId};
use ring::digest::{SHA256, digest};

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::{Result, StoreError};
use crate::statement::statements;
use crate::tx::{EndingTx, Tx};
use crate::{Store, log, migrate, users};

/// `$2`: how the token names the user.
macro_rules! is_open {
    () => {
        " WHERE user_id = $1 AND status = 'active' AND old_tokens IN (1, $2) \
         AND old_tokens_since = (SELECT value FROM counters WHERE name = 'old_tokens_generation')"
    };
}

statements! {
    IS_OPEN(2) = concat!("SELECT count(*) FROM users", is_open!());
    HOLD(2) = concat!("UPDATE users SET epoch = epoch", is_open!(), " RETURNING ", users::columns!());
    CLOSE(1) = "UPDATE users SET old_tokens = 0 WHERE user_id = $1 AND old_tokens > 0";
    CLOSE_ALL(0) = "UPDATE counters SET value = value + 1 WHERE name = 'old_tokens_generation'";
    CAME(1) = "SELECT email FROM users WHERE user_id = $1 AND old_tokens IS NOT NULL";
    ANYBODY_CAME(0) = "SELECT 1 FROM users WHERE old_tokens IS NOT NULL LIMIT 1";
    BURY(2) = "INSERT INTO old_tokens_closed (name) VALUES ($1), ($2) ON CONFLICT (name) DO NOTHING";
    BURIED(1) = "SELECT name FROM old_tokens_closed WHERE name IN (SELECT value FROM json_each($1))",
        postgres = "SELECT name FROM old_tokens_closed \
         WHERE name = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST($1 AS JSONB))))";
    REFUSE(2) = "UPDATE counters SET value = $2 WHERE name = $1 AND value < $2";
    BOUNDS(0) = "SELECT issued.value, expired.value FROM counters AS issued, counters AS expired \
         WHERE issued.name = 'old_tokens_issued_by' AND expired.name = 'old_tokens_expired_by'";
}

/// How a token names its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// By the number that the other application gave.
    Number,
    /// By the address.
    Email,
}

impl Naming {
    fn as_int(self) -> i64 {
        match self {
            Self::Number => 1,
            Self::Email => 2,
        }
    }
}

/// Tokens of the other application that are over, whoever's they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Everything was over at this time: whatever was issued by then is.
    pub issued_by: UnixMillis,
    /// Whatever expired by then has expired, whatever a clock says later.
    pub expired_by: UnixMillis,
}

/// From now on no program starts that ends sessions without closing this.
pub async fn accept(store: &Store) -> Result<()> {
    let mut tx = store.begin().await?;
    migrate::ask_for(&mut tx, migrate::OLD_TOKENS).await?;
    tx.commit().await
}

/// Whether the user came from another application, is active, and nothing has ended all of the user's sessions since.
pub async fn is_open(run: &mut impl Run, user: UserId, naming: Naming) -> Result<bool> {
    Ok(db::number(run, IS_OPEN, binds![user, naming.as_int()]).await? > 0)
}

/// The user if that is so; it stays so until the transaction ends, but for what ends everything: that retires the list, which
/// is to be held afterwards ([`crate::lists::held`]). Only then may a session be inserted, later in the transaction.
pub async fn hold(tx: &mut Tx, user: UserId, naming: Naming) -> Result<Option<User>> {
    db::row(tx, HOLD, binds![user, naming.as_int()]).await?.as_ref().map(users::read).transpose()
}

/// What is over for everybody. Read after the list is held.
pub async fn bounds(run: &mut impl Run) -> Result<Bounds> {
    let row = db::row(run, BOUNDS, binds![]).await?.ok_or_else(|| StoreError::odd("counters"))?;
    Ok(Bounds { issued_by: row.time(0)?, expired_by: row.time(1)? })
}

/// Whether anybody came from another application.
pub async fn did_anybody_come(run: &mut impl Run) -> Result<bool> {
    Ok(!run.rows(ANYBODY_CAME, binds![]).await?.is_empty())
}

/// From now on what has expired by `time` has, for ever.
pub async fn note_expired(tx: &mut Tx, time: UnixMillis) -> Result<()> {
    tx.execute(REFUSE, binds!["old_tokens_expired_by", time]).await.map(drop)
}

/// Everything is over: so is whatever anybody has, used or not, and whatever was issued by `time` to those who come later.
pub(crate) async fn close_all(tx: &mut EndingTx, time: UnixMillis) -> Result<()> {
    tx.execute(CLOSE_ALL, binds![]).await?;
    tx.execute(REFUSE, binds!["old_tokens_issued_by", time]).await.map(drop)
}

/// All of the user's sessions end, or all but one: tokens of which none was made yet are no exception.
pub(crate) async fn close(tx: &mut EndingTx, user: UserId) -> Result<()> {
    tx.execute(CLOSE, binds![user]).await.map(drop)
}

/// The user is about to go, or to have another address: nobody who comes under the number or the address again has tokens.
pub(crate) async fn bury(tx: &mut Tx, user: UserId) -> Result<()> {
    let Some(row) = db::row(tx, CAME, binds![user]).await? else { return Ok(()) };
    let email = of_email(&Email::from_stored(row.text(0)?));
    tx.execute(BURY, binds![of_number(user), email]).await.map(drop)
}

/// Which of these names are buried.
pub(crate) async fn buried(run: &mut impl Run, names: Vec<String>) -> Result<HashSet<String>> {
    let names = serde_json::Value::from(names).to_string();
    run.rows(BURIED, binds![names]).await?.iter().map(|row| row.text(0)).collect()
}

pub(crate) fn of_number(user: UserId) -> String {
    format!("number {user}")
}

/// Not the address: whoever is gone is to be forgotten.
pub(crate) fn of_email(email: &Email) -> String {
    let hash = digest(&SHA256, email.as_str().as_bytes());
    format!("email {}", log::hex(hash.as_ref().get(..16).unwrap_or_default()))
}
