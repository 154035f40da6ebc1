//! A database that does not hold what its server last knew of it: every session is over, and what begins afterwards is new.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::collections::HashSet;
use std::time::Duration;

use cerrojo_app::administer::{self, By, UserChange};
use cerrojo_domain::{ListName, UserId};
use cerrojo_store::lists::{Wanted, reserve};
use cerrojo_testkit::{Actor, Engine, Options, TestApp, claims, on_both_engines};
use serde_json::Value;

async fn sqlite() -> TestApp {
    TestApp::start(Engine::Sqlite, Options::default()).await
}

fn list_of(actor: &Actor) -> String {
    claims(actor.token())["status"]["status_list"]["uri"].as_str().unwrap().to_owned()
}

fn place_of(actor: &Actor) -> (String, u64) {
    (list_of(actor), claims(actor.token())["status"]["status_list"]["idx"].as_u64().unwrap())
}

/// Every one of `old` is over, now and after another restart; who signs in has a session in a list of a new name.
async fn assert_everything_is_over(app: &TestApp, old: &[&Actor]) {
    for actor in old {
        actor.get("/api/auth/verify").await.assert_token_refused();
    }
    let lists: HashSet<String> = old.iter().map(|actor| list_of(actor)).collect();
    let mut new = Vec::new();
    for actor in old {
        let again = actor.another_session().await;
        assert!(!lists.contains(&list_of(&again)), "a list of the lost history goes on");
        new.push(again);
    }
    app.restart().await;
    for (actor, again) in old.iter().zip(&new) {
        assert!(!actor.is_in().await && again.is_in().await);
    }
}

async fn put_back(app: &TestApp, files: &cerrojo_testkit::Files) {
    app.crash().await;
    app.put_back(files);
    app.run().await;
}

#[tokio::test]
async fn a_put_back_that_loses_logouts() {
    let app = sqlite().await;
    let ana = app.user("ana").await;
    let (phone, diana) = (ana.another_session().await, app.user("diana").await);
    let files = app.copy_files();
    phone.logout().await;
    put_back(&app, &files).await;
    assert_everything_is_over(&app, &[&phone, &ana, &diana]).await;
}

#[tokio::test]
async fn a_put_back_that_loses_sign_ins() {
    let app = sqlite().await;
    let ana = app.user("ana").await;
    let files = app.copy_files();
    let late = ana.another_session().await;
    put_back(&app, &files).await;
    assert_everything_is_over(&app, &[&late, &ana]).await;
}

#[tokio::test]
async fn a_put_back_that_loses_a_registration() {
    let app = sqlite().await;
    let ana = app.user("ana").await;
    let files = app.copy_files();
    let lost = app.user("bruno").await;
    put_back(&app, &files).await;
    assert!(!lost.is_in().await);
    assert_everything_is_over(&app, &[&ana]).await;
    // The database forgot whose number it was and may give it to somebody else: the old token must not be theirs.
    app.user("carla").await;
    lost.get("/api/auth/profile").await.assert_over("restored");
}

/// Neither a session nor an entry of the log is lost, only that places of a list were reserved.
#[tokio::test]
async fn a_put_back_that_loses_reservations() {
    let app = sqlite().await;
    let ana = app.user("ana").await;
    let phone = ana.another_session().await;
    let files = app.copy_files();
    let inside = app.inside();
    let fresh = ListName::new(&*inside.random);
    let used = cerrojo_store::lists::in_use(&mut inside.store.reader()).await.unwrap();
    let (expires_by, now) = (used[0].expires_by, inside.clock.now());
    let wanted = Wanted { expires_by, len: 512, capacity: 1 << 17, fresh: &fresh, now };
    let (list, block) = reserve(&inside.store, &wanted).await.unwrap();
    assert_eq!((&list.name, block.first), (&used[0].name, 512));
    drop(inside);
    put_back(&app, &files).await;
    assert_everything_is_over(&app, &[&phone, &ana]).await;
    let mut places = HashSet::from([place_of(&ana), place_of(&phone)]);
    for _ in 0..20 {
        assert!(places.insert(place_of(&ana.another_session().await)), "a place was handed out twice");
    }
}

/// A change that ended nothing, of somebody who was signed in nowhere.
#[tokio::test]
async fn a_put_back_that_loses_a_change_of_password() {
    let app = sqlite().await;
    let (ana, bruno) = (app.user("ana").await, app.user("bruno").await);
    bruno.logout().await;
    let files = app.copy_files();
    let change = UserChange { password: Some("Ribera-honda-9135".to_owned()), ..UserChange::default() };
    administer::update_user(&app.inside(), By::Operator, UserId(bruno.id), change).await.unwrap();
    put_back(&app, &files).await;
    assert_everything_is_over(&app, &[&ana]).await;
}

/// The log reaches as far as it did, but tells another story.
#[tokio::test]
async fn the_same_number_with_another_mark() {
    let app = sqlite().await;
    let ana = app.user("ana").await;
    let phone = ana.another_session().await;
    let files = app.copy_files();
    phone.logout().await;
    app.crash().await;
    let of_the_lost_story = std::fs::read(app.side_file()).unwrap();
    app.put_back(&files);
    app.run().await;
    let again = ana.another_session().await;
    assert!(again.is_in().await);
    app.crash().await;
    std::fs::write(app.side_file(), of_the_lost_story).unwrap();
    app.run().await;
    assert_everything_is_over(&app, &[&again, &ana, &phone]).await;
}

