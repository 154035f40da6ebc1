//! Many users at a time.

use cerrojo_domain::{Email, Status, USER_ROLE, UnixMillis, UserId};

use super::{add_sessions, add_user, execute, session};
use crate::imports::{self, Fate, Imported};
use crate::testing::on_both_engines;
use crate::{Store, users};

fn somebody(id: Option<i64>, email: &str) -> Imported {
    Imported {
        id: id.map(UserId),
        name: "O'Brien \"Ñandú\" \\ 👩‍👩‍👧".to_owned(),
        email: Email::parse(email).unwrap(),
        password_hash: "$2b$05$x".to_owned(),
        role_id: USER_ROLE,
        status: Status::Suspended,
        registration_date: UnixMillis(-7),
        last_session: id.map(UnixMillis),
        email_verified: id.is_some(),
    }
}

async fn add(store: &Store, users: &[Imported]) -> Vec<Fate> {
    let foreseen = imports::foresee(&mut store.reader(), users).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let fates = imports::add(&mut tx, users).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(fates, foreseen);
    fates
}

#[tokio::test]
async fn whoever_is_not_there_is_added_under_the_number_that_is_given() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await;
        let some = [
            somebody(Some(70), "eva@example.com"),
            somebody(Some(3), "lola@example.com"),
            somebody(None, "rosa@example.com"),
            somebody(Some(ana.id.0), "other@example.com"),
            somebody(Some(8), "ana@example.com"),
            somebody(None, "ana@example.com"),
        ];
        let fates = add(&store, &some).await;
        let added = [Fate::Added, Fate::Added, Fate::Added];
        assert_eq!(fates[..3], added);
        assert_eq!(fates[3..], [Fate::NumberTaken, Fate::OtherNumber(ana.id), Fate::Present]);
        let eva = users::by_id(&mut store.reader(), UserId(70)).await.unwrap().unwrap();
        assert_eq!(
            (eva.name, eva.email, eva.password_hash),
            (some[0].name.clone(), some[0].email.clone(), some[0].password_hash.clone())
        );
        assert_eq!((eva.role_id, eva.status), (USER_ROLE, Status::Suspended));
        assert_eq!((eva.registration_date, eva.last_session), (UnixMillis(-7), Some(UnixMillis(70))));
        let rosa = users::by_email(&mut store.reader(), "rosa@example.com").await.unwrap().unwrap();
        assert_eq!((rosa.id, rosa.last_session), (UserId(71), None));
        assert_eq!(users::by_id(&mut store.reader(), ana.id).await.unwrap(), Some(ana), "who is there stays as is");
        assert_eq!(add(&store, &some[..3]).await, [Fate::Present; 3], "again");
        assert_eq!(add_user(&store, "new@example.com").await.id, UserId(72));
        let all = users::after(&mut store.reader(), UserId(3), 2).await.unwrap();
        assert_eq!(all.iter().map(|user| user.id.0).collect::<Vec<_>>(), [70, 71]);
    })
    .await;
}

/// Somebody who is deleted may just be signing in: that must not fit whoever gets the number back.
#[tokio::test]
async fn a_sign_in_of_a_deleted_user_does_not_fit_an_imported_one_of_the_number() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await;
        let mut tx = store.begin_ending().await.unwrap();
        users::delete(&mut tx, ana.id).await.unwrap();
        tx.commit().await.unwrap();
        execute(&store, "UPDATE counters SET value = 0 WHERE name = 'user'").await;
        let again = Imported { status: Status::Active, ..somebody(Some(ana.id.0), "eva@example.com") };
        add_sessions(&store, [session("of ana", ana.id, 0)]).await;
        assert_eq!(add(&store, std::slice::from_ref(&again)).await, [Fate::NumberTaken], "her sessions are not eva's");
        execute(&store, "DELETE FROM sessions").await;
        assert_eq!(add(&store, &[again]).await, [Fate::Added]);
        let mut tx = store.begin().await.unwrap();
        assert!(!users::sign_in(&mut tx, ana.id, ana.epoch, UnixMillis(5)).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_import_beside_registrations_gives_each_number_once() {
    on_both_engines(async |store| {
        let importing = async |part: i64| {
            for number in 0..5 {
                let users: Vec<_> =
                    (0..20).map(|one| somebody(None, &format!("i{part}-{number}-{one}@example.com"))).collect();
                assert_eq!(add_alone(&store, &users).await, vec![Fate::Added; 20]);
            }
        };
        let registering = async {
            for number in 0..20 {
                add_user(&store, &format!("r{number}@example.com")).await;
            }
        };
        tokio::join!(importing(1), importing(2), registering);
        assert_eq!(users::count(&mut store.reader()).await.unwrap(), 220);
        let all = users::after(&mut store.reader(), UserId(0), 1000).await.unwrap();
        assert_eq!(all.last().unwrap().id, UserId(220));
    })
    .await;
}

async fn add_alone(store: &Store, users: &[Imported]) -> Vec<Fate> {
    let mut tx = store.begin().await.unwrap();
    let fates = imports::add(&mut tx, users).await.unwrap();
    tx.commit().await.unwrap();
    fates
}
