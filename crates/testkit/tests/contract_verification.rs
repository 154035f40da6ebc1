//! Addresses that are confirmed: `register.verification`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::time::Duration;

use cerrojo_app::administer::{self, By, UserChange};
use cerrojo_app::{Locale, OwnDeletion, Rate, Verification};
use cerrojo_domain::UserId;
use cerrojo_store::testing;
use cerrojo_testkit::{
    Actor, Call, OTHER_PASSWORD, Options, PASSWORD, Reply, SentMail, TestApp, assert_has, on_both_engines,
    on_both_engines_with,
};
use serde_json::{Value, json};

const REGISTER: &str = "/api/auth/register";
const VERIFY: &str = "/api/auth/verify-email";
const RESEND: &str = "/api/auth/resend-verification";
const PROFILE: &str = "/api/auth/profile";
const RESET: &str = "/api/auth/reset-password";
const WAIT: &str = "Te hemos enviado un correo para confirmar tu dirección de email";
const CONFIRMED: &str = "Email confirmado exitosamente";
const ASKED: &str = "Si hay un email por confirmar, recibirás otro enlace";
const VOID: &str = "Token inválido o expirado. Solicita uno nuevo.";
const UNCONFIRMED: &str = "Debe confirmar su email antes de iniciar sesión";

fn notify(options: &mut Options) {
    options.settings.verification = Verification::Notify;
}

fn required(options: &mut Options) {
    options.settings.verification = Verification::Required;
}

async fn registers(actor: &Actor, email: &str, password: &str) -> Reply {
    actor.post(REGISTER, json!({ "name": "Ana Ruiz", "email": email, "password": password })).await
}

async fn confirms(app: &TestApp, code: &str) -> Reply {
    app.visitor().post(VERIFY, json!({ "token": code })).await
}

/// The same where somebody is signed in.
async fn confirms_as(actor: &Actor, code: &str) -> Reply {
    actor.post(VERIFY, json!({ "token": code })).await
}

async fn asks_again(app: &TestApp, email: &str) {
    app.visitor().post(RESEND, json!({ "email": email })).await.assert_ok(200, ASKED);
}

fn assert_void(reply: &Reply) {
    reply.assert_error(401, "INVALID_VERIFICATION_TOKEN", VOID);
}

