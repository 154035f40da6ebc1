//! Snapshots of the lists: what the log said up to a number, so that a node starts quickly and the log can be cut.

use std::collections::HashMap;

use cerrojo_domain::{ListIndex, ListName, UnixMillis};

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::{Result, StoreError};
use crate::statement::statements;
use crate::tx::Tx;
use crate::{Store, lists, log};

/// Entries that one statement reads.
const CHUNK: i64 = 20_000;
/// Entries that one statement deletes, so that others get their turn.
const DELETED_AT_ONCE: i64 = 20_000;

statements! {
    NUMBER(0) = "SELECT number FROM snapshot WHERE one = 1";
    MOVE(2) = "UPDATE snapshot SET number = $2 WHERE one = 1 AND number = $1";
    BITS(1) = "SELECT bits FROM list_bits WHERE list = $1";
    EVERY_BITMAP(0) = "SELECT list, bits FROM list_bits WHERE list IN (SELECT name FROM lists WHERE retired = 0)";
    SET_BITS(2) = "INSERT INTO list_bits (list, bits) VALUES ($1, $2) \
         ON CONFLICT (list) DO UPDATE SET bits = excluded.bits";
    DROP_RETIRED(0) = "DELETE FROM list_bits WHERE list IN (SELECT name FROM lists WHERE retired = 1)";
    // A row an ending would take seconds for some hundred thousand; one text a list takes a tenth of one.
    ENDED_BETWEEN(2) = "SELECT list, string_agg(CAST(idx AS TEXT), ',') FROM log \
         WHERE number > $1 AND number <= $2 AND kind = 'session_ended' \
         AND list IN (SELECT name FROM lists WHERE retired = 0) GROUP BY list";
    // The head row's entry always stays: whoever follows compares its mark.
    MAY_CUT(2) = "SELECT count(*) FROM (SELECT number FROM log WHERE number <= $1 AND at < $2 \
         AND number < (SELECT number FROM log_head WHERE one = 1) LIMIT 1) AS old";
    CUT(3) = "DELETE FROM log WHERE number <= $1 AND at < $2 AND number < (SELECT number FROM log_head WHERE one = 1) \
         AND number <= (SELECT COALESCE(min(number), 0) FROM log) + $3";
}

/// A list's endings: its bitmap as of the last snapshot (empty if it has none) and the places that ended since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endings {
    /// One bit a session, the first of a byte is its lowest.
    pub bits: Vec<u8>,
    /// Ended since, in no order.
    pub since: Vec<ListIndex>,
}

/// What has ended of every list that is not retired and of which anything has: all of one state if the reads are.
pub async fn endings(run: &mut impl Run) -> Result<HashMap<ListName, Endings>> {
    let covered = db::number(run, NUMBER, binds![]).await?;
    let mut all: HashMap<ListName, Endings> = HashMap::new();
    for row in run.rows(EVERY_BITMAP, binds![]).await? {
        all.entry(ListName::from_text(row.text(0)?)).or_default().bits = row.bytes(1)?;
    }
    for (list, since) in ended_between(run, covered, i64::MAX).await? {
        all.entry(list).or_default().since = since;
    }
    Ok(all)
}

/// Takes what the log says up to `up_to` into the bitmaps and deletes what they cover, of entries older than `before`, one
/// round; all in one transaction. How many entries were deleted; none if another node was quicker.
pub async fn take(store: &Store, up_to: i64, before: UnixMillis) -> Result<u64> {
    let mut tx = store.begin().await?;
    let covered = db::number(&mut tx, NUMBER, binds![]).await?;
    if covered > up_to || !tx.hits(MOVE, binds![covered, up_to]).await? {
        return Ok(0);
    }
    let known = lists::in_use(&mut tx).await?;
    let mut from = covered;
    while from < up_to {
        let to = from.saturating_add(CHUNK).min(up_to);
        for (list, ended) in ended_between(&mut tx, from, to).await? {
            let Some(found) = known.iter().find(|known| known.name == list) else { continue };
            add(&mut tx, (&list, found.capacity), &ended).await?;
        }
        from = to;
    }
    tx.execute(DROP_RETIRED, binds![]).await?;
    let cut = tx.execute(CUT, binds![up_to, before, DELETED_AT_ONCE]).await?;
    tx.commit().await?;
    Ok(cut)
}

/// The number up to which the bitmaps hold everything.
pub async fn covered(run: &mut impl Run) -> Result<i64> {
    db::number(run, NUMBER, binds![]).await
}

/// Whether there are entries of before `before` that bitmaps up to `covered` hold.
pub async fn may_cut(run: &mut impl Run, covered: i64, before: UnixMillis) -> Result<bool> {
    Ok(db::number(run, MAY_CUT, binds![covered, before]).await? > 0)
}

async fn add(tx: &mut Tx, (list, capacity): (&ListName, u32), ended: &[ListIndex]) -> Result<()> {
    let mut bits = match db::row(tx, BITS, binds![list]).await? {
        Some(row) => row.bytes(0)?,
        None => Vec::new(),
    };
    bits.resize(usize::try_from(capacity.div_ceil(u8::BITS)).unwrap_or(0), 0);
    for index in ended {
        let byte = bits.get_mut(usize::try_from(index.0 / u8::BITS).unwrap_or(usize::MAX));
        *byte.ok_or_else(|| StoreError::odd("log.idx"))? |= 1 << (index.0 % u8::BITS);
    }
    tx.execute(SET_BITS, binds![list, bits.as_slice()]).await.map(drop)
}

async fn ended_between(run: &mut impl Run, from: i64, to: i64) -> Result<Vec<(ListName, Vec<ListIndex>)>> {
    let mut ended = Vec::new();
    for row in run.rows(ENDED_BETWEEN, binds![from, to]).await? {
        let indexes = row.text(1)?.split(',').map(log::index).collect::<Result<Vec<ListIndex>>>()?;
        ended.push((ListName::from_text(row.text(0)?), indexes));
    }
    Ok(ended)
}
