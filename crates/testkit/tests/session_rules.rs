//! How many sessions a user has, how old one becomes, and what is otherwise for a role.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::time::Duration;

use cerrojo_app::{RoleRules, WhenFull};
use cerrojo_domain::{ADMIN_ROLE, USER_ROLE};
use cerrojo_testkit::{
    Actor, Engine, OTHER_PASSWORD, Options, PASSWORD, PROTECTED, TestApp, another_applications_tokens, claims,
    on_both_engines_with,
};
use serde_json::{Value, json};

fn at_most(number: u32) -> impl Fn(&mut Options) {
    move |options| {
        options.settings.max_per_user = Some(number);
        options.settings.login_limit = None;
    }
}

async fn live(actor: &Actor) -> usize {
    actor.get("/api/auth/sessions").await.data()["sessions"].as_array().unwrap().len()
}

async fn how_many_are_in(actors: &[Actor]) -> usize {
    let mut number = 0;
    for actor in actors {
        number += usize::from(actor.is_in().await);
    }
    number
}

/// Signs in so many times at once; those that were let in.
async fn sign_in_at_once(app: &TestApp, user: &Actor, times: usize) -> Vec<Actor> {
    let body = json!({ "email": user.email, "password": PASSWORD });
    let calls = (0..times).map(|_| user.post("/api/auth/login", body.clone()).without("authorization"));
    let replies = app.together(calls).await;
    let tokens = replies.iter().filter(|reply| reply.status == 200).map(|reply| reply.data()["token"].clone());
    tokens.map(|token| user.with_token(token.as_str().unwrap())).collect()
}

#[tokio::test]
async fn one_session_too_many_ends_the_oldest_for_good() {
    on_both_engines_with(at_most(3), async |app| {
        let bea = app.user("bea").await;
        let first = app.admin_named("ana").await;
        let mut devices = vec![first.clone()];
        for _ in 0..2 {
            app.clock.advance(Duration::from_secs(1));
            devices.push(first.another_session().await);
        }
        assert_eq!(how_many_are_in(&devices).await, 3);
        app.clock.advance(Duration::from_secs(1));
        let newest = first.another_session().await;
        for endpoint in PROTECTED {
            endpoint.in_earnest(&first, &bea).await.assert_token_refused();
        }
        assert_eq!((how_many_are_in(&devices[1..]).await, newest.is_in().await, bea.is_in().await), (2, true, true));
        let ended = newest.get("/api/auth/sessions?ended=true").await.data()["sessions"].clone();
        let over: Vec<&Value> =
            ended.as_array().unwrap().iter().filter(|session| !session["ended_at"].is_null()).collect();
        assert_eq!(over.len(), 1);
        assert_eq!((&over[0]["ended_reason"], &over[0]["ended_by"]), (&json!("session_limit"), &json!("user")));
        app.restart().await;
        assert!(!first.is_in().await && newest.is_in().await);
        assert_eq!(live(&newest).await, 3);
    })
    .await;
}

