//! What is kept of a person: told to the person, kept as long as is set, and gone with the account.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::time::Duration;

use cerrojo_app::OwnDeletion;
use cerrojo_store::testing;
use cerrojo_testkit::{Options, PASSWORD, TestApp, on_both_engines, on_both_engines_with};
use serde_json::{Value, json};

fn allowed(options: &mut Options) {
    options.settings.own_deletion = OwnDeletion::Allowed;
}

/// Every text in the whole database, as bytes or as a dump: whatever is found in it is kept.
async fn everything_kept(app: &TestApp) -> String {
    let tables = [
        "users",
        "sessions",
        "log",
        "reset_links",
        "codes",
        "registrations",
        "email_changes",
        "invitations",
        "outbox",
        "attempts",
        "known_addresses",
        "lists",
        "audit",
        "audit_waiting",
    ];
    let mut all = String::new();
    for table in tables {
        all += &testing::rows_as_text(app.database_url(), table).await;
    }
    all
}

#[tokio::test]
async fn a_person_is_told_all_of_it_and_nobody_elses() {
    on_both_engines(async |app| {
        let jefa = app.admin().await;
        let (ana, bea) = (app.user("ana").await, app.user("bea").await);
        let phone = ana.at("203.0.113.9").on("Teléfono 7").another_session().await;
        phone.logout().await;
        app.reset_code(&ana.email).await;
        let data = ana.get("/api/auth/profile/data").await.assert_ok(200, "Datos obtenidos exitosamente");
        assert_eq!(data["user"]["email"], json!(ana.email));
        let sessions = data["sessions"].as_array().unwrap();
        assert_eq!(sessions.len(), 2);
        assert_eq!((&sessions[0]["current"], &sessions[1]["ended_reason"]), (&json!(true), &json!("logout")));
        assert_eq!((&sessions[1]["device"], &sessions[1]["address"]), (&json!("Teléfono 7"), &json!("203.0.113.9")));
        let addresses: Vec<&Value> = data["addresses"].as_array().unwrap().iter().map(|one| &one["address"]).collect();
        assert!(addresses.contains(&&json!("203.0.113.9")) && addresses.len() == 2, "{addresses:?}");
        assert!(data["mails"].as_array().unwrap().iter().all(|mail| mail["delivered_at"].is_string()), "{data}");
        assert!(!data["mails"].as_array().unwrap().is_empty());
        let text = data.to_string();
        assert!(!text.contains("argon2") && !text.contains("token") && !text.contains(&bea.email), "{text}");

        let path = format!("/api/admin/users/{}/data", ana.id);
        let same = jefa.get(&path).await.assert_ok(200, "Datos obtenidos exitosamente");
        assert_eq!(
            (&same["user"], &same["addresses"], &same["mails"]),
            (&data["user"], &data["addresses"], &data["mails"])
        );
        assert_eq!(same["sessions"].as_array().unwrap().len(), 2);
        bea.get(&path).await.assert_code(403, "FORBIDDEN");
        jefa.get("/api/admin/users/98765/data").await.assert_code(404, "NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn nothing_of_a_person_is_kept_who_was_deleted() {
    on_both_engines(async |app| {
        let jefa = app.admin().await;
        let ana = app.user("ana-maría").await;
        let phone = ana.at("203.0.113.9").on("Teléfono 7").another_session().await;
        phone.logout().await;
        app.reset_code(&ana.email).await;
        ana.try_login(&ana.email, "wrong").await.assert_code(401, "INVALID_CREDENTIALS");
        let marks = ["ana-mar", "203.0.113.9", "Teléfono 7"];
        let before = everything_kept(&app).await;
        for mark in marks {
            assert!(before.contains(mark), "{mark} is not kept at all, or this shows nothing: {before}");
        }
        // Asked for and not delivered yet.
        let asked =
            ana.at("203.0.113.9").on("Firefox").post("/api/auth/forgot-password", json!({ "email": ana.email }));
        assert_eq!(asked.await.status, 200);
        jefa.delete(&format!("/api/auth/users/{}", ana.id)).await.assert_ok(200, "Usuario eliminado exitosamente");
        assert!(!ana.is_in().await && !phone.is_in().await);
        let after = everything_kept(&app).await;
        for mark in marks {
            assert!(!after.contains(mark), "{mark}: {after}");
        }
        app.restart().await;
        assert!(!ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn nor_from_where_a_deleted_administrator_ended_sessions() {
    on_both_engines(async |app| {
        let (jefa, old, ana) = (app.admin().await, app.admin_named("old").await, app.user("ana").await);
        let path = format!("/api/admin/users/{}/sessions", ana.id);
        assert_eq!(old.at("203.0.113.9").delete(&path).await.status, 200);
        let ended = async || testing::rows_as_text(app.database_url(), "sessions").await.contains("203.0.113.9");
        assert!(ended().await, "or this shows nothing");
        jefa.delete(&format!("/api/auth/users/{}", old.id)).await.assert_ok(200, "Usuario eliminado exitosamente");
        assert!(!ended().await && !ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn people_delete_their_own_account_where_that_is_allowed() {
    on_both_engines_with(allowed, async |app| {
        let (ana, jefa) = (app.user("ana").await, app.admin().await);
        let phone = ana.another_session().await;
        let with = |password: &str| json!({ "currentPassword": password });
        ana.delete("/api/auth/profile").await.assert_error(400, "VALIDATION_ERROR", "Contraseña actual es requerida");
        let wrong = ana.delete("/api/auth/profile").json(with("wrong")).await;
        wrong.assert_error(401, "INVALID_CREDENTIALS", "La contraseña actual es incorrecta");
        assert!(wrong.header("ratelimit-remaining").is_some());
        assert!(ana.is_in().await && phone.is_in().await);
        jefa.delete("/api/auth/profile").json(with(PASSWORD)).await.assert_code(403, "FORBIDDEN");
        assert!(jefa.is_in().await);

        let deleted = ana.delete("/api/auth/profile").json(with(PASSWORD)).await;
        deleted.assert_ok(200, "Cuenta eliminada exitosamente");
        assert!(!ana.is_in().await && !phone.is_in().await);
        ana.delete("/api/auth/profile").json(with(PASSWORD)).await.assert_token_refused();
        ana.try_login(&ana.email, PASSWORD).await.assert_code(401, "INVALID_CREDENTIALS");
        let path = format!("/api/admin/users/{}", ana.id);
        jefa.get(&path).await.assert_code(404, "NOT_FOUND");
        assert!(app.user("ana").await.id > ana.id, "the address is free, the number is not");
    })
    .await;
}

#[tokio::test]
async fn otherwise_nobody_does() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let reply = ana.delete("/api/auth/profile").json(json!({ "currentPassword": PASSWORD })).await;
        reply.assert_error(403, "FORBIDDEN", "La eliminación de la propia cuenta no está permitida");
        assert!(ana.is_in().await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_simultaneous_deletions_one_succeeds_and_no_sign_in_survives() {
    on_both_engines_with(allowed, async |app| {
        for round in 0..10 {
            let ana = app.user(&format!("ana{round}")).await;
            let body = json!({ "email": ana.email, "password": PASSWORD });
            let leave = || ana.delete("/api/auth/profile").json(json!({ "currentPassword": PASSWORD }));
            let sign_in = || ana.post("/api/auth/login", body.clone()).without("authorization");
            let replies = app.together([sign_in(), leave(), sign_in(), leave(), sign_in()]).await;
            let left = [1, 3].iter().filter(|place| replies[**place].status == 200).count();
            assert_eq!(left, 1, "{} {}", replies[1], replies[3]);
            for reply in [&replies[0], &replies[2], &replies[4]] {
                if reply.status == 200 {
                    assert!(!ana.with_token(reply.data()["token"].as_str().unwrap()).is_in().await);
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_over_is_remembered_as_long_as_is_set() {
    let set = |options: &mut Options| {
        options.settings.retention.ended_sessions = Duration::from_hours(5 * 24);
        options.settings.retention.known_addresses = Duration::from_hours(10 * 24);
        options.settings.retention.audit = Some(Duration::from_hours(10 * 24));
    };
    on_both_engines_with(set, async |app| {
        let ana = app.user("ana").await;
        ana.at("203.0.113.9").another_session().await.logout().await;
        let remembered = async |days: u64| {
            app.clock.advance(Duration::from_hours(days * 24));
            // Another one is the newest: that one is always kept.
            let now = ana.another_session().await;
            app.tick().await;
            let data = now.get("/api/auth/profile/data").await.data();
            let text = data.to_string();
            (text.contains("\"ended_reason\":\"logout\""), text.contains("203.0.113.9"))
        };
        assert_eq!(remembered(4).await, (true, true));
        assert_eq!(remembered(2).await, (false, true));
        assert!(!testing::rows_as_text(app.database_url(), "sessions").await.contains("logout"));
        assert_eq!(remembered(5).await, (false, false));
    })
    .await;
}
