//! PUT /api/auth/password, to the letter of the contract.

use cerrojo_testkit::{OTHER_PASSWORD, PASSWORD, on_both_engines};
use serde_json::{Value, json};

const CHANGE: &str = "/api/auth/password";

#[tokio::test]
async fn a_change_ends_every_other_session_and_leaves_this_one() {
    on_both_engines(async |app| {
        let (ana, luis) = (app.user("ana").await, app.user("luis").await);
        let phone = ana.another_session().await;
        let reply = ana.put(CHANGE, json!({ "currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD })).await;
        assert_eq!(reply.assert_ok(200, "Contraseña actualizada exitosamente"), Value::Null);
        assert!(ana.is_in().await);
        assert!(!phone.is_in().await);
        assert!(luis.is_in().await);
        app.visitor().try_login("ana@example.com", PASSWORD).await.assert_code(401, "INVALID_CREDENTIALS");
        app.visitor().try_login("ana@example.com", OTHER_PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
        app.restart().await;
        assert!(ana.is_in().await);
        assert!(!phone.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn both_ways_to_write_the_keys_are_read() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let snake = json!({ "current_password": PASSWORD, "new_password": OTHER_PASSWORD });
        ana.put(CHANGE, snake).await.assert_ok(200, "Contraseña actualizada exitosamente");
        let mixed = json!({ "currentPassword": OTHER_PASSWORD, "new_password": PASSWORD });
        ana.put(CHANGE, mixed).await.assert_ok(200, "Contraseña actualizada exitosamente");
    })
    .await;
}

#[tokio::test]
async fn both_passwords_are_asked_for() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        for body in [
            json!({}),
            json!({ "currentPassword": PASSWORD }),
            json!({ "newPassword": OTHER_PASSWORD }),
            json!({ "currentPassword": "", "newPassword": OTHER_PASSWORD }),
            json!({ "currentPassword": PASSWORD, "newPassword": null }),
        ] {
            let reply = ana.put(CHANGE, body).await;
            reply.assert_error(400, "VALIDATION_ERROR", "Contraseña actual y nueva contraseña son requeridas");
        }
        app.visitor().put(CHANGE, json!({})).await.assert_token_missing();
    })
    .await;
}

#[tokio::test]
async fn a_wrong_current_password_is_no_sign_that_the_session_is_over() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let reply = ana.put(CHANGE, json!({ "currentPassword": "no-es-esta-9", "newPassword": OTHER_PASSWORD })).await;
        reply.assert_error(401, "INVALID_CREDENTIALS", "La contraseña actual es incorrecta");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        assert!(ana.is_in().await);
        ana.another_session().await;
    })
    .await;
}

#[tokio::test]
async fn the_new_password_is_judged_like_a_first_one() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let cases = [
            ("corta", "La contraseña debe tener al menos 8 caracteres"),
            ("password1", "La contraseña es demasiado común"),
            ("ana@example.com", "La contraseña es demasiado común"),
        ];
        for (new, flaw) in cases {
            let reply = ana.put(CHANGE, json!({ "currentPassword": PASSWORD, "newPassword": new })).await;
            reply.assert_error_with(400, "VALIDATION_ERROR", "La nueva contraseña no cumple requisitos", &[flaw]);
        }
        let long = json!({ "currentPassword": PASSWORD, "newPassword": "z".repeat(257) });
        let flaw = "La contraseña no puede tener más de 256 caracteres";
        ana.put(CHANGE, long).await.assert_error_with(
            400,
            "VALIDATION_ERROR",
            "La nueva contraseña no cumple requisitos",
            &[flaw],
        );
        ana.another_session().await;
    })
    .await;
}
