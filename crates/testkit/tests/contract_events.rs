//! GET /api/auth/events: one's own session as it goes on; and what counts as a use of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::time::Duration;

use cerrojo_testkit::{
    Actor, Call, Engine, Event, Events, Options, TestApp, another_applications_tokens, on_both_engines,
    on_both_engines_with,
};
use serde_json::{Value, json};

const EVENTS: &str = "/api/auth/events";
const ACTIVITY: &str = "/api/auth/activity";
const VERIFY: &str = "/api/auth/verify";

/// A stream of the actor's, after its first event.
async fn stream(actor: &Actor) -> Events {
    opened(actor).await.0
}

async fn opened(actor: &Actor) -> (Events, Event) {
    let mut events = actor.get(EVENTS).events().await;
    assert_eq!(events.status, 200);
    let first = events.next().await.unwrap();
    assert_eq!(first.name, "session");
    (events, first)
}

/// The last event there is.
async fn assert_ends(events: &mut Events, reason: &str) -> Value {
    let event = events.next_named("ended").await;
    assert_eq!(event.data["reason"], reason, "{event:?}");
    assert_eq!(events.next().await, None);
    event.data
}

/// A call that is answered when another node, which is looked after meanwhile, knows of it.
async fn answered(call: Call, node: &TestApp) {
    let answering = tokio::spawn(call.into_future());
    while !answering.is_finished() {
        node.tick().await;
        tokio::task::yield_now().await;
    }
    let reply = answering.await.unwrap();
    assert_eq!(reply.status, 200, "{reply}");
}

/// What a running server does four times a second.
async fn look(app: &TestApp) {
    app.beat().await;
    cerrojo_app::onlookers::look(&app.inside());
}

fn with_idle_timeout(options: &mut Options) {
    options.settings.idle_timeout = Some(Duration::from_mins(30));
}

#[tokio::test]
async fn a_stream_opens_with_how_the_session_stands() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let mut events = ana.get(EVENTS).events().await;
        assert_eq!(events.status, 200);
        let header = |name: &str| events.headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "text/event-stream");
        assert_eq!(header("cache-control"), "no-store, no-transform");
        assert_eq!(header("x-accel-buffering"), "no");
        let first = events.next().await.unwrap();
        let expected = json!({
            "session_id": ana.session_id(),
            "expires_at": "2026-02-14T10:00:00.000Z",
            "idle_at": null,
            "now": "2026-02-13T10:00:00.000Z",
        });
        assert_eq!((first.name.as_str(), first.data), ("session", expected));
    })
    .await;
}

#[tokio::test]
async fn an_ending_is_told_to_the_sessions_own_streams_and_closes_them() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let (phone, luis) = (ana.another_session().await, app.user("luis").await);
        let (mut one, mut two) = (stream(&phone).await, stream(&phone.in_browser()).await);
        let (mut other, mut others) = (stream(&ana).await, stream(&luis).await);
        app.clock.advance(Duration::from_mins(5));
        let path = format!("/api/auth/sessions/{}", phone.session_id());
        assert_eq!(ana.delete(&path).await.status, 200);
        for events in [&mut one, &mut two] {
            let ended = assert_ends(events, "logout_elsewhere").await;
            assert_eq!((&ended["at"], &ended["by"]), (&json!("2026-02-13T10:05:00.000Z"), &json!("user")));
        }
        let jefa = app.admin().await;
        assert_eq!(jefa.delete(&format!("/api/admin/users/{}/sessions", ana.id)).await.status, 200);
        let ended = assert_ends(&mut other, "admin").await;
        // Who exactly is nobody's business.
        assert_eq!(ended["by"], "administrator");
        luis.logout().await;
        assert_ends(&mut others, "logout").await;
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_over_gets_no_stream() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        ana.logout().await;
        ana.get(EVENTS).await.assert_over("logout");
        ana.in_browser().get(EVENTS).await.assert_over("logout");
        app.visitor().get(EVENTS).await.assert_token_missing();
        app.visitor().get(EVENTS).bearer("a.b.c").await.assert_token_unknown();
    })
    .await;
}

#[tokio::test]
async fn an_ending_at_another_node_is_told() {
    let app = TestApp::start(Engine::Postgres, Options::default()).await;
    let node = app.another_node().await;
    let ana = app.user("ana").await;
    let phone = ana.another_session().await;
    let (mut here, mut there) = (stream(&ana).await, stream(&ana.through(&node)).await);
    answered(phone.call("POST", "/api/auth/logout-others"), &node).await;
    for events in [&mut here, &mut there] {
        assert_ends(events, "logout_elsewhere").await;
    }
}

