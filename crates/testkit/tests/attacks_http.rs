//! Hostile tokens at every place that takes one. Each attack comes from a token that is accepted there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use cerrojo_app::{Algorithm, Secret};
use cerrojo_domain::KeyId;
use cerrojo_guard::hostile::{Hostile, every_signature_bit, hostile_tokens, other_spelling, servers_key};
use cerrojo_guard::{Header, SESSION_TYP, VerifyingKey, signing_input};
use cerrojo_testkit::{
    Actor, Engine, OTHER_PASSWORD, Options, PASSWORD, PROTECTED, TestApp, claims, header_of, on_both_engines,
};
use ring::hmac;
use serde_json::{Value, json};

const SECRET: &[u8] = b"a secret of thirty-two bytes, or more";

/// A token of a live session, signed by a key that the test holds too, and the attacks that were made from it.
struct Attack {
    good: Actor,
    hostile: Vec<Hostile>,
}

/// The server keeps its keys to itself, so a key of the test's own is made known to it, and what is attacked is the
/// session's token signed again with that.
fn attack(app: &TestApp, actor: &Actor, algorithm: cerrojo_guard::Algorithm) -> Attack {
    let pair = servers_key(algorithm).unwrap();
    let key = pair.verifying_key();
    let kid = KeyId::from_text(format!("la-llave-de-la-prueba-{}", algorithm.name()));
    app.inside().guard.add_key(kid.clone(), key.clone());
    let input = signing_input(&Header { alg: algorithm, typ: SESSION_TYP, kid }, &claims(actor.token()));
    let good = cerrojo_guard::attach_signature(&input, &pair.sign(&input).unwrap());
    let mut hostile = hostile_tokens(&good, key, &|input| pair.sign(input).unwrap());
    hostile.extend(every_signature_bit(&good).into_iter().step_by(16));
    Attack { good: actor.with_token(&good), hostile }
}

fn attack_es256(app: &TestApp, actor: &Actor) -> Attack {
    attack(app, actor, cerrojo_guard::Algorithm::Es256)
}

fn attack_hs256(actor: &Actor) -> Attack {
    let secret = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let sign = |input: &str| hmac::sign(&secret, input.as_bytes()).as_ref().to_vec();
    let mut hostile = hostile_tokens(actor.token(), &VerifyingKey::Hs256(SECRET.to_vec()), &sign);
    hostile.extend(every_signature_bit(actor.token()).into_iter().step_by(16));
    Attack { good: actor.clone(), hostile }
}

/// Whether a client can send it at all, as something else than the good token: white space around it is no part of it.
fn can_be_sent(good: &str, token: &str) -> bool {
    let is_text = axum::http::HeaderValue::from_bytes(format!("Bearer {token}").as_bytes()).is_ok();
    is_text && token.trim() != good && !token.trim().is_empty()
}

impl Attack {
    fn sendable(&self, at_least: usize) -> Vec<&Hostile> {
        let sendable: Vec<_> = self.hostile.iter().filter(|(_, token)| can_be_sent(self.good.token(), token)).collect();
        assert!(sendable.len() > at_least, "only {}", sendable.len());
        sendable
    }

    /// None of them is accepted at any endpoint, and all look the same.
    async fn is_in_vain_everywhere(&self, target: &Actor, at_least: usize) {
        for endpoint in PROTECTED {
            if let Some((call, status)) = endpoint.harmless(&self.good) {
                assert_eq!(call.await.status, status, "{endpoint:?}");
            }
        }
        for (name, token) in self.sendable(at_least) {
            for endpoint in PROTECTED {
                let reply = endpoint.in_earnest(&self.good, target).bearer(token).await;
                assert_eq!(reply.status, 401, "{name} at {endpoint:?}: {reply}");
                reply.assert_token_refused();
            }
        }
        assert!(self.good.is_in().await && target.is_in().await);
        self.good.logout().await;
        assert!(!self.good.is_in().await);
    }
}

#[tokio::test]
async fn every_attack_at_every_endpoint() {
    let app = TestApp::start(Engine::Sqlite, Options::default()).await;
    let (ana, diana) = (app.admin_named("ana").await, app.user("diana").await);
    attack_es256(&app, &ana).is_in_vain_everywhere(&diana, 500).await;
}

/// What the header, the key and the signature have to do with the algorithm; the rest is the same for all.
#[tokio::test]
async fn attacks_on_other_algorithms_at_every_endpoint() {
    let app = TestApp::start(Engine::Sqlite, Options::default()).await;
    let diana = app.user("diana").await;
    for algorithm in
        [cerrojo_guard::Algorithm::Ed25519, cerrojo_guard::Algorithm::EdDsa, cerrojo_guard::Algorithm::Rs256]
    {
        let ana = app.admin_named(&format!("ana-{}", algorithm.name().to_lowercase())).await;
        let mut attack = attack(&app, &ana, algorithm);
        attack.hostile.retain(|(name, _)| {
            ["alg", "key confusion", "the attacker's key", "signature"].iter().any(|start| name.starts_with(start))
        });
        attack.is_in_vain_everywhere(&diana, 200).await;
    }
}

#[tokio::test]
async fn every_attack_at_every_endpoint_with_a_shared_secret() {
    let mut options = Options::default();
    options.settings.algorithm = Algorithm::Hs256(Secret(SECRET.to_vec().into()));
    let app = TestApp::start(Engine::Sqlite, options).await;
    let (ana, diana) = (app.admin_named("ana").await, app.user("diana").await);
    attack_hs256(&ana).is_in_vain_everywhere(&diana, 500).await;
}

