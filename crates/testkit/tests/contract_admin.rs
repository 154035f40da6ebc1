//! Administration, to the letter of the contract.

use cerrojo_domain::Roles;
use cerrojo_testkit::{Actor, PASSWORD, assert_has, on_both_engines, on_both_engines_with};
use serde_json::{Value, json};

const USERS: &str = "/api/admin/users";
const FORBIDDEN: &str = "Acceso denegado: se requiere rol de administrador";
const UPDATED: &str = "Usuario actualizado exitosamente";

fn path(of: &Actor) -> String {
    format!("{USERS}/{}", of.id)
}

#[tokio::test]
async fn others_are_told_that_it_takes_an_administrator() {
    on_both_engines(async |app| {
        let (ana, luis) = (app.user("ana").await, app.user("luis").await);
        let calls = |actor: &Actor| {
            vec![
                actor.get(USERS),
                actor.get(&path(&luis)),
                actor.put(&path(&luis), json!({ "name": "x" })),
                actor.put(&path(&luis), json!({})),
                actor.delete(&format!("/api/auth/users/{}", luis.id)),
                actor.get(&format!("{}/sessions", path(&luis))),
                actor.delete(&format!("{}/sessions", path(&luis))),
                actor.get(&format!("{USERS}/no-number")),
                actor.get(&path(&ana)),
            ]
        };
        for call in calls(&ana) {
            call.await.assert_error(403, "FORBIDDEN", FORBIDDEN);
        }
        for call in calls(&app.visitor()) {
            call.await.assert_token_missing();
        }
        assert!(luis.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn users_are_listed_newest_first_in_pages() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        for name in ["ana", "bea", "carlos", "diego"] {
            app.clock.advance(std::time::Duration::from_secs(1));
            app.user(name).await;
        }
        let reply = admin.get(USERS).await;
        let users = reply.assert_ok(200, "Usuarios obtenidos exitosamente");
        let names: Vec<&str> = users.as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["diego", "carlos", "bea", "ana", "jefa"]);
        let all = json!({ "currentPage": 1, "totalPages": 1, "pageSize": 100, "totalItems": 5, "hasNextPage": false, "hasPreviousPage": false });
        assert_eq!(reply.json()["pagination"], all);
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_has(
            &users[1],
            json!({
                "user_id": 4, "name": "carlos", "email": "carlos@example.com", "role_id": 2, "role_name": "user",
                "status": "active", "registration_date": "2026-02-13T10:00:03.000Z", "last_session": "2026-02-13T10:00:03.000Z",
            })
        );
        let reply = admin.get(&format!("{USERS}?page=2&limit=2")).await;
        let users = reply.assert_ok(200, "Usuarios obtenidos exitosamente");
        let names: Vec<&str> = users.as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["bea", "ana"]);
        let middle = json!({ "currentPage": 2, "totalPages": 3, "pageSize": 2, "totalItems": 5, "hasNextPage": true, "hasPreviousPage": true });
        assert_eq!(reply.json()["pagination"], middle);
        let beyond = admin.get(&format!("{USERS}?page=9&limit=2")).await;
        assert_eq!(beyond.assert_ok(200, "Usuarios obtenidos exitosamente"), json!([]));
        assert_eq!(beyond.json()["pagination"]["hasNextPage"], false);
        for odd in ["page=0", "page=-1", "limit=0", "limit=-5", "limit=100000000000000000000", "page=abc", "page=9223372036854775807&limit=1000", "page=", "page[]=1", "%ff=%ff"] {
            let reply = admin.get(&format!("{USERS}?{odd}")).await;
            assert!(reply.status == 200 || reply.status == 400, "{odd}: {reply}");
        }
    })
    .await;
}

