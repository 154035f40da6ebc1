//! Invitations: an administrator names an address and a role, the person sets a name and a password.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::time::Duration;

use cerrojo_app::administer::{MOST_INVITATIONS, NewInvitation, invite_by_hand};
use cerrojo_app::{Registration, Verification};
use cerrojo_domain::{Email, InvitationId, Roles, USER_ROLE, UnixMillis};
use cerrojo_store::invitations::{self, Invitation};
use cerrojo_store::testing;
use cerrojo_testkit::{
    Actor, OTHER_PASSWORD, Options, PASSWORD, Reply, TestApp, assert_has, on_both_engines, on_both_engines_with,
};
use serde_json::{Value, json};

const INVITATIONS: &str = "/api/admin/invitations";
const ACCEPT: &str = "/api/auth/accept-invitation";
const INVITED: &str = "Invitación enviada exitosamente";
const ACCEPTED: &str = "Invitación aceptada exitosamente";
const VOID: &str = "Invitación inválida o expirada. Solicita una nueva.";

/// Invitations work where nobody can register.
fn closed(options: &mut Options) {
    options.settings.registration = Registration::Closed;
    options.settings.roles = Roles::new([(3, "operator".to_owned())]).unwrap();
    options.settings.verification = Verification::Notify;
}

async fn invites(admin: &Actor, body: Value) -> Value {
    admin.post(INVITATIONS, body).await.assert_ok(201, INVITED)
}

async fn accepts(app: &TestApp, code: &str) -> Reply {
    app.visitor().post(ACCEPT, json!({ "token": code, "name": "Ana Ruiz", "password": PASSWORD })).await
}

fn assert_void(reply: &Reply) {
    reply.assert_error(401, "INVALID_INVITATION_TOKEN", VOID);
}

async fn waiting(admin: &Actor) -> Vec<Value> {
    let reply = admin.get(INVITATIONS).await;
    reply.assert_ok(200, "Invitaciones obtenidas exitosamente").as_array().unwrap().clone()
}

