//! What others must be told, written in the transaction of what happened and delivered by jobs afterwards.

use cerrojo_domain::{AddressBlock, Email, UnixMillis, User, UserId};

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::{Result, StoreError};
use crate::row::Row;
use crate::statement::statements;
use crate::tx::Tx;

statements! {
    INSERT(7) = "INSERT INTO outbox (id, kind, user_id, body, created_at, attempts, next_at, address, asked_from) \
         VALUES ($1, $2, $3, $4, $5, 0, $5, $6, $7)";
    DUE(2) = "SELECT id, kind, user_id, body, created_at, attempts, next_at FROM outbox \
         WHERE done_at IS NULL AND next_at <= $1 ORDER BY created_at, id LIMIT $2";
    NEXT_DUE(0) = "SELECT min(next_at) FROM outbox WHERE done_at IS NULL";
    CLAIM(3) = "UPDATE outbox SET attempts = attempts + 1, next_at = $3 \
         WHERE id = $1 AND attempts = $2 AND done_at IS NULL";
    PUT_OFF(3) = "UPDATE outbox SET next_at = $3 WHERE id = $1 AND attempts = $2 AND done_at IS NULL";
    FAILED(2) = "UPDATE outbox SET last_error = $2 WHERE id = $1 AND done_at IS NULL";
    NEWEST(1) = "SELECT id, kind, user_id, created_at, attempts, next_at, done_at, last_error, body FROM outbox \
         ORDER BY created_at DESC, id LIMIT $1";
    WAITING(1) = "SELECT id, kind, user_id, created_at, attempts, next_at, done_at, last_error, body FROM outbox \
         WHERE done_at IS NULL ORDER BY created_at DESC, id LIMIT $1";
    // Not what is left of forgotten ones.
    DELIVERED(1) = "SELECT id, kind, user_id, created_at, attempts, next_at, done_at, last_error, body FROM outbox \
         WHERE done_at IS NOT NULL AND body <> '{}' ORDER BY done_at DESC, id LIMIT $1";
    STANDING(1) = "SELECT id, kind, user_id, created_at, attempts, next_at, done_at, last_error, body FROM outbox \
         WHERE id = $1 AND done_at IS NULL";
    HASTEN(3) = "UPDATE outbox SET next_at = $3 WHERE id = $1 AND attempts = $2 AND done_at IS NULL AND next_at > $3";
    GIVE_UP(2) = "DELETE FROM outbox WHERE id = $1 AND attempts = $2 AND done_at IS NULL";
    COUNT_FAILING(0) = "SELECT count(*) FROM outbox WHERE done_at IS NULL AND last_error IS NOT NULL";
    DONE(3) = "UPDATE outbox SET last_error = NULL, done_at = $3, user_id = COALESCE($2, user_id) WHERE id = $1 AND done_at IS NULL";
    DROP_JOB(1) = "DELETE FROM outbox WHERE id = $1";
    COUNT_WAITING(1) = "SELECT count(*), CAST(COALESCE(sum(CASE WHEN next_at <= $1 THEN 1 ELSE 0 END), 0) AS BIGINT), min(created_at) \
         FROM outbox WHERE done_at IS NULL";
    PENDING(0) = "SELECT count(*) FROM outbox WHERE done_at IS NULL";
    COUNT_TO(3) = "UPDATE outbox SET address = $2, asked_from = $3 WHERE id = $1";
    DONE_TO_SINCE(3) = "SELECT kind, asked_from, count(*) FROM outbox WHERE address IN ($1, $2) AND done_at >= $3 \
         GROUP BY kind, asked_from";
    ADOPT(2) = "UPDATE outbox SET user_id = $1 WHERE user_id IS NULL AND address = $2 AND done_at IS NOT NULL";
    DONE_SINCE(3) = "SELECT count(*) FROM outbox WHERE kind = $1 AND user_id = $2 AND done_at >= $3";
    WRITTEN_SINCE(3) = "SELECT count(*), min(created_at) FROM outbox WHERE kind = $1 AND user_id = $2 AND created_at > $3";
    // Not what went to an address that the user only wants: whether anything did tells whether somebody else has it.
    OF_USER(2) = "SELECT kind, created_at, done_at FROM outbox WHERE kind <> 'email_change' \
         AND (user_id = $1 OR (user_id IS NULL AND body ->> 'email' = $2)) ORDER BY created_at DESC, id",
        postgres = "SELECT kind, created_at, done_at FROM outbox WHERE kind <> 'email_change' \
         AND (user_id = $1 OR (user_id IS NULL AND CAST(body AS JSONB) ->> 'email' = $2)) ORDER BY created_at DESC, id";
    COUNTED(3) = "SELECT DISTINCT address, asked_from FROM outbox WHERE (user_id = $1 OR address = $2) AND done_at >= $3 \
         AND address IS NOT NULL";
    BLUR(7) = "UPDATE outbox SET user_id = NULL, body = '{}', last_error = NULL, address = $6, asked_from = $7 \
         WHERE (user_id = $1 OR address = $2) AND done_at >= $3 AND address = $4 \
         AND COALESCE(asked_from, '') = COALESCE($5, '')";
    FORGET(1) = "DELETE FROM outbox WHERE user_id = $1";
    FORGET_TO(1) = "DELETE FROM outbox WHERE address = $1";
    FORGET_ASKED(1) = "DELETE FROM outbox WHERE user_id IS NULL AND body ->> 'email' = $1",
        postgres = "DELETE FROM outbox WHERE user_id IS NULL AND CAST(body AS JSONB) ->> 'email' = $1";
    SWEEP(1) = "DELETE FROM outbox WHERE done_at < $1";
    SWEEP_BLURRED(1) = "DELETE FROM outbox WHERE done_at < $1 AND body = '{}'";
}

