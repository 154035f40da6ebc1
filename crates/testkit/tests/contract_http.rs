//! What holds for every endpoint: routes and methods, bodies, hostile JSON, CORS, headers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::collections::BTreeSet;

use cerrojo_testkit::{PASSWORD, Reply, on_both_engines, on_both_engines_with};
use cerrojo_web::Cors;
use serde_json::json;

const LOGIN: &str = "/api/auth/login";
const REGISTER: &str = "/api/auth/register";

/// The members of a comma-separated header, in lower case.
fn members(reply: &Reply, header: &str) -> BTreeSet<String> {
    reply
        .headers
        .get_all(header)
        .iter()
        .flat_map(|value| value.to_str().unwrap().split(','))
        .map(|member| member.trim().to_lowercase())
        .collect()
}

fn set(members: &[&str]) -> BTreeSet<String> {
    members.iter().map(|member| (*member).to_owned()).collect()
}

#[tokio::test]
async fn no_such_route_is_a_404_of_the_contract() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        for path in [
            "/nothing",
            "/api/nothing",
            "/api/auth",
            "/api/auth/login/",
            "/api/auth/login/x",
            "//",
            "/%2e%2e/etc/passwd",
            "/api/auth/%00",
            "/.env",
        ] {
            for actor in [&app.visitor(), &ana] {
                actor.get(path).await.assert_code(404, "NOT_FOUND");
                actor.call("POST", path).body("x").await.assert_code(404, "NOT_FOUND");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_method_that_is_not_there_is_a_405_that_names_those_that_are() {
    on_both_engines(async |app| {
        let cases = [
            ("GET", LOGIN, &["post", "options"][..]),
            ("DELETE", LOGIN, &["post", "options"]),
            ("PUT", REGISTER, &["post", "options"]),
            ("GET", "/api/auth/logout", &["post", "options"]),
            ("POST", "/api/auth/profile", &["delete", "get", "head", "put", "options"]),
            ("PATCH", "/api/auth/password", &["put", "options"]),
            ("POST", "/api/admin/users", &["get", "head", "options"]),
            ("GET", "/api/auth/users/1", &["delete", "options"]),
            ("GET", "/api/auth/verify-email", &["post", "options"]),
            ("GET", "/api/auth/resend-verification", &["post", "options"]),
            ("GET", "/api/auth/accept-invitation", &["post", "options"]),
            ("POST", "/api/admin/audit", &["get", "head", "options"]),
            ("PUT", "/api/admin/invitations", &["get", "head", "post", "options"]),
            ("GET", "/api/admin/invitations/x", &["delete", "options"]),
            ("GET", "/api/admin/invitations/x/resend", &["post", "options"]),
            ("PURGE", "/api/auth/sessions", &["get", "head", "options"]),
        ];
        for (method, path, allowed) in cases {
            let reply = app.visitor().call(method, path).await;
            reply.assert_code(405, "METHOD_NOT_ALLOWED");
            let allow = members(&reply, "allow");
            let options = set(&["options"]);
            assert_eq!(allow.union(&options).cloned().collect::<BTreeSet<_>>(), set(allowed), "{reply}");
        }
    })
    .await;
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        for path in
            ["/api/auth/profile", "/api/auth/sessions", "/api/auth/verify", "/health/live", "/.well-known/jwks.json"]
        {
            let (get, head) = (ana.get(path).await, ana.call("HEAD", path).await);
            assert_eq!(head.status, 200, "{head}");
            assert_eq!(get.status, 200, "{get}");
            assert!(head.body.is_empty(), "{head}");
            assert_eq!(head.header("content-type"), get.header("content-type"));
        }
        let refused = app.visitor().call("HEAD", "/api/auth/profile").await;
        assert_eq!((refused.status, refused.body.len()), (401, 0));
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
        assert_eq!(app.visitor().call("HEAD", LOGIN).await.status, 405);
    })
    .await;
}

