//! What was over, or said to be, does not come back by ways that are easily overlooked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::time::Duration;

use cerrojo_domain::{Actor as By, EndReason, Ending, SessionId};
use cerrojo_store::endings::{self, Which};
use cerrojo_store::testing;
use cerrojo_testkit::{Actor, Engine, OTHER_PASSWORD, Options, PASSWORD, TestApp, header_of, on_both_engines};
use serde_json::json;

async fn sqlite() -> TestApp {
    TestApp::start(Engine::Sqlite, Options::default()).await
}

/// Ends a session as another process on the same database does: this one has not followed it yet.
async fn ended_by_another_process(app: &TestApp, session: &Actor) {
    let inside = app.inside();
    let ending = Ending { reason: EndReason::Operator, actor: By::Operator, at: inside.clock.now(), place: None };
    let mut tx = inside.store.begin_ending().await.unwrap();
    let id = SessionId::from_text(session.session_id());
    assert_eq!(endings::end(&mut tx, Which::One(&id), &ending).await.unwrap().len(), 1);
    tx.commit().await.unwrap();
    assert!(session.is_in().await, "it has not been followed yet, or this shows nothing");
}

#[tokio::test]
async fn a_success_covers_what_another_process_ended_before() {
    on_both_engines(async |app| {
        let (admin, ana) = (app.admin().await, app.user("ana").await);
        ended_by_another_process(&app, &ana).await;
        let ended = admin.delete(&format!("/api/admin/users/{}/sessions", ana.id)).await;
        assert_eq!(ended.data()["ended"], 0);
        ana.get("/api/auth/verify").await.assert_token_refused();
    })
    .await;
}

/// A dump that was put into a database which had been begun anew.
#[tokio::test]
async fn lists_and_keys_of_another_database_are_over_and_everything_with_them() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let kid = |actor: &Actor| header_of(actor.token())["kid"].clone();
        let old = kid(&ana);
        app.crash().await;
        let of_another = "UPDATE lists SET origin = 'another'; UPDATE keys SET origin = 'another'";
        testing::execute(app.database_url(), of_another.to_owned()).await;
        app.run().await;
        ana.get("/api/auth/verify").await.assert_token_refused();
        let again = ana.another_session().await;
        assert!(again.is_in().await);
        assert_ne!(kid(&again), old);
        let listed = again.get("/api/auth/sessions").await.data()["sessions"].as_array().unwrap().len();
        assert_eq!(listed, 1, "nor is it shown");
        app.restart().await;
        assert!(again.is_in().await && !ana.is_in().await, "it is seen to once");
    })
    .await;
}

#[tokio::test]
async fn a_refusal_covers_what_another_process_ended_before() {
    on_both_engines(async |app| {
        let changes = [
            ("POST", "/api/auth/logout", json!({})),
            ("POST", "/api/auth/logout-all", json!({})),
            ("POST", "/api/auth/logout-others", json!({})),
            ("PUT", "/api/auth/profile", json!({"name": "Otra"})),
            ("PUT", "/api/auth/profile", json!({"email": "otra@example.com"})),
        ];
        for (name, (method, path, body)) in ["ana", "bea", "carla", "diana", "eva"].into_iter().zip(changes) {
            let ana = app.user(name).await;
            ended_by_another_process(&app, &ana).await;
            ana.call(method, path).json(body).await.assert_token_refused();
            ana.get("/api/auth/verify").await.assert_token_refused();
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_refused_as_expired_stays_so_when_the_clock_is_set_back_over_a_restart() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let before = app.inside().clock.now();
        app.clock.advance(Duration::from_hours(24));
        ana.get("/api/auth/verify").await.assert_token_refused();
        app.clock.set_time_of_day(before);
        app.restart().await;
        ana.get("/api/auth/verify").await.assert_token_refused();
        assert!(ana.another_session().await.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn a_database_file_is_not_mixed_with_a_newer_write_ahead_log() {
    let app = sqlite().await;
    let (ana, bruno) = (app.user("ana").await, app.user("bruno").await);
    let phone = ana.another_session().await;
    app.crash().await;
    let old = app.copy_files();
    app.run().await;
    phone.logout().await;
    app.restart().await;
    bruno.another_session().await.logout().await;
    let killed = app.copy_files();
    app.crash().await;
    app.put_back(&killed);
    app.put_back_file_alone(&old);
    app.run().await;
    for over in [&ana, &phone, &bruno] {
        over.get("/api/auth/verify").await.assert_token_refused();
    }
    assert!(ana.another_session().await.is_in().await);
}

#[tokio::test]
async fn a_write_ahead_log_that_is_the_files_own_is_kept() {
    let app = sqlite().await;
    let ana = app.user("ana").await;
    let phone = ana.another_session().await;
    app.restart().await;
    phone.logout().await;
    let laptop = ana.another_session().await;
    let killed = app.copy_files();
    app.crash().await;
    app.put_back(&killed);
    app.run().await;
    assert!(ana.is_in().await && laptop.is_in().await && !phone.is_in().await);
}

#[tokio::test]
async fn a_put_back_that_loses_nothing_but_a_password_is_noticed() {
    let app = sqlite().await;
    let ana = app.user("ana").await;
    app.crash().await;
    let old = app.copy_files();
    app.run().await;
    let change = json!({"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD});
    ana.put("/api/auth/password", change).await.assert_ok(200, "Contraseña actualizada exitosamente");
    app.crash().await;
    app.put_back(&old);
    app.run().await;
    ana.get("/api/auth/verify").await.assert_token_refused();
}

#[tokio::test]
async fn after_a_restore_no_key_of_the_lost_history_signs() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let kid = |of: &Actor| header_of(of.token())["kid"].as_str().unwrap().to_owned();
        let old = kid(&ana);
        cerrojo_app::administer::end_everything_restored(&app.inside()).await.unwrap();
        ana.get("/api/auth/verify").await.assert_token_refused();
        let again = ana.another_session().await;
        assert_ne!(kid(&again), old);
        let published = app.visitor().get("/.well-known/jwks.json").await.json();
        assert!(!published.to_string().contains(&old), "{published}");
        app.restart().await;
        assert!(again.is_in().await && !ana.is_in().await);
    })
    .await;
}
