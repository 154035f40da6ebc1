//! Streams of events: what a guard hears, when, and when it hears nothing more.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

use std::time::Duration;

use cerrojo_testkit::{Event, Events, Options, PUBLIC_URL, Picture, TestApp, on_both_engines, on_both_engines_with};
use serde_json::json;

const EVENTS: &str = "/api/guards/events";

/// A stream that was opened, up to the end of its snapshot.
async fn followed(app: &TestApp) -> (Events, Picture, Event) {
    let mut events = app.visitor().get(EVENTS).events().await;
    assert_eq!(events.status, 200);
    let (picture, end) = snapshot(&mut events).await;
    (events, picture, end)
}

async fn snapshot(events: &mut Events) -> (Picture, Event) {
    assert_eq!(events.next().await.unwrap().name, "hello");
    let mut picture = Picture::default();
    loop {
        let event = events.next().await.unwrap();
        if event.name == "snapshot" {
            return (picture, event);
        }
        assert_eq!(event.name, "list");
        picture.apply(&event);
    }
}

async fn resumed(app: &TestApp, position: &str) -> Events {
    app.visitor().get(EVENTS).header("last-event-id", position).events().await
}

#[tokio::test]
async fn a_stream_opens_with_hello_and_a_snapshot() {
    on_both_engines(async |app| {
        let (ana, eva) = (app.user("ana").await, app.user("eva").await);
        ana.logout().await;
        let mut events = app.visitor().get(EVENTS).events().await;
        assert_eq!(events.headers["content-type"], "text/event-stream");
        assert_eq!(events.headers["x-accel-buffering"], "no");
        assert!(events.headers["cache-control"].to_str().unwrap().contains("no-store"));
        assert!(events.headers.get("content-encoding").is_none());
        let hello = events.next().await.unwrap();
        assert_eq!((hello.name.as_str(), &hello.id), ("hello", &None));
        assert_eq!(hello.data["issuer"], PUBLIC_URL);
        assert_eq!(hello.data["audience"], PUBLIC_URL);
        assert_eq!(hello.data["heartbeat"], 1000);
        assert!(hello.data["report"].is_null() && hello.data["elapsed"].is_null());
        let list = events.next().await.unwrap();
        assert_eq!((list.name.as_str(), &list.id), ("list", &None));
        let mut picture = Picture::default();
        picture.apply(&list);
        assert!(picture.is_over(ana.token()) && !picture.is_over(eva.token()));
        let end = events.next().await.unwrap();
        assert_eq!(end.name, "snapshot");
        assert_eq!(end.data["elapsed"], 0);
        assert_eq!(end.data["lists"], json!([list.data["name"]]));
        let keys = end.data["keys"]["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 1, "only the key of session tokens");
        assert_eq!(keys[0]["kid"], cerrojo_testkit::header_of(ana.token())["kid"]);
        let position = end.id.unwrap();
        assert!(position.len() <= 128 && position.bytes().all(|byte| byte.is_ascii_graphic()), "{position}");
        assert_eq!(position.split('.').next(), hello.data["incarnation"].as_str());
    })
    .await;
}

#[tokio::test]
async fn an_ending_is_told_at_once_and_heartbeats_say_that_there_is_nothing_new() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let (mut events, mut picture, _) = followed(&app).await;
        app.clock.advance(Duration::from_millis(700));
        let heartbeat = events.next().await.unwrap();
        assert_eq!((heartbeat.name.as_str(), &heartbeat.data), ("heartbeat", &json!({ "elapsed": 700 })));
        ana.logout().await;
        let entries = events.news().await.unwrap();
        assert_eq!((entries.name.as_str(), &entries.data["elapsed"]), ("entries", &json!(700)));
        picture.apply(&entries);
        assert!(picture.is_over(ana.token()));
        assert_eq!(entries.data.as_object().unwrap().len(), 2, "{:?}", entries.data);
    })
    .await;
}