/// Registers and confirms the address; signed in.
async fn confirmed(app: &TestApp, email: &str) -> Actor {
    let visitor = app.visitor();
    registers(&visitor, email, PASSWORD).await.assert_ok(202, WAIT);
    confirms(app, &app.link_code(email).await).await.assert_ok(200, CONFIRMED);
    let data = visitor.try_login(email, PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
    let mut actor = visitor.with_token(data["token"].as_str().unwrap());
    actor.id = data["user"]["user_id"].as_i64().unwrap();
    email.clone_into(&mut actor.email);
    actor
}

async fn profile(actor: &Actor) -> Value {
    actor.get(PROFILE).await.assert_ok(200, "Perfil obtenido exitosamente")
}

/// The call succeeds.
async fn done(call: Call) {
    let reply = call.await;
    assert_eq!(reply.status, 200, "{reply}");
}

/// Tables that may hold an address.
async fn kept(app: &TestApp) -> String {
    let mut all = String::new();
    for table in ["users", "registrations", "email_changes", "codes", "outbox"] {
        all += &testing::rows_as_text(app.database_url(), table).await;
    }
    all
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn off_is_the_contract_as_it_was() {
    on_both_engines(async |app| {
        let body = json!({ "name": "Ana", "email": "ana@example.com", "password": PASSWORD });
        let data = app.visitor().post(REGISTER, body).await.assert_ok(201, "Usuario registrado exitosamente");
        assert_eq!(keys(&data), ["expires_at", "role", "role_id", "token", "user"]);
        let of_user = [
            "email",
            "id",
            "last_session",
            "name",
            "registration_date",
            "role",
            "role_id",
            "role_name",
            "status",
            "user_id",
        ];
        assert_eq!(keys(&data["user"]), of_user);
        let ana = app.visitor().with_token(data["token"].as_str().unwrap());
        let shown = profile(&ana).await;
        assert_eq!((keys(&shown), keys(&shown["user"])), (vec!["user"], of_user.to_vec()));
        let again = registers(&app.visitor(), "ana@example.com", PASSWORD).await;
        again.assert_error(409, "USER_ALREADY_EXISTS", "El email ya está registrado");
        let reply = app.visitor().post(RESEND, json!({ "email": "ana@example.com" })).await;
        reply.assert_error(403, "FORBIDDEN", "La confirmación de email no está activada");
        assert!(app.mails().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn who_is_notified_is_in_at_once_and_the_account_shows_whether_the_address_is_confirmed() {
    on_both_engines_with(notify, async |app| {
        let admin = app.admin().await;
        let reply = registers(&app.visitor(), "ana@example.com", PASSWORD).await;
        let data = reply.assert_ok(201, "Usuario registrado exitosamente");
        assert_eq!(data["user"]["email_verified"], false);
        let ana = app.visitor().with_token(data["token"].as_str().unwrap());
        assert_eq!(profile(&ana).await["user"]["email_verified"], false);
        let mails = app.mails().await;
        assert_eq!(mails.len(), 1);
        let link = format!("http://127.0.0.1:4000/verify-email?token={}", mails[0].reset_code());
        assert!(mails[0].to == "ana@example.com" && mails[0].text.contains(&link), "{}", mails[0].text);
        assert!(!reply.json().to_string().contains(&mails[0].reset_code()), "the code travels by mail alone");
        assert!(!kept(&app).await.contains(&mails[0].reset_code()), "and is kept as a hash");

        let reply = confirms(&app, &mails[0].reset_code()).await;
        assert_eq!(reply.assert_ok(200, CONFIRMED), json!({ "email": "ana@example.com", "email_verified": true }));
        assert!(ana.is_in().await, "confirming ends nothing");
        assert_eq!(profile(&ana).await["user"]["email_verified"], true);
        let path = format!("/api/admin/users/{}", data["user"]["user_id"]);
        assert_eq!(admin.get(&path).await.data()["email_verified"], true);
        assert_void(&confirms(&app, &mails[0].reset_code()).await);
        asks_again(&app, "ana@example.com").await;
        assert_eq!(app.mails().await.len(), 1, "there is nothing left to confirm");
    })
    .await;
}

#[tokio::test]
async fn a_link_works_for_its_time_and_until_there_is_another() {
    on_both_engines_with(notify, async |app| {
        app.user("ana").await;
        let first = app.link_code("ana@example.com").await;
        asks_again(&app, " ANA@example.com ").await;
        let second = app.link_code("ana@example.com").await;
        assert_ne!(first, second);
        assert_void(&confirms(&app, &first).await);
        app.clock.advance(Duration::from_hours(24));
        assert_void(&confirms(&app, &second).await);
        app.tick().await;
        asks_again(&app, "ana@example.com").await;
        let third = app.link_code("ana@example.com").await;
        app.clock.advance(Duration::from_hours(24) - Duration::from_millis(1));
        confirms(&app, &third).await.assert_ok(200, CONFIRMED);
    })
    .await;
}

#[tokio::test]
async fn looking_at_a_link_uses_nothing_up() {
    on_both_engines_with(notify, async |app| {
        app.user("ana").await;
        let code = app.link_code("ana@example.com").await;
        for method in ["GET", "HEAD"] {
            let reply = app.visitor().call(method, &format!("{VERIFY}?token={code}")).await;
            assert_eq!(reply.status, 405, "{reply}");
        }
        app.visitor().call("POST", &format!("{VERIFY}?token={code}")).await.assert_code(400, "VALIDATION_ERROR");
        confirms(&app, &code).await.assert_ok(200, CONFIRMED);
    })
    .await;
}

#[tokio::test]
async fn a_code_is_good_for_what_it_was_made_for_and_nothing_else() {
    on_both_engines_with(notify, async |app| {
        let ana = app.user("ana").await;
        let verify = app.link_code("ana@example.com").await;
        let reset = app.reset_code("ana@example.com").await;
        assert_void(&confirms(&app, &reset).await);
        let body = json!({ "token": verify, "newPassword": OTHER_PASSWORD });
        app.visitor().post(RESET, body).await.assert_error(401, "INVALID_RESET_TOKEN", VOID);
        let body = json!({ "token": verify, "name": "Ana", "password": OTHER_PASSWORD });
        let reply = app.visitor().post("/api/auth/accept-invitation", body).await;
        reply.assert_code(401, "INVALID_INVITATION_TOKEN");
        let longer = format!("{verify}A");
        for token in ["x", &verify[1..], &longer, ana.token(), "' OR 1=1 --", &"a".repeat(5000)] {
            assert_void(&confirms(&app, token).await);
        }
        for body in [json!({}), json!({ "token": null }), json!({ "token": "" })] {
            app.visitor().post(VERIFY, body).await.assert_error(400, "VALIDATION_ERROR", "Token es requerido");
        }
        app.visitor().post(RESEND, json!({})).await.assert_error(400, "VALIDATION_ERROR", "Email es requerido");
        confirms(&app, &verify).await.assert_ok(200, CONFIRMED);
    })
    .await;
}

#[tokio::test]
async fn another_address_is_in_force_at_once_and_to_be_confirmed_anew() {
    on_both_engines_with(notify, async |app| {
        let (ana, admin) = (app.user("ana").await, app.admin().await);
        let phone = ana.another_session().await;
        let before = app.link_code("ana@example.com").await;
        let data = ana.put(PROFILE, json!({ "email": "ana@example.org" })).await;
        let data = data.assert_ok(200, "Perfil actualizado exitosamente");
        assert_has(&data["user"], json!({ "email": "ana@example.org", "email_verified": false }));
        assert!(!phone.is_in().await && ana.is_in().await);
        assert_void(&confirms(&app, &before).await);
        let mails = app.mails().await;
        let told: Vec<&str> = mails[1..].iter().map(|mail| mail.to.as_str()).collect();
        assert!(told.contains(&"ana@example.com") && told.contains(&"ana@example.org") && told.len() == 2, "{told:?}");
        confirms(&app, &app.link_code("ana@example.org").await).await.assert_ok(200, CONFIRMED);
        assert_eq!(profile(&ana).await["user"]["email_verified"], true);
        // One that was confirmed is so again where it can be had back, and any other is not.
        for (address, is_confirmed) in
            [("ana@example.com", false), ("ana@example.org", true), ("ana@example.biz", false)]
        {
            let data = ana.put(PROFILE, json!({ "email": address })).await.data();
            assert_eq!(data["user"]["email_verified"], is_confirmed, "{address}");
        }
        // Nor is one that an administrator sets, who can vouch for it.
        let path = format!("/api/admin/users/{}", ana.id);
        let said = async |body: Value| admin.put(&path, body).await.data()["email_verified"].clone();
        assert_eq!(said(json!({ "email": "ana@example.net" })).await, false);
        assert_eq!(said(json!({ "email_verified": true })).await, true);
        assert_eq!(said(json!({ "emailVerified": false })).await, false);
        assert_eq!(said(json!({ "email": "ana@example.edu", "email_verified": true })).await, true);
        assert_eq!(said(json!({ "name": "Ana R." })).await, true);
        let wrong = admin.put(&path, json!({ "email_verified": "yes" })).await;
        wrong.assert_code(400, "VALIDATION_ERROR");
        assert!(!app.mails().await.iter().any(|mail| mail.to == "ana@example.edu"), "there is nothing to confirm");
    })
    .await;
}

#[tokio::test]
async fn registering_does_not_tell_whether_an_address_has_an_account() {
    on_both_engines_with(required, async |app| {
        confirmed(&app, "con-cuenta@example.com").await;
        let sent = app.mails().await.len();
        let known = registers(&app.visitor(), "CON-cuenta@example.com", OTHER_PASSWORD).await;
        let unknown = registers(&app.visitor(), "sin-cuenta@example.com", OTHER_PASSWORD).await;
        let data = known.assert_ok(202, WAIT);
        let user = json!({ "name": "Ana Ruiz", "email": "con-cuenta@example.com", "email_verified": false });
        assert_eq!(data, json!({ "token": null, "user": user }));
        let headers = |reply: &Reply| {
            let mut headers = reply.headers.clone();
            headers.remove("x-request-id");
            headers
        };
        assert_eq!(headers(&known), headers(&unknown));
        let body = |reply: &Reply| String::from_utf8(reply.body.clone()).unwrap();
        assert_eq!(body(&known).replace("con-cuenta", "sin-cuenta"), body(&unknown));
        let mails = app.mails().await;
        assert_eq!(mails[sent..].iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>().len(), 2);
        let to = |address: &str| mails[sent..].iter().find(|mail| mail.to == address).unwrap();
        assert!(!to("con-cuenta@example.com").text.contains("token="), "it has an account already");
        assert!(to("sin-cuenta@example.com").text.contains("token="));
        let again = app.visitor().try_login("con-cuenta@example.com", PASSWORD).await;
        again.assert_ok(200, "Inicio de sesión exitoso");
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_registration_is_told_as_ever() {
    on_both_engines_with(required, async |app| {
        confirmed(&app, "ana@example.com").await;
        for email in ["ana@example.com", "eva@example.com"] {
            let reply = registers(&app.visitor(), email, "corta").await;
            let flaw = "La contraseña debe tener al menos 8 caracteres";
            reply.assert_error_with(400, "VALIDATION_ERROR", "Contraseña no cumple requisitos", &[flaw]);
        }
        registers(&app.visitor(), "ana", PASSWORD).await.assert_code(400, "VALIDATION_ERROR");
    })
    .await;
}

#[tokio::test]
async fn there_is_no_account_and_no_session_before_the_address_is_confirmed() {
    on_both_engines_with(required, async |app| {
        let admin = app.admin().await;
        registers(&app.visitor(), "ana@example.com", PASSWORD).await.assert_ok(202, WAIT);
        assert_eq!(admin.get("/api/admin/users").await.data().as_array().unwrap().len(), 1);
        let refused = app.visitor().try_login("ana@example.com", PASSWORD).await;
        refused.assert_error(403, "EMAIL_NOT_VERIFIED", UNCONFIRMED);
        let wrong = app.visitor().try_login("ana@example.com", OTHER_PASSWORD).await;
        wrong.assert_error(401, "INVALID_CREDENTIALS", "Credenciales inválidas");
        app.restart().await;
        let data = confirms(&app, &app.link_code("ana@example.com").await).await.assert_ok(200, CONFIRMED);
        assert_eq!(keys(&data), ["email", "email_verified"], "confirming signs nobody in");
        let data = app.visitor().try_login("ana@example.com", PASSWORD).await;
        let data = data.assert_ok(200, "Inicio de sesión exitoso");
        assert_has(
            &data["user"],
            json!({ "name": "Ana Ruiz", "role_id": 2, "email_verified": true, "status": "active" }),
        );
    })
    .await;
}

async fn sets_password(app: &TestApp, code: &str, password: &str) -> Reply {
    app.visitor().post(RESET, json!({ "token": code, "newPassword": password })).await
}

#[tokio::test]
async fn whoever_registered_a_strangers_address_keeps_no_way_in() {
    on_both_engines_with(required, async |app| {
        let (mallory, mallorys) = (app.visitor(), "la contraseña de Mallory, larga");
        // Before the stranger and after: in either order nobody's password counts but the one that the mailbox's owner sets.
        for (email, order) in [("ana@example.com", [mallorys, PASSWORD]), ("eva@example.com", [PASSWORD, mallorys])] {
            registers(&mallory, email, order[0]).await.assert_ok(202, WAIT);
            let first = app.link_code(email).await;
            registers(&app.visitor(), email, order[1]).await.assert_ok(202, WAIT);
            let second = app.link_code(email).await;
            for link in [&first, &second] {
                assert_void(&confirms(&app, link).await);
            }
            sets_password(&app, &first, OTHER_PASSWORD).await.assert_code(401, "INVALID_RESET_TOKEN");
            let reply = sets_password(&app, &second, OTHER_PASSWORD).await;
            reply.assert_ok(200, "Contraseña restablecida exitosamente");
            for password in order {
                mallory.try_login(email, password).await.assert_code(401, "INVALID_CREDENTIALS");
            }
            let data = app.visitor().try_login(email, OTHER_PASSWORD).await.data();
            assert_eq!(data["user"]["email_verified"], true);
            // What is registered from now on is nothing to the account.
            registers(&mallory, email, mallorys).await.assert_ok(202, WAIT);
            let mails = app.mails().await;
            let last = mails.last().unwrap();
            assert!(last.to == email && !last.text.contains("token="), "{}", last.text);
            sets_password(&app, &second, mallorys).await.assert_code(401, "INVALID_RESET_TOKEN");
            app.visitor().try_login(email, OTHER_PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
        }
    })
    .await;
}

#[tokio::test]
async fn a_link_that_is_asked_for_again_confirms_nobodys_password() {
    on_both_engines_with(required, async |app| {
        let mallory = app.visitor();
        registers(&app.visitor(), "ana@example.com", PASSWORD).await.assert_ok(202, WAIT);
        app.mails().await;
        app.clock.advance(Duration::from_hours(25));
        app.tick().await;
        // Hers is forgotten, and this one is the only one when she asks for her link again.
        registers(&mallory, "ana@example.com", OTHER_PASSWORD).await.assert_ok(202, WAIT);
        app.mails().await;
        asks_again(&app, "ana@example.com").await;
        let code = app.link_code("ana@example.com").await;
        assert_void(&confirms(&app, &code).await);
        sets_password(&app, &code, PASSWORD).await.assert_ok(200, "Contraseña restablecida exitosamente");
        mallory.try_login("ana@example.com", OTHER_PASSWORD).await.assert_code(401, "INVALID_CREDENTIALS");
        app.visitor().try_login("ana@example.com", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
    })
    .await;
}

#[tokio::test]
async fn a_link_that_is_asked_for_again_changes_nobodys_address() {
    on_both_engines_with(required, async |app| {
        let ana = confirmed(&app, "ana@example.com").await;
        done(ana.put(PROFILE, json!({ "email": "nueva@example.com" }))).await;
        let sent = app.mails().await.len();
        asks_again(&app, "nueva@example.com").await;
        assert_eq!(app.mails().await.len(), sent, "only who is signed in asks for that one");
        done(ana.put(PROFILE, json!({ "email": "nueva@example.com" }))).await;
        confirms_as(&ana, &app.link_code("nueva@example.com").await).await.assert_ok(200, CONFIRMED);
    })
    .await;
}

#[tokio::test]
async fn whoever_wants_a_strangers_address_does_not_get_it_by_their_confirming() {
    on_both_engines_with(required, async |app| {
        let mallory = confirmed(&app, "mallory@example.com").await;
        // The stranger is about to confirm a registration, before and after.
        done(mallory.put(PROFILE, json!({ "email": "ana@example.com" }))).await;
        let first = app.link_code("ana@example.com").await;
        registers(&app.visitor(), "ana@example.com", PASSWORD).await.assert_ok(202, WAIT);
        let own = app.link_code("ana@example.com").await;
        done(mallory.put(PROFILE, json!({ "email": "ana@example.com" }))).await;
        let second = app.link_code("ana@example.com").await;
        let other = confirmed(&app, "otra@example.com").await;
        for code in [&first, &second] {
            let reply = confirms(&app, code).await;
            if code == &second {
                let said = "Inicie sesión con la cuenta que pidió este cambio y abra el enlace de nuevo";
                reply.assert_error(403, "SIGN_IN_REQUIRED", said);
                confirms_as(&other, code).await.assert_code(403, "SIGN_IN_REQUIRED");
            } else {
                assert_void(&reply);
            }
        }
        confirms(&app, &own).await.assert_ok(200, CONFIRMED);
        app.visitor().try_login("ana@example.com", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
        confirms_as(&mallory, &second).await.assert_code(409, "USER_ALREADY_EXISTS");
        assert_eq!(profile(&mallory).await["user"]["email"], "mallory@example.com");
    })
    .await;
}

#[tokio::test]
async fn nobody_uses_up_the_links_that_anothers_account_needs() {
    on_both_engines_with(required, async |app| {
        let mallory = app.visitor();
        // Links of a registration that the account was made of are worth nothing any more.
        registers(&mallory, "eva@example.com", OTHER_PASSWORD).await.assert_ok(202, WAIT);
        let own = app.link_code("eva@example.com").await;
        for _ in 0..4 {
            mallory.post("/api/auth/forgot-password", json!({ "email": "eva@example.com" })).await;
            app.mails().await;
        }
        confirms(&app, &own).await.assert_ok(200, CONFIRMED);
        let code = app.reset_code("eva@example.com").await;
        sets_password(&app, &code, PASSWORD).await.assert_ok(200, "Contraseña restablecida exitosamente");
        // Nor are those from before the password was another.
        for _ in 0..3 {
            mallory.post("/api/auth/forgot-password", json!({ "email": "eva@example.com" })).await;
            app.mails().await;
        }
        let data = app.visitor().try_login("eva@example.com", PASSWORD).await.data();
        let thief = app.visitor().with_token(data["token"].as_str().unwrap());
        let body = json!({ "currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD });
        done(thief.put("/api/auth/password", body)).await;
        let code = app.reset_code("eva@example.com").await;
        sets_password(&app, &code, PASSWORD).await.assert_ok(200, "Contraseña restablecida exitosamente");
        assert!(!thief.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn jobs_of_an_earlier_release_confirm_nobodys_password_either() {
    on_both_engines_with(required, async |app| {
        registers(&app.visitor(), "ana@example.com", OTHER_PASSWORD).await.assert_ok(202, WAIT);
        let without = if app.database_url().starts_with("postgres") {
            "UPDATE outbox SET body = CAST(CAST(body AS JSONB) - 'id' AS TEXT)"
        } else {
            "UPDATE outbox SET body = json_remove(body, '$.id')"
        };
        testing::execute(app.database_url(), without.to_owned()).await;
        let code = app.link_code("ana@example.com").await;
        assert_void(&confirms(&app, &code).await);
        sets_password(&app, &code, PASSWORD).await.assert_ok(200, "Contraseña restablecida exitosamente");
    })
    .await;
}

#[tokio::test]
async fn what_somebody_else_asks_for_is_not_what_an_account_may_ask_for() {
    on_both_engines_with(notify, async |app| {
        let ana = app.user("ana").await;
        for _ in 0..2 {
            let stranger = app.visitor();
            for _ in 0..3 {
                stranger.post(RESEND, json!({ "email": "ana@example.com" })).await.assert_ok(200, ASKED);
                app.mails().await;
            }
        }
        done(ana.put(PROFILE, json!({ "email": "nueva@example.com" }))).await;
        confirms(&app, &app.link_code("nueva@example.com").await).await.assert_ok(200, CONFIRMED);
    })
    .await;
}

#[tokio::test]
async fn the_name_of_a_contested_registration_is_nobodys_either() {
    on_both_engines_with(required, async |app| {
        registers(&app.visitor(), "ana@example.com", PASSWORD).await.assert_ok(202, WAIT);
        let body =
            json!({ "name": "GANA 1000 EUR evil.example", "email": "ana@example.com", "password": OTHER_PASSWORD });
        app.visitor().post(REGISTER, body).await.assert_ok(202, WAIT);
        let code = app.link_code("ana@example.com").await;
        sets_password(&app, &code, PASSWORD).await.assert_ok(200, "Contraseña restablecida exitosamente");
        let user = app.visitor().try_login("ana@example.com", PASSWORD).await.data()["user"].clone();
        assert_eq!(user["name"], "ana");
    })
    .await;
}

#[tokio::test]
async fn of_two_accounts_that_want_an_address_each_link_is_for_its_own() {
    on_both_engines_with(required, async |app| {
        let (ana, eva) = (confirmed(&app, "ana@example.com").await, confirmed(&app, "eva@example.com").await);
        for one in [&ana, &eva] {
            done(one.put(PROFILE, json!({ "email": "nueva@example.com" }))).await;
        }
        let mails = app.mails().await;
        let codes: Vec<String> =
            mails.iter().filter(|mail| mail.to == "nueva@example.com").map(SentMail::reset_code).collect();
        assert_eq!(codes.len(), 2);
        let mut changed = 0;
        for (one, other, code) in
            [(&ana, &eva, &codes[0]), (&eva, &ana, &codes[0]), (&ana, &eva, &codes[1]), (&eva, &ana, &codes[1])]
        {
            let before = profile(other).await;
            let reply = confirms_as(one, code).await;
            assert_eq!(profile(other).await["user"]["email"], before["user"]["email"]);
            changed += u32::from(reply.status == 200);
            assert!([200, 401, 403, 409].contains(&reply.status), "{reply}");
        }
        assert_eq!(changed, 1);
    })
    .await;
}

#[tokio::test]
async fn the_password_of_a_registration_tells_nothing_of_an_account_and_guesses_none() {
    on_both_engines_with(required, async |app| {
        confirmed(&app, "con-cuenta@example.com").await;
        let mallory = app.visitor();
        for email in ["con-cuenta@example.com", "sin-cuenta@example.com"] {
            registers(&mallory, email, OTHER_PASSWORD).await.assert_ok(202, WAIT);
        }
        app.mails().await;
        // Each counts as a wrong one: it is, if the account's is another.
        for left in (0..5).rev() {
            for email in ["con-cuenta@example.com", "sin-cuenta@example.com"] {
                let reply = mallory.try_login(email, OTHER_PASSWORD).await;
                reply.assert_error(403, "EMAIL_NOT_VERIFIED", UNCONFIRMED);
                assert_eq!(reply.number("ratelimit-remaining"), left, "{reply}");
            }
        }
        for email in ["con-cuenta@example.com", "sin-cuenta@example.com"] {
            mallory.try_login(email, OTHER_PASSWORD).await.assert_code(429, "RATE_LIMITED");
        }
    })
    .await;
}

#[tokio::test]
async fn the_same_work_is_done_whatever_there_is_of_an_address() {
    on_both_engines_with(required, async |app| {
        confirmed(&app, "ana@example.com").await;
        registers(&app.visitor(), "eva@example.com", PASSWORD).await.assert_ok(202, WAIT);
        let hashes = async || app.metrics().await.value("cerrojo_password_hashing_duration_seconds_count");
        for email in ["ana@example.com", "eva@example.com", "nadie@example.com"] {
            let before = hashes().await;
            app.visitor().try_login(email, OTHER_PASSWORD).await.assert_code(401, "INVALID_CREDENTIALS");
            let after = hashes().await;
            assert!((after - before - 2.0).abs() < 0.1, "{email}: {before} {after}");
            registers(&app.visitor(), email, PASSWORD).await.assert_ok(202, WAIT);
            let last = hashes().await;
            assert!((last - after - 1.0).abs() < 0.1, "{email}: {after} {last}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_reset_by_mail_confirms_the_address() {
    on_both_engines_with(required, async |app| {
        let mallory = app.visitor();
        registers(&mallory, "ana@example.com", PASSWORD).await.assert_ok(202, WAIT);
        let link = app.link_code("ana@example.com").await;
        let code = app.reset_code("ana@example.com").await;
        assert_ne!(link, code);
        let body = json!({ "token": code, "newPassword": OTHER_PASSWORD });
        app.visitor().post(RESET, body.clone()).await.assert_ok(200, "Contraseña restablecida exitosamente");
        app.visitor().post(RESET, body).await.assert_error(401, "INVALID_RESET_TOKEN", VOID);
        assert_void(&confirms(&app, &link).await);
        mallory.try_login("ana@example.com", PASSWORD).await.assert_code(401, "INVALID_CREDENTIALS");
        let data = app.visitor().try_login("ana@example.com", OTHER_PASSWORD).await.data();
        assert_eq!(data["user"]["email_verified"], true);
    })
    .await;
    on_both_engines_with(notify, async |app| {
        let ana = app.user("ana").await;
        assert_eq!(profile(&ana).await["user"]["email_verified"], false);
        app.mails().await;
        let code = app.reset_code("ana@example.com").await;
        let body = json!({ "token": code, "newPassword": OTHER_PASSWORD });
        app.visitor().post(RESET, body).await.assert_ok(200, "Contraseña restablecida exitosamente");
        assert_eq!(profile(&ana.signed_in_with(OTHER_PASSWORD).await).await["user"]["email_verified"], true);
    })
    .await;
}

#[tokio::test]
async fn who_does_not_confirm_is_forgotten() {
    on_both_engines_with(required, async |app| {
        registers(&app.visitor(), "ana@example.com", PASSWORD).await.assert_ok(202, WAIT);
        let first = app.link_code("ana@example.com").await;
        app.clock.advance(Duration::from_hours(23));
        asks_again(&app, "ana@example.com").await;
        let code = app.link_code("ana@example.com").await;
        assert_ne!(first, code);
        app.clock.advance(Duration::from_hours(1));
        assert_void(&confirms(&app, &first).await);
        sets_password(&app, &code, OTHER_PASSWORD).await.assert_code(401, "INVALID_RESET_TOKEN");
        app.visitor().try_login("ana@example.com", PASSWORD).await.assert_code(401, "INVALID_CREDENTIALS");
        let sent = app.mails().await.len();
        asks_again(&app, "ana@example.com").await;
        assert_eq!(app.mails().await.len(), sent);
        app.clock.advance(Duration::from_hours(8 * 24));
        app.tick().await;
        let kept = kept(&app).await;
        assert!(!kept.contains("ana@example.com") && !kept.contains("Ana Ruiz"), "{kept}");
        confirmed(&app, "ana@example.com").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_simultaneous_confirmations_one_makes_the_account() {
    on_both_engines_with(required, async |app| {
        let admin = app.admin().await;
        registers(&app.visitor(), "ana@example.com", PASSWORD).await.assert_ok(202, WAIT);
        let code = app.link_code("ana@example.com").await;
        let calls = (0..6).map(|_| app.visitor().post(VERIFY, json!({ "token": code })));
        let mut statuses: Vec<u16> = app.together(calls).await.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401, 401, 401, 401, 401]);
        assert_eq!(admin.get("/api/admin/users").await.data().as_array().unwrap().len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_registrations_at_once_no_password_counts() {
    on_both_engines_with(required, async |app| {
        let password = |number: usize| format!("{PASSWORD}-{number}");
        let body = |number| json!({ "name": "Ana", "email": "ana@example.com", "password": password(number) });
        let calls: Vec<_> = (0..6).map(|number| app.visitor().post(REGISTER, body(number))).collect();
        for reply in app.together(calls).await {
            reply.assert_ok(202, WAIT);
        }
        let code = app.link_code("ana@example.com").await;
        assert_void(&confirms(&app, &code).await);
        sets_password(&app, &code, OTHER_PASSWORD).await.assert_ok(200, "Contraseña restablecida exitosamente");
        for number in 0..6 {
            let reply = app.visitor().try_login("ana@example.com", &password(number)).await;
            reply.assert_code(401, "INVALID_CREDENTIALS");
        }
    })
    .await;
}

#[tokio::test]
async fn an_address_that_another_account_took_meanwhile_is_not_taken_twice() {
    on_both_engines_with(required, async |app| {
        let (jefa, eva) = (app.admin().await, confirmed(&app, "eva@example.com").await);
        registers(&app.visitor(), "ana@example.com", PASSWORD).await.assert_ok(202, WAIT);
        let register = app.link_code("ana@example.com").await;
        done(eva.put(PROFILE, json!({ "email": "ana@example.com" }))).await;
        let change = app.link_code("ana@example.com").await;
        assert_ne!(register, change);
        // An administrator is believed at once.
        done(jefa.put(&format!("/api/admin/users/{}", jefa.id), json!({ "email": "ana@example.com" }))).await;
        for code in [register, change] {
            let reply = confirms_as(&eva, &code).await;
            reply.assert_error(409, "USER_ALREADY_EXISTS", "El email ya está registrado");
        }
        assert_eq!(profile(&eva).await["user"]["email"], "eva@example.com");
    })
    .await;
}

#[tokio::test]
async fn the_old_address_stays_until_the_new_one_is_confirmed() {
    on_both_engines_with(required, async |app| {
        let ana = confirmed(&app, "ana@example.com").await;
        let phone = ana.another_session().await;
        let sent = app.mails().await.len();
        let body = json!({ "name": "Ana R.", "email": "Ana@example.org" });
        let data = ana.put(PROFILE, body).await.assert_ok(200, "Perfil actualizado exitosamente");
        assert_has(&data["user"], json!({ "email": "ana@example.com", "email_verified": true, "name": "Ana R." }));
        assert_eq!(data["pending_email"], "ana@example.org");
        assert_eq!(profile(&phone).await, data);
        let mails = app.mails().await;
        let old = mails[sent..].iter().find(|mail| mail.to == "ana@example.com").expect("word to the old address");
        assert!(!old.text.contains("token=") && !old.text.contains("ana@example.org"), "{}", old.text);
        assert!(old.text.contains("a***@example.org"), "{}", old.text);
        assert_eq!(mails.len(), sent + 2);
        // A name alone leaves it as it is, and so does the address that is in force.
        let same = ana.put(PROFILE, json!({ "name": "Ana Ruiz", "email": "ana@example.com" })).await.data();
        assert_eq!(same["pending_email"], "ana@example.org");
        assert_eq!(app.mails().await.len(), sent + 2);

        let code = app.link_code("ana@example.org").await;
        let data = confirms_as(&ana, &code).await.assert_ok(200, CONFIRMED);
        assert_eq!(data["email"], "ana@example.org");
        assert!(ana.is_in().await && !phone.is_in().await, "the session that asked goes on, the others do not");
        let data = profile(&ana).await;
        assert_has(&data["user"], json!({ "email": "ana@example.org", "email_verified": true }));
        assert_eq!(keys(&data), ["user"]);
        let mails = app.mails().await;
        assert!(mails.len() == sent + 3 && mails[sent + 2].to == "ana@example.com", "the old address is told again");
        assert_void(&confirms_as(&ana, &code).await);
        app.visitor().try_login("ana@example.com", PASSWORD).await.assert_code(401, "INVALID_CREDENTIALS");
        app.visitor().try_login("ana@example.org", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
        let ended = ana.get("/api/auth/sessions?ended=true").await.data()["sessions"].to_string();
        assert!(ended.contains("email_changed"), "{ended}");
    })
    .await;
}

#[tokio::test]
async fn a_change_of_address_does_not_outlive_what_asked_for_it() {
    on_both_engines_with(required, async |app| {
        let ana = confirmed(&app, "ana@example.com").await;
        let thief = ana.another_session().await;
        let asks = async |to: &str| {
            app.clock.advance(Duration::from_mins(61));
            let thief = ana.signed_in_with(PASSWORD).await;
            thief.put(PROFILE, json!({ "email": to })).await.assert_ok(200, "Perfil actualizado exitosamente");
            (thief, app.link_code(to).await)
        };
        // Another one.
        let (_, code) = asks("uno@example.net").await;
        let (_, second) = asks("dos@example.net").await;
        assert_void(&confirms_as(&ana, &code).await);
        // The session that asked is ended.
        let (thief_again, third) = asks("tres@example.net").await;
        assert_void(&confirms_as(&ana, &second).await);
        ana.call("POST", "/api/auth/logout-others").await.assert_ok(200, "Otras sesiones cerradas exitosamente");
        assert!(!thief_again.is_in().await && !thief.is_in().await);
        assert_void(&confirms_as(&ana, &third).await);
        // The password is changed.
        let (own, fourth) = asks("cuatro@example.net").await;
        let body = json!({ "currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD });
        own.put("/api/auth/password", body).await.assert_ok(200, "Contraseña actualizada exitosamente");
        assert_void(&confirms_as(&own, &fourth).await);
        assert_eq!(keys(&profile(&own).await), ["user"], "nothing waits any more");
        // Time.
        done(own.put(PROFILE, json!({ "email": "cinco@example.net" }))).await;
        let fifth = app.link_code("cinco@example.net").await;
        app.clock.advance(Duration::from_hours(24));
        let again = app.visitor().try_login("ana@example.com", OTHER_PASSWORD).await.data();
        assert_void(&confirms_as(&app.visitor().with_token(again["token"].as_str().unwrap()), &fifth).await);
        let user = app.visitor().try_login("ana@example.com", OTHER_PASSWORD).await.data()["user"].clone();
        assert_eq!(user["email"], "ana@example.com");
    })
    .await;
}

#[tokio::test]
async fn who_is_suspended_confirms_nothing() {
    on_both_engines_with(required, async |app| {
        let (admin, ana) = (app.admin().await, confirmed(&app, "ana@example.com").await);
        done(ana.put(PROFILE, json!({ "email": "ana@example.org" }))).await;
        let code = app.link_code("ana@example.org").await;
        let path = format!("/api/admin/users/{}", ana.id);
        done(admin.put(&path, json!({ "status": "suspended" }))).await;
        confirms_as(&ana, &code).await.assert_code(403, "SIGN_IN_REQUIRED");
        assert_eq!(admin.get(&path).await.data()["email"], "ana@example.com");
    })
    .await;
}

#[tokio::test]
async fn wanting_an_address_does_not_tell_whether_it_has_an_account() {
    on_both_engines_with(required, async |app| {
        let (ana, eva) = (confirmed(&app, "ana@example.com").await, confirmed(&app, "eva@example.com").await);
        let sent = app.mails().await.len();
        let data = ana.put(PROFILE, json!({ "email": "eva@example.com" })).await;
        let data = data.assert_ok(200, "Perfil actualizado exitosamente");
        assert_eq!(data["pending_email"], "eva@example.com");
        let mails = app.mails().await;
        let to_eva: Vec<_> = mails[sent..].iter().filter(|mail| mail.to == "eva@example.com").collect();
        assert!(to_eva.len() == 1 && !to_eva[0].text.contains("token="), "{to_eva:?}");
        assert!(eva.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn accounts_that_are_there_go_on_when_confirming_is_asked_for() {
    on_both_engines(async |app| {
        let (ana, admin) = (app.user("ana").await, app.admin().await);
        app.set(required);
        app.restart().await;
        assert!(ana.is_in().await);
        let data = ana.try_login("ana@example.com", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
        assert_eq!(data["user"]["email_verified"], false);
        // They can confirm it all the same.
        asks_again(&app, "ana@example.com").await;
        confirms(&app, &app.link_code("ana@example.com").await).await.assert_ok(200, CONFIRMED);
        assert_eq!(profile(&ana).await["user"]["email_verified"], true);
        let by = UserChange { email_verified: Some(true), ..UserChange::default() };
        let after = administer::update_user(&app.inside(), By::Operator, UserId(admin.id), by).await.unwrap();
        assert!(after.email_verified && admin.is_in().await, "marking it ends nothing");
        // And who waits is let in when nobody has to any more.
        registers(&app.visitor(), "eva@example.com", PASSWORD).await.assert_ok(202, WAIT);
        let code = app.link_code("eva@example.com").await;
        app.set(|options| options.settings.verification = Verification::Off);
        app.restart().await;
        confirms(&app, &code).await.assert_ok(200, CONFIRMED);
        app.visitor().try_login("eva@example.com", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
    })
    .await;
}

#[tokio::test]
async fn an_address_gets_three_such_mails_an_hour_of_a_network_and_ten_of_all() {
    on_both_engines_with(required, async |app| {
        confirmed(&app, "ana@example.com").await;
        app.clock.advance(Duration::from_hours(2));
        for email in ["eva@example.com", "ana@example.com"] {
            let sent = app.mails().await.len();
            let to = async || app.mails().await[sent..].iter().filter(|mail| mail.to == email).count();
            let mallory = app.visitor();
            for _ in 0..4 {
                registers(&mallory, email, OTHER_PASSWORD).await.assert_ok(202, WAIT);
                mallory.post(RESEND, json!({ "email": email })).await.assert_ok(200, ASKED);
                app.clock.advance(Duration::from_mins(1));
                app.tick().await;
            }
            assert_eq!(to().await, 3, "{email}");
            // That keeps nobody else from a link.
            registers(&app.visitor(), email, PASSWORD).await.assert_ok(202, WAIT);
            assert_eq!(to().await, 4, "{email}");
            for _ in 0..8 {
                registers(&app.visitor(), email, PASSWORD).await.assert_ok(202, WAIT);
                app.tick().await;
            }
            assert_eq!(to().await, 10, "{email}");
        }
        // And those that came stay good, however often somebody asks.
        let code = app.link_code("eva@example.com").await;
        registers(&app.visitor(), "eva@example.com", OTHER_PASSWORD).await.assert_ok(202, WAIT);
        sets_password(&app, &code, PASSWORD).await.assert_ok(200, "Contraseña restablecida exitosamente");
        app.clock.advance(Duration::from_hours(1));
        let sent = app.mails().await.len();
        registers(&app.visitor(), "lola@example.com", PASSWORD).await.assert_ok(202, WAIT);
        registers(&app.visitor(), "ana@example.com", PASSWORD).await.assert_ok(202, WAIT);
        assert_eq!(app.mails().await.len(), sent + 2);
    })
    .await;
}

#[tokio::test]
async fn accounts_that_come_and_go_bring_no_further_mails() {
    let set = |options: &mut Options| {
        notify(options);
        options.settings.own_deletion = OwnDeletion::Allowed;
    };
    on_both_engines_with(set, async |app| {
        let visitor = app.visitor();
        for _ in 0..4 {
            let reply = registers(&visitor, "ana@example.com", PASSWORD).await;
            let ana = visitor.with_token(reply.data()["token"].as_str().unwrap());
            visitor.post("/api/auth/forgot-password", json!({ "email": "ana@example.com" })).await;
            app.mails().await;
            done(ana.delete("/api/auth/profile").json(json!({ "currentPassword": PASSWORD }))).await;
            app.visitor().try_login("ana@example.com", PASSWORD).await.assert_code(401, "INVALID_CREDENTIALS");
        }
        let mails = app.mails().await;
        let of = |path: &str| mails.iter().filter(|mail| mail.text.contains(path)).count();
        assert_eq!((of("/verify-email?"), of("/reset-password?")), (3, 3));
        // What counts them is no address.
        assert!(!kept(&app).await.contains("ana@example.com"));
        app.clock.advance(Duration::from_hours(1) + Duration::from_millis(1));
        app.tick().await;
        assert_eq!(testing::rows_as_text(app.database_url(), "outbox").await, "", "nor does it stay");
        registers(&visitor, "ana@example.com", PASSWORD).await;
        assert_eq!(app.mails().await.len(), mails.len() + 1);
    })
    .await;
}

#[tokio::test]
async fn notices_of_changes_are_counted_too_and_the_first_leaves_whatever_others_asked_for() {
    on_both_engines_with(notify, async |app| {
        let ana = app.user("ana").await;
        for _ in 0..12 {
            app.visitor().post(RESEND, json!({ "email": "ana@example.com" })).await.assert_ok(200, ASKED);
            app.visitor().post("/api/auth/forgot-password", json!({ "email": "ana@example.com" })).await;
        }
        let sent = app.mails().await.len();
        let (mut now, mut next) = (PASSWORD, OTHER_PASSWORD);
        for number in 0..8 {
            let body = json!({ "currentPassword": now, "newPassword": next });
            ana.put("/api/auth/password", body).await.assert_ok(200, "Contraseña actualizada exitosamente");
            (now, next) = (next, now);
            let told = app.mails().await.len() - sent;
            assert_eq!(told, (number + 1).min(5), "{number}");
        }
        let sent = app.mails().await.len();
        for number in 0..8 {
            done(ana.put(PROFILE, json!({ "email": format!("n{number}@example.net") }))).await;
            app.mails().await;
        }
        let mails = app.mails().await;
        let told: Vec<&str> =
            mails[sent..].iter().filter(|mail| !mail.text.contains("token=")).map(|mail| mail.to.as_str()).collect();
        assert_eq!(told.len(), 5, "{told:?}");
        assert_eq!(told[0], "ana@example.com");
    })
    .await;
}

#[tokio::test]
async fn mails_to_an_address_of_before_go_with_the_account() {
    on_both_engines_with(required, async |app| {
        let (lola, eva) = (confirmed(&app, "lola@example.com").await, confirmed(&app, "eva@example.com").await);
        registers(&app.visitor(), "lola@example.com", OTHER_PASSWORD).await.assert_ok(202, WAIT);
        done(eva.put(PROFILE, json!({ "email": "lola@example.com" }))).await;
        app.mails().await;
        done(lola.put(PROFILE, json!({ "email": "lola2@example.com" }))).await;
        confirms_as(&lola, &app.link_code("lola2@example.com").await).await.assert_ok(200, CONFIRMED);
        app.mails().await;
        let admin = app.admin().await;
        admin.delete(&format!("/api/auth/users/{}", lola.id)).await.assert_ok(200, "Usuario eliminado exitosamente");
        let after = testing::rows_as_text(app.database_url(), "outbox").await;
        let mine = after.lines().filter(|row| !row.contains("email_change")).collect::<Vec<_>>();
        assert!(!format!("{mine:?}").contains("lola"), "{after}");
    })
    .await;
}

#[tokio::test]
async fn mails_from_before_the_account_are_the_accounts() {
    on_both_engines_with(required, async |app| {
        let admin = app.admin().await;
        registers(&app.visitor(), "ana@example.com", PASSWORD).await.assert_ok(202, WAIT);
        app.mails().await;
        app.visitor().post("/api/auth/forgot-password", json!({ "email": "ana@example.com" })).await;
        let code = app.link_code("ana@example.com").await;
        sets_password(&app, &code, PASSWORD).await.assert_ok(200, "Contraseña restablecida exitosamente");
        let data = app.visitor().try_login("ana@example.com", PASSWORD).await.data();
        let ana = app.visitor().with_token(data["token"].as_str().unwrap());
        let before = ana.get("/api/auth/profile/data").await.data()["mails"].to_string();
        assert!(before.contains("registered") && before.contains("reset"), "{before}");
        // Also under another address, by which they could not be found.
        let path = format!("/api/admin/users/{}", data["user"]["user_id"]);
        done(admin.put(&path, json!({ "email": "nueva@example.com" }))).await;
        let data = app.visitor().try_login("nueva@example.com", PASSWORD).await.data();
        let ana = app.visitor().with_token(data["token"].as_str().unwrap());
        let after = ana.get("/api/auth/profile/data").await.data()["mails"].to_string();
        assert!(after.contains("registered") && after.contains("reset"), "{after}");
        admin.delete(&format!("/api/auth/users/{}", data["user"]["user_id"])).await;
        let kept = kept(&app).await;
        assert!(!kept.contains("ana@example.com") && !kept.contains("nueva@example.com"), "{kept}");
    })
    .await;
}

#[tokio::test]
async fn an_account_asks_five_addresses_an_hour_to_confirm() {
    on_both_engines_with(notify, async |app| {
        let ana = app.user("ana").await;
        app.mails().await;
        app.clock.advance(Duration::from_hours(2));
        for number in 0..8 {
            let reply = ana.put(PROFILE, json!({ "email": format!("n{number}@example.net") })).await;
            reply.assert_ok(200, "Perfil actualizado exitosamente");
            app.mails().await;
        }
        let mails = app.mails().await;
        assert_eq!(mails.iter().filter(|mail| mail.text.contains("token=") && mail.to.starts_with('n')).count(), 5);
    })
    .await;
}

#[tokio::test]
async fn the_endpoints_are_limited_by_address() {
    let set = |options: &mut Options| {
        notify(options);
        options.settings.public_limit = Some(Rate { count: 3, window: Duration::from_mins(15) });
    };
    on_both_engines_with(set, async |app| {
        let visitor = app.visitor();
        visitor.post(VERIFY, json!({ "token": "x" })).await.assert_code(401, "INVALID_VERIFICATION_TOKEN");
        visitor.post(RESEND, json!({ "email": "ana@example.com" })).await.assert_ok(200, ASKED);
        visitor.post(VERIFY, json!({})).await.assert_code(400, "VALIDATION_ERROR");
        for path in [VERIFY, RESEND, "/api/auth/accept-invitation"] {
            let reply = visitor.post(path, json!({ "token": "x", "email": "ana@example.com" })).await;
            let said = "Demasiadas peticiones desde esta IP, por favor intente más tarde.";
            reply.assert_error(429, "RATE_LIMITED", said);
            assert!(reply.number("retry-after") > 0);
        }
        app.visitor().post(RESEND, json!({ "email": "ana@example.com" })).await.assert_ok(200, ASKED);
    })
    .await;
}

#[tokio::test]
async fn a_registration_writes_nothing_of_its_own_into_a_mail() {
    on_both_engines_with(required, async |app| {
        let body = json!({ "name": "Gana en http://evil.example", "email": "ana@example.com", "password": PASSWORD });
        app.visitor().on("http://evil.example").post(REGISTER, body.clone()).await.assert_ok(202, WAIT);
        confirms(&app, &app.link_code("ana@example.com").await).await.assert_ok(200, CONFIRMED);
        app.visitor().post(REGISTER, body).await.assert_ok(202, WAIT);
        let mails = app.mails().await;
        assert_eq!(mails.len(), 2);
        for mail in mails {
            assert!(!mail.text.contains("evil.example") && !format!("{:?}", mail.html).contains("evil.example"));
        }
    })
    .await;
}

#[tokio::test]
async fn those_mails_speak_the_language_that_is_set() {
    let set = |options: &mut Options| {
        required(options);
        options.settings.locale = Locale::En;
        options.settings.verify_link = "https://app.example.com/confirm/{token}#token={token}".to_owned();
    };
    on_both_engines_with(set, async |app| {
        let reply = registers(&app.visitor(), "ana@example.com", PASSWORD).await;
        reply.assert_ok(202, "We have sent you an email to confirm your address");
        confirms(&app, &app.link_code("ana@example.com").await).await.assert_ok(200, "Email confirmed successfully");
        registers(&app.visitor(), "ana@example.com", PASSWORD).await;
        let mails = app.mails().await;
        let (first, second) = (&mails[0], &mails[1]);
        assert!(first.text.contains("https://app.example.com/confirm/") && first.text.contains("confirm"), "{first:?}");
        assert!(second.text.contains("already") && !second.text.contains("cuenta"), "{second:?}");
    })
    .await;
}

#[tokio::test]
async fn nothing_that_waits_is_kept_of_a_person_who_was_deleted() {
    on_both_engines_with(required, async |app| {
        let (admin, ana) = (app.admin().await, confirmed(&app, "ana@example.com").await);
        done(ana.put(PROFILE, json!({ "email": "otra@example.net" }))).await;
        registers(&app.visitor(), "ana@example.com", OTHER_PASSWORD).await.assert_ok(202, WAIT);
        let data = ana.get("/api/auth/profile/data").await.data();
        assert_eq!(data["pending_email"], "otra@example.net");
        app.mails().await;
        asks_again(&app, "ana@example.com").await;
        let before = kept(&app).await;
        assert!(before.contains("otra@example.net") && before.contains("ana@example.com"), "or this shows nothing");
        admin.delete(&format!("/api/auth/users/{}", ana.id)).await.assert_ok(200, "Usuario eliminado exitosamente");
        let after = kept(&app).await;
        assert!(!after.contains("otra@example.net") && !after.contains("ana@example.com"), "{after}");
    })
    .await;
}
