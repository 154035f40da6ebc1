//! The endings of everybody's sessions, as the trail has them.

use cerrojo_domain::{AuditKind, SessionId, UnixMillis, UserId};

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::Result;
use crate::row::Row;
use crate::statement::statements;

/// `$first` names a column that has an index.
macro_rules! ended {
    ($table:literal, $first:literal, $reason:literal) => {
        concat!(
            "SELECT ended.id, ended.at, ended.kind, ",
            $reason,
            ", ended.actor, ended.actor_id, ended.address, ended.session_id, ended.subject, users.name, users.email, sessions.device \
             FROM ",
            $table,
            " AS ended LEFT JOIN users ON users.user_id = ended.subject LEFT JOIN sessions ON sessions.id = ended.session_id WHERE ",
            $first,
            "ended.kind = $1 AND (CAST($2 AS BIGINT) IS NULL OR ended.subject = $2) \
             AND (CAST($3 AS TEXT) IS NULL OR ended.actor = $3) AND (CAST($4 AS TEXT) IS NULL OR ",
            $reason,
            " = $4) AND ended.id < $5 ORDER BY ended.id DESC LIMIT $6"
        )
    };
    ($table:literal, $first:literal) => {
        ended!($table, $first, "ended.details ->> 'reason'")
    };
    (postgres $table:literal, $first:literal) => {
        ended!($table, $first, "CAST(ended.details AS JSONB) ->> 'reason'")
    };
}

/// The same of sessions by their ids, before the trail is looked at.
macro_rules! of_sessions {
    ($ids:literal) => {
        concat!(
            "SELECT CAST(0 AS BIGINT), COALESCE(sessions.ended_at, lists.ended_at), 'session.ended', \
             COALESCE(sessions.ended_reason, lists.ended_reason), COALESCE(sessions.ended_by, lists.ended_by), CAST(NULL AS BIGINT), \
             CASE WHEN sessions.ended_at IS NULL THEN lists.ended_from ELSE sessions.ended_from END, sessions.id, sessions.user_id, \
             users.name, users.email, sessions.device FROM sessions LEFT JOIN lists ON lists.name = sessions.list \
             LEFT JOIN users ON users.user_id = sessions.user_id WHERE sessions.id IN (",
            $ids,
            ") AND COALESCE(sessions.ended_at, lists.ended_at) IS NOT NULL"
        )
    };
}

statements! {
    WAITING(6) = ended!("audit_waiting", ""), postgres = ended!(postgres "audit_waiting", "");
    ANY(6) = ended!("audit", ""), postgres = ended!(postgres "audit", "");
    OF_SUBJECT(6) = ended!("audit", "ended.subject = $2 AND "), postgres = ended!(postgres "audit", "ended.subject = $2 AND ");
    OF_SESSIONS(1) = of_sessions!("SELECT value FROM json_each($1)"),
        postgres = of_sessions!("SELECT jsonb_array_elements_text(CAST($1 AS JSONB))");
}

/// A session that ended, or all of them at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Of the trail's entry; 0 where that was not looked at.
    pub id: i64,
    /// When.
    pub at: UnixMillis,
    /// Whether it was every session that there was.
    pub everything: bool,
    /// Why, as [`cerrojo_domain::EndReason::as_str`] writes it.
    pub reason: String,
    /// Who, as [`cerrojo_domain::Actor::to_text`] writes it.
    pub by: String,
    /// From which network address, where one asked for it.
    pub place: Option<String>,
    /// Which.
    pub session: Option<SessionId>,
    /// Whose.
    pub user: Option<UserId>,
    /// The name and the address of the account, if it is still there.
    pub account: Option<(String, String)>,
    /// What the client called itself that had signed in, as long as the session is remembered.
    pub device: Option<String>,
}

/// Which endings. What is not given does not matter.
#[derive(Clone, Debug, Default)]
pub struct Which {
    /// Whose sessions.
    pub user: Option<UserId>,
    /// Who ended them: `user`, `administrator`, `operator` or `server`.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// With a smaller number than this.
    pub before: Option<i64>,
}

impl Which {
    /// Whether this is one of them.
    #[must_use]
    pub fn has(&self, ended: &Ended) -> bool {
        let kind = ended.by.split(':').next();
        self.user.is_none_or(|user| ended.user == Some(user))
            && self.by.as_deref().is_none_or(|by| kind == Some(by))
            && self.reason.as_ref().is_none_or(|reason| ended.reason == *reason)
    }
}

/// The newest first, at most `limit`. `run`: a snapshot, so that no entry is moved meanwhile.
pub async fn newest(run: &mut impl Run, which: &Which, limit: i64) -> Result<Vec<Ended>> {
    let sealed = if which.user.is_some() { OF_SUBJECT } else { ANY };
    let before = which.before.unwrap_or(i64::MAX);
    let mut found = Vec::new();
    for statement in [WAITING, sealed] {
        for kind in [AuditKind::SessionEnded, AuditKind::EverythingEnded] {
            let binds = binds![kind.as_str(), which.user, which.by.clone(), which.reason.clone(), before, limit];
            for row in db::rows(run, statement, binds).await? {
                found.push(read(&row)?);
            }
        }
    }
    found.sort_by_key(|ended| std::cmp::Reverse(ended.id));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// Those of these sessions that are over, the one that ended last first.
pub async fn of_sessions(run: &mut impl Run, sessions: &[SessionId]) -> Result<Vec<Ended>> {
    let ids = sessions.iter().map(SessionId::as_str).collect::<serde_json::Value>().to_string();
    let mut found = db::rows(run, OF_SESSIONS, binds![ids]).await?.iter().map(read).collect::<Result<Vec<Ended>>>()?;
    found.sort_by(|one, other| (other.at, &other.session).cmp(&(one.at, &one.session)));
    Ok(found)
}

fn read(row: &Row) -> Result<Ended> {
    let (kind, actor, number) = (row.text(2)?, row.text(4)?, row.int_or_null(5)?);
    Ok(Ended {
        id: row.int(0)?,
        at: row.time(1)?,
        everything: kind == AuditKind::EverythingEnded.as_str(),
        reason: row.text_or_null(3)?.unwrap_or_default(),
        by: number.map_or_else(|| actor.clone(), |number| format!("{actor}:{number}")),
        place: row.text_or_null(6)?,
        session: row.text_or_null(7)?.map(SessionId::from_text),
        user: row.int_or_null(8)?.map(UserId),
        account: row.text_or_null(9)?.zip(row.text_or_null(10)?),
        device: row.text_or_null(11)?.filter(|device| !device.is_empty()),
    })
}
