//! Endings: what ends, once, with which numbers.

use std::collections::BTreeSet;

use cerrojo_domain::{
    Actor, EndReason, Ending, Entry, Fact, KeyId, ListIndex, ListName, SessionId, UnixMillis, User, UserId,
};

use super::{add_list, add_sessions, add_user, logout, session, sid, waiting_for_a_row};
use crate::db::Db;
use crate::endings::Which;
use crate::postgres::{self, Lane, Word};
use crate::sessions::NewSession;
use crate::sessions::Whose;
use crate::testing::{Fresh, on_both_engines};
use crate::{OpenOptions, Store, StoreError, endings, lists, log, meta, sessions, users};

/// The sessions that entries end, in order.
fn ended(entries: &[Entry]) -> Vec<&str> {
    let session = |entry: &'_ Entry| match &entry.fact {
        Fact::SessionEnded { session, .. } => session.as_str().to_owned().leak() as &str,
        other => panic!("{other:?}"),
    };
    entries.iter().map(session).collect()
}

fn numbers(entries: &[Entry]) -> Vec<i64> {
    entries.iter().map(|entry| entry.position.number).collect()
}

async fn end(store: &Store, which: Which<'_>, at: i64) -> Vec<Entry> {
    let mut tx = store.begin_ending().await.unwrap();
    let entries = endings::end(&mut tx, which, &logout(at)).await.unwrap();
    tx.commit().await.unwrap();
    entries
}

async fn three_sessions(store: &Store) -> User {
    let ana = add_user(store, "ana@example.com").await;
    add_sessions(store, [session("c", ana.id, 0), session("a", ana.id, 1), session("b", ana.id, 2)]).await;
    ana
}

#[tokio::test]
async fn a_session_that_ends_alone_leaves_what_any_other_leaves() {
    on_both_engines(async |store| {
        three_sessions(&store).await;
        let before = end(&store, Which::One(&sid("b")), 4_000).await;
        let Some(done) = endings::end_alone(&store, &sid("a"), &logout(5_000)).await.unwrap() else {
            assert!(store.is_sqlite() && sessions::is_live(&mut store.reader(), &sid("a")).await.unwrap());
            return;
        };
        let (head, entry) = (done.head(), done.entry.unwrap());
        assert_eq!((&done.after, head), (&before[0].position, entry.position.number));
        let list = ListName::from_text("main");
        assert_eq!(entry.fact, Fact::SessionEnded { session: sid("a"), list, index: ListIndex(1) });
        assert_eq!(
            log::after(&mut store.reader(), 0, 10).await.unwrap(),
            [before.as_slice(), std::slice::from_ref(&entry)].concat()
        );
        assert_eq!(log::head(&mut store.reader()).await.unwrap(), entry.position);
        let kept = sessions::by_id(&mut store.reader(), &sid("a")).await.unwrap().unwrap().ended.unwrap();
        assert_eq!((kept.at, kept.reason.as_str(), kept.by.as_str()), (UnixMillis(5_000), "logout", "user:1"));
        let again = endings::end_alone(&store, &sid("a"), &logout(6_000)).await.unwrap().unwrap();
        assert_eq!((again.head(), again.entry), (entry.position.number, None));
        assert_eq!(log::head(&mut store.reader()).await.unwrap(), entry.position);
        assert!(sessions::is_live(&mut store.reader(), &sid("c")).await.unwrap());
    })
    .await;
}

