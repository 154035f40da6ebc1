//! Sessions: births, activity, what sweepers look for.

use cerrojo_domain::{KeyId, ListIndex, ListName, UnixMillis};

use super::{add_list, add_sessions, add_user, logout, session, sid};
use crate::endings::Which;
use crate::keys::Key;
use crate::sessions::NewSession;
use crate::sessions::Whose;
use crate::testing::on_both_engines;
use crate::{StoreError, endings, keys, lists, sessions, snapshots};

#[tokio::test]
async fn a_place_in_a_list_is_given_once() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await.id;
        add_sessions(&store, [session("one", ana, 7)]).await;
        for other in [session("two", ana, 7), session("one", ana, 8)] {
            let mut tx = store.begin().await.unwrap();
            assert_eq!(sessions::insert(&mut tx, &other).await, Err(StoreError::Taken));
        }
        let elsewhere = NewSession { list: ListName::from_text("other"), ..session("two", ana, 7) };
        add_sessions(&store, [elsewhere]).await;
    })
    .await;
}

#[tokio::test]
async fn a_session_is_read_as_it_was_written() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await.id;
        let device = "Móvil \"de\" 'Ana' 📱".to_owned();
        add_sessions(
            &store,
            [NewSession {
                device: device.clone(),
                address: Some("2001:db8::1".parse().unwrap()),
                ..session("one", ana, u32::MAX)
            }],
        )
        .await;
        let read = sessions::by_id(&mut store.reader(), &sid("one")).await.unwrap().unwrap();
        assert_eq!((read.user, read.device, read.address.as_str()), (ana, device, "2001:db8::1"));
        assert_eq!((read.list.as_str(), read.index, read.last_seen_at), ("main", ListIndex(u32::MAX), read.started_at));
        assert!(read.ended.is_none());
        assert!(sessions::is_live(&mut store.reader(), &sid("one")).await.unwrap());
        assert!(!sessions::is_live(&mut store.reader(), &sid("none")).await.unwrap());
        assert!(sessions::by_id(&mut store.reader(), &sid("none")).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_users_sessions_come_live_first() {
    on_both_engines(async |store| {
        let (ana, eva) = (add_user(&store, "ana@example.com").await.id, add_user(&store, "eva@example.com").await.id);
        let all = ["a", "b", "c", "d", "e"].iter().zip(0..).map(|(id, index)| session(id, ana, index));
        add_sessions(&store, all.chain([session("x", eva, 9)])).await;
        let mut tx = store.begin_ending().await.unwrap();
        for (id, at) in [("b", 2_000), ("d", 3_000), ("e", 1_500)] {
            endings::end(&mut tx, Which::One(&sid(id)), &logout(at)).await.unwrap();
        }
        tx.commit().await.unwrap();
        for (since, expected) in [(None, "c a"), (Some(2_000), "c a d b"), (Some(0), "c a d b e")] {
            let found = sessions::of_user(&mut store.reader(), ana, since.map(UnixMillis)).await.unwrap();
            assert_eq!(found.iter().map(|found| found.id.as_str()).collect::<Vec<_>>().join(" "), expected);
        }
    })
    .await;
}

#[tokio::test]
async fn activity_moves_forward_only_and_not_after_the_end() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await.id;
        add_sessions(&store, [session("one", ana, 0)]).await;
        let main = ListName::from_text("main");
        let saw = async |at| sessions::saw(&store, &[(main.clone(), ListIndex(0), UnixMillis(at))]).await.unwrap();
        for (at, stored) in [(5_000, 5_000), (4_000, 5_000), (6_000, 6_000)] {
            saw(at).await;
            let seen = sessions::last_seen(&mut store.reader(), &sid("one")).await.unwrap();
            assert_eq!(seen, Some(UnixMillis(stored)));
        }
        let mut tx = store.begin_ending().await.unwrap();
        endings::end(&mut tx, Which::One(&sid("one")), &logout(6_500)).await.unwrap();
        tx.commit().await.unwrap();
        saw(7_000).await;
        assert_eq!(sessions::last_seen(&mut store.reader(), &sid("one")).await.unwrap(), None);
        let kept = sessions::by_id(&mut store.reader(), &sid("one")).await.unwrap().unwrap();
        assert_eq!(kept.last_seen_at, UnixMillis(6_000));
    })
    .await;
}

#[tokio::test]
async fn sweepers_find_live_sessions_only() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await.id;
        let timed = |id, index, seen, expires| NewSession {
            started_at: UnixMillis(seen),
            expires_at: UnixMillis(expires),
            ..session(id, ana, index)
        };
        let all = [timed("a", 0, 10, 100), timed("b", 1, 20, 200), timed("c", 2, 30, 300), timed("over", 3, 10, 100)];
        add_sessions(&store, all).await;
        let mut tx = store.begin_ending().await.unwrap();
        endings::end(&mut tx, Which::One(&sid("over")), &logout(50)).await.unwrap();
        tx.commit().await.unwrap();
        let run = &mut store.reader();
        assert_eq!(sessions::expired(run, UnixMillis(200), 9).await.unwrap(), [sid("a"), sid("b")]);
        assert_eq!(sessions::expired(run, UnixMillis(200), 1).await.unwrap(), [sid("a")]);
        assert_eq!(sessions::expired(run, UnixMillis(99), 9).await.unwrap(), []);
        assert_eq!(sessions::idle(run, Whose::Anybodys, (UnixMillis(29), 9)).await.unwrap(), [sid("a"), sid("b")]);
        assert_eq!(sessions::idle(run, Whose::Anybodys, (UnixMillis(30), 2)).await.unwrap(), [sid("a"), sid("b")]);
    })
    .await;
}

