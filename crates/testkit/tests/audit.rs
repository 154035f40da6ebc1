//! The audit trail: every act leaves its entry, together or not at all; the chain tells what was done to it.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use cerrojo_app::administer;
use cerrojo_app::audit::{self, Filter, Listed, Report, Verifying, Wrong};
use cerrojo_app::{OwnDeletion, Reauthentication, Verification, keys, personal, services};
use cerrojo_domain::{Actor as ActorOf, AuditKind, Origin, USER_ROLE, UnixMillis, UserId};
use cerrojo_store::audit::Act;
use cerrojo_store::imports::Imported;
use cerrojo_store::testing;
use cerrojo_testkit::browser::{self, Browser, form};
use cerrojo_testkit::{Actor, OTHER_PASSWORD, Options, PASSWORD, TestApp, on_both_engines, on_both_engines_with};
use serde_json::{Value, json};

const PATH: &str = "/api/admin/audit";

async fn entries(app: &TestApp) -> Vec<Listed> {
    audit::excerpt(&app.inside().store, &Filter::default(), 10_000).await.unwrap().entries
}

async fn newest(app: &TestApp, kind: AuditKind) -> Listed {
    let entries = entries(app).await;
    let of_kind = entries.into_iter().find(|entry| entry.said.kind == kind.as_str());
    of_kind.unwrap_or_else(|| panic!("no {}", kind.as_str()))
}

async fn verify(app: &TestApp, noted: Option<(i64, String)>) -> Report {
    let app = app.inside();
    audit::verify(Verifying { store: &app.store, key: &app.trail.key, noted }, |_, _| {}).await.unwrap()
}

async fn seal(app: &TestApp) {
    audit::seal(&app.inside()).await.unwrap();
}

fn found(report: &Report) -> Vec<(i64, Wrong)> {
    report.faults.iter().map(|fault| (fault.position, fault.wrong)).collect()
}

async fn data_of(actor: &Actor, query: &str) -> Vec<Value> {
    let data = actor.get(&format!("{PATH}{query}")).await.assert_ok(200, "Registro de auditoría obtenido exitosamente");
    data["entries"].as_array().unwrap().clone()
}

fn imported(email: &str) -> Imported {
    Imported {
        id: None,
        email: cerrojo_domain::Email::parse(email).unwrap(),
        name: "Importada".to_owned(),
        password_hash: "$argon2id$stand-in".to_owned(),
        role_id: USER_ROLE,
        status: cerrojo_domain::Status::Active,
        registration_date: UnixMillis(1),
        last_session: None,
        email_verified: false,
    }
}

