//! The limits of the contract.

use std::time::Duration;

use cerrojo_testkit::{Actor, OTHER_PASSWORD, PASSWORD, Reply, on_both_engines, on_both_engines_with};
use serde_json::json;

const EXHAUSTED: &str = "Demasiados intentos de inicio de sesión. Por favor, intente de nuevo en 15 minutos.";
const TOO_MANY: &str = "Demasiadas peticiones desde esta IP, por favor intente más tarde.";
const WRONG: &str = "no-es-la-suya-99";

fn quota(reply: &Reply) -> (u64, u64, u64) {
    (reply.number("ratelimit-limit"), reply.number("ratelimit-remaining"), reply.number("ratelimit-reset"))
}

async fn exhaust(actor: &Actor, email: &str) {
    for _ in 0..5 {
        actor.try_login(email, WRONG).await.assert_code(401, "INVALID_CREDENTIALS");
    }
}

#[tokio::test]
async fn five_wrong_passwords_from_one_address_are_all() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let visitor = app.visitor();
        for tried in 1..=5 {
            let reply = visitor.try_login("ana@example.com", WRONG).await;
            reply.assert_error(401, "INVALID_CREDENTIALS", "Credenciales inválidas");
            assert_eq!(quota(&reply), (5, 5 - tried, 900), "{reply}");
        }
        app.clock.advance(Duration::from_mins(1));
        for password in [WRONG, PASSWORD] {
            let reply = visitor.try_login("ANA@example.com", password).await;
            reply.assert_error(429, "RATE_LIMITED", EXHAUSTED);
            assert_eq!(reply.number("retry-after"), 14 * 60);
            assert_eq!(quota(&reply), (5, 0, 14 * 60));
        }
        app.visitor().try_login("ana@example.com", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
        app.clock.advance(Duration::from_mins(14));
        visitor.try_login("ana@example.com", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
    })
    .await;
}

#[tokio::test]
async fn an_account_that_does_not_exist_is_limited_alike() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let (one, two) = (app.visitor(), app.visitor());
        for _ in 0..7 {
            let known = one.try_login("ana@example.com", WRONG).await;
            let unknown = two.try_login("nadie@example.com", WRONG).await;
            assert_eq!(known.status, unknown.status);
            assert_eq!(known.body, unknown.body);
            assert_eq!(quota(&known), quota(&unknown));
            assert_eq!(known.header("retry-after"), unknown.header("retry-after"));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_six_wrong_tries_at_once_five_are_looked_at() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let visitor = app.visitor();
        let wrong = visitor.post("/api/auth/login", json!({ "email": "ana@example.com", "password": WRONG }));
        let mut statuses: Vec<u16> = app.together(vec![wrong; 6]).await.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [401, 401, 401, 401, 401, 429]);
        visitor.try_login("ana@example.com", PASSWORD).await.assert_code(429, "RATE_LIMITED");
    })
    .await;
}

#[tokio::test]
async fn a_success_gives_its_try_back() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let visitor = app.visitor();
        for _ in 0..4 {
            visitor.try_login("ana@example.com", WRONG).await.assert_code(401, "INVALID_CREDENTIALS");
        }
        for _ in 0..10 {
            let reply = visitor.try_login("ana@example.com", PASSWORD).await;
            reply.assert_ok(200, "Inicio de sesión exitoso");
            assert_eq!(quota(&reply).0, 5, "{reply}");
        }
        visitor.try_login("ana@example.com", WRONG).await.assert_code(401, "INVALID_CREDENTIALS");
        visitor.try_login("ana@example.com", PASSWORD).await.assert_code(429, "RATE_LIMITED");
    })
    .await;
}

#[tokio::test]
async fn a_malformed_try_is_not_counted_as_a_wrong_password() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let visitor = app.visitor();
        for _ in 0..20 {
            visitor
                .post("/api/auth/login", json!({ "email": "ana@example.com" }))
                .await
                .assert_code(400, "VALIDATION_ERROR");
        }
        visitor.try_login("ana@example.com", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
    })
    .await;
}

#[tokio::test]
async fn an_address_has_ten_times_as_many_tries_for_all_accounts() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let visitor = app.visitor();
        for number in 0..50 {
            let reply = visitor.try_login(&format!("nadie{number}@example.com"), WRONG).await;
            reply.assert_code(401, "INVALID_CREDENTIALS");
        }
        visitor.try_login("ana@example.com", PASSWORD).await.assert_error(429, "RATE_LIMITED", EXHAUSTED);
        app.visitor().try_login("ana@example.com", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
    })
    .await;
}

#[tokio::test]
async fn nobody_can_lock_out_somebody_else() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let home = app.visitor();
        home.try_login("ana@example.com", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
        for _ in 0..20 {
            exhaust(&app.visitor(), "ana@example.com").await;
        }
        // The account's own figure, twenty times the limit, is spent: unknown addresses wait, a known one does not.
        app.visitor().try_login("ana@example.com", PASSWORD).await.assert_error(429, "RATE_LIMITED", EXHAUSTED);
        home.try_login("ana@example.com", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
        app.visitor().try_login("luis@example.com", WRONG).await.assert_code(401, "INVALID_CREDENTIALS");
        app.clock.advance(Duration::from_mins(15));
        app.visitor().try_login("ana@example.com", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
    })
    .await;
}

#[tokio::test]
async fn an_address_is_known_for_90_days() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let home = app.visitor();
        home.try_login("ana@example.com", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
        app.clock.advance(Duration::from_hours(91 * 24));
        app.tick().await;
        for _ in 0..20 {
            exhaust(&app.visitor(), "ana@example.com").await;
        }
        home.try_login("ana@example.com", PASSWORD).await.assert_code(429, "RATE_LIMITED");
    })
    .await;
}