/// One job. `body` is JSON of app's choosing, with no secret in it.
#[derive(Clone, Debug)]
pub struct Job {
    /// Random.
    pub id: i64,
    /// What kind of message.
    pub kind: String,
    /// Whom it is about, once that is known.
    pub user: Option<UserId>,
    /// What the message says.
    pub body: String,
    /// When it was written.
    pub created_at: UnixMillis,
    /// How often it was claimed.
    pub attempts: i64,
    /// When it is to be tried next.
    pub next_at: UnixMillis,
}

/// Adds a job that is due at once.
#[expect(clippy::too_many_arguments, reason = "three facts and a time, each of another type")]
pub async fn insert(tx: &mut Tx, kind: &str, user: Option<UserId>, body: &str, at: UnixMillis) -> Result<()> {
    write(tx, (kind, body), (user, None), at).await
}

/// Whom a mail goes to that is counted ([`done_to_since`]), and which network asked for it.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// The address, which need not be an account's.
    pub to: &'a Email,
    /// The network, if it was over one.
    pub from: Option<AddressBlock>,
}

/// The same for a mail to an address that the account's owner need not have, which is counted.
pub async fn insert_to(
    tx: &mut Tx,
    (kind, body): (&str, &str),
    (user, counted): (Option<UserId>, Counted<'_>),
    at: UnixMillis,
) -> Result<()> {
    write(tx, (kind, body), (user, Some(counted)), at).await
}

async fn write(
    tx: &mut Tx,
    (kind, body): (&str, &str),
    (user, counted): (Option<UserId>, Option<Counted<'_>>),
    at: UnixMillis,
) -> Result<()> {
    // Random, so that transactions which write to the outbox do not wait for each other.
    let id = i64::from_le_bytes(tx.random().bytes()) & i64::MAX;
    let to = counted.map(|counted| counted.to.as_str().to_owned());
    let from = counted.and_then(|counted| counted.from).map(|block| block.to_string());
    tx.execute(INSERT, binds![id, kind, user, body, at, to, from]).await.map(drop)
}

/// Jobs that are not done and due at `now`, oldest first.
pub async fn due(run: &mut impl Run, now: UnixMillis, limit: i64) -> Result<Vec<Job>> {
    run.rows(DUE, binds![now, limit]).await?.iter().map(read).collect()
}

/// When the next job is due.
pub async fn next_due(run: &mut impl Run) -> Result<Option<UnixMillis>> {
    match db::row(run, NEXT_DUE, binds![]).await? {
        Some(row) => row.time_or_null(0),
        None => Ok(None),
    }
}

/// Claims a job as it was read, until `next_at`: compare-and-set on `attempts`. Whether this caller got it.
pub async fn claim(tx: &mut Tx, job: &Job, next_at: UnixMillis) -> Result<bool> {
    tx.hits(CLAIM, binds![job.id, job.attempts, next_at]).await
}

/// Leaves a job as it was read to whoever knows its kind: it is due at `next_at`, and was not tried.
pub async fn put_off(tx: &mut Tx, job: &Job, next_at: UnixMillis) -> Result<()> {
    tx.execute(PUT_OFF, binds![job.id, job.attempts, next_at]).await.map(drop)
}

/// The job is done; `user` is kept with it if it was not known before.
pub async fn done(tx: &mut Tx, id: i64, user: Option<UserId>, at: UnixMillis) -> Result<()> {
    tx.execute(DONE, binds![id, user, at]).await.map(drop)
}

/// The job could not be done, and why.
pub async fn failed(tx: &mut Tx, id: i64, cause: &str) -> Result<()> {
    tx.execute(FAILED, binds![id, cause]).await.map(drop)
}

/// How a job stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Random.
    pub id: i64,
    /// What kind of message.
    pub kind: String,
    /// Whom it is about, once that is known.
    pub user: Option<UserId>,
    /// When it was written.
    pub created_at: UnixMillis,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is to be tried next, if it is not done.
    pub next_at: UnixMillis,
    /// When it was delivered.
    pub done_at: Option<UnixMillis>,
    /// Why it could not be the last time.
    pub last_error: Option<String>,
    /// What the message says, in app's JSON.
    pub body: String,
}

/// Which jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that are not done.
    Waiting,
    /// Those that are done too, as long as they are remembered.
    All,
    /// Those that are done alone, the one that was done last first.
    Delivered,
}

