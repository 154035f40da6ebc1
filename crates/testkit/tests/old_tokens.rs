//! Tokens of the application that users come from: accepted until they expire, and over as everything else is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::time::Duration;

use cerrojo_app::administer::import_users;
use cerrojo_app::{Algorithm, OldTokens, Required, Secret, administer};
use cerrojo_domain::{Email, Status, USER_ROLE, UnixMillis, UserId};
use cerrojo_store::imports::{Fate, Imported};
use cerrojo_store::testing;
use cerrojo_testkit::{
    Actor, Engine, OLD_SECRET, OTHER_PASSWORD, Options, TestApp, another_applications_tokens, hs256, old_token,
    on_both_engines, on_both_engines_with,
};
use serde_json::{Value, json};

const DAY: i64 = 86_400;
/// The password of whoever was imported.
const ORIGINAL: &str = "U*U";

fn accepted(options: &mut Options) {
    options.settings.old_tokens = Some(another_applications_tokens());
}

fn imported(number: i64, name: &str) -> Imported {
    Imported {
        id: Some(UserId(number)),
        name: name.to_owned(),
        email: Email::parse(&format!("{name}@example.com")).unwrap(),
        password_hash: "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned(),
        role_id: USER_ROLE,
        status: Status::Active,
        registration_date: UnixMillis(1_700_000_000_000),
        last_session: None,
        email_verified: false,
    }
}

/// Imports somebody, who has a token of the other application.
async fn moves_in(app: &TestApp, number: i64, name: &str) -> Actor {
    assert_eq!(import_users(&app.inside(), &[imported(number, name)]).await.unwrap(), [Fate::Added]);
    let mut somebody = app.visitor();
    (somebody.id, somebody.name, somebody.email) = (number, name.to_owned(), format!("{name}@example.com"));
    app.old_session(&somebody, "phone")
}

fn now(app: &TestApp) -> i64 {
    app.inside().clock.now().seconds()
}