#[tokio::test]
async fn a_guard_goes_on_from_where_it_was() {
    on_both_engines(async |app| {
        let (ana, eva, leo) = (app.user("ana").await, app.user("eva").await, app.user("leo").await);
        let (events, _, end) = followed(&app).await;
        drop(events);
        ana.logout().await;
        eva.logout().await;
        let mut events = resumed(&app, end.id.as_deref().unwrap()).await;
        assert_eq!(events.next().await.unwrap().name, "hello");
        let entries = events.next().await.unwrap();
        let mut picture = Picture::default();
        picture.apply(&entries);
        assert!(picture.is_over(ana.token()) && picture.is_over(eva.token()) && !picture.is_over(leo.token()));
        // Nothing new is said at once as well: only then is the guard fresh.
        let mut events = resumed(&app, entries.id.as_deref().unwrap()).await;
        assert_eq!(events.next().await.unwrap().name, "hello");
        let entries = events.next().await.unwrap();
        assert_eq!((entries.name.as_str(), &entries.data), ("entries", &json!({ "elapsed": 0 })));
        leo.logout().await;
        picture.apply(&events.news().await.unwrap());
        assert!(picture.is_over(leo.token()));
    })
    .await;
}

#[tokio::test]
async fn a_position_outlives_the_server() {
    on_both_engines(async |app| {
        let (ana, eva) = (app.user("ana").await, app.user("eva").await);
        let (events, _, end) = followed(&app).await;
        drop(events);
        ana.logout().await;
        app.restart().await;
        eva.logout().await;
        let mut events = resumed(&app, end.id.as_deref().unwrap()).await;
        assert_eq!(events.next().await.unwrap().name, "hello");
        let entries = events.next().await.unwrap();
        assert_eq!(entries.name, "entries");
        let mut picture = Picture::default();
        picture.apply(&entries);
        assert!(picture.is_over(ana.token()) && picture.is_over(eva.token()));
    })
    .await;
}

#[tokio::test]
async fn where_it_cannot_go_on_a_snapshot_comes() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        ana.logout().await;
        let (_, _, end) = followed(&app).await;
        let position = end.id.unwrap();
        let other_mark = format!("{position}x");
        let beyond = position.replacen('.', ".9", 1);
        let long = "x".repeat(5000);
        for unknown in ["", "nonsense", "a.b.c", "..", "x.0.y", &other_mark, &beyond, &long, "1.2.3.4"] {
            let mut events = resumed(&app, unknown).await;
            assert!(snapshot(&mut events).await.0.is_over(ana.token()), "{unknown}");
        }
    })
    .await;
}

#[tokio::test]
async fn when_everything_is_over_a_stream_says_goodbye_and_the_next_begins_anew() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let (mut events, _, before) = followed(&app).await;
        cerrojo_app::administer::end_everything(&app.inside()).await.unwrap();
        let goodbye = events.news().await.unwrap();
        assert_eq!(goodbye.name, "goodbye");
        assert!(goodbye.data["retry"].as_u64().unwrap() <= 1000);
        assert!(events.next().await.is_none());
        let again = ana.another_session().await;
        let mut events = resumed(&app, before.id.as_deref().unwrap()).await;
        let (picture, after) = snapshot(&mut events).await;
        let old = before.data["lists"][0].as_str().unwrap();
        assert!(!after.data["lists"].as_array().unwrap().contains(&json!(old)), "its list is retired");
        assert!(!picture.is_over(again.token()) && again.is_in().await);
        assert_ne!(before.data["incarnation"], after.data["incarnation"]);
    })
    .await;
}

#[tokio::test]
async fn keys_are_told_when_they_change() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let old = cerrojo_testkit::header_of(ana.token())["kid"].as_str().unwrap().to_owned();
        let (mut events, mut picture, _) = followed(&app).await;
        let new = cerrojo_app::keys::rotate(&app.inside()).await.unwrap().to_string();
        let entries = events.news().await.unwrap();
        let kids = |event: &Event| -> Vec<String> {
            let keys = event.data["keys"]["keys"].as_array().unwrap();
            keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
        };
        let mut both = kids(&entries);
        both.sort();
        let mut expected = vec![old.clone(), new.clone()];
        expected.sort();
        assert_eq!(both, expected);
        cerrojo_app::keys::retire(&app.inside(), &cerrojo_domain::KeyId::from_text(old.as_str())).await.unwrap();
        let entries = events.news().await.unwrap();
        assert_eq!(kids(&entries), [new]);
        assert_eq!(entries.data["retired_keys"], json!([old]));
        picture.apply(&entries);
        assert!(picture.is_over(ana.token()));
    })
    .await;
}

