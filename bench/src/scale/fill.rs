//! A large PostgreSQL database, written by the server itself: rows as sign-ins and logouts would have left them.

use std::path::PathBuf;

use cerrojo_domain::{ListIndex, ListName, SessionId};

use crate::failure::{Failure, Outcome};
use crate::logout;
use crate::place::Place;
use crate::postgres::Postgres;
use crate::requests::{Requests, with_tokens};
use crate::say;
use crate::seed::{DEVICE, LIST, Seeding, USERS};
use crate::verify;

/// The database's name.
const DATABASE: &str = "scale";
/// Users that have many sessions.
const BIG_USERS: usize = 4;
/// So many.
const MANY: usize = 10_000;
/// Sessions of the other users that can sign in, of which there are tokens.
const WITH_TOKENS: usize = 40_000;
/// Entries that the log holds and no bitmap, at most.
const LOGGED: usize = 100_000;
/// A random name: 22 characters of base64url.
const NAME: &str = "translate(left(encode(uuid_send(gen_random_uuid()), 'base64'), 22), '+/', '-_')";

/// What was made.
pub(super) struct Filled {
    /// The database's name.
    pub(super) database: &'static str,
    /// Its address.
    pub(super) url: String,
    /// Holds the master key.
    pub(super) folder: PathBuf,
    /// The number up to which the bitmaps hold everything; the log begins after it.
    pub(super) covered: f64,
    /// A logout of each of so many sessions.
    pub(super) logouts: Requests,
    /// Checks of other sessions.
    pub(super) checks: Requests,
    /// For each user with many sessions, a request that ends all of them.
    pub(super) logout_alls: Requests,
}

/// Fills a new database with so many live sessions and half as many ended ones.
pub(super) async fn fill(place: &Place, postgres: &Postgres, live: usize) -> Outcome<Filled> {
    let database = DATABASE;
    let url = postgres.create(database)?;
    let folder = place.folder("scale")?;
    let seeding = Seeding::begin(&url, &folder).await?;
    say(&format!("scale, writing {live} live sessions and half as many ended ones …"));
    postgres.ask(database, &sessions(&seeding, live))?;
    let covered = endings(postgres, database, live / 2)?;
    postgres.ask(database, "DROP TABLE made_lists, made_indexes, logged;\nVACUUM ANALYZE;\nCHECKPOINT")?;
    let mine = format!("user_id BETWEEN {} AND {USERS}", BIG_USERS + 1);
    let tokens = tokens(postgres, &seeding, &format!("{mine} LIMIT {WITH_TOKENS}")).await?;
    let (ending, staying) = tokens.split_at(tokens.len() * 3 / 4);
    let one_each = format!("id IN (SELECT min(id) FROM sessions WHERE user_id <= {BIG_USERS} GROUP BY user_id)");
    let all = self::tokens(postgres, &seeding, &one_each).await?;
    seeding.finish().await?;
    Ok(Filled {
        database,
        url,
        folder,
        covered,
        logouts: with_tokens(logout::LINE, ending),
        checks: with_tokens(verify::LINE, staying),
        logout_alls: with_tokens("POST /api/auth/logout-all", &all),
    })
}

