//! Sessions. They are ended in [`crate::endings`] and nowhere else.

use std::net::IpAddr;

use cerrojo_domain::{ADMIN_ROLE, Actor, KeyId, ListIndex, ListName, RoleId, SessionId, UnixMillis, User, UserId};

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::{Result, StoreError};
use crate::lists::not_all_over;
use crate::postgres::Lane;
use crate::row::Row;
use crate::statement::statements;
use crate::tx::Tx;
use crate::{Store, log};

/// With the ending of its list where the row's was not written yet.
macro_rules! columns {
    () => {
        "SELECT sessions.id, sessions.user_id, sessions.list, sessions.idx, sessions.device, sessions.address, sessions.started_at, \
         sessions.last_seen_at, sessions.expires_at, COALESCE(sessions.ended_at, lists.ended_at), \
         COALESCE(sessions.ended_reason, lists.ended_reason), COALESCE(sessions.ended_by, lists.ended_by), \
         CASE WHEN sessions.ended_at IS NULL THEN lists.ended_from ELSE sessions.ended_from END \
         FROM sessions LEFT JOIN lists ON lists.name = sessions.list"
    };
}

/// Of those that started last the one with the greatest id. Both engines find the time in the index.
macro_rules! newest {
    () => {
        "SELECT id FROM sessions WHERE started_at = (SELECT max(started_at) FROM sessions) ORDER BY id DESC LIMIT 1"
    };
}

/// Whether a user's role is one of those in `$3` ($4 = 1), or none of them (0).
macro_rules! role_is {
    ($roles:literal, $number:literal) => {
        concat!("CASE WHEN users.role_id IN (SELECT ", $number, " FROM ", $roles, ") THEN 1 ELSE 0 END")
    };
}

macro_rules! too_old {
    ($roles:literal, $number:literal) => {
        concat!(
            "SELECT sessions.id FROM sessions JOIN users ON users.user_id = sessions.user_id \
             WHERE sessions.ended_at IS NULL AND sessions.expires_at > sessions.started_at + $1 AND ",
            role_is!($roles, $number),
            " = $4 LIMIT $2"
        )
    };
}

/// Whoever is gone has no role.
macro_rules! idle_of {
    ($roles:literal, $number:literal) => {
        concat!(
            "SELECT id FROM sessions WHERE ended_at IS NULL AND last_seen_at <= $1 AND ",
            not_all_over!(),
            " AND COALESCE((SELECT ",
            role_is!($roles, $number),
            " FROM users WHERE users.user_id = sessions.user_id), 0) = $4 ORDER BY last_seen_at LIMIT $2"
        )
    };
}

