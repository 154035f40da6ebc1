//! Codes that were mailed, and what waits for one of them.

use cerrojo_domain::{Email, InvitationId, PendingId, SessionId, UnixMillis, UserId};

use super::{add_user, execute};
use crate::codes::{self, Code, Purpose};
use crate::email_changes::{self, EmailChange};
use crate::invitations::{self, Invitation, Inviter};
use crate::registrations::{self, Registration};
use crate::testing::{Fresh, on_both_engines};
use crate::{OpenOptions, Store, StoreError, users};

fn code(hash: &str, (purpose, subject): (Purpose, &str), expires_at: i64) -> Code {
    Code {
        code_hash: hash.to_owned(),
        purpose,
        subject: subject.to_owned(),
        bound_to: "3".to_owned(),
        expires_at: UnixMillis(expires_at),
    }
}

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

#[tokio::test]
async fn a_code_works_once() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await;
        let made = || code("one", (Purpose::Reset, &ana.id.to_string()), 100);
        let mut tx = store.begin().await.unwrap();
        codes::insert(&mut tx, &made()).await.unwrap();
        tx.commit().await.unwrap();
        let found = codes::find(&mut store.reader(), "one").await.unwrap().unwrap();
        assert_eq!((found.user(), &found), (Some(ana.id), &made()));
        let takers = (0..4).map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut tx = store.begin().await.unwrap();
                let taken = codes::take(&mut tx, "one").await.unwrap();
                tx.commit().await.unwrap();
                taken.is_some()
            })
        });
        let mut got = 0;
        for taker in takers.collect::<Vec<_>>() {
            got += u32::from(taker.await.unwrap());
        }
        assert_eq!(got, 1);
        assert!(codes::find(&mut store.reader(), "one").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn codes_go_with_their_time_and_their_user() {
    on_both_engines(async |store| {
        let (ana, eva) = (add_user(&store, "ana@example.com").await, add_user(&store, "eva@example.com").await);
        let (ana, eva) = (ana.id.to_string(), eva.id.to_string());
        let mut tx = store.begin_ending().await.unwrap();
        for made in [
            code("old", (Purpose::Reset, &ana), 10),
            code("edge", (Purpose::Reset, &ana), 20),
            code("verify", (Purpose::Verify, &ana), 30),
            code("hers", (Purpose::Reset, &eva), 30),
            // What waits has an id of its own, which may look like a number.
            code("waits", (Purpose::Invitation, &ana), 30),
        ] {
            codes::insert(&mut tx, &made).await.unwrap();
        }
        assert_eq!(codes::sweep(&mut tx, UnixMillis(20)).await.unwrap(), 1);
        users::delete(&mut tx, UserId(ana.parse().unwrap())).await.unwrap();
        for (hash, is_there) in [("edge", false), ("verify", false), ("hers", true), ("waits", true)] {
            assert_eq!(codes::find(&mut tx, hash).await.unwrap().is_some(), is_there, "{hash}");
        }
        codes::void(&mut tx, &eva, Purpose::Verify).await.unwrap();
        assert!(codes::find(&mut tx, "hers").await.unwrap().is_some());
        codes::void(&mut tx, &eva, Purpose::Reset).await.unwrap();
        assert!(codes::find(&mut tx, "hers").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn links_of_the_release_before_are_taken_over() {
    for fresh in [Fresh::sqlite(), Fresh::postgres().await] {
        let store = Store::open(&fresh.url, OpenOptions::default()).await.unwrap();
        crate::migrate::run_up_to(&store, 7).await.unwrap();
        let user = "INSERT INTO users (user_id, name, email, password_hash, role_id, status, epoch, registration_date) \
             VALUES (5, 'Ana', 'ana@example.com', 'x', 2, 'active', 4, 1)";
        execute(&store, user).await;
        let link = "INSERT INTO reset_links (code_hash, user_id, epoch, expires_at) VALUES ('sent', 5, 4, 77)";
        execute(&store, link).await;
        store.migrate().await.unwrap();
        let found = codes::find(&mut store.reader(), "sent").await.unwrap().unwrap();
        assert_eq!((found.purpose, found.user()), (Purpose::Reset, Some(UserId(5))));
        assert_eq!((found.bound_to.as_str(), found.expires_at), ("4", UnixMillis(77)));
        store.close().await;
    }
}

#[tokio::test]
async fn of_registrations_of_an_address_none_counts_alone() {
    on_both_engines(async |store| {
        let made = |id: &str, name: &str| Registration {
            id: PendingId::from_text(id),
            email: email("ana@example.com"),
            name: name.to_owned(),
            password_hash: format!("hash of {name}"),
            registered_at: UnixMillis(1),
            expires_at: UnixMillis(50),
            is_contested: false,
        };
        let mut tx = store.begin().await.unwrap();
        let put = registrations::put(&mut tx, &made("one", "Mallory")).await.unwrap();
        let alone = registrations::by_id(&mut tx, "one").await.unwrap().unwrap();
        assert!(put.as_str() == "one" && !alone.is_contested);
        assert_eq!(registrations::put(&mut tx, &made("two", "Ana")).await.unwrap().as_str(), "one");
        assert!(registrations::by_id(&mut tx, "two").await.unwrap().is_none());
        let found = registrations::by_email(&mut tx, "ana@example.com").await.unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.password_hash.as_str()), ("one", ""));
        assert!(found.is_contested);
        // One whose time is over contests nothing.
        let later = Registration { registered_at: UnixMillis(50), expires_at: UnixMillis(99), ..made("later", "Eva") };
        assert_eq!(registrations::put(&mut tx, &later).await.unwrap().as_str(), "later");
        let found = registrations::by_email(&mut tx, "ana@example.com").await.unwrap().unwrap();
        assert!(!found.is_contested && found.name == "Eva");
        assert!(registrations::take(&mut tx, &found.id).await.unwrap().is_some());
        assert!(registrations::take(&mut tx, &found.id).await.unwrap().is_none());
        registrations::put(&mut tx, &made("three", "Ana")).await.unwrap();
        assert_eq!(registrations::sweep(&mut tx, UnixMillis(50)).await.unwrap(), 0);
        assert_eq!(registrations::sweep(&mut tx, UnixMillis(51)).await.unwrap(), 1);
        registrations::put(&mut tx, &made("four", "Ana")).await.unwrap();
        registrations::forget(&mut tx, &email("ana@example.com")).await.unwrap();
        assert!(registrations::by_id(&mut tx, "four").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_user_waits_for_one_address_and_goes_with_it() {
    on_both_engines(async |store| {
        let ana = add_user(&store, "ana@example.com").await.id;
        let eva = add_user(&store, "eva@example.com").await.id;
        let made = |id: &str, user, to: &str, expires_at| EmailChange {
            id: PendingId::from_text(id),
            user,
            email: email(to),
            epoch: 2,
            session: SessionId::from_text("s"),
            expires_at: UnixMillis(expires_at),
        };
        let mut tx = store.begin_ending().await.unwrap();
        email_changes::put(&mut tx, &made("one", ana, "a@example.com", 50)).await.unwrap();
        email_changes::put(&mut tx, &made("two", ana, "b@example.com", 60)).await.unwrap();
        email_changes::put(&mut tx, &made("three", eva, "b@example.com", 70)).await.unwrap();
        assert!(email_changes::by_id(&mut tx, "one").await.unwrap().is_none());
        let found = email_changes::of_user(&mut tx, ana).await.unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.email.as_str(), found.epoch), ("two", "b@example.com", 2));
        users::delete(&mut tx, eva).await.unwrap();
        assert!(email_changes::by_id(&mut tx, "three").await.unwrap().is_none());
        assert!(email_changes::take(&mut tx, &found.id).await.unwrap());
        assert!(!email_changes::take(&mut tx, &found.id).await.unwrap());
        email_changes::put(&mut tx, &made("four", ana, "c@example.com", 80)).await.unwrap();
        assert_eq!(email_changes::sweep(&mut tx, UnixMillis(81)).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_address_is_invited_once() {
    on_both_engines(async |store| {
        let by = Inviter { user: UserId(9), epoch: 3 };
        let made = |id: &str, to: &str, at: i64| Invitation {
            id: InvitationId::from_text(id),
            email: email(to),
            name: (at > 1).then(|| "Ana".to_owned()),
            role_id: 1,
            invited_by: (at > 1).then_some(by),
            created_at: UnixMillis(at),
            expires_at: UnixMillis(at + 10),
        };
        let mut tx = store.begin().await.unwrap();
        for (id, to, at) in [("one", "a@example.com", 1), ("two", "b@example.com", 2), ("three", "c@example.com", 3)] {
            invitations::insert(&mut tx, &made(id, to, at)).await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut tx = store.begin().await.unwrap();
        assert!(matches!(
            invitations::insert(&mut tx, &made("four", "a@example.com", 4)).await,
            Err(StoreError::Taken)
        ));
        drop(tx);
        let mut tx = store.begin().await.unwrap();
        let page = invitations::page(&mut tx, UnixMillis(11), (0, 5)).await.unwrap();
        assert_eq!(page.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["three", "two"]);
        assert_eq!(invitations::count(&mut tx, UnixMillis(11)).await.unwrap(), 2);
        assert!(
            invitations::by_email(&mut tx, "b@example.com").await.unwrap() == Some(made("two", "b@example.com", 2))
        );
        let longer = invitations::prolong(&mut tx, "one", (UnixMillis(90), Some(by))).await.unwrap().unwrap();
        assert_eq!((longer.expires_at, longer.name, longer.invited_by), (UnixMillis(90), None, Some(by)));
        assert!(invitations::take(&mut tx, "one").await.unwrap().is_some());
        assert!(invitations::take(&mut tx, "one").await.unwrap().is_none());
        assert_eq!(invitations::sweep(&mut tx, UnixMillis(13)).await.unwrap(), 1);
        invitations::forget(&mut tx, &email("c@example.com")).await.unwrap();
        assert!(invitations::by_id(&mut tx, "three").await.unwrap().is_none());
    })
    .await;
}
