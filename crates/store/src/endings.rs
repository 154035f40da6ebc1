//! Endings: the only statements of the program that end sessions.
//!
//! The design asks that sessions be locked in the order of their ids. No two of the transactions that end some run at once,
//! since each holds the log's head row; beside them only [`crate::sessions::saw`] and [`crate::sessions::shorten`] write to sessions that exist, and
//! [`write_down`] to those that are over. If such a one has locked several rows in another order, PostgreSQL breaks the tie
//! and one of the two gets `Unavailable` with nothing changed. So a plain UPDATE is enough here, and the order of ids is made
//! for the log's entries.

use std::sync::LazyLock;

use cerrojo_domain::{AuditKind, KeyId};
use cerrojo_domain::{EndReason, Ending, Entry, Fact, ListIndex, ListName, Position, SessionId, UnixMillis, UserId};

use crate::audit::{self, Act};
use crate::bind::{Bind, binds};
use crate::db::sealed::Run as _;
use crate::errors::{Result, StoreError};
use crate::lists::not_all_over;
use crate::postgres::waiting_commit;
use crate::row::Row;
use crate::statement::{Statement, statements};
use crate::tx::{EndingTx, Tx};
use crate::{Store, leases, lists, log, migrate, old_tokens, origin, users};

macro_rules! end {
    ($which:literal) => {
        end!("", $which)
    };
    ($from:literal, $which:literal) => {
        concat!(
            "UPDATE sessions SET ended_at = $1, ended_reason = $2, ended_by = $3, ended_from = $4",
            $from,
            " WHERE sessions.ended_at IS NULL AND ",
            not_all_over!(),
            $which
        )
    };
}

/// `key_id >= ''` is always so: with it SQLite takes the index of live sessions by list and key, not that of all.
macro_rules! write_down {
    () => {
        "UPDATE sessions SET ended_at = lists.ended_at, ended_reason = lists.ended_reason, ended_by = lists.ended_by, \
         ended_from = lists.ended_from FROM lists WHERE lists.name = sessions.list AND sessions.ended_at IS NULL"
    };
    ($before:literal, $after:literal) => {
        concat!(
            write_down!(),
            " AND sessions.id ",
            $before,
            "SELECT id FROM sessions WHERE ended_at IS NULL AND key_id >= '' \
             AND list IN (SELECT name FROM lists WHERE ended_at IS NOT NULL) LIMIT $1",
            $after
        )
    };
}

/// Sessions ended by one statement, if there are so many.
const BATCH: usize = 32;
/// Fewer are ended one by one.
const FEW: usize = 4;

/// Rows without an id end nothing: a smaller batch is filled up with them.
static END_EACH_TEXT: LazyLock<String> = LazyLock::new(|| {
    let row = |row: usize| {
        let [id, at, reason, by, place] = [1, 2, 3, 4, 5].map(|column| row * 5 + column);
        format!("(${id}, ${at}, ${reason}, ${by}, ${place})")
    };
    let rows = (0..BATCH).map(row).collect::<Vec<_>>().join(", ");
    format!(
        "WITH wanted (id, at, reason, by_whom, place) AS (VALUES {rows}) \
         UPDATE sessions SET ended_at = CAST(wanted.at AS BIGINT), ended_reason = wanted.reason, ended_by = wanted.by_whom, \
         ended_from = wanted.place FROM wanted WHERE sessions.id = wanted.id AND sessions.ended_at IS NULL AND {} \
         RETURNING sessions.id, sessions.list, sessions.idx, sessions.user_id",
        not_all_over!()
    )
});

