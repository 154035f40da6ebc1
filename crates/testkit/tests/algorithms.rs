//! Every algorithm that session tokens can be signed with, and the change from one to another without anybody noticing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cerrojo_app::keys::{self, KeyRow};
use cerrojo_app::{Algorithm, Secret};
use cerrojo_domain::KeyId;
use cerrojo_guard::{Header, SESSION_TYP, SigningKey, attach_signature, signing_input};
use cerrojo_testkit::{
    Actor, Engine, Options, PUBLIC_URL, TestApp, claims, header_of, is_signed, on_both_engines, on_both_engines_with,
};
use ring::hmac;
use serde_json::{Value, json};

const SECRET: &str = "a secret of thirty-two bytes, or more";

fn secret() -> Secret {
    Secret(SECRET.as_bytes().to_vec().into())
}

/// Those with keys of the server's own.
fn own() -> [Algorithm; 4] {
    [Algorithm::Es256, Algorithm::Ed25519, Algorithm::EdDsa, Algorithm::Rs256]
}

fn name(algorithm: &Algorithm) -> &'static str {
    algorithm.of_sessions().name()
}

fn alg(actor: &Actor) -> String {
    header_of(actor.token())["alg"].as_str().unwrap().to_owned()
}

async fn published(app: &TestApp) -> Vec<Value> {
    let reply = app.visitor().get("/.well-known/jwks.json").await;
    assert_eq!(reply.status, 200, "{reply}");
    reply.json()["keys"].as_array().unwrap().clone()
}

/// The token of this session's list.
async fn list(app: &TestApp, of: &Actor) -> String {
    let uri = claims(of.token())["status"]["status_list"]["uri"].as_str().unwrap().to_owned();
    let reply = app.visitor().get(uri.strip_prefix(PUBLIC_URL).unwrap()).await;
    assert_eq!(reply.status, 200, "{reply}");
    String::from_utf8(reply.body.clone()).unwrap()
}

/// From the next start on; the secret stays given.
fn change(app: &TestApp, to: &Algorithm) {
    app.set(|options| {
        options.settings.algorithm = to.clone();
        options.settings.earlier_secret = (!matches!(to, Algorithm::Hs256(_))).then(secret);
    });
}

async fn rows(app: &TestApp) -> Vec<KeyRow> {
    keys::list(&app.inside()).await.unwrap()
}

/// Of one session key: its algorithm and state.
async fn state(app: &TestApp, actor: &Actor) -> (String, &'static str) {
    let kid = header_of(actor.token())["kid"].clone();
    let row = rows(app).await.into_iter().find(|row| row.id.as_str() == kid).unwrap();
    (row.algorithm, row.state)
}

#[tokio::test]
async fn whatever_signs_anybody_can_check_it_and_endings_hold() {
    for algorithm in own() {
        let expected = name(&algorithm);
        on_both_engines_with(
            |options| options.settings.algorithm = algorithm.clone(),
            async |app| {
                let ana = app.user("ana").await;
                let phone = ana.another_session().await;
                assert_eq!((alg(&ana), alg(&phone)), (expected.to_owned(), expected.to_owned()));
                let keys = published(&app).await;
                assert_eq!(keys.len(), 2);
                for key in &keys {
                    assert_eq!(key["alg"], expected);
                    for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                        assert!(key.get(private).is_none(), "{key}");
                    }
                }
                assert!(is_signed(ana.token(), &keys) && is_signed(&list(&app, &ana).await, &keys));
                phone.logout().await;
                app.restart().await;
                assert!(ana.is_in().await && !phone.is_in().await);
                assert!(is_signed(&list(&app, &ana).await, &keys), "the keys are the same after a restart");
            },
        )
        .await;
    }
}

#[tokio::test]
async fn an_rsa_key_has_3072_bits_and_the_usual_exponent() {
    let mut options = Options::default();
    options.settings.algorithm = Algorithm::Rs256;
    let app = TestApp::start(Engine::Sqlite, options).await;
    for key in published(&app).await {
        assert_eq!((&key["kty"], &key["e"]), (&"RSA".into(), &Value::from("AQAB")));
        assert_eq!(key["n"].as_str().unwrap().len(), 512);
    }
}