/// An ended session's token in its other spelling, and all attacks made from it.
#[tokio::test]
async fn an_ended_session_has_no_way_back() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let other = ana.with_token(&other_spelling(ana.token()).unwrap());
        let attack = attack_es256(&app, &ana);
        assert!(ana.is_in().await && attack.good.is_in().await);
        ana.logout().await;
        for actor in [&ana, &other, &attack.good] {
            actor.get("/api/auth/verify").await.assert_token_refused();
        }
        for (_, token) in attack.sendable(500) {
            ana.get("/api/auth/verify").bearer(token).await.assert_token_refused();
        }
    })
    .await;
}

/// A signed list is a JWS of ours too, but of another kind; so is a session token put where a list is expected.
#[tokio::test]
async fn other_kinds_of_token_are_no_session_tokens() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let uri = claims(ana.token())["status"]["status_list"]["uri"].as_str().unwrap().to_owned();
        let list = app.visitor().get(uri.strip_prefix(cerrojo_testkit::PUBLIC_URL).unwrap()).await;
        assert_eq!(list.status, 200, "{list}");
        let token = String::from_utf8(list.body.clone()).unwrap();
        assert_eq!(header_of(&token)["typ"], "statuslist+jwt");
        ana.get("/api/auth/verify").bearer(&token).await.assert_token_unknown();
        let code = app.reset_code(&ana.email).await;
        ana.get("/api/auth/verify").bearer(&code).await.assert_token_unknown();
    })
    .await;
}

#[tokio::test]
async fn a_token_counts_in_the_authorization_header_alone() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let token = ana.token().to_owned();
        let visitor = app.visitor();
        for path in [
            format!("/api/auth/verify?token={token}"),
            format!("/api/auth/verify?access_token={token}"),
            format!("/api/auth/profile?authorization=Bearer%20{token}"),
        ] {
            visitor.get(&path).await.assert_token_missing();
        }
        for (name, value) in [
            ("cookie", format!("token={token}; access_token={token}; session={token}")),
            ("x-access-token", token.clone()),
            ("x-auth-token", token.clone()),
            ("proxy-authorization", format!("Bearer {token}")),
            ("authorization", format!("Basic {token}")),
            ("authorization", format!("Token {token}")),
        ] {
            visitor.get("/api/auth/profile").header(name, value).await.assert_token_missing();
        }
        let bodies = [json!({ "token": token }), json!({ "access_token": token, "authorization": token })];
        for body in bodies {
            visitor.put("/api/auth/profile", body.clone()).await.assert_token_missing();
            visitor.post("/api/auth/logout", body).await.assert_token_missing();
        }
        let form = visitor.call("POST", "/api/auth/logout").header("content-type", "application/x-www-form-urlencoded");
        form.body(format!("access_token={token}")).await.assert_token_missing();
        assert!(ana.is_in().await);
    })
    .await;
}

/// What is typed into the reset form: every one is the same 401, and the good code works afterwards.
#[tokio::test]
async fn hostile_reset_codes() {
    on_both_engines_with_no_limits(async |app| {
        let ana = app.user("ana").await;
        let code = app.reset_code(&ana.email).await;
        let reset = async |code: &Value| {
            let body = json!({ "token": code, "newPassword": OTHER_PASSWORD });
            app.visitor().post("/api/auth/reset-password", body).await
        };
        let flipped = format!("{}{}", if code.starts_with('A') { 'B' } else { 'A' }, &code[1..]);
        let stored = ring::digest::digest(&ring::digest::SHA256, code.as_bytes());
        let stored = stored.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        let mut hostile = vec![
            flipped,
            stored,
            code[..code.len() - 1].to_owned(),
            format!("{code}A"),
            format!("{code}="),
            format!(" {code}"),
            format!("{code}\n"),
            format!("{code}\0"),
            code.to_uppercase(),
            code.to_lowercase(),
            "%".to_owned(),
            "' OR '1'='1".to_owned(),
            "../../etc/passwd".to_owned(),
            "\u{202e}".to_owned(),
            "ñ".repeat(100),
            "A".repeat(43),
            "A".repeat(60_000),
            ana.token().to_owned(),
        ];
        hostile.retain(|attempt| *attempt != code);
        for attempt in &hostile {
            let reply = reset(&json!(attempt)).await;
            assert!(matches!(reply.status, 400 | 401), "{attempt:?}: {reply}");
            reply.assert_code(
                reply.status,
                if reply.status == 401 { "INVALID_RESET_TOKEN" } else { "VALIDATION_ERROR" },
            );
        }
        for odd in [json!(1), json!(true), json!(["x"]), json!({ "$ne": "" }), json!([code]), json!({ "token": code })]
        {
            reset(&odd).await.assert_code(400, "VALIDATION_ERROR");
        }
        assert!(ana.is_in().await);
        ana.try_login(&ana.email, PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
        reset(&json!(code)).await.assert_ok(200, "Contraseña restablecida exitosamente");
    })
    .await;
}

async fn on_both_engines_with_no_limits(test: impl AsyncFn(TestApp)) {
    let set = |options: &mut Options| options.settings.public_limit = None;
    cerrojo_testkit::on_both_engines_with(set, test).await;
}