/// Those that end alone wait for whoever holds the log's head, and find what that one did.
#[tokio::test]
async fn what_ends_alone_comes_after_whoever_holds_the_head() {
    on_both_engines(async |store| {
        if store.is_sqlite() {
            return;
        }
        three_sessions(&store).await;
        let mut tx = store.begin_ending().await.unwrap();
        let before = endings::end(&mut tx, Which::One(&sid("a")), &logout(4_000)).await.unwrap();
        let alone = |name: &'static str| {
            let store = store.clone();
            tokio::spawn(async move { endings::end_alone(&store, &sid(name), &logout(5_000)).await.unwrap().unwrap() })
        };
        let (same, other) = (alone("a"), alone("b"));
        waiting_for_a_row(&store, "log_head", 2).await;
        tx.commit().await.unwrap();
        let (same, other) = (same.await.unwrap(), other.await.unwrap());
        assert!(same.entry.is_none() && same.head() >= before[0].position.number);
        assert_eq!(other.after, before[0].position);
        assert_eq!(numbers(&log::after(&mut store.reader(), 0, 10).await.unwrap()), [1, 2]);
        let kept = sessions::by_id(&mut store.reader(), &sid("a")).await.unwrap().unwrap().ended.unwrap();
        assert_eq!(kept.at, UnixMillis(4_000));
    })
    .await;
}

/// No row of a session is touched by the end of everything: whoever waited for it has to look for it elsewhere.
#[tokio::test]
async fn what_would_end_alone_behind_the_end_of_everything_is_over_by_that() {
    on_both_engines(async |store| {
        if store.is_sqlite() {
            return;
        }
        three_sessions(&store).await;
        add_list(&store, "main").await;
        let mut tx = store.begin_ending().await.unwrap();
        endings::end_everything(&mut tx, "second", &restored(9)).await.unwrap();
        let alone = tokio::spawn({
            let store = store.clone();
            async move { endings::end_alone(&store, &sid("a"), &logout(5_000)).await.unwrap().is_some() }
        });
        waiting_for_a_row(&store, "log_head", 1).await;
        tx.commit().await.unwrap();
        assert!(!alone.await.unwrap(), "it has to go the way of all others, which sees everything over");
        assert_eq!(numbers(&log::after(&mut store.reader(), 0, 10).await.unwrap()), [1]);
        write_down(&store, 9).await;
        let kept = sessions::by_id(&mut store.reader(), &sid("a")).await.unwrap().unwrap().ended.unwrap();
        assert_eq!((kept.at, kept.reason.as_str()), (UnixMillis(9), "restored"));
    })
    .await;
}

/// A connection that is lost says nothing of what became of the statement, and the word of it counts as news.
#[tokio::test]
async fn what_became_of_a_lone_ending_that_was_broken_off_is_not_known() {
    on_both_engines(async |store| {
        let Db::Postgres(pools) = &store.db else { return };
        three_sessions(&store).await;
        let holding = store.begin_ending().await.unwrap();
        let ending = tokio::spawn({
            let store = store.clone();
            async move { endings::end_alone(&store, &sid("a"), &logout(5_000)).await.map(drop) }
        });
        let waiting = waiting_for_a_row(&store, "log_head", 1).await;
        let terminate = sqlx::query("SELECT pg_terminate_backend($1)").bind(waiting[0]);
        terminate.execute(&pools.link(Lane::Control).pool).await.unwrap();
        let ended = ending.await.unwrap();
        assert!(matches!(ended, Err(StoreError::OutcomeUnknown(_))), "{ended:?}");
        drop(holding);
        assert!(sessions::is_live(&mut store.reader(), &sid("a")).await.unwrap());
    })
    .await;
}

/// What is refused by a server's default goes the way of all others, which says what it needs.
#[tokio::test]
async fn what_is_refused_alone_has_changed_nothing() {
    let fresh = Fresh::postgres().await;
    three_sessions(&fresh.store().await).await;
    let url = format!("{}&options[default_transaction_read_only]=on", fresh.url);
    let store = Store::open(&url, OpenOptions::default()).await.unwrap();
    assert!(endings::end_alone(&store, &sid("a"), &logout(5_000)).await.unwrap().is_none());
    assert!(sessions::is_live(&mut store.reader(), &sid("a")).await.unwrap());
    assert_eq!(end(&store, Which::One(&sid("a")), 6_000).await.len(), 1);
}