/// From and to each of them, one after another with all sessions of before still there; lists too are signed by what was set.
#[tokio::test]
async fn a_change_of_algorithm_signs_nobody_out() {
    on_both_engines(async |app| {
        let mut sessions = vec![app.user("ana").await];
        let first = sessions[0].clone();
        for other in own().into_iter().skip(1).chain([Algorithm::Hs256(secret())]) {
            for algorithm in [other, Algorithm::Es256] {
                change(&app, &algorithm);
                app.restart().await;
                let early = first.another_session().await;
                // Back to ES256: everybody knows its key already.
                let is_known = sessions.iter().any(|session| alg(session) == name(&algorithm));
                assert_eq!(
                    alg(&early) == name(&algorithm),
                    is_known,
                    "nobody may be met by a key that is not known yet"
                );
                app.clock.advance(keys::RIPENS);
                let later = first.another_session().await;
                assert_eq!(alg(&later), name(&algorithm));
                assert_eq!(state(&app, &later).await, (name(&algorithm).to_owned(), "signing"));
                sessions.extend([early, later]);
                let keys = published(&app).await;
                for session in &sessions {
                    assert!(session.is_in().await, "{} after {}", alg(session), name(&algorithm));
                    assert_eq!(is_signed(session.token(), &keys), alg(session) != "HS256");
                }
                let list = list(&app, &first).await;
                assert_eq!(header_of(&list)["alg"], algorithm.of_lists().name());
                assert!(is_signed(&list, &keys));
            }
        }
        assert_eq!(state(&app, &sessions[1]).await.1, "signing", "ES256 signs again");
        // What one algorithm signed is ended by the word of another, for good.
        let last = sessions.pop().unwrap();
        for session in &sessions {
            session.logout().await;
        }
        app.restart().await;
        for session in &sessions {
            session.get("/api/auth/verify").await.assert_token_refused();
        }
        assert!(last.is_in().await);
    })
    .await;
}

/// Also where nobody was at ES256 in between.
#[tokio::test]
async fn each_algorithm_follows_each_other() {
    let mut all: Vec<Algorithm> = own().into_iter().collect();
    all.push(Algorithm::Hs256(secret()));
    let app = TestApp::start(Engine::Sqlite, Options::default()).await;
    let ana = app.user("ana").await;
    let mut sessions = vec![ana.clone()];
    for from in 0..all.len() {
        for to in (0..all.len()).filter(|to| *to != from) {
            for algorithm in [&all[from], &all[to]] {
                change(&app, algorithm);
                app.restart().await;
                app.clock.advance(keys::RIPENS);
                let session = ana.another_session().await;
                assert_eq!(alg(&session), name(algorithm));
                sessions.push(session);
                for session in &sessions {
                    assert!(session.is_in().await, "{} after {}", alg(session), name(algorithm));
                }
            }
        }
    }
    // Nothing was made a second time: two keys an algorithm, one of them for lists, and the secret.
    assert_eq!(rows(&app).await.len(), 2 * own().len() + 1);
}

/// The secret is only a setting. Whoever takes it out at once refuses what it signed, and ends nothing by it.
#[tokio::test]
async fn a_secret_that_is_taken_out_is_not_believed_any_more() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        change(&app, &Algorithm::Hs256(secret()));
        app.restart().await;
        app.clock.advance(keys::RIPENS);
        let shared = ana.another_session().await;
        assert_eq!(alg(&shared), "HS256");
        change(&app, &Algorithm::EdDsa);
        app.set(|options| options.settings.earlier_secret = None);
        app.restart().await;
        shared.get("/api/auth/verify").await.assert_token_refused();
        assert_eq!(state(&app, &shared).await, ("HS256".to_owned(), "unset"));
        app.clock.advance(keys::RIPENS);
        let last = ana.another_session().await;
        assert!(ana.is_in().await && last.is_in().await);
        change(&app, &Algorithm::EdDsa);
        app.restart().await;
        assert!(shared.is_in().await);
        assert_eq!(state(&app, &shared).await, ("HS256".to_owned(), "verifying"));
        last.call("POST", "/api/auth/logout-others").await.assert_ok(200, "Otras sesiones cerradas exitosamente");
        assert!(!shared.is_in().await && !ana.is_in().await && last.is_in().await);
    })
    .await;
}

/// This session's token signed by the secret, and the name that the server gives it (`docs/GUARD-PROTOCOL.md`).
fn forged(actor: &Actor) -> (KeyId, Actor) {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), b"cerrojo key id");
    let kid = KeyId::from_text(format!("hs-{}", URL_SAFE_NO_PAD.encode(&tag.as_ref()[..16])));
    let header = Header { alg: cerrojo_guard::Algorithm::Hs256, typ: SESSION_TYP, kid: kid.clone() };
    let input = signing_input(&header, &claims(actor.token()));
    let signature = SigningKey::shared(SECRET.as_bytes()).sign(&input).unwrap();
    (kid, actor.with_token(&attach_signature(&input, &signature)))
}

/// What a guard that begins now is told of keys that no JWK set has.
async fn told_as_retired(app: &TestApp) -> Value {
    let reply = app.visitor().get("/api/guards/entries").await;
    assert_eq!(reply.status, 200, "{reply}");
    reply.json()["snapshot"]["retired_keys"].clone()
}

