//! The audit trail: every act that concerns security, written in the transaction that does it.
//!
//! Acts write to `audit_waiting`, which nobody waits for. A server moves what was committed into `audit`, where each entry has
//! a position and a mac over the one before ([`chain`]): so signing in waits for no head row. Keys and macs are app's.

pub mod chain;
pub mod endings;
pub mod find;

mod act;

use std::sync::{Arc, OnceLock};

use cerrojo_domain::UserId;
use serde_json::Value;

pub use self::act::{Act, Stamp};
use crate::bind::{Bind, binds};
use crate::db::{self, Run};
use crate::errors::Result;
use crate::statement::statements;
use crate::tx::Tx;

/// The place for whoever knows of process and request.
pub(crate) type StampBox = Arc<OnceLock<Arc<dyn Stamp>>>;

/// What acts say, without the number.
macro_rules! said {
    () => {
        "at, kind, actor, actor_id, subject, session_id, request_id, node, details, address, device, about"
    };
}
pub(crate) use said;

/// Acts recorded by one statement at most.
const MANY: usize = 1000;

statements! {
    // On SQLite numbers go on from those that were moved into the chain; PostgreSQL has a sequence, and two transactions that
    // write at once do not wait for each other.
    RECORD(1) = concat!(
        "INSERT INTO audit_waiting (id, ", said!(), ") SELECT \
         max(COALESCE((SELECT max(id) FROM audit_waiting), 0), COALESCE((SELECT last_id FROM audit_head WHERE one = 1), 0)) + 1 + key, \
         value ->> 'at', value ->> 'kind', value ->> 'actor', \
         value ->> 'actor_id', value ->> 'subject', value ->> 'session_id', \
         value ->> 'request_id', value ->> 'node', value ->> 'details', \
         value ->> 'address', value ->> 'device', value ->> 'about' FROM json_each($1)"),
        postgres = concat!(
        "INSERT INTO audit_waiting (", said!(), ") SELECT ", said!(), " FROM json_to_recordset(CAST($1 AS JSON)) AS act \
         (at BIGINT, kind TEXT, actor TEXT, actor_id BIGINT, subject BIGINT, session_id TEXT, request_id TEXT, node TEXT, \
         details TEXT, address TEXT, device TEXT, about TEXT)");
    FORGET_WAITING_ORIGIN(1) = "UPDATE audit_waiting SET address = NULL, device = NULL \
         WHERE actor_id = $1 OR (actor_id IS NULL AND subject = $1)";
    FORGET_WAITING_ABOUT(1) = "UPDATE audit_waiting SET about = NULL WHERE subject = $1";
    NEXT_ACTED(4) = "SELECT max(id) FROM \
         (SELECT id FROM audit WHERE actor_id = $1 AND id > $2 AND id <= $3 ORDER BY id LIMIT $4) AS first_of_them";
    NEXT_SUFFERED(4) = "SELECT max(id) FROM \
         (SELECT id FROM audit WHERE subject = $1 AND id > $2 AND id <= $3 ORDER BY id LIMIT $4) AS first_of_them";
    NEWEST(0) = "SELECT COALESCE(max(id), 0) FROM audit";
    FORGET_ACTED(3) = "UPDATE audit SET address = NULL, device = NULL, origin_salt = NULL \
         WHERE actor_id = $1 AND id > $2 AND id <= $3 AND origin_salt IS NOT NULL";
    FORGET_SUFFERED(3) = "UPDATE audit SET address = CASE WHEN actor_id IS NULL THEN NULL ELSE address END, \
         device = CASE WHEN actor_id IS NULL THEN NULL ELSE device END, \
         origin_salt = CASE WHEN actor_id IS NULL THEN NULL ELSE origin_salt END, about = NULL, about_salt = NULL \
         WHERE subject = $1 AND id > $2 AND id <= $3 \
         AND (about_salt IS NOT NULL OR (actor_id IS NULL AND origin_salt IS NOT NULL))";
    GONE(1) = "SELECT owner FROM (SELECT COALESCE(actor_id, subject) AS owner FROM audit WHERE origin_salt IS NOT NULL \
         UNION SELECT subject AS owner FROM audit WHERE about_salt IS NOT NULL) AS kept \
         WHERE owner IS NOT NULL AND NOT EXISTS (SELECT 1 FROM users WHERE users.user_id = kept.owner) LIMIT $1";
    WAITING(0) = "SELECT count(*) FROM audit_waiting";
    IS_ANY_WAITING(0) = "SELECT id FROM audit_waiting LIMIT 1";
}

