//! POST /api/auth/logout: the endpoint that the project exists for.

use std::time::Duration;

use cerrojo_testkit::{Actor, Call, on_both_engines};
use serde_json::{Value, json};

const LOGOUT: &str = "/api/auth/logout";

/// Every endpoint that takes a bearer token, with a request that would do no harm.
fn protected(actor: &Actor) -> Vec<Call> {
    let id = actor.id;
    vec![
        actor.call("POST", LOGOUT),
        actor.get("/api/auth/profile"),
        actor.put("/api/auth/profile", json!({ "name": "otro" })),
        actor.put("/api/auth/password", json!({ "currentPassword": "x", "newPassword": "Nube-de-paso-4481" })),
        actor.get("/api/auth/sessions"),
        actor.get("/api/auth/sessions?ended=true"),
        actor.delete("/api/auth/sessions/any"),
        actor.call("POST", "/api/auth/logout-all"),
        actor.call("POST", "/api/auth/logout-others"),
        actor.get("/api/auth/verify"),
        actor.get("/api/admin/users"),
        actor.get(&format!("/api/admin/users/{id}")),
        actor.put(&format!("/api/admin/users/{id}"), json!({ "name": "otro" })),
        actor.delete(&format!("/api/auth/users/{id}")),
        actor.get(&format!("/api/admin/users/{id}/sessions")),
        actor.delete(&format!("/api/admin/users/{id}/sessions")),
    ]
}

async fn assert_dead_everywhere(actor: &Actor) {
    for call in protected(actor) {
        call.await.assert_token_refused();
    }
}

#[tokio::test]
async fn a_logout_ends_the_session_at_every_endpoint_and_for_ever() {
    on_both_engines(async |app| {
        for actor in [app.user("ana").await, app.admin().await] {
            let reply = actor.call("POST", LOGOUT).await;
            assert_eq!(reply.assert_ok(200, "Sesión cerrada exitosamente"), Value::Null);
            assert_dead_everywhere(&actor).await;
            app.restart().await;
            assert_dead_everywhere(&actor).await;
            app.clock.advance(Duration::from_hours(1));
            app.tick().await;
            assert_dead_everywhere(&actor).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_logout_needs_no_body_and_looks_at_none() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let call = async || ana.another_session().await.call("POST", LOGOUT);
        let calls = [
            call().await,
            call().await.header("content-type", "application/json"),
            call().await.header("content-type", "application/json").body("{}"),
            call().await.header("content-type", "application/json").body("{not json"),
            call().await.header("content-type", "text/plain").body("whatever"),
            call().await.header("content-type", "application/x-www-form-urlencoded").body("a=b"),
            call().await.header("content-type", "nonsense").body(vec![0xff; 60 * 1024]),
            call().await.body(vec![b'x'; 64 * 1024]),
        ];
        for call in calls {
            call.await.assert_ok(200, "Sesión cerrada exitosamente");
        }
        assert!(ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn a_body_beyond_64_kib_does_not_stop_a_logout() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        ana.call("POST", LOGOUT).body(vec![b'x'; 200 * 1024]).await.assert_ok(200, "Sesión cerrada exitosamente");
        assert!(!ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn whatever_is_wrong_with_a_token_looks_the_same() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let token = ana.token().to_owned();
        let visitor = app.visitor();
        visitor.call("POST", LOGOUT).await.assert_token_missing();
        for not_bearer in ["Basic YW5hOmFuYQ==", "bearer", "Bearer", "Bearer ", "Token abc", ""] {
            let reply = visitor.call("POST", LOGOUT).header("authorization", not_bearer).await;
            reply.assert_error(401, "UNAUTHORIZED", "Token no proporcionado o inválido");
            assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer"), "{reply}");
        }
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, payload) = signed.split_once('.').unwrap();
        // The first character of a signature has six bits that all count.
        let first = if signature.starts_with('A') { 'B' } else { 'A' };
        let flipped: String = std::iter::once(first).chain(signature.chars().skip(1)).collect();
        let broken = [
            "x".to_owned(),
            "a.b.c".to_owned(),
            format!("{signed}."),
            format!("{signed}.{flipped}"),
            format!("{header}.{payload}"),
            format!("{token}."),
            format!("{token}="),
            format!("{token} {token}"),
            format!(".{payload}.{signature}"),
            format!("eyJhbGciOiJub25lIn0.{payload}."),
            "a".repeat(9000),
        ];
        for token in broken {
            visitor.call("POST", LOGOUT).bearer(&token).await.assert_token_unknown();
        }
        visitor.get("/api/auth/profile").bearer(&token).await.assert_ok(200, "Perfil obtenido exitosamente");
    })
    .await;
}

#[tokio::test]
async fn the_scheme_is_read_without_regard_to_case() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let reply = app
                .visitor()
                .get("/api/auth/profile")
                .header("authorization", format!("{scheme} {}", ana.token()))
                .await;
            reply.assert_ok(200, "Perfil obtenido exitosamente");
        }
    })
    .await;
}

#[tokio::test]
async fn two_authorization_headers_are_refused() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let reply = ana.get("/api/auth/profile").add_header("authorization", format!("Bearer {}", ana.token())).await;
        assert!(reply.status == 401 || reply.status == 400, "{reply}");
    })
    .await;
}

#[tokio::test]
async fn a_second_logout_is_a_401() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        ana.logout().await;
        ana.call("POST", LOGOUT).await.assert_token_refused();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_simultaneous_logouts_exactly_one_succeeds() {
    on_both_engines(async |app| {
        for round in 0..5 {
            let ana = app.user(&format!("ana{round}")).await;
            let replies = app.together((0..8).map(|_| ana.call("POST", LOGOUT))).await;
            let successes = replies.iter().filter(|reply| reply.status == 200).count();
            assert_eq!(successes, 1);
            for reply in replies.iter().filter(|reply| reply.status != 200) {
                reply.assert_token_refused();
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_logout_ends_no_other_session() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let (phone, luis) = (ana.another_session().await, app.user("luis").await);
        ana.logout().await;
        assert!(phone.is_in().await);
        assert!(luis.is_in().await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_logouts_at_once_all_hold() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let mut sessions = Vec::new();
        for _ in 0..24 {
            sessions.push(ana.another_session().await);
        }
        let replies = app.together(sessions.iter().map(|session| session.call("POST", LOGOUT))).await;
        for reply in replies {
            reply.assert_ok(200, "Sesión cerrada exitosamente");
        }
        for session in &sessions {
            assert!(!session.is_in().await);
        }
        app.restart().await;
        for session in &sessions {
            assert!(!session.is_in().await);
        }
        assert!(ana.is_in().await);
    })
    .await;
}
