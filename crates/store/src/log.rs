//! The log: every fact that makes a verifier refuse, numbered without gaps in commit order.

use std::fmt::Write as _;
use std::sync::LazyLock;

use cerrojo_domain::{Entry, Fact, KeyId, ListIndex, ListName, Position, Random, SessionId, UnixMillis};

use crate::bind::{Bind, binds};
use crate::db::{self, Run};
use crate::errors::{Result, StoreError};
use crate::row::Row;
use crate::statement::{Statement, statements};
use crate::tx::{EndingTx, Tx};

macro_rules! columns {
    () => {
        "number, mark, kind, session_id, list, idx, key_id, incarnation, at"
    };
}

/// Entries written by one statement, if there are so many (SQLite).
const BATCH: usize = 32;
/// The same on PostgreSQL.
const MANY: usize = 1000;
/// Fewer are written one by one.
const FEW: usize = 4;
const COLUMNS: usize = 9;

/// Rows without a number are none: a smaller batch is filled up with them.
static INSERT_BATCH_TEXT: LazyLock<String> = LazyLock::new(|| {
    let row = |row: usize| {
        let values: Vec<String> = (1..=COLUMNS).map(|column| format!("${}", row * COLUMNS + column)).collect();
        format!("({})", values.join(", "))
    };
    let rows = (0..BATCH).map(row).collect::<Vec<_>>().join(", ");
    format!(
        "INSERT INTO log ({}) SELECT CAST(column1 AS BIGINT), column2, column3, column4, column5, \
         CAST(column6 AS BIGINT), column7, column8, CAST(column9 AS BIGINT) \
         FROM (VALUES {rows}) AS entry WHERE column1 IS NOT NULL",
        columns!()
    )
});

statements! {
    TAKE_HEAD(0) = "UPDATE log_head SET number = number WHERE one = 1 RETURNING number, mark";
    // Whoever listens is told with the commit, at the cost of no further round trip.
    MOVE_HEAD(2) = "UPDATE log_head SET number = $1, mark = $2 WHERE one = 1",
        postgres = "UPDATE log_head SET number = $1, mark = $2 WHERE one = 1 \
         RETURNING pg_notify('cerrojo.' || current_schema(), CAST(number AS TEXT))";
    HEAD(0) = "SELECT number, mark FROM log_head WHERE one = 1";
    INCARNATION(0) = "SELECT incarnation FROM log_head WHERE one = 1";
    SET_INCARNATION(1) = "UPDATE log_head SET incarnation = $1 WHERE one = 1";
    BEGIN(2) = "INSERT INTO log_head (one, number, mark, incarnation) VALUES (1, 0, $1, $2) ON CONFLICT (one) DO NOTHING";
    INSERT(9) = concat!("INSERT INTO log (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
    // One round trip for what a single logout writes (PostgreSQL).
    APPEND_ONE(9) = concat!("INSERT INTO log (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"),
        postgres = concat!(
        "WITH moved AS (UPDATE log_head SET number = $1, mark = $2 WHERE one = 1 \
         RETURNING pg_notify('cerrojo.' || current_schema(), CAST(number AS TEXT))) \
         INSERT INTO log (", columns!(), ") SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 FROM moved");
    // All values of a column in one: a user's ten thousand sessions are ten round trips while the head row is held
    // (PostgreSQL).
    INSERT_MANY(9) = concat!("INSERT INTO log (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"),
        postgres = concat!(
        "INSERT INTO log (", columns!(), ") SELECT * FROM unnest(CAST($1 AS BIGINT[]), CAST($2 AS TEXT[]), \
         CAST($3 AS TEXT[]), CAST($4 AS TEXT[]), CAST($5 AS TEXT[]), CAST($6 AS BIGINT[]), CAST($7 AS TEXT[]), \
         CAST($8 AS TEXT[]), CAST($9 AS BIGINT[]))");
    INSERT_BATCH(288) = INSERT_BATCH_TEXT.as_str();
    AFTER(2) = concat!("SELECT ", columns!(), " FROM log WHERE number > $1 ORDER BY number LIMIT $2");
    OLDEST(0) = "SELECT COALESCE(min(number), 0) FROM log";
    AT(1) = concat!("SELECT ", columns!(), " FROM log WHERE number = $1");
}

/// Appends a fact other than an ending (`KeyAdded`, `KeyRetired`, `ListRetired`).
///
/// # Errors
/// [`StoreError::Broken`] for an ending: those go through [`crate::endings`].
#[expect(
    clippy::unused_async,
    reason = "entries are written when the transaction commits, which callers need not know"
)]
pub async fn append(tx: &mut EndingTx, fact: Fact, at: UnixMillis) -> Result<Entry> {
    match fact {
        Fact::KeyAdded { .. } | Fact::KeyRetired { .. } | Fact::ListRetired { .. } => Ok(tx.append(fact, at)),
        Fact::SessionEnded { .. } | Fact::EverythingOver { .. } | Fact::Unknown { .. } => {
            Err(StoreError::Broken("this fact is not appended by itself".to_owned()))
        }
    }
}

