//! Passwords that leaked: `password.breached_list`, wherever a password is set.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use cerrojo_app::administer::{AddedUser, AdminError, By, UserChange, add_user, update_user, user_by_email};
use cerrojo_app::breached::{Build, Overwrite, record_of};
use cerrojo_domain::USER_ROLE;
use cerrojo_domain::password::PasswordFlaw;
use cerrojo_testkit::{OTHER_PASSWORD, PASSWORD, TestApp, on_both_engines, on_both_engines_with};
use serde_json::{Value, json};

const REGISTER: &str = "/api/auth/register";
const CHANGE: &str = "/api/auth/password";
const RESET: &str = "/api/auth/reset-password";
const BREACHED: &str = "La contraseña aparece en filtraciones conocidas";
/// In the list, and good in every other way.
const LEAKED: &str = "Ñandú-leaked-81";

fn write_list(path: &Path, passwords: &[&str]) {
    let mut build = Build::begin(path, 1 << 16, Overwrite::List).unwrap();
    for password in passwords {
        build.push(record_of(password.as_bytes())).unwrap();
    }
    build.end(|_| ()).unwrap();
}

/// Runs a test on servers of both engines that have a list with [`LEAKED`] in it; the test gets its path.
async fn with_a_list(test: impl AsyncFn(TestApp, &Path)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("breached.list");
    let set = |options: &mut cerrojo_testkit::Options| {
        write_list(&path, &[LEAKED, "password", "corta"]);
        options.settings.password.breached_list = Some(path.clone());
    };
    on_both_engines_with(set, async |app| test(app, &path).await).await;
}

fn registration(email: &str, password: &str) -> Value {
    json!({ "name": "Filomena", "email": email, "password": password })
}

#[tokio::test]
async fn nobody_registers_with_a_breached_password() {
    with_a_list(async |app, _| {
        let reply = app.visitor().post(REGISTER, registration("f@example.com", LEAKED)).await;
        reply.assert_error_with(400, "VALIDATION_ERROR", "Contraseña no cumple requisitos", &[BREACHED]);
        // Exactly as typed: another one is another one, and so is the same in other code points.
        for (number, other) in ["ñandú-leaked-81", "Ñandú-leaked-8", "N\u{303}andu\u{301}-leaked-81"].iter().enumerate()
        {
            let reply = app.visitor().post(REGISTER, registration(&format!("f{number}@example.com"), other)).await;
            reply.assert_ok(201, "Usuario registrado exitosamente");
        }
        // What is refused anyway is told as it always was.
        for (password, flaw) in [
            ("password", "La contraseña es demasiado común"),
            ("corta", "La contraseña debe tener al menos 8 caracteres"),
        ] {
            let reply = app.visitor().post(REGISTER, registration("f@example.com", password)).await;
            reply.assert_error_with(400, "VALIDATION_ERROR", "Contraseña no cumple requisitos", &[flaw]);
        }
    })
    .await;
}

#[tokio::test]
async fn without_a_list_it_is_accepted() {
    on_both_engines(async |app| {
        let reply = app.visitor().post(REGISTER, registration("f@example.com", LEAKED)).await;
        reply.assert_ok(201, "Usuario registrado exitosamente");
    })
    .await;
}

