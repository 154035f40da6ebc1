//! Outbox, counters of limits, facts, leases.

use cerrojo_domain::{UnixMillis, UserId};

use crate::attempts::Counter;
use crate::leases::Lease;
use crate::outbox::Job;
use crate::testing::on_both_engines;
use crate::{Store, StoreError, attempts, leases, meta, outbox};

async fn due(store: &Store, now: i64) -> Vec<Job> {
    outbox::due(&mut store.reader(), UnixMillis(now), 10).await.unwrap()
}

#[tokio::test]
async fn a_job_is_claimed_by_one_and_done_once() {
    on_both_engines(async |store| {
        let mut tx = store.begin().await.unwrap();
        outbox::insert(&mut tx, "reset", None, "{\"e\":\"ñ\"}", UnixMillis(20)).await.unwrap();
        outbox::insert(&mut tx, "changed", Some(UserId(7)), "{}", UnixMillis(10)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(outbox::next_due(&mut store.reader()).await.unwrap(), Some(UnixMillis(10)));
        assert!(due(&store, 9).await.is_empty());
        let jobs = due(&store, 20).await;
        assert_eq!(jobs.iter().map(|job| job.kind.as_str()).collect::<Vec<_>>(), ["changed", "reset"]);
        assert_eq!((jobs[0].user, jobs[1].user, jobs[1].body.as_str()), (Some(UserId(7)), None, "{\"e\":\"ñ\"}"));
        let mut tx = store.begin().await.unwrap();
        assert!(outbox::claim(&mut tx, &jobs[1], UnixMillis(100)).await.unwrap());
        assert!(!outbox::claim(&mut tx, &jobs[1], UnixMillis(100)).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(due(&store, 99).await.len(), 1);
        assert_eq!(due(&store, 100).await.iter().map(|job| job.attempts).sum::<i64>(), 1);
        let mut tx = store.begin().await.unwrap();
        outbox::done(&mut tx, jobs[1].id, Some(UserId(3)), UnixMillis(50)).await.unwrap();
        outbox::drop_job(&mut tx, jobs[0].id).await.unwrap();
        assert_eq!(outbox::pending(&mut tx).await.unwrap(), 0);
        assert_eq!(outbox::next_due(&mut tx).await.unwrap(), None);
        for (kind, user, since, count) in
            [("reset", 3, 50, 1), ("reset", 3, 51, 0), ("reset", 4, 0, 0), ("other", 3, 0, 0)]
        {
            let done = outbox::done_since(&mut tx, kind, UserId(user), UnixMillis(since)).await.unwrap();
            assert_eq!(done, count, "{kind} {user} {since}");
        }
        assert_eq!(outbox::sweep(&mut tx, UnixMillis(50), UnixMillis(0)).await.unwrap(), 0);
        assert_eq!(outbox::sweep(&mut tx, UnixMillis(51), UnixMillis(0)).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn counters_are_written_over_and_forgotten_in_time() {
    on_both_engines(async |store| {
        let counter =
            |key: &str, count, resets_at| Counter { key: key.to_owned(), count, resets_at: UnixMillis(resets_at) };
        let mut tx = store.begin().await.unwrap();
        attempts::save(&mut tx, &[counter("b", 1, 20), counter("a", 2, 10), counter("c", 3, 30)]).await.unwrap();
        attempts::save(&mut tx, &[counter("b", 5, 25)]).await.unwrap();
        let loaded = attempts::load(&mut tx, UnixMillis(10), 9).await.unwrap();
        let told: Vec<_> = loaded.iter().map(|one| (one.key.as_str(), one.count, one.resets_at.0)).collect();
        assert_eq!(told, [("c", 3, 30), ("b", 5, 25)]);
        assert_eq!(attempts::load(&mut tx, UnixMillis(0), 1).await.unwrap().len(), 1);
        assert_eq!(attempts::sweep(&mut tx, UnixMillis(25)).await.unwrap(), 2);
    })
    .await;
}

#[tokio::test]
async fn facts_are_written_over() {
    on_both_engines(async |store| {
        assert_eq!(meta::get(&mut store.reader(), "check").await.unwrap(), None);
        let mut tx = store.begin().await.unwrap();
        meta::set(&mut tx, "check", "one").await.unwrap();
        meta::set(&mut tx, "check", "two").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(meta::get(&mut store.reader(), "check").await.unwrap().as_deref(), Some("two"));
    })
    .await;
}

#[tokio::test]
async fn the_only_lease_replaces_all_others() {
    on_both_engines(async |store| {
        super::grow(&store, 9).await;
        leases::take_only(&store, "first", 3).await.unwrap();
        leases::take_only(&store, "second", 4).await.unwrap();
        leases::set_applied(&store, "second", 9).await.unwrap();
        let only =
            Lease { node: "second".to_owned(), turn: 0, applied: 9, about: String::new(), settings: String::new() };
        assert_eq!(leases::all(&mut store.reader()).await.unwrap(), [only]);
        let gone = leases::set_applied(&store, "first", 9).await;
        assert!(matches!(gone, Err(StoreError::Unavailable(_))));
        leases::give_back(&store, "second").await.unwrap();
        assert!(leases::all(&mut store.reader()).await.unwrap().is_empty());
    })
    .await;
}
