//! Endings: the only statements of the program that end sessions.
//!
//! The design asks that sessions be locked in the order of their ids. No two of the transactions below run at once, since
//! each holds the log's head row; beside them only [`crate::sessions::saw`] writes to sessions that exist. If such a one has
//! locked several rows in another order, PostgreSQL breaks the tie and one of the two gets `Unavailable` with nothing
//! changed. So a plain UPDATE is enough here, and the order of ids is made for the log's entries.

use cerrojo_domain::KeyId;
use cerrojo_domain::{EndReason, Ending, Entry, Fact, ListName, SessionId, UnixMillis, UserId};

use crate::bind::{Bind, binds};
use crate::db::sealed::Run as _;
use crate::errors::Result;
use crate::statement::{Statement, statements};
use crate::tx::EndingTx;
use crate::{lists, log, users};

macro_rules! end {
    ($which:literal) => {
        concat!(
            "UPDATE sessions SET ended_at = $1, ended_reason = $2, ended_by = $3, ended_from = $4 WHERE ended_at IS NULL",
            $which
        )
    };
}

statements! {
    END_ONE(5) = end!(" AND id = $5 RETURNING id, list, idx");
    END_IDLE(6) = end!(" AND id = $5 AND last_seen_at <= $6 RETURNING id, list, idx");
    END_OF_USER(5) = end!(" AND user_id = $5 RETURNING id, list, idx");
    END_OTHERS(6) = end!(" AND user_id = $5 AND id <> $6 RETURNING id, list, idx");
    END_SIGNED_BY(5) = end!(" AND key_id = $5 RETURNING id, list, idx");
    END_EVERYTHING(4) = end!("");
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
/// in that order; none if nothing was live. A statement of its own, later than any that locked the users row.
pub async fn end(tx: &mut EndingTx, which: Which<'_>, ending: &Ending) -> Result<Vec<Entry>> {
    let mut binds = told(ending);
    let (statement, more): (Statement, Vec<Bind>) = match which {
        Which::One(id) => (END_ONE, binds![id]),
        Which::IdleSince(id, not_seen_since) => (END_IDLE, binds![id, not_seen_since]),
        Which::OfUser(user) => (END_OF_USER, binds![user]),
        Which::OthersOf(user, id) => (END_OTHERS, binds![user, id]),
        Which::SignedBy(key) => (END_SIGNED_BY, binds![key]),
    };
    binds.extend(more);
    let mut ended = Vec::new();
    for row in tx.rows(statement, binds).await? {
        ended.push((SessionId::from_text(row.text(0)?), ListName::from_text(row.text(1)?), row.index(2)?));
    }
    ended.sort();
    let facts = ended.into_iter().map(|(session, list, index)| Fact::SessionEnded { session, list, index });
    Ok(facts.map(|fact| tx.append(fact, ending.at)).collect())
}

/// Ends every live session by one entry (`EverythingOver`), begins the incarnation and retires every list there is. If the
/// reason is `Restored` every user's epoch is raised first, so that sign-ins in flight and reset links of the lost history fail.
pub async fn end_everything(tx: &mut EndingTx, incarnation: &str, ending: &Ending) -> Result<Entry> {
    if ending.reason == EndReason::Restored {
        users::raise_every_epoch(tx).await?;
    }
    tx.execute(END_EVERYTHING, told(ending)).await?;
    lists::retire_all(tx).await?;
    log::set_incarnation(tx, incarnation).await?;
    Ok(tx.append(Fact::EverythingOver { incarnation: incarnation.to_owned() }, ending.at))
}

/// `$1` to `$4`.
fn told(ending: &Ending) -> Vec<Bind> {
    let place = ending.place.map(|address| address.to_string());
    binds![ending.at, ending.reason.as_str(), ending.actor.to_text(), place]
}