#[tokio::test]
async fn options_names_the_methods() {
    on_both_engines(async |app| {
        let reply = app.visitor().call("OPTIONS", "/api/auth/profile").await;
        assert!(reply.status == 200 || reply.status == 204, "{reply}");
        let allow = members(&reply, "allow");
        assert!(allow.is_superset(&set(&["get", "head", "put"])), "{reply}");
        assert!(reply.body.is_empty(), "{reply}");
        app.visitor().call("OPTIONS", "/nothing").await.assert_code(404, "NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn pages_of_this_machine_may_call_and_no_others() {
    on_both_engines(async |app| {
        for origin in ["http://localhost:5173", "http://127.0.0.1:3000", "https://localhost", "http://[::1]:8080"] {
            let reply = app.visitor().call("POST", LOGIN).header("origin", origin).json(json!({})).await;
            assert_eq!(reply.header("access-control-allow-origin"), Some(origin), "{reply}");
            assert!(members(&reply, "vary").contains("origin"), "{reply}");
            let exposed = members(&reply, "access-control-expose-headers");
            let wanted =
                set(&["retry-after", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "www-authenticate"]);
            assert!(exposed.is_superset(&wanted), "{reply}");
        }
        for origin in [
            "https://evil.example",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "null",
            "http://evil.example:5173",
            "http://localhost:5173@evil.example",
            "file://",
        ] {
            let reply = app.visitor().call("POST", LOGIN).header("origin", origin).json(json!({})).await;
            assert_eq!(reply.header("access-control-allow-origin"), None, "{reply}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_preflight_is_answered_for_every_method_and_header_that_clients_use() {
    on_both_engines(async |app| {
        for (method, path) in [
            ("POST", "/api/auth/logout"),
            ("PUT", "/api/auth/profile"),
            ("DELETE", "/api/auth/sessions/x"),
            ("GET", "/api/admin/users"),
        ] {
            let reply = app
                .visitor()
                .call("OPTIONS", path)
                .header("origin", "http://localhost:5173")
                .header("access-control-request-method", method)
                .header("access-control-request-headers", "authorization,content-type")
                .await;
            assert!(reply.status == 200 || reply.status == 204, "{reply}");
            assert_eq!(reply.header("access-control-allow-origin"), Some("http://localhost:5173"), "{reply}");
            let methods = members(&reply, "access-control-allow-methods");
            assert!(methods.contains(&method.to_lowercase()) || methods.contains("*"), "{reply}");
            // `*` does not cover Authorization (Fetch standard).
            assert!(
                members(&reply, "access-control-allow-headers").is_superset(&set(&["authorization", "content-type"])),
                "{reply}"
            );
        }
        let reply = app
            .visitor()
            .call("OPTIONS", LOGIN)
            .header("origin", "https://evil.example")
            .header("access-control-request-method", "POST")
            .await;
        assert_eq!(reply.header("access-control-allow-origin"), None, "{reply}");
    })
    .await;
}

#[tokio::test]
async fn a_server_on_the_network_allows_no_origin_until_told() {
    let on_the_network = |options: &mut cerrojo_testkit::Options| {
        let settings = cerrojo_app::Settings::for_url("https://id.example.com");
        options.settings.public_url = settings.public_url;
        options.settings.audience = settings.audience;
    };
    on_both_engines_with(on_the_network, async |app| {
        for origin in ["http://localhost:5173", "https://id.example.com.evil.example", "https://app.example.com"] {
            let reply = app.visitor().call("POST", LOGIN).header("origin", origin).json(json!({})).await;
            assert_eq!(reply.header("access-control-allow-origin"), None, "{reply}");
        }
    })
    .await;
    on_both_engines_with(
        |options| {
            on_the_network(options);
            options.http.cors = Cors::Origins(vec!["https://app.example.com".to_owned()]);
        },
        async |app| {
            let call = app.visitor().call("POST", LOGIN).json(json!({}));
            let reply = call.clone().header("origin", "https://app.example.com").await;
            assert_eq!(reply.header("access-control-allow-origin"), Some("https://app.example.com"), "{reply}");
            let reply = call.header("origin", "http://localhost:5173").await;
            assert_eq!(reply.header("access-control-allow-origin"), None, "{reply}");
        },
    )
    .await;
}

#[tokio::test]
async fn every_answer_has_security_headers_and_a_request_id() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let mut ids = BTreeSet::new();
        for call in [
            ana.get("/api/auth/profile"),
            ana.get("/api/auth/verify"),
            app.visitor().get("/api/auth/profile"),
            app.visitor().get("/nothing"),
            app.visitor().get(LOGIN),
            app.visitor().call("POST", LOGIN).body("{"),
            app.visitor().get("/health/live"),
        ] {
            let reply = call.await;
            assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{reply}");
            let policy = reply.header("content-security-policy").unwrap_or_else(|| panic!("{reply}"));
            assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{reply}");
            assert!(reply.header("referrer-policy").is_some(), "{reply}");
            assert!(reply.header("server").is_none() && reply.header("x-powered-by").is_none(), "{reply}");
            assert!(ids.insert(reply.header("x-request-id").unwrap_or_else(|| panic!("{reply}")).to_owned()));
        }
    })
    .await;
}

#[tokio::test]
async fn whatever_carries_a_token_or_personal_data_is_not_stored() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        for path in [
            "/api/auth/profile",
            "/api/auth/sessions",
            "/api/auth/verify",
            "/api/admin/users",
            "/api/admin/users/1",
            "/api/admin/users/1/sessions",
        ] {
            let reply = admin.get(path).await;
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{reply}");
        }
        let reply = admin.try_login(&admin.email, PASSWORD).await;
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{reply}");
    })
    .await;
}

#[tokio::test]
async fn a_body_is_64_kib_at_most() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let padded = |size: usize| {
            let start = format!(r#"{{"email":"ana@example.com","password":"{PASSWORD}","x":""#);
            format!("{start}{}\"}}", "x".repeat(size - start.len() - 2))
        };
        let login =
            |body: String| app.visitor().call("POST", LOGIN).header("content-type", "application/json").body(body);
        login(padded(64 * 1024)).await.assert_ok(200, "Inicio de sesión exitoso");
        login(padded(64 * 1024 + 1)).await.assert_code(413, "PAYLOAD_TOO_LARGE");
        login(padded(1024 * 1024)).await.assert_code(413, "PAYLOAD_TOO_LARGE");
        let put =
            ana.call("PUT", "/api/auth/profile").header("content-type", "application/json").body(padded(65 * 1024));
        put.await.assert_code(413, "PAYLOAD_TOO_LARGE");
    })
    .await;
}

