//! What other services rely on: the verify endpoint, the keys, the status lists, the health and the description.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cerrojo_app::{Algorithm, Secret};
use cerrojo_testkit::{
    Actor, PASSWORD, PUBLIC_URL, TestApp, claims, header_of, is_signed, on_both_engines, on_both_engines_with,
};
use serde_json::{Value, json};

#[tokio::test]
async fn verify_names_the_user_in_headers() {
    on_both_engines(async |app| {
        let visitor = app.visitor();
        let body = json!({ "name": "José 🦎 O'Brien, 100%", "email": "jose@example.com", "password": PASSWORD });
        let data = visitor.post("/api/auth/register", body).await.assert_ok(201, "Usuario registrado exitosamente");
        let token = data["token"].as_str().unwrap();
        let reply = visitor.get("/api/auth/verify").bearer(token).await;
        assert_eq!(reply.status, 200, "{reply}");
        assert_eq!(reply.header("x-auth-user-id"), Some("1"));
        assert_eq!(reply.header("x-auth-email"), Some("jose@example.com"));
        assert_eq!(reply.header("x-auth-role"), Some("user"));
        assert_eq!(reply.header("x-auth-session"), claims(token)["sid"].as_str());
        let name = reply.header("x-auth-name").unwrap();
        assert!(name.starts_with("Jos%C3%A9") && name.is_ascii(), "{name}");
        assert!(name.contains("100%25"), "a percent sign stands for itself only when encoded: {name}");
        visitor.get("/api/auth/verify").await.assert_token_missing();
        visitor.get("/api/auth/verify").bearer("x.y.z").await.assert_token_unknown();
    })
    .await;
}

async fn keys(app: &TestApp) -> Vec<Value> {
    let reply = app.visitor().get("/.well-known/jwks.json").await;
    assert_eq!(reply.status, 200, "{reply}");
    reply.json()["keys"].as_array().expect("keys").clone()
}

#[tokio::test]
async fn anybody_can_check_a_token_with_the_published_keys() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let keys = keys(&app).await;
        assert!(is_signed(ana.token(), &keys));
        for key in &keys {
            assert_eq!(key["kty"], "EC");
            assert_eq!(key["crv"], "P-256");
            for private in ["d", "k"] {
                assert!(key.get(private).is_none(), "{key}");
            }
        }
    })
    .await;
}

/// Reads the bit of a session as somebody else's verifier would (Token Status List).
async fn bit(app: &TestApp, actor: &Actor) -> u8 {
    let list = &claims(actor.token())["status"]["status_list"];
    let uri = list["uri"].as_str().unwrap().to_owned();
    let path = uri.strip_prefix(PUBLIC_URL).unwrap();
    let reply = app.visitor().get(path).header("accept", "application/statuslist+jwt").await;
    assert_eq!(reply.status, 200, "{reply}");
    assert_eq!(reply.header("content-type"), Some("application/statuslist+jwt"));
    let token = String::from_utf8(reply.body.clone()).unwrap();
    assert!(is_signed(&token, &keys(app).await));
    assert_eq!(header_of(&token)["typ"], "statuslist+jwt");
    let body = claims(&token);
    assert_eq!(body["sub"], uri);
    assert!(body["iat"].is_i64() && body["ttl"].is_i64(), "{body}");
    assert_eq!(body["status_list"]["bits"], 1);
    let compressed = URL_SAFE_NO_PAD.decode(body["status_list"]["lst"].as_str().unwrap()).unwrap();
    let mut bits = Vec::new();
    flate2::read::ZlibDecoder::new(&compressed[..]).read_to_end(&mut bits).unwrap();
    let index = usize::try_from(list["idx"].as_u64().unwrap()).unwrap();
    (bits[index / 8] >> (index % 8)) & 1
}