/// Records an act: it is in the trail if and only if the transaction commits.
pub fn record(tx: &mut Tx, act: Act) -> impl Future<Output = Result<()>> + Send {
    // Written down before anything is waited for: an act is large, and would be in every future on the way.
    let text = written(tx, &[act]);
    async move { tx.execute(RECORD, binds![text]).await.map(drop) }
}

/// The same for several, in their order. One statement at least, also for none: how long it takes does not tell.
pub async fn record_all(tx: &mut Tx, acts: Vec<Act>) -> Result<()> {
    let nothing = acts.is_empty().then_some(&[][..]);
    for some in acts.chunks(MANY).chain(nothing) {
        let text = written(tx, some);
        tx.execute(RECORD, binds![text]).await?;
    }
    Ok(())
}

fn written(tx: &Tx, acts: &[Act]) -> String {
    let (node, request) = match tx.stamp() {
        Some(stamp) => (stamp.node(), stamp.request()),
        None => (None, None),
    };
    let rows: Value = acts.iter().map(|act| act.as_json(node.as_deref(), request.as_deref())).collect();
    rows.to_string()
}

/// What a statement that records by itself needs of an act: actor, its number, details, request, node (five values).
pub(crate) fn told(act: &Act, stamp: Option<&Arc<dyn Stamp>>) -> Vec<Bind> {
    let (actor, actor_id) = act.actor();
    let request = stamp.and_then(|stamp| stamp.request()).map(|request| act::clean(&request));
    binds![actor, actor_id, act.details(), request, stamp.and_then(|stamp| stamp.node())]
}

/// How far somebody's entries in the chain were erased, by their ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    acted: i64,
    suffered: i64,
    /// The last there was when the user went: later ones may be about somebody else who was given the number.
    last: i64,
}

/// Erases what is personal of a user who goes, of entries that wait and of the first of those in the chain. The entries stay, with
/// the number. The chain's head row is held until the transaction ends, so that nothing of the user is moved meanwhile. What is
/// left has to be erased by [`forget_on`].
pub async fn forget(tx: &mut Tx, user: UserId, most: i64) -> Result<Option<Erased>> {
    chain::take(tx).await?;
    for statement in [FORGET_WAITING_ORIGIN, FORGET_WAITING_ABOUT] {
        tx.execute(statement, binds![user]).await?;
    }
    let last = db::number(tx, NEWEST, binds![]).await?;
    erase(tx, user, (Erased { last, ..Erased::default() }, most)).await
}

/// Goes on where it was left, with at most so many that the user did, and as many that were done to the user. `None`: nothing is
/// left.
pub async fn forget_on(tx: &mut Tx, user: UserId, (left, most): (Erased, i64)) -> Result<Option<Erased>> {
    chain::take(tx).await?;
    erase(tx, user, (left, most)).await
}

async fn erase(tx: &mut Tx, user: UserId, (left, most): (Erased, i64)) -> Result<Option<Erased>> {
    let mut next = left;
    let two = [(NEXT_ACTED, FORGET_ACTED, &mut next.acted), (NEXT_SUFFERED, FORGET_SUFFERED, &mut next.suffered)];
    for (find, erase, at) in two {
        let until =
            db::row(tx, find, binds![user, *at, left.last, most]).await?.and_then(|row| row.int_or_null(0).transpose());
        if let Some(until) = until.transpose()? {
            tx.execute(erase, binds![user, *at, until]).await?;
            *at = until;
        }
    }
    Ok((next != left).then_some(next))
}

/// Users who are gone though something of theirs is still there: deleted by a program that knows of no trail. At most `limit`.
pub async fn gone(run: &mut impl Run, limit: i64) -> Result<Vec<UserId>> {
    run.rows(GONE, binds![limit]).await?.iter().map(|row| row.user(0)).collect()
}

/// How many entries wait to be moved into the chain.
pub async fn waiting(run: &mut impl Run) -> Result<i64> {
    db::number(run, WAITING, binds![]).await
}

/// Whether any does.
pub async fn is_any_waiting(run: &mut impl Run) -> Result<bool> {
    Ok(!run.rows(IS_ANY_WAITING, binds![]).await?.is_empty())
}
