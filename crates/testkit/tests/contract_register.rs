//! POST /api/auth/register, to the letter of the contract.

use cerrojo_app::{Composition, Locale, Registration};
use cerrojo_testkit::{PASSWORD, on_both_engines, on_both_engines_with};
use serde_json::json;

const REGISTER: &str = "/api/auth/register";

#[tokio::test]
async fn a_registration_answers_with_the_user_and_a_token_that_works() {
    on_both_engines(async |app| {
        let body = json!({ "name": "Ana Ruiz", "email": " Ana.Ruiz@Example.com", "password": PASSWORD });
        let reply = app.visitor().post(REGISTER, body).await;
        let data = reply.assert_ok(201, "Usuario registrado exitosamente");
        let user = &data["user"];
        assert_eq!(user["user_id"], 1);
        assert_eq!(user["name"], "Ana Ruiz");
        assert_eq!(user["email"], "ana.ruiz@example.com");
        assert_eq!(user["role_id"], 2);
        assert_eq!(user["status"], "active");
        assert_eq!(user["registration_date"], "2026-02-13T10:00:00.000Z");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let token = data["token"].as_str().unwrap();
        let profile = app.visitor().get("/api/auth/profile").bearer(token).await;
        assert_eq!(profile.assert_ok(200, "Perfil obtenido exitosamente")["user"]["email"], "ana.ruiz@example.com");
    })
    .await;
}

#[tokio::test]
async fn what_is_missing_is_named() {
    on_both_engines(async |app| {
        let visitor = app.visitor();
        let (name, email, password) = ("Nombre es requerido", "Email es requerido", "Contraseña es requerida");
        let cases = [
            (json!({}), vec![name, email, password]),
            (json!({ "name": null, "email": null, "password": null }), vec![name, email, password]),
            (json!({ "email": "a@example.com", "password": PASSWORD }), vec![name]),
            (json!({ "name": "  ", "email": "a@example.com", "password": PASSWORD }), vec![name]),
            (json!({ "name": "Ana", "password": PASSWORD }), vec![email]),
            (json!({ "name": "Ana", "email": "", "password": PASSWORD }), vec![email]),
            (json!({ "name": "Ana", "email": "a@example.com" }), vec![password]),
            (json!({ "name": "Ana", "email": "a@example.com", "password": "" }), vec![password]),
            (json!({ "name": "Ana" }), vec![email, password]),
        ];
        for (body, errors) in cases {
            let reply = visitor.post(REGISTER, body).await;
            reply.assert_error_with(400, "VALIDATION_ERROR", "Datos de entrada incompletos", &errors);
        }
    })
    .await;
}

#[tokio::test]
async fn what_mail_cannot_be_sent_to_is_no_email() {
    on_both_engines(async |app| {
        for email in
            ["ana", "ana@", "@example.com", "ana@example", "a na@example.com", "ana@example.com\r\nBcc: x@example.com"]
        {
            let body = json!({ "name": "Ana", "email": email, "password": PASSWORD });
            app.visitor().post(REGISTER, body).await.assert_error(400, "VALIDATION_ERROR", "Formato de email inválido");
        }
    })
    .await;
}

#[tokio::test]
async fn passwords_are_judged_by_length_and_by_how_common_they_are() {
    on_both_engines(async |app| {
        let short = "La contraseña debe tener al menos 8 caracteres";
        let long = "La contraseña no puede tener más de 256 caracteres";
        let common = "La contraseña es demasiado común";
        let too_long = "á".repeat(257);
        let cases = [
            ("Ab3-xyz", short),
            ("ñañañañ", short),
            (too_long.as_str(), long),
            ("password", common),
            ("PASSWORD", common),
            ("password1", common),
            ("passw0rd", common),
            ("!!Password99", common),
            ("12345678", common),
            ("cerrojo2026", common),
            ("Cerrojo!!!", common),
            ("filomena99", common),
            ("Filomena!", common),
            ("f.gomez.1987", common),
        ];
        for (password, flaw) in cases {
            let body = json!({ "name": "Filomena", "email": "f.gomez.1987@example.com", "password": password });
            let reply = app.visitor().post(REGISTER, body).await;
            reply.assert_error_with(400, "VALIDATION_ERROR", "Contraseña no cumple requisitos", &[flaw]);
        }
    })
    .await;
}

#[tokio::test]
async fn any_composition_and_every_character_of_a_long_password_counts() {
    on_both_engines(async |app| {
        let longest = "á".repeat(256);
        let accepted = [
            "todo en minusculas",
            "83920174650193",
            "filomena come uvas",
            "ñandúñan",
            "  dos espacios  ",
            longest.as_str(),
        ];
        for (number, password) in accepted.iter().enumerate() {
            let email = format!("f{number}@example.com");
            let body = json!({ "name": "Filomena", "email": email, "password": password });
            app.visitor().post(REGISTER, body).await.assert_ok(201, "Usuario registrado exitosamente");
            app.visitor().try_login(&email, password).await.assert_ok(200, "Inicio de sesión exitoso");
        }
        let almost = format!("{}a", "á".repeat(255));
        app.visitor().try_login("f5@example.com", &almost).await.assert_code(401, "INVALID_CREDENTIALS");
    })
    .await;
}

