//! Cookie mode: the token in a cookie that scripts cannot read, and whose pages may use it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::time::Duration;

use cerrojo_testkit::{
    Actor, Call, Engine, Options, PASSWORD, PROTECTED, Reply, TestApp, another_applications_tokens, on_both_engines,
    on_both_engines_with,
};
use cerrojo_web::Cors;
use serde_json::{Value, json};

const LOGIN: &str = "/api/auth/login";
const REGISTER: &str = "/api/auth/register";
const LOGOUT: &str = "/api/auth/logout";
const CLEARED: &str = "cerrojo=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0";

fn login_body() -> Value {
    json!({ "email": "ana@example.com", "password": PASSWORD, "cookie": true })
}

fn login(app: &TestApp) -> Call {
    app.visitor().post(LOGIN, login_body())
}

/// The token in the cookie that an answer sets.
fn token_of(reply: &Reply, name: &str) -> String {
    let set = reply.header("set-cookie").unwrap_or_else(|| panic!("no cookie in {reply}"));
    let value = set.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')).unwrap_or_else(|| panic!("{reply}"));
    value.split(';').next().unwrap().to_owned()
}

/// Ana's call with her token in the cookie, from nowhere in particular.
fn with_cookie(ana: &Actor, method: &str, path: &str) -> Call {
    ana.call(method, path).without("authorization").cookie(ana.token())
}

fn on_the_network(options: &mut Options) {
    let settings = cerrojo_app::Settings::for_url("https://id.example.com");
    options.settings.public_url = settings.public_url;
    options.settings.audience = settings.audience;
    options.http.cors = Cors::Origins(vec!["https://app.example.com".to_owned()]);
}

#[tokio::test]
async fn a_sign_in_sets_the_token_as_a_cookie_and_does_not_show_it() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let reply = login(&app).header("sec-fetch-site", "same-origin").await;
        let data = reply.assert_ok(200, "Inicio de sesión exitoso");
        assert!(data.get("token").is_none(), "{reply}");
        assert_eq!(data["expires_at"], "2026-02-14T10:00:00.000Z");
        assert_eq!(data["user"]["user_id"], ana.id);
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let token = token_of(&reply, "cerrojo");
        let expected = format!("cerrojo={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age=86400");
        assert_eq!(reply.header("set-cookie"), Some(expected.as_str()));
        let browser = ana.with_token(&token).in_browser();
        let profile = browser.get("/api/auth/profile").await.assert_ok(200, "Perfil obtenido exitosamente");
        assert_eq!(profile["user"]["user_id"], ana.id);

        let body = json!({ "name": "luis", "email": "luis@example.com", "password": PASSWORD, "cookie": true });
        let reply = app.visitor().post(REGISTER, body).header("sec-fetch-site", "same-origin").await;
        let data = reply.assert_ok(201, "Usuario registrado exitosamente");
        assert!(data.get("token").is_none(), "{reply}");
        assert!(ana.with_token(&token_of(&reply, "cerrojo")).in_browser().is_in().await);
    })
    .await;
}

