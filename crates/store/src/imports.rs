//! Users of another system, many at a time, under their own numbers. And all users, the way out.

use std::collections::{HashMap, HashSet};

use cerrojo_domain::{Email, RoleId, Status, UnixMillis, UserId};
use serde_json::{Value, json};

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::Result;
use crate::old_tokens;
use crate::statement::statements;
use crate::tx::Tx;

/// The rows of a JSON array, which is one value to bind however many there are.
macro_rules! insert_from {
    ($rows:literal) => {
        concat!(
            "INSERT INTO users (user_id, name, email, password_hash, role_id, status, epoch, registration_date, last_session, old_tokens, old_tokens_since, verified_email, has_signed_in) \
             SELECT CAST(value ->> 0 AS BIGINT), value ->> 1, value ->> 2, value ->> 3, CAST(value ->> 4 AS BIGINT), value ->> 5, \
             CAST(value ->> 6 AS BIGINT), CAST(value ->> 7 AS BIGINT), CAST(value ->> 8 AS BIGINT), CAST(value ->> 9 AS BIGINT), \
             (SELECT value FROM counters WHERE name = 'old_tokens_generation'), value ->> 10, 0 FROM ",
            $rows,
            " WHERE TRUE ON CONFLICT DO NOTHING RETURNING user_id"
        )
    };
}

statements! {
    FOUND(2) = "SELECT user_id, email FROM users WHERE email IN (SELECT value FROM json_each($1)) \
         UNION SELECT user_id, email FROM users WHERE user_id IN (SELECT value FROM json_each($2)) \
         UNION SELECT user_id, '' FROM sessions WHERE user_id IN (SELECT value FROM json_each($2))",
        postgres = "SELECT user_id, email FROM users \
         WHERE email = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST($1 AS JSONB)))) \
         UNION SELECT user_id, email FROM users \
         WHERE user_id = ANY (ARRAY(SELECT CAST(jsonb_array_elements_text(CAST($2 AS JSONB)) AS BIGINT))) \
         UNION SELECT user_id, '' FROM sessions \
         WHERE user_id = ANY (ARRAY(SELECT CAST(jsonb_array_elements_text(CAST($2 AS JSONB)) AS BIGINT)))";
    RAISE(1) = "UPDATE counters SET value = CASE WHEN value < $1 THEN $1 ELSE value END WHERE name = 'user' RETURNING value";
    INSERT(1) = insert_from!("json_each($1)"),
        postgres = insert_from!("jsonb_array_elements(CAST($1 AS JSONB))");
}

/// A user of another system.
#[derive(Clone)]
pub struct Imported {
    /// Under which number; a new one if there is none.
    pub id: Option<UserId>,
    /// As given.
    pub name: String,
    /// In its one form.
    pub email: Email,
    /// PHC or modular crypt string; empty if there is no password.
    pub password_hash: String,
    /// Number of the role.
    pub role_id: RoleId,
    /// Whether the user may sign in.
    pub status: Status,
    /// When.
    pub registration_date: UnixMillis,
    /// When, if ever.
    pub last_session: Option<UnixMillis>,
    /// Whether the address was confirmed.
    pub email_verified: bool,
}

/// What becomes of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Added.
    Added,
    /// The user is there already; nothing is changed.
    Present,
    /// The address is there, but under this other number.
    OtherNumber(UserId),
    /// The number is another user's, or was and sessions still tell of them.
    NumberTaken,
}