statements! {
    END_EACH(160) = END_EACH_TEXT.as_str();
    END_ONE(5) = end!(" AND id = $5 RETURNING id, list, idx, user_id");
    // A transaction of its own (PostgreSQL). The head row is locked before any row of a session is: what was read of that one
    // before the wait is looked at again when it is locked. What was read of its list is not: if everything was ended during
    // the wait, which touches no session, nothing is done. Whoever finds it over learns where the locked head stands: read
    // later, it might be another server's. A commit that waits for nothing is overruled as elsewhere.
    END_ALONE(11) = end!(" AND id = $5 AND COALESCE($6, $7, $8, $9, $10, $11) <> '' RETURNING id, list, idx, 0, '', 1"),
        postgres = concat!(
        "WITH head AS (SELECT number, mark, incarnation = (SELECT incarnation FROM log_head WHERE one = 1) AS goes_on, ",
        waiting_commit!(), " FROM log_head WHERE one = 1 FOR UPDATE), \
         ended AS (", end!(" FROM head", " AND id = $5 AND head.goes_on RETURNING id, list, idx, user_id"), "), \
         moved AS (UPDATE log_head SET number = log_head.number + 1, mark = $6 FROM ended WHERE one = 1 \
         RETURNING log_head.number, pg_notify('cerrojo.' || current_schema(), CAST(log_head.number AS TEXT) || ' ' || $6)), \
         written AS (INSERT INTO log (number, mark, kind, session_id, list, idx, at) \
         SELECT moved.number, $6, 'session_ended', ended.id, ended.list, ended.idx, $1 FROM ended, moved), \
         audited AS (INSERT INTO audit_waiting (at, kind, actor, actor_id, subject, session_id, request_id, node, details, address) \
         SELECT $1, 'session.ended', $7, $8, ended.user_id, ended.id, $10, $11, $9, $4 FROM ended, moved) \
         SELECT ended.id, ended.list, ended.idx, head.number, head.mark, CAST(CAST(head.goes_on AS INTEGER) AS BIGINT) \
         FROM head LEFT JOIN (ended CROSS JOIN moved) ON 1 = 1");
    END_IDLE(6) = end!(" AND id = $5 AND last_seen_at <= $6 RETURNING id, list, idx, user_id");
    END_OF_USER(5) = end!(" AND user_id = $5 RETURNING id, list, idx, user_id");
    END_OTHERS(6) = end!(" AND user_id = $5 AND id <> $6 RETURNING id, list, idx, user_id");
    END_SIGNED_BY(5) = end!(" AND key_id = $5 RETURNING id, list, idx, user_id");
    WRITE_ALL_DOWN(0) = concat!(write_down!(), " AND lists.ended_at IS NOT NULL");
    WRITE_DOWN(1) = write_down!("IN (", ")"),
        // Another node that is at the same takes others. Asked once, whatever the plan is, or it would take more than so many.
        postgres = write_down!("= ANY (ARRAY(", " FOR UPDATE SKIP LOCKED))");
}

