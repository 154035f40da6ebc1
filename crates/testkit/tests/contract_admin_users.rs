//! Looking for users, and taking a password away, as an administrator.

use std::time::Duration;

use cerrojo_testkit::{Actor, OTHER_PASSWORD, PASSWORD, TestApp, on_both_engines};
use serde_json::json;

const USERS: &str = "/api/admin/users";
const FOUND: &str = "Usuarios obtenidos exitosamente";

/// An administrator (1) and three users (2 to 4), the third of them suspended.
async fn people(app: &TestApp) -> Actor {
    let admin = app.admin().await;
    for (name, email) in
        [("Ñandú Álvarez", "zeta@example.com"), ("Bea Ruiz", "bea@example.org"), ("ana ruiz", "ana@example.com")]
    {
        app.clock.advance(Duration::from_secs(1));
        let typed = json!({ "name": name, "email": email, "password": PASSWORD });
        assert_eq!(app.visitor().post("/api/auth/register", typed).await.status, 201);
    }
    let suspended = json!({ "status": "suspended" });
    admin.put(&format!("{USERS}/3"), suspended).await.assert_ok(200, "Usuario actualizado exitosamente");
    admin
}

#[tokio::test]
async fn users_are_looked_for_filtered_and_sorted() {
    on_both_engines(async |app| {
        let admin = people(&app).await;
        for (query, expected) in [
            ("", &[4, 3, 2, 1][..]),
            ("search=", &[4, 3, 2, 1]),
            ("search=RUIZ", &[4, 3]),
            ("search=nandu", &[2]),
            ("search=%C3%B1and%C3%BA+alv", &[2]),
            ("search=example.org", &[3]),
            ("search=3", &[3]),
            ("search=%25", &[]),
            ("search=_", &[]),
            ("search=ruiz&status=active", &[4]),
            ("status=suspended", &[3]),
            ("status=inactive", &[]),
            ("role_id=1", &[1]),
            ("role_id=2&sort=registered_at", &[2, 3, 4]),
            ("sort=-registered_at", &[4, 3, 2, 1]),
            ("sort=name", &[4, 3, 1, 2]),
            ("sort=-name", &[2, 1, 3, 4]),
            ("sort=email", &[4, 3, 1, 2]),
            ("sort=-email", &[2, 1, 3, 4]),
        ] {
            let reply = admin.get(&format!("{USERS}?{query}")).await;
            let users = reply.assert_ok(200, FOUND);
            let ids: Vec<i64> = users.as_array().unwrap().iter().map(|user| user["id"].as_i64().unwrap()).collect();
            assert_eq!(ids, expected, "{query}");
            assert_eq!(reply.json()["pagination"]["totalItems"], expected.len(), "{query}");
        }
        let second = admin.get(&format!("{USERS}?search=ruiz&sort=name&limit=1&page=2")).await;
        assert_eq!(second.assert_ok(200, FOUND)[0]["id"], 3);
        let pages = json!({ "currentPage": 2, "totalPages": 2, "pageSize": 1, "totalItems": 2, "hasNextPage": false, "hasPreviousPage": true });
        assert_eq!(second.json()["pagination"], pages);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_and_said() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        let long = format!("search={}", "a".repeat(201));
        for (query, about) in [
            ("status=asleep", "status"),
            ("status=", "status"),
            ("status=ACTIVE", "status"),
            ("role_id=admin", "role_id"),
            ("role_id=0", "role_id"),
            ("sort=password_hash", "sort"),
            ("sort=-", "sort"),
            ("sort=name&sort=email", "sort"),
            ("search=a&search=b", "search"),
            ("search=a%00b", "search"),
            ("search=a%0Ab", "search"),
            (&*long, "search"),
        ] {
            let reply = admin.get(&format!("{USERS}?{query}")).await;
            assert_eq!(reply.status, 400, "{query}: {reply}");
            let body = reply.json();
            assert_eq!(body["code"], "VALIDATION_ERROR");
            assert_eq!(body["message"], "Datos de entrada inválidos");
            assert!(body["errors"][0].as_str().unwrap().starts_with(about), "{query}: {body}");
        }
        admin.get(&format!("{USERS}?role_id=99")).await.assert_error(400, "VALIDATION_ERROR", "Rol inválido");
        let longest = format!("{USERS}?search={}", "%C3%B1".repeat(200));
        assert_eq!(admin.get(&longest).await.assert_ok(200, FOUND), json!([]));
    })
    .await;
}

#[tokio::test]
async fn whose_password_is_taken_away_signs_in_with_none_and_gets_a_link() {
    on_both_engines(async |app| {
        let (admin, ana) = (app.admin().await, app.user("ana").await);
        let path = |of: i64| format!("{USERS}/{of}/force-reset");
        let voided = "Contraseña anulada y sesiones cerradas exitosamente";
        app.visitor().post("/api/auth/forgot-password", json!({ "email": ana.email })).await;
        let earlier = app.reset_code(&ana.email).await;
        let user = admin.call("POST", &path(ana.id)).await.assert_ok(200, voided);
        assert_eq!((&user["user_id"], &user["status"]), (&json!(ana.id), &json!("active")));
        ana.get("/api/auth/profile").await.assert_token_refused();
        app.visitor().try_login(&ana.email, PASSWORD).await.assert_code(401, "INVALID_CREDENTIALS");
        let typed = |token: &str| json!({ "token": token, "newPassword": OTHER_PASSWORD });
        let reset = "/api/auth/reset-password";
        app.visitor().post(reset, typed(&earlier)).await.assert_code(401, "INVALID_RESET_TOKEN");
        let code = app.link_code(&ana.email).await;
        app.visitor().post(reset, typed(&code)).await.assert_ok(200, "Contraseña restablecida exitosamente");
        assert_eq!(app.visitor().try_login(&ana.email, OTHER_PASSWORD).await.status, 200);

        admin.call("POST", &path(admin.id)).await.assert_code(403, "FORBIDDEN");
        assert!(admin.is_in().await);
        ana.signed_in_with(OTHER_PASSWORD).await.call("POST", &path(admin.id)).await.assert_code(403, "FORBIDDEN");
        admin.call("POST", &path(999)).await.assert_error(404, "NOT_FOUND", "Usuario no encontrado");
        admin.call("POST", &format!("{USERS}/x/force-reset")).await.assert_code(400, "VALIDATION_ERROR");
    })
    .await;
}

#[tokio::test]
async fn a_mailbox_is_not_filled_by_taking_passwords_away() {
    on_both_engines(async |app| {
        let (admin, ana) = (app.admin().await, app.user("ana").await);
        for _ in 0..9 {
            let path = format!("{USERS}/{}/force-reset", ana.id);
            assert_eq!(admin.call("POST", &path).await.status, 200);
        }
        let sent = app.mails().await.into_iter().filter(|mail| mail.subject == "Elige una contraseña nueva").count();
        assert_eq!(sent, 5, "as of any other mail about an account within an hour");
        let suspended = app.user("luis").await;
        let path = format!("{USERS}/{}", suspended.id);
        admin.put(&path, json!({ "status": "suspended" })).await.assert_ok(200, "Usuario actualizado exitosamente");
        assert_eq!(admin.call("POST", &format!("{path}/force-reset")).await.status, 200);
        assert!(app.mails().await.iter().all(|mail| mail.to != suspended.email), "no link where nobody may sign in");
    })
    .await;
}
