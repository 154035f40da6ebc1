//! The mail about a sign-in from a new place: when there is one, what it says, and that it is bounded.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::time::Duration;

use cerrojo_app::administer::import_users;
use cerrojo_app::{Locale, NewDeviceNotice, WhenFull};
use cerrojo_domain::{Email, Status, USER_ROLE, UnixMillis, UserId};
use cerrojo_store::imports::{Fate, Imported};
use cerrojo_store::testing;
use cerrojo_testkit::{
    Actor, PASSWORD, SentMail, TestApp, another_applications_tokens, on_both_engines, on_both_engines_with,
};
use serde_json::json;

const DAY: Duration = Duration::from_hours(24);
const SPANISH: &str = "Nuevo inicio de sesión en tu cuenta";
/// The password of whoever was imported.
const ORIGINAL: &str = "U*U";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0";

/// Every such notice so far.
async fn notices(app: &TestApp) -> Vec<SentMail> {
    app.mails().await.into_iter().filter(|mail| mail.subject == SPANISH).collect()
}

async fn imported(app: &TestApp) -> Actor {
    let user = Imported {
        id: Some(UserId(71)),
        name: "ana".to_owned(),
        email: Email::parse("ana@example.com").unwrap(),
        password_hash: "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned(),
        role_id: USER_ROLE,
        status: Status::Active,
        registration_date: UnixMillis(1_700_000_000_000),
        last_session: Some(UnixMillis(1_700_000_100_000)),
        email_verified: false,
    };
    assert_eq!(import_users(&app.inside(), &[user]).await.unwrap(), [Fate::Added]);
    let mut ana = app.visitor();
    (ana.id, ana.name, ana.email) = (71, "ana".to_owned(), "ana@example.com".to_owned());
    ana
}

#[tokio::test]
async fn a_sign_in_from_a_new_place_is_told() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let elsewhere = ana.at("203.0.113.9").on(FIREFOX).another_session().await;
        let mails = notices(&app).await;
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].to, "ana@example.com");
        let when = app.inside().clock.now().rfc3339()[..16].replace('T', " ");
        for part in [&mails[0].text, &mails[0].html] {
            assert!(part.contains("203.0.113.9") && part.contains("Firefox, Linux") && part.contains(&when), "{part}");
            assert!(part.contains("Hola, ana:") && !part.contains("aviso como este"), "{part}");
        }
        assert_eq!(mails[0].text.matches("http").count(), 1, "one link, for whoever it was not: {}", mails[0].text);
        assert!(elsewhere.is_in().await);
        // What a later answer to it needs is kept with it, and not told.
        let outbox = testing::rows_as_text(app.database_url(), "outbox").await;
        assert!(outbox.contains(&elsewhere.session_id()) && !mails[0].html.contains(&elsewhere.session_id()));
    })
    .await;
}

#[tokio::test]
async fn another_client_says_nothing_and_a_copied_one_neither() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        ana.on(FIREFOX).another_session().await;
        assert!(notices(&app).await.is_empty(), "a new browser at home is no news");
        ana.on(FIREFOX).at("203.0.113.9").another_session().await;
        assert_eq!(notices(&app).await.len(), 1, "whoever has the password can say any User-Agent");
    })
    .await;
}

#[tokio::test]
async fn addresses_of_a_network_that_is_known_are_no_news() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let told = async |address: &str| {
            let before = notices(&app).await.len();
            app.clock.advance(Duration::from_hours(25));
            ana.at(address).another_session().await;
            notices(&app).await.len() - before
        };
        assert_eq!(told("203.0.113.9").await, 1);
        assert_eq!(told("203.0.113.9").await, 0);
        assert_eq!(told("203.0.113.200").await, 0);
        assert_eq!(told("203.0.114.9").await, 1);
        assert_eq!(told("2001:db8:1:1::7").await, 1);
        assert_eq!(told("2001:db8:1:2::7").await, 0);
        assert_eq!(told("2001:db8:2:1::7").await, 1);
    })
    .await;
}

#[tokio::test]
async fn the_first_sign_in_is_no_news() {
    on_both_engines(async |app| {
        app.user("eva").await;
        app.admin().await;
        let ana = imported(&app).await;
        ana.at("198.51.100.7").signed_in_with(ORIGINAL).await;
        assert!(notices(&app).await.is_empty());
        ana.at("203.0.113.9").signed_in_with(ORIGINAL).await;
        let mails = notices(&app).await;
        assert_eq!(mails.iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>(), ["ana@example.com"]);
    })
    .await;
}

#[tokio::test]
async fn an_account_that_slept_is_told_when_somebody_wakes_it() {
    on_both_engines(async |app| {
        let (eva, ana) = (app.user("eva").await, imported(&app).await);
        ana.signed_in_with(ORIGINAL).await;
        app.clock.advance(91 * DAY);
        app.tick().await;
        eva.at("203.0.113.9").another_session().await;
        ana.at("203.0.113.9").signed_in_with(ORIGINAL).await;
        assert_eq!(
            notices(&app).await.len(),
            2,
            "nothing is known of them any more, and still it is not their first time"
        );
    })
    .await;
}