#[tokio::test]
async fn nobody_changes_to_a_breached_password_and_only_its_owner_is_told() {
    with_a_list(async |app, _| {
        let ana = app.user("ana").await;
        let change = |current: &str| json!({ "currentPassword": current, "newPassword": LEAKED });
        let reply = ana.put(CHANGE, change(PASSWORD)).await;
        reply.assert_error_with(400, "VALIDATION_ERROR", "La nueva contraseña no cumple requisitos", &[BREACHED]);
        app.visitor().try_login("ana@example.com", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
        // Who does not know the current password has a wrong try counted, as for any new password.
        let mut left = Vec::new();
        for _ in 0..3 {
            let reply = ana.put(CHANGE, change("no-es-esta-9")).await;
            reply.assert_error(401, "INVALID_CREDENTIALS", "La contraseña actual es incorrecta");
            left.push(reply.header("ratelimit-remaining").unwrap().parse::<u32>().unwrap());
        }
        assert!(left.is_sorted_by(|one, next| one > next), "{left:?}");
    })
    .await;
}

#[tokio::test]
async fn a_reset_to_a_breached_password_is_refused_and_its_link_stays_good() {
    with_a_list(async |app, _| {
        app.user("ana").await;
        let code = app.reset_code("ana@example.com").await;
        let reset = |code: &str, password: &str| json!({ "token": code, "newPassword": password });
        let reply = app.visitor().post(RESET, reset(&code, LEAKED)).await;
        reply.assert_error_with(400, "VALIDATION_ERROR", "La nueva contraseña no cumple requisitos", &[BREACHED]);
        // Without a code nobody asks the list.
        app.visitor().post(RESET, reset("no-code", LEAKED)).await.assert_code(401, "INVALID_RESET_TOKEN");
        let reply = app.visitor().post(RESET, reset(&code, OTHER_PASSWORD)).await;
        reply.assert_ok(200, "Contraseña restablecida exitosamente");
    })
    .await;
}

#[tokio::test]
async fn the_operator_sets_no_breached_password_either() {
    with_a_list(async |app, _| {
        app.user("ana").await;
        let inside = app.inside();
        let (name, email) = ("Bea".to_owned(), "bea@example.com".to_owned());
        let added = AddedUser { name, email, password: LEAKED.to_owned(), role_id: USER_ROLE, email_verified: false };
        let refused = |error: AdminError| match error {
            AdminError::Password(flaws) => flaws,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(add_user(&inside, By::Operator, added).await.unwrap_err()), [PasswordFlaw::Breached]);
        let ana = user_by_email(&inside, "ana@example.com").await.unwrap();
        let change = UserChange { password: Some(LEAKED.to_owned()), ..UserChange::default() };
        let changed = update_user(&inside, By::Operator, ana.id, change).await;
        assert_eq!(refused(changed.unwrap_err()), [PasswordFlaw::Breached]);
    })
    .await;
}

#[tokio::test]
async fn who_has_a_password_that_leaks_later_still_signs_in() {
    with_a_list(async |app, list| {
        app.user("ana").await;
        write_list(list, &[PASSWORD]);
        app.visitor().try_login("ana@example.com", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
        // The new list is in use without a restart.
        let reply = app.visitor().post(REGISTER, registration("f@example.com", PASSWORD)).await;
        reply.assert_error_with(400, "VALIDATION_ERROR", "Contraseña no cumple requisitos", &[BREACHED]);
        let reply = app.visitor().post(REGISTER, registration("f@example.com", LEAKED)).await;
        reply.assert_ok(201, "Usuario registrado exitosamente");
    })
    .await;
}

#[tokio::test]
async fn a_list_that_cannot_be_read_lets_no_new_password_in_and_everybody_sign_in() {
    with_a_list(async |app, list| {
        let ana = app.user("ana").await;
        let code = app.reset_code("ana@example.com").await;
        // Cut off under the server.
        std::fs::File::options().write(true).open(list).unwrap().set_len(4096).unwrap();
        let change = json!({ "currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD });
        for reply in [
            app.visitor().post(REGISTER, registration("f@example.com", OTHER_PASSWORD)).await,
            ana.put(CHANGE, change.clone()).await,
            app.visitor().post(RESET, json!({ "token": code, "newPassword": OTHER_PASSWORD })).await,
        ] {
            reply.assert_code(503, "UNAVAILABLE");
            assert!(reply.header("retry-after").is_some(), "{reply}");
        }
        assert!(ana.is_in().await);
        app.visitor().try_login("ana@example.com", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
        write_list(list, &[LEAKED]);
        ana.put(CHANGE, change).await.assert_ok(200, "Contraseña actualizada exitosamente");
    })
    .await;
}

#[tokio::test]
async fn a_breached_password_that_also_lacks_something_is_told_both() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("breached.list");
    write_list(&path, &["caballo-grapa-7"]);
    let set = |options: &mut cerrojo_testkit::Options| {
        options.settings.password.breached_list = Some(path.clone());
        options.settings.password.composition = cerrojo_app::Composition::Required;
    };
    on_both_engines_with(set, async |app| {
        let reply = app.visitor().post(REGISTER, registration("f@example.com", "caballo-grapa-7")).await;
        let flaws = ["La contraseña debe contener al menos una letra mayúscula", BREACHED];
        reply.assert_error_with(400, "VALIDATION_ERROR", "Contraseña no cumple requisitos", &flaws);
    })
    .await;
}
