//! What time ends, and what it does not: the deadlines exactly, across restarts, and when clocks are set.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]
#![allow(clippy::unchecked_time_subtraction, reason = "of constants")]

use std::time::Duration;

use cerrojo_domain::{ListName, SessionId};
use cerrojo_store::{lists, sessions};
use cerrojo_testkit::{Actor, BEGINNING, TestApp, claims, on_both_engines, on_both_engines_with};
use serde_json::Value;

const IDLE: Duration = Duration::from_mins(5);
const MILLISECOND: Duration = Duration::from_millis(1);

async fn with_idleness(test: impl AsyncFn(TestApp)) {
    on_both_engines_with(|options| options.settings.idle_timeout = Some(IDLE), test).await;
}

/// A session as its user is shown it, live or ended.
async fn shown(by: &Actor, session: &Actor) -> Value {
    let listed = by.get("/api/auth/sessions?ended=true").await.data()["sessions"].clone();
    let found = listed.as_array().unwrap().iter().find(|one| one["id"] == session.session_id());
    found.cloned().unwrap_or_else(|| panic!("no such session in {listed}"))
}

fn list_of(actor: &Actor) -> ListName {
    let list = claims(actor.token())["status"]["status_list"]["uri"].as_str().unwrap().to_owned();
    ListName::from_text(list.rsplit('/').next().unwrap())
}

async fn is_stored(app: &TestApp, session: &Actor) -> bool {
    let inside = app.inside();
    let id = SessionId::from_text(session.session_id());
    sessions::by_id(&mut inside.store.reader(), &id).await.unwrap().is_some()
}

#[tokio::test]
async fn on_one_node_idleness_is_exact() {
    with_idleness(async |app| {
        let (ana, diana) = (app.user("ana").await, app.user("diana").await);
        app.clock.advance(IDLE - MILLISECOND);
        assert!(ana.is_in().await);
        app.clock.advance(MILLISECOND);
        assert!(!diana.is_in().await, "unused for the whole time");
        app.clock.advance(IDLE - MILLISECOND);
        assert!(!ana.is_in().await, "unused since a millisecond before");
        let ana = ana.another_session().await;
        app.clock.advance(IDLE - MILLISECOND);
        for _ in 0..5 {
            assert!(ana.is_in().await);
            app.clock.advance(IDLE - MILLISECOND);
        }
        assert!(ana.is_in().await, "use keeps it alive however long");
    })
    .await;
}

#[tokio::test]
async fn an_idle_session_is_shown_with_reason_and_actor_and_stays_over() {
    with_idleness(async |app| {
        let ana = app.user("ana").await;
        app.clock.advance(IDLE);
        assert!(!ana.is_in().await);
        // Whoever comes back with the token a moment later revives nothing, and a clock that is set back does not either.
        assert!(!ana.is_in().await);
        app.clock.set_time_of_day(BEGINNING);
        assert!(!ana.is_in().await);
        app.restart().await;
        assert!(!ana.is_in().await);
        let again = ana.another_session().await;
        let shown = shown(&again, &ana).await;
        assert_eq!((&shown["ended_reason"], &shown["ended_by"]), (&Value::from("idle"), &Value::from("server")));
        assert_eq!(shown["ended_at"], BEGINNING.plus(IDLE).rfc3339());
    })
    .await;
}

/// Uses it every ten seconds, written down at the tenth of the timeout as a running server does; then the process is lost,
/// five seconds after the last writing.
async fn use_and_crash(app: &TestApp) -> (Actor, Actor) {
    let (ana, diana) = (app.user("ana").await, app.user("diana").await);
    for second in 1..=125 {
        app.clock.advance(Duration::from_secs(1));
        if second % 5 == 0 {
            assert!(ana.is_in().await && diana.is_in().await);
        }
        if second % 30 == 0 {
            app.tick().await;
        }
    }
    app.restart().await;
    (ana, diana)
}