#[tokio::test]
async fn who_was_invited_sets_a_name_and_a_password_and_has_an_account() {
    on_both_engines_with(closed, async |app| {
        let admin = app.admin().await;
        let body = json!({ "email": " ANA@example.com", "role_id": 3 });
        let reply = admin.post(INVITATIONS, body).await;
        let invitation = reply.assert_ok(201, INVITED);
        assert_has(
            &invitation,
            json!({
                "email": "ana@example.com", "name": null, "role_id": 3, "role": "operator", "invited_by": admin.id,
                "created_at": "2026-02-13T10:00:00.000Z", "expires_at": "2026-02-20T10:00:00.000Z",
            }),
        );
        assert_eq!(waiting(&admin).await, [invitation]);
        let mails = app.mails().await;
        let code = mails[0].reset_code();
        let link = format!("http://127.0.0.1:4000/accept-invitation?token={code}");
        assert!(mails.len() == 1 && mails[0].to == "ana@example.com" && mails[0].text.contains(&link), "{mails:?}");
        assert!(!reply.json().to_string().contains(&code), "the code travels by mail alone");
        assert!(!testing::rows_as_text(app.database_url(), "codes").await.contains(&code), "and is kept as a hash");

        let data = accepts(&app, &code).await.assert_ok(201, ACCEPTED);
        let told = json!({
            "email": "ana@example.com", "name": "Ana Ruiz", "role_id": 3, "role": "operator", "status": "active",
            "email_verified": true, "last_session": null,
        });
        assert_has(&data, told);
        assert!(data.get("token").is_none(), "accepting signs nobody in: {data}");
        assert!(waiting(&admin).await.is_empty());
        assert_void(&accepts(&app, &code).await);
        let data = app.visitor().try_login("ana@example.com", PASSWORD).await;
        assert_eq!(data.assert_ok(200, "Inicio de sesión exitoso")["role_id"], 3);
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_an_invitation_is_told() {
    on_both_engines_with(closed, async |app| {
        let admin = app.admin().await;
        let no = |body: Value| admin.post(INVITATIONS, body);
        no(json!({})).await.assert_error(400, "VALIDATION_ERROR", "Email es requerido");
        no(json!({ "email": "ana" })).await.assert_error(400, "VALIDATION_ERROR", "Formato de email inválido");
        let ana = "ana@example.com";
        for (key, value) in
            [("role_id", json!(99)), ("role_id", json!("3")), ("role", json!("root")), ("role", json!(1))]
        {
            no(json!({ "email": ana, key: value })).await.assert_error(400, "VALIDATION_ERROR", "Rol inválido");
        }
        let two = json!({ "email": ana, "role": "admin", "role_id": 2 });
        no(two).await.assert_error(400, "VALIDATION_ERROR", "Rol inválido");
        for name in ["a".repeat(201), "a\nb".to_owned()] {
            no(json!({ "email": ana, "name": name })).await.assert_code(400, "VALIDATION_ERROR");
        }
        let taken = no(json!({ "email": "JEFA@example.com" })).await;
        taken.assert_error(409, "USER_ALREADY_EXISTS", "El email ya está registrado");
        assert!(waiting(&admin).await.is_empty() && app.mails().await.is_empty());
        assert_eq!(invites(&admin, json!({ "email": ana, "role": "admin", "roleId": 1 })).await["role_id"], 1);
        let said = "Ya hay una invitación pendiente para este email: reenvíela o revóquela";
        no(json!({ "email": ana })).await.assert_error(409, "CONFLICT", said);
        assert_eq!(invites(&admin, json!({ "email": "eva@example.com" })).await["role_id"], 2);
    })
    .await;
}

#[tokio::test]
async fn only_administrators_invite() {
    on_both_engines(async |app| {
        let (admin, ana) = (app.admin().await, app.user("ana").await);
        let id = invites(&admin, json!({ "email": "eva@example.com" })).await["id"].as_str().unwrap().to_owned();
        let one = format!("{INVITATIONS}/{id}");
        for call in [
            ana.post(INVITATIONS, json!({ "email": "x@example.com", "role_id": 1 })),
            ana.get(INVITATIONS),
            ana.call("POST", &format!("{one}/resend")),
            ana.delete(&one),
        ] {
            call.await.assert_error(403, "FORBIDDEN", "Acceso denegado: se requiere rol de administrador");
        }
        app.visitor().post(INVITATIONS, json!({ "email": "x@example.com" })).await.assert_token_missing();
        assert_eq!(waiting(&admin).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_an_acceptance_is_told_and_uses_nothing_up() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        invites(&admin, json!({ "email": "ana@example.com" })).await;
        let code = app.link_code("ana@example.com").await;
        let no = |body: Value| app.visitor().post(ACCEPT, body);
        no(json!({ "password": PASSWORD })).await.assert_error(400, "VALIDATION_ERROR", "Token es requerido");
        no(json!({ "token": code })).await.assert_error(400, "VALIDATION_ERROR", "Contraseña es requerida");
        let nameless = no(json!({ "token": code, "name": " ", "password": PASSWORD })).await;
        nameless.assert_error(400, "VALIDATION_ERROR", "Nombre es requerido");
        let control = json!({ "token": code, "name": "a\u{0}b", "password": PASSWORD });
        no(control).await.assert_code(400, "VALIDATION_ERROR");
        for (password, flaw) in [
            ("corta", "La contraseña debe tener al menos 8 caracteres"),
            ("ana@example.com", "La contraseña es demasiado común"),
        ] {
            let reply = no(json!({ "token": code, "name": "Ana", "password": password })).await;
            reply.assert_error_with(400, "VALIDATION_ERROR", "Contraseña no cumple requisitos", &[flaw]);
        }
        for token in ["x", &code[1..], admin.token(), &"a".repeat(5000)] {
            assert_void(&no(json!({ "token": token, "name": "Ana", "password": PASSWORD })).await);
        }
        let reset = app.reset_code("jefa@example.com").await;
        assert_void(&no(json!({ "token": reset, "name": "Ana", "password": PASSWORD })).await);
        for (path, refusal) in [
            ("/api/auth/verify-email", "INVALID_VERIFICATION_TOKEN"),
            ("/api/auth/reset-password", "INVALID_RESET_TOKEN"),
        ] {
            no(json!({})).await.assert_code(400, "VALIDATION_ERROR");
            let reply = app.visitor().post(path, json!({ "token": code, "newPassword": PASSWORD })).await;
            reply.assert_code(401, refusal);
        }
        accepts(&app, &code).await.assert_ok(201, ACCEPTED);
    })
    .await;
}

#[tokio::test]
async fn an_invitation_may_say_the_name() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        for (email, typed, shown) in
            [("ana@example.com", Value::Null, "Ana de la Fuente"), ("eva@example.com", json!("Eva"), "Eva")]
        {
            invites(&admin, json!({ "email": email, "name": "Ana de la Fuente" })).await;
            let body = json!({ "token": app.link_code(email).await, "name": typed, "password": PASSWORD });
            let data = app.visitor().post(ACCEPT, body).await.assert_ok(201, ACCEPTED);
            assert_eq!(data["name"], shown);
        }
    })
    .await;
}

#[tokio::test]
async fn an_invitation_works_for_its_time_and_is_forgotten_then() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        let week = Duration::from_hours(7 * 24);
        invites(&admin, json!({ "email": "ana@example.com" })).await;
        let first = app.link_code("ana@example.com").await;
        app.clock.advance(week);
        assert_void(&accepts(&app, &first).await);
        let admin = admin.signed_in_with(PASSWORD).await;
        assert!(waiting(&admin).await.is_empty());
        // In the place of the one that is over, though it was not swept yet.
        invites(&admin, json!({ "email": "ana@example.com" })).await;
        let second = app.link_code("ana@example.com").await;
        assert_void(&accepts(&app, &first).await);
        invites(&admin, json!({ "email": "eva@example.com" })).await;
        app.clock.advance(Duration::from_hours(7 * 24) - Duration::from_millis(1));
        accepts(&app, &second).await.assert_ok(201, ACCEPTED);
        app.clock.advance(Duration::from_hours(1));
        app.tick().await;
        for table in ["invitations", "codes"] {
            assert_eq!(testing::rows_as_text(app.database_url(), table).await.matches("eva@").count(), 0, "{table}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_invitation_is_sent_again_and_taken_back() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        let first = invites(&admin, json!({ "email": "ana@example.com", "name": "Ana" })).await;
        app.clock.advance(Duration::from_hours(1));
        let second = invites(&admin, json!({ "email": "eva@example.com" })).await;
        assert_eq!(waiting(&admin).await, [second.clone(), first.clone()]);
        let page = admin.get(&format!("{INVITATIONS}?page=2&limit=1")).await;
        assert_eq!(page.data(), json!([first]));
        let pagination = json!({
            "currentPage": 2, "totalPages": 2, "pageSize": 1, "totalItems": 2, "hasNextPage": false, "hasPreviousPage": true,
        });
        assert_eq!(page.json()["pagination"], pagination);

        let old = app.link_code("ana@example.com").await;
        let one = format!("{INVITATIONS}/{}", first["id"].as_str().unwrap());
        let again = admin.call("POST", &format!("{one}/resend")).await.assert_ok(200, INVITED);
        assert_eq!((&again["id"], &again["expires_at"]), (&first["id"], &json!("2026-02-20T11:00:00.000Z")));
        let new = app.link_code("ana@example.com").await;
        assert_ne!(old, new);
        assert_void(&accepts(&app, &old).await);

        let gone = "Invitación revocada exitosamente";
        assert_eq!(admin.delete(&one).await.assert_ok(200, gone), Value::Null);
        assert_void(&accepts(&app, &new).await);
        for path in [one.as_str(), "/api/admin/invitations/nothing", "/api/admin/invitations/%00"] {
            admin.delete(path).await.assert_error(404, "NOT_FOUND", "Invitación no encontrada");
            let reply = admin.call("POST", &format!("{path}/resend")).await;
            reply.assert_error(404, "NOT_FOUND", "Invitación no encontrada");
        }
        assert_eq!(waiting(&admin).await, [second]);
        // Taken back before the mail left: none does.
        let third = invites(&admin, json!({ "email": "lola@example.com" })).await;
        admin.delete(&format!("{INVITATIONS}/{}", third["id"].as_str().unwrap())).await.assert_ok(200, gone);
        assert!(!app.mails().await.iter().any(|mail| mail.to == "lola@example.com"));
    })
    .await;
}

