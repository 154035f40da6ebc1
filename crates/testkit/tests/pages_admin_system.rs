//! The administrators' pages about the whole: overview, endings, audit trail, keys, mail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::time::Duration;

use cerrojo_app::administer::By;
use cerrojo_app::audit::{Asked, Format};
use cerrojo_app::authenticate::{AuthError, Counts, Showing, authenticate};
use cerrojo_domain::{AuditKind, Clock as _};
use cerrojo_store::audit::{self, Act};
use cerrojo_testkit::browser::{Browser, encoded, form, says, text};
use cerrojo_testkit::{
    Call, Engine, Event, Events, Options, PASSWORD, Reply, TestApp, on_both_engines, on_both_engines_with,
};
use serde_json::{Value, json};

const PAGES: [&str; 10] = [
    "/admin",
    "/admin/endings",
    "/admin/endings/all",
    "/admin/audit",
    "/admin/audit/export",
    "/admin/keys",
    "/admin/keys/rotate",
    "/admin/keys/retire?id=x",
    "/admin/mail",
    "/admin/mail/drop?id=7",
];
const ACTS: [&str; 7] = [
    "/admin/endings/all",
    "/admin/audit/export",
    "/admin/keys/rotate",
    "/admin/keys/retire",
    "/admin/mail/test",
    "/admin/mail/retry",
    "/admin/mail/drop",
];
const EVENTS: &str = "/admin/endings/events";

/// A browser in which an administrator is signed in.
async fn administrator(app: &TestApp) -> Browser {
    app.admin().await;
    let mut browser = Browser::of(app);
    browser.sign_in("jefa@example.com", PASSWORD).await;
    browser
}

/// From now on the password is asked for.
fn grow_stale(app: &TestApp) {
    app.clock.advance(Duration::from_mins(11));
}

async fn stream(browser: &Browser, query: &str) -> (Events, Event) {
    let mut events = browser.call("GET", &format!("{EVENTS}{query}")).events().await;
    assert_eq!(events.status, 200);
    let first = events.next().await.unwrap();
    assert_eq!(first.name, "rows");
    (events, first)
}

/// The newest entry of this kind, as administrators see it over the API.
async fn newest(app: &TestApp, browser: &Browser, kind: AuditKind) -> Value {
    app.tick().await;
    let reply = browser.call("GET", &format!("/api/admin/audit?limit=1&kind={}", kind.as_str())).await;
    reply.data()["entries"][0].clone()
}

async fn open(browser: &mut Browser, path: &str) -> String {
    let reply = browser.get(path).await;
    assert_eq!(reply.status, 200, "{path}: {reply}");
    text(&reply)
}