#[tokio::test]
async fn no_stream_goes_on_at_a_node_that_may_not_say_yes() {
    let app = TestApp::start(Engine::Postgres, Options::default()).await;
    let ana = app.user("ana").await;
    let mut events = stream(&ana).await;
    app.stop_beating();
    app.clock.advance(Duration::from_millis(1_900));
    cerrojo_app::onlookers::look(&app.inside());
    app.clock.advance(Duration::from_millis(200));
    cerrojo_app::onlookers::look(&app.inside());
    assert_eq!(events.next().await, None);
    ana.get(EVENTS).await.assert_code(503, "UNAVAILABLE");
}

#[tokio::test]
async fn when_everything_ends_every_stream_does() {
    on_both_engines(async |app| {
        let (ana, luis) = (app.user("ana").await, app.user("luis").await);
        let (mut one, mut two) = (stream(&ana).await, stream(&luis).await);
        cerrojo_app::administer::end_everything_restored(&app.inside()).await.unwrap();
        assert_ends(&mut one, "restored").await;
        assert_ends(&mut two, "restored").await;
    })
    .await;
}

#[tokio::test]
async fn expiry_is_announced_and_ends_the_stream() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let mut events = stream(&ana).await;
        app.clock.advance(Duration::from_hours(24) - Duration::from_secs(61));
        look(&app).await;
        app.clock.advance(Duration::from_secs(1));
        app.tick().await;
        let event = events.news().await.unwrap();
        let expected = json!({ "expires_at": "2026-02-14T10:00:00.000Z", "cause": "expired" });
        assert_eq!((event.name.as_str(), event.data), ("expiring", expected));
        app.clock.advance(Duration::from_mins(1));
        look(&app).await;
        let ended = assert_ends(&mut events, "expired").await;
        assert_eq!((&ended["at"], &ended["by"]), (&json!("2026-02-14T10:00:00.000Z"), &json!("server")));
        ana.get(VERIFY).await.assert_over("expired");
    })
    .await;
}

#[tokio::test]
async fn idleness_is_announced_and_ends_the_stream() {
    on_both_engines_with(with_idle_timeout, async |app| {
        let ana = app.user("ana").await;
        let (mut events, first) = opened(&ana).await;
        assert_eq!(first.data["idle_at"], "2026-02-13T10:30:00.000Z");
        // Opening another one is no use, nor is holding one.
        app.clock.advance(Duration::from_mins(20));
        let (_another, again) = opened(&ana).await;
        assert_eq!(again.data["idle_at"], "2026-02-13T10:30:00.000Z");
        app.clock.advance(Duration::from_mins(9));
        look(&app).await;
        let event = events.news().await.unwrap();
        let expected = json!({ "idle_at": "2026-02-13T10:30:00.000Z", "cause": "idle" });
        assert_eq!((event.name.as_str(), event.data), ("expiring", expected));
        app.clock.advance(Duration::from_mins(1));
        look(&app).await;
        assert_ends(&mut events, "idle").await;
        ana.get(VERIFY).await.assert_over("idle");
    })
    .await;
}

#[tokio::test]
async fn a_use_after_the_warning_is_told_and_the_session_goes_on() {
    on_both_engines_with(with_idle_timeout, async |app| {
        let ana = app.user("ana").await;
        let mut events = stream(&ana).await;
        app.clock.advance(Duration::from_mins(29));
        look(&app).await;
        assert_eq!(events.news().await.unwrap().name, "expiring");
        assert!(ana.is_in().await);
        app.clock.advance(Duration::from_mins(1));
        look(&app).await;
        let event = events.news().await.unwrap();
        assert_eq!((event.name.as_str(), &event.data["idle_at"]), ("session", &json!("2026-02-13T10:59:00.000Z")));
        app.clock.advance(Duration::from_mins(28));
        look(&app).await;
        assert_eq!(events.news().await.unwrap().data["idle_at"], "2026-02-13T10:59:00.000Z");
    })
    .await;
}

#[tokio::test]
async fn a_use_at_another_node_keeps_a_stream_from_warning() {
    let mut options = Options::default();
    with_idle_timeout(&mut options);
    let app = TestApp::start(Engine::Postgres, options).await;
    let node = app.another_node().await;
    let ana = app.user("ana").await;
    let mut events = stream(&ana).await;
    for clock in [&app.clock, &node.clock] {
        clock.advance(Duration::from_mins(25));
    }
    assert!(ana.through(&node).is_in().await);
    node.tick().await;
    app.clock.advance(Duration::from_mins(4));
    look(&app).await;
    let event = events.news().await.unwrap();
    assert_eq!((event.name.as_str(), &event.data["idle_at"]), ("session", &json!("2026-02-13T10:55:00.000Z")));
}

