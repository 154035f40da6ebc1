//! GET and PUT /api/auth/profile, to the letter of the contract.

use cerrojo_app::Reauthentication;
use cerrojo_testkit::{PASSWORD, assert_has, claims, on_both_engines, on_both_engines_with};
use serde_json::json;

const PROFILE: &str = "/api/auth/profile";

#[tokio::test]
async fn the_profile_has_these_fields() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let reply = ana.get(PROFILE).await;
        let data = reply.assert_ok(200, "Perfil obtenido exitosamente");
        assert_has(
            &data["user"],
            json!({
                "user_id": 1,
                "name": "ana",
                "email": "ana@example.com",
                "role_id": 2,
                "role_name": "user",
                "status": "active",
                "registration_date": "2026-02-13T10:00:00.000Z",
                "last_session": "2026-02-13T10:00:00.000Z",
            }),
        );
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        app.visitor().get(PROFILE).await.assert_token_missing();
    })
    .await;
}

#[tokio::test]
async fn name_and_email_change() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let data =
            ana.put(PROFILE, json!({ "name": "Ana <Ruiz>" })).await.assert_ok(200, "Perfil actualizado exitosamente");
        assert_eq!(data["user"]["name"], "Ana <Ruiz>");
        assert_eq!(data["user"]["email"], "ana@example.com");
        let data = ana
            .put(PROFILE, json!({ "email": " ANA@Example.org" }))
            .await
            .assert_ok(200, "Perfil actualizado exitosamente");
        assert_eq!(data["user"]["email"], "ana@example.org");
        assert_eq!(data["user"]["role_name"], "user");
        let both = json!({ "name": "Ana", "email": "ruiz@example.org" });
        let data = ana.put(PROFILE, both).await.assert_ok(200, "Perfil actualizado exitosamente");
        assert_eq!((&data["user"]["name"], &data["user"]["email"]), (&json!("Ana"), &json!("ruiz@example.org")));
        assert_eq!(ana.get(PROFILE).await.data()["user"], data["user"]);
        app.visitor().try_login("ruiz@example.org", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
        app.visitor().try_login("ana@example.com", PASSWORD).await.assert_code(401, "INVALID_CREDENTIALS");
    })
    .await;
}

#[tokio::test]
async fn a_changed_email_ends_the_other_sessions_and_leaves_this_one() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let phone = ana.another_session().await;
        ana.put(PROFILE, json!({ "name": "Ana" })).await.assert_ok(200, "Perfil actualizado exitosamente");
        assert!(phone.is_in().await, "a name ends nothing");
        ana.put(PROFILE, json!({ "email": "ana@example.org" })).await.assert_ok(200, "Perfil actualizado exitosamente");
        assert!(!phone.is_in().await);
        assert_eq!(ana.get(PROFILE).await.data()["user"]["email"], "ana@example.org");
        assert_eq!(claims(ana.token())["email"], "ana@example.com");
        let verified = ana.get("/api/auth/verify").await;
        assert_eq!(verified.status, 200, "{verified}");
    })
    .await;
}

#[tokio::test]
async fn a_value_equal_to_the_stored_one_changes_and_ends_nothing() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let phone = ana.another_session().await;
        for body in [
            json!({ "email": "ana@example.com" }),
            json!({ "email": "ANA@example.com " }),
            json!({ "name": "ana", "email": "ana@example.com" }),
        ] {
            ana.put(PROFILE, body).await.assert_ok(200, "Perfil actualizado exitosamente");
        }
        assert!(phone.is_in().await);
        assert!(app.mails().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn something_has_to_change() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        for body in [json!({}), json!({ "role_id": 1 }), json!({ "name": null, "email": null })] {
            let reply = ana.put(PROFILE, body).await;
            reply.assert_error(400, "VALIDATION_ERROR", "Debe proporcionar al menos nombre o email para actualizar");
        }
    })
    .await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_changes_nothing() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        app.user("luis").await;
        for email in ["no", "a@b", "ana@@example.com"] {
            let reply = ana.put(PROFILE, json!({ "name": "otro", "email": email })).await;
            reply.assert_error(400, "VALIDATION_ERROR", "Formato de email inválido");
        }
        for name in [json!("a\u{0}"), json!("a".repeat(201)), json!(7), json!(["a"])] {
            ana.put(PROFILE, json!({ "name": name })).await.assert_code(400, "VALIDATION_ERROR");
        }
        let taken = ana.put(PROFILE, json!({ "name": "otro", "email": "LUIS@example.com" })).await;
        taken.assert_error(409, "CONFLICT", "El email ya está en uso por otro usuario");
        let user = ana.get(PROFILE).await.data();
        assert_eq!(user["user"]["name"], "ana");
        assert_eq!(user["user"]["email"], "ana@example.com");
    })
    .await;
}

#[tokio::test]
async fn role_status_and_number_are_ignored() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let body =
            json!({ "name": "Ana", "role_id": 1, "roleId": 1, "status": "suspended", "user_id": 9, "password": "x" });
        let data = ana.put(PROFILE, body).await.assert_ok(200, "Perfil actualizado exitosamente");
        assert_eq!(data["user"]["role_id"], 2);
        assert_eq!(data["user"]["status"], "active");
        assert_eq!(data["user"]["user_id"], ana.id);
    })
    .await;
}

#[tokio::test]
async fn the_current_password_can_be_asked_for_before_a_change_of_email() {
    on_both_engines_with(
        |options| options.settings.reauthentication = Reauthentication::Required,
        async |app| {
            let ana = app.user("ana").await;
            ana.put(PROFILE, json!({ "name": "Ana" })).await.assert_ok(200, "Perfil actualizado exitosamente");
            ana.put(PROFILE, json!({ "email": "ana@example.org" })).await.assert_code(400, "VALIDATION_ERROR");
            let wrong =
                ana.put(PROFILE, json!({ "email": "ana@example.org", "currentPassword": "no-es-esta-9" })).await;
            wrong.assert_error(401, "INVALID_CREDENTIALS", "La contraseña actual es incorrecta");
            assert_eq!(wrong.header("www-authenticate"), Some("Bearer"));
            let right = json!({ "email": "ana@example.org", "current_password": PASSWORD });
            ana.put(PROFILE, right).await.assert_ok(200, "Perfil actualizado exitosamente");
        },
    )
    .await;
}