/// A secret that never signed here makes no tokens by standing in the settings.
#[tokio::test]
async fn a_secret_that_never_signed_is_not_believed() {
    on_both_engines(async |app| {
        change(&app, &Algorithm::Es256);
        app.restart().await;
        let ana = app.user("ana").await;
        let (kid, forged) = forged(&ana);
        forged.get("/api/auth/verify").await.assert_token_unknown();
        change(&app, &Algorithm::Hs256(secret()));
        app.restart().await;
        assert!(forged.is_in().await, "it was well made");
        change(&app, &Algorithm::Es256);
        app.restart().await;
        assert!(forged.is_in().await);
        assert_eq!(told_as_retired(&app).await, json!([]));
        keys::retire(&app.inside(), &kid).await.unwrap();
        forged.get("/api/auth/verify").await.assert_token_refused();
        assert_eq!(told_as_retired(&app).await, json!([kid]));
        app.restart().await;
        assert!(!forged.is_in().await && ana.is_in().await);
        assert_eq!(told_as_retired(&app).await, json!([kid]));
    })
    .await;
}

/// The database has forgotten that it was, and it still stands in the settings.
#[tokio::test]
async fn a_restore_makes_nobody_believe_a_retired_secret_again() {
    on_both_engines(async |app| {
        change(&app, &Algorithm::Hs256(secret()));
        app.restart().await;
        let ana = app.user("ana").await;
        change(&app, &Algorithm::Es256);
        app.restart().await;
        app.clock.advance(keys::RIPENS);
        assert!(ana.is_in().await);
        app.crash().await;
        app.look_restored().await;
        app.run().await;
        assert!(!ana.is_in().await);
        app.clock.advance(keys::RIPENS);
        let again = ana.another_session().await;
        let (_, forged) = forged(&again);
        assert!(again.is_in().await && !forged.is_in().await);
        app.restart().await;
        assert!(again.is_in().await && !forged.is_in().await);
    })
    .await;
}

/// Nothing but other settings can replace it: sign-ins go on.
#[tokio::test]
async fn the_secret_that_signs_goes_on_after_a_restore() {
    on_both_engines(async |app| {
        change(&app, &Algorithm::Hs256(secret()));
        app.restart().await;
        let ana = app.user("ana").await;
        app.crash().await;
        app.look_restored().await;
        app.run().await;
        assert!(!ana.is_in().await);
        let again = ana.another_session().await;
        assert_eq!(alg(&again), "HS256");
        assert!(again.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn a_rotation_makes_keys_of_the_algorithm_that_is_set() {
    for algorithm in own() {
        on_both_engines(async |app| {
            let old = app.user("ana").await;
            change(&app, &algorithm);
            app.restart().await;
            app.clock.advance(keys::RIPENS);
            let ana = old.another_session().await;
            let new = keys::rotate(&app.inside()).await.unwrap();
            assert_eq!(header_of(old.another_session().await.token())["kid"], header_of(ana.token())["kid"]);
            app.clock.advance(keys::RIPENS);
            let later = ana.another_session().await;
            assert_eq!(header_of(later.token())["kid"], new.as_str());
            assert_eq!(alg(&later), name(&algorithm));
            assert_eq!(state(&app, &ana).await, (name(&algorithm).to_owned(), "verifying"));
            assert_eq!(state(&app, &later).await, (name(&algorithm).to_owned(), "signing"));
            app.restart().await;
            assert!(old.is_in().await && ana.is_in().await && later.is_in().await);
            // Compromised: a new one of the same algorithm is there first.
            keys::retire(&app.inside(), &new).await.unwrap();
            assert!(old.is_in().await && !later.is_in().await);
            assert_eq!(alg(&old.another_session().await), name(&algorithm));
        })
        .await;
    }
}

/// Nodes of a cluster are given the new setting one after the other. Meanwhile each signs in its own way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_change_one_after_the_other() {
    let one = TestApp::start(Engine::Postgres, Options::default()).await;
    change(&one, &Algorithm::Es256);
    one.restart().await;
    let other = one.another_node().await;
    let ana = one.user("ana").await;
    let mut sessions = vec![ana.clone()];
    for algorithm in own().into_iter().skip(1).chain([Algorithm::Hs256(secret()), Algorithm::Es256]) {
        for node in [&one, &other] {
            change(node, &algorithm);
            node.restart().await;
            for ripe in [false, true] {
                if ripe {
                    one.clock.advance(keys::RIPENS);
                    other.clock.advance(keys::RIPENS);
                }
                sessions.push(ana.through(&one).another_session().await);
                sessions.push(ana.through(&other).another_session().await);
            }
            assert_eq!(alg(&ana.through(node).another_session().await), name(&algorithm));
            for node in [&one, &other] {
                cerrojo_app::follow::look(&node.inside()).await.unwrap();
                for session in &sessions {
                    assert!(session.through(node).is_in().await, "{} is signed out", alg(session));
                }
            }
        }
    }
    // What one node signed is ended at the other, whatever each of them signs with.
    change(&other, &Algorithm::EdDsa);
    other.restart().await;
    let tasks = [one.inside().spawn_tasks(), other.inside().spawn_tasks()];
    for (session, at) in sessions.iter().zip([&one, &other].into_iter().cycle()) {
        session.through(at).logout().await;
        for node in [&one, &other] {
            session.through(node).get("/api/auth/verify").await.assert_token_refused();
        }
    }
    for (tasks, node) in tasks.into_iter().zip([&one, &other]) {
        tasks.stop(&node.inside()).await;
    }
}