/// The last position, 0 with a mark of its own while the log is empty.
pub async fn head(run: &mut impl Run) -> Result<Position> {
    position(db::row(run, HEAD, binds![]).await?)
}

/// The name of the history that the log tells: another after everything was over.
pub async fn incarnation(run: &mut impl Run) -> Result<String> {
    match db::row(run, INCARNATION, binds![]).await? {
        Some(row) => row.text(0),
        None => Err(no_head()),
    }
}

/// Entries with number > `after`, in order, at most `limit`.
pub async fn after(run: &mut impl Run, after: i64, limit: i64) -> Result<Vec<Entry>> {
    run.rows(AFTER, binds![after, limit]).await?.iter().map(entry).collect()
}

/// The number of the oldest entry that was not deleted; 0 while the log is empty.
pub async fn oldest(run: &mut impl Run) -> Result<i64> {
    db::number(run, OLDEST, binds![]).await
}

/// The entry of this number.
pub async fn at(run: &mut impl Run, number: i64) -> Result<Option<Entry>> {
    db::row(run, AT, binds![number]).await?.as_ref().map(entry).transpose()
}

/// Locks the head row; where it stands.
pub(crate) async fn take_head(tx: &mut Tx) -> Result<Position> {
    position(db::row(tx, TAKE_HEAD, binds![]).await?)
}

/// A mark: 96 random bits in hexadecimal.
pub(crate) fn mark(random: &dyn Random) -> String {
    hex(&random.bytes::<12>())
}

/// Makes the head row of a new database.
pub(crate) async fn begin(tx: &mut Tx) -> Result<()> {
    let (mark, incarnation) = (mark(tx.random()), hex(&tx.random().bytes::<16>()));
    tx.execute(BEGIN, binds![mark, incarnation]).await.map(drop)
}

pub(crate) async fn set_incarnation(tx: &mut Tx, incarnation: &str) -> Result<()> {
    tx.execute(SET_INCARNATION, binds![incarnation]).await.map(drop)
}

/// Writes entries and moves the head to `head`, the last of them.
pub(crate) async fn write(tx: &mut Tx, entries: &[(Entry, UnixMillis)], head: &Position) -> Result<()> {
    if let ([(entry, at)], false) = (entries, tx.is_sqlite()) {
        // Number and mark of the only entry are the head's.
        return written(tx, APPEND_ONE, values(entry, *at).into()).await;
    }
    if !tx.is_sqlite() && entries.len() >= FEW {
        for some in entries.chunks(MANY) {
            written(tx, INSERT_MANY, in_columns(some)).await?;
        }
        return tx.execute(MOVE_HEAD, binds![head.number, head.mark.as_str()]).await.map(drop);
    }
    for some in entries.chunks(BATCH) {
        if some.len() < FEW {
            for (entry, at) in some {
                written(tx, INSERT, values(entry, *at).into()).await?;
            }
            continue;
        }
        let mut binds = Vec::with_capacity(BATCH * COLUMNS);
        for (entry, at) in some {
            binds.extend(values(entry, *at));
        }
        for _ in some.len()..BATCH {
            binds.extend(no_values());
        }
        written(tx, INSERT_BATCH, binds).await?;
    }
    tx.execute(MOVE_HEAD, binds![head.number, head.mark.as_str()]).await.map(drop)
}

