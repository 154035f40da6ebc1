//! Status lists and the blocks of indexes that are handed out of them.

use cerrojo_domain::{ListName, UnixMillis};

use crate::Store;
use crate::bind::{Bind, binds};
use crate::db::{self, Run};
use crate::errors::{Result, StoreError};
use crate::origin::{here, is_ours};
use crate::row::Row;
use crate::statement::statements;
use crate::tx::{EndingTx, Tx};

/// Of sessions whose row has no ending: whether they are over all the same, as everything was over and the row was not
/// written yet. See [`crate::endings::end_everything`].
macro_rules! not_all_over {
    () => {
        "NOT EXISTS (SELECT 1 FROM lists WHERE lists.name = sessions.list AND lists.ended_at IS NOT NULL)"
    };
}
pub(crate) use not_all_over;

macro_rules! columns {
    () => {
        concat!("name, capacity, created_at, expires_by, CASE WHEN ", is_ours!(), " THEN retired ELSE 1 END")
    };
}

statements! {
    // The conditions stand twice: whoever waited for the row must look at it again.
    RESERVE(2) = concat!(
        "UPDATE lists SET next_index = next_index + $2 WHERE retired = 0 AND next_index + $2 <= capacity AND name = \
         (SELECT name FROM lists WHERE retired = 0 AND ", is_ours!(), " AND expires_by = $1 \
         AND next_index + $2 <= capacity ORDER BY created_at, name LIMIT 1) RETURNING ", columns!(), ", next_index - $2");
    INSERT(5) = concat!(
        "INSERT INTO lists (name, capacity, created_at, expires_by, next_index, retired, origin) \
         VALUES ($1, $2, $3, $4, $5, 0, ", here!(), ") RETURNING ", columns!(), ", next_index - $5"),
        // Not while somebody ends everything, who would not see it and leave it in use.
        postgres = concat!(
        "INSERT INTO lists (name, capacity, created_at, expires_by, next_index, retired, origin) SELECT $1, CAST($2 AS BIGINT), CAST($3 AS BIGINT), \
         CAST($4 AS BIGINT), CAST($5 AS BIGINT), 0, head.origin \
         FROM (SELECT log_head.origin FROM log_head WHERE one = 1 FOR SHARE) AS head RETURNING ", columns!(), ", next_index - $5");
    IN_USE(0) = concat!("SELECT ", columns!(), " FROM lists WHERE retired = 0 AND ", is_ours!(), " ORDER BY created_at, name");
    BY_NAME(1) = concat!("SELECT ", columns!(), " FROM lists WHERE name = $1");
    // Whoever retires the list meanwhile is waited for, and waits for whoever has it so.
    HELD(1) = concat!("SELECT ", columns!(), " FROM lists WHERE name = $1"),
        postgres = concat!("SELECT ", columns!(), " FROM lists WHERE name = $1 FOR SHARE");
    OUTLIVED(1) = "SELECT name FROM lists WHERE retired = 0 AND expires_by <= $1 ORDER BY expires_by, name";
    RETIRE(1) = "UPDATE lists SET retired = 1 WHERE name = $1 AND retired = 0";
    RETIRE_ALL(4) = "UPDATE lists SET retired = 1, ended_at = $1, ended_reason = $2, ended_by = $3, ended_from = $4 WHERE retired = 0";
}

/// A status list.
#[derive(Clone, Debug)]
pub struct List {
    /// Its random name.
    pub name: ListName,
    /// How many bits it has.
    pub capacity: u32,
    /// When it was made.
    pub created_at: UnixMillis,
    /// Every token in it expires at or before this.
    pub expires_by: UnixMillis,
    /// Whether whatever points to it is refused.
    pub retired: bool,
}

/// Indexes that nobody else will hand out: `first` to `first + len - 1`.
pub struct Block {
    /// The list they are of.
    pub list: ListName,
    /// The first of them.
    pub first: u32,
    /// How many.
    pub len: u32,
}

/// What is to be reserved.
pub struct Wanted<'a> {
    /// The list's `expires_by`.
    pub expires_by: UnixMillis,
    /// How many indexes.
    pub len: u32,
    /// How many bits a list has that must be made.
    pub capacity: u32,
    /// The name of a list that must be made.
    pub fresh: &'a ListName,
    /// The time it is made at.
    pub now: UnixMillis,
}

/// Reserves `len` indexes (at most a list's capacity) in an unretired list with `expires_by` as wanted; makes one if none
/// has room. A transaction of its own: what was reserved stays so, whatever becomes of the sign-ins.
pub async fn reserve(store: &Store, wanted: &Wanted<'_>) -> Result<(List, Block)> {
    let len = wanted.len.min(wanted.capacity);
    let mut tx = store.begin().await?;
    let mut row = db::row(&mut tx, RESERVE, binds![wanted.expires_by, len]).await?;
    if row.is_none() {
        let binds = binds![wanted.fresh, wanted.capacity, wanted.now, wanted.expires_by, len];
        row = db::row(&mut tx, INSERT, binds).await?;
    }
    let row = row.ok_or_else(|| StoreError::odd("lists"))?;
    let list = read(&row)?;
    let block = Block { list: list.name.clone(), first: row.small(5)?, len };
    tx.commit().await?;
    Ok((list, block))
}

/// All that are not retired, oldest first.
pub async fn in_use(run: &mut impl Run) -> Result<Vec<List>> {
    run.rows(IN_USE, binds![]).await?.iter().map(read).collect()
}

/// The list of this name.
pub async fn by_name(run: &mut impl Run, name: &ListName) -> Result<Option<List>> {
    db::row(run, BY_NAME, binds![name]).await?.as_ref().map(read).transpose()
}

/// The same; it is not retired by anybody else until the transaction ends.
pub async fn held(tx: &mut Tx, name: &ListName) -> Result<Option<List>> {
    db::row(tx, HELD, binds![name]).await?.as_ref().map(read).transpose()
}

/// Names of unretired lists with `expires_by` at or before `before`.
pub async fn outlived(run: &mut impl Run, before: UnixMillis) -> Result<Vec<ListName>> {
    let rows = run.rows(OUTLIVED, binds![before]).await?;
    rows.into_iter().map(|row| row.text(0).map(ListName::from_text)).collect()
}

/// Marks it as retired; whether it was not before. The entry is [`crate::log::append`] in the same transaction.
pub async fn retire(tx: &mut EndingTx, name: &ListName) -> Result<bool> {
    tx.hits(RETIRE, binds![name]).await
}

/// `told`: how the sessions in them end.
pub(crate) async fn retire_all(tx: &mut EndingTx, told: Vec<Bind>) -> Result<()> {
    tx.execute(RETIRE_ALL, told).await.map(drop)
}

fn read(row: &Row) -> Result<List> {
    Ok(List {
        name: ListName::from_text(row.text(0)?),
        capacity: row.small(1)?,
        created_at: row.time(2)?,
        expires_by: row.time(3)?,
        retired: row.int(4)? != 0,
    })
}
