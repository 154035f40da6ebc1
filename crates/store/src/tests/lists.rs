//! Blocks of indexes.

use std::collections::BTreeSet;

use cerrojo_domain::{ListName, UnixMillis};

use crate::lists::{Block, List, Wanted};
use crate::testing::on_both_engines;
use crate::{Store, lists};

async fn reserve(store: &Store, fresh: &str, expires_by: i64, len: u32) -> (List, Block) {
    let fresh = ListName::from_text(fresh);
    let wanted = Wanted { expires_by: UnixMillis(expires_by), len, capacity: 100, fresh: &fresh, now: UnixMillis(5) };
    lists::reserve(store, &wanted).await.unwrap()
}

#[tokio::test]
async fn blocks_follow_one_another_until_the_list_is_full() {
    on_both_engines(async |store| {
        let steps = [
            ("one", 10, 40, "one", 0, 40),
            ("two", 10, 40, "one", 40, 40),
            ("three", 10, 40, "three", 0, 40),
            ("four", 10, 20, "one", 80, 20),
            ("five", 20, 40, "five", 0, 40),
            ("six", 20, 1_000, "six", 0, 100),
        ];
        for (fresh, expires_by, len, name, first, got) in steps {
            let (list, block) = reserve(&store, fresh, expires_by, len).await;
            assert_eq!((block.list.as_str(), block.first, block.len), (name, first, got), "{fresh}");
            assert_eq!((list.name, list.capacity, list.expires_by), (block.list, 100, UnixMillis(expires_by)));
            assert!(!list.retired);
        }
        let run = &mut store.reader();
        assert_eq!(lists::in_use(run).await.unwrap().len(), 4);
        let outlived = lists::outlived(run, UnixMillis(10)).await.unwrap();
        assert_eq!(outlived, [ListName::from_text("one"), ListName::from_text("three")]);
        assert!(lists::by_name(run, &ListName::from_text("two")).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_retired_list_hands_out_nothing_more() {
    on_both_engines(async |store| {
        reserve(&store, "one", 10, 10).await;
        let one = ListName::from_text("one");
        let mut tx = store.begin_ending().await.unwrap();
        assert!(lists::retire(&mut tx, &one).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(reserve(&store, "two", 10, 10).await.1.list.as_str(), "two");
        assert!(lists::by_name(&mut store.reader(), &one).await.unwrap().unwrap().retired);
        assert_eq!(lists::outlived(&mut store.reader(), UnixMillis(10)).await.unwrap(), [ListName::from_text("two")]);
    })
    .await;
}

#[tokio::test]
async fn parallel_reservations_never_overlap() {
    on_both_engines(async |store| {
        let tasks: Vec<_> = (0..30)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move { reserve(&store, &format!("l{number}"), 10, 15).await.1 })
            })
            .collect();
        let mut given = BTreeSet::new();
        for task in tasks {
            let block = task.await.unwrap();
            assert!(block.first + block.len <= 100);
            for index in block.first..block.first + block.len {
                assert!(given.insert((block.list.clone(), index)), "{} {index} was given twice", block.list);
            }
        }
        assert_eq!(given.len(), 30 * 15);
    })
    .await;
}
