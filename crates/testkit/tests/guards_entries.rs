//! Polling, lists that a guard does not know, and activity that it saw.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::time::Duration;

use cerrojo_testkit::{Actor, Options, PUBLIC_URL, Picture, TestApp, on_both_engines, on_both_engines_with};
use serde_json::{Value, json};

const ENTRIES: &str = "/api/guards/entries";
const ACTIVITY: &str = "/api/guards/activity";

fn place_of(actor: &Actor) -> (String, u64) {
    let claims = cerrojo_testkit::claims(actor.token());
    let place = &claims["status"]["status_list"];
    (place["uri"].as_str().unwrap().rsplit('/').next().unwrap().to_owned(), place["idx"].as_u64().unwrap())
}

async fn poll(app: &TestApp, after: &str) -> Value {
    let reply = app.visitor().get(&format!("{ENTRIES}?after={after}")).await;
    assert_eq!(reply.status, 200, "{reply}");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    reply.json()
}

#[tokio::test]
async fn polling_tells_the_same_as_a_stream() {
    on_both_engines(async |app| {
        let (ana, eva) = (app.user("ana").await, app.user("eva").await);
        ana.logout().await;
        let first = app.visitor().get(ENTRIES).await.json();
        assert_eq!((&first["issuer"], &first["audience"]), (&json!(PUBLIC_URL), &json!(PUBLIC_URL)));
        assert_eq!((&first["elapsed"], &first["report"]), (&json!(0), &json!(null)));
        let mut picture = Picture::default();
        first["snapshot"]["lists"].as_array().unwrap().iter().for_each(|list| picture.apply_list(list));
        assert!(picture.is_over(ana.token()) && !picture.is_over(eva.token()));
        assert_eq!(first["snapshot"]["keys"]["keys"].as_array().unwrap().len(), 1);

        let position = first["position"].as_str().unwrap();
        let nothing = poll(&app, position).await;
        assert!(nothing["snapshot"].is_null() && nothing["ended"].is_null());
        assert_eq!(nothing["position"], first["position"]);
        eva.logout().await;
        let second = poll(&app, position).await;
        assert!(second["snapshot"].is_null());
        picture.apply_entries(&second);
        assert!(picture.is_over(eva.token()));
        app.restart().await;
        let mut from_log = Picture::default();
        from_log.apply_entries(&poll(&app, position).await);
        assert!(from_log.is_over(eva.token()) && !from_log.is_over(ana.token()));
        for unknown in ["x", "a.1.b", &format!("{position}0"), &"9".repeat(3000)] {
            assert!(poll(&app, unknown).await["snapshot"]["lists"].is_array(), "{unknown}");
        }
        app.visitor().get(&format!("{ENTRIES}?after=a&after=b")).await.assert_code(400, "VALIDATION_ERROR");
    })
    .await;
}

#[tokio::test]
async fn a_list_is_told_with_its_bits_while_it_is_in_use() {
    on_both_engines(async |app| {
        let (ana, eva) = (app.user("ana").await, app.user("eva").await);
        ana.logout().await;
        let (name, _) = place_of(&ana);
        let path = format!("/api/guards/lists/{name}");
        let mut picture = Picture::default();
        let list = app.visitor().get(&path).await.json();
        assert_eq!(list["name"], json!(name));
        picture.apply_list(&list);
        assert!(picture.is_over(ana.token()) && !picture.is_over(eva.token()));
        for unknown in ["none-of-this-name", "%00", "a.b", &"x".repeat(65)] {
            app.visitor().get(&format!("/api/guards/lists/{unknown}")).await.assert_code(404, "NOT_FOUND");
        }
        app.inside().guard.hold_lease_until(Duration::ZERO);
        app.visitor().get(&path).await.assert_code(503, "UNAVAILABLE");
        app.inside().guard.hold_lease_until(Duration::MAX);
        cerrojo_app::administer::end_everything(&app.inside()).await.unwrap();
        app.visitor().get(&path).await.assert_code(404, "NOT_FOUND");
    })
    .await;
}

