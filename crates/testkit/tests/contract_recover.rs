//! POST /api/auth/forgot-password and /api/auth/reset-password, to the letter of the contract.

use std::time::Duration;

use cerrojo_testkit::{OTHER_PASSWORD, PASSWORD, on_both_engines};
use serde_json::{Value, json};

const FORGOT: &str = "/api/auth/forgot-password";
const RESET: &str = "/api/auth/reset-password";
const ASKED: &str = "Si el email está registrado, recibirás instrucciones para restablecer tu contraseña";
const DONE: &str = "Contraseña restablecida exitosamente";
const VOID: &str = "Token inválido o expirado. Solicita uno nuevo.";

#[tokio::test]
async fn the_answer_does_not_tell_whether_the_account_exists() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let known = app.visitor().post(FORGOT, json!({ "email": "ANA@example.com" })).await;
        let unknown = app.visitor().post(FORGOT, json!({ "email": "nadie@example.com" })).await;
        known.assert_ok(200, ASKED);
        unknown.assert_ok(200, ASKED);
        assert_eq!(known.body, unknown.body);
        assert_eq!(known.header("content-length"), unknown.header("content-length"));
        let mails = app.mails().await;
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].to, "ana@example.com");
        let code = mails[0].reset_code();
        assert!(code.len() >= 22, "128 bits at least: {code}");
        assert!(!String::from_utf8_lossy(&known.body).contains(&code));
    })
    .await;
}

#[tokio::test]
async fn an_email_is_asked_for() {
    on_both_engines(async |app| {
        for body in [json!({}), json!({ "email": null }), json!({ "email": "" })] {
            app.visitor().post(FORGOT, body).await.assert_error(400, "VALIDATION_ERROR", "Email es requerido");
        }
        for email in ["ana", "ana@example", "a@b@example.com"] {
            let reply = app.visitor().post(FORGOT, json!({ "email": email })).await;
            reply.assert_error(400, "VALIDATION_ERROR", "Formato de email inválido");
        }
    })
    .await;
}

#[tokio::test]
async fn a_reset_ends_every_session_and_works_once() {
    on_both_engines(async |app| {
        let (ana, luis) = (app.user("ana").await, app.user("luis").await);
        let phone = ana.another_session().await;
        let code = app.reset_code("ana@example.com").await;
        assert!(ana.is_in().await, "asking ends nothing");
        let body = json!({ "token": code, "newPassword": OTHER_PASSWORD });
        let reply = app.visitor().post(RESET, body.clone()).await;
        assert_eq!(reply.assert_ok(200, DONE), Value::Null);
        assert!(!ana.is_in().await);
        assert!(!phone.is_in().await);
        assert!(luis.is_in().await);
        app.visitor().post(RESET, body).await.assert_error(401, "INVALID_RESET_TOKEN", VOID);
        app.visitor().try_login("ana@example.com", PASSWORD).await.assert_code(401, "INVALID_CREDENTIALS");
        ana.signed_in_with(OTHER_PASSWORD).await;
        app.restart().await;
        assert!(!ana.is_in().await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_simultaneous_resets_by_one_link_one_succeeds() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let code = app.reset_code("ana@example.com").await;
        let calls = (0..6).map(|n| {
            app.visitor().post(RESET, json!({ "token": code, "newPassword": format!("{OTHER_PASSWORD}{n}") }))
        });
        let mut statuses: Vec<u16> = app.together(calls).await.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401, 401, 401, 401, 401]);
    })
    .await;
}

#[tokio::test]
async fn a_link_works_for_an_hour() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let code = app.reset_code("ana@example.com").await;
        app.clock.advance(Duration::from_hours(1) - Duration::from_millis(1));
        app.visitor().post(RESET, json!({ "token": code, "new_password": OTHER_PASSWORD })).await.assert_ok(200, DONE);
        let code = app.reset_code("ana@example.com").await;
        app.clock.advance(Duration::from_hours(1));
        let reply = app.visitor().post(RESET, json!({ "token": code, "newPassword": PASSWORD })).await;
        reply.assert_error(401, "INVALID_RESET_TOKEN", VOID);
    })
    .await;
}

