//! The causes that need a restart to be found out, and the matrix's own completeness.

use cerrojo_testkit::{
    Actor, Engine, OTHER_PASSWORD, Options, PASSWORD, PROTECTED, Protected, TestApp, on_both_engines,
};
use serde_json::{Value, json};

async fn assert_dead_everywhere(actor: &Actor, target: &Actor) {
    for endpoint in PROTECTED {
        endpoint.in_earnest(actor, target).await.assert_token_refused();
    }
}

async fn assert_link_is_dead(app: &TestApp, code: &str) {
    let body = json!({ "token": code, "newPassword": OTHER_PASSWORD });
    let reply = app.visitor().post("/api/auth/reset-password", body).await;
    reply.assert_error(401, "INVALID_RESET_TOKEN", "Token inválido o expirado. Solicita uno nuevo.");
}

/// Nothing is in flight when a database is found to have gone back: the process that held it is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_went_back() {
    let app = TestApp::start(Engine::Sqlite, Options::default()).await;
    let (ana, diana) = (app.admin_named("ana").await, app.user("diana").await);
    let code = app.reset_code(&ana.email).await;
    assert!(ana.is_in().await && diana.is_in().await);
    let files = app.copy_files();
    let late = ana.another_session().await;
    assert!(late.is_in().await);

    app.crash().await;
    app.put_back(&files);
    app.run().await;
    for actor in [&ana, &late, &diana] {
        assert_dead_everywhere(actor, &diana).await;
    }
    assert_link_is_dead(&app, &code).await;
    app.restart().await;
    assert_dead_everywhere(&ana, &diana).await;
    assert!(ana.another_session().await.is_in().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_restored_from_elsewhere() {
    on_both_engines(async |app| {
        let (ana, diana) = (app.admin_named("ana").await, app.user("diana").await);
        let code = app.reset_code(&ana.email).await;
        assert!(ana.is_in().await && diana.is_in().await);
        app.crash().await;
        app.look_restored().await;
        app.run().await;
        for actor in [&ana, &diana] {
            assert_dead_everywhere(actor, &diana).await;
        }
        assert_link_is_dead(&app, &code).await;
        app.restart().await;
        assert_dead_everywhere(&ana, &diana).await;
        assert!(ana.another_session().await.is_in().await);
    })
    .await;
}

/// A sign-in that had chosen its key when that was retired: whatever token it gets is dead.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sign_in_in_flight_under_a_retired_key() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let sign_in = crate::in_flight::sign_in(&app, &ana).await;
        let key = cerrojo_testkit::header_of(ana.token())["kid"].as_str().unwrap().to_owned();
        cerrojo_app::keys::retire(&app.inside(), &cerrojo_domain::KeyId::from_text(key)).await.unwrap();
        assert!(!ana.is_in().await);
        let reply = sign_in.go_on().await;
        let born = (reply.status == 200).then(|| ana.with_token(reply.data()["token"].as_str().unwrap()));
        for restarted in [false, true] {
            if restarted {
                app.restart().await;
            }
            if let Some(born) = &born {
                born.get("/api/auth/verify").await.assert_token_refused();
                app.tick().await;
                born.get("/api/auth/verify").await.assert_token_refused();
            }
        }
        let again = ana.another_session().await;
        let listed = again.get("/api/auth/sessions").await.data();
        assert_eq!(
            listed["sessions"].as_array().unwrap().len(),
            1,
            "no session stays listed as live that is not: {listed}"
        );
    })
    .await;
}

/// The requests of the matrix are good ones: with a live session each of them succeeds.
#[tokio::test]
async fn every_request_of_the_matrix_succeeds_with_a_live_session() {
    on_both_engines(async |app| {
        let jefa = app.admin().await;
        for (number, endpoint) in PROTECTED.into_iter().enumerate() {
            let admin = app.admin_named(&format!("ana{number}")).await;
            let target = app.user(&format!("diana{number}")).await;
            let reply = endpoint.in_earnest(&admin, &target).await;
            assert_eq!(reply.status, endpoint.status_in_earnest(), "{reply}");
        }
        assert!(jefa.is_in().await);
        jefa.try_login(&jefa.email, PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
    })
    .await;
}

/// The matrix covers every endpoint that the description says takes a token.
#[tokio::test]
async fn no_protected_endpoint_is_left_out() {
    let app = TestApp::start(Engine::Sqlite, Options::default()).await;
    let description = app.visitor().get("/openapi.json").await.json();
    let mut described = Vec::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let takes_tokens = |way: &Value| way.get("bearer").is_some();
            if operation["security"].as_array().is_some_and(|security| security.iter().any(takes_tokens)) {
                described.push((method.to_uppercase(), path.clone()));
            }
        }
    }
    let mut covered: Vec<_> =
        PROTECTED.iter().map(|Protected { method, path, .. }| ((*method).to_owned(), (*path).to_owned())).collect();
    described.sort();
    covered.sort();
    assert_eq!(covered, described);
    assert_eq!(description["security"], Value::Null);
}
