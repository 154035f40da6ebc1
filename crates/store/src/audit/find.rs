//! Looking through the trail.

use cerrojo_domain::{SessionId, UnixMillis, UserId};

use super::chain::{Said, said};
use crate::bind::{Bind, binds};
use crate::db::{self, Run};
use crate::errors::Result;
use crate::row::Row;
use crate::statement::{Statement, statements};

/// `$first` names a column that has an index.
macro_rules! found {
    ($table:literal, $position:literal, $mac:literal, $first:literal) => {
        concat!(
            "SELECT id, ",
            super::said!(),
            ", ",
            $position,
            ", ",
            $mac,
            " FROM ",
            $table,
            " WHERE ",
            $first,
            "(CAST($1 AS BIGINT) IS NULL OR subject = $1) AND (CAST($2 AS TEXT) IS NULL OR session_id = $2) \
             AND (CAST($3 AS TEXT) IS NULL OR actor = $3) AND (CAST($4 AS BIGINT) IS NULL OR actor_id = $4) \
             AND (CAST($5 AS TEXT) IS NULL OR kind = $5 OR substr(kind, 1, length($5) + 1) = $5 || '.') \
             AND (CAST($6 AS TEXT) IS NULL OR address = $6) AND at >= $7 AND at < $8 AND id < $9 \
             ORDER BY id DESC LIMIT $10"
        )
    };
    ($first:literal) => {
        found!("audit", "position", "mac", $first)
    };
}

macro_rules! forwards {
    ($table:literal, $position:literal, $mac:literal, $order:literal) => {
        concat!(
            "SELECT id, ",
            super::said!(),
            ", ",
            $position,
            ", ",
            $mac,
            " FROM ",
            $table,
            " WHERE ",
            $order,
            " > $1 AND at >= $2 AND at < $3 ORDER BY ",
            $order,
            " LIMIT $4"
        )
    };
}

statements! {
    WAITING(10) = found!("audit_waiting", "CAST(NULL AS BIGINT)", "CAST(NULL AS TEXT)", "");
    ANY(10) = found!("");
    OF_SUBJECT(10) = found!("subject = $1 AND ");
    OF_SESSION(10) = found!("session_id = $2 AND ");
    OF_ACTOR(10) = found!("actor_id = $4 AND ");
    OF_KIND(10) = found!("kind = $5 AND ");
    // One step along the index, however many entries each kind has.
    NEXT_KIND(1) = "SELECT min(kind) FROM audit WHERE kind > $1";
    FORWARDS(4) = forwards!("audit", "position", "mac", "position");
    FORWARDS_WAITING(4) = forwards!("audit_waiting", "CAST(NULL AS BIGINT)", "CAST(NULL AS TEXT)", "id");
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doer {
    /// This person, as user or as administrator.
    Person(UserId),
    /// `operator`, `server` or `nobody`; `user` and `administrator`: any of these.
    Kind(String),
}

/// Which entries. What is not given does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Whom they are about.
    pub user: Option<UserId>,
    /// Who did it.
    pub by: Option<Doer>,
    /// A kind, or a group of kinds such as `session`.
    pub kind: Option<String>,
    /// Which session.
    pub session: Option<SessionId>,
    /// From which network address.
    pub address: Option<String>,
    /// At this time or later.
    pub since: Option<UnixMillis>,
    /// Before this time.
    pub until: Option<UnixMillis>,
    /// With a smaller number.
    pub before: Option<i64>,
}

/// An entry as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What it says.
    pub said: Said,
    /// Its position in the chain, and its mac; none while it waits to be moved there.
    pub sealed: Option<(i64, String)>,
}

/// Those with the greatest numbers first, at most `limit`. `run`: a snapshot, so that none is moved meanwhile.
pub async fn newest(run: &mut impl Run, filter: &Filter, limit: i64) -> Result<Vec<Listed>> {
    let statement = match filter {
        Filter { session: Some(_), .. } => OF_SESSION,
        Filter { user: Some(_), .. } => OF_SUBJECT,
        Filter { by: Some(Doer::Person(_)), .. } => OF_ACTOR,
        Filter { kind: Some(kind), .. } => return newest_of_kind(run, (filter, kind), limit).await,
        _ => ANY,
    };
    let mut found = Vec::new();
    for statement in [WAITING, statement] {
        look(run, statement, (filter, limit), &mut found).await?;
    }
    Ok(merged(found, limit))
}