#[tokio::test]
async fn composition_rules_are_a_setting() {
    on_both_engines_with(
        |options| options.settings.password.composition = Composition::Required,
        async |app| {
            let upper = "La contraseña debe contener al menos una letra mayúscula";
            let digit = "La contraseña debe contener al menos un número";
            let short = "La contraseña debe tener al menos 8 caracteres";
            let cases = [
                ("nube-de-paso-4", vec![upper]),
                ("Nube-de-paso", vec![digit]),
                ("nube-de-paso", vec![upper, digit]),
                ("nube", vec![short, upper, digit]),
            ];
            for (password, flaws) in cases {
                let body = json!({ "name": "Ana", "email": "ana@example.com", "password": password });
                let reply = app.visitor().post(REGISTER, body).await;
                reply.assert_error_with(400, "VALIDATION_ERROR", "Contraseña no cumple requisitos", &flaws);
            }
            app.user("ana").await;
        },
    )
    .await;
}

#[tokio::test]
async fn an_email_registers_once() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let body = json!({ "name": "Otra", "email": "ANA@example.com", "password": PASSWORD });
        let reply = app.visitor().post(REGISTER, body).await;
        reply.assert_error(409, "USER_ALREADY_EXISTS", "El email ya está registrado");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_simultaneous_registrations_of_one_email_one_succeeds() {
    on_both_engines(async |app| {
        let body = json!({ "name": "Ana", "email": "ana@example.com", "password": PASSWORD });
        let calls = (0..6).map(|_| app.visitor().post(REGISTER, body.clone()));
        let mut statuses: Vec<u16> = app.together(calls).await.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409, 409, 409]);
    })
    .await;
}

#[tokio::test]
async fn a_role_that_is_sent_is_ignored() {
    on_both_engines(async |app| {
        let body = json!({
            "name": "Ana", "email": "ana@example.com", "password": PASSWORD,
            "role": "admin", "role_id": 1, "roleId": 1, "status": "suspended", "user_id": 77, "unknown": { "a": [1] },
        });
        let data = app.visitor().post(REGISTER, body).await.assert_ok(201, "Usuario registrado exitosamente");
        assert_eq!(data["user"]["role_id"], 2);
        assert_eq!(data["user"]["status"], "active");
        assert_eq!(data["user"]["user_id"], 1);
    })
    .await;
}

#[tokio::test]
async fn names_are_kept_exactly_as_given() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        let names = [
            "O'Brien",
            "<b>Bo</b>",
            "🦎 Zoë",
            "x'); DROP TABLE users;--",
            "  dos  espacios ",
            "آنا أبو خليل",
            "e\u{301}",
            "{{7*7}}",
            "%00%0d%0a",
        ];
        for (number, name) in names.into_iter().enumerate() {
            let body = json!({ "name": name, "email": format!("n{number}@example.com"), "password": PASSWORD });
            let data = app.visitor().post(REGISTER, body).await.assert_ok(201, "Usuario registrado exitosamente");
            assert_eq!(data["user"]["name"], name);
            let token = data["token"].as_str().unwrap();
            assert_eq!(cerrojo_testkit::claims(token)["name"], name);
            let profile = app.visitor().get("/api/auth/profile").bearer(token).await.data();
            assert_eq!(profile["user"]["name"], name);
            let seen = admin.get(&format!("/api/admin/users/{}", data["user"]["user_id"])).await.data();
            assert_eq!(seen["name"], name);
        }
    })
    .await;
}

#[tokio::test]
async fn names_that_cannot_be_kept_are_refused() {
    on_both_engines(async |app| {
        let too_long = "a".repeat(201);
        for name in ["a\u{0}b", "a\nb", too_long.as_str()] {
            let body = json!({ "name": name, "email": "ana@example.com", "password": PASSWORD });
            app.visitor().post(REGISTER, body).await.assert_code(400, "VALIDATION_ERROR");
        }
    })
    .await;
}

#[tokio::test]
async fn a_closed_registration_is_forbidden() {
    on_both_engines_with(
        |options| options.settings.registration = Registration::Closed,
        async |app| {
            let body = json!({ "name": "Ana", "email": "ana@example.com", "password": PASSWORD });
            app.visitor().post(REGISTER, body).await.assert_code(403, "FORBIDDEN");
        },
    )
    .await;
}

#[tokio::test]
async fn messages_can_be_english_codes_stay() {
    on_both_engines_with(
        |options| options.settings.locale = Locale::En,
        async |app| {
            let reply = app.visitor().post(REGISTER, json!({})).await;
            reply.assert_code(400, "VALIDATION_ERROR");
            let body = String::from_utf8(reply.body.clone()).unwrap();
            assert!(!body.contains("requerid") && !body.contains("Datos"), "{reply}");
            let refused = app.visitor().get("/api/auth/profile").await;
            refused.assert_code(401, "UNAUTHORIZED");
            assert_ne!(refused.json()["message"], "Token no proporcionado o inválido");
        },
    )
    .await;
}
