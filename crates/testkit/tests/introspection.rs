//! Introspection (RFC 7662): what is active, and that nothing dead ever is.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::time::Duration;

use cerrojo_app::{Algorithm, Secret};
use cerrojo_guard::VerifyingKey;
use cerrojo_guard::hostile::hostile_tokens;
use cerrojo_testkit::{Actor, Call, Options, PUBLIC_URL, Reply, TestApp, on_both_engines, on_both_engines_with};
use ring::hmac;
use serde_json::json;

const SECRET: &[u8] = b"a secret of thirty-two bytes, or more";
const INTROSPECT: &str = "/api/auth/introspect";

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| {
        let plain = byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if plain { text + &char::from(byte).to_string() } else { format!("{text}%{byte:02X}") }
    })
}

fn ask(app: &TestApp, secret: &str, body: &str) -> Call {
    let call = app.visitor().call("POST", INTROSPECT).header("content-type", "application/x-www-form-urlencoded");
    call.body(body).basic("orders", secret)
}

async fn asked(app: &TestApp, secret: &str, token: &str) -> Reply {
    ask(app, secret, &format!("token={}", encoded(token))).await
}

#[track_caller]
fn assert_dead(reply: &Reply, why: &str) {
    assert_eq!((reply.status, reply.json()), (200, json!({ "active": false })), "{why}: {reply}");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[track_caller]
fn assert_error(reply: &Reply, status: u16, error: &str) {
    assert_eq!((reply.status, reply.json()), (status, json!({ "error": error })), "{reply}");
}

#[tokio::test]
async fn an_active_token_says_whose_it_is() {
    on_both_engines(async |app| {
        let secret = app.service("orders").await;
        let ana = app.user("ana").await;
        let claims = cerrojo_testkit::claims(ana.token());
        let reply = asked(&app, &secret, ana.token()).await;
        assert_eq!(
            reply.json(),
            json!({
                "active": true, "iss": PUBLIC_URL, "sub": ana.id.to_string(), "aud": PUBLIC_URL,
                "exp": claims["exp"], "iat": claims["iat"], "jti": claims["jti"], "username": ana.email,
                "token_type": "Bearer", "sid": ana.session_id(), "user_id": ana.id, "email": ana.email,
                "name": "ana", "role_id": 2, "role": "user", "status": claims["status"],
            })
        );
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let hinted = ask(&app, &secret, &format!("token_type_hint=refresh_token&token={}", ana.token())).await;
        assert_eq!(hinted.json()["active"], true);
    })
    .await;
}

#[tokio::test]
async fn every_dead_token_looks_the_same() {
    on_both_engines(async |app| {
        let secret = app.service("orders").await;
        let ended = app.user("ana").await;
        ended.logout().await;
        let live = app.user("eva").await;
        assert_eq!(asked(&app, &secret, live.token()).await.json()["active"], true);
        assert_dead(&asked(&app, &secret, ended.token()).await, "ended");
        let (head, signature) = live.token().rsplit_once('.').unwrap();
        let flipped = if signature.starts_with('A') { "B" } else { "A" };
        let list = app.visitor().get(&list_path(&live)).await.body;
        let others = [
            ("no token", "x".to_owned()),
            ("dots", "..".to_owned()),
            ("no signature", format!("{head}.")),
            ("another signature", format!("{head}.{flipped}{}", &signature[1..])),
            ("spaces", format!(" {}", live.token())),
            ("a status list", String::from_utf8(list).unwrap()),
            ("huge", "x".repeat(60_000)),
            ("not ASCII", "ñ\0".to_owned()),
        ];
        for (why, token) in others {
            assert_dead(&asked(&app, &secret, &token).await, why);
        }
        let deactivated = app.user("leo").await;
        let admin = app.admin().await;
        admin.put(&format!("/api/admin/users/{}", deactivated.id), json!({ "status": "suspended" })).await;
        assert_dead(&asked(&app, &secret, deactivated.token()).await, "suspended");
        let kid = cerrojo_testkit::header_of(live.token())["kid"].as_str().unwrap().to_owned();
        cerrojo_app::keys::retire(&app.inside(), &cerrojo_domain::KeyId::from_text(kid)).await.unwrap();
        assert_dead(&asked(&app, &secret, live.token()).await, "its key is retired");
        let late = live.another_session().await;
        app.clock.advance(Duration::from_hours(24));
        assert_dead(&asked(&app, &secret, late.token()).await, "expired");
        let over = live.another_session().await;
        cerrojo_app::administer::end_everything(&app.inside()).await.unwrap();
        assert_dead(&asked(&app, &secret, over.token()).await, "everything is over");
    })
    .await;
}

fn list_path(actor: &Actor) -> String {
    let claims = cerrojo_testkit::claims(actor.token());
    claims["status"]["status_list"]["uri"].as_str().unwrap().strip_prefix(PUBLIC_URL).unwrap().to_owned()
}

#[tokio::test]
async fn a_request_that_is_wrong_is_told_as_oauth_tells_it() {
    on_both_engines(async |app| {
        let secret = app.service("orders").await;
        let ana = app.user("ana").await;
        for body in ["", "token=", "token", "a=b", "token=a&token=a", "token=%zz", "token=%ff", "token=a&%=b"] {
            assert_error(&ask(&app, &secret, body).await, 400, "invalid_request");
        }
        let form = format!("token={}", ana.token());
        for media_type in ["application/json", "text/plain", "x"] {
            let reply = ask(&app, &secret, &form).header("content-type", media_type).await;
            assert_error(&reply, 415, "invalid_request");
        }
        assert_error(&ask(&app, &secret, &"token=a&".repeat(10_000)).await, 413, "invalid_request");
        for call in [
            ask(&app, "wrong", &form),
            ask(&app, &secret, &form).without("authorization"),
            ask(&app, &secret, &form).bearer(ana.token()),
            ask(&app, "wrong", ""),
        ] {
            let reply = call.await;
            assert_error(&reply, 401, "invalid_client");
            assert_eq!(reply.header("www-authenticate"), Some(r#"Basic realm="cerrojo""#));
        }
        assert_eq!(
            ask(&app, &secret, &form)
                .header("content-type", "APPLICATION/x-www-form-urlencoded; charset=utf-8")
                .await
                .status,
            200
        );
    })
    .await;
}

#[tokio::test]
async fn without_the_lease_only_what_would_be_active_is_503() {
    on_both_engines(async |app| {
        let secret = app.service("orders").await;
        let (ana, eva) = (app.user("ana").await, app.user("eva").await);
        ana.logout().await;
        app.stop_beating();
        app.inside().guard.hold_lease_until(Duration::ZERO);
        assert_dead(&asked(&app, &secret, ana.token()).await, "ended");
        assert_dead(&asked(&app, &secret, "x.y.z").await, "none");
        let reply = asked(&app, &secret, eva.token()).await;
        assert_error(&reply, 503, "temporarily_unavailable");
        assert!(reply.header("retry-after").is_some());
    })
    .await;
}

#[tokio::test]
async fn being_asked_about_counts_as_being_used() {
    let idle = |options: &mut Options| options.settings.idle_timeout = Some(Duration::from_mins(30));
    on_both_engines_with(idle, async |app| {
        let secret = app.service("orders").await;
        let (ana, eva) = (app.user("ana").await, app.user("eva").await);
        for _ in 0..3 {
            app.clock.advance(Duration::from_mins(20));
            assert_eq!(asked(&app, &secret, ana.token()).await.json()["active"], true);
        }
        assert!(ana.is_in().await);
        assert_dead(&asked(&app, &secret, eva.token()).await, "idle");
    })
    .await;
}

/// Whatever the generators of hostile tokens make is dead, also with the right signature.
#[tokio::test]
async fn hostile_tokens_are_dead() {
    let hs256 = |options: &mut Options| options.settings.algorithm = Algorithm::Hs256(Secret(SECRET.to_vec().into()));
    on_both_engines_with(hs256, async |app| {
        let secret = app.service("orders").await;
        let ana = app.user("ana").await;
        assert_eq!(asked(&app, &secret, ana.token()).await.json()["active"], true);
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
        let sign = |input: &str| hmac::sign(&key, input.as_bytes()).as_ref().to_vec();
        let hostile = hostile_tokens(ana.token(), &VerifyingKey::Hs256(SECRET.to_vec()), &sign);
        assert!(hostile.len() > 100);
        for (about, token) in hostile {
            // Each byte may take three in the form, and a body has 64 KiB.
            if !token.is_empty() && token != ana.token() && token.len() < 20_000 {
                assert_dead(&asked(&app, &secret, &token).await, &about);
            }
        }
    })
    .await;
}
