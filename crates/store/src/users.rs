//! Users.

use cerrojo_domain::{Email, RoleId, Status, UnixMillis, User, UserId};

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::{Result, StoreError};
use crate::row::Row;
use crate::statement::statements;
use crate::tx::{EndingTx, Tx};
use crate::{Store, codes, meta, old_tokens};

/// A user's epoch as everybody sees it: the row's own, counted from where the installation's epochs begin.
macro_rules! epoch {
    () => {
        "epoch + COALESCE((SELECT CAST(value AS BIGINT) FROM meta WHERE name = 'epochs_begin'), 0)"
    };
}

macro_rules! columns {
    () => {
        concat!(
            "user_id, name, email, password_hash, role_id, status, ",
            $crate::users::epoch!(),
            ", registration_date, last_session, verified_email"
        )
    };
}
pub(crate) use {columns, epoch};

statements! {
    NEXT_NUMBER(0) = "UPDATE counters SET value = value + 1 WHERE name = 'user' RETURNING value";
    INSERT(8) = concat!(
        "INSERT INTO users (user_id, name, email, password_hash, role_id, status, epoch, registration_date, verified_email) \
         VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8) RETURNING ", columns!());
    TELL_PROFILE(2) = "SELECT $1 || $2",
        postgres = "SELECT CAST(pg_notify('cerrojo.' || current_schema(), \
         'profile ' || CAST(CAST($1 AS BIGINT) AS TEXT) || ' ' || CAST($2 AS TEXT)) AS TEXT)";
    BY_ID(1) = concat!("SELECT ", columns!(), " FROM users WHERE user_id = $1");
    BY_EMAIL(1) = concat!("SELECT ", columns!(), " FROM users WHERE email = $1");
    PAGE(2) = concat!(
        "SELECT ", columns!(), " FROM users ORDER BY registration_date DESC, user_id DESC LIMIT $1 OFFSET $2");
    AFTER(2) = concat!("SELECT ", columns!(), " FROM users WHERE user_id > $1 ORDER BY user_id LIMIT $2");
    COUNT(0) = "SELECT count(*) FROM users";
    COUNT_ACTIVE_WITH_ROLE(1) = "SELECT count(*) FROM users WHERE role_id = $1 AND status = 'active'";
    SIGN_IN(3) = concat!(
        "UPDATE users SET last_session = $3 WHERE user_id = $1 AND ", epoch!(), " = $2 AND status = 'active'");
    NOTE_SIGNED_IN(1) = "UPDATE users SET has_signed_in = 1 WHERE user_id = $1 AND COALESCE(has_signed_in, 0) = 0";
    // Where nothing is noted, whoever has a last session had it here, unless it came with an import.
    NOTE_FIRST(2) = "UPDATE users SET has_signed_in = 1 WHERE user_id = $1 \
         AND (has_signed_in = 0 OR (has_signed_in IS NULL AND ($2 = 0 OR old_tokens IS NOT NULL)))";
    CHANGE(9) = concat!(
        "UPDATE users SET name = COALESCE($3, name), email = COALESCE($4, email), \
         password_hash = COALESCE($5, password_hash), role_id = COALESCE($6, role_id), status = COALESCE($7, status), \
         epoch = epoch + $8, verified_email = CASE WHEN $9 = 1 THEN COALESCE($4, email) \
         WHEN $9 = 0 OR $4 IS NOT NULL THEN NULL ELSE verified_email END WHERE user_id = $1 AND ", epoch!(), " = $2 RETURNING ", columns!());
    LOCK(1) = concat!("UPDATE users SET epoch = epoch WHERE user_id = $1 RETURNING ", columns!());
    VERIFY(2) = "UPDATE users SET verified_email = email WHERE user_id = $1 AND email = $2 AND status = 'active'";
    UPGRADE_HASH(3) = "UPDATE users SET password_hash = $3 WHERE user_id = $1 AND password_hash = $2";
    RAISE_EVERY_EPOCH(0) = "UPDATE users SET epoch = epoch + 1";
    DELETE(1) = "DELETE FROM users WHERE user_id = $1";
}

