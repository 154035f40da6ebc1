//! Transactions, snapshots and values.

use cerrojo_domain::{ListIndex, ListName, UnixMillis};

use super::{add_sessions, add_user, logout, person, session, sid};
use crate::bind::binds;
use crate::db::Db;
use crate::db::sealed::Run as _;
use crate::endings::Which;
use crate::postgres::{self, Lane};
use crate::sessions::Whose;
use crate::statement::statements;
use crate::testing::{Fresh, on_both_engines};
use crate::{StoreError, endings, meta, sessions, users};

statements! {
    WRITE(0) = "DELETE FROM sessions";
    ECHO(2) = "SELECT CAST($1 AS TEXT), CAST($2 AS TEXT)";
    PROCESS_ID(0) = "", postgres = "SELECT pg_backend_pid()::bigint";
}

#[tokio::test]
async fn a_missing_value_is_an_error_and_not_null() {
    on_both_engines(async |store| {
        for binds in [binds!["one"], binds!["one", "two", "three"]] {
            let refused = store.reader().rows(ECHO, binds).await.map(drop);
            assert!(matches!(refused, Err(StoreError::Broken(why)) if why.contains("ECHO")));
        }
        let rows = store.reader().rows(ECHO, binds!["one", None::<String>]).await.unwrap();
        assert_eq!((rows[0].text_or_null(0), rows[0].text_or_null(1)), (Ok(Some("one".to_owned())), Ok(None)));
    })
    .await;
}

#[tokio::test]
async fn a_dropped_transaction_changes_nothing_and_blocks_nobody() {
    on_both_engines(async |store| {
        for _ in 0..20 {
            let mut tx = store.begin_ending().await.unwrap();
            meta::set(&mut tx, "check", "lost").await.unwrap();
        }
        assert_eq!(meta::get(&mut store.reader(), "check").await.unwrap(), None);
    })
    .await;
}