#[tokio::test]
async fn the_status_list_tells_the_bit_at_its_address() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let phone = ana.another_session().await;
        assert_eq!((bit(&app, &ana).await, bit(&app, &phone).await), (0, 0));
        phone.logout().await;
        assert_eq!((bit(&app, &ana).await, bit(&app, &phone).await), (0, 1));
        app.restart().await;
        assert_eq!((bit(&app, &ana).await, bit(&app, &phone).await), (0, 1));
        app.visitor().get("/status-lists/none-of-this-name").await.assert_code(404, "NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn hs256_is_signed_with_the_given_secret_which_is_never_published() {
    let secret = b"a secret of thirty-two bytes, or more".to_vec();
    on_both_engines_with(
        |options| options.settings.algorithm = Algorithm::Hs256(Secret(secret.clone().into())),
        async |app| {
            let ana = app.user("ana").await;
            assert_eq!(header_of(ana.token())["alg"], "HS256");
            let (signed, signature) = ana.token().rsplit_once('.').unwrap();
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret);
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            ring::hmac::verify(&key, signed.as_bytes(), &signature).unwrap();
            assert!(ana.is_in().await);
            assert_eq!(bit(&app, &ana).await, 0);
            let published = app.visitor().get("/.well-known/jwks.json").await;
            assert!(!String::from_utf8_lossy(&published.body).contains("oct"), "{published}");
            ana.logout().await;
            assert_eq!(bit(&app, &ana).await, 1);
            app.restart().await;
            assert!(!ana.is_in().await);
        },
    )
    .await;
}

#[tokio::test]
async fn live_and_ready_answer_without_a_token() {
    on_both_engines(async |app| {
        for path in ["/health/live", "/health/ready"] {
            let reply = app.visitor().get(path).await;
            assert_eq!(reply.status, 200, "{reply}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_cannot_show_that_it_is_current_says_503_and_never_yes() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let phone = ana.another_session().await;
        phone.logout().await;
        app.stop_beating();
        app.inside().guard.hold_lease_until(std::time::Duration::ZERO);
        for path in ["/api/auth/verify", "/api/auth/profile", "/api/auth/sessions"] {
            let reply = ana.get(path).await;
            reply.assert_code(503, "UNAVAILABLE");
            assert!(reply.number("retry-after") >= 1, "{reply}");
            phone.get(path).await.assert_token_refused();
            app.visitor().get(path).bearer("x.y.z").await.assert_token_unknown();
            app.visitor().get(path).await.assert_token_missing();
        }
        assert_eq!(app.visitor().get("/health/ready").await.status, 503);
        assert_eq!(app.visitor().get("/health/live").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn the_description_names_every_endpoint() {
    on_both_engines(async |app| {
        let reply = app.visitor().get("/openapi.json").await;
        assert_eq!(reply.status, 200, "{reply}");
        let document = reply.json();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
        let endpoints = [
            ("post", "/api/auth/login"),
            ("post", "/api/auth/register"),
            ("post", "/api/auth/logout"),
            ("post", "/api/auth/logout-all"),
            ("post", "/api/auth/logout-others"),
            ("get", "/api/auth/profile"),
            ("put", "/api/auth/profile"),
            ("put", "/api/auth/password"),
            ("post", "/api/auth/forgot-password"),
            ("post", "/api/auth/reset-password"),
            ("get", "/api/auth/sessions"),
            ("delete", "/api/auth/sessions/{id}"),
            ("get", "/api/auth/verify"),
            ("get", "/api/admin/users"),
            ("get", "/api/admin/users/{id}"),
            ("put", "/api/admin/users/{id}"),
            ("delete", "/api/auth/users/{id}"),
            ("get", "/api/admin/users/{id}/sessions"),
            ("delete", "/api/admin/users/{id}/sessions"),
            ("get", "/.well-known/jwks.json"),
            ("get", "/.well-known/oauth-authorization-server"),
            ("get", "/status-lists"),
            ("get", "/status-lists/{name}"),
            ("post", "/api/auth/introspect"),
            ("get", "/api/guards/events"),
            ("get", "/api/guards/entries"),
            ("get", "/api/guards/lists/{name}"),
            ("post", "/api/guards/activity"),
            ("get", "/health/live"),
            ("get", "/health/ready"),
        ];
        for (method, path) in endpoints {
            assert!(document["paths"][path][method].is_object(), "{method} {path}");
        }
    })
    .await;
}