/// A user to be.
pub struct NewUser {
    /// As given.
    pub name: String,
    /// Not used by anybody else.
    pub email: Email,
    /// PHC or modular crypt string.
    pub password_hash: String,
    /// Number of the role.
    pub role_id: RoleId,
    /// Whether the user may sign in.
    pub status: Status,
    /// When.
    pub registered_at: UnixMillis,
    /// Whether it is known that mail to the address reaches the user.
    pub email_verified: bool,
}

/// What changes; `None` stays as it is.
#[derive(Default)]
pub struct Change {
    /// The name.
    pub name: Option<String>,
    /// The e-mail address.
    pub email: Option<Email>,
    /// The password's hash.
    pub password_hash: Option<String>,
    /// The role's number.
    pub role_id: Option<RoleId>,
    /// Whether the user may sign in.
    pub status: Option<Status>,
    /// Whether sign-ins in flight and pending reset links become void.
    pub raise_epoch: bool,
    /// Whether the address, as it is then, is confirmed. Another one is not, if nothing is said.
    pub email_verified: Option<bool>,
}

/// Makes a user with the next number, which no user ever had.
///
/// # Errors
/// [`StoreError::Taken`] if the e-mail is.
pub async fn insert(tx: &mut Tx, user: &NewUser) -> Result<User> {
    let number = db::number(tx, NEXT_NUMBER, binds![]).await?;
    let (name, hash) = (user.name.as_str(), user.password_hash.as_str());
    let verified = user.email_verified.then(|| user.email.as_str().to_owned());
    let binds = binds![number, name, &user.email, hash, user.role_id, user.status, user.registered_at, verified];
    let made = db::row(tx, INSERT, binds).await?;
    made.as_ref().map(read).transpose()?.ok_or_else(|| StoreError::odd("users"))
}

/// Tells other nodes that the user's profile was changed at this one. A hint, which may get lost; on SQLite there are none.
pub async fn tell_profile(store: &Store, user: UserId, node: &str) -> Result<()> {
    if store.is_sqlite() {
        return Ok(());
    }
    db::rows(&mut store.reader(), TELL_PROFILE, binds![user, node]).await.map(drop)
}

/// The user of this number.
pub async fn by_id(run: &mut impl Run, id: UserId) -> Result<Option<User>> {
    db::row(run, BY_ID, binds![id]).await?.as_ref().map(read).transpose()
}

/// The user of this address, given in its one form ([`Email::fold`]).
pub async fn by_email(run: &mut impl Run, email: &str) -> Result<Option<User>> {
    db::row(run, BY_EMAIL, binds![email]).await?.as_ref().map(read).transpose()
}

/// Newest first.
pub async fn page(run: &mut impl Run, offset: i64, limit: i64) -> Result<Vec<User>> {
    run.rows(PAGE, binds![limit, offset]).await?.iter().map(read).collect()
}

/// Those of higher numbers than `id`, the lowest first.
pub async fn after(run: &mut impl Run, id: UserId, limit: i64) -> Result<Vec<User>> {
    run.rows(AFTER, binds![id, limit]).await?.iter().map(read).collect()
}

/// How many users there are.
pub async fn count(run: &mut impl Run) -> Result<i64> {
    db::number(run, COUNT, binds![]).await
}

/// How many users of this role may sign in.
pub async fn count_active_with_role(run: &mut impl Run, role: RoleId) -> Result<i64> {
    db::number(run, COUNT_ACTIVE_WITH_ROLE, binds![role]).await
}

/// Writes `last_session` and so takes the row's lock, only if the epoch is still `epoch` and the user is active; whether
/// it was. Only then may a session be inserted, later in the same transaction.
pub async fn sign_in(tx: &mut Tx, id: UserId, epoch: i64, at: UnixMillis) -> Result<bool> {
    tx.hits(SIGN_IN, binds![id, epoch, at]).await
}

