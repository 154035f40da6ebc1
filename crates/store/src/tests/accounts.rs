//! Users, known addresses.

use cerrojo_domain::{ADMIN_ROLE, AddressBlock, Email, Status, USER_ROLE, UnixMillis, UserId};

use super::{add_user, execute, person};
use crate::testing::on_both_engines;
use crate::users::{Change, NewUser};
use crate::{Store, StoreError, known_addresses, users};

#[tokio::test]
async fn what_people_type_is_stored_exactly() {
    on_both_engines(async |store| {
        let names = ["O'Brien", "<b>\"Ñandú\"</b>", "👩‍👩‍👧 José\u{301}", "'; DROP TABLE users; --", "", " $1 % _ \\ "];
        for (number, name) in names.iter().enumerate() {
            let mut tx = store.begin().await.unwrap();
            let made = users::insert(&mut tx, &person(name, &format!("p{number}@example.com"))).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(made.name, *name);
            assert_eq!(users::by_id(&mut store.reader(), made.id).await.unwrap(), Some(made));
        }
    })
    .await;
}

#[tokio::test]
async fn numbers_are_never_used_again() {
    on_both_engines(async |store| {
        assert_eq!(add_user(&store, "a@example.com").await.id, UserId(1));
        assert_eq!(add_user(&store, "b@example.com").await.id, UserId(2));
        let mut tx = store.begin_ending().await.unwrap();
        assert!(users::delete(&mut tx, UserId(2)).await.unwrap());
        assert!(!users::delete(&mut tx, UserId(2)).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(add_user(&store, "b@example.com").await.id, UserId(3));
    })
    .await;
}

#[tokio::test]
async fn an_address_belongs_to_one_user() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await;
        let eva = add_user(&store, "eva@example.com").await;
        let mut tx = store.begin().await.unwrap();
        let again = users::insert(&mut tx, &person("Ana", "ana@example.com")).await;
        assert!(matches!(again, Err(StoreError::Taken)));
        drop(tx);
        let mut tx = store.begin().await.unwrap();
        let change = Change { email: Some(Email::parse("ana@example.com").unwrap()), ..Change::default() };
        assert!(matches!(users::change(&mut tx, eva.id, eva.epoch, &change).await, Err(StoreError::Taken)));
        drop(tx);
        assert_eq!(
            users::by_email(&mut store.reader(), "ana@example.com").await.unwrap().map(|user| user.id),
            Some(ana.id)
        );
        assert_eq!(users::by_email(&mut store.reader(), "ANA@example.com").await.unwrap(), None);
    })
    .await;
}

async fn sign_in(store: &Store, id: UserId, epoch: i64) -> bool {
    let mut tx = store.begin().await.unwrap();
    let hit = users::sign_in(&mut tx, id, epoch, UnixMillis(5)).await.unwrap();
    tx.commit().await.unwrap();
    hit
}

async fn change(store: &Store, id: UserId, epoch: i64, change: &Change) -> Option<i64> {
    let mut tx = store.begin().await.unwrap();
    let changed = users::change(&mut tx, id, epoch, change).await.unwrap();
    tx.commit().await.unwrap();
    changed.map(|user| user.epoch)
}

#[tokio::test]
async fn a_sign_in_misses_once_the_epoch_is_raised_or_the_user_is_not_active() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await;
        assert!(sign_in(&store, ana.id, ana.epoch).await);
        let raise = Change { raise_epoch: true, ..Change::default() };
        assert_eq!(change(&store, ana.id, ana.epoch, &raise).await, Some(ana.epoch + 1));
        assert!(!sign_in(&store, ana.id, ana.epoch).await);
        assert!(sign_in(&store, ana.id, ana.epoch + 1).await);
        let suspend = Change { status: Some(Status::Suspended), ..Change::default() };
        assert_eq!(change(&store, ana.id, ana.epoch + 1, &suspend).await, Some(ana.epoch + 1));
        assert!(!sign_in(&store, ana.id, ana.epoch + 1).await);
        assert!(!sign_in(&store, UserId(99), 0).await);
    })
    .await;
}

