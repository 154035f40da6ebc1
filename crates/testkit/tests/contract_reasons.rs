//! `reason` in the 401 for the token of a session that is over. Each cause stands in the kill matrix; here is what else holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::time::Duration;

use cerrojo_testkit::{
    Engine, OTHER_PASSWORD, Options, PASSWORD, TestApp, another_applications_tokens, on_both_engines,
    on_both_engines_with,
};
use serde_json::json;

const VERIFY: &str = "/api/auth/verify";

#[tokio::test]
async fn a_session_whose_place_was_taken_is_told_so() {
    on_both_engines_with(
        |options| options.settings.max_per_user = Some(1),
        async |app| {
            let ana = app.user("ana").await;
            let newer = ana.another_session().await;
            ana.get(VERIFY).await.assert_over("replaced");
            assert!(newer.is_in().await);
        },
    )
    .await;
}

#[tokio::test]
async fn the_first_cause_stays_whatever_comes_after() {
    on_both_engines(async |app| {
        let (ana, jefa) = (app.user("ana").await, app.admin().await);
        ana.logout().await;
        ana.call("POST", "/api/auth/logout").await.assert_over("logout");
        app.clock.advance(Duration::from_hours(25));
        ana.get(VERIFY).await.assert_over("logout");
        let jefa = jefa.another_session().await;
        assert_eq!(jefa.delete(&format!("/api/auth/users/{}", ana.id)).await.status, 200);
        app.restart().await;
        ana.get(VERIFY).await.assert_over("logout");
    })
    .await;
}

#[tokio::test]
async fn an_expired_session_says_so_and_after_its_retention_only_that_it_ended() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        app.clock.advance(Duration::from_hours(24));
        ana.get(VERIFY).await.assert_over("expired");
        app.restart().await;
        ana.get(VERIFY).await.assert_over("expired");
        app.clock.advance(Duration::from_hours(31 * 24));
        ana.get(VERIFY).await.assert_over("ended");
        // The row goes, in some rounds.
        for _ in 0..3 {
            app.tick().await;
        }
        app.clock.advance(Duration::from_mins(1));
        ana.get(VERIFY).await.assert_over("ended");
    })
    .await;
}

#[tokio::test]
async fn nobody_without_a_genuine_token_learns_anything() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        ana.logout().await;
        let token = ana.token();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, payload) = signed.split_once('.').unwrap();
        let first = if signature.starts_with('A') { 'B' } else { 'A' };
        let flipped: String = std::iter::once(first).chain(signature.chars().skip(1)).collect();
        let visitor = app.visitor();
        for forged in
            [format!("{signed}.{flipped}"), format!("{signed}."), format!("{header}.{payload}"), "a.b.c".into()]
        {
            visitor.get(VERIFY).bearer(&forged).await.assert_token_unknown();
            visitor.get(VERIFY).cookie(&forged).await.assert_token_unknown();
        }
        visitor.get(VERIFY).await.assert_token_missing();
        let two = ana.get(VERIFY).add_header("authorization", format!("Bearer {token}")).await;
        two.assert_token_unknown();
        let secret = app.service("orders").await;
        let asked = visitor.call("POST", "/api/auth/introspect").basic("orders", &secret);
        let asked = asked.header("content-type", "application/x-www-form-urlencoded").body(format!("token={token}"));
        assert_eq!(asked.await.json(), json!({ "active": false }));
    })
    .await;
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_sign_in_have_no_reason() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let body = json!({ "currentPassword": OTHER_PASSWORD, "newPassword": "Ribera-honda-9135" });
        let reply = ana.put("/api/auth/password", body).await;
        reply.assert_error(401, "INVALID_CREDENTIALS", "La contraseña actual es incorrecta");
        let reply = ana.try_login(&ana.email, OTHER_PASSWORD).await;
        reply.assert_error(401, "INVALID_CREDENTIALS", "Credenciales inválidas");
    })
    .await;
}

#[tokio::test]
async fn another_applications_token_is_told_as_well() {
    on_both_engines_with(
        |options| options.settings.old_tokens = Some(another_applications_tokens()),
        async |app| {
            let ana = app.user("ana").await;
            app.came_from_another_application(&ana).await;
            let (old, other, unused) =
                (app.old_session(&ana, "one"), app.old_session(&ana, "two"), app.old_session(&ana, "three"));
            assert!(old.is_in().await && other.is_in().await);
            old.logout().await;
            for _ in 0..2 {
                old.get(VERIFY).await.assert_over("logout");
            }
            let body = json!({ "currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD });
            assert_eq!(ana.put("/api/auth/password", body).await.status, 200);
            other.get(VERIFY).await.assert_over("password_changed");
            app.restart().await;
            other.get(VERIFY).await.assert_over("password_changed");
            // No session was ever made of it.
            unused.get(VERIFY).await.assert_token_unknown();
        },
    )
    .await;
}

#[tokio::test]
async fn every_node_says_the_same() {
    let app = TestApp::start(Engine::Postgres, Options::default()).await;
    let node = app.another_node().await;
    let ana = app.user("ana").await;
    let (phone, jefa) = (ana.another_session().await, app.admin().await);
    for (call, over, reason) in [
        (phone.call("POST", "/api/auth/logout"), &phone, "logout"),
        (jefa.delete(&format!("/api/admin/users/{}/sessions", ana.id)), &ana, "admin"),
    ] {
        assert!(over.through(&node).is_in().await);
        let ending = tokio::spawn(call.into_future());
        while !ending.is_finished() {
            node.tick().await;
            tokio::task::yield_now().await;
        }
        assert_eq!(ending.await.unwrap().status, 200);
        for reply in [over.get(VERIFY).await, over.through(&node).get(VERIFY).await] {
            reply.assert_over(reason);
        }
    }
}

#[tokio::test]
async fn without_its_database_a_node_refuses_all_the_same() {
    let app = TestApp::start(Engine::Postgres, Options::default()).await;
    let ana = app.user("ana").await;
    let phone = ana.another_session().await;
    ana.logout().await;
    app.stop_beating();
    app.clock.advance(Duration::from_secs(3));
    ana.get(VERIFY).await.assert_over("ended");
    phone.get(VERIFY).await.assert_code(503, "UNAVAILABLE");
}

#[tokio::test]
async fn who_asks_again_and_again_is_answered_from_memory() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        ana.logout().await;
        ana.get(VERIFY).await.assert_over("logout");
        // From now on there is no database to be asked.
        app.inside().store.close().await;
        for _ in 0..3 {
            ana.get(VERIFY).await.assert_over("logout");
        }
        app.stop_beating();
        app.clock.advance(Duration::from_secs(11));
        ana.get(VERIFY).await.assert_over("ended");
    })
    .await;
}