#[tokio::test]
async fn one_user_is_shown_by_its_number() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        let ana = app.user("ana").await;
        let data = admin.get(&path(&ana)).await.assert_ok(200, "Usuario obtenido exitosamente");
        assert_eq!(data["user_id"], ana.id);
        assert_eq!(data["email"], "ana@example.com");
        assert_eq!(data["role_name"], "user");
        for id in ["abc", "1.5", "99999999999999999999", "1e3", "0x1", "%20"] {
            for call in [
                admin.get(&format!("{USERS}/{id}")),
                admin.put(&format!("{USERS}/{id}"), json!({ "name": "x" })),
                admin.delete(&format!("/api/auth/users/{id}")),
                admin.get(&format!("{USERS}/{id}/sessions")),
                admin.delete(&format!("{USERS}/{id}/sessions")),
            ] {
                call.await.assert_error(400, "VALIDATION_ERROR", "ID de usuario inválido");
            }
        }
        for call in [
            admin.get(&format!("{USERS}/999")),
            admin.put(&format!("{USERS}/999"), json!({ "name": "x" })),
            admin.delete("/api/auth/users/999"),
            admin.get(&format!("{USERS}/999/sessions")),
            admin.delete(&format!("{USERS}/999/sessions")),
        ] {
            call.await.assert_error(404, "NOT_FOUND", "Usuario no encontrado");
        }
    })
    .await;
}

#[tokio::test]
async fn a_status_other_than_active_ends_every_session_of_the_user() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        let (ana, luis) = (app.user("ana").await, app.user("luis").await);
        for status in ["inactive", "suspended"] {
            let session = ana.another_session().await;
            let data = admin.put(&path(&ana), json!({ "status": status })).await.assert_ok(200, UPDATED);
            assert_eq!(data["status"], status);
            assert!(!session.is_in().await);
            assert!(!ana.is_in().await);
            admin.put(&path(&ana), json!({ "status": "active" })).await.assert_ok(200, UPDATED);
            assert!(!session.is_in().await, "over is for ever");
        }
        assert!(luis.is_in().await);
        ana.another_session().await;
    })
    .await;
}

#[tokio::test]
async fn role_and_email_end_every_session_a_name_or_an_equal_value_none() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        let ana = app.user("ana").await;
        let same = json!({ "name": "ana", "email": "Ana@example.com", "role_id": 2, "status": "active" });
        admin.put(&path(&ana), same).await.assert_ok(200, UPDATED);
        let data = admin.put(&path(&ana), json!({ "name": "<i>Ana</i>" })).await.assert_ok(200, UPDATED);
        assert_eq!(data["name"], "<i>Ana</i>");
        assert!(ana.is_in().await);
        let data = admin.put(&path(&ana), json!({ "email": "ana@example.org" })).await.assert_ok(200, UPDATED);
        assert_eq!(data["email"], "ana@example.org");
        assert!(!ana.is_in().await);
        let mut moved = ana.clone();
        moved.email = "ana@example.org".to_owned();
        let ana = moved.another_session().await;
        let data = admin.put(&path(&ana), json!({ "roleId": 1 })).await.assert_ok(200, UPDATED);
        assert_eq!(data["role_name"], "admin");
        assert!(!ana.is_in().await);
        ana.another_session().await.get(USERS).await.assert_ok(200, "Usuarios obtenidos exitosamente");
    })
    .await;
}