/// Polls it so often, then drops it.
async fn give_up<T>(begun: impl Future<Output = T>, polls: usize) {
    let (mut begun, mut left) = (Box::pin(begun), polls);
    std::future::poll_fn(|context| {
        left -= 1;
        let done = begun.as_mut().poll(context).is_ready();
        if done || left == 0 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

#[tokio::test]
async fn a_beginning_given_up_half_way_leaves_no_old_state_behind() {
    on_both_engines(async |store| {
        for round in 0_usize..40 {
            let polls = round % 8 + 1;
            give_up(store.snapshot(), polls).await;
            give_up(store.begin(), polls).await;
            let mut tx = store.begin().await.unwrap();
            meta::set(&mut tx, "round", &round.to_string()).await.unwrap();
            tx.commit().await.unwrap();
            for _ in 0..4 {
                let read = meta::get(&mut store.reader(), "round").await.unwrap();
                assert_eq!(read, Some(round.to_string()));
            }
            let mut state = store.snapshot().await.unwrap();
            assert_eq!(meta::get(&mut state, "round").await.unwrap(), Some(round.to_string()));
        }
    })
    .await;
}

#[tokio::test]
async fn a_statement_given_up_half_way_blocks_nobody() {
    on_both_engines(async |store| {
        for _ in 0..50 {
            let mut tx = store.begin().await.unwrap();
            let mut statement = Box::pin(meta::set(&mut tx, "check", "lost"));
            // Polled once, then dropped.
            std::future::poll_fn(|context| std::task::Poll::Ready(statement.as_mut().poll(context).is_ready())).await;
            drop(statement);
            drop(tx);
        }
        let mut tx = store.begin().await.unwrap();
        assert_eq!(meta::get(&mut tx, "check").await.unwrap(), None);
        meta::set(&mut tx, "check", "kept").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(meta::get(&mut store.reader(), "check").await.unwrap().as_deref(), Some("kept"));
    })
    .await;
}

#[tokio::test]
async fn a_commit_after_a_failed_statement_is_refused() {
    on_both_engines(async |store| {
        add_user(&store, "ana@example.com").await;
        let mut tx = store.begin().await.unwrap();
        meta::set(&mut tx, "check", "lost").await.unwrap();
        assert!(matches!(users::insert(&mut tx, &person("Ana", "ana@example.com")).await, Err(StoreError::Taken)));
        assert!(matches!(meta::set(&mut tx, "check", "lost").await, Err(StoreError::Broken(_))));
        assert!(matches!(tx.commit().await, Err(StoreError::Broken(_))));
        assert_eq!(meta::get(&mut store.reader(), "check").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_snapshot_sees_one_state_and_cannot_write() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await.id;
        add_sessions(&store, [session("a", ana, 0)]).await;
        let mut snapshot = store.snapshot().await.unwrap();
        assert!(sessions::is_live(&mut snapshot, &sid("a")).await.unwrap());
        let mut tx = store.begin_ending().await.unwrap();
        endings::end(&mut tx, Which::One(&sid("a")), &logout(1)).await.unwrap();
        tx.commit().await.unwrap();
        assert!(sessions::is_live(&mut snapshot, &sid("a")).await.unwrap());
        assert_eq!(crate::log::head(&mut snapshot).await.unwrap().number, 0);
        assert!(!sessions::is_live(&mut store.reader(), &sid("a")).await.unwrap());
        assert!(snapshot.rows(WRITE, binds![]).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn endings_wait_for_each_other_and_sign_ins_do_not_see_the_epoch_too_late() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await;
        // A reset holds the users row; the sign-in that waits for it must look again and miss.
        let mut reset = store.begin_ending().await.unwrap();
        let raise = users::Change { raise_epoch: true, ..users::Change::default() };
        users::change(&mut reset, ana.id, ana.epoch, &raise).await.unwrap().unwrap();
        let sign_in = tokio::spawn({
            let (store, id, epoch) = (store.clone(), ana.id, ana.epoch);
            async move {
                let mut tx = store.begin().await?;
                users::sign_in(&mut tx, id, epoch, UnixMillis(1)).await
            }
        });
        tokio::task::yield_now().await;
        reset.commit().await.unwrap();
        assert_eq!(sign_in.await.unwrap(), Ok(false));
    })
    .await;
}

#[tokio::test]
async fn activity_of_many_is_written() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await.id;
        add_sessions(&store, (0..300).map(|index| session(&format!("s{index}"), ana, index))).await;
        let main = ListName::from_text("main");
        let uses: Vec<_> = (0..300).map(|index| (main.clone(), ListIndex(index), UnixMillis(7_000))).collect();
        sessions::saw(&store, &uses).await.unwrap();
        assert_eq!(sessions::idle(&mut store.reader(), Whose::Anybodys, (UnixMillis(6_999), 9)).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_lost_connection_is_told_apart_before_and_at_commit() {
    let store = Fresh::postgres().await.store().await;
    let Db::Postgres(pools) = &store.db else { panic!("not PostgreSQL") };
    let pool = &pools.link(Lane::Control).pool;
    let mut outcomes = Vec::new();
    for at_commit in [false, true] {
        let mut tx = store.begin().await.unwrap();
        meta::set(&mut tx, "check", "lost").await.unwrap();
        let id = tx.rows(PROCESS_ID, binds![]).await.unwrap()[0].int(0).unwrap();
        // Comes back once the process is gone.
        let ended: bool =
            sqlx::query_scalar("SELECT pg_terminate_backend($1::int, 5000)").bind(id).fetch_one(pool).await.unwrap();
        assert!(ended);
        outcomes.push(if at_commit { tx.commit().await } else { meta::set(&mut tx, "check", "lost").await });
    }
    assert!(matches!(outcomes[0], Err(StoreError::Unavailable(_))), "{:?}", outcomes[0]);
    assert!(matches!(outcomes[1], Err(StoreError::OutcomeUnknown(_))), "{:?}", outcomes[1]);
    assert_eq!(meta::get(&mut store.reader(), "check").await.unwrap(), None);
}

#[test]
fn a_driver_that_dies_at_commit_leaves_the_outcome_unknown() {
    for error in
        [sqlx::Error::WorkerCrashed, sqlx::Error::Io(std::io::Error::other("cut off")), sqlx::Error::PoolClosed]
    {
        assert!(matches!(StoreError::before_commit(&error), StoreError::Unavailable(_)));
        assert!(matches!(StoreError::at_commit(&error), StoreError::OutcomeUnknown(_)));
    }
}

#[tokio::test]
async fn a_writer_that_cannot_have_its_turn_says_so_and_changed_nothing() {
    let fresh = Fresh::sqlite();
    let (store, other) = (fresh.store().await, fresh.store().await);
    let Db::Sqlite(pools) = &other.db else { panic!("not SQLite") };
    sqlx::query("PRAGMA busy_timeout = 0").execute(&pools.writer).await.unwrap();
    let held = store.begin().await.unwrap();
    assert!(matches!(other.begin().await.map(drop), Err(StoreError::Unavailable(_))));
    drop(held);
    add_user(&store, "ana@example.com").await;
    add_user(&other, "eva@example.com").await;
}

/// A server that was restarted has closed them all.
#[tokio::test]
async fn when_whoever_listens_loses_the_connection_idle_ones_are_left_and_what_runs_goes_on() {
    let fresh = Fresh::postgres().await;
    let store = fresh.store().await;
    let Db::Postgres(pools) = &store.db else { unreachable!() };
    let pool = pools.link(Lane::Requests).pool;
    let mut listener = postgres::listen(&store).await.unwrap();
    let mut held = Vec::new();
    let mut gone = Vec::new();
    for _ in 0..3 {
        let mut connection = pool.acquire().await.unwrap();
        let asked = sqlx::query_scalar::<_, i32>("SELECT pg_backend_pid()");
        gone.push(asked.fetch_one(&mut *connection).await.unwrap());
        held.push(connection);
    }
    let listens = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' || current_schema() || '%'";
    gone.push(sqlx::query_scalar::<_, i32>(listens).fetch_one(&pool).await.unwrap());
    drop(held);
    let terminate = gone.iter().map(|pid| format!("SELECT pg_terminate_backend({pid});"));
    fresh.run(terminate.collect()).await;
    assert!(listener.heard().await.is_err());
    let mut running = store.begin().await.unwrap();
    for _ in 0..3 {
        meta::get(&mut store.reader(), "any").await.unwrap();
    }
    meta::set(&mut running, "any", "1").await.unwrap();
    running.commit().await.unwrap();
    assert_eq!(meta::get(&mut store.reader(), "any").await.unwrap().as_deref(), Some("1"));

    // Another listener, whose connection alone is cut: a transaction that is under way is none of its business.
    let mut listener = postgres::listen(&store).await.unwrap();
    let pid = sqlx::query_scalar::<_, i32>(listens).fetch_one(&pools.link(Lane::Control).pool).await.unwrap();
    let (mut running, mut hanging) = (store.begin().await.unwrap(), store.begin().await.unwrap());
    meta::set(&mut running, "any", "2").await.unwrap();
    let just_taken = pools.link(Lane::Requests).pool;
    fresh.run(format!("SELECT pg_terminate_backend({pid})")).await;
    assert!(listener.heard().await.is_err());
    meta::set(&mut running, "any", "3").await.unwrap();
    running.commit().await.unwrap();
    assert_eq!(meta::get(&mut store.reader(), "any").await.unwrap().as_deref(), Some("3"));
    just_taken.acquire().await.unwrap();

    // A server that then answers nothing at all is given up, with whatever was begun before. The row is held, so that the answer
    // is long in coming.
    let mut holds = store.begin().await.unwrap();
    meta::set(&mut holds, "any", "4").await.unwrap();
    postgres::give_up_connections(&store);
    let hung = meta::set(&mut hanging, "any", "5").await;
    assert!(matches!(&hung, Err(StoreError::Unavailable(cause)) if cause.contains("given up")), "{hung:?}");
    meta::get(&mut store.reader(), "any").await.unwrap();
}