/// Word of an entry goes to all others.
#[tokio::test]
async fn whoever_ends_alone_is_not_told_of_it() {
    let fresh = Fresh::postgres().await;
    let store = fresh.store().await;
    three_sessions(&store).await;
    let other = Store::open(&fresh.url, OpenOptions::default()).await.unwrap();
    let (mut here, mut there) = (postgres::listen(&store).await.unwrap(), postgres::listen(&other).await.unwrap());
    endings::end_alone(&store, &sid("a"), &logout(5_000)).await.unwrap();
    endings::end_alone(&other, &sid("b"), &logout(5_000)).await.unwrap();
    assert_eq!(here.heard().await, Ok(Word::Grown(2)));
    assert_eq!(there.heard().await, Ok(Word::Grown(1)));
}

/// Whatever the server's default is: a logout that is answered is on the disk.
#[tokio::test]
async fn what_ends_alone_waits_for_the_disk() {
    on_both_engines(async |store| {
        let Db::Postgres(pools) = &store.db else { return };
        three_sessions(&store).await;
        let alone = endings::ALL.iter().find(|statement| statement.name == "END_ALONE").unwrap();
        for (session, default, counts) in
            [("a", "off", "on"), ("b", "local", "on"), ("c", "remote_apply", "remote_apply")]
        {
            let mut tx = pools.link(Lane::Control).pool.begin().await.unwrap();
            let set = sqlx::query("SELECT set_config('synchronous_commit', $1, true)").bind(default);
            set.execute(&mut *tx).await.unwrap();
            let query = sqlx::query((alone.postgres)()).bind(5_000_i64).bind("logout").bind("user:1");
            let query = query.bind(None::<String>).bind(session).bind("mark").bind("user").bind(1_i64).bind("{}");
            let query = query.bind(None::<String>).bind(None::<String>);
            let ended = query.fetch_all(&mut *tx).await.unwrap();
            assert_eq!(ended.len(), 1);
            let set: String = sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut *tx).await.unwrap();
            assert_eq!(set, counts);
        }
    })
    .await;
}

#[tokio::test]
async fn many_entries_at_once_are_read_back_as_they_were_made() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await;
        let names: Vec<String> = (0..70).map(|number| format!("s{number:03}")).collect();
        add_sessions(&store, names.iter().zip(0..).map(|(name, index)| session(name, ana.id, index))).await;
        let entries = end(&store, Which::OfUser(ana.id), 5_000).await;
        assert_eq!(entries.len(), 70);
        assert_eq!(log::after(&mut store.reader(), 0, 100).await.unwrap(), entries);
        assert_eq!(log::head(&mut store.reader()).await.unwrap(), entries[69].position);
    })
    .await;
}

