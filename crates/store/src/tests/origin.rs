//! Rows of another database, put into this one.

use cerrojo_domain::{EndReason, Ending, KeyId, ListName, UnixMillis, UserId};

use super::{add_list, add_sessions, add_user, execute, logout, person, session, waiting_for_a_row};
use crate::keys::Key;
use crate::testing::on_both_engines;
use crate::{Store, endings, keys, lists, log, origin, users};

async fn add_key(store: &Store, id: &str, algorithm: &str) {
    let key = Key {
        id: KeyId::from_text(id),
        algorithm: algorithm.to_owned(),
        purpose: "session".to_owned(),
        public: Vec::new(),
        sealed: vec![1],
        created_at: UnixMillis(7),
        rotated_at: None,
        retired_at: None,
    };
    let mut tx = store.begin_ending().await.unwrap();
    keys::insert(&mut tx, &key).await.unwrap();
    tx.commit().await.unwrap();
}

async fn in_use(store: &Store) -> (Vec<ListName>, Vec<KeyId>) {
    let run = &mut store.reader();
    let lists = lists::in_use(run).await.unwrap().into_iter().map(|list| list.name).collect();
    let keys = keys::all(run).await.unwrap().into_iter().filter(|key| key.retired_at.is_none());
    (lists, keys.map(|key| key.id).collect())
}

#[tokio::test]
async fn what_another_database_made_is_over() {
    on_both_engines(async |store| {
        add_list(&store, "main").await;
        add_key(&store, "ours", "ES256").await;
        add_key(&store, "given", "HS256").await;
        let names = |texts: &[&str]| texts.iter().map(|text| KeyId::from_text(*text)).collect::<Vec<_>>();
        let main = ListName::from_text("main");
        assert_eq!(in_use(&store).await, (vec![main.clone()], names(&["given", "ours"])));
        assert!(!origin::is_mixed(&mut store.reader()).await.unwrap());

        // What an earlier release writes has none, and only where one may be at work does anybody believe it.
        execute(&store, "UPDATE lists SET origin = NULL; UPDATE keys SET origin = NULL").await;
        assert_eq!(in_use(&store).await.0.len(), 0);
        execute(&store, "INSERT INTO meta (name, value) VALUES ('without_origin', '1')").await;
        assert_eq!(in_use(&store).await.0.len(), 1);
        assert!(!origin::is_mixed(&mut store.reader()).await.unwrap());
        execute(&store, "DELETE FROM meta WHERE name = 'without_origin'").await;

        execute(&store, "UPDATE lists SET origin = 'x'; UPDATE keys SET origin = 'x'").await;
        assert_eq!(in_use(&store).await, (vec![], names(&["given"])), "a shared secret is of the settings");
        assert!(lists::by_name(&mut store.reader(), &main).await.unwrap().unwrap().retired);
        let mut tx = store.begin().await.unwrap();
        assert!(lists::held(&mut tx, &main).await.unwrap().unwrap().retired);
        tx.commit().await.unwrap();
        assert!(origin::is_mixed(&mut store.reader()).await.unwrap());
        let fresh = ListName::from_text("fresh");
        let wanted = lists::Wanted {
            expires_by: UnixMillis(90_000_000),
            len: 1,
            capacity: 100,
            fresh: &fresh,
            now: UnixMillis(9),
        };
        assert_eq!(lists::reserve(&store, &wanted).await.unwrap().0.name, fresh, "no place is given out of it");
        assert_eq!(in_use(&store).await.0, [fresh]);

        execute(&store, "INSERT INTO log (number, mark, kind, at) VALUES (70, 'x', 'key_added', 1)").await;
        let mut tx = store.begin_ending().await.unwrap();
        let ending = Ending { reason: EndReason::Restored, ..logout(9) };
        endings::end_everything(&mut tx, "second", &ending).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!origin::is_mixed(&mut store.reader()).await.unwrap(), "it is seen to once");
        assert_eq!(in_use(&store).await, (vec![], names(&["given"])));
        let entries = log::after(&mut store.reader(), 0, 99).await.unwrap();
        assert_eq!(entries.last().map(|entry| &entry.position), Some(&log::head(&mut store.reader()).await.unwrap()));

        execute(&store, "INSERT INTO log (number, mark, kind, at) VALUES (70, 'x', 'key_added', 1)").await;
        assert!(origin::is_mixed(&mut store.reader()).await.unwrap(), "entries that no head ever reached");
    })
    .await;
}

#[tokio::test]
async fn rows_without_a_history_are_believed_until_the_next_one_begins() {
    on_both_engines(async |store| {
        add_list(&store, "main").await;
        execute(&store, "INSERT INTO meta (name, value) VALUES ('without_origin', '1')").await;
        execute(&store, "UPDATE lists SET origin = NULL").await;
        assert_eq!(in_use(&store).await.0.len(), 1);
        let mut tx = store.begin_ending().await.unwrap();
        endings::end_everything(&mut tx, "second", &Ending { reason: EndReason::Restored, ..logout(9) }).await.unwrap();
        origin::begin_anew(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!origin::is_mixed(&mut store.reader()).await.unwrap());
        execute(&store, "UPDATE lists SET retired = 0").await;
        assert_eq!(in_use(&store).await.0, [], "they were put in again");
        assert!(origin::is_mixed(&mut store.reader()).await.unwrap());
    })
    .await;
}

/// The counter would be set back, and nobody could ever be registered again.
#[tokio::test]
async fn a_number_that_is_given_while_everything_ends_is_not_given_again() {
    on_both_engines(async |store| {
        add_list(&store, "main").await;
        add_sessions(&store, [session("of another history", UserId(1), 0)]).await;
        let mut registering = store.begin().await.unwrap();
        for email in ["ana@example.com", "eva@example.com"] {
            users::insert(&mut registering, &person("", email)).await.unwrap();
        }
        let ending = tokio::spawn({
            let store = store.clone();
            async move { count_on(&store).await }
        });
        if !store.is_sqlite() {
            waiting_for_a_row(&store, "counters", 1).await;
        }
        registering.commit().await.unwrap();
        ending.await.unwrap();
        assert_eq!(add_user(&store, "lola@example.com").await.id, UserId(3));

        execute(&store, "UPDATE users SET user_id = 70 WHERE user_id = 1").await;
        count_on(&store).await;
        assert_eq!(add_user(&store, "rosa@example.com").await.id, UserId(71));
    })
    .await;
}

async fn count_on(store: &Store) {
    let mut tx = store.begin_ending().await.unwrap();
    origin::see_to(&mut tx, UnixMillis(9)).await.unwrap();
    tx.commit().await.unwrap();
}