statements! {
    INSERT(9) = "INSERT INTO sessions \
         (id, user_id, list, idx, key_id, device, address, started_at, last_seen_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)";
    BY_ID(1) = concat!(columns!(), " WHERE sessions.id = $1");
    IS_LIVE(1) = concat!("SELECT count(*) FROM sessions WHERE id = $1 AND ended_at IS NULL AND ", not_all_over!());
    OF_USER(2) = concat!(columns!(), " WHERE sessions.user_id = $1 AND (sessions.ended_at >= $2 \
         OR (sessions.ended_at IS NULL AND (lists.ended_at IS NULL OR lists.ended_at >= $2)))");
    SAW(3) = "UPDATE sessions SET last_seen_at = $3 \
         WHERE list = $1 AND idx = $2 AND ended_at IS NULL AND last_seen_at < $3",
        postgres = "WITH lazily AS (SELECT set_config('synchronous_commit', 'off', true)) \
         UPDATE sessions SET last_seen_at = $3 FROM lazily \
         WHERE list = $1 AND idx = $2 AND ended_at IS NULL AND last_seen_at < $3";
    COUNT_LIVE(2) = concat!("SELECT count(*) FROM sessions WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 AND ",
        not_all_over!());
    OLDEST_LIVE(3) = concat!("SELECT id FROM sessions WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 AND ",
        not_all_over!(), " ORDER BY started_at, id LIMIT $3");
    SHORTEN(4) = concat!("UPDATE sessions SET expires_at = started_at + $1 WHERE id IN (", too_old!("json_each($3)", "value"),
        ") AND ended_at IS NULL"),
        // Another node that is at the same takes others. Asked once, whatever the plan is.
        postgres = concat!("UPDATE sessions SET expires_at = started_at + $1 WHERE id = ANY (ARRAY(",
        too_old!("jsonb_array_elements_text(CAST($3 AS JSONB))", "CAST(value AS BIGINT)"),
        " FOR UPDATE OF sessions SKIP LOCKED)) AND ended_at IS NULL");
    IDLE_OF(4) = idle_of!("json_each($3)", "value"),
        postgres = idle_of!("jsonb_array_elements_text(CAST($3 AS JSONB))", "CAST(value AS BIGINT)");
    EXPIRED(2) = concat!("SELECT id FROM sessions WHERE ended_at IS NULL AND expires_at <= $1 AND ", not_all_over!(),
        " ORDER BY expires_at LIMIT $2");
    IDLE(2) = concat!("SELECT id FROM sessions WHERE ended_at IS NULL AND last_seen_at <= $1 AND ", not_all_over!(),
        " ORDER BY last_seen_at LIMIT $2");
    // `key_id >= ''` is always so: with it SQLite takes the index of live sessions by list and key, not that of all.
    STRANDED(1) = "SELECT id FROM sessions WHERE ended_at IS NULL \
         AND list IN (SELECT name FROM lists WHERE retired = 1 AND ended_at IS NULL) AND key_id >= '' \
         UNION ALL SELECT id FROM sessions WHERE ended_at IS NULL AND list IN (SELECT name FROM lists WHERE retired = 0) \
         AND key_id IN (SELECT id FROM keys WHERE retired_at IS NOT NULL) LIMIT $1";
    NEWEST(0) = newest!();
    LIVE_ACTIVITY(1) = "SELECT string_agg(CAST(idx AS TEXT) || ' ' || CAST(last_seen_at AS TEXT), ',') \
         FROM sessions WHERE list = $1 AND ended_at IS NULL AND key_id >= ''";
    LAST_SEEN(1) = concat!("SELECT last_seen_at FROM sessions WHERE id = $1 AND ended_at IS NULL AND ", not_all_over!());
    FORGET_PLACES(1) = "UPDATE sessions SET device = '', address = '', ended_from = NULL WHERE user_id = $1";
    FORGET_FROM(1) = "UPDATE sessions SET ended_from = NULL WHERE ended_by = $1 AND ended_from IS NOT NULL";
    SWEEP(2) = concat!(
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions \
         WHERE ended_at IS NOT NULL AND ended_at < $1 AND list IN (SELECT name FROM lists WHERE retired = 1) \
         AND id <> (", newest!(), ") LIMIT $2)");
}

/// A session to be.
pub struct NewSession {
    /// Its name.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// Its status list.
    pub list: ListName,
    /// Its bit there, which no session ever had.
    pub index: ListIndex,
    /// The key that signs its tokens.
    pub key: KeyId,
    /// When; it is also seen then.
    pub started_at: UnixMillis,
    /// When its last token expires.
    pub expires_at: UnixMillis,
    /// What the client calls itself.
    pub device: String,
    /// From where, if that is known.
    pub address: Option<IpAddr>,
}

/// A session, live or ended.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its name.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// Its status list.
    pub list: ListName,
    /// Its bit there.
    pub index: ListIndex,
    /// What the client called itself at sign-in.
    pub device: String,
    /// The address it was signed in from; empty: not known.
    pub address: String,
    /// When it was signed in.
    pub started_at: UnixMillis,
    /// When it was last used, as far as is written.
    pub last_seen_at: UnixMillis,
    /// When its last token expires.
    pub expires_at: UnixMillis,
    /// Its ending, if it is over.
    pub ended: Option<Ended>,
}

/// What is kept of a session's ending.
#[derive(Clone, Debug)]
pub struct Ended {
    /// When.
    pub at: UnixMillis,
    /// Why, as [`cerrojo_domain::EndReason::as_str`] writes it.
    pub reason: String,
    /// Who, as [`cerrojo_domain::Actor::to_text`] writes it.
    pub by: String,
    /// From which network address, where one asked for it.
    pub place: Option<String>,
}