/// Indexes are made afterwards: row by row it would take an hour.
fn sessions(seeding: &Seeding, live: usize) -> String {
    let (started, expires, key) = (seeding.started_at.0, seeding.expires_at.0, seeding.key());
    let (total, mine) = (live + live / 2, BIG_USERS * MANY);
    let with_tokens = mine + WITH_TOKENS * 3 / 2;
    let (lists, by, owners) = (total.div_ceil(LIST as usize), expires + 3_600_000, live / 3);
    let others = USERS - BIG_USERS;
    format!(
        "CREATE TABLE made_lists AS SELECT number, {NAME} AS name FROM generate_series(0, {lists} - 1) AS number;\n\
         INSERT INTO lists (name, capacity, next_index, created_at, expires_by, retired, origin) \
         SELECT name, {LIST}, {LIST}, {started}, {by}, 0, origin FROM made_lists, log_head;\n\
         CREATE TABLE made_indexes AS \
         SELECT format('ALTER TABLE sessions ADD CONSTRAINT %I %s', conname, pg_get_constraintdef(oid)) AS make, \
         format('ALTER TABLE sessions DROP CONSTRAINT %I', conname) AS unmake \
         FROM pg_constraint WHERE conrelid = 'sessions'::regclass AND contype IN ('p', 'u') \
         UNION ALL SELECT indexdef, format('DROP INDEX %I', indexname) FROM pg_indexes \
         WHERE tablename = 'sessions' AND indexname NOT IN (SELECT conname FROM pg_constraint);\n\
         DO $$ DECLARE index record; BEGIN \
         FOR index IN SELECT * FROM made_indexes LOOP EXECUTE index.unmake; END LOOP; END $$;\n\
         INSERT INTO sessions (id, user_id, list, idx, key_id, device, address, started_at, last_seen_at, expires_at, \
         ended_at, ended_reason, ended_by, ended_from) \
         SELECT {NAME}, owner, name, place % {LIST}, '{key}', '{DEVICE}', '127.0.0.1', {started} - place % 3600000, \
         {started}, {expires}, \
         CASE WHEN over THEN {started} END, CASE WHEN over THEN 'logout' END, CASE WHEN over THEN 'server' END, \
         CASE WHEN over THEN '127.0.0.1' END \
         FROM (SELECT place, place >= {with_tokens} AND hashint8(place) % 3 = 0 AS over, \
         CASE WHEN place < {mine} THEN 1 + place / {MANY} \
         WHEN place < {with_tokens} THEN {BIG_USERS} + 1 + place % {others} \
         ELSE {USERS} + 1 + place % {owners} END AS owner FROM generate_series(0, {total} - 1) AS place) AS made \
         JOIN made_lists ON number = place / {LIST};\n\
         DO $$ DECLARE index record; BEGIN \
         FOR index IN SELECT * FROM made_indexes LOOP EXECUTE index.make; END LOOP; END $$"
    )
}

/// The older endings go into the bitmaps, the last of them into the log. The number of the last one in the bitmaps.
fn endings(postgres: &Postgres, database: &str, ended: usize) -> Outcome<f64> {
    let one_of = (ended / LOGGED).max(2);
    postgres.ask(
        database,
        &format!(
            "CREATE TABLE logged AS SELECT row_number() OVER () AS number, id, list, idx FROM sessions \
             WHERE ended_at IS NOT NULL AND hashtext(id) % {one_of} = 0;\n\
             INSERT INTO list_bits (list, bits) \
             SELECT name, decode(string_agg(lpad(to_hex(COALESCE(eight, 0)), 2, '0'), '' ORDER BY byte), 'hex') \
             FROM made_lists CROSS JOIN generate_series(0, {LIST} / 8 - 1) AS byte \
             LEFT JOIN (SELECT list, idx / 8 AS at, bit_or(1 << (idx % 8)::int) AS eight FROM sessions \
             WHERE ended_at IS NOT NULL AND hashtext(id) % {one_of} <> 0 GROUP BY 1, 2) AS bits \
             ON list = name AND at = byte GROUP BY name"
        ),
    )?;
    let ended = postgres.number(database, "SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL")?;
    let logged = postgres.number(database, "SELECT count(*) FROM logged")?;
    let head = postgres.number(database, "SELECT number FROM log_head")?;
    let covered = head + ended - logged;
    postgres.ask(
        database,
        &format!(
            "DELETE FROM log;\n\
             INSERT INTO log (number, mark, kind, session_id, list, idx, at) \
             SELECT {covered} + number, left(md5(random()::text), 24), 'session_ended', id, list, idx, \
             (extract(epoch FROM now()) * 1000)::bigint FROM logged;\n\
             UPDATE log_head SET (number, mark) = (SELECT number, mark FROM log ORDER BY number DESC LIMIT 1);\n\
             UPDATE snapshot SET number = {covered}"
        ),
    )?;
    Ok(covered)
}

async fn tokens(postgres: &Postgres, seeding: &Seeding, which: &str) -> Outcome<Vec<String>> {
    let asked = format!("SELECT id, user_id, list, idx FROM sessions WHERE ended_at IS NULL AND {which}");
    let mut tokens = Vec::new();
    for line in postgres.ask(DATABASE, &asked)?.lines() {
        tokens.push(token(seeding, line).await?);
    }
    Ok(tokens)
}

async fn token(seeding: &Seeding, line: &str) -> Outcome<String> {
    let odd = || Failure(format!("an odd row: {line}"));
    let [id, user, list, index] = *line.split('|').collect::<Vec<_>>() else { return Err(odd()) };
    let user = seeding.user(user.parse::<usize>()?.checked_sub(1).ok_or_else(odd)?)?;
    let place = (ListName::from_text(list.to_owned()), ListIndex(index.parse()?));
    seeding.token(&seeding.row(&SessionId::from_text(id.to_owned()), user, place), user).await
}
