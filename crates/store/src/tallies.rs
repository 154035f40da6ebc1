//! How many there are, for people who look after the whole.

use cerrojo_domain::{AuditKind, KeyId, Status, UnixMillis};

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::Result;
use crate::lists::not_all_over;
use crate::row::Row;
use crate::statement::statements;

macro_rules! starts {
    ($about:literal) => {
        concat!(
            "SELECT about_node, max(at) FROM (SELECT ",
            $about,
            " AS about_node, at FROM audit WHERE kind = $1 AND at >= $2 UNION ALL SELECT ",
            $about,
            " AS about_node, at FROM audit_waiting WHERE kind = $1 AND at >= $2) AS starts \
             WHERE about_node IS NOT NULL GROUP BY about_node ORDER BY max(at) DESC LIMIT $3"
        )
    };
}

statements! {
    USERS(0) = "SELECT status, count(*) FROM users GROUP BY status";
    LIVE(1) = concat!("SELECT count(*) FROM sessions WHERE ended_at IS NULL AND expires_at > $1 AND ", not_all_over!());
    // `key_id >= ''` is always so: with it SQLite takes the index of live sessions by list and key.
    SIGNED(0) = concat!("SELECT key_id, count(*) FROM sessions WHERE ended_at IS NULL AND key_id >= '' AND ", not_all_over!(),
        " GROUP BY key_id");
    STARTS(3) = starts!("details ->> 'about'"), postgres = starts!("CAST(details AS JSONB) ->> 'about'");
    CLOCK(0) = "SELECT CAST(0 AS BIGINT) WHERE 0 = 1",
        postgres = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
}

/// How many users there are of each status.
pub async fn users(run: &mut impl Run) -> Result<Vec<(Status, i64)>> {
    let read = |row: &Row| Ok(Status::parse(&row.text(0)?).map(|status| (status, row.int(1))));
    let rows = db::rows(run, USERS, binds![]).await?;
    let known = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
    known.into_iter().flatten().map(|(status, count)| Ok((status, count?))).collect()
}

/// How many sessions are live and have not expired by `now`.
pub async fn live_sessions(run: &mut impl Run, now: UnixMillis) -> Result<i64> {
    db::number(run, LIVE, binds![now]).await
}

/// How many sessions that have not ended each key signed; keys that signed none are left out.
pub async fn signed(run: &mut impl Run) -> Result<Vec<(KeyId, i64)>> {
    let rows = db::rows(run, SIGNED, binds![]).await?;
    rows.iter().map(|row| Ok((KeyId::from_text(row.text(0)?), row.int(1)?))).collect()
}

/// What servers that started at or after `since` said of themselves (where they listen and which version they are), and when
/// they started last; the latest `limit`, the latest first.
pub async fn starts(run: &mut impl Run, since: UnixMillis, limit: i64) -> Result<Vec<(String, UnixMillis)>> {
    let rows = db::rows(run, STARTS, binds![AuditKind::ServerStarted.as_str(), since, limit]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.time(1)?))).collect()
}

/// The database server's time of day; `None` on SQLite, which has none of its own.
pub async fn clock(run: &mut impl Run) -> Result<Option<UnixMillis>> {
    db::row(run, CLOCK, binds![]).await?.map(|row| row.time(0)).transpose()
}
