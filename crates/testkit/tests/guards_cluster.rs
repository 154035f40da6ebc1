//! Guards at several nodes on one PostgreSQL database.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use cerrojo_testkit::{Engine, Events, Options, Picture, TestApp};
use serde_json::json;

async fn follow(node: &TestApp, last: &str) -> Events {
    let events = node.visitor().get("/api/guards/events").header("last-event-id", last).events().await;
    assert_eq!(events.status, 200);
    events
}

/// Applies everything up to the end of what the stream opens with; the position that it stands at.
async fn opened(events: &mut Events, picture: &mut Picture) -> String {
    loop {
        let event = events.next().await.unwrap();
        picture.apply(&event);
        if event.name == "snapshot" || event.name == "entries" {
            return event.id.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_ended_at_one_node_is_told_at_the_other_and_positions_are_good_at_both() {
    let one = TestApp::start(Engine::Postgres, Options::default()).await;
    let other = one.another_node().await;
    let tasks = [one.inside().spawn_tasks(), other.inside().spawn_tasks()];
    // Its list was made at the one node, and nobody has told the other of it.
    let ana = one.user("ana").await;
    let mut sessions = Vec::new();
    for _ in 0..6 {
        sessions.push(ana.another_session().await);
    }
    let mut picture = Picture::default();
    let mut events = follow(&other, "").await;
    let mut position = opened(&mut events, &mut picture).await;
    assert_eq!(picture.ended.len(), 1, "the snapshot has the list that another node made");
    for (turn, session) in sessions.iter().enumerate() {
        let (here, there) = if turn % 2 == 0 { (&one, &other) } else { (&other, &one) };
        session.through(here).logout().await;
        let mut resumed = follow(there, &position).await;
        position = opened(&mut resumed, &mut picture).await;
        assert!(picture.is_over(session.token()), "what was answered is told");
        let polled = there.visitor().get(&format!("/api/guards/entries?after={position}")).await.json();
        assert!(polled["snapshot"].is_null() && polled["ended"].is_null(), "{polled}");
    }
    let mut heard = Picture::default();
    while !sessions.iter().all(|session| heard.is_over(session.token())) {
        heard.apply(&events.news().await.unwrap());
    }
    let all = other.visitor().get("/status-lists").await.json();
    assert_eq!(all, one.visitor().get("/status-lists").await.json());
    assert_ne!(all["status_lists"], json!([]));
    for (tasks, node) in tasks.into_iter().zip([&one, &other]) {
        tasks.stop(&node.inside()).await;
    }
}

/// A snapshot of what the second node knows would take a key away from the guard for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_guard_that_comes_to_a_node_that_is_behind_loses_nothing() {
    let one = TestApp::start(Engine::Postgres, Options::default()).await;
    let other = one.another_node().await;
    one.user("ana").await;
    other.stop_beating();
    let inside = one.inside();
    let before = cerrojo_store::log::head(&mut inside.store.reader()).await.unwrap().number;
    // Waits for the other node, which does not look at the log.
    let rotating = tokio::spawn({
        let inside = inside.clone();
        async move { cerrojo_app::keys::rotate(&inside).await }
    });
    let committed = async {
        while cerrojo_store::log::head(&mut inside.store.reader()).await.unwrap().number < before + 2 {
            tokio::task::yield_now().await;
        }
        cerrojo_app::follow::catch_up(&inside).await.unwrap();
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), committed).await.unwrap();
    let position = opened(&mut follow(&one, "").await, &mut Picture::default()).await;
    let mut resumed = follow(&other, &position).await;
    loop {
        let event = resumed.next().await.unwrap();
        assert_ne!(event.name, "snapshot", "it goes on from there");
        if event.name == "entries" {
            break;
        }
    }
    cerrojo_app::follow::look(&other.inside()).await.unwrap();
    rotating.await.unwrap().unwrap();
}