#[tokio::test]
async fn a_body_is_json() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let body = json!({ "email": "ana@example.com", "password": PASSWORD }).to_string();
        let login =
            |media_type: &str| app.visitor().call("POST", LOGIN).header("content-type", media_type).body(body.clone());
        for media_type in [
            "application/json",
            "application/json; charset=utf-8",
            "application/json;charset=UTF-8",
            "Application/JSON",
        ] {
            login(media_type).await.assert_ok(200, "Inicio de sesión exitoso");
        }
        for media_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/xml",
            "nonsense",
            "application/jsonp",
        ] {
            login(media_type).await.assert_code(415, "UNSUPPORTED_MEDIA_TYPE");
        }
    })
    .await;
}

#[tokio::test]
async fn broken_and_hostile_json_is_a_clear_400() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
        let deep_value = format!(r#"{{"email":{deep},"password":"x"}}"#);
        let texts: Vec<Vec<u8>> = [
            "{",
            "",
            " ",
            "[]",
            "null",
            "5",
            "\"x\"",
            "{}x",
            "{} {}",
            "{'email':'a'}",
            "{\"email\":}",
            "{,}",
            "{\"email\":\"a\",}",
            "NaN",
            "{\"email\":NaN}",
            "\u{feff}{}",
            "{\"email\":\"a\"",
            "{\"email\":\"\t\"}",
            "/* */{}",
            r#"{"email":"ana@example.com","email":"luis@example.com","password":"Tormenta-verde-27"}"#,
            r#"{"email":"ana@example.com","password":"x","password":"Tormenta-verde-27"}"#,
            r#"{"email":"ana@example.com","\u0065mail":"luis@example.com","password":"Tormenta-verde-27"}"#,
            r#"{"email":"ana\u0000@example.com","password":"Tormenta-verde-27"}"#,
            r#"{"email":"ana@example.com","password":"Tormenta\u0000verde-27"}"#,
            r#"{"email":"\ud800@example.com","password":"Tormenta-verde-27"}"#,
            r#"{"email":"ana@example.com","password":"\udc00\ud800-largo"}"#,
            r#"{"email":"ana@example.com","password":"\x41"}"#,
            r#"{"email":1e999,"password":"x"}"#,
            deep.as_str(),
            deep_value.as_str(),
        ]
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .chain([
            b"\xff\xfe{}".to_vec(),
            b"{\"email\":\"\xc3\x28\"}".to_vec(),
            b"{\"email\":\"\xed\xa0\x80\"}".to_vec(),
            vec![0; 100],
        ])
        .collect();
        for text in texts {
            for call in [
                app.visitor().call("POST", LOGIN),
                app.visitor().call("POST", REGISTER),
                ana.call("PUT", "/api/auth/profile"),
            ] {
                let reply = call.header("content-type", "application/json").body(text.clone()).await;
                assert!(reply.status == 400, "{:?}: {reply}", String::from_utf8_lossy(&text[..text.len().min(200)]));
                reply.assert_code(400, "VALIDATION_ERROR");
            }
            app.clock.advance(std::time::Duration::from_mins(20));
        }
        assert_eq!(ana.get("/api/auth/profile").await.data()["user"]["name"], "ana");
    })
    .await;
}