#[tokio::test]
async fn nobody_is_flooded_with_invitations() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        let first = invites(&admin, json!({ "email": "ana@example.com" })).await;
        let resend = format!("{INVITATIONS}/{}/resend", first["id"].as_str().unwrap());
        for _ in 0..2 {
            app.mails().await;
            admin.call("POST", &resend).await.assert_ok(200, INVITED);
        }
        let code = app.link_code("ana@example.com").await;
        let refused = admin.call("POST", &resend).await;
        let said = "Ya se han enviado varios correos a esta dirección. Por favor, intente más tarde.";
        refused.assert_error(429, "RATE_LIMITED", said);
        assert!(refused.number("retry-after") > 0);
        accepts(&app, &code).await.assert_ok(201, ACCEPTED);
    })
    .await;
}

#[tokio::test]
async fn nobody_keeps_an_invitation_from_somebody() {
    let set = |options: &mut Options| options.settings.verification = Verification::Required;
    on_both_engines_with(set, async |app| {
        let admin = app.admin().await;
        let first = invites(&admin, json!({ "email": "ana@example.com" })).await;
        app.mails().await;
        for _ in 0..12 {
            let body = json!({ "name": "Ana", "email": "ana@example.com", "password": PASSWORD });
            assert_eq!(app.visitor().post("/api/auth/register", body).await.status, 202);
            app.tick().await;
        }
        let before = app.mails().await.len();
        let resend = format!("{INVITATIONS}/{}/resend", first["id"].as_str().unwrap());
        admin.call("POST", &resend).await.assert_ok(200, INVITED);
        assert_eq!(app.mails().await.len(), before + 1);
        accepts(&app, &app.link_code("ana@example.com").await).await.assert_ok(201, ACCEPTED);
    })
    .await;
}