/// The newest `limit` of these, the newest first.
pub async fn standing(run: &mut impl Run, which: Which, limit: i64) -> Result<Vec<Standing>> {
    let statement = match which {
        Which::Waiting => WAITING,
        Which::All => NEWEST,
        Which::Delivered => DELIVERED,
    };
    run.rows(statement, binds![limit]).await?.iter().map(read_standing).collect()
}

fn read_standing(row: &Row) -> Result<Standing> {
    Ok(Standing {
        id: row.int(0)?,
        kind: row.text(1)?,
        user: row.int_or_null(2)?.map(UserId),
        created_at: row.time(3)?,
        attempts: row.int(4)?,
        next_at: row.time(5)?,
        done_at: row.time_or_null(6)?,
        last_error: row.text_or_null(7)?,
        body: row.text(8)?,
    })
}

/// How one job stands that is not done.
pub async fn standing_of(run: &mut impl Run, id: i64) -> Result<Option<Standing>> {
    db::row(run, STANDING, binds![id]).await?.as_ref().map(read_standing).transpose()
}

/// Has a job as it was read be due at `at` if it was to be later; whether it was.
pub async fn hasten(tx: &mut Tx, job: &Standing, at: UnixMillis) -> Result<bool> {
    tx.hits(HASTEN, binds![job.id, job.attempts, at]).await
}

/// Forgets a job as it was read, undone; whether it was still so.
pub async fn give_up(tx: &mut Tx, job: &Standing) -> Result<bool> {
    tx.hits(GIVE_UP, binds![job.id, job.attempts]).await
}

/// How many jobs could not be done the last time and wait for another try.
pub async fn failing(run: &mut impl Run) -> Result<i64> {
    db::number(run, COUNT_FAILING, binds![]).await
}

/// Forgets the job: there is nobody to tell, or it was given up.
pub async fn drop_job(tx: &mut Tx, id: i64) -> Result<()> {
    tx.execute(DROP_JOB, binds![id]).await.map(drop)
}

/// Jobs that are not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// All of them.
    pub all: i64,
    /// Those that are due.
    pub due: i64,
    /// When the oldest was written.
    pub oldest: Option<UnixMillis>,
}

/// What waits, and how much of it is due at `now`.
pub async fn waiting(run: &mut impl Run, now: UnixMillis) -> Result<Waiting> {
    let row = db::row(run, COUNT_WAITING, binds![now]).await?;
    let row = row.ok_or_else(|| StoreError::Broken("the outbox was not counted".to_owned()))?;
    Ok(Waiting { all: row.int(0)?, due: row.int(1)?, oldest: row.time_or_null(2)? })
}

/// How many jobs are not done.
pub async fn pending(run: &mut impl Run) -> Result<i64> {
    db::number(run, PENDING, binds![]).await
}