async fn sessions(actor: &Actor) -> Vec<Value> {
    actor.get("/api/auth/sessions").await.data()["sessions"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_old_token_is_accepted_and_its_logout_is_one() {
    on_both_engines_with(accepted, async |app| {
        let ana = moves_in(&app, 71, "ana").await;
        let tablet = app.old_session(&ana, "tablet");
        let profile = ana.on("Firefox").get("/api/auth/profile").await.assert_ok(200, "Perfil obtenido exitosamente");
        assert_eq!((&profile["user"]["user_id"], &profile["user"]["email"]), (&json!(71), &json!("ana@example.com")));
        assert!(tablet.is_in().await);

        let listed = sessions(&ana).await;
        assert_eq!(listed.len(), 2);
        let own = listed.iter().find(|session| session["current"] == true).expect("the calling one");
        assert_eq!((&own["device"], &own["address"]), (&json!("Firefox"), &json!(ana.address().to_string())));
        let expires = UnixMillis((now(&app) + DAY) * 1000).rfc3339();
        assert_eq!(own["expires_at"], json!(expires));

        ana.logout().await;
        ana.call("POST", "/api/auth/logout").await.assert_token_refused();
        app.restart().await;
        assert!(!ana.is_in().await && tablet.is_in().await);
        assert_eq!(sessions(&tablet).await.len(), 1);
        app.clock.advance(Duration::from_hours(24));
        assert!(!tablet.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_to_be_accepted_is_refused_as_any_other_token() {
    on_both_engines_with(accepted, async |app| {
        let ana = moves_in(&app, 71, "ana").await;
        let registered = app.user("rosa").await;
        let suspended = Imported { status: Status::Suspended, ..imported(72, "eva") };
        import_users(&app.inside(), &[suspended]).await.unwrap();
        let now = now(&app);
        let jwt = json!({ "alg": "HS256", "typ": "JWT" });
        let good = json!({ "user_id": 71, "iat": now, "exp": now + DAY });
        let with = |changes: Value| {
            let mut claims = good.clone();
            for (name, value) in changes.as_object().unwrap() {
                match value {
                    Value::Null => claims.as_object_mut().unwrap().remove(name),
                    value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
                };
            }
            old_token(&claims)
        };
        for (why, token) in [
            ("of another secret", hs256("another secret of the old application", &jwt, &good)),
            ("without a signature", hs256(OLD_SECRET, &json!({ "alg": "none", "typ": "JWT" }), &good)),
            ("of another algorithm", hs256(OLD_SECRET, &json!({ "alg": "HS512", "typ": "JWT" }), &good)),
            ("of the server's own kind", hs256(OLD_SECRET, &json!({ "alg": "HS256", "typ": "at+jwt" }), &good)),
            ("with a critical member", hs256(OLD_SECRET, &json!({ "alg": "HS256", "crit": ["b64"] }), &good)),
            ("expired", with(json!({ "exp": now }))),
            ("that never expires", with(json!({ "exp": null }))),
            ("that expires in words", with(json!({ "exp": "tomorrow" }))),
            ("that expires beyond all dates", with(json!({ "exp": 1e18 }))),
            ("issued later", with(json!({ "iat": now + 61 }))),
            ("valid later", with(json!({ "nbf": now + 61 }))),
            ("of nobody", with(json!({ "user_id": null }))),
            ("of no number", with(json!({ "user_id": 71.5 }))),
            ("of a number written otherwise", with(json!({ "user_id": "071" }))),
            ("of a list", with(json!({ "user_id": [71] }))),
            ("of no user", with(json!({ "user_id": 7777 }))),
            ("of one who registered here", with(json!({ "user_id": registered.id }))),
            ("of one who is suspended", with(json!({ "user_id": 72 }))),
        ] {
            for endpoint in ["/api/auth/verify", "/api/auth/profile"] {
                let reply = ana.with_token(&token).get(endpoint).await;
                assert_eq!(reply.status, 401, "{why}: {reply}");
                reply.assert_token_refused();
            }
            ana.with_token(&token).call("POST", "/api/auth/logout").await.assert_token_refused();
        }
        for token in [
            with(json!({ "user_id": "71" })),
            with(json!({ "iat": null })),
            with(json!({ "exp": f64::from(i32::try_from(now + 9).unwrap()) + 0.25 })),
            hs256(OLD_SECRET, &json!({ "alg": "HS256" }), &good),
            hs256(OLD_SECRET, &json!({ "alg": "HS256", "typ": "jwt", "kid": "1" }), &good),
        ] {
            assert!(ana.with_token(&token).is_in().await, "{token}");
        }
    })
    .await;
}

#[tokio::test]
async fn without_the_setting_none_is_accepted() {
    on_both_engines(async |app| {
        let ana = moves_in(&app, 71, "ana").await;
        assert!(!ana.is_in().await);
        app.set(accepted);
        app.restart().await;
        assert!(ana.is_in().await);
        app.set(|options| options.settings.old_tokens = None);
        app.restart().await;
        assert!(!ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn the_operator_says_which() {
    let set = |options: &mut Options| {
        let required = |claim: &str, value: &str| Required { claim: claim.to_owned(), value: value.to_owned() };
        options.settings.old_tokens = Some(OldTokens {
            user_claim: "sub".to_owned(),
            require: vec![required("type", "access"), required("v", "2"), required("aud", "app")],
            issued_before: Some(UnixMillis((cerrojo_testkit::BEGINNING.0 / 1000 + 100) * 1000)),
            until: Some(UnixMillis((cerrojo_testkit::BEGINNING.0 / 1000 + 5000) * 1000)),
            ..another_applications_tokens()
        });
    };
    on_both_engines_with(set, async |app| {
        let ana = moves_in(&app, 71, "ana").await;
        let begun = now(&app);
        let shown = |claims: Value| ana.with_token(&old_token(&claims));
        let good = json!({
            "sub": "Ana@Example.com", "iat": begun, "type": "access", "v": 2, "aud": ["site", "app"], "id": 1
        });
        assert!(shown(good.clone()).is_in().await, "it never expires by itself, and names its user by the address");
        for (name, value) in [
            ("type", json!("refresh")),
            ("v", json!(3)),
            ("aud", json!(["site"])),
            ("aud", json!({ "app": "app" })),
            ("iat", json!(begun + 100)),
            ("iat", Value::Null),
            ("sub", json!("nobody@example.com")),
            ("sub", json!("@")),
        ] {
            let mut claims = good.clone();
            claims[name] = value.clone();
            assert!(!shown(claims).is_in().await, "{name}: {value}");
        }
        app.clock.advance(Duration::from_secs(5000));
        assert!(!shown(good).is_in().await);
    })
    .await;
}

/// Whoever keeps the old secret for HS256 has tokens of both kinds signed with it.
#[tokio::test]
async fn a_token_of_ours_that_is_over_is_no_old_one_though_the_secret_is_the_same() {
    let set = |options: &mut Options| {
        accepted(options);
        options.settings.algorithm = Algorithm::Hs256(Secret(OLD_SECRET.as_bytes().to_vec().into()));
    };
    on_both_engines_with(set, async |app| {
        let ana = moves_in(&app, 71, "ana").await;
        let fresh = ana.signed_in_with(ORIGINAL).await;
        assert!(fresh.is_in().await && ana.is_in().await);
        fresh.logout().await;
        assert!(!fresh.is_in().await && ana.is_in().await);
        assert_eq!(sessions(&ana).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_many_use_it_first_one_session_is_made_and_the_end_of_all_leaves_none() {
    on_both_engines_with(accepted, async |app| {
        for round in 0..20 {
            let ana = moves_in(&app, 100 + round, &format!("ana{round}")).await;
            let laptop = ana.signed_in_with(ORIGINAL).await;
            let devices: Vec<Actor> = (0..3).map(|number| app.old_session(&ana, &format!("{number}"))).collect();
            let first = (0..3).flat_map(|_| devices.iter().map(|device| device.get("/api/auth/verify")));
            if round % 2 == 0 {
                for reply in app.together(first).await {
                    assert_eq!(reply.status, 200, "{reply}");
                }
                assert_eq!(sessions(&laptop).await.len(), 4);
                laptop
                    .call("POST", "/api/auth/logout-all")
                    .await
                    .assert_ok(200, "Todas las sesiones cerradas exitosamente");
            } else {
                let mut calls: Vec<_> = first.collect();
                let all = laptop.call("POST", "/api/auth/logout-all");
                calls.insert(usize::try_from(round).unwrap() % 9, all);
                for reply in app.together(calls).await {
                    assert!([200, 401].contains(&reply.status), "{reply}");
                }
            }
            for device in &devices {
                assert!(!device.is_in().await, "round {round}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn one_that_was_never_used_dies_with_all_sessions_of_its_user() {
    on_both_engines_with(accepted, async |app| {
        let jefa = app.admin().await;
        let change = json!({ "currentPassword": ORIGINAL, "newPassword": OTHER_PASSWORD });
        for (number, cause) in ["others", "password", "suspended and active again", "operator"].into_iter().enumerate()
        {
            let ana = moves_in(&app, 71 + i64::try_from(number).unwrap(), &format!("ana{number}")).await;
            let calling = app.old_session(&ana, "calling");
            assert!(calling.is_in().await);
            let path = format!("/api/admin/users/{}", ana.id);
            match cause {
                "others" => drop(calling.call("POST", "/api/auth/logout-others").await),
                "password" => {
                    let reply = calling.put("/api/auth/password", change.clone()).await;
                    reply.assert_ok(200, "Contraseña actualizada exitosamente");
                    assert!(calling.is_in().await, "the calling one goes on");
                }
                "operator" => {
                    let by = administer::By::Operator;
                    administer::end_user_sessions(&app.inside(), by, UserId(ana.id)).await.unwrap();
                }
                _ => {
                    for status in ["suspended", "active"] {
                        assert_eq!(jefa.put(&path, json!({ "status": status })).await.status, 200);
                    }
                }
            }
            assert!(!ana.is_in().await, "{cause}");
            app.restart().await;
            assert!(!ana.is_in().await, "{cause}");
        }
    })
    .await;
}

#[tokio::test]
async fn one_that_was_refused_as_expired_stays_so_though_it_was_never_used() {
    on_both_engines_with(accepted, async |app| {
        let ana = moves_in(&app, 71, "ana").await;
        let before = app.inside().clock.now();
        app.clock.advance(Duration::from_hours(24));
        assert!(!ana.is_in().await);
        app.clock.set_time_of_day(before);
        app.restart().await;
        assert!(!ana.is_in().await);
        let claims = json!({ "user_id": 71, "exp": now(&app) + DAY + 1 });
        assert!(ana.with_token(&old_token(&claims)).is_in().await);
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_revives_none() {
    on_both_engines_with(accepted, async |app| {
        let ana = moves_in(&app, 71, "ana").await;
        let (used, unused) = (app.old_session(&ana, "used"), app.old_session(&ana, "unused"));
        let before = app.inside().clock.now();
        // Nobody shows it after it has expired, and it does so last.
        let claims = json!({ "user_id": 71, "exp": now(&app) + DAY + 1000 });
        let last = ana.with_token(&old_token(&claims));
        for logged_out in [&ana, &last] {
            logged_out.logout().await;
        }
        assert!(used.is_in().await);
        app.clock.advance(Duration::from_hours(24));
        assert!(!unused.is_in().await && !used.is_in().await, "expired");
        // Until nothing is remembered of the sessions: another one is the newest.
        app.clock.advance(Duration::from_hours(1));
        let jefa = app.admin().await;
        for _ in 0..2 {
            app.clock.advance(Duration::from_hours(32 * 24));
            app.tick().await;
        }
        app.crash().await;
        app.clock.set_time_of_day(before);
        app.run().await;
        let jefa = jefa.another_session().await;
        let kept = jefa.get(&format!("/api/admin/users/{}/sessions?ended=true", ana.id)).await;
        assert_eq!(kept.data()["sessions"], json!([]), "or this shows nothing");
        for over in [&ana, &last, &used, &unused] {
            assert!(!over.is_in().await);
        }
    })
    .await;
}

#[tokio::test]
async fn a_database_that_went_back_revives_none() {
    on_both_engines_with(accepted, async |app| {
        let ana = moves_in(&app, 71, "ana").await;
        let unused = app.old_session(&ana, "unused");
        assert!(ana.is_in().await);
        ana.logout().await;
        app.crash().await;
        app.look_restored().await;
        // As it was in the backup.
        let lost = "DELETE FROM sessions; UPDATE users SET old_tokens = 1, old_tokens_since = 0";
        testing::execute(app.database_url(), lost.to_owned()).await;
        app.run().await;
        for over in [&ana, &unused] {
            assert!(!over.is_in().await);
        }
        // Those who come now are open again, to what was issued since.
        let lost = "DELETE FROM users";
        testing::execute(app.database_url(), lost.to_owned()).await;
        assert_eq!(import_users(&app.inside(), &[imported(71, "ana")]).await.unwrap(), [Fate::Added]);
        app.clock.advance(Duration::from_secs(121));
        let later = app.old_session(&ana, "later");
        assert!(!ana.is_in().await && !unused.is_in().await && later.is_in().await);
    })
    .await;
}

/// A copy made after the import, before anybody came: nothing of sessions is in it.
#[tokio::test]
async fn an_early_backup_that_is_put_back_revives_none() {
    let mut options = Options::default();
    accepted(&mut options);
    let app = TestApp::start(Engine::Sqlite, options).await;
    let ana = moves_in(&app, 71, "ana").await;
    app.crash().await;
    let early = app.copy_files();
    app.run().await;
    ana.logout().await;
    app.crash().await;
    app.put_back(&early);
    std::fs::remove_file(app.side_file()).unwrap();
    app.run().await;
    assert!(!ana.is_in().await);
}

#[tokio::test]
async fn everything_is_over_whatever_the_clocks_say_and_however_long_it_lasts() {
    on_both_engines_with(accepted, async |app| {
        let ana = moves_in(&app, 71, "ana").await;
        let begun = now(&app);
        let long = |device: &str| {
            let claims = json!({ "user_id": 71, "device": device, "iat": begun, "exp": begun + 200 * DAY });
            ana.with_token(&old_token(&claims))
        };
        let (used, unused) = (long("used"), long("unused"));
        assert!(used.is_in().await);
        // This machine's clock is behind the other application's.
        app.clock.set_time_of_day(UnixMillis((begun - 300) * 1000));
        app.restart().await;
        administer::end_everything(&app.inside()).await.unwrap();
        app.clock.set_time_of_day(UnixMillis(begun * 1000));
        app.restart().await;
        assert!(!used.is_in().await && !unused.is_in().await);
        let jefa = app.admin().await;
        for _ in 0..3 {
            app.clock.advance(Duration::from_hours(20 * 24));
            app.tick().await;
        }
        let jefa = jefa.another_session().await;
        let kept = jefa.get("/api/admin/users/71/sessions?ended=true").await;
        assert_eq!(kept.data()["sessions"], json!([]), "or this shows nothing");
        assert!(!used.is_in().await && !unused.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn whoever_is_imported_again_has_no_old_tokens_any_more() {
    on_both_engines_with(accepted, async |app| {
        let jefa = app.admin().await;
        let (ana, eva) = (moves_in(&app, 71, "ana").await, moves_in(&app, 72, "eva").await);
        jefa.delete("/api/auth/users/71").await.assert_ok(200, "Usuario eliminado exitosamente");
        assert!(!ana.is_in().await);
        assert_eq!(import_users(&app.inside(), &[imported(71, "ana")]).await.unwrap(), [Fate::Added]);
        forget_refusals(&app);
        assert!(!ana.is_in().await && eva.is_in().await);
        let fresh = ana.signed_in_with(ORIGINAL).await;
        assert!(fresh.is_in().await, "with the password it is another matter");
    })
    .await;
}

#[tokio::test]
async fn an_address_that_was_changed_names_nobody_who_comes_under_it_later() {
    let set = |options: &mut Options| {
        options.settings.old_tokens =
            Some(OldTokens { user_claim: "email".to_owned(), ..another_applications_tokens() });
    };
    on_both_engines_with(set, async |app| {
        let somebody = |name: &str| Imported { id: None, ..imported(0, name) };
        let shown = |name: &str| {
            let claims = json!({ "email": format!("{name}@example.com"), "iat": now(&app), "exp": now(&app) + DAY });
            app.visitor().with_token(&old_token(&claims))
        };
        import_users(&app.inside(), &[somebody("ana"), somebody("eva")]).await.unwrap();
        let (ana, eva) = (shown("ana"), shown("eva"));
        assert!(ana.is_in().await && eva.is_in().await);
        let change = json!({ "email": "ana.nueva@example.com" });
        ana.put("/api/auth/profile", change).await.assert_ok(200, "Perfil actualizado exitosamente");
        assert_eq!(import_users(&app.inside(), &[somebody("ana")]).await.unwrap(), [Fate::Added]);
        app.clock.advance(Duration::from_secs(1));
        let another = shown("ana");
        assert!(!another.is_in().await && ana.is_in().await, "the calling session goes on");
    })
    .await;
}

/// Numbers that were given here mean somebody else to the other application.
#[tokio::test]
async fn without_the_numbers_of_the_other_application_only_addresses_name_anybody() {
    on_both_engines_with(accepted, async |app| {
        let somebody = |name: &str| Imported { id: None, ..imported(0, name) };
        import_users(&app.inside(), &[somebody("ana")]).await.unwrap();
        let claims = json!({ "user_id": 1, "iat": now(&app), "exp": now(&app) + DAY });
        assert!(!app.visitor().with_token(&old_token(&claims)).is_in().await);
        app.set(|options| {
            let by_email = OldTokens { user_claim: "email".to_owned(), ..another_applications_tokens() };
            options.settings.old_tokens = Some(by_email);
        });
        app.restart().await;
        let claims = json!({ "email": "ana@example.com", "user_id": 1, "iat": now(&app), "exp": now(&app) + DAY });
        let ana = app.visitor().with_token(&old_token(&claims));
        assert_eq!(ana.get("/api/auth/profile").await.data()["user"]["email"], "ana@example.com");
    })
    .await;
}

#[tokio::test]
async fn an_earlier_end_holds_for_those_that_were_used_before() {
    on_both_engines_with(accepted, async |app| {
        let ana = moves_in(&app, 71, "ana").await;
        assert!(ana.is_in().await);
        let until = UnixMillis((now(&app) + 600) * 1000);
        app.set(|options| {
            options.settings.old_tokens = Some(OldTokens { until: Some(until), ..another_applications_tokens() });
        });
        app.restart().await;
        assert!(ana.is_in().await);
        app.clock.advance(Duration::from_mins(10));
        assert!(!ana.is_in().await);
    })
    .await;
}

/// An operator moves it, and nothing of the session is remembered any more.
#[tokio::test]
async fn a_later_end_revives_none_that_was_logged_out() {
    on_both_engines(async |app| {
        let until = |days: i64| {
            let until = Some(UnixMillis(cerrojo_testkit::BEGINNING.0 + days * DAY * 1000));
            app.set(move |options| {
                options.settings.old_tokens = Some(OldTokens { until, ..another_applications_tokens() });
            });
        };
        until(40);
        app.restart().await;
        let ana = moves_in(&app, 71, "ana").await;
        let long = json!({ "user_id": 71, "iat": now(&app), "exp": now(&app) + 300 * DAY });
        let endless = json!({ "user_id": 71, "iat": now(&app) });
        let [long, endless] = [long, endless].map(|claims| ana.with_token(&old_token(&claims)));
        long.logout().await;
        endless.logout().await;
        for _ in 0..4 {
            app.clock.advance(Duration::from_hours(20 * 24));
            app.tick().await;
        }
        until(200);
        app.restart().await;
        assert!(!long.is_in().await && !endless.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn whoever_comes_late_is_let_in_when_the_import_has_run() {
    on_both_engines_with(accepted, async |app| {
        let mut rosa = app.visitor();
        rosa.id = 75;
        let rosa = app.old_session(&rosa, "phone");
        assert!(!rosa.is_in().await);
        import_users(&app.inside(), &[imported(75, "rosa")]).await.unwrap();
        forget_refusals(&app);
        assert!(rosa.is_in().await);
    })
    .await;
}

/// That one was refused is remembered for a while.
fn forget_refusals(app: &TestApp) {
    app.clock.advance(Duration::from_secs(10));
}

#[tokio::test]
async fn an_idle_one_is_over() {
    let set = |options: &mut Options| {
        accepted(options);
        options.settings.idle_timeout = Some(Duration::from_mins(10));
    };
    on_both_engines_with(set, async |app| {
        let ana = moves_in(&app, 71, "ana").await;
        for _ in 0..3 {
            app.clock.advance(Duration::from_mins(9));
            assert!(ana.is_in().await);
        }
        app.clock.advance(Duration::from_mins(10));
        assert!(!ana.is_in().await);
        app.restart().await;
        assert!(!ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn services_ask_about_old_tokens_too() {
    on_both_engines_with(accepted, async |app| {
        let secret = app.service("orders").await;
        let ana = moves_in(&app, 71, "ana").await;
        let ask = || {
            let call = app.visitor().call("POST", "/api/auth/introspect");
            call.header("content-type", "application/x-www-form-urlencoded")
                .body(format!("token={}", ana.token()))
                .basic("orders", &secret)
        };
        let told = ask().await.json();
        assert_eq!(
            (&told["active"], &told["user_id"], &told["exp"]),
            (&json!(true), &json!(71), &json!(now(&app) + DAY))
        );
        assert_eq!(sessions(&ana).await[0]["address"], json!(""), "the service's own would mislead");
        ana.logout().await;
        assert_eq!(ask().await.json(), json!({ "active": false }));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_one_node_made_of_it_the_other_knows() {
    let mut options = Options::default();
    accepted(&mut options);
    let one = TestApp::start(Engine::Postgres, options).await;
    let other = one.another_node().await;
    let tasks = [one.inside().spawn_tasks(), other.inside().spawn_tasks()];
    let ana = moves_in(&one, 71, "ana").await;
    let tablet = one.old_session(&ana, "tablet");
    assert!(ana.is_in().await && ana.through(&other).is_in().await);
    assert!(tablet.through(&other).is_in().await && tablet.is_in().await);
    assert_eq!(sessions(&ana).await.len(), 2);
    for (turn, session) in [&ana, &tablet].into_iter().enumerate() {
        let (here, there) = if turn == 0 { (&one, &other) } else { (&other, &one) };
        session.through(here).logout().await;
        assert!(!session.through(there).is_in().await && !session.through(here).is_in().await);
    }
    for (tasks, node) in tasks.into_iter().zip([&one, &other]) {
        tasks.stop(&node.inside()).await;
    }
}

/// Nobody is told 401 by one node while another may still say 200.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_second_logout_is_refused_when_every_node_knows_of_the_first() {
    let mut options = Options::default();
    accepted(&mut options);
    let one = TestApp::start(Engine::Postgres, options).await;
    let other = one.another_node().await;
    let ana = moves_in(&one, 71, "ana").await;
    assert!(ana.is_in().await && ana.through(&other).is_in().await);
    other.stop_beating();
    cerrojo_app::lease::beat(&one.inside()).await.unwrap();
    let logout = |who: Actor| tokio::spawn(async move { who.call("POST", "/api/auth/logout").await });
    let first = logout(ana.clone());
    let refused = async {
        while ana.get("/api/auth/verify").await.status == 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), refused).await.expect("the ending is known here");
    let second = logout(ana.clone());
    // As long as this takes: the other node says yes, and nobody was answered.
    for _ in 0..20 {
        assert!(ana.through(&other).is_in().await);
    }
    assert!(!first.is_finished() && !second.is_finished());
    for node in [&one, &other] {
        node.clock.advance(Duration::from_millis(2300));
    }
    first.await.unwrap().assert_ok(200, "Sesión cerrada exitosamente");
    second.await.unwrap().assert_token_refused();
}
