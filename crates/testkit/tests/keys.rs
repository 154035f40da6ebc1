//! Signing keys while sessions live: rotated, retired, exchanged for a shared secret; and the lists that are signed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::collections::BTreeSet;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cerrojo_app::keys::{self, KeyError};
use cerrojo_app::{Algorithm, Secret, StartError};
use cerrojo_domain::KeyId;
use cerrojo_testkit::{Actor, Engine, Options, PUBLIC_URL, TestApp, claims, header_of, is_signed, on_both_engines};
use serde_json::Value;

fn kid(actor: &Actor) -> String {
    header_of(actor.token())["kid"].as_str().unwrap().to_owned()
}

async fn published(app: &TestApp) -> Vec<Value> {
    let reply = app.visitor().get("/.well-known/jwks.json").await;
    assert_eq!(reply.status, 200, "{reply}");
    reply.json()["keys"].as_array().unwrap().clone()
}

async fn published_ids(app: &TestApp) -> BTreeSet<String> {
    published(app).await.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// The bits of a session's list, from the address in its token, as somebody else's verifier reads them.
async fn bits(app: &TestApp, of: &Actor) -> Vec<u8> {
    let uri = claims(of.token())["status"]["status_list"]["uri"].as_str().unwrap().to_owned();
    let reply = app.visitor().get(uri.strip_prefix(PUBLIC_URL).unwrap()).await;
    assert_eq!(reply.status, 200, "{reply}");
    let token = String::from_utf8(reply.body.clone()).unwrap();
    assert_eq!(header_of(&token)["typ"], "statuslist+jwt");
    assert!(is_signed(&token, &published(app).await));
    let claims = claims(&token);
    assert_eq!(claims["sub"], uri);
    let compressed = URL_SAFE_NO_PAD.decode(claims["status_list"]["lst"].as_str().unwrap()).unwrap();
    let mut bits = Vec::new();
    flate2::read::ZlibDecoder::new(&compressed[..]).read_to_end(&mut bits).unwrap();
    bits
}

fn index(actor: &Actor) -> usize {
    usize::try_from(claims(actor.token())["status"]["status_list"]["idx"].as_u64().unwrap()).unwrap()
}

async fn retire(app: &TestApp, kid: &str) -> usize {
    keys::retire(&app.inside(), &KeyId::from_text(kid)).await.unwrap()
}

#[tokio::test]
async fn a_new_key_signs_and_the_old_one_goes_on_verifying() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let before = published_ids(&app).await;
        assert!(before.contains(&kid(&ana)) && before.len() == 2);
        let new = keys::rotate(&app.inside()).await.unwrap();
        let early = ana.another_session().await;
        assert_eq!(kid(&early), kid(&ana), "nobody may be met by a key that others do not know yet");
        app.clock.advance(keys::RIPENS);
        let later = ana.another_session().await;
        assert_eq!(kid(&later), new.as_str());
        for restarted in [false, true] {
            if restarted {
                app.restart().await;
            }
            assert!(ana.is_in().await && later.is_in().await);
            let keys = published(&app).await;
            assert!(is_signed(ana.token(), &keys) && is_signed(later.token(), &keys));
            assert!(before.is_subset(&published_ids(&app).await));
        }
        ana.logout().await;
        assert!(!ana.is_in().await && later.is_in().await);
    })
    .await;
}

/// A node that has just started knows no more than others do.
#[tokio::test]
async fn a_node_that_starts_while_a_key_is_new_signs_with_the_one_before() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        app.clock.advance(keys::RIPENS);
        let new = keys::rotate(&app.inside()).await.unwrap();
        app.restart().await;
        let early = ana.another_session().await;
        assert_eq!(kid(&early), kid(&ana));
        app.clock.advance(keys::RIPENS);
        assert_eq!(kid(&ana.another_session().await), new.as_str());
        app.restart().await;
        assert_eq!(kid(&ana.another_session().await), new.as_str());
    })
    .await;
}