type Corruption = fn(Vec<u8>) -> Option<Vec<u8>>;

#[tokio::test]
async fn a_position_file_that_is_missing_or_corrupt() {
    let app = sqlite().await;
    let corrupt: [(&str, Corruption); 6] = [
        ("missing", |_| None),
        ("empty", |_| Some(Vec::new())),
        ("zeros", |bytes| Some(vec![0; bytes.len()])),
        ("other text", |bytes| Some(b"cerrojo-position-1 ".repeat(bytes.len() / 19))),
        ("cut off", |bytes| Some(bytes[..40].to_vec())),
        ("a digit changed in both slots", |bytes| {
            Some(bytes.iter().map(|byte| if *byte == b'1' { b'2' } else { *byte }).collect())
        }),
    ];
    for (number, (how, corrupted)) in corrupt.into_iter().enumerate() {
        let ana = app.user(&format!("ana{number}")).await;
        app.crash().await;
        let bytes = std::fs::read(app.side_file()).unwrap();
        std::fs::remove_file(app.side_file()).unwrap();
        if let Some(bytes) = corrupted(bytes) {
            std::fs::write(app.side_file(), bytes).unwrap();
        }
        app.run().await;
        assert!(!ana.is_in().await, "{how}");
        assert_everything_is_over(&app, &[&ana]).await;
    }
}

/// A node of several keeps one for itself and may come without: the database itself says where it is.
#[tokio::test]
async fn a_nodes_position_file_may_be_missing() {
    let app = TestApp::start(Engine::Postgres, Options::default()).await;
    let ana = app.user("ana").await;
    app.crash().await;
    std::fs::remove_file(app.side_file()).unwrap();
    app.run().await;
    assert!(ana.is_in().await);
    app.crash().await;
    app.look_restored().await;
    app.run().await;
    assert_everything_is_over(&app, &[&ana]).await;
}

#[tokio::test]
async fn what_was_lost_is_shown_as_ended_by_the_server() {
    let app = sqlite().await;
    let ana = app.user("ana").await;
    let files = app.copy_files();
    ana.another_session().await.logout().await;
    put_back(&app, &files).await;
    let again = ana.another_session().await;
    let listed = again.get("/api/auth/sessions?ended=true").await.data()["sessions"].clone();
    let old = listed.as_array().unwrap().iter().find(|session| session["id"] == ana.session_id()).unwrap();
    assert_eq!((&old["ended_reason"], &old["ended_by"]), (&Value::from("restored"), &Value::from("server")));
}

#[tokio::test]
async fn a_fresh_database_a_restart_and_a_crash_end_nothing() {
    on_both_engines(async |app| {
        app.restart().await;
        let ana = app.user("ana").await;
        let phone = ana.another_session().await;
        phone.logout().await;
        for _ in 0..3 {
            app.restart().await;
            assert!(ana.is_in().await && !phone.is_in().await);
        }
        let tasks = app.inside().spawn_tasks();
        let late = ana.another_session().await;
        tasks.stop(&app.inside()).await;
        app.restart().await;
        assert!(ana.is_in().await && late.is_in().await && !phone.is_in().await);
    })
    .await;
}

/// A power cut leaves the files as they are on the disk, the write-ahead log not yet worked into the database.
#[tokio::test]
async fn a_power_cut_ends_nothing_and_forgets_no_ending() {
    let app = sqlite().await;
    let ana = app.user("ana").await;
    for _ in 0..3 {
        let phone = ana.another_session().await;
        let kept = ana.another_session().await;
        phone.logout().await;
        let files = app.copy_files();
        let position = std::fs::read(app.side_file()).unwrap();
        app.crash().await;
        app.put_back(&files);
        std::fs::write(app.side_file(), position).unwrap();
        app.run().await;
        assert!(ana.is_in().await && kept.is_in().await && !phone.is_in().await);
    }
}

/// The position file may be behind the database after a power cut: what it names is there.
#[tokio::test]
async fn a_position_file_that_is_behind_ends_nothing() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let behind = std::fs::read(app.side_file()).unwrap();
        let phone = ana.another_session().await;
        phone.logout().await;
        let late = ana.another_session().await;
        app.crash().await;
        std::fs::write(app.side_file(), behind).unwrap();
        app.run().await;
        assert!(ana.is_in().await && late.is_in().await && !phone.is_in().await);
    })
    .await;
}

/// Rows of ended sessions are swept after 30 days; the session that the position file names must not be missed then.
#[tokio::test]
async fn sweeping_old_rows_is_not_going_back() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let phone = ana.another_session().await;
        phone.logout().await;
        for _ in 0..3 {
            app.clock.advance(Duration::from_hours(16 * 24));
            app.tick().await;
        }
        app.restart().await;
        let again = ana.another_session().await;
        let listed = again.get("/api/auth/sessions?ended=true").await.data()["sessions"].clone();
        let reasons: Vec<_> =
            listed.as_array().unwrap().iter().map(|session| session["ended_reason"].clone()).collect();
        assert!(!reasons.contains(&Value::from("restored")), "{listed}");
        app.restart().await;
        assert!(again.is_in().await);
    })
    .await;
}
