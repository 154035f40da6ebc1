//! One's own sessions: seen, ended, expired, idle.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::time::Duration;

use cerrojo_app::Reauthentication;
use cerrojo_testkit::{Actor, PASSWORD, assert_has, on_both_engines, on_both_engines_with};
use serde_json::{Value, json};

const SESSIONS: &str = "/api/auth/sessions";

async fn listed(actor: &Actor, query: &str) -> Vec<Value> {
    let data = actor.get(&format!("{SESSIONS}{query}")).await.data();
    data["sessions"].as_array().expect("sessions").clone()
}

#[tokio::test]
async fn live_sessions_are_listed_with_device_and_address() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        app.user("luis").await;
        app.clock.advance(Duration::from_mins(5));
        let phone = ana.at("203.0.113.7").on("Teléfono de Ana").another_session().await;
        let reply = ana.get(SESSIONS).await;
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let sessions = listed(&ana, "").await;
        assert_eq!(sessions.len(), 2);
        assert_has(
            &sessions[0],
            json!({
                "id": phone.session_id(), "current": false, "device": "Teléfono de Ana", "address": "203.0.113.7",
                "started_at": "2026-02-13T10:05:00.000Z", "last_seen_at": "2026-02-13T10:05:00.000Z",
                "expires_at": "2026-02-14T10:05:00.000Z",
            }),
        );
        assert_eq!(sessions[1]["id"], ana.session_id());
        assert_eq!(sessions[1]["current"], true);
        let seen_by_phone = listed(&phone, "").await;
        assert_eq!(seen_by_phone[0]["current"], true);
        assert_eq!(seen_by_phone[1]["current"], false);
    })
    .await;
}

#[tokio::test]
async fn ended_sessions_of_the_last_30_days_are_shown_when_asked_for() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let phone = ana.at("203.0.113.7").another_session().await;
        phone.logout().await;
        assert_eq!(listed(&ana, "").await.len(), 1);
        assert_eq!(listed(&ana, "?ended=false").await.len(), 1);
        let sessions = listed(&ana, "?ended=true").await;
        assert_eq!(sessions.len(), 2);
        let ended = sessions.iter().find(|session| session["id"] == phone.session_id()).unwrap();
        assert_eq!(ended["ended_at"], "2026-02-13T10:00:00.000Z");
        assert_eq!(ended["ended_reason"], "logout");
        assert_eq!(ended["ended_by"], "user");
        assert_eq!(ended["current"], false);
        app.clock.advance(Duration::from_hours(29 * 24));
        app.tick().await;
        let later = ana.another_session().await;
        assert_eq!(listed(&later, "?ended=true").await.len(), 3);
        app.clock.advance(Duration::from_hours(2 * 24));
        app.tick().await;
        let later = ana.another_session().await;
        let reasons: Vec<Value> =
            listed(&later, "?ended=true").await.iter().map(|session| session["ended_reason"].clone()).collect();
        assert!(!reasons.contains(&json!("logout")), "{reasons:?}");
    })
    .await;
}

