//! What only a file has.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cerrojo_domain::UnixMillis;

use super::{add_sessions, add_user, logout, session, sid};
use crate::db::Db;
use crate::endings::Which;
use crate::testing::Fresh;
use crate::{OpenOptions, Store, StoreError, endings, leases, meta, sessions, sqlite, users};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

async fn open(path: &Path) -> Store {
    Store::open(&format!("sqlite:{}", path.display()), OpenOptions::default()).await.unwrap()
}

#[tokio::test]
async fn a_new_file_and_its_folders_are_private() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("one folder/two ?#%/c'errojo.db".replace('?', "¿"));
    let store = open(&path).await;
    store.migrate().await.unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(&directory.path().join("one folder")), 0o700);
    assert_eq!(mode(Path::new(&format!("{}-wal", path.display()))), 0o600);
}

#[tokio::test]
async fn the_writer_waits_for_the_disk_and_readers_cannot_write() {
    let fresh = Fresh::sqlite();
    let store = fresh.store().await;
    let Db::Sqlite(pools) = &store.db else { panic!("not SQLite") };
    for (pragma, expected) in [("PRAGMA synchronous", 2), ("PRAGMA foreign_keys", 1), ("PRAGMA busy_timeout", 5_000)] {
        let value: i64 = sqlx::query_scalar(pragma).fetch_one(&pools.writer).await.unwrap();
        assert_eq!(value, expected, "{pragma}");
    }
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&pools.writer).await.unwrap();
    assert_eq!(journal, "wal");
    assert!(sqlx::query("DELETE FROM users").execute(&pools.readers).await.is_err());
}

#[tokio::test]
async fn a_lazy_write_leaves_the_writer_as_it_was() {
    let fresh = Fresh::sqlite();
    let store = fresh.store().await;
    super::grow(&store, 5).await;
    leases::take_only(&store, "node", 0).await.unwrap();
    leases::set_applied(&store, "node", 5).await.unwrap();
    let Db::Sqlite(pools) = &store.db else { panic!("not SQLite") };
    let value: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&pools.writer).await.unwrap();
    assert_eq!(value, 2);
}

#[tokio::test]
async fn a_backup_is_a_whole_database() {
    let fresh = Fresh::sqlite();
    let store = fresh.store().await;
    let ana = add_user(&store, "ana@example.com").await;
    add_sessions(&store, (0..500).map(|index| session(&format!("s{index}"), ana.id, index))).await;
    let folder = fresh.directory.as_ref().unwrap().path();
    let copy = folder.join("copy of 'it'.db");
    sqlite::backup(&store, &copy).await.unwrap();
    assert_eq!(mode(&copy), 0o600);
    let mut tx = store.begin_ending().await.unwrap();
    endings::end(&mut tx, Which::OfUser(ana.id), &logout(5)).await.unwrap();
    tx.commit().await.unwrap();
    let copied = open(&copy).await;
    assert!(copied.schema_is_current().await.unwrap());
    assert!(sqlite::check(&copied).await.unwrap().is_empty());
    assert_eq!(users::by_id(&mut copied.reader(), ana.id).await.unwrap(), Some(ana.clone()));
    assert_eq!(sessions::of_user(&mut copied.reader(), ana.id, None).await.unwrap().len(), 500);
    assert!(sessions::of_user(&mut store.reader(), ana.id, None).await.unwrap().is_empty());
    let again = sqlite::backup(&store, &copy).await;
    assert!(matches!(again, Err(StoreError::Broken(_))), "a file that exists is not written over");
    assert!(sessions::is_live(&mut copied.reader(), &sid("s1")).await.unwrap());
    assert!(sqlite::backup(&store, &folder.join("no/such/folder.db")).await.is_err());
}

#[tokio::test]
async fn a_check_tells_what_is_wrong() {
    let fresh = Fresh::sqlite();
    let store = fresh.store().await;
    assert!(sqlite::check(&store).await.unwrap().is_empty());
    let Db::Sqlite(pools) = &store.db else { panic!("not SQLite") };
    let mut writer = pools.writer.acquire().await.unwrap();
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut *writer).await.unwrap();
    let orphan = "INSERT INTO reset_links (code_hash, user_id, epoch, expires_at) VALUES ('x', 99, 0, 0)";
    sqlx::query(orphan).execute(&mut *writer).await.unwrap();
    let problems = sqlite::check(&store).await.unwrap();
    assert_eq!(problems, ["a row of reset_links refers to a row of users that is not there"]);
}

#[tokio::test]
async fn the_version_changes_when_somebody_else_writes() {
    let fresh = Fresh::sqlite();
    let (store, other) = (fresh.store().await, fresh.store().await);
    let before = sqlite::data_version(&store).await.unwrap();
    assert_eq!(sqlite::data_version(&store).await.unwrap(), before);
    let mut tx = other.begin().await.unwrap();
    meta::set(&mut tx, "check", "x").await.unwrap();
    tx.commit().await.unwrap();
    assert_ne!(sqlite::data_version(&store).await.unwrap(), before);
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let fresh = Fresh::sqlite();
    let store = fresh.store().await;
    let ana = add_user(&store, "ana@example.com").await;
    add_sessions(&store, [session("a", ana.id, 0)]).await;
    let mut tx = store.begin_ending().await.unwrap();
    endings::end(&mut tx, Which::One(&sid("a")), &logout(5)).await.unwrap();
    tx.commit().await.unwrap();
    store.close().await;
    let again = fresh.store().await;
    let kept = sessions::by_id(&mut again.reader(), &sid("a")).await.unwrap().unwrap();
    assert_eq!(kept.ended.unwrap().at, UnixMillis(5));
}

#[tokio::test]
async fn postgresql_has_no_file_to_back_up() {
    let fresh = Fresh::postgres().await;
    let store = fresh.store().await;
    assert!(matches!(sqlite::check(&store).await, Err(StoreError::Broken(_))));
}