#[tokio::test]
async fn unknown_keys_are_ignored_whatever_they_hold() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let body = r#"{"email":"ana@example.com","x":{"y":[1,2.5,null,true,"\ud83e\udd8e",-0,1e5]},"password":"Tormenta-verde-27","__proto__":{"a":1},"":0}"#;
        let reply = app.visitor().call("POST", LOGIN).header("content-type", "application/json").body(body).await;
        reply.assert_ok(200, "Inicio de sesión exitoso");
    })
    .await;
}

#[tokio::test]
async fn escapes_and_astral_characters_are_read_as_what_they_stand_for() {
    on_both_engines(async |app| {
        let body = r#"{"name":"\ud83e\udd8e O\u0027Brien \u00e1\/\"","email":"ana@example.com","password":"Tormenta-verde-27"}"#;
        let reply = app.visitor().call("POST", REGISTER).header("content-type", "application/json").body(body).await;
        assert_eq!(reply.assert_ok(201, "Usuario registrado exitosamente")["user"]["name"], "🦎 O'Brien á/\"");
    })
    .await;
}

#[tokio::test]
async fn odd_requests_are_no_reason_for_a_500() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let calls = [
            ana.get("/api/auth/sessions?ended=maybe"),
            ana.get("/api/auth/sessions?ended=true&ended=false"),
            ana.get("/api/auth/sessions?%00=%ff"),
            ana.get("/api/auth/profile").header("accept", "text/html"),
            ana.get("/api/auth/profile").header("user-agent", b"\xff\xfe\x80"),
            ana.get("/api/auth/profile").header("x-forwarded-for", "' OR 1=1, ::::"),
            ana.get("/api/auth/profile").header("forwarded", "for=\"[::\""),
            ana.get("/api/auth/profile").header("authorization", b"Bearer \xff\xfe"),
            ana.get("/api/auth/profile").header("x-request-id", b"\xf1 <script>"),
            ana.get("/api/auth/profile").header("origin", b"\xff"),
            ana.call("POST", "/api/auth/logout-others").header("content-type", "application/json"),
            ana.call("POST", "/api/auth/logout-others").header("content-type", "application/json").body("{broken"),
            ana.get(&format!("/status-lists/{}", "x".repeat(5000))),
            ana.get("/status-lists/%00"),
        ];
        for call in calls {
            let reply = call.await;
            assert!(reply.status < 500, "{reply}");
        }
        assert!(ana.is_in().await);
    })
    .await;
}