#[tokio::test]
async fn token_and_password_are_asked_for() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let code = app.reset_code("ana@example.com").await;
        for body in
            [json!({ "newPassword": OTHER_PASSWORD }), json!({ "token": "", "newPassword": OTHER_PASSWORD }), json!({})]
        {
            app.visitor().post(RESET, body).await.assert_error(400, "VALIDATION_ERROR", "Token es requerido");
        }
        for body in [json!({ "token": code }), json!({ "token": code, "newPassword": "" })] {
            app.visitor().post(RESET, body).await.assert_error(
                400,
                "VALIDATION_ERROR",
                "Nueva contraseña es requerida",
            );
        }
        let short = app.visitor().post(RESET, json!({ "token": code, "newPassword": "corta" })).await;
        let flaw = "La contraseña debe tener al menos 8 caracteres";
        short.assert_error_with(400, "VALIDATION_ERROR", "La nueva contraseña no cumple requisitos", &[flaw]);
        for name in ["password1", "ana@example.com"] {
            let reply = app.visitor().post(RESET, json!({ "token": code, "newPassword": name })).await;
            let flaw = "La contraseña es demasiado común";
            reply.assert_error_with(400, "VALIDATION_ERROR", "La nueva contraseña no cumple requisitos", &[flaw]);
        }
        // A refused password does not use the link up.
        app.visitor().post(RESET, json!({ "token": code, "newPassword": OTHER_PASSWORD })).await.assert_ok(200, DONE);
    })
    .await;
}

#[tokio::test]
async fn a_code_that_nobody_sent_is_refused() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let code = app.reset_code("ana@example.com").await;
        let longer = format!("{code}A");
        for token in ["x", &code[1..], longer.as_str(), ana.token(), "' OR 1=1 --", &"a".repeat(5000)] {
            let reply = app.visitor().post(RESET, json!({ "token": token, "newPassword": OTHER_PASSWORD })).await;
            reply.assert_error(401, "INVALID_RESET_TOKEN", VOID);
        }
        assert!(ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn whatever_raises_the_epoch_voids_pending_links() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        let ana = app.user("ana").await;
        let admin_path = format!("/api/admin/users/{}", ana.id);
        let changes = [
            ana.put("/api/auth/password", json!({ "currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD })),
            ana.put("/api/auth/profile", json!({ "email": "ana@example.org" })),
            admin.put(&admin_path, json!({ "email": "ana@example.net" })),
            admin.put(&admin_path, json!({ "role_id": 1 })),
        ];
        let addresses = ["ana@example.com", "ana@example.com", "ana@example.org", "ana@example.net"];
        for (change, address) in changes.into_iter().zip(addresses) {
            // Another hour: three reset mails an hour for an account.
            app.clock.advance(Duration::from_mins(61));
            let code = app.reset_code(address).await;
            let reply = change.await;
            assert_eq!(reply.status, 200, "{reply}");
            let reset = app.visitor().post(RESET, json!({ "token": code, "newPassword": PASSWORD })).await;
            reset.assert_error(401, "INVALID_RESET_TOKEN", VOID);
        }
    })
    .await;
}

#[tokio::test]
async fn a_user_who_is_not_active_cannot_come_back_by_a_reset() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        let ana = app.user("ana").await;
        let code = app.reset_code("ana@example.com").await;
        admin
            .put(&format!("/api/admin/users/{}", ana.id), json!({ "status": "suspended" }))
            .await
            .assert_ok(200, "Usuario actualizado exitosamente");
        let reset = app.visitor().post(RESET, json!({ "token": code, "newPassword": OTHER_PASSWORD })).await;
        reset.assert_error(401, "INVALID_RESET_TOKEN", VOID);
        app.visitor().try_login("ana@example.com", PASSWORD).await.assert_error(
            401,
            "UNAUTHORIZED",
            "Usuario inactivo o suspendido",
        );
    })
    .await;
}