/// What would become of them now, in their order.
pub async fn foresee(run: &mut impl Run, users: &[Imported]) -> Result<Vec<Fate>> {
    let emails: Vec<&str> = users.iter().map(|user| user.email.as_str()).collect();
    let ids: Vec<i64> = users.iter().filter_map(|user| user.id).map(|id| id.0).collect();
    let mut by_email = HashMap::new();
    let mut taken = HashSet::new();
    for row in run.rows(FOUND, binds![json!(emails).to_string(), json!(ids).to_string()]).await? {
        let id = row.user(0)?;
        by_email.insert(row.text(1)?, id);
        taken.insert(id);
    }
    let fate = |user: &Imported| match (by_email.get(user.email.as_str()), user.id) {
        (Some(there), Some(wanted)) if *there != wanted => Fate::OtherNumber(*there),
        (Some(_), _) => Fate::Present,
        (None, Some(wanted)) if taken.contains(&wanted) => Fate::NumberTaken,
        (None, _) => Fate::Added,
    };
    Ok(users.iter().map(fate).collect())
}

/// Adds those who are not there; what became of each, in their order. No number that is given from now on is one of theirs.
/// No two of them may have the same address or number.
pub async fn add(tx: &mut Tx, users: &[Imported]) -> Result<Vec<Fate>> {
    let highest = users.iter().filter_map(|user| user.id).map(|id| id.0).max().unwrap_or(0);
    // Holds the counter, so that nobody else is given a number until this is over.
    let mut last = db::number(tx, RAISE, binds![highest]).await?;
    let mut fates = foresee(tx, users).await?;
    let closed = old_tokens::buried(tx, names_of(users, &fates)).await?;
    let mut rows = Vec::new();
    let mut numbers = Vec::new();
    for (user, fate) in users.iter().zip(&fates) {
        let number = match (fate, user.id) {
            (Fate::Added, Some(id)) => Some(id.0),
            (Fate::Added, None) => {
                last += 1;
                Some(last)
            }
            _ => None,
        };
        if let Some(number) = number {
            rows.push(row(user, number, (epoch(tx), openness(user, &closed))));
        }
        numbers.push(number);
    }
    if rows.is_empty() {
        return Ok(fates);
    }
    db::number(tx, RAISE, binds![last]).await?;
    let added = insert(tx, rows).await?;
    for (fate, number) in fates.iter_mut().zip(numbers) {
        // Somebody else changed to the address just now.
        if number.is_some_and(|number| !added.contains(&number)) {
            *fate = Fate::Present;
        }
    }
    Ok(fates)
}

async fn insert(tx: &mut Tx, rows: Vec<Value>) -> Result<HashSet<i64>> {
    let rows = db::rows(tx, INSERT, binds![Value::from(rows).to_string()]).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// What the other application's tokens name those by who are added.
fn names_of(users: &[Imported], fates: &[Fate]) -> Vec<String> {
    let added = users.iter().zip(fates).filter(|(_, fate)| **fate == Fate::Added);
    added.flat_map(|(user, _)| names(user)).collect()
}

fn names(user: &Imported) -> impl Iterator<Item = String> {
    user.id.map(old_tokens::of_number).into_iter().chain([old_tokens::of_email(&user.email)])
}

/// Whether tokens of the other application are accepted, as `users.old_tokens` has it. A number of ours means somebody else
/// to them.
fn openness(user: &Imported, closed: &HashSet<String>) -> i64 {
    match user.id {
        _ if names(user).any(|name| closed.contains(&name)) => 0,
        Some(_) => 1,
        None => 2,
    }
}

/// One that no user of this number had before: a sign-in of a deleted one that is under way must not fit.
fn epoch(tx: &Tx) -> i64 {
    i64::from(u32::from_le_bytes(tx.random().bytes()) >> 1)
}

fn row(user: &Imported, number: i64, (epoch, openness): (i64, i64)) -> Value {
    let Imported {
        id: _,
        name,
        email,
        password_hash,
        role_id,
        status,
        registration_date,
        last_session,
        email_verified,
    } = user;
    json!([
        number,
        name,
        email.as_str(),
        password_hash,
        role_id,
        status.as_str(),
        epoch,
        registration_date.0,
        last_session.map(|at| at.0),
        openness,
        email_verified.then(|| email.as_str())
    ])
}