#[tokio::test]
async fn who_was_imported_before_it_was_noted_and_slept_is_told_too() {
    on_both_engines(async |app| {
        let ana = imported(&app).await;
        ana.signed_in_with(ORIGINAL).await;
        // As an earlier release left it.
        let earlier = "UPDATE users SET has_signed_in = NULL, old_tokens = 1";
        testing::execute(app.database_url(), earlier.to_owned()).await;
        ana.signed_in_with(ORIGINAL).await;
        app.clock.advance(91 * DAY);
        app.tick().await;
        ana.at("203.0.113.9").signed_in_with(ORIGINAL).await;
        assert_eq!(notices(&app).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn nobody_is_flooded() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let started = app.inside().clock.now();
        for network in 1..=6 {
            ana.at(&format!("203.0.{network}.9")).another_session().await;
            app.clock.advance(Duration::from_hours(1));
        }
        let mails = notices(&app).await;
        assert_eq!(mails.len(), 3);
        let until = started.plus(DAY).rfc3339()[..16].replace('T', " ");
        let said: Vec<bool> = mails.iter().map(|mail| mail.text.contains(&format!("Hasta {until} UTC"))).collect();
        assert_eq!(said, [false, false, true], "{}", mails[2].text);
        app.clock.advance(Duration::from_hours(19));
        ana.at("203.0.7.9").another_session().await;
        assert_eq!(notices(&app).await.len(), 4, "and not from then on for ever");
        let told = app.metrics().await;
        let counted = |notice| told.value(&format!("cerrojo_sign_ins_from_new_places_total{{notice=\"{notice}\"}}"));
        assert_eq!((counted("sent"), counted("limited"), counted("off")), (4.0, 3.0, 0.0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_sign_ins_from_everywhere_bring_three_mails() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let body = json!({ "email": "ana@example.com", "password": PASSWORD });
        let calls = (1..=8).map(|network| ana.at(&format!("203.0.{network}.9")).post("/api/auth/login", body.clone()));
        for reply in app.together(calls).await {
            assert_eq!(reply.status, 200, "{reply}");
        }
        assert_eq!(notices(&app).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_that_fails_is_not_told_as_one() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        assert_eq!(ana.at("203.0.113.9").try_login("ana@example.com", "nube de paso 4481").await.status, 401);
        assert!(notices(&app).await.is_empty());
        ana.at("203.0.113.9").another_session().await;
        assert_eq!(notices(&app).await.len(), 1, "and makes no place known");
    })
    .await;
}

#[tokio::test]
async fn a_session_in_the_place_of_others_is_told_and_one_that_is_refused_is_none() {
    let full = |when_full| {
        move |options: &mut cerrojo_testkit::Options| {
            options.settings.max_per_user = Some(1);
            options.settings.when_full = when_full;
        }
    };
    on_both_engines_with(full(WhenFull::EndOldest), async |app| {
        let ana = app.user("ana").await;
        assert!(ana.at("203.0.113.9").another_session().await.is_in().await);
        assert!(!ana.is_in().await);
        assert_eq!(notices(&app).await.len(), 1);
    })
    .await;
    on_both_engines_with(full(WhenFull::Refuse), async |app| {
        let ana = app.user("ana").await;
        assert_eq!(ana.at("203.0.113.9").try_login("ana@example.com", PASSWORD).await.status, 409);
        assert!(notices(&app).await.is_empty());
        ana.logout().await;
        ana.at("203.0.113.9").another_session().await;
        assert_eq!(notices(&app).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_old_token_is_no_sign_in_and_makes_no_place_known() {
    on_both_engines_with(
        |options| options.settings.old_tokens = Some(another_applications_tokens()),
        async |app| {
            let ana = imported(&app).await;
            let with_old_token = app.old_session(&ana.at("203.0.113.9"), "phone");
            assert!(with_old_token.at("203.0.113.9").is_in().await);
            ana.signed_in_with(ORIGINAL).await;
            assert!(notices(&app).await.is_empty());
            ana.at("203.0.113.9").signed_in_with(ORIGINAL).await;
            assert_eq!(notices(&app).await.len(), 1);
        },
    )
    .await;
}

#[tokio::test]
async fn it_can_be_turned_off_and_on_again() {
    on_both_engines_with(
        |options| options.settings.new_device = NewDeviceNotice::Off,
        async |app| {
            let ana = app.user("ana").await;
            ana.at("203.0.113.9").another_session().await;
            assert!(app.mails().await.is_empty());
            app.set(|options| options.settings.new_device = NewDeviceNotice::Sent);
            app.restart().await;
            ana.at("203.0.113.9").another_session().await;
            assert!(app.mails().await.is_empty(), "what was seen meanwhile is known");
            ana.at("198.51.100.7").another_session().await;
            assert_eq!(notices(&app).await.len(), 1);
        },
    )
    .await;
}

#[tokio::test]
async fn no_sign_in_waits_for_the_notice() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        app.mailbox.go_down();
        assert!(ana.at("203.0.113.9").another_session().await.is_in().await);
        assert!(notices(&app).await.is_empty());
        app.mailbox.come_back();
        app.restart().await;
        app.clock.advance(Duration::from_mins(10));
        assert_eq!(notices(&app).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn none_of_the_clients_words_get_into_the_notice() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        ana.at("203.0.113.9").on("<b>Call 555-0100 at once</b> http://evil.example Windows").another_session().await;
        let mail = notices(&app).await.remove(0);
        for part in [&mail.text, &mail.html] {
            assert!(part.contains("Windows") && !part.contains("555") && !part.contains("evil"), "{part}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_notice_can_be_english() {
    on_both_engines_with(
        |options| options.settings.locale = Locale::En,
        async |app| {
            let ana = app.user("ana").await;
            ana.at("203.0.113.9").another_session().await;
            let mail = app.mails().await.remove(0);
            assert_eq!(mail.subject, "New sign-in to your account");
            assert!(mail.text.contains("If it was not you") && !mail.text.contains("Device"), "{}", mail.text);
        },
    )
    .await;
}