async fn written(tx: &mut Tx, statement: Statement, binds: Vec<Bind>) -> Result<()> {
    tx.execute(statement, binds).await.map(drop).map_err(not_written)
}

/// A number that exists already is no caller's mistake: the head row and the log disagree.
pub(crate) fn not_written(error: StoreError) -> StoreError {
    match error {
        StoreError::Taken => StoreError::Broken("the log reaches beyond its head row: a dump was put into a database that was begun already. Within a minute a \
             running server ends everything and goes on; restore whole, into an empty database".to_owned()),
        error => error,
    }
}

/// Each column as an array, in PostgreSQL's notation.
fn in_columns(entries: &[(Entry, UnixMillis)]) -> Vec<Bind> {
    let mut columns = [const { String::new() }; COLUMNS];
    for (entry, at) in entries {
        for (column, value) in columns.iter_mut().zip(values(entry, *at)) {
            column.push(if column.is_empty() { '{' } else { ',' });
            match value {
                Bind::Int(Some(number)) => column.push_str(&number.to_string()),
                Bind::Text(Some(text)) => {
                    column.push('"');
                    column.push_str(&text.replace('\\', "\\\\").replace('"', "\\\""));
                    column.push('"');
                }
                Bind::Int(None) | Bind::Text(None) | Bind::Bytes(_) => column.push_str("NULL"),
            }
        }
    }
    columns.into_iter().map(|column| Bind::from(column + "}")).collect()
}

fn no_values() -> [Bind; COLUMNS] {
    let (number, text) = (|| Bind::Int(None), || Bind::Text(None));
    [number(), text(), text(), text(), text(), number(), text(), text(), number()]
}

fn values(entry: &Entry, at: UnixMillis) -> [Bind; COLUMNS] {
    let (mut session, mut list, mut index, mut key, mut over) = (None, None, None, None, None);
    let kind = match &entry.fact {
        Fact::SessionEnded { session: id, list: name, index: bit } => {
            (session, list, index) = (Some(id.as_str()), Some(name.as_str()), Some(i64::from(bit.0)));
            "session_ended"
        }
        Fact::KeyAdded { key: id } => {
            key = Some(id.as_str());
            "key_added"
        }
        Fact::KeyRetired { key: id } => {
            key = Some(id.as_str());
            "key_retired"
        }
        Fact::ListRetired { list: name } => {
            list = Some(name.as_str());
            "list_retired"
        }
        Fact::EverythingOver { incarnation } => {
            over = Some(incarnation.as_str());
            "everything_over"
        }
        Fact::Unknown { kind } => kind,
    };
    let text = |value: Option<&str>| Bind::Text(value.map(str::to_owned));
    let Position { number, mark } = &entry.position;
    [
        Bind::from(*number),
        Bind::from(mark.as_str()),
        Bind::from(kind),
        text(session),
        text(list),
        Bind::from(index),
        text(key),
        text(over),
        Bind::from(at),
    ]
}

fn entry(row: &Row) -> Result<Entry> {
    let list = || row.text(4).map(ListName::from_text);
    let key = || row.text(6).map(KeyId::from_text);
    let fact = match row.text(2)?.as_str() {
        "session_ended" => {
            let session = SessionId::from_text(row.text(3)?);
            Fact::SessionEnded { session, list: list()?, index: ListIndex(row.small(5)?) }
        }
        "key_added" => Fact::KeyAdded { key: key()? },
        "key_retired" => Fact::KeyRetired { key: key()? },
        "list_retired" => Fact::ListRetired { list: list()? },
        "everything_over" => Fact::EverythingOver { incarnation: row.text(7)? },
        kind => Fact::Unknown { kind: kind.to_owned() },
    };
    Ok(Entry { position: Position { number: row.int(0)?, mark: row.text(1)? }, fact })
}

fn position(row: Option<Row>) -> Result<Position> {
    let row = row.ok_or_else(no_head)?;
    Ok(Position { number: row.int(0)?, mark: row.text(1)? })
}

pub(crate) fn index(text: &str) -> Result<ListIndex> {
    text.parse().map(ListIndex).map_err(|_| StoreError::odd("log.idx"))
}

fn no_head() -> StoreError {
    StoreError::Broken("the log has no head row".to_owned())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
