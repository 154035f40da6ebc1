//! What nodes start from, and what of the log may go.

use cerrojo_domain::{Fact, ListIndex, ListName, UnixMillis};

use super::{add_list, add_sessions, add_user, logout, session, sid};
use crate::endings::Which;
use crate::snapshots::Endings;
use crate::testing::on_both_engines;
use crate::{Store, endings, lists, log, snapshots};

/// Ends sessions of "main", each with an entry at this time.
async fn end(store: &Store, at: i64, indexes: &[u32]) {
    let mut tx = store.begin_ending().await.unwrap();
    for index in indexes {
        endings::end(&mut tx, Which::One(&sid(&format!("s{index}"))), &logout(at)).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn of_main(store: &Store) -> (Vec<u32>, Vec<u32>) {
    let Endings { bits, mut since } =
        snapshots::endings(&mut store.reader()).await.unwrap().remove(&ListName::from_text("main")).unwrap_or_default();
    since.sort_unstable();
    let is_set = |index: &u32| bits[*index as usize / 8] >> (index % 8) & 1 == 1;
    let set = (0..u32::try_from(bits.len()).unwrap() * 8).filter(is_set).collect();
    (set, since.into_iter().map(|ListIndex(index)| index).collect())
}

async fn numbers(store: &Store) -> Vec<i64> {
    log::after(&mut store.reader(), 0, 100).await.unwrap().iter().map(|entry| entry.position.number).collect()
}

#[tokio::test]
async fn a_snapshot_and_what_came_since_are_everything() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await.id;
        add_list(&store, "main").await;
        add_sessions(&store, (0..20).map(|index| session(&format!("s{index}"), ana, index))).await;
        end(&store, 100, &[3, 17]).await;
        assert_eq!(of_main(&store).await, (vec![], vec![3, 17]));
        assert_eq!(snapshots::take(&store, 2, UnixMillis(0)).await.unwrap(), 0);
        assert_eq!(of_main(&store).await, (vec![3, 17], vec![]));
        end(&store, 200, &[0, 8]).await;
        assert_eq!(of_main(&store).await, (vec![3, 17], vec![0, 8]));
        assert_eq!(numbers(&store).await, [1, 2, 3, 4]);
        // Covered and old enough; the second is old enough and covered too, the third is neither, whatever its age.
        assert_eq!(snapshots::take(&store, 3, UnixMillis(150)).await.unwrap(), 2);
        assert_eq!(numbers(&store).await, [3, 4]);
        assert_eq!(log::oldest(&mut store.reader()).await.unwrap(), 3);
        let (mut set, since) = of_main(&store).await;
        set.extend(since);
        set.sort_unstable();
        assert_eq!(set, [0, 3, 8, 17]);
        // The last entry stays however old it is.
        snapshots::take(&store, 4, UnixMillis(i64::MAX)).await.unwrap();
        assert_eq!(numbers(&store).await, [4]);
        assert_eq!(of_main(&store).await, (vec![0, 3, 8, 17], vec![]));
        // Nothing is taken back by whoever is late.
        assert_eq!(snapshots::take(&store, 2, UnixMillis(i64::MAX)).await.unwrap(), 0);
        assert_eq!(snapshots::covered(&mut store.reader()).await.unwrap(), 4);
    })
    .await;
}

#[tokio::test]
async fn bitmaps_of_retired_lists_go() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await.id;
        add_list(&store, "main").await;
        add_sessions(&store, [session("s1", ana, 1)]).await;
        end(&store, 100, &[1]).await;
        snapshots::take(&store, 1, UnixMillis(0)).await.unwrap();
        let mut tx = store.begin_ending().await.unwrap();
        let list = ListName::from_text("main");
        assert!(lists::retire(&mut tx, &list).await.unwrap());
        log::append(&mut tx, Fact::ListRetired { list }, UnixMillis(5)).await.unwrap();
        tx.commit().await.unwrap();
        assert!(snapshots::endings(&mut store.reader()).await.unwrap().is_empty());
        snapshots::take(&store, 2, UnixMillis(0)).await.unwrap();
        assert!(snapshots::endings(&mut store.reader()).await.unwrap().is_empty());
    })
    .await;
}