/// Which sessions. Those that have ended are never touched again.
pub enum Which<'a> {
    /// This one.
    One(&'a SessionId),
    /// This one, only if `last_seen_at` is at or before the time.
    IdleSince(&'a SessionId, UnixMillis),
    /// All of a user.
    OfUser(UserId),
    /// All of a user but one.
    OthersOf(UserId, &'a SessionId),
    /// All that a key signed.
    SignedBy(&'a KeyId),
}

/// Ends what is live of `which` and appends one entry each (`SessionEnded`), in the order of session ids. The entries,
/// in that order; none if nothing was live. A statement of its own, later than any that locked the users row. With all or all
/// others of a user also what another application gave out ends, whether or not a session was made of it yet.
pub async fn end(tx: &mut EndingTx, which: Which<'_>, ending: &Ending) -> Result<Vec<Entry>> {
    if let Which::OfUser(user) | Which::OthersOf(user, _) = which {
        old_tokens::close(tx, user).await?;
    }
    let mut binds = told(ending);
    let (statement, more): (Statement, Vec<Bind>) = match which {
        Which::One(id) => (END_ONE, binds![id]),
        Which::IdleSince(id, not_seen_since) => (END_IDLE, binds![id, not_seen_since]),
        Which::OfUser(user) => (END_OF_USER, binds![user]),
        Which::OthersOf(user, id) => (END_OTHERS, binds![user, id]),
        Which::SignedBy(key) => (END_SIGNED_BY, binds![key]),
    };
    binds.extend(more);
    let ended = ended_by(tx, statement, binds).await?;
    tx.note_ended(ending.reason, ended.len());
    let mut entries = Vec::with_capacity(ended.len());
    for (place, user) in ended {
        tx.note_act(act(ending, (&place.0, user)));
        entries.push(tx.append(fact(place), ending.at));
    }
    Ok(entries)
}

/// What the audit trail says of the ending of a session.
fn act(ending: &Ending, (session, user): (&SessionId, UserId)) -> Act {
    Act::new(AuditKind::SessionEnded, ending.at)
        .by(ending.actor)
        .to(user)
        .in_session(session)
        .from_address(ending.place)
        .with("reason", ending.reason.as_str())
}

/// A session that was ended in a transaction of its own, or was over already.
pub struct Alone {
    /// Its entry; none if nothing was live.
    pub entry: Option<Entry>,
    /// Where the log stood before the entry.
    pub after: Position,
}

impl Alone {
    /// The number up to which the log tells of the ending, whoever made it.
    #[must_use]
    pub fn head(&self) -> i64 {
        self.entry.as_ref().map_or(self.after.number, |entry| entry.position.number)
    }
}

/// Ends this session if it is live, durably, in one round trip instead of four: a logout that comes alone waits for nothing
/// else. `None`: nothing was done, it has to go the way of all others (always on SQLite).
///
/// # Errors
/// [`StoreError::OutcomeUnknown`] if it may or may not have happened, or may still happen: a server goes on waiting for the
/// head though whoever asked is gone.
pub async fn end_alone(store: &Store, session: &SessionId, ending: &Ending) -> Result<Option<Alone>> {
    if store.is_sqlite() {
        return Ok(None);
    }
    let mark = log::mark(&*store.random);
    let mut binds = told(ending);
    binds.extend(binds![session, mark.as_str()]);
    // Whose it is the statement finds out.
    binds.extend(audit::told(&act(ending, (session, UserId(0))), store.stamp.get()));
    store.db.expect_word(&mark);
    let done = ended_alone(store, binds, mark.clone()).await;
    if !matches!(&done, Ok(Some(Alone { entry: Some(_), .. }))) {
        // Whatever becomes of it without this process, its word is news.
        store.db.forget_word(&mark);
    }
    done
}

async fn ended_alone(store: &Store, binds: Vec<Bind>, mark: String) -> Result<Option<Alone>> {
    let Some(rows) = store.db.rows_committed(END_ALONE, binds).await? else { return Ok(None) };
    let row = rows.first().ok_or_else(|| StoreError::Broken("the log has no head".to_owned()))?;
    let after = Position { number: row.int(3)?, mark: row.text(4)? };
    if row.int(5)? == 0 {
        return Ok(None);
    }
    if row.text_or_null(0)?.is_none() {
        return Ok(Some(Alone { entry: None, after }));
    }
    let position = Position { number: after.number.saturating_add(1), mark };
    Ok(Some(Alone { entry: Some(Entry { position, fact: fact(place(row)?) }), after }))
}

/// Ends each of these that is live, many by one statement, and appends one entry each. Given in ascending order of ids,
/// none twice; the entries are in that order.
pub async fn end_each(tx: &mut EndingTx, wanted: &[(&SessionId, &Ending)]) -> Result<Vec<Entry>> {
    let mut entries = Vec::with_capacity(wanted.len());
    for some in wanted.chunks(BATCH) {
        if some.len() < FEW {
            for (id, ending) in some {
                entries.extend(end(tx, Which::One(id), ending).await?);
            }
            continue;
        }
        let mut binds = Vec::with_capacity(END_EACH.binds);
        for (id, ending) in some {
            binds.extend(binds![*id]);
            binds.extend(told(ending));
        }
        for _ in some.len()..BATCH {
            binds.extend([Bind::Text(None), Bind::Int(None), Bind::Text(None), Bind::Text(None), Bind::Text(None)]);
        }
        let mut rest = some.iter();
        for (place, user) in ended_by(tx, END_EACH, binds).await? {
            let ending = rest.find(|(id, _)| **id == place.0).map(|(_, ending)| ending);
            let ending = ending.ok_or_else(|| StoreError::odd("sessions.id"))?;
            tx.note_ended(ending.reason, 1);
            tx.note_act(act(ending, (&place.0, user)));
            entries.push(tx.append(fact(place), ending.at));
        }
    }
    Ok(entries)
}

type Place = (SessionId, ListName, ListIndex);

/// Runs a statement that ends sessions; which they were and whose, in the order of their ids.
async fn ended_by(tx: &mut EndingTx, statement: Statement, binds: Vec<Bind>) -> Result<Vec<(Place, UserId)>> {
    let mut ended = Vec::new();
    for row in tx.rows(statement, binds).await? {
        ended.push((place(&row)?, row.user(3)?));
    }
    ended.sort();
    Ok(ended)
}

fn place(row: &Row) -> Result<Place> {
    Ok((SessionId::from_text(row.text(0)?), ListName::from_text(row.text(1)?), row.index(2)?))
}

fn fact((session, list, index): Place) -> Fact {
    Fact::SessionEnded { session, list, index }
}

/// Ends every live session by one entry (`EverythingOver`), begins the incarnation and retires every list there is. If the
/// reason is `Restored` every user gets another epoch, so that sign-ins in flight and reset links of the lost history fail.
///
/// However many sessions there are, it takes no longer: a session without an ending whose list ended so is over, and its
/// row is written by [`write_down`]. Only while a node of an earlier release is there, which knows nothing of that, is each
/// row written at once; after this none can start.
pub async fn end_everything(tx: &mut EndingTx, incarnation: &str, ending: &Ending) -> Result<Entry> {
    let earlier = leases::is_any_of_an_earlier_release(tx).await?;
    if ending.reason == EndReason::Restored {
        users::change_every_epoch(tx).await?;
        if earlier {
            users::raise_every_epoch(tx).await?;
        }
    }
    origin::see_to(tx, ending.at).await?;
    old_tokens::close_all(tx, ending.at).await?;
    lists::retire_all(tx, told(ending)).await?;
    if earlier {
        tx.execute(WRITE_ALL_DOWN, binds![]).await?;
    }
    migrate::ask_for(tx, migrate::EVERYTHING_OVER).await?;
    log::set_incarnation(tx, incarnation).await?;
    Ok(tx.append(Fact::EverythingOver { incarnation: incarnation.to_owned() }, ending.at))
}

/// Writes the endings of at most `limit` sessions that [`end_everything`] ended into their rows; how many. No entry: nobody
/// who verifies has their lists any more.
pub async fn write_down(tx: &mut Tx, limit: i64) -> Result<u64> {
    tx.execute(WRITE_DOWN, binds![limit]).await
}

/// `$1` to `$4`.
fn told(ending: &Ending) -> Vec<Bind> {
    let place = ending.place.map(|address| address.to_string());
    binds![ending.at, ending.reason.as_str(), ending.actor.to_text(), place]
}