/// Makes a session, live. Only after [`crate::users::sign_in`] or [`crate::old_tokens::hold`] hit, in the same transaction.
///
/// # Errors
/// [`StoreError::Taken`] if its id or its place in the list is.
pub async fn insert(tx: &mut Tx, session: &NewSession) -> Result<()> {
    let device = session.device.as_str();
    let address = session.address.map(|address| address.to_string()).unwrap_or_default();
    let binds = binds![
        &session.id,
        session.user,
        &session.list,
        session.index,
        &session.key,
        device,
        address,
        session.started_at,
        session.expires_at,
    ];
    tx.execute(INSERT, binds).await.map(drop)
}

/// The session of this name.
pub async fn by_id(run: &mut impl Run, id: &SessionId) -> Result<Option<Session>> {
    db::row(run, BY_ID, binds![id]).await?.as_ref().map(read).transpose()
}

/// Whether it is there and has not ended, whatever the clock says.
pub async fn is_live(run: &mut impl Run, id: &SessionId) -> Result<bool> {
    Ok(db::number(run, IS_LIVE, binds![id]).await? > 0)
}

/// Live ones newest first; with `ended_since` also those that ended at or after that time, after them, latest ending first.
pub async fn of_user(run: &mut impl Run, user: UserId, ended_since: Option<UnixMillis>) -> Result<Vec<Session>> {
    let since = ended_since.unwrap_or(UnixMillis(i64::MAX));
    let rows = run.rows(OF_USER, binds![user, since]).await?;
    let mut sessions = rows.iter().map(read).collect::<Result<Vec<Session>>>()?;
    sessions.sort_by_cached_key(|session| {
        let (over, latest) = session.ended.as_ref().map_or((false, session.started_at), |ended| (true, ended.at));
        (over, std::cmp::Reverse(latest), session.id.clone())
    });
    Ok(sessions)
}

/// Moves `last_seen_at` forward, never back; ended sessions are left alone.
///
/// On SQLite all in one transaction. On PostgreSQL each by itself, without waiting for the disk: a transaction that held
/// several rows could meet one that ends the same sessions in another order, and one of the two would be given up.
pub async fn saw(store: &Store, uses: &[(ListName, ListIndex, UnixMillis)]) -> Result<()> {
    if store.is_sqlite() {
        let mut tx = store.begin().await?;
        for (list, index, at) in uses {
            tx.execute(SAW, binds![list, *index, *at]).await?;
        }
        return tx.commit().await;
    }
    for (list, index, at) in uses {
        store.db.execute_lazily(Lane::Requests, SAW, binds![list, *index, *at]).await?;
    }
    Ok(())
}

/// Ids of live sessions whose `expires_at` is at or before `now`, earliest first.
pub async fn expired(run: &mut impl Run, now: UnixMillis, limit: i64) -> Result<Vec<SessionId>> {
    ids(run.rows(EXPIRED, binds![now, limit]).await?)
}

/// Whose sessions.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'a> {
    /// Anybody's.
    Anybodys,
    /// Those of users of this role.
    OfRole(RoleId),
    /// Those of users of none of these roles.
    OfOthersThan(&'a [RoleId]),
}

impl Whose<'_> {
    /// Roles as a JSON array, and whether they are meant or all others.
    fn roles(self) -> (String, i64) {
        let (roles, are_meant) = match self {
            Self::Anybodys => (&[][..], 0),
            Self::OfRole(role) => return (format!("[{role}]"), 1),
            Self::OfOthersThan(roles) => (roles, 0),
        };
        (serde_json::Value::from(roles).to_string(), are_meant)
    }
}

/// Ids of live sessions with `last_seen_at` at or before `not_seen_since`, earliest first.
pub async fn idle(
    run: &mut impl Run,
    whose: Whose<'_>,
    (not_seen_since, limit): (UnixMillis, i64),
) -> Result<Vec<SessionId>> {
    if let Whose::Anybodys = whose {
        return ids(run.rows(IDLE, binds![not_seen_since, limit]).await?);
    }
    let (roles, are_meant) = whose.roles();
    ids(run.rows(IDLE_OF, binds![not_seen_since, limit, roles, are_meant]).await?)
}

