//! What arrives at the same time: whoever wins, what is over stays over and nothing is done twice.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::pin::pin;
use std::time::Duration;

use cerrojo_app::Caller;
use cerrojo_domain::{Origin, SessionId, UserId};
use cerrojo_store::{sessions, users};
use cerrojo_testkit::{Actor, Call, OTHER_PASSWORD, PASSWORD, Reply, TestApp, on_both_engines, on_both_engines_with};
use serde_json::json;

/// Rounds of each race on each engine.
const ROUNDS: usize = 60;
/// Sign-ins in a round.
const SIGN_INS: usize = 6;

/// A call that is made after giving others their turn `turns` times.
async fn late(call: Call, turns: usize) -> Reply {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
    call.await
}

/// Sign-ins with the old password race `ending`. Its answer, and the sessions that were born.
async fn sign_ins_against(actor: &Actor, ending: Call, round: usize) -> (Reply, Vec<Actor>) {
    let body = json!({ "email": actor.email, "password": PASSWORD });
    let sign_ins: Vec<_> = (0..SIGN_INS)
        .map(|number| {
            let call = actor.post("/api/auth/login", body.clone()).without("authorization");
            tokio::spawn(late(call, (number * round) % 13))
        })
        .collect();
    let ending = tokio::spawn(late(ending, (round * 5) % 11));
    let mut born = Vec::new();
    for sign_in in sign_ins {
        let reply = sign_in.await.unwrap();
        if reply.status == 200 {
            born.push(actor.with_token(reply.data()["token"].as_str().unwrap()));
        } else {
            assert_eq!(reply.status, 401, "{reply}");
        }
    }
    (ending.await.unwrap(), born)
}