#[tokio::test]
async fn an_ipv6_subscriber_is_one_address() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let visitor = app.visitor();
        for host in 1..=5 {
            let actor = visitor.at(&format!("2001:db8::{host}"));
            actor.try_login("ana@example.com", WRONG).await.assert_code(401, "INVALID_CREDENTIALS");
        }
        let neighbour = visitor.at("2001:db8::ffff:ffff:ffff:ffff");
        neighbour.try_login("ana@example.com", PASSWORD).await.assert_code(429, "RATE_LIMITED");
        visitor
            .at("2001:db8:0:1::1")
            .try_login("ana@example.com", PASSWORD)
            .await
            .assert_ok(200, "Inicio de sesión exitoso");
    })
    .await;
}

#[tokio::test]
async fn counters_of_accounts_outlive_a_restart() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let visitor = app.visitor();
        exhaust(&visitor, "ana@example.com").await;
        app.restart().await;
        visitor.try_login("ana@example.com", PASSWORD).await.assert_error(429, "RATE_LIMITED", EXHAUSTED);
        app.clock.advance(Duration::from_mins(15));
        visitor.try_login("ana@example.com", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
    })
    .await;
}

#[tokio::test]
async fn wrong_current_passwords_count_too() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let change = |current: &str| {
            ana.put("/api/auth/password", json!({ "currentPassword": current, "newPassword": OTHER_PASSWORD }))
        };
        for tried in 1..=5 {
            let reply = change(WRONG).await;
            reply.assert_error(401, "INVALID_CREDENTIALS", "La contraseña actual es incorrecta");
            assert_eq!(reply.number("ratelimit-remaining"), 5 - tried, "{reply}");
        }
        let reply = change(PASSWORD).await;
        reply.assert_code(429, "RATE_LIMITED");
        assert_eq!(reply.number("retry-after"), 900);
        ana.try_login("ana@example.com", PASSWORD).await.assert_code(429, "RATE_LIMITED");
        assert!(ana.is_in().await);
        app.clock.advance(Duration::from_mins(15));
        change(PASSWORD).await.assert_ok(200, "Contraseña actualizada exitosamente");
    })
    .await;
}

#[tokio::test]
async fn public_endpoints_take_fifty_requests_of_an_address() {
    on_both_engines(async |app| {
        for (path, body) in [
            ("/api/auth/register", json!({})),
            ("/api/auth/forgot-password", json!({ "email": "nadie@example.com" })),
            ("/api/auth/reset-password", json!({})),
        ] {
            let visitor = app.visitor();
            for used in 1..=50 {
                let reply = visitor.post(path, body.clone()).await;
                assert!(reply.status == 400 || reply.status == 200, "{reply}");
                assert_eq!(quota(&reply), (50, 50 - used, 900), "{reply}");
            }
            let reply = visitor.post(path, body.clone()).await;
            reply.assert_error(429, "RATE_LIMITED", TOO_MANY);
            assert_eq!(reply.number("retry-after"), 900);
            assert_eq!(quota(&reply), (50, 0, 900));
            assert_ne!(app.visitor().post(path, body.clone()).await.status, 429);
            app.clock.advance(Duration::from_mins(15));
            assert_ne!(visitor.post(path, body).await.status, 429);
        }
    })
    .await;
}

#[tokio::test]
async fn limits_can_be_off() {
    on_both_engines_with(
        |options| {
            options.settings.login_limit = None;
            options.settings.public_limit = None;
        },
        async |app| {
            app.user("ana").await;
            let visitor = app.visitor();
            for _ in 0..60 {
                let reply = visitor.try_login("ana@example.com", WRONG).await;
                reply.assert_code(401, "INVALID_CREDENTIALS");
                assert_eq!(reply.header("ratelimit-limit"), None, "{reply}");
            }
            for _ in 0..60 {
                visitor.post("/api/auth/register", json!({})).await.assert_code(400, "VALIDATION_ERROR");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn forwarding_headers_of_strangers_are_not_believed() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let visitor = app.visitor();
        let try_as = |address: String, password: &str| {
            let body = json!({ "email": "ana@example.com", "password": password });
            visitor
                .post("/api/auth/login", body)
                .header("x-forwarded-for", &address)
                .header("x-real-ip", &address)
                .header("forwarded", format!("for={address}"))
        };
        for number in 1..=5 {
            try_as(format!("203.0.113.{number}"), WRONG).await.assert_code(401, "INVALID_CREDENTIALS");
        }
        try_as("203.0.113.99".to_owned(), PASSWORD).await.assert_code(429, "RATE_LIMITED");
    })
    .await;
}

#[tokio::test]
async fn a_trusted_proxy_forwards_the_clients_address() {
    on_both_engines_with(
        |options| options.http.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()],
        async |app| {
            let proxy = app.visitor();
            app.user("ana").await;
            let body = |password: &str| json!({ "email": "ana@example.com", "password": password });
            let through = |client: &str, password: &str| {
                proxy.post("/api/auth/login", body(password)).header("x-forwarded-for", client)
            };
            for _ in 0..5 {
                through("203.0.113.7", WRONG).await.assert_code(401, "INVALID_CREDENTIALS");
            }
            through("203.0.113.7", PASSWORD).await.assert_code(429, "RATE_LIMITED");
            // Only what the proxy itself added counts: the client can write anything before it.
            through("198.51.100.1, 203.0.113.7", PASSWORD).await.assert_code(429, "RATE_LIMITED");
            through("203.0.113.8", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
        },
    )
    .await;
}