#[tokio::test]
async fn what_an_administrator_may_no_longer_do_the_invitations_of_before_do_neither() {
    on_both_engines(async |app| {
        let jefa = app.admin().await;
        let mut codes = Vec::new();
        for (name, change) in [
            ("degradada", Some(json!({ "role_id": 2 }))),
            ("suspendida", Some(json!({ "status": "suspended" }))),
            (
                "asaltada",
                Some(json!({ "currentPassword": PASSWORD, "newPassword": "otra contraseña, larga y nueva 3" })),
            ),
            ("borrada", None),
        ] {
            let other = app.admin_named(name).await;
            let email = format!("puerta-de-{name}@example.com");
            invites(&other, json!({ "email": email, "role": "admin" })).await;
            codes.push(app.link_code(&email).await);
            let reply = match change {
                Some(change) if name == "asaltada" => other.put("/api/auth/password", change).await,
                Some(change) => jefa.put(&format!("/api/admin/users/{}", other.id), change).await,
                None => jefa.delete(&format!("/api/auth/users/{}", other.id)).await,
            };
            assert_eq!(reply.status, 200, "{reply}");
            if name == "suspendida" {
                let back = jefa.put(&format!("/api/admin/users/{}", other.id), json!({ "status": "active" })).await;
                assert_eq!(back.status, 200, "{back}");
            }
        }
        for code in codes {
            assert_void(&accepts(&app, &code).await);
        }
        // Those of others, and of the operator, go on.
        invites(&jefa, json!({ "email": "ana@example.com" })).await;
        accepts(&app, &app.link_code("ana@example.com").await).await.assert_ok(201, ACCEPTED);
        let whom = NewInvitation { email: Some("eva@example.com".to_owned()), name: None, role_id: USER_ROLE };
        let (_, link) = invite_by_hand(&app.inside(), whom).await.unwrap();
        let (_, code) = link.split_once("token=").unwrap();
        assert!(!app.mails().await.iter().any(|mail| mail.to == "eva@example.com"), "no mail, and no second code");
        accepts(&app, code).await.assert_ok(201, ACCEPTED);
    })
    .await;
}