#[tokio::test]
async fn every_page_about_the_whole_is_whole_in_both_languages_and_kept_nowhere() {
    on_both_engines(async |app| {
        let mut browser = administrator(&app).await;
        let kid = app.inside().keys.session_signer().unwrap().key().to_string();
        for path in PAGES {
            let path = path.replace("id=x", &format!("id={kid}"));
            let (en, es) = (browser.get(&path).await, browser.call("GET", &path).header("accept-language", "es").await);
            for (page, language) in [(&en, "en"), (&es, "es")] {
                assert_eq!(page.status, 200, "{path}: {page}");
                assert_eq!(page.header("cache-control"), Some("no-store"));
                let policy = page.header("content-security-policy").unwrap();
                assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
                let text = text(page);
                says(&text, &format!("<html lang=\"{language}\">"));
                for wrong in ["<script>", " style=", " onclick", "javascript:", "http://", "https://"] {
                    assert!(!text.contains(wrong), "{path} has {wrong}");
                }
            }
            assert_ne!(text(&en), text(&es), "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_is_no_administrator_is_refused_at_every_page_about_the_whole() {
    on_both_engines(async |app| {
        let mut ana = Browser::of(&app);
        ana.register("ana").await;
        for path in PAGES {
            let reply = ana.get(path).await;
            assert_eq!(reply.status, 403, "{path}: {reply}");
            assert_eq!(reply.header("cache-control"), Some("no-store"));
            assert_eq!(Browser::of(&app).get(path).await.status, 303, "{path}");
        }
        for path in ACTS {
            assert_eq!(ana.send(path, &[("currentPassword", PASSWORD), ("id", "7")]).await.status, 403, "{path}");
            assert_eq!(Browser::of(&app).send(path, &[]).await.status, 303, "{path}");
        }
        assert_eq!(ana.get(EVENTS).await.status, 403);
        assert_eq!(Browser::of(&app).get(EVENTS).await.status, 401);
        assert!(ana.person.with_token(&ana.token()).is_in().await);
    })
    .await;
}

#[tokio::test]
async fn forms_of_other_sites_do_nothing_to_the_whole() {
    on_both_engines(async |app| {
        let browser = administrator(&app).await;
        let ana = app.user("ana").await;
        let sent = app.mails().await.len();
        let fields = [("currentPassword", PASSWORD), ("id", "7")];
        for path in ACTS {
            for from in ["cross-site", "same-site", "none"] {
                let call = form(browser.call("POST", path), &fields).header("sec-fetch-site", from);
                assert_eq!(call.await.status, 403, "{path} {from}");
            }
            assert_eq!(form(browser.call("POST", path), &fields).await.status, 403, "{path}");
        }
        let call = browser.call("GET", EVENTS).header("sec-fetch-site", "cross-site");
        assert_eq!(call.await.status, 403);
        assert!(ana.is_in().await);
        assert_eq!(app.mails().await.len(), sent);
    })
    .await;
}

#[tokio::test]
async fn what_hurts_is_done_only_after_a_sign_in_of_lately_or_with_the_password() {
    on_both_engines_with(
        |options| options.settings.login_limit = None,
        async |app| {
            let mut browser = administrator(&app).await;
            let ana = app.user("ana").await;
            let kid = app.inside().keys.session_signer().unwrap().key().to_string();
            grow_stale(&app);
            for (path, status) in [("", 400), ("not it", 401)].into_iter().flat_map(|(typed, status)| {
                [
                    "/admin/endings/all",
                    "/admin/audit/export",
                    "/admin/keys/rotate",
                    "/admin/keys/retire",
                    "/admin/mail/drop",
                ]
                .map(|path| ((path, typed), status))
            }) {
                let (path, typed) = path;
                let reply = browser.send(path, &[("id", &kid), ("currentPassword", typed)]).await;
                assert_eq!(reply.status, status, "{path} {typed}: {reply}");
                let page = text(&reply);
                says(&page, "id=\"currentPassword\"");
                says(&page, "aria-invalid=\"true\"");
                assert!(reply.header("content-disposition").is_none());
            }
            assert!(ana.is_in().await);
            assert_eq!(app.inside().keys.session_signer().unwrap().key().as_str(), kid);
            for kind in
                [AuditKind::EverythingEnded, AuditKind::TrailExported, AuditKind::KeyRotated, AuditKind::KeyRetired]
            {
                assert_eq!(newest(&app, &browser, kind).await, Value::Null, "{kind:?}");
            }
            let reply = browser.send("/admin/keys/rotate", &[("currentPassword", PASSWORD)]).await;
            assert_eq!(reply.header("location"), Some("/admin/keys"), "{reply}");
        },
    )
    .await;
}

#[tokio::test]
async fn the_overview_tells_of_the_node_and_counts() {
    on_both_engines(async |app| {
        cerrojo_app::audit::started(&app.inside()).await.unwrap();
        let mut browser = administrator(&app).await;
        let ana = app.user("ana").await;
        let luis = app.user("luis").await;
        app.visitor().try_login(&ana.email, "wrong").await.assert_code(401, "INVALID_CREDENTIALS");
        let jefa = browser.person.with_token(&browser.token());
        let change = json!({ "status": "suspended" });
        assert_eq!(jefa.put(&format!("/api/admin/users/{}", luis.id), change).await.status, 200);
        let page = open(&mut browser, "/admin").await;
        says(&page, "<li class=\"sheet\" id=\"sessions\"><span class=\"number\">3</span>");
        says(&page, "<li class=\"sheet\" id=\"users\"><span class=\"number\">2</span>");
        says(&page, "0 inactive, 1 suspended");
        says(&page, "<li class=\"sheet\" id=\"refused\"><span class=\"number\">1</span>");
        says(&page, "<tr id=\"this-node\"><td class=\"address\">test <span class=\"mark\">This node</span>");
        says(&page, "Serving");
        says(&page, "up to date");
        says(&page, "2026-02-13T10:00:00.000Z");
        let (engine, lease) = match app.engine() {
            Engine::Sqlite => ("SQLite", "Does not run out"),
            Engine::Postgres => ("PostgreSQL", "good for"),
        };
        says(&page, engine);
        says(&page, lease);
        says(&page, "0 of 1024");
    })
    .await;
}

#[tokio::test]
async fn a_node_that_is_behind_and_has_other_settings_is_marked() {
    let app = TestApp::start(Engine::Postgres, Options::default()).await;
    let mut browser = administrator(&app).await;
    let ana = app.user("ana").await;
    app.set(|options| options.settings.idle_timeout = Some(Duration::from_mins(5)));
    let node = app.another_node().await;
    node.stop_beating();
    let logout = tokio::spawn(ana.post("/api/auth/logout", json!({})).into_future());
    while ana.is_in().await {
        tokio::task::yield_now().await;
    }
    let page = open(&mut browser, "/admin").await;
    assert_eq!(page.matches("class=\"mark\"").count(), 1);
    assert_eq!(page.matches("entries behind").count(), 1, "{page}");
    says(&page, "session.idle_timeout");
    node.tick().await;
    assert_eq!(logout.await.unwrap().status, 200);
    app.tick().await;
    assert!(!open(&mut browser, "/admin").await.contains("entries behind"));
}

#[tokio::test]
async fn a_node_that_started_and_holds_no_lease_is_told_for_a_week() {
    let app = TestApp::start(Engine::Postgres, Options::default()).await;
    let mut tx = app.inside().store.begin().await.unwrap();
    let start = Act::new(AuditKind::ServerStarted, app.clock.now()).with("about", "other 10.0.0.9:4000 0.0.9");
    audit::record(&mut tx, start).await.unwrap();
    tx.commit().await.unwrap();
    let mut browser = administrator(&app).await;
    let page = open(&mut browser, "/admin").await;
    says(&page, "other 10.0.0.9:4000 0.0.9");
    assert_eq!(page.matches("it started and holds no lease any more").count(), 1);
    app.clock.advance(Duration::from_hours(8 * 24));
    browser.sign_in("jefa@example.com", PASSWORD).await;
    assert!(!open(&mut browser, "/admin").await.contains("10.0.0.9"));
}

#[tokio::test]
async fn endings_of_everybody_are_shown_and_filtered() {
    on_both_engines(async |app| {
        let mut browser = administrator(&app).await;
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1";
        let ana = app.user("ana").await.on(phone).another_session().await;
        let luis = app.user("luis").await;
        ana.logout().await;
        let jefa = browser.person.with_token(&browser.token()).at("203.0.113.9");
        assert_eq!(jefa.delete(&format!("/api/admin/users/{}/sessions", luis.id)).await.status, 200);
        // Sealed or not, they are shown.
        for round in 0..2 {
            let all = open(&mut browser, "/admin/endings").await;
            says(&all, "Signed out");
            says(&all, "Safari, iPhone");
            says(&all, "Ended by an administrator");
            says(&all, "203.0.113.9");
            says(&all, &format!("/admin/users/{}\"><bdi>ana</bdi></a>", ana.id));
            for (query, is_ana, is_luis) in [
                ("user=ana@example.com", true, false),
                ("by=administrator", false, true),
                ("by=user", true, false),
                ("reason=admin", false, true),
                ("reason=logout&by=user", true, false),
                ("reason=idle", false, false),
            ] {
                let some = open(&mut browser, &format!("/admin/endings?{query}")).await;
                assert_eq!(some.contains("<bdi>ana</bdi>"), is_ana, "{round} {query}");
                assert_eq!(some.contains("<bdi>luis</bdi>"), is_luis, "{round} {query}");
            }
            app.tick().await;
        }
    })
    .await;
}

#[tokio::test]
async fn endings_are_paged_and_a_page_has_fifty_kilobytes_at_most_in_all() {
    on_both_engines(async |app| {
        let mut browser = administrator(&app).await;
        let name = WORST.repeat(200);
        let email = worst_address(0);
        let ana = app.visitor().on(&"<\"'&>".repeat(80));
        let body = json!({ "name": name, "email": email, "password": PASSWORD });
        let ana = ana.with_token(ana.post("/api/auth/register", body).await.data()["token"].as_str().unwrap());
        for _ in 0..45 {
            let reply = ana.try_login(&email, PASSWORD).await;
            ana.with_token(reply.data()["token"].as_str().unwrap()).logout().await;
        }
        let renamed = async || {
            for mark in ["\"", WORST].repeat(21) {
                let reply = ana.put("/api/auth/profile", json!({ "name": mark.repeat(200) })).await;
                assert_eq!(reply.status, 200, "{reply}");
            }
        };
        app.tick().await;
        for (path, rows) in [("/admin/endings", 35), ("/admin/audit", 25)] {
            if path == "/admin/audit" {
                renamed().await;
            }
            let first = open(&mut browser, path).await;
            assert_eq!(first.matches("<tr").count(), rows + 1, "{path}");
            assert!(!first.contains("<\"") && !first.contains(&WORST.repeat(9)), "nothing comes through");
            let older = first.split("before=").nth(1).unwrap().split('"').next().unwrap();
            let second = open(&mut browser, &format!("{path}?before={older}")).await;
            says(&second, "The latest");
            is_small(&mut browser, path).await;
        }
    })
    .await;
}

/// No character takes more bytes on a page.
const WORST: &str = "'";

/// An address as long as one may be, of characters that take many bytes on a page.
fn worst_address(number: usize) -> String {
    let host = ["b".repeat(61), "c".repeat(61), "d".repeat(61)].join(".");
    format!("{}{number:03}@{host}.es", WORST.repeat(61))
}

/// A page has at most 50 kB with all that it loads, in both languages.
async fn is_small(browser: &mut Browser, path: &str) {
    for language in ["en", "es"] {
        let reply = browser.call("GET", path).header("accept-language", language).await;
        assert_eq!(reply.status, 200, "{path}");
        let mut whole = reply.body.len();
        for part in text(&reply).split("/pages/").skip(1) {
            let file = browser.get(&format!("/pages/{}", part.split('"').next().unwrap())).await;
            whole += file.body.len();
        }
        assert!(whole < 50_000, "{path}: {whole} bytes");
    }
}

#[tokio::test]
async fn the_page_of_mails_has_fifty_kilobytes_at_most_in_all() {
    on_both_engines(async |app| {
        let mut browser = administrator(&app).await;
        for number in 0..50 {
            let body = json!({ "name": "Ana", "email": worst_address(number), "password": PASSWORD });
            assert_eq!(app.visitor().post("/api/auth/register", body).await.status, 201);
            if number == 18 {
                app.mails().await;
                app.mailbox.go_down();
            }
            app.visitor().post("/api/auth/forgot-password", json!({ "email": worst_address(number) })).await;
        }
        app.mails().await;
        let fault = WORST.repeat(2).repeat(300);
        let job = format!("UPDATE outbox SET last_error = '{fault}' WHERE last_error IS NOT NULL");
        app.database().run(job).await;
        app.clock.advance(Duration::from_secs(40));
        let page = open(&mut browser, "/admin/mail").await;
        assert_eq!(page.matches("/admin/mail/retry").count(), 18);
        is_small(&mut browser, "/admin/mail").await;
    })
    .await;
}

#[tokio::test]
async fn an_ending_arrives_as_it_happens_and_only_what_was_asked_for() {
    on_both_engines(async |app| {
        let browser = administrator(&app).await;
        let (ana, luis) = (app.user("ana").await, app.user("luis").await);
        ana.another_session().await.logout().await;
        let (mut all, first) = stream(&browser, "").await;
        assert_eq!(first.data["rows"].as_array().unwrap().len(), 1);
        let (mut of_luis, first) = stream(&browser, "?user=luis@example.com").await;
        assert_eq!(first.data["rows"], json!([]));
        ana.at("203.0.113.9").logout().await;
        let event = all.next_named("rows").await;
        let row = &event.data["rows"][0];
        assert_eq!(
            (&row["key"], &row["whose"], &row["name"]),
            (&json!(ana.session_id()), &json!(ana.id), &json!("ana"))
        );
        assert_eq!(
            (&row["why"], &row["by"], &row["place"]),
            (&json!("Signed out"), &json!("The person"), &json!("203.0.113.9"))
        );
        luis.logout().await;
        assert_eq!(of_luis.next_named("rows").await.data["rows"][0]["name"], "luis");
        assert_eq!(all.next_named("rows").await.data["rows"][0]["name"], "luis");
    })
    .await;
}

#[tokio::test]
async fn an_ending_at_another_node_arrives_at_this_ones_stream() {
    let app = TestApp::start(Engine::Postgres, Options::default()).await;
    let node = app.another_node().await;
    let browser = administrator(&app).await;
    let ana = app.user("ana").await;
    let (mut events, _) = stream(&browser, "").await;
    let logout = tokio::spawn(ana.through(&node).post("/api/auth/logout", json!({})).into_future());
    while !logout.is_finished() {
        app.tick().await;
        tokio::task::yield_now().await;
    }
    assert_eq!(logout.await.unwrap().status, 200);
    let event = events.next_named("rows").await;
    assert_eq!(event.data["rows"][0]["key"], json!(ana.session_id()));
    assert_eq!(event.data["rows"][0]["name"], "ana");
}

#[tokio::test]
async fn the_stream_of_an_administrator_who_is_none_any_more_ends_at_once() {
    on_both_engines(async |app| {
        let browser = administrator(&app).await;
        let other = app.admin_named("otra").await;
        let (mut events, _) = stream(&browser, "").await;
        let id =
            browser.person.with_token(&browser.token()).get("/api/auth/profile").await.data()["user"]["id"].clone();
        let change = json!({ "role_id": 2 });
        assert_eq!(other.put(&format!("/api/admin/users/{id}"), change).await.status, 200);
        let event = events.next_named("ended").await;
        assert_eq!(event.data["reason"], "admin");
        assert_eq!(events.next().await, None);
        assert_eq!(browser.call("GET", EVENTS).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn streams_of_endings_take_the_places_that_a_session_has() {
    on_both_engines(async |app| {
        let browser = administrator(&app).await;
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(stream(&browser, "").await);
        }
        let reply = browser.call("GET", EVENTS).await;
        reply.assert_code(429, "TOO_MANY_STREAMS");
        held.pop();
        stream(&browser, "").await;
    })
    .await;
}

#[tokio::test]
async fn following_endings_is_no_use_of_the_session() {
    let set = |options: &mut Options| options.settings.idle_timeout = Some(Duration::from_mins(5));
    on_both_engines_with(set, async |app| {
        let browser = administrator(&app).await;
        let (mut events, _) = stream(&browser, "").await;
        app.clock.advance(Duration::from_mins(3));
        let (mut other, _) = stream(&browser, "").await;
        app.clock.advance(Duration::from_mins(3));
        app.beat().await;
        cerrojo_app::onlookers::look(&app.inside());
        for events in [&mut events, &mut other] {
            assert_eq!(events.next_named("ended").await.data["reason"], "idle");
        }
    })
    .await;
}

#[tokio::test]
async fn an_administrator_ends_everything_and_is_told() {
    on_both_engines(async |app| {
        let mut browser = administrator(&app).await;
        let (ana, other) = (app.user("ana").await, app.admin_named("otra").await);
        let held = browser.token();
        let id = browser.person.with_token(&held).get("/api/auth/profile").await.data()["user"]["id"].clone();
        let (mut events, _) = stream(&browser, "").await;
        says(&open(&mut browser, "/admin/endings/all").await, "Yours as well.");
        let (place, page) = browser.send_and_follow("/admin/endings/all", &[]).await;
        assert_eq!(place, "/logged-out");
        says(&page, "You are signed out");
        assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);
        assert_eq!(events.next_named("ended").await.data["reason"], "admin");
        for actor in [&ana, &other, &browser.person.with_token(&held)] {
            assert!(!actor.is_in().await);
        }
        browser.sign_in("jefa@example.com", PASSWORD).await;
        let act = newest(&app, &browser, AuditKind::EverythingEnded).await;
        assert_eq!((&act["by"], &act["details"]["reason"]), (&json!(format!("administrator:{id}")), &json!("admin")));
        says(&open(&mut browser, "/admin/endings").await, "Every session");
    })
    .await;
}

#[tokio::test]
async fn the_trail_is_looked_through_by_what_the_api_takes() {
    on_both_engines(async |app| {
        let mut browser = administrator(&app).await;
        let ana = app.user("ana").await;
        ana.at("203.0.113.9").logout().await;
        for _ in 0..2 {
            for (query, there, not_there) in [
                ("", "session.ended</code>", "key.retired</code>"),
                ("kind=session.ended", "session.ended</code>", "session.began</code>"),
                ("kind=session", "session.began</code>", "account.registered</code>"),
                ("user=ana%40example.com&kind=session.ended", "reason: logout", "sign_in.failed</code>"),
                ("address=203.0.113.9", "203.0.113.9</td>", "account.registered</code>"),
                ("by=operator", "account.created</code>", "session.began</code>"),
                ("since=2026-02-13&until=2026-02-13", "session.ended</code>", "There is no such entry"),
                ("since=2026-02-14", "There is no such entry", "session.ended</code>"),
                ("until=2026-02-12", "There is no such entry", "session.ended</code>"),
            ] {
                let some = open(&mut browser, &format!("/admin/audit?{query}")).await;
                says(&some, there);
                assert!(!some.contains(not_there), "{query} has {not_there}");
            }
            let session = open(&mut browser, &format!("/admin/audit?session={}", ana.session_id())).await;
            assert_eq!(session.matches("<tr>").count(), 3, "{session}");
            app.tick().await;
        }
        let (position, mac) = cerrojo_app::audit::head(&app.inside().store).await.unwrap();
        says(&open(&mut browser, "/admin/audit").await, &format!("<code>{position}:{mac}</code>"));
    })
    .await;
}

#[tokio::test]
async fn filters_that_mean_nothing_are_told_and_harm_nothing() {
    on_both_engines(async |app| {
        let mut browser = administrator(&app).await;
        let hostile = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
        for (path, name) in [
            ("/admin/audit", "user"),
            ("/admin/audit", "by"),
            ("/admin/audit", "kind"),
            ("/admin/audit", "address"),
            ("/admin/audit", "since"),
            ("/admin/audit", "until"),
            ("/admin/endings", "user"),
            ("/admin/endings", "by"),
            ("/admin/endings", "reason"),
        ] {
            for value in [hostile, "%00", "'%20OR%201=1--", "x%01y"] {
                let reply = browser.get(&format!("{path}?{name}={value}")).await;
                assert_eq!(reply.status, 400, "{path} {name}={value}: {reply}");
                let page = text(&reply);
                says(&page, "id=\"faults\"");
                assert!(!page.contains("<script>"), "{path} {name}");
            }
        }
        for query in
            ["session=%00", "user=1&user=2", "%zz=%ff", "before=-1", "before=x", "session=%22%3E", "user=99999"]
        {
            for path in ["/admin/audit", "/admin/endings", "/admin/audit/export"] {
                let reply = browser.get(&format!("{path}?{query}")).await;
                assert_eq!(reply.status, 200, "{path}?{query}: {reply}");
            }
        }
        let reply = browser.call("GET", &format!("{EVENTS}?reason=nothing")).await;
        assert_eq!(reply.status, 400, "{reply}");
        let reply = browser.send("/admin/audit/export", &[("kind", "<b>")]).await;
        assert_eq!(reply.status, 400, "{reply}");
        assert!(!text(&reply).contains("<b>"));
        for id in ["", "x", "-1", "99999999999999999999", "<b>"] {
            for path in ["/admin/mail/retry", "/admin/mail/drop"] {
                assert_eq!(browser.send(path, &[("id", id)]).await.header("location"), Some("/admin/mail"), "{id}");
            }
            assert_eq!(browser.send("/admin/keys/retire", &[("id", id)]).await.header("location"), Some("/admin/keys"));
            let page = text(&browser.get(&format!("/admin/mail/drop?id={}", encoded(id))).await);
            assert!(!page.contains("<b>"));
        }
    })
    .await;
}

#[tokio::test]
async fn the_trail_is_exported_whole_and_that_is_in_it() {
    on_both_engines(async |app| {
        let mut browser = administrator(&app).await;
        let ana = app.user("ana").await.on("=cmd|' /C calc'!A0").another_session().await;
        ana.logout().await;
        app.tick().await;
        let reply = browser.send("/admin/audit/export", &[("format", "jsonl")]).await;
        assert_eq!(reply.status, 200, "{reply}");
        assert_eq!(reply.header("content-disposition"), Some("attachment; filename=\"audit.jsonl\""));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let written = String::from_utf8(reply.body.clone()).unwrap();
        let lines: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["kind"], "audit.exported");
        let all = browser.call("GET", "/api/admin/audit?limit=1000").await.data()["entries"].clone();
        assert_eq!(Value::from(lines), all);
        let act = newest(&app, &browser, AuditKind::TrailExported).await;
        assert_eq!(act["details"], json!({ "format": "jsonl" }));
        assert!(act["by"].as_str().unwrap().starts_with("administrator:"));

        let fields = [("format", "csv"), ("user", "ana@example.com"), ("kind", "session"), ("address", "")];
        let reply = browser.send("/admin/audit/export", &fields).await;
        assert_eq!(reply.header("content-type"), Some("text/csv; charset=utf-8"));
        let written = text(&reply);
        assert!(written.starts_with("id,sealed,position,at,kind,by,"), "{written}");
        assert_eq!(written.lines().count(), 4, "{written}");
        says(&written, ",'=cmd|'");
        let act = newest(&app, &browser, AuditKind::TrailExported).await;
        assert_eq!(act["details"], json!({ "format": "csv", "user": ana.id, "kind": "session" }));
    })
    .await;
}

#[tokio::test]
async fn an_export_is_made_in_pieces_and_misses_nothing() {
    on_both_engines(async |app| {
        let mut browser = administrator(&app).await;
        let ana = app.user("ana").await;
        for round in 0..1_100 {
            let act = renamed(round);
            record(&app, act, ana.id).await;
            if round == 700 {
                app.tick().await;
            }
        }
        let reply = browser.send("/admin/audit/export", &[("kind", "account.profile_changed")]).await;
        let written = String::from_utf8(reply.body.clone()).unwrap();
        let rounds: Vec<i64> = written
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["details"]["round"].as_i64().unwrap())
            .collect();
        assert_eq!(rounds, (0..1_100).rev().collect::<Vec<i64>>());
    })
    .await;
}

#[tokio::test]
async fn an_export_ends_with_the_session_that_asked_for_it() {
    on_both_engines(async |app| {
        let mut browser = administrator(&app).await;
        let ana = app.user("ana").await;
        for round in 0..600 {
            record(&app, renamed(round), ana.id).await;
        }
        let inside = app.inside();
        let token = browser.token();
        let showing = Showing { token: &token, from: None, counts: Counts::AsUse };
        let caller = authenticate(&inside, showing).await.unwrap();
        let origin = cerrojo_domain::Origin::new(browser.person.address(), "");
        let by = By::Administrator(&caller, &origin);
        let exporting = cerrojo_app::audit::export(&inside, by, Asked::default(), Format::Lines).await;
        let mut exporting = exporting.unwrap_or_else(|error| panic!("{error:?}"));
        assert!(exporting.next(&inside).await.unwrap().is_some());
        browser.send_and_follow("/logout", &[]).await;
        assert!(matches!(exporting.next(&inside).await, Err(AuthError::Over)));
    })
    .await;
}

fn renamed(round: i64) -> Act {
    let at = cerrojo_domain::UnixMillis(1_770_976_800_000);
    Act::new(AuditKind::ProfileChanged, at).with("round", round)
}

async fn record(app: &TestApp, act: Act, of: i64) {
    let mut tx = app.inside().store.begin().await.unwrap();
    audit::record(&mut tx, act.to(cerrojo_domain::UserId(of))).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn keys_are_rotated_and_retired_by_an_administrator() {
    on_both_engines(async |app| {
        let mut browser = administrator(&app).await;
        let ana = app.user("ana").await;
        let old = app.inside().keys.session_signer().unwrap().key().to_string();
        let all = open(&mut browser, "/admin/keys").await;
        says(&all, &old);
        says(&all, "<td>3</td>");
        let (place, all) = browser.send_and_follow("/admin/keys/rotate", &[]).await;
        assert_eq!(place, "/admin/keys");
        says(&all, "There are new keys");
        app.clock.advance(Duration::from_secs(4));
        app.tick().await;
        assert!(ana.is_in().await, "a rotation ends nothing");
        let new = app.inside().keys.session_signer().unwrap().key().to_string();
        assert_ne!(new, old);
        let act = newest(&app, &browser, AuditKind::KeyRotated).await;
        assert!(act["by"].as_str().unwrap().starts_with("administrator:"), "{act}");
        assert_eq!(act["details"]["key"], new);

        let all = open(&mut browser, "/admin/keys").await;
        says(&all, "Verifies only");
        says(&all, "none from");
        says(&open(&mut browser, &format!("/admin/keys/retire?id={old}")).await, "Sessions that end with it: 3");
        let (place, page) = browser.send_and_follow("/admin/keys/retire", &[("id", &old)]).await;
        assert!(place.starts_with("/login"), "{place}");
        says(&page, "The key that signed it was retired.");
        assert!(!ana.is_in().await);
        browser.sign_in("jefa@example.com", PASSWORD).await;
        let act = newest(&app, &browser, AuditKind::KeyRetired).await;
        assert!(act["by"].as_str().unwrap().starts_with("administrator:"), "{act}");
        assert_eq!((&act["details"]["key"], &act["details"]["sessions"]), (&json!(old), &json!(3)));
        let all = open(&mut browser, "/admin/keys").await;
        says(&all, "Retired");
    })
    .await;
}

#[tokio::test]
async fn a_secret_of_the_settings_is_changed_there() {
    let set = |options: &mut Options| {
        let secret = cerrojo_app::Secret(vec![7; 32].into());
        options.settings.algorithm = cerrojo_app::Algorithm::Hs256(secret);
    };
    on_both_engines_with(set, async |app| {
        let mut browser = administrator(&app).await;
        says(&open(&mut browser, "/admin/keys").await, "token.secret");
        let (_, page) = browser.send_and_follow("/admin/keys/rotate", &[]).await;
        says(&page, "The secret is a setting");
        assert_eq!(newest(&app, &browser, AuditKind::KeyRotated).await, Value::Null);
    })
    .await;
}

/// The number of the mail that can be tried again.
fn movable(page: &str) -> String {
    let form = page.split("/admin/mail/retry").nth(1).expect("a mail that can be moved");
    form.split("value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_mail_that_could_not_leave_is_shown_tried_again_or_dropped() {
    on_both_engines(async |app| {
        let mut browser = administrator(&app).await;
        let ana = app.user("ana").await;
        app.mails().await;
        app.mailbox.go_down();
        for path in ["/api/auth/forgot-password"; 2] {
            app.visitor().post(path, json!({ "email": ana.email })).await;
        }
        let all = open(&mut browser, "/admin/mail").await;
        says(&all, "Link to reset the password");
        says(&all, "ana@example.com");
        assert!(!all.contains("/admin/mail/retry"), "they were not tried yet");
        app.mails().await;
        let all = open(&mut browser, "/admin/mail").await;
        says(&all, "2 failing");
        assert!(!all.contains("/admin/mail/retry"), "they may be on their way at this moment");
        app.clock.advance(Duration::from_secs(40));
        let all = open(&mut browser, "/admin/mail").await;
        let id = movable(&all);
        app.mailbox.come_back();
        let before = app.mails().await.len();
        let (_, told) = browser.send_and_follow("/admin/mail/retry", &[("id", &id)]).await;
        says(&told, "It is tried again");
        assert_eq!(app.mails().await.len(), before + 1);
        assert_eq!(newest(&app, &browser, AuditKind::MailRetried).await["details"]["kind"], "reset");
        let (_, told) = browser.send_and_follow("/admin/mail/retry", &[("id", &id)]).await;
        says(&told, "That mail cannot be touched now");

        let all = open(&mut browser, "/admin/mail").await;
        let id = movable(&all);
        let (_, told) = browser.send_and_follow("/admin/mail/drop", &[("id", &id)]).await;
        says(&told, "The mail is dropped");
        app.clock.advance(Duration::from_mins(10));
        assert_eq!(app.mails().await.len(), before + 1);
        assert_eq!(newest(&app, &browser, AuditKind::MailDropped).await["details"]["kind"], "reset");
        says(&open(&mut browser, "/admin/mail").await, "There is none.");
    })
    .await;
}

#[tokio::test]
async fn however_often_a_reset_link_could_not_leave_it_leaves_when_it_can() {
    on_both_engines(async |app| {
        let mut browser = administrator(&app).await;
        let ana = app.user("ana").await;
        app.mails().await;
        app.mailbox.go_down();
        app.visitor().post("/api/auth/forgot-password", json!({ "email": ana.email })).await;
        app.mails().await;
        for _ in 0..5 {
            app.clock.advance(Duration::from_secs(40));
            let id = movable(&open(&mut browser, "/admin/mail").await);
            let (_, told) = browser.send_and_follow("/admin/mail/retry", &[("id", &id)]).await;
            says(&told, "It is tried again");
            app.mails().await;
        }
        app.mailbox.come_back();
        app.clock.advance(Duration::from_hours(1));
        let code = app.link_code(&ana.email).await;
        let body = json!({ "token": code, "newPassword": cerrojo_testkit::OTHER_PASSWORD });
        assert_eq!(app.visitor().post("/api/auth/reset-password", body).await.status, 200);
        app.tick().await;
        let jefa = browser.person.with_token(&browser.token());
        let asked = jefa.get("/api/admin/audit?kind=password.reset_asked").await.data();
        assert_eq!(asked["entries"].as_array().unwrap().len(), 1, "it was asked for once: {asked}");
        let retried = jefa.get("/api/admin/audit?kind=mail.retried").await.data();
        assert_eq!(retried["entries"][0]["user_id"], ana.id);
    })
    .await;
}

#[tokio::test]
async fn new_keys_are_made_once_by_a_form_that_is_sent_twice() {
    on_both_engines(async |app| {
        let mut browser = administrator(&app).await;
        let page = open(&mut browser, "/admin/keys/rotate").await;
        let (_, rest) = page.split_once("name=\"newest\" value=\"").unwrap();
        let newest = rest.split('"').next().unwrap().to_owned();
        let keys = async || app.visitor().get("/.well-known/jwks.json").await.json()["keys"].as_array().unwrap().len();
        for _ in 0..2 {
            browser.send_and_follow("/admin/keys/rotate", &[("newest", &newest)]).await;
        }
        assert_eq!(keys().await, 4, "two for sessions and two for lists");
        browser.send_and_follow("/admin/mail/test", &[]).await;
        let again = browser.send("/admin/mail/test", &[]).await;
        says(&text(&again), "one was sent less than a minute ago");
    })
    .await;
}

#[tokio::test]
async fn a_test_mail_goes_to_ones_own_address_and_what_came_of_it_is_told() {
    on_both_engines(async |app| {
        let mut browser = administrator(&app).await;
        let (_, told) = browser.send_and_follow("/admin/mail/test", &[("email", "ana@example.com")]).await;
        says(&told, "The test mail has left");
        assert_eq!(app.mailbox.sent().last().unwrap().to, "jefa@example.com");
        app.mailbox.go_down();
        let reply = browser.send("/admin/mail/test", &[]).await;
        says(&text(&reply), "The test mail did not leave.");
        assert!(newest(&app, &browser, AuditKind::MailTested).await["by"].as_str().is_some());
    })
    .await;
}

#[tokio::test]
async fn what_others_call_themselves_is_text_on_every_page() {
    on_both_engines(async |app| {
        let mut browser = administrator(&app).await;
        let evil = "<script>alert(1)</script>";
        let person = app.visitor().on(evil);
        let body = json!({ "name": evil, "email": "eva@example.com", "password": PASSWORD });
        let reply: Reply = person.post("/api/auth/register", body).await;
        let eva = person.with_token(reply.data()["token"].as_str().unwrap());
        let call: Call = eva.put("/api/auth/profile", json!({ "name": "<b>eva</b>" }));
        assert_eq!(call.await.status, 200);
        let (mut events, _) = stream(&browser, "").await;
        eva.logout().await;
        assert_eq!(events.next_named("rows").await.data["rows"][0]["name"], "<b>eva</b>", "text, to be put in as text");
        let job = "UPDATE outbox SET last_error = '<script>alert(1)</script>', attempts = 1";
        app.mailbox.go_down();
        app.visitor().post("/api/auth/forgot-password", json!({ "email": "eva@example.com" })).await;
        app.database().run(job.to_owned()).await;
        for path in PAGES {
            let reply = browser.get(path).await;
            let page = text(&reply);
            assert!(!page.contains("<script>") && !page.contains("<b>"), "{path}");
        }
        says(&open(&mut browser, "/admin/mail").await, "&lt;script&gt;alert(1)");
    })
    .await;
}