#[tokio::test]
async fn a_retired_key_ends_what_it_signed_at_once_and_for_ever() {
    on_both_engines(async |app| {
        let (ana, diana) = (app.user("ana").await, app.user("diana").await);
        let old = kid(&ana);
        keys::rotate(&app.inside()).await.unwrap();
        app.clock.advance(keys::RIPENS);
        let later = ana.another_session().await;
        assert_eq!(retire(&app, &old).await, 2);
        for restarted in [false, true] {
            if restarted {
                app.restart().await;
            }
            for dead in [&ana, &diana] {
                dead.get("/api/auth/profile").await.assert_token_refused();
            }
            assert!(later.is_in().await);
            assert!(!published_ids(&app).await.contains(&old));
        }
        let listed = later.get("/api/auth/sessions?ended=true").await.data()["sessions"].clone();
        let shown = listed.as_array().unwrap().iter().find(|one| one["id"] == ana.session_id()).unwrap();
        assert_eq!((&shown["ended_reason"], &shown["ended_by"]), (&"key_retired".into(), &Value::from("operator")));
        assert_eq!(retire(&app, &old).await, 0);
        assert!(later.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn when_the_signing_key_is_retired_another_signs() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let old = kid(&ana);
        assert_eq!(retire(&app, &old).await, 1);
        let again = ana.another_session().await;
        assert_ne!(kid(&again), old);
        app.restart().await;
        assert!(again.is_in().await && !ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn the_list_at_the_address_in_the_token_tells_one_bit_a_session() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let mut sessions = Vec::new();
        for _ in 0..20 {
            sessions.push(ana.another_session().await);
        }
        let untouched = bits(&app, &ana).await;
        assert_eq!(untouched.iter().map(|byte| byte.count_ones()).sum::<u32>(), 0);
        let mut expected = untouched;
        for session in &sessions {
            session.logout().await;
            expected[index(session) / 8] |= 1 << (index(session) % 8);
            assert!(bits(&app, &ana).await == expected, "a bit flipped that was not meant, or one did not");
        }
        app.restart().await;
        assert!(bits(&app, &ana).await == expected, "the bits are others after a restart");
        keys::rotate(&app.inside()).await.unwrap();
        assert!(bits(&app, &ana).await == expected, "a list signed with the new key tells something else");
    })
    .await;
}

fn shared(text: &str) -> Algorithm {
    Algorithm::Hs256(Secret(text.as_bytes().to_vec().into()))
}

const SECRET: &str = "a secret of thirty-two bytes, or more";

#[tokio::test]
async fn a_shared_secret_is_never_published_and_lists_are_signed_all_the_same() {
    on_both_engines(async |app| {
        app.set(|options| options.settings.algorithm = shared(SECRET));
        app.restart().await;
        app.clock.advance(keys::RIPENS);
        let ana = app.user("ana").await;
        assert_eq!(header_of(ana.token())["alg"], "HS256");
        let keys = published(&app).await;
        assert!(
            keys.iter().all(|key| key["kty"] == "EC" && key["alg"] == "ES256" && key.get("k").is_none()),
            "{keys:?}"
        );
        assert!(!keys.iter().any(|key| key["kid"] == kid(&ana)));
        let phone = ana.another_session().await;
        phone.logout().await;
        assert_eq!(bits(&app, &ana).await[index(&phone) / 8], 1 << (index(&phone) % 8));
    })
    .await;
}

/// A database that never had another mode publishes the list's key alone.
#[tokio::test]
async fn with_a_shared_secret_from_the_start_the_only_public_key_is_the_lists() {
    let mut options = Options::default();
    options.settings.algorithm = shared(SECRET);
    let app = TestApp::start(Engine::Sqlite, options).await;
    let ana = app.user("ana").await;
    assert_eq!(published(&app).await.len(), 1);
    assert!(bits(&app, &ana).await.iter().all(|byte| *byte == 0));
}

#[tokio::test]
async fn a_retired_secret_is_not_taken_again() {
    on_both_engines(async |app| {
        app.set(|options| options.settings.algorithm = shared(SECRET));
        app.restart().await;
        app.clock.advance(keys::RIPENS);
        let ana = app.user("ana").await;
        assert_eq!(retire(&app, &kid(&ana)).await, 1);
        ana.get("/api/auth/verify").await.assert_token_refused();
        ana.try_login(&ana.email, cerrojo_testkit::PASSWORD).await.assert_code(503, "UNAVAILABLE");
        app.crash().await;
        assert!(matches!(app.try_run().await, Err(StartError::Keys(KeyError::RetiredSecret))));
        app.set(|options| options.settings.algorithm = shared("another secret of thirty-two bytes"));
        app.run().await;
        assert!(!ana.is_in().await && ana.another_session().await.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn another_master_key_is_refused_and_changes_nothing() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        app.crash().await;
        let right = app.set_master_key(&"5a".repeat(32));
        assert!(matches!(app.try_run().await, Err(StartError::Keys(KeyError::WrongMasterKey))));
        let _ = app.set_master_key(&right);
        app.run().await;
        assert!(ana.is_in().await);
    })
    .await;
}