#[tokio::test]
async fn across_a_crash_idleness_is_nine_tenths_to_the_whole() {
    with_idleness(async |app| {
        let (ana, diana) = use_and_crash(&app).await;
        app.clock.advance(IDLE * 9 / 10 - MILLISECOND);
        assert!(ana.is_in().await, "ended before nine tenths of the timeout");
        app.clock.advance(IDLE / 10 + MILLISECOND);
        assert!(!diana.is_in().await, "alive after the whole timeout");
        app.clock.advance(IDLE);
        assert!(!ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn after_a_clean_stop_idleness_is_exact() {
    with_idleness(async |app| {
        let (ana, diana) = (app.user("ana").await, app.user("diana").await);
        let tasks = app.inside().spawn_tasks();
        app.clock.advance(Duration::from_secs(200));
        assert!(ana.is_in().await && diana.is_in().await);
        tasks.stop(&app.inside()).await;
        app.restart().await;
        app.clock.advance(IDLE - MILLISECOND);
        assert!(ana.is_in().await);
        app.clock.advance(MILLISECOND);
        assert!(!diana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn without_a_timeout_nothing_is_idle() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        for _ in 0..3 {
            app.clock.advance(Duration::from_hours(7));
            app.tick().await;
        }
        assert!(ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn the_sweeper_ends_what_nobody_asks_about() {
    on_both_engines_with(
        |options| {
            options.settings.idle_timeout = Some(IDLE);
            options.settings.token_ttl = Duration::from_mins(12);
        },
        async |app| {
            let (idle, expired) = (app.user("ana").await, app.user("diana").await);
            for _ in 0..3 {
                app.clock.advance(Duration::from_mins(4));
                if app.inside().clock.now() < BEGINNING.plus(Duration::from_mins(12)) {
                    assert!(expired.is_in().await);
                }
                app.tick().await;
            }
            for (session, reason, after) in [(&idle, "idle", 8), (&expired, "expired", 12)] {
                let again = session.another_session().await;
                let shown = shown(&again, session).await;
                assert_eq!((&shown["ended_reason"], &shown["ended_by"]), (&reason.into(), &Value::from("server")));
                assert_eq!(shown["ended_at"], BEGINNING.plus(Duration::from_mins(after)).rfc3339());
                assert!(!session.is_in().await);
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_token_has_no_leeway() {
    on_both_engines(async |app| {
        // A sign-in between two whole seconds: `exp` says whole ones.
        app.clock.advance(Duration::from_millis(999));
        let ana = app.user("ana").await;
        let exp = claims(ana.token())["exp"].as_i64().unwrap();
        assert_eq!(exp, BEGINNING.seconds() + 24 * 3600);
        let left = Duration::from_hours(24) - Duration::from_millis(999);
        app.clock.advance(left - MILLISECOND);
        assert!(ana.is_in().await);
        app.clock.advance(MILLISECOND);
        assert!(!ana.is_in().await);
        let again = ana.another_session().await;
        let listed = again.get("/api/auth/sessions").await.data()["sessions"].clone();
        assert_eq!(listed.as_array().unwrap().len(), 1, "an expired one is not listed as live: {listed}");
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_revives_nothing() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let phone = ana.another_session().await;
        phone.logout().await;
        app.clock.advance(Duration::from_hours(24));
        assert!(!ana.is_in().await);
        // Nobody has swept: within the process its clock does not go back.
        app.clock.set_time_of_day(BEGINNING);
        assert!(!ana.is_in().await && !phone.is_in().await);
        app.tick().await;
        app.restart().await;
        assert!(!ana.is_in().await && !phone.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn a_list_is_retired_an_hour_after_its_last_token_whatever_the_clock_says_then() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let name = list_of(&ana);
        let inside = app.inside();
        let list = lists::by_name(&mut inside.store.reader(), &name).await.unwrap().unwrap();
        drop(inside);
        assert!(list.expires_by.0 >= claims(ana.token())["exp"].as_i64().unwrap() * 1000);
        let retired = async || {
            let inside = app.inside();
            lists::by_name(&mut inside.store.reader(), &name).await.unwrap().unwrap().retired
        };
        let life = Duration::from_millis(u64::try_from(list.expires_by.0 - BEGINNING.0).unwrap());
        app.clock.advance(life + Duration::from_hours(1) - MILLISECOND);
        app.tick().await;
        assert!(!retired().await);
        app.clock.advance(MILLISECOND);
        app.tick().await;
        assert!(retired().await);
        let path = format!("/status-lists/{name}");
        assert_eq!(app.inside().guard.list_bytes(&name).unwrap().iter().filter(|byte| **byte != 0xff).count(), 0);
        assert_eq!(app.visitor().get(&path).await.status, 200);
        // A machine that comes up with its clock a day behind.
        app.clock.set_time_of_day(BEGINNING);
        app.restart().await;
        assert!(!ana.is_in().await);
        assert!(ana.another_session().await.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn rows_go_after_thirty_days_and_the_newest_stays() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let (phone, newest) = (ana.another_session().await, {
            app.clock.advance(MILLISECOND);
            ana.another_session().await
        });
        phone.logout().await;
        newest.logout().await;
        // Ended, but its list is not retired: if the row went, its bit would be forgotten at the next start.
        app.clock.advance(Duration::from_hours(25));
        app.tick().await;
        assert!(is_stored(&app, &phone).await);
        app.clock.advance(Duration::from_hours(29 * 24 - 2));
        app.tick().await;
        assert!(is_stored(&app, &phone).await, "kept for 30 days");
        app.clock.advance(Duration::from_hours(3 * 24));
        app.tick().await;
        assert!(!is_stored(&app, &phone).await && !is_stored(&app, &ana).await);
        assert!(is_stored(&app, &newest).await, "the position file names it");
        app.restart().await;
        for gone in [&ana, &phone, &newest] {
            assert!(!gone.is_in().await);
        }
        assert!(ana.another_session().await.is_in().await);
    })
    .await;
}
