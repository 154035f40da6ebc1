//! The log beside endings.

use std::collections::BTreeSet;

use cerrojo_domain::{Fact, KeyId, ListIndex, ListName, UnixMillis};

use super::sid;
use crate::db::Db;
use crate::postgres::Lane;
use crate::testing::on_both_engines;
use crate::{StoreError, log};

#[tokio::test]
async fn facts_are_read_as_they_were_appended() {
    on_both_engines(async |store| {
        let empty = log::head(&mut store.reader()).await.unwrap();
        assert_eq!((empty.number, empty.mark.len()), (0, 24));
        assert_eq!(log::at(&mut store.reader(), 0).await.unwrap(), None);
        let mut tx = store.begin_ending().await.unwrap();
        assert_eq!(*tx.head(), empty);
        let facts = [
            Fact::KeyAdded { key: KeyId::from_text("k") },
            Fact::KeyRetired { key: KeyId::from_text("k") },
            Fact::ListRetired { list: ListName::from_text("l") },
        ];
        let mut entries = Vec::new();
        for fact in facts {
            entries.push(log::append(&mut tx, fact, UnixMillis(7)).await.unwrap());
        }
        assert_eq!(*tx.head(), entries[2].position);
        tx.commit().await.unwrap();
        assert_eq!(log::after(&mut store.reader(), 0, 9).await.unwrap(), entries);
        assert_eq!(log::after(&mut store.reader(), 1, 1).await.unwrap(), entries[1..2]);
        assert_eq!(log::at(&mut store.reader(), 3).await.unwrap().as_ref(), entries.last());
        let marks: BTreeSet<&str> = entries.iter().map(|entry| entry.position.mark.as_str()).collect();
        assert_eq!(marks.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn endings_are_not_appended_by_the_way() {
    on_both_engines(async |store| {
        let mut tx = store.begin_ending().await.unwrap();
        let ended = Fact::SessionEnded { session: sid("a"), list: ListName::from_text("l"), index: ListIndex(1) };
        for fact in
            [ended, Fact::EverythingOver { incarnation: "i".to_owned() }, Fact::Unknown { kind: "k".to_owned() }]
        {
            assert!(matches!(log::append(&mut tx, fact, UnixMillis(7)).await, Err(StoreError::Broken(_))));
        }
        tx.commit().await.unwrap();
        assert_eq!(log::head(&mut store.reader()).await.unwrap().number, 0);
    })
    .await;
}

#[tokio::test]
async fn a_kind_from_a_later_version_is_told_as_unknown() {
    on_both_engines(async |store| {
        let later = "INSERT INTO log (number, mark, kind, at) VALUES (1, 'm', 'moon_landed', 5)";
        match &store.db {
            Db::Sqlite(pools) => drop(sqlx::query(later).execute(&pools.writer).await.unwrap()),
            Db::Postgres(pools) => drop(sqlx::query(later).execute(&pools.link(Lane::Control).pool).await.unwrap()),
        }
        let entry = log::at(&mut store.reader(), 1).await.unwrap().unwrap();
        assert_eq!(entry.fact, Fact::Unknown { kind: "moon_landed".to_owned() });
        // A head row that lags behind the log is a database that must not be written to.
        let mut tx = store.begin_ending().await.unwrap();
        log::append(&mut tx, Fact::KeyAdded { key: KeyId::from_text("k") }, UnixMillis(7)).await.unwrap();
        assert!(matches!(tx.commit().await, Err(StoreError::Broken(_))));
    })
    .await;
}
