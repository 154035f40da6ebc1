//! Leases, as nodes take them from each other.

use super::grow;
use crate::leases::{self, Imprint, Lease};
use crate::testing::{Fresh, on_both_engines};
use crate::{Store, StoreError};

fn lease(node: &str, turn: i64, applied: i64) -> Lease {
    Lease { node: node.to_owned(), turn, applied, about: "here".to_owned(), settings: "same".to_owned() }
}

async fn all(store: &Store) -> Vec<Lease> {
    leases::all(&mut store.control()).await.unwrap()
}

#[tokio::test]
async fn a_lease_is_renewed_turn_by_turn() {
    on_both_engines(async |store| {
        grow(&store, 9).await;
        leases::join(&store, &lease("a", 0, 0), &[]).await.unwrap();
        let renewed = leases::renew(&store, &lease("a", 0, 5)).await.unwrap().unwrap();
        assert_eq!(renewed.head, 9);
        assert_eq!(renewed.identity, leases::identity(&mut store.reader()).await.unwrap());
        assert_eq!(all(&store).await, [lease("a", 1, 5)]);
        assert_eq!(leases::renew(&store, &lease("a", 0, 9)).await, Ok(None), "that turn is over");
        assert!(leases::renew(&store, &lease("a", 1, 3)).await.unwrap().is_some());
        assert_eq!(all(&store).await, [lease("a", 2, 5)], "what was applied is never taken back");
        assert_eq!(leases::renew(&store, &lease("a", 2, 10)).await, Ok(None), "nobody is further than the log");
        assert!(leases::set_applied(&store, "a", 10).await.is_err());
        leases::set_applied(&store, "a", 9).await.unwrap();
        assert_eq!(all(&store).await, [lease("a", 2, 9)]);
    })
    .await;
}

#[tokio::test]
async fn a_lease_is_removed_only_at_the_turn_that_was_seen() {
    on_both_engines(async |store| {
        leases::join(&store, &lease("a", 0, 0), &[]).await.unwrap();
        leases::renew(&store, &lease("a", 0, 0)).await.unwrap();
        assert_eq!(leases::remove(&store, "a", 0).await, Ok(false));
        assert_eq!(leases::remove(&store, "a", 1).await, Ok(true));
        assert_eq!(leases::renew(&store, &lease("a", 1, 0)).await, Ok(None));
        assert!(matches!(leases::set_applied(&store, "a", 1).await, Err(StoreError::Unavailable(_))));
    })
    .await;
}

#[tokio::test]
async fn who_joins_anew_leaves_no_name_behind() {
    on_both_engines(async |store| {
        leases::join(&store, &lease("a", 0, 0), &[]).await.unwrap();
        leases::join(&store, &lease("b", 0, 4), &["a".to_owned(), "never was".to_owned()]).await.unwrap();
        assert_eq!(all(&store).await, [lease("b", 0, 4)]);
        assert_eq!(leases::join(&store, &lease("b", 0, 0), &[]).await, Err(StoreError::Taken));
    })
    .await;
}

/// Not the same after a dump was restored: the head's table is another one.
#[tokio::test]
async fn a_servers_identity_tells_copies_apart() {
    let (one, other) = (Fresh::postgres().await, Fresh::postgres().await);
    let (one, other) = (one.store().await, other.store().await);
    let identity = leases::identity(&mut one.reader()).await.unwrap();
    assert_eq!(identity.split('/').count(), 4, "{identity}");
    assert_eq!(identity, leases::identity(&mut one.reader()).await.unwrap());
    assert_ne!(identity, leases::identity(&mut other.reader()).await.unwrap());
}

async fn imprint(store: &Store) -> Imprint {
    leases::imprint(&mut store.reader()).await.unwrap()
}

/// Housekeeping moves the rows and keeps who wrote them.
#[tokio::test]
async fn rows_that_were_put_back_are_told_from_those_that_were_moved() {
    let fresh = Fresh::postgres().await;
    let store = fresh.store().await;
    assert_eq!(imprint(&store).await, Imprint::Original);
    let seen = async || leases::identity_of_original(&mut store.reader()).await.unwrap();
    let identity = leases::identity(&mut store.reader()).await.unwrap();
    assert_eq!(seen().await, identity);
    let write = async || {
        let mut tx = store.begin_ending_control().await.unwrap();
        leases::set_imprint(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
    };
    for housekeeping in [
        "VACUUM FULL FREEZE meta",
        "CLUSTER meta USING meta_pkey",
        "REINDEX TABLE meta",
        "ALTER TABLE meta ADD COLUMN more BIGINT DEFAULT 1",
    ] {
        fresh.run(housekeeping.to_owned()).await;
        assert_eq!(imprint(&store).await, Imprint::Original, "{housekeeping}");
    }
    fresh.copy().await;
    for round in 0..2 {
        fresh.put_back().await;
        assert_eq!(imprint(&store).await, Imprint::Copied, "round {round}");
        assert_ne!(seen().await, identity, "round {round}");
        write().await;
        assert_eq!(imprint(&store).await, Imprint::Original, "round {round}");
        assert_eq!(seen().await, identity, "round {round}");
    }
    fresh.run("DELETE FROM meta WHERE name = 'imprint'".to_owned()).await;
    assert_eq!(imprint(&store).await, Imprint::None);
    assert_ne!(seen().await, identity, "rows of a release before have none");
}
