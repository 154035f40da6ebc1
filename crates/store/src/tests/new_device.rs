//! What tells a sign-in from a new place from a first one, and how often it was told.

use cerrojo_domain::UnixMillis;

use super::{add_user, execute};
use crate::testing::on_both_engines;
use crate::{Store, outbox, users};

async fn is_first(store: &Store, user: cerrojo_domain::UserId) -> bool {
    let mut tx = store.begin().await.unwrap();
    let before = users::by_id(&mut tx, user).await.unwrap().unwrap();
    let is_first = users::note_first(&mut tx, &before).await.unwrap();
    tx.commit().await.unwrap();
    is_first
}

#[tokio::test]
async fn a_first_sign_in_is_one_once() {
    on_both_engines(async |store| {
        let (ana, eva) = (add_user(&store, "ana@example.com").await.id, add_user(&store, "eva@example.com").await.id);
        assert!(is_first(&store, ana).await);
        assert!(!is_first(&store, ana).await);
        assert!(is_first(&store, eva).await);
    })
    .await;
}

#[tokio::test]
async fn who_signed_in_before_it_was_noted_is_known_to_have() {
    on_both_engines(async |store| {
        let mut users = Vec::new();
        for name in ["never", "here", "imported", "imported-and-here"] {
            users.push(add_user(&store, &format!("{name}@example.com")).await.id);
        }
        let [never, here, imported, both] = users[..] else { unreachable!() };
        execute(&store, &format!("UPDATE users SET last_session = 5 WHERE user_id <> {never}")).await;
        execute(&store, &format!("UPDATE users SET old_tokens = 1 WHERE user_id IN ({imported}, {both})")).await;
        let mut tx = store.begin().await.unwrap();
        users::note_signed_in(&mut tx, both).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!is_first(&store, both).await);
        assert!(is_first(&store, never).await && is_first(&store, imported).await);
        for user in [here, never, imported] {
            assert!(!is_first(&store, user).await, "{user}");
        }
    })
    .await;
}

#[tokio::test]
async fn mails_of_a_kind_are_counted_from_when_they_were_written() {
    on_both_engines(async |store| {
        let (ana, eva) = (add_user(&store, "ana@example.com").await.id, add_user(&store, "eva@example.com").await.id);
        let mut tx = store.begin().await.unwrap();
        for (kind, user, at) in [("a", ana, 10), ("a", ana, 20), ("a", ana, 30), ("b", ana, 40), ("a", eva, 50)] {
            outbox::insert(&mut tx, kind, Some(user), "{}", UnixMillis(at)).await.unwrap();
        }
        for (since, count, first) in [(9, 3, Some(10)), (10, 2, Some(20)), (30, 0, None)] {
            let counted = outbox::written_since(&mut tx, "a", ana, UnixMillis(since)).await.unwrap();
            assert_eq!(counted, (count, first.map(UnixMillis)), "since {since}");
        }
    })
    .await;
}