#[tokio::test]
async fn somebody_who_is_there_moves_the_deadline_and_every_stream_hears_of_it() {
    on_both_engines_with(with_idle_timeout, async |app| {
        let ana = app.user("ana").await;
        let (mut one, mut two) = (stream(&ana).await, stream(&ana.in_browser()).await);
        app.clock.advance(Duration::from_mins(10));
        let reply = ana.in_browser().call("POST", ACTIVITY).await;
        let expected = json!({
            "expires_at": "2026-02-14T10:00:00.000Z",
            "idle_at": "2026-02-13T10:40:00.000Z",
            "now": "2026-02-13T10:10:00.000Z",
        });
        assert_eq!(reply.assert_ok(200, "Actividad registrada exitosamente"), expected);
        for events in [&mut one, &mut two] {
            let event = events.news().await.unwrap();
            assert_eq!((event.name.as_str(), &event.data["idle_at"]), ("session", &expected["idle_at"]));
        }
        app.clock.advance(Duration::from_mins(29));
        assert!(ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn what_a_client_asks_for_by_itself_is_no_use() {
    on_both_engines_with(with_idle_timeout, async |app| {
        let (ana, jefa) = (app.user("ana").await, app.admin().await);
        for (actor, path) in [(&ana, "/api/auth/profile"), (&ana.in_browser(), VERIFY), (&jefa, "/api/admin/users")] {
            app.clock.advance(Duration::from_mins(9));
            for value in ["background", "Background"] {
                assert_eq!(actor.get(path).header("cerrojo-activity", value).await.status, 200);
            }
        }
        app.clock.advance(Duration::from_mins(3));
        ana.get(VERIFY).header("cerrojo-activity", "background").await.assert_over("idle");
        jefa.get(VERIFY).await.assert_over("idle");
    })
    .await;
}

#[tokio::test]
async fn anything_else_in_that_header_is_a_use_and_so_is_saying_that_somebody_is_there() {
    on_both_engines_with(with_idle_timeout, async |app| {
        let ana = app.user("ana").await;
        for (method, path, value) in
            [("GET", VERIFY, "foreground"), ("GET", VERIFY, ""), ("POST", ACTIVITY, "background")]
        {
            app.clock.advance(Duration::from_mins(29));
            assert_eq!(ana.call(method, path).header("cerrojo-activity", value).await.status, 200);
        }
        app.clock.advance(Duration::from_mins(29));
        assert!(ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn a_preflight_allows_the_header() {
    on_both_engines(async |app| {
        let preflight = app.visitor().call("OPTIONS", VERIFY).header("origin", "http://localhost:5173");
        let reply = preflight.header("access-control-request-method", "GET").await;
        let allowed = reply.header("access-control-allow-headers").unwrap().to_lowercase();
        assert!(allowed.contains("cerrojo-activity") && allowed.contains("last-event-id"), "{reply}");
    })
    .await;
}

#[tokio::test]
async fn a_changed_profile_is_told_to_all_sessions_of_the_user() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let (phone, luis, jefa) = (ana.another_session().await, app.user("luis").await, app.admin().await);
        let (mut one, mut two, mut other) = (stream(&ana).await, stream(&phone).await, stream(&luis).await);
        assert_eq!(ana.put("/api/auth/profile", json!({ "name": "Ana Ruiz" })).await.status, 200);
        for events in [&mut one, &mut two] {
            let event = events.news().await.unwrap();
            assert_eq!((event.name.as_str(), event.data), ("profile", json!({})));
        }
        let path = format!("/api/admin/users/{}", luis.id);
        assert_eq!(jefa.put(&path, json!({ "name": "Luis Gil" })).await.status, 200);
        assert_eq!(other.news().await.unwrap().name, "profile");
        // One's own new address ends the others.
        assert_eq!(ana.put("/api/auth/profile", json!({ "email": "ana@example.org" })).await.status, 200);
        assert_eq!(one.news().await.unwrap().name, "profile");
        assert_ends(&mut two, "email_changed").await;
    })
    .await;
}

#[tokio::test]
async fn a_profile_that_was_changed_at_another_node_is_told() {
    let app = TestApp::start(Engine::Postgres, Options::default()).await;
    let node = app.another_node().await;
    let ana = app.user("ana").await;
    let tasks = app.inside().spawn_tasks();
    let mut events = stream(&ana).await;
    // Word is not heard before the task listens: it may be said again.
    let heard = async { events.news().await.unwrap() };
    let saying = async {
        for number in 0_u32.. {
            let name = json!({ "name": format!("Ana {number}") });
            assert_eq!(ana.through(&node).put("/api/auth/profile", name).await.status, 200);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let event = tokio::select! {
        event = heard => event,
        () = saying => panic!("it ends only with the test"),
    };
    assert_eq!(event.name, "profile");
    drop(events);
    tasks.stop(&app.inside()).await;
}

#[tokio::test]
async fn a_session_and_a_user_have_so_many_streams() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let luis = app.user("luis").await;
        let mut open = Vec::new();
        for _ in 0..4 {
            open.push(stream(&ana).await);
        }
        let reply = ana.get(EVENTS).await;
        let message = "Demasiadas conexiones abiertas para seguir la sesión, por favor intente más tarde.";
        reply.assert_error(429, "TOO_MANY_STREAMS", message);
        assert_eq!(reply.header("retry-after"), Some("15"));
        open.pop();
        open.push(stream(&ana).await);
        let mut sessions = Vec::new();
        for _ in 0..7 {
            let session = ana.another_session().await;
            for _ in 0..4 {
                open.push(stream(&session).await);
            }
            sessions.push(session);
        }
        let ninth = ana.another_session().await;
        ninth.get(EVENTS).await.assert_code(429, "TOO_MANY_STREAMS");
        stream(&luis).await;
        // Places of sessions that are over are free.
        ana.logout().await;
        for events in open.iter_mut().take(4) {
            assert_ends(events, "logout").await;
        }
        stream(&ninth).await;
        drop(open);
        assert_eq!(app.inside().onlookers.count(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_node_has_so_many_streams_and_counts_whom_it_refuses() {
    on_both_engines_with(
        |options| options.http.max_streams = 2,
        async |app| {
            let (ana, luis) = (app.user("ana").await, app.user("luis").await);
            let (_one, two) = (stream(&ana).await, stream(&luis).await);
            ana.get(EVENTS).await.assert_code(429, "TOO_MANY_STREAMS");
            let metrics = app.metrics().await;
            let [open, refused] = ["cerrojo_event_streams", "cerrojo_event_streams_refused_total{places=\"node\"}"]
                .map(|name| format!("{:.0}", metrics.value(name)));
            assert_eq!((open.as_str(), refused.as_str()), ("2", "1"));
            drop(two);
            stream(&ana).await;
        },
    )
    .await;
}

#[tokio::test]
async fn a_page_of_others_takes_no_places() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await.in_browser();
        let get = || ana.get(EVENTS).without("sec-fetch-site");
        for (header, value) in
            [("sec-fetch-site", "same-site"), ("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")]
        {
            get().header(header, value).await.assert_code(403, "CROSS_SITE_REQUEST");
        }
        for call in [get(), get().header("origin", "http://localhost:5173"), get().header("sec-fetch-site", "none")] {
            assert_eq!(call.events().await.next().await.unwrap().name, "session");
        }
        assert_eq!(app.inside().onlookers.count(), 0);
    })
    .await;
}

#[tokio::test]
async fn another_applications_session_is_followed_too() {
    on_both_engines_with(
        |options| options.settings.old_tokens = Some(another_applications_tokens()),
        async |app| {
            let ana = app.user("ana").await;
            app.came_from_another_application(&ana).await;
            let old = app.old_session(&ana, "one");
            let mut events = stream(&old).await;
            look(&app).await;
            assert_eq!(ana.call("POST", "/api/auth/logout-others").await.status, 200);
            assert_ends(&mut events, "logout_elsewhere").await;
        },
    )
    .await;
}

#[tokio::test]
async fn something_comes_now_and_then() {
    on_both_engines_with(
        // A quarter of it is how often: otherwise it is 15 s.
        |options| options.settings.idle_timeout = Some(Duration::from_millis(1_200)),
        async |app| {
            let ana = app.user("ana").await;
            let mut events = stream(&ana).await;
            assert_eq!(events.next().await.unwrap().name, "heartbeat");
            app.clock.advance(Duration::from_millis(500));
            assert!(ana.is_in().await);
            let event = events.news().await.unwrap();
            assert_eq!((event.name.as_str(), &event.data["idle_at"]), ("session", &json!("2026-02-13T10:00:01.700Z")));
        },
    )
    .await;
}