/// How many live sessions a user has that have not expired by `now`. Asked after the users row.
pub async fn count_live(run: &mut impl Run, user: UserId, now: UnixMillis) -> Result<i64> {
    db::number(run, COUNT_LIVE, binds![user, now]).await
}

/// Ids of the first `limit` of these, those that started first.
pub async fn oldest_live(run: &mut impl Run, user: UserId, (now, limit): (UnixMillis, i64)) -> Result<Vec<SessionId>> {
    ids(run.rows(OLDEST_LIVE, binds![user, now, limit]).await?)
}

/// Lets at most `limit` live sessions that would become older than this, in milliseconds, expire at that age. How many.
pub async fn shorten(tx: &mut Tx, whose: Whose<'_>, (age, limit): (i64, i64)) -> Result<u64> {
    let (roles, are_meant) = whose.roles();
    tx.execute(SHORTEN, binds![age, limit, roles, are_meant]).await
}

/// Ids of live sessions whose key or list is retired: sign-ins that raced the retiring.
pub async fn stranded(run: &mut impl Run, limit: i64) -> Result<Vec<SessionId>> {
    ids(run.rows(STRANDED, binds![limit]).await?)
}

/// The session that started last, live or not.
pub async fn newest(run: &mut impl Run) -> Result<Option<SessionId>> {
    Ok(ids(run.rows(NEWEST, binds![]).await?)?.pop())
}

/// (index, `last_seen_at`) of the live ones of a list, for the idle timeout.
pub async fn live_activity(run: &mut impl Run, list: &ListName) -> Result<Vec<(ListIndex, UnixMillis)>> {
    let Some(row) = db::row(run, LIVE_ACTIVITY, binds![list]).await? else { return Ok(Vec::new()) };
    let text = row.text_or_null(0)?.unwrap_or_default();
    let mut live = Vec::new();
    for item in text.split(',').filter(|item| !item.is_empty()) {
        let (place, seen) = item.split_once(' ').ok_or_else(|| StoreError::odd("sessions"))?;
        let seen = seen.parse().map_err(|_| StoreError::odd("sessions.last_seen_at"))?;
        live.push((log::index(place)?, UnixMillis(seen)));
    }
    Ok(live)
}

/// When a live session was last seen; `None` if it has ended or is not there.
pub async fn last_seen(run: &mut impl Run, id: &SessionId) -> Result<Option<UnixMillis>> {
    db::row(run, LAST_SEEN, binds![id]).await?.map(|row| row.time(0)).transpose()
}

/// Forgets on what and from where the user's sessions were used and ended, and from where the user ended others' as an
/// administrator. That they ended, when and why, stays.
pub async fn forget_places(tx: &mut Tx, user: &User) -> Result<()> {
    tx.execute(FORGET_PLACES, binds![user.id]).await?;
    if user.role_id != ADMIN_ROLE {
        return Ok(());
    }
    let by = Actor::Administrator(user.id).to_text();
    tx.execute(FORGET_FROM, binds![by]).await.map(drop)
}

/// Deletes at most `limit` rows that ended before `before` and whose list is retired; never the newest session of all.
/// How many.
pub async fn sweep(tx: &mut Tx, before: UnixMillis, limit: i64) -> Result<u64> {
    tx.execute(SWEEP, binds![before, limit]).await
}

fn ids(rows: Vec<Row>) -> Result<Vec<SessionId>> {
    rows.into_iter().map(|row| row.text(0).map(SessionId::from_text)).collect()
}

fn read(row: &Row) -> Result<Session> {
    let ended = match row.time_or_null(9)? {
        None => None,
        Some(at) => Some(Ended { at, reason: row.text(10)?, by: row.text(11)?, place: row.text_or_null(12)? }),
    };
    Ok(Session {
        id: SessionId::from_text(row.text(0)?),
        user: row.user(1)?,
        list: ListName::from_text(row.text(2)?),
        index: row.index(3)?,
        device: row.text(4)?,
        address: row.text(5)?,
        started_at: row.time(6)?,
        last_seen_at: row.time(7)?,
        expires_at: row.time(8)?,
        ended,
    })
}