/// How many of `kind` were done for `user` at or after `since`.
pub async fn done_since(run: &mut impl Run, kind: &str, user: UserId, since: UnixMillis) -> Result<i64> {
    db::number(run, DONE_SINCE, binds![kind, user, since]).await
}

/// How many of `kind` were written for `user` after `since`, done or not, and when the first of them was.
pub async fn written_since(
    run: &mut impl Run,
    kind: &str,
    user: UserId,
    since: UnixMillis,
) -> Result<(i64, Option<UnixMillis>)> {
    match db::row(run, WRITTEN_SINCE, binds![kind, user, since]).await? {
        Some(row) => Ok((row.int(0)?, row.time_or_null(1)?)),
        None => Ok((0, None)),
    }
}

/// From now on the job is counted.
pub async fn count_to(tx: &mut Tx, id: i64, counted: Counted<'_>) -> Result<()> {
    let from = counted.from.map(|block| block.to_string());
    tx.execute(COUNT_TO, binds![id, counted.to, from]).await.map(drop)
}

/// Counted mails of one kind that one network asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// What kind of message.
    pub kind: String,
    /// Which network, as text or as what is left of that, if it is known.
    pub from: Option<String>,
    /// How many.
    pub count: i64,
}

/// Which counted mails were delivered at or after `since` to an address, given as itself and as what is left of it when an
/// account is forgotten ([`forget`]).
pub async fn done_to_since(
    run: &mut impl Run,
    (to, blurred): (&Email, &str),
    since: UnixMillis,
) -> Result<Vec<Delivered>> {
    let read = |row: &Row| Ok(Delivered { kind: row.text(0)?, from: row.text_or_null(1)?, count: row.int(2)? });
    run.rows(DONE_TO_SINCE, binds![to, blurred, since]).await?.iter().map(read).collect()
}

/// What went to this address before it was known to be the user's is about the user from now on. What is on its way is not
/// touched: whoever delivers it has it, and may wait for what the caller has.
pub async fn adopt(tx: &mut Tx, user: UserId, address: &Email) -> Result<()> {
    tx.execute(ADOPT, binds![user, address]).await.map(drop)
}

/// What was or is to be told to `user`: the kind, when that was written and when it was delivered; the latest first.
pub async fn of_user(run: &mut impl Run, user: &User) -> Result<Vec<(String, UnixMillis, Option<UnixMillis>)>> {
    let rows = run.rows(OF_USER, binds![user.id, &user.email]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.time(1)?, row.time_or_null(2)?))).collect()
}

/// Forgets every job about `user`, done or not, and those that went or were asked for to the user's address, whoever
/// did. Of those that were
/// delivered at or after `since` and are counted stays the count, under what `blur` makes of the address and of the network:
/// nobody gets more mails by making accounts and deleting them.
pub async fn forget(tx: &mut Tx, user: &User, (since, blur): (UnixMillis, impl Fn(&str) -> String)) -> Result<()> {
    for row in db::rows(tx, COUNTED, binds![user.id, &user.email, since]).await? {
        let (to, from) = (row.text(0)?, row.text_or_null(1)?);
        let (blurred_to, blurred_from) = (blur(&to), from.as_deref().map(&blur));
        tx.execute(BLUR, binds![user.id, &user.email, since, to, from, blurred_to, blurred_from]).await?;
    }
    tx.execute(FORGET, binds![user.id]).await?;
    tx.execute(FORGET_TO, binds![&user.email]).await?;
    tx.execute(FORGET_ASKED, binds![&user.email]).await.map(drop)
}

/// Deletes the jobs that were done before `done_before`, and what is left of forgotten ones that were done before
/// `counted_before`; how many.
pub async fn sweep(tx: &mut Tx, done_before: UnixMillis, counted_before: UnixMillis) -> Result<u64> {
    Ok(tx.execute(SWEEP, binds![done_before]).await? + tx.execute(SWEEP_BLURRED, binds![counted_before]).await?)
}

fn read(row: &Row) -> Result<Job> {
    Ok(Job {
        id: row.int(0)?,
        kind: row.text(1)?,
        user: row.int_or_null(2)?.map(UserId),
        body: row.text(3)?,
        created_at: row.time(4)?,
        attempts: row.int(5)?,
        next_at: row.time(6)?,
    })
}