#[tokio::test]
async fn who_registered_meanwhile_gets_no_role_by_the_invitation() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        invites(&admin, json!({ "email": "ana@example.com", "role": "admin" })).await;
        let code = app.link_code("ana@example.com").await;
        let ana = app.user("ana").await;
        let reply = accepts(&app, &code).await;
        reply.assert_error(409, "USER_ALREADY_EXISTS", "El email ya está registrado");
        assert_eq!(ana.get("/api/auth/profile").await.data()["user"]["role_id"], 2);
        assert!(ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn an_acceptance_leaves_nothing_of_a_strangers_registration() {
    on_both_engines_with(
        |options| options.settings.verification = Verification::Required,
        async |app| {
            let admin = app.admin().await;
            let mallory = app.visitor();
            let body = json!({ "name": "Mallory", "email": "ana@example.com", "password": OTHER_PASSWORD });
            assert_eq!(mallory.post("/api/auth/register", body).await.status, 202);
            let hers = app.link_code("ana@example.com").await;
            invites(&admin, json!({ "email": "ana@example.com" })).await;
            accepts(&app, &app.link_code("ana@example.com").await).await.assert_ok(201, ACCEPTED);
            let reply = app.visitor().post("/api/auth/verify-email", json!({ "token": hers })).await;
            reply.assert_code(401, "INVALID_VERIFICATION_TOKEN");
            mallory.try_login("ana@example.com", OTHER_PASSWORD).await.assert_code(401, "INVALID_CREDENTIALS");
            app.visitor().try_login("ana@example.com", PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_simultaneous_acceptances_one_succeeds() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        invites(&admin, json!({ "email": "ana@example.com" })).await;
        let code = app.link_code("ana@example.com").await;
        let calls = (0..6).map(|number| {
            let body = json!({ "token": code, "name": "Ana", "password": format!("{PASSWORD}{number}") });
            app.visitor().post(ACCEPT, body)
        });
        let mut statuses: Vec<u16> = app.together(calls).await.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 401, 401, 401, 401, 401]);
    })
    .await;
}

#[tokio::test]
async fn no_more_wait_than_somebody_can_look_through() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        let inside = app.inside();
        let mut tx = inside.store.begin().await.unwrap();
        for number in 0..MOST_INVITATIONS {
            let invitation = Invitation {
                id: InvitationId::from_text(format!("i{number}")),
                email: Email::parse(&format!("i{number}@example.com")).unwrap(),
                name: None,
                role_id: USER_ROLE,
                invited_by: None,
                created_at: UnixMillis(number),
                expires_at: UnixMillis(i64::MAX),
            };
            invitations::insert(&mut tx, &invitation).await.unwrap();
        }
        tx.commit().await.unwrap();
        let full = admin.post(INVITATIONS, json!({ "email": "ana@example.com" })).await;
        full.assert_error(409, "CONFLICT", "Hay demasiadas invitaciones pendientes: revoque alguna");
        let gone = admin.delete(&format!("{INVITATIONS}/i7")).await;
        gone.assert_ok(200, "Invitación revocada exitosamente");
        invites(&admin, json!({ "email": "ana@example.com" })).await;
    })
    .await;
}