/// Notes that the user has signed in here, whether or not it was for the first time.
pub async fn note_signed_in(tx: &mut Tx, id: UserId) -> Result<()> {
    tx.execute(NOTE_SIGNED_IN, binds![id]).await.map(drop)
}

/// Notes that the user, as it was before, has signed in here; whether that was for the first time.
pub async fn note_first(tx: &mut Tx, before: &User) -> Result<bool> {
    tx.hits(NOTE_FIRST, binds![before.id, i64::from(before.last_session.is_some())]).await
}

/// Changes the user, only if the epoch is still `epoch`; the row as it is then. Takes the row's lock.
///
/// # Errors
/// [`StoreError::Taken`] if the e-mail is.
pub async fn change(tx: &mut Tx, id: UserId, epoch: i64, change: &Change) -> Result<Option<User>> {
    let email = change.email.as_ref().map(|email| email.as_str().to_owned());
    let (name, hash) = (change.name.clone(), change.password_hash.clone());
    let (raised, verified) = (i64::from(change.raise_epoch), change.email_verified.map(i64::from));
    if email.is_some() {
        old_tokens::bury(tx, id).await?;
    }
    let binds = binds![id, epoch, name, email, hash, change.role_id, change.status, raised, verified];
    db::row(tx, CHANGE, binds).await?.as_ref().map(read).transpose()
}

/// Takes the row's lock without changing anything; the row as it is then.
pub async fn lock(tx: &mut Tx, id: UserId) -> Result<Option<User>> {
    db::row(tx, LOCK, binds![id]).await?.as_ref().map(read).transpose()
}

/// The address is confirmed, if it still is the user's and the user is active; whether it was. Ends nothing.
pub async fn verify(tx: &mut Tx, id: UserId, email: &str) -> Result<bool> {
    tx.hits(VERIFY, binds![id, email]).await
}

/// Replaces the hash, only if it is still `old`; the epoch stays. For better hashing of the same password at sign-in.
pub async fn upgrade_hash(tx: &mut Tx, id: UserId, old: &str, new: &str) -> Result<bool> {
    tx.hits(UPGRADE_HASH, binds![id, old, new]).await
}

/// Deletes the user and what only belongs to it (codes, known addresses); whether it was there. Its sessions must be
/// ended in the same transaction; their rows stay until they are swept.
pub async fn delete(tx: &mut EndingTx, id: UserId) -> Result<bool> {
    old_tokens::bury(tx, id).await?;
    codes::forget(tx, id).await?;
    tx.hits(DELETE, binds![id]).await
}

/// Gives every user another epoch also where a node of an earlier release reads it.
pub(crate) async fn raise_every_epoch(tx: &mut EndingTx) -> Result<()> {
    tx.execute(RAISE_EVERY_EPOCH, binds![]).await.map(drop)
}

/// Gives every user another epoch, without touching their rows: one that no lost history had, so it is random.
pub(crate) async fn change_every_epoch(tx: &mut EndingTx) -> Result<()> {
    let begin = i64::from(u32::from_le_bytes(tx.random().bytes()) >> 1) << 32;
    meta::set(tx, "epochs_begin", &begin.to_string()).await
}

pub(crate) fn read(row: &Row) -> Result<User> {
    let email = row.text(2)?;
    Ok(User {
        id: row.user(0)?,
        name: row.text(1)?,
        password_hash: row.text(3)?,
        role_id: row.int(4)?,
        status: Status::parse(&row.text(5)?).ok_or_else(|| StoreError::odd("users.status"))?,
        epoch: row.int(6)?,
        registration_date: row.time(7)?,
        last_session: row.time_or_null(8)?,
        email_verified: row.text_or_null(9)?.is_some_and(|verified| verified == email),
        email: Email::from_stored(email),
    })
}