#[tokio::test]
async fn what_an_update_refuses() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        let (ana, luis) = (app.user("ana").await, app.user("luis").await);
        let update = async |body: Value| admin.put(&path(&ana), body).await;
        for body in [json!({}), json!({ "password": "Otra-clave-larga-1" }), json!({ "name": null })] {
            update(body).await.assert_error(400, "VALIDATION_ERROR", "No hay datos para actualizar");
        }
        for role in [json!(99), json!(0), json!(-1), json!("admin"), json!(1.5), json!([1])] {
            update(json!({ "role_id": role })).await.assert_error(400, "VALIDATION_ERROR", "Rol inválido");
        }
        for status in [json!("dormido"), json!("Active"), json!(""), json!(1), json!(["active"])] {
            update(json!({ "status": status })).await.assert_error(400, "VALIDATION_ERROR", "Estado inválido");
        }
        update(json!({ "email": "nada" })).await.assert_error(400, "VALIDATION_ERROR", "Formato de email inválido");
        update(json!({ "email": luis.email })).await.assert_error(
            409,
            "CONFLICT",
            "El email ya está en uso por otro usuario",
        );
        assert!(ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn an_administrator_keeps_its_own_role_activity_and_account() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        app.admin_named("otra").await;
        for body in [json!({ "role_id": 2 }), json!({ "status": "inactive" }), json!({ "status": "suspended" })] {
            admin.put(&path(&admin), body).await.assert_code(403, "FORBIDDEN");
        }
        admin.delete(&format!("/api/auth/users/{}", admin.id)).await.assert_code(403, "FORBIDDEN");
        admin
            .put(&path(&admin), json!({ "role_id": 1, "status": "active", "name": "La Jefa" }))
            .await
            .assert_ok(200, UPDATED);
        assert!(admin.is_in().await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_stays_whoever_races() {
    on_both_engines(async |app| {
        for round in 0..4 {
            let (one, two) =
                (app.admin_named(&format!("una{round}")).await, app.admin_named(&format!("dos{round}")).await);
            // Only these two are left to be administrators.
            for user in one.get(USERS).await.data().as_array().unwrap() {
                let id = user["user_id"].as_i64().unwrap();
                if user["role_id"] == 1 && id != one.id && id != two.id {
                    one.delete(&format!("/api/auth/users/{id}")).await.assert_ok(200, "Usuario eliminado exitosamente");
                }
            }
            let replies = app
                .together([
                    one.put(&path(&two), json!({ "role_id": 2 })),
                    two.delete(&format!("/api/auth/users/{}", one.id)),
                ])
                .await;
            let successes = replies.iter().filter(|reply| reply.status == 200).count();
            assert_eq!(successes, 1, "{} and {}", replies[0], replies[1]);
            let left = if replies[0].status == 200 { &one } else { &two };
            assert!(left.is_in().await);
            left.get(USERS).await.assert_ok(200, "Usuarios obtenidos exitosamente");
        }
    })
    .await;
}

#[tokio::test]
async fn the_sessions_end_with_the_user_and_the_number_is_never_used_again() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        let ana = app.user("ana").await;
        let reply = admin.delete(&format!("/api/auth/users/{}", ana.id)).await;
        reply.assert_ok(200, "Usuario eliminado exitosamente");
        assert!(!ana.is_in().await);
        admin.get(&path(&ana)).await.assert_error(404, "NOT_FOUND", "Usuario no encontrado");
        admin.delete(&format!("/api/auth/users/{}", ana.id)).await.assert_error(
            404,
            "NOT_FOUND",
            "Usuario no encontrado",
        );
        app.visitor().try_login(&ana.email, PASSWORD).await.assert_code(401, "INVALID_CREDENTIALS");
        let again = app.user("ana").await;
        assert!(again.id > ana.id);
        assert!(!ana.is_in().await);
        app.restart().await;
        assert!(!ana.is_in().await);
        assert!(again.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn an_administrator_sees_and_ends_a_users_sessions() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        let ana = app.user("ana").await;
        let phone = ana.on("Teléfono").another_session().await;
        let sessions = format!("{}/sessions", path(&ana));
        let data = admin.get(&sessions).await.data();
        let ids: Vec<&Value> = data["sessions"].as_array().unwrap().iter().map(|session| &session["id"]).collect();
        assert_eq!(ids.len(), 2);
        assert!(ids.contains(&&json!(phone.session_id())) && ids.contains(&&json!(ana.session_id())));
        let reply = admin.delete(&sessions).await;
        assert_eq!(reply.status, 200, "{reply}");
        assert!(!ana.is_in().await);
        assert!(!phone.is_in().await);
        assert!(admin.is_in().await);
        assert_eq!(admin.get(&sessions).await.data()["sessions"], json!([]));
        let ended = admin.get(&format!("{sessions}?ended=true")).await.data();
        assert_eq!(ended["sessions"][0]["ended_reason"], "admin");
        assert_eq!(ended["sessions"][0]["ended_by"], format!("administrator:{}", admin.id));
        ana.another_session().await;
    })
    .await;
}

#[tokio::test]
async fn further_roles_are_declared_in_the_settings() {
    on_both_engines_with(
        |options| options.settings.roles = Roles::new([(3, "operator".to_owned())]).unwrap(),
        async |app| {
            let admin = app.admin().await;
            let ana = app.user("ana").await;
            let data = admin.put(&path(&ana), json!({ "role_id": 3 })).await.assert_ok(200, UPDATED);
            assert_eq!(data["role_name"], "operator");
            let data = app.visitor().try_login(&ana.email, PASSWORD).await.data();
            assert_eq!((&data["role"], &data["role_id"]), (&json!("operator"), &json!(3)));
            let session = ana.another_session().await;
            session.get(USERS).await.assert_error(403, "FORBIDDEN", FORBIDDEN);
        },
    )
    .await;
}