/// Kind by kind, each in the order of an index: those of a group together would have to be sorted first, however many there are.
async fn newest_of_kind(run: &mut impl Run, (filter, kind): (&Filter, &str), limit: i64) -> Result<Vec<Listed>> {
    let mut found = Vec::new();
    look(run, WAITING, (filter, limit), &mut found).await?;
    for kind in kinds_of(run, kind).await? {
        let of_kind = Filter { kind: Some(kind), ..filter.clone() };
        look(run, OF_KIND, (&of_kind, limit), &mut found).await?;
    }
    Ok(merged(found, limit))
}

/// The kind of this name, or those of the group that there are, also of a later release.
async fn kinds_of(run: &mut impl Run, text: &str) -> Result<Vec<String>> {
    if text.contains('.') {
        return Ok(vec![text.to_owned()]);
    }
    let is_of = |name: &str| name.strip_prefix(text).is_some_and(|rest| rest.starts_with('.'));
    let (mut group, mut last) = (vec![text.to_owned()], String::new());
    while let Some(row) = db::row(run, NEXT_KIND, binds![last.as_str()]).await? {
        let Some(next) = row.text_or_null(0)? else { break };
        if is_of(&next) {
            group.push(next.clone());
        }
        last = next;
    }
    Ok(group)
}

async fn look(
    run: &mut impl Run,
    statement: Statement,
    (filter, limit): (&Filter, i64),
    found: &mut Vec<Listed>,
) -> Result<()> {
    for row in db::rows(run, statement, binds_of(filter, limit)).await? {
        found.push(listed(&row)?);
    }
    Ok(())
}

fn merged(mut found: Vec<Listed>, limit: i64) -> Vec<Listed> {
    found.sort_by_key(|listed| std::cmp::Reverse(listed.said.id));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    found
}

/// From which entry on to read forwards.
#[derive(Clone, Copy, Debug)]
pub enum After {
    /// In the chain, behind this position.
    Position(i64),
    /// Of those that wait, behind this number.
    Waiting(i64),
}

/// Entries of a time, in the order of the chain and then those that wait, at most `limit` of the one or the other.
pub async fn forwards(
    run: &mut impl Run,
    after: After,
    (since, until): (Option<UnixMillis>, Option<UnixMillis>),
    limit: i64,
) -> Result<Vec<Listed>> {
    let (statement, after) = match after {
        After::Position(position) => (FORWARDS, position),
        After::Waiting(id) => (FORWARDS_WAITING, id),
    };
    let (since, until) = between(since, until);
    db::rows(run, statement, binds![after, since, until, limit]).await?.iter().map(listed).collect()
}

fn between(since: Option<UnixMillis>, until: Option<UnixMillis>) -> (i64, i64) {
    (since.map_or(i64::MIN, |time| time.0), until.map_or(i64::MAX, |time| time.0))
}

fn binds_of(filter: &Filter, limit: i64) -> Vec<Bind> {
    let (since, until) = between(filter.since, filter.until);
    let (actor, actor_id) = match &filter.by {
        None => (None, None),
        Some(Doer::Person(id)) => (None, Some(id.0)),
        Some(Doer::Kind(kind)) => (Some(kind.clone()), None),
    };
    let session = filter.session.as_ref().map(|session| session.as_str().to_owned());
    let before = filter.before.unwrap_or(i64::MAX);
    binds![
        filter.user,
        session,
        actor,
        actor_id,
        filter.kind.clone(),
        filter.address.clone(),
        since,
        until,
        before,
        limit
    ]
}

fn listed(row: &Row) -> Result<Listed> {
    let sealed = row.int_or_null(13)?.map(|position| Ok::<_, crate::StoreError>((position, row.text(14)?)));
    Ok(Listed { said: said(row)?, sealed: sealed.transpose()? })
}