async fn race(ending: impl AsyncFn(&TestApp, &Actor, &Actor) -> Call, after: impl AsyncFn(&Actor, &Actor)) {
    on_both_engines_with(
        |options| options.settings.login_limit = None,
        async |app| {
            let jefa = app.admin().await;
            let mut dead = Vec::new();
            for round in 0..ROUNDS {
                let ana = app.user(&format!("ana{round}")).await;
                let call = ending(&app, &ana, &jefa).await;
                // Whoever wins the race: one was in before it, and one comes after.
                let before = ana.another_session().await;
                let (reply, mut born) = sign_ins_against(&ana, call, round).await;
                born.push(before);
                assert_eq!(reply.status, 200, "{reply}");
                after(&ana, &jefa).await;
                for session in born {
                    session.get("/api/auth/verify").await.assert_token_refused();
                    dead.push(session);
                }
                assert_eq!(ana.try_login(&ana.email, PASSWORD).await.status, 401);
            }
            app.restart().await;
            for session in dead {
                session.get("/api/auth/verify").await.assert_token_refused();
            }
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_against_a_reset() {
    let reset = async |app: &TestApp, ana: &Actor, _: &Actor| {
        let code = app.reset_code(&ana.email).await;
        app.visitor().post("/api/auth/reset-password", json!({ "token": code, "newPassword": OTHER_PASSWORD }))
    };
    race(reset, async |ana, _| assert!(!ana.is_in().await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_against_a_deactivation() {
    let deactivate = async |_: &TestApp, ana: &Actor, jefa: &Actor| {
        jefa.put(&format!("/api/admin/users/{}", ana.id), json!({ "status": "inactive" }))
    };
    race(deactivate, async |ana, _| assert!(!ana.is_in().await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_against_a_change_of_password() {
    let change = async |_: &TestApp, ana: &Actor, _: &Actor| {
        ana.put("/api/auth/password", json!({ "currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD }))
    };
    race(change, async |ana, _| assert!(ana.is_in().await, "the calling session goes on")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_against_a_deletion() {
    let delete = async |_: &TestApp, ana: &Actor, jefa: &Actor| jefa.delete(&format!("/api/auth/users/{}", ana.id));
    race(delete, async |ana, _| assert!(!ana.is_in().await)).await;
}

/// The user's row is held while a reset and sign-ins gather behind it, so that they follow each other at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_and_a_reset_that_wait_for_the_same_row() {
    on_both_engines_with(
        |options| options.settings.login_limit = None,
        async |app| {
            for round in 0..8 {
                let ana = app.user(&format!("ana{round}")).await;
                let code = app.reset_code(&ana.email).await;
                let reset = app
                    .visitor()
                    .post("/api/auth/reset-password", json!({ "token": code, "newPassword": OTHER_PASSWORD }));
                let inside = app.inside();
                let mut holding = inside.store.begin().await.unwrap();
                users::lock(&mut holding, UserId(ana.id)).await.unwrap().unwrap();
                let racing = tokio::spawn({
                    let ana = ana.clone();
                    async move { sign_ins_against(&ana, reset, round).await }
                });
                // However many have gathered by then.
                for _ in 0..round * 500 {
                    tokio::task::yield_now().await;
                }
                drop(holding);
                let (reply, born) = racing.await.unwrap();
                assert_eq!(reply.status, 200, "{reply}");
                for session in born {
                    session.get("/api/auth/verify").await.assert_token_refused();
                }
                assert!(!ana.is_in().await);
            }
        },
    )
    .await;
}

/// Whoever signs in while the key is retired gets a token of the new key, or one that nobody accepts.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_against_a_retired_key() {
    on_both_engines_with(
        |options| options.settings.login_limit = None,
        async |app| {
            let ana = app.user("ana").await;
            let kid = |actor: &Actor| cerrojo_testkit::header_of(actor.token())["kid"].as_str().unwrap().to_owned();
            for round in 0..10 {
                let old = kid(&ana.another_session().await);
                let body = json!({ "email": ana.email, "password": PASSWORD });
                let sign_ins: Vec<_> = (0..SIGN_INS)
                    .map(|number| {
                        let call = ana.post("/api/auth/login", body.clone()).without("authorization");
                        tokio::spawn(late(call, number * round))
                    })
                    .collect();
                cerrojo_app::keys::retire(&app.inside(), &cerrojo_domain::KeyId::from_text(old.clone())).await.unwrap();
                for sign_in in sign_ins {
                    let reply = sign_in.await.unwrap();
                    assert_eq!(reply.status, 200, "{reply}");
                    let born = ana.with_token(reply.data()["token"].as_str().unwrap());
                    assert_eq!(born.is_in().await, kid(&born) != old);
                }
                app.tick().await;
                let again = ana.another_session().await;
                for session in again.get("/api/auth/sessions").await.data()["sessions"].as_array().unwrap() {
                    assert!(session["ended_at"].is_null(), "{session}");
                }
            }
        },
    )
    .await;
}

/// Everything is ended while people sign in: they are in afterwards or were told to try again, but nobody's token is dead
/// without an ending that came after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_against_the_end_of_everything() {
    on_both_engines_with(
        |options| options.settings.login_limit = None,
        async |app| {
            for round in 0..40 {
                let ana = app.user(&format!("ana{round}")).await;
                let body = json!({ "email": ana.email, "password": PASSWORD });
                let sign_ins: Vec<_> = (0..SIGN_INS)
                    .map(|number| {
                        let call = ana.post("/api/auth/login", body.clone()).without("authorization");
                        tokio::spawn(late(call, number * round))
                    })
                    .collect();
                cerrojo_app::administer::end_everything(&app.inside()).await.unwrap();
                assert!(!ana.is_in().await);
                let mut sessions = Vec::new();
                for sign_in in sign_ins {
                    let reply = sign_in.await.unwrap();
                    if reply.status != 200 {
                        reply.assert_code(503, "UNAVAILABLE");
                        continue;
                    }
                    sessions.push(ana.with_token(reply.data()["token"].as_str().unwrap()));
                }
                // On PostgreSQL a session may be born into a list that was just retired: no verifier accepts it, and the
                // sweeper says so in the database.
                for session in &sessions {
                    assert!(!session.is_in().await || is_live(&app, session).await, "accepted though it has ended");
                }
                app.tick().await;
                for session in &sessions {
                    assert_eq!(session.is_in().await, is_live(&app, session).await, "memory and database differ");
                }
                assert!(ana.another_session().await.is_in().await);
            }
        },
    )
    .await;
}

async fn is_live(app: &TestApp, session: &Actor) -> bool {
    let inside = app.inside();
    sessions::is_live(&mut inside.store.reader(), &SessionId::from_text(session.session_id())).await.unwrap()
}

fn with_status(replies: &[Reply], status: u16) -> usize {
    replies.iter().filter(|reply| reply.status == status).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_logouts_of_one_session_one_gets_the_200() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let phone = ana.another_session().await;
        let replies = app.together((0..100).map(|_| phone.call("POST", "/api/auth/logout"))).await;
        assert_eq!(with_status(&replies, 200), 1);
        for reply in replies.iter().filter(|reply| reply.status != 200) {
            reply.assert_token_refused();
        }
        assert!(ana.is_in().await && !phone.is_in().await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_against_logout_others() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        for _ in 0..30 {
            let phone = ana.another_session().await;
            let calls = [phone.call("POST", "/api/auth/logout"), ana.call("POST", "/api/auth/logout-others")];
            let replies = app.together(calls).await;
            if replies[0].status != 200 {
                replies[0].assert_token_refused();
            }
            assert_eq!(replies[1].status, 200, "{}", replies[1]);
            assert!(ana.is_in().await && !phone.is_in().await);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_end_each_other() {
    on_both_engines(async |app| {
        for round in 0..20 {
            let ana = app.user(&format!("ana{round}")).await;
            let mut sessions = vec![ana.clone()];
            // Once more of them than there are connections to a database.
            for _ in 0..if round == 0 { 40 } else { 4 } {
                sessions.push(ana.another_session().await);
            }
            let calls = sessions.iter().map(|session| session.call("POST", "/api/auth/logout-others"));
            let replies = app.together(calls).await;
            assert_eq!(with_status(&replies, 200), 1, "one ends the others, which end nobody any more");
            for (session, reply) in sessions.iter().zip(&replies) {
                assert_eq!(session.is_in().await, reply.status == 200, "{reply}");
                if reply.status != 200 {
                    reply.assert_token_refused();
                }
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_who_demote_each_other() {
    on_both_engines(async |app| {
        for round in 0..15 {
            let (one, two) =
                (app.admin_named(&format!("una{round}")).await, app.admin_named(&format!("dos{round}")).await);
            for user in one.get("/api/admin/users").await.data().as_array().unwrap() {
                let id = user["user_id"].as_i64().unwrap();
                if user["role_id"] == 1 && id != one.id && id != two.id {
                    assert_eq!(one.delete(&format!("/api/auth/users/{id}")).await.status, 200);
                }
            }
            let demote =
                |by: &Actor, whom: &Actor| by.put(&format!("/api/admin/users/{}", whom.id), json!({ "role_id": 2 }));
            let replies = app.together([demote(&one, &two), demote(&two, &one)]).await;
            assert_eq!(with_status(&replies, 200), 1, "{} and {}", replies[0], replies[1]);
            let (left, gone) = if replies[0].status == 200 { (&one, &two) } else { (&two, &one) };
            assert_eq!(left.get("/api/admin/users").await.status, 200);
            gone.get("/api/admin/users").await.assert_token_refused();
        }
    })
    .await;
}

/// What a demoted administrator had under way is done before the demotion or not at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_demotion_against_what_the_demoted_does() {
    on_both_engines(async |app| {
        let jefa = app.admin().await;
        for round in 0..20 {
            let ana = app.admin_named(&format!("ana{round}")).await;
            let target = app.user(&format!("diana{round}")).await;
            let calls = [
                jefa.put(&format!("/api/admin/users/{}", ana.id), json!({ "role_id": 2 })),
                ana.put(&format!("/api/admin/users/{}", target.id), json!({ "status": "inactive" })),
            ];
            let replies = app.together(calls).await;
            assert_eq!(replies[0].status, 200, "{}", replies[0]);
            let done = replies[1].status == 200;
            if !done {
                replies[1].assert_token_refused();
            }
            assert_eq!(target.is_in().await, !done);
            ana.get("/api/admin/users").await.assert_token_refused();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_email_is_registered_once() {
    on_both_engines(async |app| {
        let body = json!({ "name": "Ana", "email": "ana@example.com", "password": PASSWORD });
        let calls: Vec<_> = (0..20).map(|_| app.visitor().post("/api/auth/register", body.clone())).collect();
        let replies = app.together(calls).await;
        assert_eq!((with_status(&replies, 201), with_status(&replies, 409)), (1, 19));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_link_works_once() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let code = app.reset_code(&ana.email).await;
        let calls: Vec<_> = (0..20)
            .map(|number| {
                let password = format!("Tormenta-lejana-{number}");
                app.visitor().post("/api/auth/reset-password", json!({ "token": code, "newPassword": password }))
            })
            .collect();
        let replies = app.together(calls).await;
        assert_eq!(with_status(&replies, 200), 1);
        for (number, reply) in replies.iter().enumerate() {
            let login = app.visitor().try_login(&ana.email, &format!("Tormenta-lejana-{number}")).await;
            assert_eq!(login.status == 200, reply.status == 200, "{reply}");
            if reply.status != 200 {
                reply.assert_code(401, "INVALID_RESET_TOKEN");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_goes_to_one_of_those_who_want_it() {
    on_both_engines(async |app| {
        for round in 0..15 {
            let (ana, luis) = (app.user(&format!("ana{round}")).await, app.user(&format!("luis{round}")).await);
            let wanted = format!("deseada{round}@example.com");
            let calls = [&ana, &luis].map(|actor| actor.put("/api/auth/profile", json!({ "email": wanted })));
            let replies = app.together(calls).await;
            assert_eq!(
                (with_status(&replies, 200), with_status(&replies, 409)),
                (1, 1),
                "{} {}",
                replies[0],
                replies[1]
            );
            assert!(ana.is_in().await && luis.is_in().await);
        }
    })
    .await;
}

/// Two changes of password by two sessions: one wins, its session goes on, the other one is over or was too late.
#[tokio::test(flavor = "multi_thread")]
async fn changes_of_password_against_each_other() {
    on_both_engines(async |app| {
        for round in 0..15 {
            let ana = app.user(&format!("ana{round}")).await;
            let phone = ana.another_session().await;
            let change = |by: &Actor, to: &str| {
                by.put("/api/auth/password", json!({ "currentPassword": PASSWORD, "newPassword": to }))
            };
            let calls = [change(&ana, "Ribera-honda-1"), change(&phone, "Ribera-honda-2")];
            let replies = app.together(calls).await;
            assert_eq!(with_status(&replies, 200), 1, "{} {}", replies[0], replies[1]);
            let first = replies[0].status == 200;
            assert_eq!((ana.is_in().await, phone.is_in().await), (first, !first));
            let other = &replies[usize::from(first)];
            assert_eq!(other.status, 401, "{other}");
            let new = if first { "Ribera-honda-1" } else { "Ribera-honda-2" };
            assert!(ana.signed_in_with(new).await.is_in().await);
        }
    })
    .await;
}

/// The caller goes away after its request was polled `polls` times.
async fn cut_off<T>(request: impl Future<Output = T>, polls: usize) -> Option<T> {
    let (mut request, mut left) = (pin!(request), polls);
    std::future::poll_fn(|context| {
        if left == 0 {
            return std::task::Poll::Ready(None);
        }
        left -= 1;
        request.as_mut().poll(context).map(Some)
    })
    .await
}

/// Everything that was begun by logouts that nobody waits for is done when a later one is answered: they queue.
async fn let_it_settle(ana: &Actor) {
    ana.another_session().await.logout().await;
}

async fn assert_alive_or_dead_everywhere(app: &TestApp, sessions: &[Actor]) {
    let mut alive = Vec::new();
    for session in sessions {
        let accepted = session.is_in().await;
        assert_eq!(accepted, is_live(app, session).await, "memory and database differ");
        alive.push(accepted);
    }
    app.restart().await;
    for (session, accepted) in sessions.iter().zip(alive) {
        assert_eq!(session.is_in().await, accepted, "a restart changed what is over");
    }
}

fn caller(app: &TestApp, session: &Actor) -> (Caller, Origin) {
    (app.inside().guard.check(session.token()).unwrap(), Origin::new(session.address(), "testkit/1.0"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_whose_caller_goes_away() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let mut sessions = Vec::new();
        for polls in (0..4).cycle().take(60) {
            let phone = ana.another_session().await;
            let (caller, origin) = caller(&app, &phone);
            let inside = app.inside();
            drop(cut_off(cerrojo_app::end::logout(&inside, &caller, &origin), polls).await);
            sessions.push(phone);
        }
        let_it_settle(&ana).await;
        assert_alive_or_dead_everywhere(&app, &sessions).await;
    })
    .await;
}

/// The same by time instead of polls, which falls into the middle of the transaction as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_that_is_cut_off_at_any_moment() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let mut sessions = Vec::new();
        for number in 0..60 {
            let phone = ana.another_session().await;
            let (caller, origin) = caller(&app, &phone);
            let inside = app.inside();
            let logout = cerrojo_app::end::logout(&inside, &caller, &origin);
            drop(tokio::time::timeout(Duration::from_micros(number * 60), logout).await);
            sessions.push(phone);
        }
        let_it_settle(&ana).await;
        assert_alive_or_dead_everywhere(&app, &sessions).await;
    })
    .await;
}

/// Whatever became of the first logout, the second is told the truth and the session is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_and_asks_again() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        for number in 0..60 {
            let phone = ana.another_session().await;
            let logout = phone.call("POST", "/api/auth/logout").into_future();
            drop(tokio::time::timeout(Duration::from_micros(number * 60), logout).await);
            let reply = phone.call("POST", "/api/auth/logout").await;
            if reply.status != 200 {
                reply.assert_token_refused();
            }
            assert!(!phone.is_in().await && !is_live(&app, &phone).await);
        }
        assert!(ana.is_in().await);
    })
    .await;
}

/// Endings of many sessions that are cut off: all of them or none, and a second try succeeds whatever became of the first.
#[tokio::test(flavor = "multi_thread")]
async fn an_ending_of_many_that_is_cut_off() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        for number in 0..40 {
            let (phone, tablet) = (ana.another_session().await, ana.another_session().await);
            let (caller, origin) = caller(&app, &ana);
            let inside = app.inside();
            let ending = cerrojo_app::sessions::logout_others(&inside, &caller, &origin, None);
            drop(tokio::time::timeout(Duration::from_micros(number * 90), ending).await);
            let mut state = inside.store.snapshot().await.unwrap();
            let mut stored = Vec::new();
            for session in [&phone, &tablet] {
                stored.push(sessions::is_live(&mut state, &SessionId::from_text(session.session_id())).await.unwrap());
            }
            drop(state);
            assert_eq!(stored[0], stored[1], "one of two was ended");
            let reply = ana.call("POST", "/api/auth/logout-others").await;
            assert_eq!(reply.status, 200, "{reply}");
            assert!(!phone.is_in().await && !tablet.is_in().await && ana.is_in().await);
        }
    })
    .await;
}

/// A change of password that is cut off is done whole or not at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_password_that_is_cut_off() {
    const LAST: u64 = 59;
    on_both_engines(async |app| {
        let diana = app.user("diana").await;
        for number in 0..=LAST {
            let ana = app.user(&format!("ana{number}")).await;
            let phone = ana.another_session().await;
            let body = json!({ "currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD });
            let change = ana.put("/api/auth/password", body).into_future();
            // Before it begins, after it is done, and anywhere between.
            match number {
                0 => drop(cut_off(change, 0).await),
                LAST => drop(change.await),
                _ => drop(tokio::time::timeout(Duration::from_micros(number * 120), change).await),
            }
            // An answered ending covers all that was committed before it.
            let_it_settle(&diana).await;
            let changed = app.visitor().try_login(&ana.email, OTHER_PASSWORD).await.status == 200;
            assert!(if number == 0 { !changed } else { number < LAST || changed });
            assert_eq!(app.visitor().try_login(&ana.email, PASSWORD).await.status == 200, !changed);
            assert_eq!((phone.is_in().await, is_live(&app, &phone).await), (!changed, !changed));
            assert!(ana.is_in().await);
        }
    })
    .await;
}
