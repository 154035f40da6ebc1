//! POST /api/auth/login, to the letter of the contract.

use cerrojo_testkit::{BEGINNING, PASSWORD, PUBLIC_URL, claims, header_of, on_both_engines};
use serde_json::json;

const LOGIN: &str = "/api/auth/login";

#[tokio::test]
async fn a_sign_in_answers_with_a_token_and_the_user() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let reply = app.visitor().try_login("ana@example.com", PASSWORD).await;
        let data = reply.assert_ok(200, "Inicio de sesión exitoso");
        assert_eq!(data["user"]["name"], "ana");
        assert_eq!(data["user"]["email"], "ana@example.com");
        assert_eq!(data["user"]["role_id"], 2);
        assert_eq!(data["user"]["user_id"], ana.id);
        assert_eq!(data["user"]["id"], ana.id);
        assert_eq!(data["role"], "user");
        assert_eq!(data["role_id"], 2);
        assert_eq!(data["expires_at"], "2026-02-14T10:00:00.000Z");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{reply}");
        assert!(!reply.body.windows(8).any(|w| w == b"argon2id"), "{reply}");
    })
    .await;
}

#[tokio::test]
async fn the_token_is_an_access_token_of_a_day_that_names_its_bit() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let header = header_of(ana.token());
        assert_eq!(header["alg"], "ES256");
        assert_eq!(header["typ"], "at+jwt");
        assert!(header["kid"].is_string());
        assert_eq!(header.as_object().map(serde_json::Map::len), Some(3), "{header}");
        let claims = claims(ana.token());
        assert_eq!(claims["iss"], PUBLIC_URL);
        assert_eq!(claims["aud"], PUBLIC_URL);
        assert_eq!(claims["sub"], ana.id.to_string());
        assert_eq!(claims["user_id"], ana.id);
        assert_eq!(claims["email"], "ana@example.com");
        assert_eq!(claims["name"], "ana");
        assert_eq!(claims["role_id"], 2);
        assert_eq!(claims["iat"], BEGINNING.seconds());
        assert_eq!(claims["exp"], BEGINNING.seconds() + 24 * 3600);
        assert!(claims["jti"].is_string() && claims["sid"].is_string(), "{claims}");
        assert!(claims.get("client_id").is_none(), "{claims}");
        let list = &claims["status"]["status_list"];
        assert!(list["idx"].is_u64(), "{claims}");
        assert!(list["uri"].as_str().unwrap().starts_with(&format!("{PUBLIC_URL}/status-lists/")), "{claims}");
        let other = cerrojo_testkit::claims(ana.another_session().await.token());
        assert_ne!(other["jti"], claims["jti"]);
        assert_ne!(other["sid"], claims["sid"]);
    })
    .await;
}

#[tokio::test]
async fn email_and_password_are_both_asked_for() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let visitor = app.visitor();
        for body in [
            json!({}),
            json!({ "email": "ana@example.com" }),
            json!({ "password": PASSWORD }),
            json!({ "email": null, "password": PASSWORD }),
            json!({ "email": "ana@example.com", "password": null }),
            json!({ "email": "", "password": PASSWORD }),
            json!({ "email": "ana@example.com", "password": "" }),
        ] {
            let reply = visitor.post(LOGIN, body).await;
            reply.assert_error(400, "VALIDATION_ERROR", "Email y contraseña son requeridos");
        }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_account_and_a_wrong_password_look_alike() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let wrong = app.visitor().try_login("ana@example.com", "no-es-la-suya-99").await;
        let unknown = app.visitor().try_login("nadie@example.com", "no-es-la-suya-99").await;
        let no_email = app.visitor().try_login("esto no es un correo", "no-es-la-suya-99").await;
        for reply in [&wrong, &unknown, &no_email] {
            reply.assert_error(401, "INVALID_CREDENTIALS", "Credenciales inválidas");
        }
        let names =
            |reply: &cerrojo_testkit::Reply| -> Vec<String> { reply.headers.keys().map(ToString::to_string).collect() };
        assert_eq!(names(&wrong), names(&unknown));
        for header in ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "content-length"] {
            assert_eq!(wrong.header(header), unknown.header(header), "{header}");
        }
    })
    .await;
}

#[tokio::test]
async fn emails_match_without_regard_to_case() {
    on_both_engines(async |app| {
        app.user("ana").await;
        for typed in ["ANA@Example.COM", "  ana@example.com ", "Ana@EXAMPLE.com"] {
            app.visitor().try_login(typed, PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
        }
    })
    .await;
}

#[tokio::test]
async fn passwords_match_exactly_as_typed() {
    on_both_engines(async |app| {
        app.user("ana").await;
        for typed in
            ["tormenta-verde-27", "Tormenta-verde-27 ", " Tormenta-verde-27", "Tormenta-verde-2", "Tormenta-verde-277"]
        {
            let reply = app.visitor().try_login("ana@example.com", typed).await;
            reply.assert_error(401, "INVALID_CREDENTIALS", "Credenciales inválidas");
        }
    })
    .await;
}

#[tokio::test]
async fn that_a_user_is_not_active_is_told_to_the_right_password_alone() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        let ana = app.user("ana").await;
        for status in ["inactive", "suspended"] {
            admin
                .put(&format!("/api/admin/users/{}", ana.id), json!({ "status": status }))
                .await
                .assert_ok(200, "Usuario actualizado exitosamente");
            let right = app.visitor().try_login("ana@example.com", PASSWORD).await;
            right.assert_error(401, "UNAUTHORIZED", "Usuario inactivo o suspendido");
            let wrong = app.visitor().try_login("ana@example.com", "no-es-la-suya-99").await;
            wrong.assert_error(401, "INVALID_CREDENTIALS", "Credenciales inválidas");
        }
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_sets_last_session() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        app.clock.advance(std::time::Duration::from_mins(90));
        let again = ana.another_session().await;
        let profile = again.get("/api/auth/profile").await.data();
        assert_eq!(profile["user"]["last_session"], "2026-02-13T11:30:00.000Z");
        assert_eq!(profile["user"]["registration_date"], "2026-02-13T10:00:00.000Z");
    })
    .await;
}

#[tokio::test]
async fn wrong_types_are_a_clear_400() {
    on_both_engines(async |app| {
        app.user("ana").await;
        for body in [
            json!({ "email": 5, "password": PASSWORD }),
            json!({ "email": "ana@example.com", "password": 12_345_678 }),
            json!({ "email": ["ana@example.com"], "password": PASSWORD }),
            json!({ "email": { "$gt": "" }, "password": { "$gt": "" } }),
            json!({ "email": true, "password": PASSWORD }),
        ] {
            app.visitor().post(LOGIN, body).await.assert_code(400, "VALIDATION_ERROR");
        }
    })
    .await;
}