#[tokio::test]
async fn a_change_touches_what_it_names_under_the_epoch_it_names() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await;
        let nothing = Change { name: Some("x".to_owned()), ..Change::default() };
        assert_eq!(change(&store, ana.id, ana.epoch + 7, &nothing).await, None);
        let all = Change {
            name: Some("Ana R.".to_owned()),
            email: Some(Email::parse("ana.r@example.com").unwrap()),
            password_hash: Some("other".to_owned()),
            role_id: Some(ADMIN_ROLE),
            status: Some(Status::Inactive),
            raise_epoch: true,
            email_verified: None,
        };
        change(&store, ana.id, ana.epoch, &all).await.unwrap();
        let now = users::by_id(&mut store.reader(), ana.id).await.unwrap().unwrap();
        assert_eq!((now.name.as_str(), now.email.as_str()), ("Ana R.", "ana.r@example.com"));
        assert_eq!((now.password_hash.as_str(), now.role_id, now.status), ("other", ADMIN_ROLE, Status::Inactive));
        assert_eq!((now.registration_date, now.last_session), (ana.registration_date, None));
        let mut tx = store.begin().await.unwrap();
        assert_eq!(users::lock(&mut tx, ana.id).await.unwrap(), Some(now));
        assert_eq!(users::lock(&mut tx, UserId(99)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_address_is_confirmed_until_it_is_another() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await;
        assert!(!ana.email_verified);
        let mut tx = store.begin().await.unwrap();
        assert!(!users::verify(&mut tx, ana.id, "other@example.com").await.unwrap());
        assert!(users::verify(&mut tx, ana.id, "ana@example.com").await.unwrap());
        let said = |email_verified| Change { email_verified, ..Change::default() };
        let to =
            |email: &str, email_verified| Change { email: Some(Email::parse(email).unwrap()), ..said(email_verified) };
        let renamed = Change { name: Some("Ana R.".to_owned()), ..Change::default() };
        for (change, verified) in [
            (renamed, true),
            (said(Some(false)), false),
            (said(Some(true)), true),
            (to("ana@example.org", None), false),
            // Having been confirmed once is not enough.
            (to("ana@example.com", None), false),
            (to("ana@example.net", Some(true)), true),
        ] {
            let after = users::change(&mut tx, ana.id, ana.epoch, &change).await.unwrap().unwrap();
            assert_eq!(after.email_verified, verified, "{}", after.email.as_str());
        }
        let suspend = Change { status: Some(Status::Suspended), ..said(Some(false)) };
        users::change(&mut tx, ana.id, ana.epoch, &suspend).await.unwrap().unwrap();
        assert!(!users::verify(&mut tx, ana.id, "ana@example.net").await.unwrap());
        let made = users::insert(&mut tx, &NewUser { email_verified: true, ..person("Eva", "eva@example.com") }).await;
        assert!(made.unwrap().email_verified);
        tx.commit().await.unwrap();
        // So a program of the release before changes an address.
        execute(&store, "UPDATE users SET email = 'x@example.com' WHERE email = 'eva@example.com'").await;
        let eva = users::by_email(&mut store.reader(), "x@example.com").await.unwrap().unwrap();
        assert!(!eva.email_verified);
    })
    .await;
}

#[tokio::test]
async fn a_hash_is_upgraded_only_from_what_was_checked() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await;
        let mut tx = store.begin().await.unwrap();
        assert!(!users::upgrade_hash(&mut tx, ana.id, "another", "new").await.unwrap());
        assert!(users::upgrade_hash(&mut tx, ana.id, &ana.password_hash, "new").await.unwrap());
        assert_eq!(users::lock(&mut tx, ana.id).await.unwrap().map(|user| user.epoch), Some(ana.epoch));
    })
    .await;
}

#[tokio::test]
async fn users_are_listed_newest_first_and_counted() {
    on_both_engines(async |store| {
        for number in 0..5 {
            add_user(&store, &format!("u{number}@example.com")).await;
        }
        let page = users::page(&mut store.reader(), 1, 2).await.unwrap();
        assert_eq!(page.iter().map(|user| user.id.0).collect::<Vec<i64>>(), [4, 3]);
        assert_eq!(users::count(&mut store.reader()).await.unwrap(), 5);
        assert_eq!(users::count_active_with_role(&mut store.reader(), USER_ROLE).await.unwrap(), 5);
        assert_eq!(users::count_active_with_role(&mut store.reader(), ADMIN_ROLE).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn the_newest_twenty_addresses_of_a_user_are_known() {
    on_both_engines(async |store| {
        let (ana, eva) = (add_user(&store, "ana@example.com").await.id, add_user(&store, "eva@example.com").await.id);
        let block = |last: u8| AddressBlock::of([192, 0, 2, last].into());
        let mut tx = store.begin().await.unwrap();
        known_addresses::note(&mut tx, eva, block(1), UnixMillis(1)).await.unwrap();
        for last in 1..=22 {
            known_addresses::note(&mut tx, ana, block(last), UnixMillis(i64::from(last))).await.unwrap();
        }
        // Going back in time forgets nothing.
        known_addresses::note(&mut tx, ana, block(22), UnixMillis(1)).await.unwrap();
        for (user, last, since, known) in
            [(ana, 2, 0, false), (ana, 3, 0, true), (ana, 22, 22, true), (ana, 22, 23, false), (eva, 1, 0, true)]
        {
            let answer = known_addresses::is_known(&mut tx, user, block(last), UnixMillis(since)).await.unwrap();
            assert_eq!(answer, known, "{user} {last} {since}");
        }
        assert_eq!(known_addresses::sweep(&mut tx, UnixMillis(4)).await.unwrap(), 2);
    })
    .await;
}