#[tokio::test]
async fn an_ending_is_kept_with_its_session_and_told_by_the_log() {
    on_both_engines(async |store| {
        three_sessions(&store).await;
        let entries = end(&store, Which::One(&sid("a")), 5_000).await;
        let list = ListName::from_text("main");
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].fact, Fact::SessionEnded { session: sid("a"), list, index: ListIndex(1) });
        assert_eq!(log::after(&mut store.reader(), 0, 10).await.unwrap(), entries);
        assert_eq!(log::head(&mut store.reader()).await.unwrap(), entries[0].position);
        let kept = sessions::by_id(&mut store.reader(), &sid("a")).await.unwrap().unwrap().ended.unwrap();
        assert_eq!((kept.at, kept.reason.as_str(), kept.by.as_str()), (UnixMillis(5_000), "logout", "user:1"));
        assert_eq!(kept.place.as_deref(), Some("192.0.2.7"));
        assert!(!sessions::is_live(&mut store.reader(), &sid("a")).await.unwrap());
        assert!(sessions::is_live(&mut store.reader(), &sid("b")).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_once_and_keeps_its_first_ending() {
    on_both_engines(async |store| {
        three_sessions(&store).await;
        assert_eq!(end(&store, Which::One(&sid("a")), 5_000).await.len(), 1);
        assert!(end(&store, Which::One(&sid("a")), 6_000).await.is_empty());
        assert!(end(&store, Which::One(&sid("nobody")), 6_000).await.is_empty());
        assert_eq!(ended(&end(&store, Which::OfUser(UserId(1)), 7_000).await), ["b", "c"]);
        let kept = sessions::by_id(&mut store.reader(), &sid("a")).await.unwrap().unwrap().ended.unwrap();
        assert_eq!(kept.at, UnixMillis(5_000));
        assert_eq!(log::head(&mut store.reader()).await.unwrap().number, 3);
    })
    .await;
}

#[tokio::test]
async fn endings_reach_whom_they_name_in_order_of_ids() {
    on_both_engines(async |store| {
        let ana = three_sessions(&store).await.id;
        let eva = add_user(&store, "eva@example.com").await.id;
        let other = NewSession { key: KeyId::from_text("key-2"), ..session("z", eva, 9) };
        add_sessions(&store, [other, session("y", eva, 8)]).await;
        let entries = end(&store, Which::OthersOf(ana, &sid("b")), 1).await;
        assert_eq!((ended(&entries), numbers(&entries)), (vec!["a", "c"], vec![1, 2]));
        let entries = end(&store, Which::SignedBy(&KeyId::from_text("key-2")), 2).await;
        assert_eq!((ended(&entries), numbers(&entries)), (vec!["z"], vec![3]));
        let entries = end(&store, Which::OfUser(ana), 3).await;
        assert_eq!((ended(&entries), numbers(&entries)), (vec!["b"], vec![4]));
        assert!(sessions::is_live(&mut store.reader(), &sid("y")).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn many_end_together_and_each_keeps_its_own_ending() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await;
        let names: Vec<String> = (100..137).map(|number| format!("s{number}")).collect();
        add_sessions(&store, names.iter().zip(0..).map(|(name, index)| session(name, ana.id, index))).await;
        end(&store, Which::One(&sid("s105")), 1).await;
        let unknown = "s1365".to_owned();
        let wanted: Vec<(SessionId, Ending)> =
            names.iter().chain([&unknown]).zip(5_000..).map(|(name, at)| (sid(name), logout(at))).collect();
        let wanted: Vec<(&SessionId, &Ending)> = wanted.iter().map(|(id, ending)| (id, ending)).collect();
        for (count, hit) in [(3, 3), (37, 33), (38, 0)] {
            let mut tx = store.begin_ending().await.unwrap();
            let entries = endings::end_each(&mut tx, &wanted[..count]).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(entries.len(), hit);
            assert!(ended(&entries).is_sorted());
            assert!(numbers(&entries).is_sorted());
        }
        for (name, at) in names.iter().zip(5_000..) {
            let kept = sessions::by_id(&mut store.reader(), &sid(name)).await.unwrap().unwrap().ended.unwrap();
            assert_eq!(kept.at, UnixMillis(if name == "s105" { 1 } else { at }), "{name}");
            assert_eq!((kept.by.as_str(), kept.place.as_deref()), ("user:1", Some("192.0.2.7")));
        }
        assert_eq!(log::head(&mut store.reader()).await.unwrap().number, 37);
    })
    .await;
}

#[tokio::test]
async fn idleness_is_decided_by_what_is_stored() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await.id;
        let last_seen = 1_004;
        add_sessions(&store, [session("a", ana, 4)]).await;
        assert!(end(&store, Which::IdleSince(&sid("a"), UnixMillis(last_seen - 1)), 9_000).await.is_empty());
        assert!(sessions::is_live(&mut store.reader(), &sid("a")).await.unwrap());
        assert_eq!(end(&store, Which::IdleSince(&sid("a"), UnixMillis(last_seen)), 9_000).await.len(), 1);
        assert!(end(&store, Which::IdleSince(&sid("a"), UnixMillis(last_seen)), 9_000).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_is_not_committed_never_was() {
    on_both_engines(async |store| {
        three_sessions(&store).await;
        let before = log::head(&mut store.reader()).await.unwrap();
        let mut tx = store.begin_ending().await.unwrap();
        let lost = endings::end(&mut tx, Which::OfUser(UserId(1)), &logout(1)).await.unwrap();
        assert_eq!(lost.len(), 3);
        drop(tx);
        assert_eq!(log::head(&mut store.reader()).await.unwrap(), before);
        assert!(log::after(&mut store.reader(), 0, 9).await.unwrap().is_empty());
        let again = end(&store, Which::OfUser(UserId(1)), 2).await;
        assert_eq!((ended(&again), numbers(&again)), (vec!["a", "b", "c"], vec![1, 2, 3]));
        assert_ne!(again[0].position.mark, lost[0].position.mark);
    })
    .await;
}

fn restored(at: i64) -> Ending {
    Ending { reason: EndReason::Restored, actor: Actor::Server, at: UnixMillis(at), place: None }
}

#[tokio::test]
async fn everything_ends_by_one_entry() {
    on_both_engines(async |store| {
        let ana = three_sessions(&store).await;
        add_list(&store, "main").await;
        let first = log::incarnation(&mut store.reader()).await.unwrap();
        end(&store, Which::One(&sid("a")), 1).await;
        let mut tx = store.begin_ending().await.unwrap();
        let entry = endings::end_everything(&mut tx, "second", &restored(9)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(entry.fact, Fact::EverythingOver { incarnation: "second".to_owned() });
        assert_eq!(entry.position.number, 2);
        assert_eq!(log::at(&mut store.reader(), 2).await.unwrap(), Some(entry));
        assert_ne!(first, "second");
        assert_eq!(log::incarnation(&mut store.reader()).await.unwrap(), "second");
        assert!(lists::in_use(&mut store.reader()).await.unwrap().is_empty());
        assert_all_is_over(&store, ana.id).await;
        let head = log::head(&mut store.reader()).await.unwrap();
        assert_eq!([write_down(&store, 1).await, write_down(&store, 9).await, write_down(&store, 9).await], [1, 1, 0]);
        assert_all_is_over(&store, ana.id).await;
        assert_eq!(log::head(&mut store.reader()).await.unwrap(), head, "nobody has to be told again");
        let now = users::by_id(&mut store.reader(), ana.id).await.unwrap().unwrap();
        let all = sessions::of_user(&mut store.reader(), ana.id, Some(UnixMillis(0))).await.unwrap();
        let told = |id: &str| all.iter().find(|one| one.id == sid(id)).unwrap().ended.clone().unwrap();
        assert_eq!((told("a").at, told("a").reason.as_str()), (UnixMillis(1), "logout"));
        assert_eq!((told("b").at, told("b").reason.as_str()), (UnixMillis(9), "restored"));
        assert_eq!((told("b").by.as_str(), told("b").place), ("server", None));
        let mut tx = store.begin().await.unwrap();
        let in_flight = users::sign_in(&mut tx, ana.id, ana.epoch, UnixMillis(20)).await.unwrap();
        assert!(!in_flight, "a restore voids sign-ins in flight and reset links");
        assert!(users::sign_in(&mut tx, ana.id, now.epoch, UnixMillis(20)).await.unwrap());
        let raise = users::Change { raise_epoch: true, ..users::Change::default() };
        assert!(users::change(&mut tx, ana.id, ana.epoch, &raise).await.unwrap().is_none());
        let raised = users::change(&mut tx, ana.id, now.epoch, &raise).await.unwrap().unwrap();
        assert_eq!(raised.epoch, now.epoch + 1);
        assert_eq!(users::lock(&mut tx, ana.id).await.unwrap().unwrap().epoch, raised.epoch);
    })
    .await;
}

/// Of three sessions that were ended at 1 (`a`) and at 9 (the others), whether or not the rows of these were written.
async fn assert_all_is_over(store: &Store, ana: UserId) {
    let run = &mut store.reader();
    let since = async |time: i64| {
        let found = sessions::of_user(&mut store.reader(), ana, Some(UnixMillis(time))).await.unwrap();
        found.into_iter().map(|one| one.id.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((since(0).await.len(), since(9).await, since(10).await), (3, vec!["b".into(), "c".into()], vec![]));
    assert!(sessions::of_user(run, ana, None).await.unwrap().is_empty());
    assert!(sessions::expired(run, UnixMillis(i64::MAX), 9).await.unwrap().is_empty());
    assert!(sessions::idle(run, Whose::Anybodys, (UnixMillis(i64::MAX), 9)).await.unwrap().is_empty());
    assert!(sessions::stranded(run, 9).await.unwrap().is_empty());
    for id in ["a", "b", "c"] {
        assert!(!sessions::is_live(run, &sid(id)).await.unwrap());
        assert_eq!(sessions::last_seen(run, &sid(id)).await.unwrap(), None);
        assert!(end(store, Which::One(&sid(id)), 30).await.is_empty());
        assert!(end(store, Which::IdleSince(&sid(id), UnixMillis(i64::MAX)), 30).await.is_empty());
        if let Some(alone) = endings::end_alone(store, &sid(id), &logout(30)).await.unwrap() {
            assert_eq!((alone.entry, alone.after.number), (None, 2));
        }
    }
    assert!(end(store, Which::OfUser(ana), 30).await.is_empty());
    let logout = logout(30);
    let several = ["a", "b", "c", "d"].map(sid);
    let mut tx = store.begin_ending().await.unwrap();
    let ended = endings::end_each(&mut tx, &several.each_ref().map(|id| (id, &logout))).await.unwrap();
    assert!(ended.is_empty());
}

async fn write_down(store: &Store, limit: i64) -> u64 {
    let mut tx = store.begin().await.unwrap();
    let written = endings::write_down(&mut tx, limit).await.unwrap();
    tx.commit().await.unwrap();
    written
}

/// Otherwise it would stay in use, and sessions in it outlive the end of everything.
#[tokio::test]
async fn no_list_is_made_while_everything_ends() {
    on_both_engines(async |store| {
        three_sessions(&store).await;
        let mut tx = store.begin_ending().await.unwrap();
        endings::end_everything(&mut tx, "second", &restored(9)).await.unwrap();
        let made = tokio::spawn({
            let store = store.clone();
            async move {
                let fresh = ListName::from_text("fresh");
                let (len, capacity) = (1, 100);
                let wanted =
                    lists::Wanted { expires_by: UnixMillis(9), len, capacity, fresh: &fresh, now: UnixMillis(9) };
                let (list, _) = lists::reserve(&store, &wanted).await.unwrap();
                (list.name, log::incarnation(&mut store.reader()).await.unwrap())
            }
        });
        if !store.is_sqlite() {
            waiting_for_a_row(&store, "log_head", 1).await;
        }
        tx.commit().await.unwrap();
        assert_eq!(made.await.unwrap(), (ListName::from_text("fresh"), "second".to_owned()));
        assert_eq!(lists::in_use(&mut store.reader()).await.unwrap().len(), 1);
    })
    .await;
}

/// It knows nothing of lists that ended nor of shifted epochs: what it reads has to say the same.
#[tokio::test]
async fn a_node_of_an_earlier_release_sees_everything_over_and_none_starts_after_it() {
    on_both_engines(async |store| {
        let Db::Postgres(pools) = &store.db else { return };
        let pool = &pools.link(Lane::Control).pool;
        let ana = three_sessions(&store).await;
        add_list(&store, "main").await;
        let over = async |number: i64| {
            let mut tx = store.begin_ending().await.unwrap();
            endings::end_everything(&mut tx, &format!("{number}:x"), &restored(9)).await.unwrap();
            tx.commit().await.unwrap();
        };
        let as_read_by_it = async || {
            let live = "SELECT count(*) FROM sessions WHERE ended_at IS NULL";
            let epoch = "SELECT epoch FROM users WHERE user_id = $1";
            (
                sqlx::query_scalar::<_, i64>(live).fetch_one(pool).await.unwrap(),
                sqlx::query_scalar::<_, i64>(epoch).bind(ana.id.0).fetch_one(pool).await.unwrap(),
            )
        };
        sqlx::query("UPDATE meta SET value = '1' WHERE name = 'oldest_schema'").execute(pool).await.unwrap();
        over(1).await;
        assert_eq!(as_read_by_it().await, (3, 0), "with nobody to see it no row is touched");
        let oldest = meta::get(&mut store.reader(), "oldest_schema").await.unwrap();
        assert_eq!(oldest.as_deref(), Some("4"), "and nobody may come to see it");
        let earlier = "INSERT INTO leases (node, turn, applied, about) VALUES ('x', 0, 0, '')";
        sqlx::query(earlier).execute(pool).await.unwrap();
        over(2).await;
        assert_eq!(as_read_by_it().await, (0, 1));
    })
    .await;
}

#[tokio::test]
async fn the_operators_end_of_everything_leaves_epochs_alone() {
    on_both_engines(async |store| {
        let ana = three_sessions(&store).await;
        let mut tx = store.begin_ending().await.unwrap();
        let ending = Ending { reason: EndReason::Operator, actor: Actor::Operator, ..restored(9) };
        endings::end_everything(&mut tx, "second", &ending).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(users::by_id(&mut store.reader(), ana.id).await.unwrap().unwrap().epoch, ana.epoch);
    })
    .await;
}

#[tokio::test]
async fn parallel_endings_have_gapless_numbers_and_end_each_session_once() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await.id;
        add_sessions(&store, (0..25).map(|index| session(&format!("s{index:02}"), ana, index))).await;
        // Two for each session.
        let tasks: Vec<_> = (0..50)
            .map(|number: u32| {
                let (store, id) = (store.clone(), sid(&format!("s{:02}", number / 2)));
                tokio::spawn(async move { end(&store, Which::One(&id), 1).await })
            })
            .collect();
        let mut entries = Vec::new();
        for task in tasks {
            entries.extend(task.await.unwrap());
        }
        entries.sort_by_key(|entry| entry.position.number);
        assert_eq!(numbers(&entries), (1..=25).collect::<Vec<i64>>());
        let sessions: BTreeSet<&str> = ended(&entries).into_iter().collect();
        assert_eq!(sessions.len(), 25);
        assert_eq!(log::after(&mut store.reader(), 0, 100).await.unwrap(), entries);
        let marks: BTreeSet<&str> = entries.iter().map(|entry| entry.position.mark.as_str()).collect();
        assert_eq!(marks.len(), 25);
    })
    .await;
}

#[tokio::test]
async fn ten_thousand_sessions_of_a_user_end_in_batches() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await.id;
        add_sessions(&store, (0..10_000).map(|index| session(&format!("s{index:05}"), ana, index))).await;
        let entries = end(&store, Which::OfUser(ana), 1).await;
        assert_eq!(numbers(&entries), (1..=10_000).collect::<Vec<i64>>());
        assert!(entries.is_sorted_by_key(|entry| match &entry.fact {
            Fact::SessionEnded { session, .. } => session.clone(),
            _ => SessionId::from_text(""),
        }));
        assert_eq!(log::after(&mut store.reader(), 0, 20_000).await.unwrap(), entries);
        assert_eq!(log::head(&mut store.reader()).await.unwrap(), entries.last().unwrap().position);
    })
    .await;
}