/// On another node's word alone: the list is in the database and this process was never told of it.
#[tokio::test]
async fn a_list_that_another_node_made_is_found() {
    on_both_engines(async |app| {
        let inside = app.inside();
        let fresh = cerrojo_domain::ListName::from_text("made-by-another-node");
        let now = cerrojo_domain::Clock::now(&*app.clock);
        let wanted = cerrojo_store::lists::Wanted {
            expires_by: now.plus(Duration::from_hours(24)),
            len: 8,
            capacity: 1000,
            fresh: &fresh,
            now,
        };
        cerrojo_store::lists::reserve(&inside.store, &wanted).await.unwrap();
        let list = app.visitor().get("/api/guards/lists/made-by-another-node").await.json();
        assert_eq!(list["capacity"], 1000);
        let polled = app.visitor().get(ENTRIES).await.json();
        assert_eq!(polled["snapshot"]["lists"][0]["name"], "made-by-another-node");
        let all = app.visitor().get("/status-lists").await.json();
        assert_eq!(all["status_lists"], json!([format!("{PUBLIC_URL}/status-lists/made-by-another-node")]));
        assert_eq!(app.visitor().get("/status-lists/made-by-another-node").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_used_in_services_alone_is_not_idle() {
    let idle = |options: &mut Options| options.settings.idle_timeout = Some(Duration::from_mins(30));
    on_both_engines_with(idle, async |app| {
        let secret = app.service("orders").await;
        let (ana, eva, leo) = (app.user("ana").await, app.user("eva").await, app.user("leo").await);
        assert_eq!(app.visitor().get(ENTRIES).await.json()["report"], 60_000);
        leo.logout().await;
        app.clock.advance(Duration::from_mins(20));
        let ((list, index), (other, dead)) = (place_of(&ana), place_of(&leo));
        let mut uses = json!({ list.clone(): [[index, 60_000]], "no-such-list": [[1, 0]] });
        uses[&other].as_array_mut().unwrap().push(json!([dead, 0]));
        let report = |uses: Value| app.visitor().post(ACTIVITY, json!({ "uses": uses })).basic("orders", &secret);
        report(uses).await.assert_ok(200, "Actividad registrada exitosamente");
        // Written down before it was answered.
        app.restart().await;
        app.clock.advance(Duration::from_mins(20));
        assert!(ana.is_in().await);
        assert!(!eva.is_in().await, "nobody saw her");
        assert!(!leo.is_in().await, "over stays over");
        // What is said of long ago takes nothing back and keeps nothing alive.
        app.clock.advance(Duration::from_mins(29));
        report(json!({ list: [[index, u64::MAX]] })).await.assert_ok(200, "Actividad registrada exitosamente");
        assert!(ana.is_in().await);
        app.clock.advance(Duration::from_mins(31));
        assert!(!ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn activity_that_is_not_understood_changes_nothing() {
    on_both_engines(async |app| {
        let secret = app.service("orders").await;
        let report = |body: &str| {
            let call = app.visitor().call("POST", ACTIVITY).header("content-type", "application/json");
            call.body(body).basic("orders", &secret)
        };
        report(r#"{"uses":{}}"#).await.assert_ok(200, "Actividad registrada exitosamente");
        for body in [
            "",
            "{}",
            "[]",
            r#"{"uses":[]}"#,
            r#"{"uses":{"a":{}}}"#,
            r#"{"uses":{"a":[1]}}"#,
            r#"{"uses":{"a":[[1]]}}"#,
            r#"{"uses":{"a":[[1,2,3]]}}"#,
            r#"{"uses":{"a":[[-1,2]]}}"#,
            r#"{"uses":{"a":[[1,-2]]}}"#,
            r#"{"uses":{"a":[[1,2.5]]}}"#,
            r#"{"uses":{"a":[[4294967296,2]]}}"#,
            r#"{"uses":{"a b":[[1,2]]}}"#,
            r#"{"uses":{"a":[],"a":[]}}"#,
        ] {
            report(body).await.assert_code(400, "VALIDATION_ERROR");
        }
        report(&format!(r#"{{"uses":{{"a":[{}[1,2]]}}}}"#, "[1,2],".repeat(12_000)))
            .await
            .assert_code(413, "PAYLOAD_TOO_LARGE");
        let nobody = app.visitor().post(ACTIVITY, json!({ "uses": {} })).await;
        nobody.assert_code(401, "UNAUTHORIZED");
        assert_eq!(nobody.header("www-authenticate"), Some(r#"Basic realm="cerrojo""#));
    })
    .await;
}