#[tokio::test]
async fn one_ends_ones_own_and_nobody_elses() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let luis = app.user("luis").await;
        let phone = ana.another_session().await;
        let mine = format!("{SESSIONS}/{}", phone.session_id());
        luis.delete(&mine).await.assert_code(404, "NOT_FOUND");
        assert!(phone.is_in().await);
        let reply = ana.delete(&mine).await;
        assert_eq!(reply.status, 200, "{reply}");
        assert!(!phone.is_in().await);
        assert!(ana.is_in().await);
        ana.delete(&mine).await.assert_code(404, "NOT_FOUND");
        for other in ["x", "%00", "..%2f", "' OR 1=1"] {
            ana.delete(&format!("{SESSIONS}/{}", other.replace(' ', "%20"))).await.assert_code(404, "NOT_FOUND");
        }
        let ended = listed(&ana, "?ended=true").await;
        assert!(ended.iter().any(|session| session["ended_reason"] == "logout_elsewhere"), "{ended:?}");
        let own = ana.delete(&format!("{SESSIONS}/{}", ana.session_id())).await;
        assert_eq!(own.status, 200, "{own}");
        assert!(!ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn logout_all_ends_all_the_calling_one_included() {
    on_both_engines(async |app| {
        let (ana, luis) = (app.user("ana").await, app.user("luis").await);
        let phone = ana.another_session().await;
        let reply = ana.call("POST", "/api/auth/logout-all").await;
        reply.assert_ok(200, "Todas las sesiones cerradas exitosamente");
        assert!(!ana.is_in().await);
        assert!(!phone.is_in().await);
        assert!(luis.is_in().await);
        ana.call("POST", "/api/auth/logout-all").await.assert_token_refused();
        app.restart().await;
        assert!(!phone.is_in().await);
        ana.another_session().await;
    })
    .await;
}

#[tokio::test]
async fn logout_others_ends_all_but_the_calling_one() {
    on_both_engines(async |app| {
        let (ana, luis) = (app.user("ana").await, app.user("luis").await);
        let phone = ana.another_session().await;
        let reply = phone.call("POST", "/api/auth/logout-others").await;
        reply.assert_ok(200, "Otras sesiones cerradas exitosamente");
        assert!(!ana.is_in().await);
        assert!(phone.is_in().await);
        assert!(luis.is_in().await);
        phone.call("POST", "/api/auth/logout-others").await.assert_ok(200, "Otras sesiones cerradas exitosamente");
    })
    .await;
}

#[tokio::test]
async fn the_current_password_can_be_asked_for_before_others_are_ended() {
    on_both_engines_with(
        |options| options.settings.reauthentication = Reauthentication::Required,
        async |app| {
            let ana = app.user("ana").await;
            let phone = ana.another_session().await;
            let calls = |body: Value| {
                [
                    ana.post("/api/auth/logout-others", body.clone()),
                    ana.call("DELETE", &format!("{SESSIONS}/{}", phone.session_id())).json(body.clone()),
                    ana.post("/api/auth/logout-all", body),
                ]
            };
            for call in calls(json!({})) {
                call.await.assert_code(400, "VALIDATION_ERROR");
            }
            for call in calls(json!({ "currentPassword": "no-es-esta-9" })) {
                call.await.assert_error(401, "INVALID_CREDENTIALS", "La contraseña actual es incorrecta");
            }
            assert!(phone.is_in().await);
            let [others, ..] = calls(json!({ "currentPassword": PASSWORD }));
            others.await.assert_ok(200, "Otras sesiones cerradas exitosamente");
            assert!(!phone.is_in().await);
            // Its own session a person may always end.
            ana.logout().await;
        },
    )
    .await;
}

#[tokio::test]
async fn a_session_lives_as_long_as_its_token() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        app.clock.advance(Duration::from_hours(24) - Duration::from_secs(1));
        app.tick().await;
        assert!(ana.is_in().await);
        app.clock.advance(Duration::from_secs(1));
        assert!(!ana.is_in().await);
        app.tick().await;
        assert!(!ana.is_in().await);
        let ana = ana.another_session().await;
        let ended = listed(&ana, "?ended=true").await;
        assert!(
            ended.iter().any(|session| session["ended_reason"] == "expired" && session["ended_by"] == "server"),
            "{ended:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_expired_session_stays_over_when_the_clock_is_set_back() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        app.clock.advance(Duration::from_hours(25));
        assert!(!ana.is_in().await);
        app.tick().await;
        app.clock.set_time_of_day(cerrojo_testkit::BEGINNING);
        app.restart().await;
        assert!(!ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn an_idle_session_ends_at_its_deadline_and_use_keeps_one_alive() {
    on_both_engines_with(
        |options| options.settings.idle_timeout = Some(Duration::from_mins(30)),
        async |app| {
            let (ana, luis) = (app.user("ana").await, app.user("luis").await);
            for _ in 0..4 {
                app.clock.advance(Duration::from_mins(29));
                assert!(ana.is_in().await);
                app.tick().await;
            }
            assert!(!luis.is_in().await);
            app.clock.advance(Duration::from_mins(30));
            assert!(!ana.is_in().await);
            app.restart().await;
            assert!(!ana.is_in().await);
            let ana = ana.another_session().await;
            let ended = listed(&ana, "?ended=true").await;
            assert!(ended.iter().any(|session| session["ended_reason"] == "idle"), "{ended:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn a_sweep_ends_idle_sessions_that_nobody_asks_about() {
    on_both_engines_with(
        |options| options.settings.idle_timeout = Some(Duration::from_mins(30)),
        async |app| {
            let ana = app.user("ana").await;
            let phone = ana.another_session().await;
            app.clock.advance(Duration::from_mins(20));
            assert!(ana.is_in().await);
            app.clock.advance(Duration::from_mins(15));
            app.tick().await;
            let sessions = listed(&ana, "?ended=true").await;
            let ended = sessions.iter().find(|session| session["id"] == phone.session_id()).unwrap();
            assert_eq!(ended["ended_reason"], "idle");
            assert_eq!(ended["ended_by"], "server");
        },
    )
    .await;
}
