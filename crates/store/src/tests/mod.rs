//! Everything on both engines.

mod accounts;
mod codes;
mod endings;
mod files;
mod imports;
mod jobs;
mod leases;
mod lists;
mod log;
mod new_device;
mod origin;
mod schema;
mod sessions;
mod snapshots;
mod transactions;
mod user_search;

use cerrojo_domain::{
    Actor, Email, EndReason, Ending, KeyId, ListIndex, ListName, SessionId, Status, USER_ROLE, UnixMillis, User, UserId,
};
use sqlx::{AssertSqlSafe, raw_sql};

use crate::db::Db;
use crate::postgres::Lane;
use crate::sessions::NewSession;
use crate::users::NewUser;
use crate::{Store, users};

/// A user with this address, `name` as given.
fn person(name: &str, email: &str) -> NewUser {
    NewUser {
        name: name.to_owned(),
        email: Email::parse(email).unwrap(),
        password_hash: "$argon2id$stand-in".to_owned(),
        role_id: USER_ROLE,
        status: Status::Active,
        registered_at: UnixMillis(1_000),
        email_verified: false,
    }
}

async fn add_user(store: &Store, email: &str) -> User {
    let mut tx = store.begin().await.unwrap();
    let user = users::insert(&mut tx, &person("Ana", email)).await.unwrap();
    tx.commit().await.unwrap();
    user
}

fn sid(text: &str) -> SessionId {
    SessionId::from_text(text)
}

/// A session of `user` at (`main`, `index`), started at 1,000 + `index`.
fn session(id: &str, user: UserId, index: u32) -> NewSession {
    NewSession {
        id: sid(id),
        user,
        list: ListName::from_text("main"),
        index: ListIndex(index),
        key: KeyId::from_text("key-1"),
        started_at: UnixMillis(1_000 + i64::from(index)),
        expires_at: UnixMillis(90_000_000),
        device: "Firefox".to_owned(),
        address: Some("192.0.2.1".parse().unwrap()),
    }
}

async fn add_sessions(store: &Store, sessions: impl IntoIterator<Item = NewSession>) {
    let mut tx = store.begin().await.unwrap();
    for session in sessions {
        crate::sessions::insert(&mut tx, &session).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn add_list(store: &Store, name: &str) {
    let name = ListName::from_text(name);
    let wanted = crate::lists::Wanted {
        expires_by: UnixMillis(90_000_000),
        len: 1,
        capacity: 1_000_000,
        fresh: &name,
        now: UnixMillis(1),
    };
    crate::lists::reserve(store, &wanted).await.unwrap();
}

/// Runs statements of the test's own.
async fn execute(store: &Store, text: &str) {
    let query = raw_sql(AssertSqlSafe(text.to_owned()));
    match &store.db {
        Db::Sqlite(pools) => drop(query.execute(&pools.writer).await.unwrap()),
        Db::Postgres(pools) => drop(query.execute(&pools.link(Lane::Requests).pool).await.unwrap()),
    }
}

/// Returns when so many wait for a row of this table which somebody else holds: who they are. The first in line has the
/// place in the line, the second waits for it (PostgreSQL).
async fn waiting_for_a_row(store: &Store, table: &str, many: usize) -> Vec<i32> {
    let Db::Postgres(pools) = &store.db else { unreachable!() };
    let asked = "SELECT pid FROM pg_locks WHERE locktype = 'tuple' AND relation = CAST($1 AS regclass)";
    for _ in 0..100_000 {
        let pool = pools.link(Lane::Control).pool;
        let waiting = sqlx::query_scalar(asked).bind(table).fetch_all(&pool).await.unwrap();
        if waiting.len() == many {
            return waiting;
        }
    }
    panic!("nobody waits");
}

/// Appends so many entries to the log.
async fn grow(store: &Store, entries: usize) {
    let mut tx = store.begin_ending().await.unwrap();
    for _ in 0..entries {
        let fact = cerrojo_domain::Fact::KeyAdded { key: KeyId::from_text("k") };
        crate::log::append(&mut tx, fact, UnixMillis(1)).await.unwrap();
    }
    tx.commit().await.unwrap();
}

fn logout(at: i64) -> Ending {
    Ending {
        reason: EndReason::Logout,
        actor: Actor::User(UserId(1)),
        at: UnixMillis(at),
        place: Some("192.0.2.7".parse().unwrap()),
    }
}