#[tokio::test]
async fn the_session_whose_cookie_is_replaced_is_over() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let first = ana.with_token(&token_of(&login(&app).header("sec-fetch-site", "same-origin").await, "cerrojo"));
        let refused = json!({ "email": ana.email, "password": "wrong", "cookie": true });
        let call = app.visitor().post("/api/auth/login", refused).cookie(first.token());
        assert_eq!(call.header("sec-fetch-site", "same-origin").await.status, 401);
        assert!(first.is_in().await, "who was not let in replaces nothing");
        assert_eq!(login(&app).cookie(first.token()).header("sec-fetch-site", "cross-site").await.status, 403);
        assert!(first.is_in().await, "nor does a page of others");
        let reply = login(&app).cookie(first.token()).header("sec-fetch-site", "same-origin").await;
        let second = ana.with_token(&token_of(&reply, "cerrojo"));
        assert!(!first.is_in().await && second.is_in().await);

        let body = json!({ "name": "luis", "email": "luis@example.com", "password": PASSWORD, "cookie": true });
        let call = app.visitor().post(REGISTER, body).cookie(second.token());
        assert_eq!(call.header("sec-fetch-site", "same-origin").await.status, 201);
        assert!(!second.is_in().await && ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn without_being_asked_for_no_cookie_is_set() {
    on_both_engines(async |app| {
        app.user("ana").await;
        for cookie in [json!(false), Value::Null] {
            let mut body = login_body();
            body["cookie"] = cookie;
            let reply = app.visitor().post(LOGIN, body).await;
            assert!(reply.assert_ok(200, "Inicio de sesión exitoso")["token"].is_string());
            assert_eq!(reply.header("set-cookie"), None, "{reply}");
        }
        for cookie in [json!("true"), json!(1), json!({})] {
            let mut body = login_body();
            body["cookie"] = cookie;
            let reply = app.visitor().post(LOGIN, body).header("sec-fetch-site", "same-origin").await;
            reply.assert_error(400, "VALIDATION_ERROR", "Valor de cookie inválido: debe ser true o false");
            assert_eq!(reply.header("set-cookie"), None, "{reply}");
        }
    })
    .await;
}

#[tokio::test]
async fn over_https_the_cookie_is_this_hosts_alone() {
    on_both_engines_with(on_the_network, async |app| {
        let ana = app.user("ana").await;
        let reply = login(&app).header("origin", "https://id.example.com").await;
        let token = token_of(&reply, "__Host-cerrojo");
        let expected = format!("__Host-cerrojo={token}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=86400");
        assert_eq!(reply.header("set-cookie"), Some(expected.as_str()));
        let get = app.visitor().get("/api/auth/profile");
        get.clone()
            .header("cookie", format!("__Host-cerrojo={token}"))
            .await
            .assert_ok(200, "Perfil obtenido exitosamente");
        // What somebody else of the domain, or in the network, could have set.
        get.header("cookie", format!("cerrojo={token}")).await.assert_token_missing();
        ana.logout().await;
        let dead = app.visitor().get("/api/auth/profile").header("cookie", format!("__Host-cerrojo={}", ana.token()));
        let dead = dead.await;
        dead.assert_token_refused();
        let cleared = "__Host-cerrojo=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0";
        assert_eq!(dead.header("set-cookie"), Some(cleared));
    })
    .await;
}

#[tokio::test]
async fn the_cookie_is_good_at_every_endpoint_and_changes_nothing_for_pages_of_others() {
    on_both_engines(async |app| {
        let (admin, luis) = (app.admin().await, app.user("luis").await);
        for endpoint in PROTECTED {
            let session = admin.another_session().await;
            if endpoint.method == "GET" {
                let (call, status) = endpoint.harmless(&session.in_browser()).unwrap();
                assert_eq!(call.without("sec-fetch-site").await.status, status, "{endpoint:?}");
                continue;
            }
            let call = endpoint.in_earnest(&session.in_browser(), &luis).without("sec-fetch-site");
            for (header, value) in [
                ("x-nothing", "said"),
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-site"),
                ("sec-fetch-site", "none"),
                ("origin", "null"),
                ("origin", "https://evil.example"),
                ("origin", "http://127.0.0.1.evil.example:4000"),
            ] {
                let reply = call.clone().header(header, value).await;
                let message = "Petición rechazada: no viene de las páginas de este servidor ni de un origen permitido";
                reply.assert_error(403, "CROSS_SITE_REQUEST", message);
                assert_eq!(reply.header("set-cookie"), None, "{reply}");
            }
            assert!(session.is_in().await && luis.is_in().await, "{endpoint:?}");
            if let Some((call, status)) = endpoint.harmless(&session.in_browser()) {
                assert_eq!(call.clone().await.status, status, "{endpoint:?}");
                let own = call.without("sec-fetch-site").header("origin", "http://127.0.0.1:4000");
                assert_eq!(own.await.status, status, "{endpoint:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_listed_origin_may_use_the_cookie_and_read_the_answer() {
    on_both_engines_with(on_the_network, async |app| {
        let ana = app.user("ana").await;
        let put = |origin: &str| {
            let call = app.visitor().call("PUT", "/api/auth/profile").json(json!({ "name": "Ana Ruiz" }));
            call.header("cookie", format!("__Host-cerrojo={}", ana.token())).header("origin", origin)
        };
        let reply = put("https://app.example.com").header("sec-fetch-site", "same-site").await;
        reply.assert_ok(200, "Perfil actualizado exitosamente");
        assert_eq!(reply.header("access-control-allow-origin"), Some("https://app.example.com"), "{reply}");
        assert_eq!(reply.header("access-control-allow-credentials"), Some("true"), "{reply}");
        assert!(reply.headers.get_all("vary").iter().any(|value| value == "Origin"), "{reply}");
        let reply = put("https://other.example.com").header("sec-fetch-site", "same-site").await;
        reply.assert_code(403, "CROSS_SITE_REQUEST");
        assert_eq!(reply.header("access-control-allow-credentials"), None, "{reply}");
        let preflight = app.visitor().call("OPTIONS", LOGOUT).header("access-control-request-method", "POST");
        let reply = preflight.clone().header("origin", "https://app.example.com").await;
        assert_eq!(reply.header("access-control-allow-credentials"), Some("true"), "{reply}");
        let reply = preflight.header("origin", "https://other.example.com").await;
        assert_eq!(reply.header("access-control-allow-credentials"), None, "{reply}");
        // What everybody may read is read without credentials.
        let reply = app.visitor().get("/.well-known/jwks.json").header("origin", "https://app.example.com").await;
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"), "{reply}");
        assert_eq!(reply.header("access-control-allow-credentials"), None, "{reply}");
    })
    .await;
}

#[tokio::test]
async fn a_page_of_others_signs_nobody_in() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let before = ana.get("/api/auth/sessions").await.data()["sessions"].as_array().unwrap().len();
        let register = json!({ "name": "eva", "email": "eva@example.com", "password": PASSWORD, "cookie": true });
        for (header, value) in [
            ("x-nothing", "said"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
        ] {
            // More often than tries are allowed: none is counted.
            let reply = login(&app).header(header, value).await;
            reply.assert_code(403, "CROSS_SITE_REQUEST");
            assert_eq!(reply.header("set-cookie"), None, "{reply}");
            let reply = app.visitor().post(REGISTER, register.clone()).header(header, value).await;
            reply.assert_code(403, "CROSS_SITE_REQUEST");
        }
        let after = ana.get("/api/auth/sessions").await.data()["sessions"].as_array().unwrap().len();
        assert_eq!(before, after);
        app.visitor().try_login("eva@example.com", PASSWORD).await.assert_code(401, "INVALID_CREDENTIALS");
        login(&app).header("origin", "http://127.0.0.1:4000").await.assert_ok(200, "Inicio de sesión exitoso");
    })
    .await;
}

#[tokio::test]
async fn a_request_with_an_authorization_header_is_judged_by_that_alone() {
    on_both_engines(async |app| {
        let (ana, luis) = (app.user("ana").await, app.user("luis").await);
        let reply = ana.get("/api/auth/profile").cookie(luis.token()).await;
        assert_eq!(reply.data()["user"]["user_id"], ana.id);
        let with = |header: &str| with_cookie(&ana, "GET", "/api/auth/profile").header("authorization", header);
        let reply = with("Bearer a.b.c").await;
        reply.assert_token_refused();
        assert_eq!(reply.header("set-cookie"), None, "{reply}");
        for other in ["Basic YW5hOmFuYQ==", "", "Bearer"] {
            let reply = with(other).await;
            reply.assert_token_missing();
            assert_eq!(reply.header("set-cookie"), None, "{reply}");
        }
        // A page of others has no token to write into the header: the cookie beside it asks for nothing.
        let reply = ana.call("POST", LOGOUT).cookie(luis.token()).header("sec-fetch-site", "cross-site").await;
        reply.assert_ok(200, "Sesión cerrada exitosamente");
        assert_eq!(reply.header("set-cookie"), None, "{reply}");
        assert_eq!(reply.header("clear-site-data"), None, "{reply}");
        assert!(luis.is_in().await && luis.in_browser().is_in().await);
    })
    .await;
}

#[tokio::test]
async fn several_cookies_of_that_name_are_no_token() {
    on_both_engines(async |app| {
        let (ana, luis) = (app.user("ana").await, app.user("luis").await);
        let get = || app.visitor().get("/api/auth/profile");
        let (one, other) = (format!("cerrojo={}", ana.token()), format!("cerrojo={}", luis.token()));
        for reply in [
            get().header("cookie", format!("{one}; {one}")).await,
            get().header("cookie", format!("{one}; theme=dark; {other}")).await,
            get().header("cookie", &one).add_header("cookie", &other).await,
            get().header("cookie", "cerrojo=").await,
            get().header("cookie", "cerrojo").await,
            get().header("cookie", b"cerrojo=\xff").await,
        ] {
            reply.assert_token_missing();
            assert_eq!(reply.header("set-cookie"), None, "{reply}");
        }
        let reply = get().header("cookie", "theme=dark").add_header("cookie", format!("a=b; {one}; c")).await;
        assert_eq!(reply.data()["user"]["user_id"], ana.id);
    })
    .await;
}

#[tokio::test]
async fn a_logout_takes_the_cookie_away() {
    on_both_engines_with(
        |options| options.settings.own_deletion = cerrojo_app::OwnDeletion::Allowed,
        async |app| {
            let ana = app.user("ana").await;
            let browser = async || ana.another_session().await.in_browser();
            let (one, two, three) = (browser().await, browser().await, browser().await);
            let own = format!("/api/auth/sessions/{}", two.session_id());
            let delete = three.call("DELETE", "/api/auth/profile").json(json!({ "currentPassword": PASSWORD }));
            for (call, session) in [
                (one.call("POST", LOGOUT), &one),
                (two.delete(&own), &two),
                (browser().await.call("POST", "/api/auth/logout-all"), &ana),
            ] {
                let reply = call.await;
                assert_eq!(reply.status, 200, "{reply}");
                assert_eq!(reply.header("set-cookie"), Some(CLEARED), "{reply}");
                assert_eq!(reply.header("clear-site-data"), Some("\"cache\""), "{reply}");
                assert!(!session.is_in().await);
            }
            delete.await.assert_token_refused();
            let four = browser().await;
            let reply = four.call("DELETE", "/api/auth/profile").json(json!({ "currentPassword": PASSWORD })).await;
            reply.assert_ok(200, "Cuenta eliminada exitosamente");
            assert_eq!(reply.header("set-cookie"), Some(CLEARED), "{reply}");
        },
    )
    .await;
}

#[tokio::test]
async fn what_a_browser_kept_goes_only_where_the_page_is_of_the_servers_own_origin() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let reply = with_cookie(&ana, "POST", LOGOUT).header("origin", "http://localhost:5173").await;
        reply.assert_ok(200, "Sesión cerrada exitosamente");
        assert_eq!(reply.header("set-cookie"), Some(CLEARED), "{reply}");
        assert_eq!(reply.header("clear-site-data"), None, "{reply}");
    })
    .await;
}

#[tokio::test]
async fn ending_others_leaves_the_cookie() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let (browser, other) = (ana.another_session().await.in_browser(), ana.another_session().await);
        let own = format!("/api/auth/sessions/{}", other.session_id());
        for call in
            [browser.delete(&own), browser.call("POST", "/api/auth/logout-others"), browser.get("/api/auth/verify")]
        {
            let reply = call.await;
            assert_eq!((reply.status, reply.header("set-cookie")), (200, None), "{reply}");
        }
        assert!(browser.is_in().await && !ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn a_cookie_whose_session_is_over_is_refused_everywhere_and_taken_away() {
    on_both_engines(async |app| {
        let (admin, luis) = (app.admin().await, app.user("luis").await);
        let session = admin.another_session().await.in_browser();
        session.logout().await;
        for endpoint in PROTECTED {
            let reply = endpoint.in_earnest(&session, &luis).await;
            reply.assert_token_refused();
            assert_eq!(reply.header("set-cookie"), Some(CLEARED), "{reply}");
            assert_eq!(reply.header("clear-site-data"), None, "{reply}");
        }
        app.restart().await;
        assert!(!session.is_in().await);
        // The cookie is told to be forgotten by whoever may use it alone.
        let reply = with_cookie(&session, "POST", LOGOUT).header("sec-fetch-site", "cross-site").await;
        reply.assert_code(403, "CROSS_SITE_REQUEST");
        assert_eq!(reply.header("set-cookie"), None, "{reply}");
        let reply = app.visitor().get("/api/auth/profile").cookie("a.b.c").await;
        reply.assert_token_refused();
        assert_eq!(reply.header("set-cookie"), Some(CLEARED), "{reply}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_simultaneous_logouts_by_cookie_exactly_one_succeeds() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await.in_browser();
        let replies = app.together((0..8).map(|_| ana.call("POST", LOGOUT))).await;
        assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
        for reply in &replies {
            assert_eq!(reply.header("set-cookie"), Some(CLEARED), "{reply}");
            if reply.status != 200 {
                reply.assert_token_refused();
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_cookie_lasts_as_long_as_its_session() {
    on_both_engines_with(
        |options| {
            options.settings.token_ttl = Duration::from_mins(30);
            options.settings.idle_timeout = Some(Duration::from_mins(20));
        },
        async |app| {
            let ana = app.user("ana").await;
            let reply = login(&app).header("sec-fetch-site", "same-origin").await;
            assert!(reply.header("set-cookie").unwrap().ends_with("; Max-Age=1800"), "{reply}");
            let browser = ana.with_token(&token_of(&reply, "cerrojo")).in_browser();
            app.clock.advance(Duration::from_mins(19));
            assert!(browser.is_in().await);
            app.clock.advance(Duration::from_mins(11));
            assert!(!browser.is_in().await);
            // The other one was not used.
            assert!(!ana.in_browser().is_in().await);
        },
    )
    .await;
}

#[tokio::test]
async fn a_session_that_ended_at_another_node_is_no_use_in_a_cookie() {
    let app = TestApp::start(Engine::Postgres, Options::default()).await;
    let node = app.another_node().await;
    let ana = app.user("ana").await.in_browser();
    assert!(ana.through(&node).is_in().await);
    let logout = tokio::spawn(ana.call("POST", LOGOUT).into_future());
    while !logout.is_finished() {
        node.tick().await;
        tokio::task::yield_now().await;
    }
    logout.await.unwrap().assert_ok(200, "Sesión cerrada exitosamente");
    let reply = ana.through(&node).get("/api/auth/verify").await;
    reply.assert_token_refused();
    assert_eq!(reply.header("set-cookie"), Some(CLEARED), "{reply}");
}

#[tokio::test]
async fn another_applications_token_is_judged_in_the_cookie_as_in_the_header() {
    on_both_engines_with(
        |options| options.settings.old_tokens = Some(another_applications_tokens()),
        async |app| {
            let ana = app.user("ana").await;
            app.came_from_another_application(&ana).await;
            let old = app.old_session(&ana, "one").in_browser();
            assert!(old.is_in().await);
            old.call("POST", LOGOUT).await.assert_ok(200, "Sesión cerrada exitosamente");
            assert!(!old.is_in().await);
        },
    )
    .await;
}

#[tokio::test]
async fn an_address_that_waits_to_be_confirmed_gets_no_cookie() {
    on_both_engines_with(
        |options| options.settings.verification = cerrojo_app::Verification::Required,
        async |app| {
            let body = json!({ "name": "eva", "email": "eva@example.com", "password": PASSWORD, "cookie": true });
            let reply = app.visitor().post(REGISTER, body).header("sec-fetch-site", "same-origin").await;
            assert_eq!((reply.status, reply.header("set-cookie")), (202, None), "{reply}");
        },
    )
    .await;
}

#[tokio::test]
async fn no_answer_to_a_cookie_is_stored() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await.in_browser();
        for path in ["/api/auth/profile", "/api/auth/sessions", "/api/auth/verify"] {
            assert_eq!(ana.get(path).await.header("cache-control"), Some("no-store"));
            assert_eq!(ana.call("HEAD", path).without("sec-fetch-site").await.status, 200);
        }
    })
    .await;
}

#[tokio::test]
async fn the_longest_token_fits_into_a_cookie() {
    on_both_engines(async |app| {
        let label = "x".repeat(61);
        let email = format!("{}@{label}.{label}.{label}.es", "a".repeat(64));
        for (round, name) in ["\u{10ffff}".repeat(200), "\"".repeat(200)].into_iter().enumerate() {
            let email = format!("{round}{}", email.split_at(1).1);
            let body = json!({ "name": name, "email": email, "password": PASSWORD, "cookie": true });
            let reply = app.visitor().post(REGISTER, body).header("sec-fetch-site", "same-origin").await;
            reply.assert_ok(201, "Usuario registrado exitosamente");
            let token = token_of(&reply, "cerrojo");
            // Browsers drop a cookie of over 4096 bytes. An RS256 signature is 426 characters longer than one of ES256.
            let longest = "__Host-cerrojo".len() + token.len() + 426;
            assert!(longest <= 4096, "{longest}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_administrators_cookie_of_long_ago_changes_nothing() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        app.admin().await;
        let body = json!({ "email": "jefa@example.com", "password": PASSWORD, "cookie": true });
        let reply = app.visitor().post(LOGIN, body).header("sec-fetch-site", "same-origin").await;
        let jefa = ana.with_token(&token_of(&reply, "cerrojo"));
        let path = format!("/api/admin/users/{}", ana.id);
        let acts = || {
            let own =
                |method: &str, path: &str| with_cookie(&jefa, method, path).header("sec-fetch-site", "same-origin");
            [
                own("PUT", &path).json(json!({ "name": "Otra" })),
                own("POST", &format!("{path}/force-reset")),
                own("DELETE", &format!("{path}/sessions")),
                own("DELETE", &format!("/api/auth/users/{}", ana.id)),
                own("POST", "/api/admin/invitations").json(json!({ "email": "eva@example.com", "role_id": 1 })),
                own("GET", &format!("{path}/data")),
            ]
        };
        app.clock.advance(Duration::from_mins(10));
        for act in acts() {
            act.await.assert_code(403, "REAUTHENTICATION_REQUIRED");
        }
        assert!(ana.is_in().await);
        assert_eq!(with_cookie(&jefa, "GET", &path).await.status, 200, "what a page shows it reads");
        let shown = jefa.put(&path, json!({ "name": "Otra" })).await;
        assert_eq!(shown.status, 200, "who shows the token itself has what pages do not have: {shown}");
        let body = json!({ "email": "jefa@example.com", "password": PASSWORD, "cookie": true });
        let reply = app.visitor().post(LOGIN, body).header("sec-fetch-site", "same-origin").await;
        let jefa = ana.with_token(&token_of(&reply, "cerrojo"));
        let act = with_cookie(&jefa, "DELETE", &format!("{path}/sessions")).header("sec-fetch-site", "same-origin");
        assert_eq!(act.await.status, 200);
        assert!(!ana.is_in().await);
    })
    .await;
}