#[tokio::test]
async fn or_it_is_refused_to_whoever_gave_the_right_password() {
    let set = |options: &mut Options| {
        options.settings.max_per_user = Some(2);
        options.settings.when_full = WhenFull::Refuse;
    };
    on_both_engines_with(set, async |app| {
        let ana = app.user("ana").await;
        let other = ana.another_session().await;
        for _ in 0..12 {
            let reply = ana.try_login(&ana.email, PASSWORD).await;
            let told = "Ya hay demasiadas sesiones abiertas. Cierre una antes de iniciar otra.";
            reply.assert_error(409, "TOO_MANY_SESSIONS", told);
        }
        ana.try_login(&ana.email, "wrong").await.assert_code(401, "INVALID_CREDENTIALS");
        assert!(ana.is_in().await && other.is_in().await);
        other.logout().await;
        let again = ana.another_session().await;
        assert!(again.is_in().await);
        // What has expired is in nobody's way, swept or not.
        app.clock.advance(Duration::from_hours(24));
        assert!(ana.another_session().await.is_in().await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_many_sign_in_at_once_no_more_are_live() {
    for when_full in [WhenFull::EndOldest, WhenFull::Refuse] {
        let set = |options: &mut Options| {
            at_most(3)(options);
            options.settings.when_full = when_full;
        };
        on_both_engines_with(set, async |app| {
            for round in 0..6 {
                let ana = app.user(&format!("ana{round}")).await;
                let born = sign_in_at_once(&app, &ana, 8).await;
                let let_in = if when_full == WhenFull::Refuse { 2 } else { 8 };
                assert_eq!(born.len(), let_in, "round {round}");
                let all = [born, vec![ana]].concat();
                assert_eq!(how_many_are_in(&all).await, 3, "round {round}");
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sign_in_in_the_place_of_another_loses_against_a_new_password_as_any_other_does() {
    on_both_engines_with(at_most(1), async |app| {
        for round in 0..20 {
            let ana = app.user(&format!("ana{round}")).await;
            let body = json!({ "email": ana.email, "password": PASSWORD });
            let change = json!({ "currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD });
            let mut calls: Vec<_> =
                (0..4).map(|_| ana.post("/api/auth/login", body.clone()).without("authorization")).collect();
            calls.insert(round % 5, ana.put("/api/auth/password", change));
            let replies = app.together(calls).await;
            let changed = replies[round % 5].status;
            // Whoever signed in first ended the session that was to change it.
            assert!([200, 401].contains(&changed), "{}", replies[round % 5]);
            let mut alive = usize::from(ana.is_in().await);
            for reply in replies.iter().enumerate().filter(|(place, _)| *place != round % 5).map(|(_, reply)| reply) {
                if reply.status == 200 {
                    alive += usize::from(ana.with_token(reply.data()["token"].as_str().unwrap()).is_in().await);
                } else {
                    assert_eq!(reply.status, 401, "{reply}");
                }
            }
            assert_eq!(alive, 1, "round {round}");
            if changed == 200 {
                assert!(ana.is_in().await, "nobody who signed in with the old password is left");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_lower_number_holds_from_the_next_sign_in_on() {
    on_both_engines_with(
        |options| options.settings.old_tokens = Some(another_applications_tokens()),
        async |app| {
            let ana = app.user("ana").await;
            app.came_from_another_application(&ana).await;
            let mut devices = vec![ana.clone()];
            for number in 0..2 {
                app.clock.advance(Duration::from_secs(1));
                devices.push(ana.another_session().await);
                app.clock.advance(Duration::from_secs(1));
                devices.push(app.old_session(&ana, &number.to_string()));
                assert!(devices[devices.len() - 1].is_in().await);
            }
            app.set(at_most(2));
            app.restart().await;
            let late = app.old_session(&ana, "not used before");
            assert!(late.is_in().await, "whoever moves in is not signed out by a number");
            assert_eq!(how_many_are_in(&devices).await, 5);
            app.clock.advance(Duration::from_secs(1));
            let newest = ana.another_session().await;
            assert_eq!((how_many_are_in(&devices).await, late.is_in().await, newest.is_in().await), (0, true, true));
        },
    )
    .await;
}

#[tokio::test]
async fn no_session_is_older_than_that() {
    let set = |options: &mut Options| options.settings.max_age = Some(Duration::from_hours(8));
    on_both_engines_with(set, async |app| {
        let ana = app.user("ana").await;
        let said = claims(ana.token());
        assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 8 * 3600);
        app.clock.advance(Duration::from_hours(8) - Duration::from_millis(1));
        assert!(ana.is_in().await);
        app.clock.advance(Duration::from_millis(1));
        assert!(!ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn a_shorter_age_holds_for_those_that_began_before() {
    on_both_engines_with(
        |options| options.settings.old_tokens = Some(another_applications_tokens()),
        async |app| {
            let (ana, jefa) = (app.user("ana").await, app.admin().await);
            app.came_from_another_application(&ana).await;
            let (old, unused) = (app.old_session(&ana, "used"), app.old_session(&ana, "unused"));
            assert!(old.is_in().await);
            app.clock.advance(Duration::from_hours(2));
            let young = ana.another_session().await;
            app.set(|options| {
                let rules = RoleRules { max_age: Some(Some(Duration::from_hours(2))), ..RoleRules::default() };
                options.settings.by_role = [(USER_ROLE, rules)].into();
            });
            app.restart().await;
            // At once, whether or not anybody swept.
            assert!(!ana.is_in().await && !old.is_in().await);
            app.tick().await;
            assert!(!ana.is_in().await && !old.is_in().await);
            assert!(young.is_in().await && jefa.is_in().await && unused.is_in().await);
            app.clock.advance(Duration::from_hours(2));
            assert!(!young.is_in().await && !unused.is_in().await && jefa.is_in().await);
            app.restart().await;
            assert!(!young.is_in().await && !unused.is_in().await && jefa.is_in().await);
            assert_eq!(live(&ana.another_session().await).await, 1);
        },
    )
    .await;
}

/// Of a node that has not been given the new settings yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_age_holds_for_sessions_of_nodes_that_do_not_know_of_it() {
    let old = TestApp::start(Engine::Postgres, Options::default()).await;
    old.set(|options| options.settings.max_age = Some(Duration::from_hours(2)));
    let new = old.another_node().await;
    new.tick().await;
    let ana = old.user("ana").await;
    assert!(ana.through(&new).is_in().await);
    for node in [&old, &new] {
        node.clock.advance(Duration::from_hours(2));
    }
    let refused = tokio::spawn({
        let (ana, new) = (ana.clone(), new.clone());
        async move { ana.through(&new).get("/api/auth/verify").await }
    });
    cerrojo_app::follow::look(&old.inside()).await.unwrap();
    refused.await.unwrap().assert_token_refused();
}

#[tokio::test]
async fn a_role_has_its_own() {
    let set = |options: &mut Options| {
        let strict = RoleRules {
            idle_timeout: Some(Some(Duration::from_mins(10))),
            max_age: Some(Some(Duration::from_hours(4))),
            max_per_user: Some(Some(1)),
        };
        options.settings.by_role = [(ADMIN_ROLE, strict)].into();
    };
    on_both_engines_with(set, async |app| {
        let (ana, jefa) = (app.user("ana").await, app.admin().await);
        let (tablet, again) = (ana.another_session().await, jefa.another_session().await);
        assert!(ana.is_in().await && tablet.is_in().await && again.is_in().await && !jefa.is_in().await);
        for _ in 0..2 {
            app.clock.advance(Duration::from_mins(9));
            assert!(again.is_in().await);
        }
        app.clock.advance(Duration::from_mins(10));
        assert!(!again.is_in().await && ana.is_in().await);
        let unseen = jefa.another_session().await;
        app.clock.advance(Duration::from_mins(12));
        app.tick().await;
        assert_eq!(live(&jefa.another_session().await).await, 1);
        assert!(!unseen.is_in().await && ana.is_in().await && tablet.is_in().await);
        app.restart().await;
        let last = jefa.another_session().await;
        for _ in 0..24 {
            app.clock.advance(Duration::from_mins(9));
            assert!(last.is_in().await);
        }
        app.clock.advance(Duration::from_mins(24));
        assert!(!last.is_in().await && ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn a_role_may_have_none_where_others_have() {
    let set = |options: &mut Options| {
        let none = RoleRules { idle_timeout: Some(None), max_per_user: Some(None), ..RoleRules::default() };
        options.settings.idle_timeout = Some(Duration::from_mins(10));
        options.settings.max_per_user = Some(1);
        options.settings.by_role = [(ADMIN_ROLE, none)].into();
    };
    on_both_engines_with(set, async |app| {
        let (ana, jefa) = (app.user("ana").await, app.admin().await);
        let (tablet, again) = (ana.another_session().await, jefa.another_session().await);
        assert!(!ana.is_in().await && tablet.is_in().await && jefa.is_in().await && again.is_in().await);
        app.clock.advance(Duration::from_mins(12));
        app.tick().await;
        assert!(!tablet.is_in().await && jefa.is_in().await && again.is_in().await);
        assert_eq!(live(&ana.another_session().await).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whom_a_sign_in_ends_is_over_at_every_node_when_it_is_answered() {
    let mut options = Options::default();
    at_most(1)(&mut options);
    let one = TestApp::start(Engine::Postgres, options).await;
    let other = one.another_node().await;
    let tasks = [one.inside().spawn_tasks(), other.inside().spawn_tasks()];
    let mut last = one.user("ana").await;
    for turn in 0..10 {
        let (here, there) = if turn % 2 == 0 { (&one, &other) } else { (&other, &one) };
        assert!(last.through(there).is_in().await);
        let next = last.through(here).another_session().await;
        assert!(!last.through(there).is_in().await && !last.through(here).is_in().await);
        last = next;
    }
    for (tasks, node) in tasks.into_iter().zip([&one, &other]) {
        tasks.stop(&node.inside()).await;
    }
}