#[tokio::test]
async fn a_symmetric_key_is_never_told() {
    let hs256 = |options: &mut Options| {
        let secret = cerrojo_app::Secret(b"a secret of thirty-two bytes....".to_vec().into());
        options.settings.algorithm = cerrojo_app::Algorithm::Hs256(secret);
    };
    on_both_engines_with(hs256, async |app| {
        app.user("ana").await;
        let (_, _, end) = followed(&app).await;
        assert_eq!(end.data["keys"], json!({ "keys": [] }));
        assert_eq!(end.data["retired_keys"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_list_that_time_has_outlived_is_told_as_retired() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let (mut events, _, end) = followed(&app).await;
        app.clock.advance(Duration::from_hours(48));
        app.tick().await;
        let mut retired = Vec::new();
        while retired.is_empty() {
            let entries = events.news().await.unwrap();
            retired = entries.data["retired_lists"].as_array().cloned().unwrap_or_default();
        }
        assert_eq!(json!(retired), end.data["lists"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_between_the_snapshot_and_what_follows() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let mut sessions = Vec::new();
        for _ in 0..60 {
            sessions.push(ana.another_session().await);
        }
        let ending = tokio::spawn({
            let sessions = sessions.clone();
            async move {
                for two in sessions.chunks(2) {
                    tokio::join!(two[0].logout(), two[1].logout());
                }
            }
        });
        let mut followers = Vec::new();
        while !ending.is_finished() {
            let address = format!("10.9.{}.{}", followers.len() / 250, followers.len() % 250);
            let mut events = ana.at(&address).get(EVENTS).without("authorization").events().await;
            let (picture, end) = snapshot(&mut events).await;
            followers.push((events, picture, end.id.unwrap()));
            tokio::task::yield_now().await;
        }
        ending.await.unwrap();
        followers.truncate(200);
        for (mut events, mut picture, position) in followers {
            let mut polled = picture.clone();
            let reply = ana.get(&format!("/api/guards/entries?after={position}")).without("authorization").await;
            polled.apply_entries(&reply.json());
            // The logouts were answered: whatever says that there is nothing new says so of all of them.
            loop {
                let event = events.next().await.unwrap();
                picture.apply(&event);
                if event.name == "heartbeat" || sessions.iter().all(|session| picture.is_over(session.token())) {
                    break;
                }
            }
            for session in &sessions {
                assert!(picture.is_over(session.token()), "lost on the stream");
                assert!(polled.is_over(session.token()), "lost by polling");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn without_the_lease_nothing_is_said() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let (mut events, _, end) = followed(&app).await;
        app.stop_beating();
        app.inside().guard.hold_lease_until(Duration::ZERO);
        assert!(events.next().await.is_none(), "no heartbeat and no goodbye");
        let (mut behind, refused) =
            (app.visitor().get(EVENTS).events().await, app.visitor().get("/api/guards/entries"));
        assert_eq!(behind.status, 503);
        assert!(behind.next().await.is_none() || behind.headers.contains_key("retry-after"));
        let after = app.visitor().get(&format!("/api/guards/entries?after={}", end.id.unwrap()));
        for reply in [refused.await, after.await] {
            reply.assert_code(503, "UNAVAILABLE");
            assert!(reply.header("retry-after").is_some());
        }
        app.inside().guard.hold_lease_until(Duration::MAX);
        let (mut events, mut picture, _) = followed(&app).await;
        ana.logout().await;
        picture.apply(&events.news().await.unwrap());
        assert!(picture.is_over(ana.token()));
    })
    .await;
}

#[tokio::test]
async fn what_waits_to_be_sent_when_the_lease_is_lost_is_not_sent() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let (mut events, _, _) = followed(&app).await;
        ana.logout().await;
        app.stop_beating();
        app.inside().guard.hold_lease_until(Duration::ZERO);
        assert!(events.next().await.is_none());
    })
    .await;
}

/// A lease that was lost and won back meanwhile does not cover what was taken before.
#[tokio::test]
async fn a_lease_runs_out_by_the_clock() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let now = cerrojo_domain::Clock::elapsed(&*app.clock);
        app.inside().guard.hold_lease_until(now + Duration::from_secs(2));
        let (mut events, _, _) = followed(&app).await;
        assert_eq!(events.next().await.unwrap().name, "heartbeat");
        app.clock.advance(Duration::from_secs(2));
        assert!(events.next().await.is_none());
    })
    .await;
}