/// What people do to themselves.
async fn acts_of_people(app: &TestApp) {
    let ana = app.user("ana").await;
    ana.try_login(&ana.email, "wrong").await.assert_code(401, "INVALID_CREDENTIALS");
    ana.put("/api/auth/profile", json!({ "name": "Otra" })).await.assert_ok(200, "Perfil actualizado exitosamente");
    let email = json!({ "email": "ana2@example.com", "currentPassword": PASSWORD });
    ana.put("/api/auth/profile", email).await.assert_ok(200, "Perfil actualizado exitosamente");
    let wrong = json!({ "currentPassword": "wrong", "newPassword": OTHER_PASSWORD });
    ana.put("/api/auth/password", wrong).await.assert_code(401, "INVALID_CREDENTIALS");
    let right = json!({ "currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD });
    ana.put("/api/auth/password", right).await.assert_ok(200, "Contraseña actualizada exitosamente");
    ana.get("/api/auth/profile/data").await.assert_ok(200, "Datos obtenidos exitosamente");
    let logout = ana.post("/api/auth/logout-others", json!({ "currentPassword": OTHER_PASSWORD })).await;
    logout.assert_ok(200, "Otras sesiones cerradas exitosamente");
    let code = app.reset_code("ana2@example.com").await;
    let reset = json!({ "token": code, "newPassword": PASSWORD });
    app.visitor().post("/api/auth/reset-password", reset).await.assert_ok(200, "Contraseña restablecida exitosamente");
    assert_eq!(ana.at("203.0.113.66").try_login("ana2@example.com", PASSWORD).await.status, 200);
    let code = app.link_code("ana2@example.com").await;
    let taken_back = form(app.visitor().call("POST", "/not-me"), &[("token", &code)]);
    assert_eq!(taken_back.header("sec-fetch-site", "same-origin").await.status, 303);
    let bea = app.user("bea").await;
    let leave = bea.delete("/api/auth/profile").json(json!({ "currentPassword": PASSWORD })).await;
    leave.assert_ok(200, "Cuenta eliminada exitosamente");
}

/// What people do where addresses have to be confirmed.
async fn acts_with_confirmation(app: &TestApp) {
    app.crash().await;
    app.set(|options| options.settings.verification = Verification::Required);
    app.run().await;
    let body = json!({ "name": "Cleo", "email": "cleo@example.com", "password": PASSWORD });
    assert_eq!(app.visitor().post("/api/auth/register", body).await.status, 202);
    let token = json!({ "token": app.link_code("cleo@example.com").await });
    assert_eq!(app.visitor().post("/api/auth/verify-email", token).await.status, 200);
    let reply = app.visitor().try_login("cleo@example.com", PASSWORD).await;
    let cleo = app.visitor().with_token(reply.data()["token"].as_str().unwrap());
    let email = json!({ "email": "cleo2@example.com", "currentPassword": PASSWORD });
    assert_eq!(cleo.put("/api/auth/profile", email).await.status, 200);
    let body = json!({ "name": "Nadie", "email": "nadie@example.com", "password": PASSWORD });
    assert_eq!(app.visitor().post("/api/auth/register", body).await.status, 202);
    let email = cerrojo_domain::Email::parse("nadie@example.com").unwrap();
    assert!(administer::forget_waiting(&app.inside(), &email).await.unwrap());
}

/// What administrators and the operator do.
async fn acts_of_others(app: &TestApp) {
    let jefa = app.admin().await;
    let dora = app.user_by_operator("dora").await;
    let path = format!("/api/admin/users/{dora}");
    for change in [json!({ "role_id": 1 }), json!({ "status": "inactive" }), json!({ "email_verified": true })] {
        assert_eq!(jefa.put(&path, change).await.status, 200);
    }
    assert_eq!(jefa.delete(&format!("{path}/sessions")).await.status, 200);
    assert_eq!(jefa.post(&format!("{path}/force-reset"), json!({})).await.status, 200);
    let invite = |email: &str| json!({ "email": email });
    let made = jefa.post("/api/admin/invitations", invite("eva@example.com")).await.data();
    let token = json!({ "token": app.link_code("eva@example.com").await, "name": "Eva", "password": PASSWORD });
    assert_eq!(app.visitor().post("/api/auth/accept-invitation", token).await.status, 201, "{made}");
    let made = jefa.post("/api/admin/invitations", invite("fina@example.com")).await.data();
    let path = format!("/api/admin/invitations/{}", made["id"].as_str().unwrap());
    assert_eq!(jefa.post(&format!("{path}/resend"), json!({})).await.status, 200);
    assert_eq!(jefa.delete(&path).await.status, 200);
    let inside = app.inside();
    administer::import_users(&inside, &[imported("gala@example.com"), imported("hilda@example.com")]).await.unwrap();
    services::add(&inside, "orders").await.unwrap();
    services::remove(&inside, "orders").await.unwrap();
    let key = keys::rotate(&inside).await.unwrap();
    keys::retire(&inside, &key).await.unwrap();
    acts_of_an_administrator(app).await;
    administer::end_everything(&inside).await.unwrap();
    audit::started(&inside).await.unwrap();
}

/// What an administrator does on pages alone.
async fn acts_of_an_administrator(app: &TestApp) {
    let mut browser = Browser::of(app);
    browser.sign_in("jefa@example.com", PASSWORD).await;
    assert_eq!(browser.send("/admin/audit/export", &[]).await.status, 200);
    assert_eq!(browser.send("/admin/mail/test", &[]).await.status, 303);
    app.mails().await;
    app.mailbox.go_down();
    for _ in 0..2 {
        app.visitor().post("/api/auth/forgot-password", json!({ "email": "jefa@example.com" })).await;
    }
    app.mails().await;
    app.clock.advance(Duration::from_secs(40));
    for path in ["/admin/mail/retry", "/admin/mail/drop"] {
        let page = browser::text(&browser.get("/admin/mail").await);
        let id = page.split("/admin/mail/drop?id=").nth(1).unwrap().split('"').next().unwrap().to_owned();
        assert_eq!(browser.send(path, &[("id", &id)]).await.status, 303);
    }
    app.mailbox.come_back();
}

trait ByOperator {
    async fn user_by_operator(&self, name: &str) -> i64;
}

impl ByOperator for TestApp {
    async fn user_by_operator(&self, name: &str) -> i64 {
        let added = administer::AddedUser {
            name: name.to_owned(),
            email: format!("{name}@example.com"),
            password: PASSWORD.to_owned(),
            role_id: USER_ROLE,
            email_verified: false,
        };
        administer::add_user(&self.inside(), administer::By::Operator, added).await.unwrap().id.0
    }
}

#[tokio::test]
async fn every_kind_of_act_leaves_its_entry() {
    let set = |options: &mut Options| {
        options.settings.own_deletion = OwnDeletion::Allowed;
        options.settings.reauthentication = Reauthentication::Required;
    };
    on_both_engines_with(set, async |app| {
        acts_of_people(&app).await;
        acts_of_others(&app).await;
        acts_with_confirmation(&app).await;
        for number in 0..101 {
            app.visitor()
                .try_login(&format!("nobody{number}@example.com"), "wrong")
                .await
                .assert_code(401, "INVALID_CREDENTIALS");
        }
        app.clock.advance(Duration::from_hours(1));
        app.tick().await;
        let entries = entries(&app).await;
        let kinds: BTreeSet<&str> = entries.iter().map(|entry| entry.said.kind.as_str()).collect();
        let all: BTreeSet<&str> = AuditKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(kinds, all);
        assert!(entries.iter().all(|entry| entry.sealed.is_some()));
        let text = testing::rows_as_text(app.database_url(), "audit").await;
        for secret in [PASSWORD, OTHER_PASSWORD, "argon2", "eyJ", "nobody1@"] {
            assert!(!text.contains(secret), "{secret}");
        }
        assert_eq!(found(&verify(&app, None).await), []);
    })
    .await;
}

#[tokio::test]
async fn an_entry_says_who_did_what_to_whom_and_from_where() {
    on_both_engines(async |app| {
        let (jefa, ana) = (app.admin().await, app.user("ana").await);
        let path = format!("/api/admin/users/{}", ana.id);
        let call = jefa.at("203.0.113.9").on("Firefox").put(&path, json!({ "role_id": 1 }));
        assert_eq!(call.header("x-request-id", "rol-1").await.status, 200);
        let Listed { said, .. } = newest(&app, AuditKind::RoleChanged).await;
        assert_eq!((said.actor.as_str(), said.actor_id, said.subject), ("administrator", Some(jefa.id), Some(ana.id)));
        assert_eq!((said.address.as_deref(), said.device.as_deref()), (Some("203.0.113.9"), Some("Firefox")));
        assert_eq!(said.session, Some(jefa.session_id()));
        assert_eq!(serde_json::from_str::<Value>(&said.details).unwrap(), json!({ "from": 2, "to": 1 }));
        assert_eq!(said.request.as_deref(), Some("rol-1"));
        assert!(said.node.is_some());
        let Listed { said: ended, .. } = newest(&app, AuditKind::SessionEnded).await;
        assert_eq!((ended.session, ended.request.as_deref()), (Some(ana.session_id()), Some("rol-1")));
        assert_eq!(serde_json::from_str::<Value>(&ended.details).unwrap(), json!({ "reason": "role_changed" }));

        jefa.call("POST", "/api/auth/logout")
            .header("x-request-id", "fuera-1")
            .await
            .assert_ok(200, "Sesión cerrada exitosamente");
        let Listed { said, .. } = newest(&app, AuditKind::SessionEnded).await;
        assert_eq!((said.session, said.request.as_deref()), (Some(jefa.session_id()), Some("fuera-1")));
        assert_eq!((said.actor.as_str(), said.subject), ("user", Some(jefa.id)));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_done_that_cannot_be_recorded() {
    on_both_engines(async |app| {
        let (jefa, ana) = (app.admin().await, app.user("ana").await);
        let rename = |from: &str, to: &str| app.database().run(format!("ALTER TABLE {from} RENAME TO {to}"));
        rename("audit_waiting", "audit_away").await;
        let path = format!("/api/admin/users/{}", ana.id);
        let calls = [
            ana.call("POST", "/api/auth/logout"),
            ana.call("POST", "/api/auth/logout-all"),
            ana.put("/api/auth/password", json!({ "currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD })),
            ana.put("/api/auth/profile", json!({ "name": "Otra" })),
            ana.get("/api/auth/profile/data"),
            jefa.put(&path, json!({ "status": "suspended" })),
            jefa.delete(&format!("/api/auth/users/{}", ana.id)),
            jefa.post("/api/admin/invitations", json!({ "email": "eva@example.com" })),
            ana.post("/api/auth/login", json!({ "email": ana.email, "password": PASSWORD })).without("authorization"),
            ana.post("/api/auth/login", json!({ "email": ana.email, "password": "wrong" })).without("authorization"),
        ];
        for call in calls {
            let reply = call.await;
            assert!(reply.status >= 500, "{reply}");
        }
        rename("audit_away", "audit_waiting").await;
        assert!(ana.is_in().await && jefa.is_in().await);
        let user = jefa.get(&path).await.data();
        assert_eq!((&user["name"], &user["status"]), (&json!("ana"), &json!("active")));
        assert_eq!(ana.another_session().await.id, ana.id, "the password is the same");
        assert!(jefa.get("/api/admin/invitations").await.json()["data"].as_array().unwrap().is_empty());
    })
    .await;
}

/// A trail of seven entries or more in the chain.
async fn a_trail(app: &TestApp) -> (Actor, i64) {
    let ana = app.user("ana").await;
    for _ in 0..5 {
        ana.another_session().await;
    }
    seal(app).await;
    let report = verify(app, None).await;
    assert_eq!(found(&report), []);
    assert!(report.entries >= 7 && report.waiting == 0, "{report:?}");
    (ana, report.last.0)
}

#[tokio::test]
async fn whatever_is_done_to_the_chain_is_found() {
    on_both_engines(async |app| {
        let (_, last) = a_trail(&app).await;
        let all = "position, id, at, kind, actor, actor_id, subject, session_id, request_id, node, details, address, device, \
                   origin_salt, origin_digest, about, about_salt, about_digest, mac";
        let before = |position: i64| position - 1;
        let swap = "UPDATE audit SET position = -1 WHERE position = 4; UPDATE audit SET position = 4 WHERE position = 5; \
                    UPDATE audit SET position = 5 WHERE position = -1";
        let forge = format!(
            "INSERT INTO audit ({all}) SELECT position + 1, id + 1, at, kind, actor, actor_id, subject, session_id, request_id, node, \
             details, address, device, origin_salt, origin_digest, about, about_salt, about_digest, mac FROM audit WHERE position = {last}"
        );
        let head = |place: &str| format!("UPDATE audit_head SET position = {place}, mac = (SELECT mac FROM audit WHERE position = {place})");
        let cut = format!("DELETE FROM audit WHERE position = {last}");
        let cases: Vec<(String, Vec<(i64, Wrong)>)> = vec![
            ("UPDATE audit SET details = '{\"reason\":\"x\"}' WHERE position = 3".to_owned(), vec![(3, Wrong::Changed)]),
            ("UPDATE audit SET subject = NULL WHERE position = 5".to_owned(), vec![(5, Wrong::Changed)]),
            ("UPDATE audit SET at = at - 1 WHERE position = 5".to_owned(), vec![(5, Wrong::Changed)]),
            ("UPDATE audit SET address = '192.0.2.99' WHERE position = 5".to_owned(), vec![(5, Wrong::PersonalChanged)]),
            (
                "UPDATE audit SET address = NULL, device = NULL, origin_salt = NULL WHERE position = 5".to_owned(),
                vec![(5, Wrong::ErasedWithoutCause)],
            ),
            ("DELETE FROM audit WHERE position = 4".to_owned(), vec![(5, Wrong::Missing)]),
            (swap.to_owned(), vec![(4, Wrong::Changed), (5, Wrong::Changed), (6, Wrong::Changed)]),
            (cut.clone(), vec![(before(last), Wrong::CutOff)]),
            (format!("{cut}; {}", head(&before(last).to_string())), vec![(before(last), Wrong::Head)]),
            (
                "DELETE FROM audit WHERE position <= 2; UPDATE audit_head SET anchor_position = 2, anchor_mac = 'x'".to_owned(),
                vec![(2, Wrong::Anchor), (3, Wrong::Changed)],
            ),
            ("DELETE FROM audit WHERE position <= 2".to_owned(), vec![(3, Wrong::Missing)]),
            (forge, vec![(last + 1, Wrong::BehindHead)]),
        ];
        let keep = "CREATE TABLE kept AS SELECT * FROM audit; CREATE TABLE kept_head AS SELECT * FROM audit_head";
        let put_back = "DELETE FROM audit; INSERT INTO audit SELECT * FROM kept; DELETE FROM audit_head; \
                        INSERT INTO audit_head SELECT * FROM kept_head";
        app.database().run(keep.to_owned()).await;
        for (tampering, wrong) in cases {
            app.database().run(tampering.clone()).await;
            assert_eq!(found(&verify(&app, None).await), wrong, "{tampering}");
            app.database().run(put_back.to_owned()).await;
        }
        assert_eq!(found(&verify(&app, None).await), []);
    })
    .await;
}

#[tokio::test]
async fn what_was_noted_elsewhere_tells_of_an_older_state() {
    on_both_engines(async |app| {
        let (ana, last) = a_trail(&app).await;
        let (position, mac) = audit::head(&app.inside().store).await.unwrap();
        assert_eq!(position, last);
        let noted = |position: i64, mac: &str| Some((position, mac.to_owned()));
        assert_eq!(found(&verify(&app, noted(position, &mac)).await), []);
        ana.another_session().await;
        seal(&app).await;
        assert_eq!(found(&verify(&app, noted(position, &mac)).await), []);
        assert_eq!(found(&verify(&app, noted(3, &mac)).await), [(3, Wrong::NotedIsAnother)]);
        let later = found(&verify(&app, noted(last + 9, &mac)).await);
        assert_eq!(later, [(last + 9, Wrong::NotedIsBehindEnd)]);
    })
    .await;
}

#[tokio::test]
async fn entries_that_were_put_behind_the_end_keep_nothing_new_out() {
    on_both_engines(async |app| {
        let (ana, last) = a_trail(&app).await;
        app.database().run(format!("UPDATE audit_head SET position = position - 1, mac = (SELECT mac FROM audit WHERE position = {last} - 1)")).await;
        ana.another_session().await;
        seal(&app).await;
        let report = verify(&app, None).await;
        assert_eq!(report.waiting, 0);
        assert_eq!(found(&report), [(last + 1, Wrong::Changed)], "a head that was put back is seen for good");
    })
    .await;
}

#[tokio::test]
async fn an_end_that_was_cut_off_is_not_made_good_by_the_next_entry() {
    on_both_engines(async |app| {
        let (ana, last) = a_trail(&app).await;
        let first = last - 3;
        app.database().run(format!("DELETE FROM audit WHERE position > {first}")).await;
        let back = format!("position = {first}, mac = (SELECT mac FROM audit WHERE position = {first})");
        app.database().run(format!("UPDATE audit_head SET {back}")).await;
        ana.another_session().await;
        seal(&app).await;
        assert_eq!(found(&verify(&app, None).await), [(first + 1, Wrong::Changed)]);
        ana.another_session().await;
        seal(&app).await;
        assert_eq!(found(&verify(&app, None).await), [(first + 1, Wrong::Changed)], "for good");
    })
    .await;
}

#[tokio::test]
async fn nor_one_that_was_put_back_with_its_seal_under_a_running_server() {
    on_both_engines(async |app| {
        let (ana, _) = a_trail(&app).await;
        let earlier = testing::rows_as_text(app.database_url(), "audit_head").await;
        app.database().run("CREATE TABLE kept AS SELECT * FROM audit_head".to_owned()).await;
        let at = verify(&app, None).await.last.0;
        for _ in 0..2 {
            ana.another_session().await;
        }
        seal(&app).await;
        assert_ne!(testing::rows_as_text(app.database_url(), "audit_head").await, earlier);
        app.database().run(format!("DELETE FROM audit WHERE position > {at}")).await;
        app.database().run("DELETE FROM audit_head".to_owned()).await;
        app.database().run("INSERT INTO audit_head SELECT * FROM kept".to_owned()).await;
        app.database().run("DROP TABLE kept".to_owned()).await;
        ana.another_session().await;
        seal(&app).await;
        assert_eq!(found(&verify(&app, None).await), [(at + 1, Wrong::Changed)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn simultaneous_sealers_make_one_chain() {
    on_both_engines(async |app| {
        let nodes = match app.engine() {
            cerrojo_testkit::Engine::Sqlite => vec![app.clone(), app.clone()],
            cerrojo_testkit::Engine::Postgres => vec![app.clone(), app.another_node().await],
        };
        let ana = app.user("ana").await;
        for _ in 0..5 {
            let logins =
                (0..4).map(|_| ana.post("/api/auth/login", json!({ "email": ana.email, "password": PASSWORD })));
            app.together(logins.map(|call| call.without("authorization"))).await;
            let sealing: Vec<_> = nodes
                .iter()
                .chain(&nodes)
                .map(|node| {
                    let node = node.clone();
                    tokio::spawn(async move { seal(&node).await })
                })
                .collect();
            for one in sealing {
                one.await.unwrap();
            }
        }
        let report = verify(&app, None).await;
        assert_eq!((found(&report), report.waiting), (vec![], 0));
        let entries = entries(&app).await;
        let ids: BTreeSet<i64> = entries.iter().map(|entry| entry.said.id).collect();
        assert_eq!(ids.len(), entries.len(), "each has a number of its own");
        assert!(entries.iter().filter(|entry| entry.said.kind == "session.began").count() == 21);
    })
    .await;
}

#[tokio::test]
async fn the_oldest_are_removed_and_the_rest_still_holds() {
    let set = |options: &mut Options| options.settings.retention.audit = Some(Duration::from_hours(24));
    on_both_engines_with(set, async |app| {
        let (ana, last) = a_trail(&app).await;
        let head = audit::head(&app.inside().store).await.unwrap();
        app.clock.advance(Duration::from_hours(20));
        let ana = ana.another_session().await;
        app.tick().await;
        assert_eq!(verify(&app, None).await.begins_after, 0, "none is old enough");
        app.clock.advance(Duration::from_hours(5));
        app.tick().await;
        let report = verify(&app, Some(head.clone())).await;
        assert_eq!(
            (found(&report), report.begins_after),
            (vec![], last),
            "the noted one is where the trail begins now"
        );
        assert!(
            entries(&app).await.iter().all(|entry| entry.sealed.as_ref().is_none_or(|(position, _)| *position > last))
        );
        assert_eq!(found(&verify(&app, Some((last - 1, head.1))).await), [(last - 1, Wrong::NotedIsRemoved)]);
        app.database().run("UPDATE audit_head SET anchor_position = anchor_position - 1".to_owned()).await;
        let faults = found(&verify(&app, None).await);
        assert_eq!(faults, [(last - 1, Wrong::Anchor), (last + 1, Wrong::Missing)]);
        drop(ana);
    })
    .await;
}

#[tokio::test]
async fn what_does_not_hold_is_not_removed() {
    let set = |options: &mut Options| options.settings.retention.audit = Some(Duration::from_hours(24));
    on_both_engines_with(set, async |app| {
        a_trail(&app).await;
        // Whoever makes entries look old would have the server remove them.
        app.database().run("UPDATE audit SET at = 1 WHERE position <= 5".to_owned()).await;
        let swept = cerrojo_app::sweep::sweep(&app.inside()).await;
        assert!(swept.is_err_and(|trouble| trouble.to_string().contains("cerrojo audit verify")));
        let report = verify(&app, None).await;
        assert_eq!((report.begins_after, report.wrong), (0, 5));
    })
    .await;
}

#[tokio::test]
async fn off_keeps_them_for_good() {
    on_both_engines_with(
        |options| options.settings.retention.audit = None,
        async |app| {
            let (_, last) = a_trail(&app).await;
            app.clock.advance(Duration::from_hours(24 * 3000));
            app.tick().await;
            let report = verify(&app, None).await;
            assert_eq!((report.begins_after, found(&report)), (0, vec![]));
            assert!(report.last.0 > last);
        },
    )
    .await;
}

#[tokio::test]
async fn with_an_account_goes_what_is_personal_and_the_chain_holds() {
    on_both_engines(async |app| {
        let jefa = app.admin().await;
        let ana = app.user("ana-maría").await.at("203.0.113.9").on("Teléfono 7");
        ana.another_session().await;
        ana.try_login(&ana.email, "wrong").await.assert_code(401, "INVALID_CREDENTIALS");
        app.tick().await;
        let kept = async || {
            let [sealed, waiting] =
                ["audit", "audit_waiting"].map(|table| testing::rows_as_text(app.database_url(), table));
            sealed.await + &waiting.await
        };
        // Some of it in the chain, some not yet.
        ana.another_session().await;
        let marks = ["ana-mar", "203.0.113.9", "Teléfono 7"];
        let before = kept().await;
        assert!(marks.iter().all(|mark| before.contains(mark)), "or this shows nothing: {before}");
        jefa.delete(&format!("/api/auth/users/{}", ana.id)).await.assert_ok(200, "Usuario eliminado exitosamente");
        for sealed in [false, true] {
            if sealed {
                app.tick().await;
            }
            let after = kept().await;
            assert!(!marks.iter().any(|mark| after.contains(mark)), "{after}");
        }
        let report = verify(&app, None).await;
        assert_eq!(found(&report), []);
        assert!(report.erased >= 3, "{report:?}");
        let entries = data_of(&jefa, &format!("?user={}", ana.id)).await;
        assert!(entries.len() >= 5 && entries[0]["user_id"] == ana.id, "the entries stay, with the number");
        let deleted = data_of(&jefa, "?kind=account.deleted").await;
        assert_eq!(deleted[0]["by"], format!("administrator:{}", jefa.id));
        assert_eq!(deleted[0]["address"], jefa.address().to_string(), "the administrator is still there");
    })
    .await;
}

#[tokio::test]
async fn nor_does_anything_stay_where_there_is_more_than_one_transaction_erases() {
    on_both_engines(async |app| {
        let (jefa, ana) = (app.admin().await, app.user("ana").await);
        let id = UserId(ana.id);
        let origin = Origin::new("203.0.113.9".parse().unwrap(), "Teléfono 7");
        let act = |number: i64| {
            let act = Act::new(AuditKind::ProfileChanged, UnixMillis(number)).to(id).from(&origin);
            let act = if number % 2 == 0 { act.by(ActorOf::User(id)) } else { act };
            act.with_personal("name_from", "ana-maría")
        };
        let store = &app.inside().store;
        let mut tx = store.begin().await.unwrap();
        cerrojo_store::audit::record_all(&mut tx, (0..2500).map(act).collect()).await.unwrap();
        tx.commit().await.unwrap();
        seal(&app).await;
        jefa.delete(&format!("/api/auth/users/{}", ana.id)).await.assert_ok(200, "Usuario eliminado exitosamente");
        seal(&app).await;
        let kept = testing::rows_as_text(app.database_url(), "audit").await;
        assert!(!["ana-mar", "203.0.113.9", "Teléfono"].iter().any(|mark| kept.contains(mark)));
        let report = verify(&app, None).await;
        assert_eq!(found(&report), []);
        assert!(report.erased >= 2500, "{report:?}");
        assert!(kept.contains(&jefa.address().to_string()), "what others did stays");
    })
    .await;
}

#[tokio::test]
async fn whoever_is_imported_under_the_number_of_somebody_deleted_is_somebody_else() {
    on_both_engines(async |app| {
        let (jefa, ana) = (app.admin().await, app.user("ana").await);
        // The newest session of all is kept.
        app.clock.advance(Duration::from_secs(1));
        let jefa = jefa.another_session().await;
        seal(&app).await;
        jefa.delete(&format!("/api/auth/users/{}", ana.id)).await.assert_ok(200, "Usuario eliminado exitosamente");
        // Their sessions are swept by and by; the trail stays.
        app.clock.advance(Duration::from_hours(24 * 40));
        app.tick().await;
        let again = Imported { id: Some(UserId(ana.id)), ..imported("eva@example.com") };
        let fates = administer::import_users(&app.inside(), &[again]).await.unwrap();
        assert_eq!(fates, [cerrojo_store::imports::Fate::Added]);
        for sealed in [false, true] {
            if sealed {
                app.tick().await;
            }
            assert_eq!(found(&verify(&app, None).await), []);
        }
        let jefa = jefa.another_session().await;
        let data = jefa.get(&format!("/api/admin/users/{}/data", ana.id)).await;
        let entries = data.data()["audit"].as_array().unwrap().clone();
        assert!(entries.iter().all(|entry| entry["kind"] == "data.exported"), "{entries:?}");
    })
    .await;
}

#[tokio::test]
async fn nor_does_anything_stay_of_who_leaves_by_themselves_or_was_deleted_by_an_older_program() {
    on_both_engines_with(
        |options| options.settings.own_deletion = OwnDeletion::Allowed,
        async |app| {
            let ana = app.user("ana").await.at("203.0.113.9");
            let leave = ana.delete("/api/auth/profile").json(json!({ "currentPassword": PASSWORD })).await;
            leave.assert_ok(200, "Cuenta eliminada exitosamente");
            let bea = app.user("bea").await.at("203.0.113.9");
            let bea = bea.another_session().await;
            app.tick().await;
            let text = async || testing::rows_as_text(app.database_url(), "audit").await;
            assert!(text().await.contains("203.0.113.9"));
            app.database().run(format!("DELETE FROM users WHERE user_id = {}", bea.id)).await;
            app.restart().await;
            app.tick().await;
            assert!(!text().await.contains("203.0.113.9"), "{}", text().await);
            assert_eq!(found(&verify(&app, None).await), []);
        },
    )
    .await;
}

#[tokio::test]
async fn people_see_what_the_trail_says_of_them() {
    on_both_engines(async |app| {
        let (jefa, ana, bea) = (app.admin().await, app.user("ana").await, app.user("bea").await);
        let path = format!("/api/admin/users/{}", ana.id);
        jefa.at("203.0.113.9")
            .put(&path, json!({ "name": "Ana R." }))
            .await
            .assert_ok(200, "Usuario actualizado exitosamente");
        bea.try_login(&bea.email, "wrong").await.assert_code(401, "INVALID_CREDENTIALS");
        let data = ana.get("/api/auth/profile/data").await.assert_ok(200, "Datos obtenidos exitosamente");
        let kinds: Vec<&Value> = data["audit"].as_array().unwrap().iter().map(|act| &act["kind"]).collect();
        assert_eq!(kinds, ["data.exported", "account.profile_changed", "session.began", "account.registered"]);
        let renamed = &data["audit"][1];
        assert_eq!(
            (&renamed["by"], &renamed["address"]),
            (&json!("administrator"), &json!(null)),
            "not from where, nor who"
        );
        assert_eq!(renamed["about"], json!({ "name_from": "ana", "name_to": "Ana R." }));
        let seen = jefa.get(&format!("{path}/data")).await.data();
        assert_eq!(seen["audit"][2]["by"], format!("administrator:{}", jefa.id));
        let exported = newest(&app, AuditKind::DataExported).await;
        assert_eq!((exported.said.actor_id, exported.said.subject), (Some(jefa.id), Some(ana.id)));
        jefa.get("/api/admin/users/98765/data").await.assert_code(404, "NOT_FOUND");
        personal::record_operators(&app.inside().store, None, UnixMillis(1)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn administrators_look_for_entries_by_all_that_they_say() {
    on_both_engines(async |app| {
        let (jefa, ana, bea) = (app.admin().await, app.user("ana").await, app.user("bea").await);
        let phone = ana.at("203.0.113.9").another_session().await;
        phone.logout().await;
        app.clock.advance(Duration::from_mins(1));
        let minute = app.inside().clock_now().rfc3339();
        jefa.delete(&format!("/api/admin/users/{}/sessions", bea.id))
            .await
            .assert_ok(200, "Sesiones cerradas exitosamente");
        seal(&app).await;
        ana.try_login(&ana.email, "wrong").await.assert_code(401, "INVALID_CREDENTIALS");
        let kinds = async |query: &str| -> Vec<String> {
            data_of(&jefa, query).await.iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
        };
        let session = ["session.ended", "session.began"];
        assert_eq!(kinds(&format!("?session={}", phone.session_id())).await, session);
        assert_eq!(kinds("?address=203.0.113.9").await, session);
        assert_eq!(kinds("?kind=sign_in").await, ["sign_in.failed"]);
        assert_eq!(kinds(&format!("?by={}&kind=session", jefa.email)).await, ["session.ended", "session.began"]);
        assert_eq!(kinds(&format!("?user={}&kind=session.ended", bea.email)).await, ["session.ended"]);
        assert_eq!(kinds(&format!("?user={}&until={minute}&kind=session.ended", ana.id)).await, ["session.ended"]);
        assert_eq!(kinds(&format!("?since={minute}&kind=session.ended")).await, ["session.ended"]);
        assert_eq!(kinds("?by=nobody").await, ["sign_in.failed"]);
        assert_eq!(kinds("?by=operator").await, ["account.created"]);
        assert!(kinds(&format!("?user={}&by={}", ana.id, bea.id)).await.is_empty());
        let failed = &data_of(&jefa, "?kind=sign_in.failed").await[0];
        assert_eq!(
            (&failed["sealed"], &failed["position"], &failed["mac"]),
            (&json!(false), &json!(null), &json!(null))
        );
        assert_eq!((&failed["details"]["why"], &failed["user_id"]), (&json!("wrong_password"), &json!(ana.id)));
        let ended = &data_of(&jefa, "?kind=session.ended").await[0];
        assert_eq!((&ended["sealed"], &ended["by"]), (&json!(true), &json!(format!("administrator:{}", jefa.id))));
    })
    .await;
}

trait Now {
    fn clock_now(&self) -> UnixMillis;
}

impl Now for std::sync::Arc<cerrojo_app::App> {
    fn clock_now(&self) -> UnixMillis {
        self.clock.now()
    }
}

#[tokio::test]
async fn pages_follow_each_other_whether_or_not_entries_are_sealed_meanwhile() {
    on_both_engines(async |app| {
        let (jefa, ana) = (app.admin().await, app.user("ana").await);
        for _ in 0..4 {
            ana.another_session().await;
        }
        seal(&app).await;
        for _ in 0..4 {
            ana.another_session().await;
        }
        let (mut seen, mut before) = (Vec::new(), String::new());
        loop {
            let data = jefa.get(&format!("{PATH}?limit=3{before}")).await.data();
            seen.extend(data["entries"].as_array().unwrap().iter().map(|entry| entry["id"].as_i64().unwrap()));
            seal(&app).await;
            match data["before"].as_i64() {
                Some(id) => before = format!("&before={id}"),
                None => break,
            }
        }
        let mut sorted = seen.clone();
        sorted.sort_unstable_by(|one, other| other.cmp(one));
        sorted.dedup();
        assert_eq!(seen, sorted, "the newest first, none twice");
        assert_eq!(seen.len(), entries(&app).await.len());
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_said_in_words_and_others_see_nothing() {
    on_both_engines(async |app| {
        let (jefa, ana) = (app.admin().await, app.user("ana").await);
        ana.get(PATH).await.assert_error(403, "FORBIDDEN", "Acceso denegado: se requiere rol de administrador");
        app.visitor().get(PATH).await.assert_code(401, "UNAUTHORIZED");
        for query in [
            "kind=sess",
            "since=yesterday",
            "until=x",
            "address=x",
            "user=nobody@example.com",
            "by=x",
            "limit=0",
            "before=x",
            "kind=session&kind=key",
        ] {
            let reply = jefa.get(&format!("{PATH}?{query}")).await;
            reply.assert_code(400, "VALIDATION_ERROR");
            assert!(!reply.json()["errors"].as_array().unwrap().is_empty(), "{reply}");
        }
        assert!(data_of(&jefa, "?session=%00&user=98765").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn strangers_fill_no_table_and_are_counted() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        for number in 0..130 {
            app.visitor()
                .try_login(&format!("nobody{number}@example.com"), "wrong")
                .await
                .assert_code(401, "INVALID_CREDENTIALS");
        }
        ana.try_login(&ana.email, "wrong").await.assert_code(401, "INVALID_CREDENTIALS");
        seal(&app).await;
        let failed: Vec<Listed> =
            entries(&app).await.into_iter().filter(|entry| entry.said.kind == "sign_in.failed").collect();
        assert_eq!(failed.len(), 101);
        assert_eq!(failed[0].said.subject, Some(ana.id), "an account has room whatever strangers do");
        app.clock.advance(Duration::from_hours(1));
        seal(&app).await;
        let omitted = newest(&app, AuditKind::Omitted).await;
        assert_eq!(
            serde_json::from_str::<Value>(&omitted.said.details).unwrap(),
            json!({ "of_accounts": 0, "of_nobody": 30 })
        );
        seal(&app).await;
        assert_eq!(entries(&app).await.iter().filter(|entry| entry.said.kind == "sign_in.omitted").count(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_last_try_before_the_limit_says_so() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        for _ in 0..5 {
            ana.at("203.0.113.9").try_login(&ana.email, "wrong").await.assert_code(401, "INVALID_CREDENTIALS");
        }
        for _ in 0..3 {
            ana.at("203.0.113.9").try_login(&ana.email, "wrong").await.assert_code(429, "RATE_LIMITED");
        }
        let entries = entries(&app).await;
        let failed: Vec<Value> = entries
            .iter()
            .filter(|entry| entry.said.kind == "sign_in.failed")
            .map(|entry| serde_json::from_str(&entry.said.details).unwrap())
            .collect();
        assert_eq!(failed.len(), 5);
        assert_eq!(failed[0], json!({ "limit_reached": true, "why": "wrong_password" }));
        assert_eq!(failed[1], json!({ "why": "wrong_password" }));
    })
    .await;
}

#[tokio::test]
async fn a_trail_that_was_never_begun_is_whole() {
    on_both_engines(async |app| {
        let report = verify(&app, None).await;
        assert_eq!((report.entries, found(&report)), (0, vec![]));
    })
    .await;
}

#[tokio::test]
async fn a_group_has_the_kinds_of_a_later_release_as_well() {
    on_both_engines(async |app| {
        let jefa = app.admin().await;
        app.tick().await;
        let copy = "INSERT INTO audit (position, id, at, kind, actor, details, mac) \
                    SELECT max(position) + 1, max(id) + 1, max(at), 'session.of_later', 'server', '{}', 'x' FROM audit";
        testing::execute(app.database_url(), copy.to_owned()).await;
        let found = data_of(&jefa, "?kind=session").await;
        assert!(found.iter().any(|entry| entry["kind"] == "session.of_later"), "{found:?}");
        assert!(found.iter().all(|entry| entry["kind"].as_str().unwrap().starts_with("session.")), "{found:?}");
        assert!(!data_of(&jefa, "?kind=key").await.iter().any(|entry| entry["kind"] == "session.of_later"));
    })
    .await;
}
