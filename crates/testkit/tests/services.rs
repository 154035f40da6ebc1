//! Credentials of services, and the places that they have for themselves.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::time::Duration;

use cerrojo_testkit::{Events, Options, Reply, TestApp, on_both_engines, on_both_engines_with};
use cerrojo_web::GuardPlaces;

const EVENTS: &str = "/api/guards/events";
const ENTRIES: &str = "/api/guards/entries";

#[track_caller]
fn assert_refused(reply: &Reply) {
    reply.assert_error(401, "UNAUTHORIZED", "Credenciales de servicio no proporcionadas o inválidas");
    assert_eq!(reply.header("www-authenticate"), Some(r#"Basic realm="cerrojo""#));
}

async fn anonymous(app: &TestApp, address: &str) -> Events {
    app.visitor().get(EVENTS).from(address).events().await
}

async fn of_service(app: &TestApp, (name, secret): (&str, &str)) -> Events {
    app.visitor().get(EVENTS).basic(name, secret).events().await
}

#[tokio::test]
async fn a_service_is_known_by_its_secret() {
    on_both_engines(async |app| {
        let (one, other) = (app.service("orders").await, app.service("stock").await);
        assert_eq!(one.len(), 43);
        assert_ne!(one, other);
        let ask = |name: &str, secret: &str| app.visitor().get(ENTRIES).basic(name, secret);
        assert_eq!(ask("orders", &one).await.status, 200);
        assert_eq!(ask("or%64ers", &one).await.status, 200, "names are form-encoded");
        for (name, secret) in [
            ("orders", other.as_str()),
            ("orders", ""),
            ("orders", &one[1..]),
            ("Orders", &one),
            ("nobody", &one),
            ("", &one),
            ("orders", "%"),
        ] {
            assert_refused(&ask(name, secret).await);
        }
        for header in ["", "Basic", "Basic x", "Bearer a.b.c", "Digest x"] {
            assert_refused(&app.visitor().get(ENTRIES).header("authorization", header).await);
        }
        assert_refused(&ask("orders", &one).add_header("authorization", "Basic b3JkZXJzOng=").await);
        app.restart().await;
        assert_eq!(ask("orders", &one).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn the_database_holds_no_secret() {
    on_both_engines(async |app| {
        let secret = app.service("orders").await;
        let rows = cerrojo_app::services::all(&app.inside().store).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].secret_hash.len(), 32);
        assert!(!format!("{rows:?}").contains(&secret));
    })
    .await;
}

#[tokio::test]
async fn a_removed_service_hears_nothing_more() {
    on_both_engines(async |app| {
        let secret = app.service("orders").await;
        let stays = app.service("stock").await;
        let mut gone = of_service(&app, ("orders", &secret)).await;
        let mut going_on = of_service(&app, ("stock", &stays)).await;
        gone.next_named("snapshot").await;
        going_on.next_named("snapshot").await;
        assert!(cerrojo_app::services::remove(&app.inside(), "orders").await.unwrap());
        assert!(!cerrojo_app::services::remove(&app.inside(), "orders").await.unwrap());
        assert!(gone.next().await.is_none());
        assert_eq!(going_on.next().await.unwrap().name, "heartbeat");
        assert_refused(&app.visitor().get(ENTRIES).basic("orders", &secret).await);
        // One of the same name is another one.
        let mut newer = of_service(&app, ("orders", &app.service("orders").await)).await;
        assert_eq!(newer.next().await.unwrap().name, "hello");
        assert_refused(&app.visitor().get(ENTRIES).basic("orders", &secret).await);
    })
    .await;
}

#[tokio::test]
async fn wrong_credentials_are_counted_against_the_address() {
    on_both_engines(async |app| {
        let (known, unused) = (app.service("orders").await, app.service("stock").await);
        let here = app.visitor();
        for _ in 0..49 {
            assert_refused(&here.get(ENTRIES).basic("orders", "wrong").await);
        }
        assert_eq!(here.call("POST", "/api/auth/introspect").basic("nobody", "x").await.status, 401);
        let reply = here.get(ENTRIES).basic("orders", "wrong").await;
        reply.assert_code(429, "RATE_LIMITED");
        assert!(reply.header("retry-after").is_some());
        for (name, secret) in [("orders", &known), ("stock", &unused)] {
            assert_eq!(here.get(ENTRIES).basic(name, secret).await.status, 200, "who is right is not shut out");
        }
        here.get(ENTRIES).basic("stock", "wrong").await.assert_code(429, "RATE_LIMITED");
        assert_eq!(here.get(ENTRIES).await.status, 200);
        app.clock.advance(Duration::from_mins(15));
        assert_refused(&here.get(ENTRIES).basic("stock", "wrong").await);
    })
    .await;
}

#[tokio::test]
async fn whoever_has_no_credentials_has_few_places_and_none_of_the_services() {
    let few = |options: &mut Options| {
        let guards = &mut options.http.guards;
        *guards = GuardPlaces { anonymous_per_address: 2, anonymous: 3, services: 3, per_service: 2 };
    };
    on_both_engines_with(few, async |app| {
        let (orders, stock) = (app.service("orders").await, app.service("stock").await);
        let first = anonymous(&app, "2001:db8::1").await;
        let second = anonymous(&app, "2001:db8::2").await;
        assert_eq!((first.status, second.status), (200, 200));
        let third = anonymous(&app, "2001:db8::3").await;
        assert_eq!(third.status, 429, "one /64 is one address");
        for header in ["retry-after", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"] {
            assert!(third.headers.contains_key(header), "{header}");
        }
        // What is answered at once needs no place of a stream.
        let asked = app.visitor().at("2001:db8::3").get("/api/guards/entries").await;
        assert_eq!(asked.status, 200, "{asked}");
        let asked = app.visitor().at("2001:db8::3").get("/api/guards/lists/AAAAAAAAAAAAAAAAAAAAAA").await;
        assert_eq!(asked.status, 404, "{asked}");
        let other = anonymous(&app, "192.0.2.9").await;
        assert_eq!(other.status, 200);
        assert_eq!(anonymous(&app, "192.0.2.10").await.status, 429, "all of them");

        let mut kept = Vec::new();
        for (service, status) in [(("orders", &orders), 200), (("orders", &orders), 200), (("orders", &orders), 503)] {
            let events = of_service(&app, (service.0, service.1)).await;
            assert_eq!(events.status, status);
            kept.push(events);
        }
        assert_eq!(of_service(&app, ("stock", &stock)).await.status, 200, "the last place, given back at once");
        drop(kept);
        drop((first, second, other));
        assert_eq!(anonymous(&app, "2001:db8::3").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_place_is_free_again_when_its_stream_says_goodbye() {
    let one = |options: &mut Options| {
        options.http.guards.anonymous = 1;
    };
    on_both_engines_with(one, async |app| {
        let mut events = anonymous(&app, "192.0.2.9").await;
        events.next_named("snapshot").await;
        cerrojo_app::administer::end_everything(&app.inside()).await.unwrap();
        events.next_named("goodbye").await;
        assert_eq!(anonymous(&app, "192.0.2.9").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_server_may_want_credentials_of_everybody() {
    let none = |options: &mut Options| options.http.guards.anonymous = 0;
    on_both_engines_with(none, async |app| {
        let secret = app.service("orders").await;
        for path in [EVENTS, ENTRIES, "/api/guards/lists/x"] {
            assert_refused(&app.visitor().get(path).await);
        }
        assert_eq!(of_service(&app, ("orders", &secret)).await.status, 200);
    })
    .await;
}