fn key(id: &str) -> Key {
    Key {
        id: KeyId::from_text(id),
        algorithm: "ES256".to_owned(),
        purpose: "session".to_owned(),
        public: vec![4, 0, 255],
        sealed: Vec::new(),
        created_at: UnixMillis(1),
        rotated_at: None,
        retired_at: None,
    }
}

#[tokio::test]
async fn a_key_retires_once_and_its_late_sessions_are_found() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await.id;
        add_list(&store, "main").await;
        let mut tx = store.begin_ending().await.unwrap();
        keys::insert(&mut tx, &key("key-1")).await.unwrap();
        keys::insert(&mut tx, &key("key-2")).await.unwrap();
        tx.commit().await.unwrap();
        let other = NewSession { key: KeyId::from_text("key-2"), ..session("b", ana, 1) };
        add_sessions(&store, [session("a", ana, 0), other]).await;
        assert!(sessions::stranded(&mut store.reader(), 9).await.unwrap().is_empty());
        let mut tx = store.begin_ending().await.unwrap();
        let id = KeyId::from_text("key-1");
        assert!(keys::set_rotated(&mut tx, &id, UnixMillis(5)).await.unwrap());
        assert!(!keys::set_rotated(&mut tx, &id, UnixMillis(6)).await.unwrap());
        assert!(keys::set_retired(&mut tx, &id, UnixMillis(7)).await.unwrap());
        assert!(!keys::set_retired(&mut tx, &id, UnixMillis(8)).await.unwrap());
        keys::reseal(&mut tx, &id, &[9, 9]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(sessions::stranded(&mut store.reader(), 9).await.unwrap(), [sid("a")]);
        let mut tx = store.begin_ending().await.unwrap();
        lists::retire(&mut tx, &ListName::from_text("main")).await.unwrap();
        let mut stranded = sessions::stranded(&mut tx, 9).await.unwrap();
        stranded.sort();
        assert_eq!(stranded, [sid("a"), sid("b")]);
        assert_eq!(sessions::stranded(&mut tx, 1).await.unwrap().len(), 1);
        assert_eq!(sessions::newest(&mut tx).await.unwrap(), Some(sid("b")));
        drop(tx);
        let all = keys::all(&mut store.reader()).await.unwrap();
        assert_eq!(all.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), ["key-1", "key-2"]);
        assert_eq!((all[0].rotated_at, all[0].retired_at), (Some(UnixMillis(5)), Some(UnixMillis(7))));
        assert_eq!((all[0].public.as_slice(), all[0].sealed.as_slice()), (&[4, 0, 255][..], &[9, 9][..]));
        assert!(all[1].sealed.is_empty() && all[1].retired_at.is_none());
    })
    .await;
}

#[tokio::test]
async fn bits_and_activity_are_those_of_lists_in_use() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await.id;
        for name in ["main", "gone"] {
            if name == "main" {
                add_list(&store, name).await;
            }
            let of = |index: u32| NewSession {
                list: ListName::from_text(name),
                ..session(&format!("{name}{index}"), ana, index)
            };
            add_sessions(&store, (0..6).map(of)).await;
            let mut tx = store.begin_ending().await.unwrap();
            for index in [1, 4] {
                endings::end(&mut tx, Which::One(&sid(&format!("{name}{index}"))), &logout(5)).await.unwrap();
            }
            tx.commit().await.unwrap();
        }
        let main = ListName::from_text("main");
        let mut ended = snapshots::endings(&mut store.reader()).await.unwrap();
        assert_eq!(ended.len(), 1, "only lists that exist count");
        let mut since = ended.remove(&main).unwrap().since;
        since.sort_unstable();
        assert_eq!(since, [ListIndex(1), ListIndex(4)]);
        let mut live = sessions::live_activity(&mut store.snapshot().await.unwrap(), &main).await.unwrap();
        live.sort();
        let expected = [0, 2, 3, 5].map(|index| (ListIndex(index), UnixMillis(1_000 + i64::from(index))));
        assert_eq!(live, expected);
        let mut tx = store.begin_ending().await.unwrap();
        assert!(lists::retire(&mut tx, &main).await.unwrap());
        assert!(!lists::retire(&mut tx, &main).await.unwrap());
        assert!(snapshots::endings(&mut tx).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn sweeping_takes_old_endings_of_retired_lists_but_never_the_newest_session() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await.id;
        add_list(&store, "main").await;
        add_sessions(&store, ["a", "b", "c", "d", "e"].iter().zip(0..).map(|(id, index)| session(id, ana, index)))
            .await;
        let mut tx = store.begin_ending().await.unwrap();
        for (id, at) in [("a", 10), ("b", 20), ("c", 30), ("e", 10)] {
            endings::end(&mut tx, Which::One(&sid(id)), &logout(at)).await.unwrap();
        }
        assert_eq!(sessions::sweep(&mut tx, UnixMillis(30), 9).await.unwrap(), 0, "the list is in use");
        lists::retire(&mut tx, &ListName::from_text("main")).await.unwrap();
        assert_eq!(sessions::sweep(&mut tx, UnixMillis(30), 1).await.unwrap(), 1);
        assert_eq!(sessions::sweep(&mut tx, UnixMillis(30), 9).await.unwrap(), 1);
        assert_eq!(sessions::sweep(&mut tx, UnixMillis(30), 9).await.unwrap(), 0);
        let left = sessions::of_user(&mut tx, ana, Some(UnixMillis(0))).await.unwrap();
        assert_eq!(left.iter().map(|left| left.id.as_str()).collect::<Vec<_>>().join(" "), "d c e");
    })
    .await;
}
