//! What whoever watches is told: it moves when something happens, and nothing that anybody sends is in it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::collections::BTreeSet;
use std::time::Duration;

use cerrojo_app::Rate;
use cerrojo_domain::Clock as _;
use cerrojo_testkit::{Engine, Exposition, OTHER_PASSWORD, PASSWORD, TestApp, on_both_engines, on_both_engines_with};
use cerrojo_web::metrics::families;
use serde_json::json;

/// Compares two expositions by the series that changed.
#[track_caller]
fn assert_moved(before: &Exposition, after: &Exposition, expected: &[(&str, f64)]) {
    for (series, by) in expected {
        let moved = after.value(series) - before.find(series).unwrap_or(0.0);
        assert!((moved - by).abs() < 1e-9, "{series} moved by {moved}, not by {by}");
    }
}

#[tokio::test]
async fn every_family_is_declared_and_every_declared_one_is_told() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        ana.logout().await;
        let told = app.metrics().await;
        let only_postgres = ["cerrojo_lease_remaining_seconds", "cerrojo_nodes", "cerrojo_nodes_lag_entries"];
        // Of a server that speaks TLS itself: the binary's tests look at these.
        let is_of_tls = |name: &str| name.starts_with("cerrojo_tls_");
        for family in families() {
            if is_of_tls(family.name) || (app.engine() == Engine::Sqlite && only_postgres.contains(&family.name)) {
                assert!(!told.names().any(|name| name == family.name), "{}", family.name);
                continue;
            }
            let exposed = told.family(family.name);
            assert_eq!(exposed.kind, family.kind.text(), "{}", family.name);
            assert_eq!(exposed.help, format!("{}.", family.help));
            let labels: BTreeSet<_> = family.labels.iter().map(|label| (*label).to_owned()).collect();
            assert_eq!(exposed.labels, labels, "{}", family.name);
        }
        let declared: BTreeSet<_> = families().map(|family| family.name).collect();
        assert_eq!(told.names().find(|name| !declared.contains(name)), None);
        let standard = [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_start_time_seconds",
        ];
        assert!(standard.iter().all(|name| told.value(name) > 0.0));
    })
    .await;
}

#[tokio::test]
async fn sign_ins_are_counted_by_how_they_went() {
    let limit = Some(Rate { count: 1, window: Duration::from_mins(15) });
    on_both_engines_with(
        |options| options.settings.login_limit = limit,
        async |app| {
            let ana = app.user("ana").await;
            let before = app.metrics().await;
            ana.try_login(&ana.email, PASSWORD).await.assert_ok(200, "Inicio de sesión exitoso");
            ana.try_login("nobody@example.com", "wrong-password-1").await.assert_code(401, "INVALID_CREDENTIALS");
            ana.try_login("nobody@example.com", "wrong-password-1").await.assert_code(429, "RATE_LIMITED");
            ana.post("/api/auth/login", json!({})).await.assert_code(400, "VALIDATION_ERROR");
            let after = app.metrics().await;
            let by = |outcome: &str| format!("cerrojo_sign_ins_total{{outcome=\"{outcome}\"}}");
            let (success, wrong, limited) = (by("success"), by("wrong_credentials"), by("limited"));
            assert_moved(&before, &after, &[(&success, 1.0), (&wrong, 1.0), (&limited, 1.0), (&by("incomplete"), 1.0)]);
            let login = "cerrojo_http_requests_total{route=\"/api/auth/login\",method=\"POST\",status=";
            let seen = |class: &str| format!("{login}\"{class}\"}}");
            assert_moved(&before, &after, &[(&seen("2xx"), 1.0), (&seen("4xx"), 3.0)]);
            assert_moved(
                &before,
                &after,
                &[
                    ("cerrojo_limit_hits_total{limit=\"password\"}", 1.0),
                    ("cerrojo_password_hashing_wait_seconds_count", 2.0),
                    ("cerrojo_password_hashing_duration_seconds_count", 2.0),
                    ("cerrojo_http_request_duration_seconds_count{route=\"/api/auth/login\",method=\"POST\"}", 4.0),
                ],
            );
        },
    )
    .await;
}

#[tokio::test]
async fn endings_are_counted_by_reason_and_timed() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let (phone, tablet) = (ana.another_session().await, ana.another_session().await);
        let before = app.metrics().await;
        phone.logout().await;
        assert_eq!(phone.call("POST", "/api/auth/logout").await.status, 401);
        let change = json!({ "currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD });
        assert_eq!(ana.put("/api/auth/password", change).await.status, 200);
        assert!(!tablet.is_in().await);
        let after = app.metrics().await;
        assert_moved(
            &before,
            &after,
            &[
                ("cerrojo_session_endings_total{reason=\"logout\"}", 1.0),
                ("cerrojo_session_endings_total{reason=\"password_changed\"}", 1.0),
                ("cerrojo_session_endings_total{reason=\"admin\"}", 0.0),
                ("cerrojo_ending_commit_duration_seconds_count", 2.0),
                ("cerrojo_ending_known_duration_seconds_count", 2.0),
                ("cerrojo_endings_unconfirmed_total", 0.0),
                ("cerrojo_status_list_places{state=\"ended\"}", 2.0),
                ("cerrojo_log_head_entry", 2.0),
                ("cerrojo_log_applied_entry", 2.0),
            ],
        );
    })
    .await;
}

#[tokio::test]
async fn tokens_are_counted_by_whether_they_were_accepted() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let before = app.metrics().await;
        for _ in 0..3 {
            assert!(ana.is_in().await);
        }
        for token in ["x", "a.b.c"] {
            assert!(!ana.with_token(token).is_in().await);
        }
        let after = app.metrics().await;
        assert_moved(
            &before,
            &after,
            &[
                ("cerrojo_token_checks_total{outcome=\"accepted\"}", 3.0),
                ("cerrojo_token_checks_total{outcome=\"refused\"}", 2.0),
                // What was given out here was verified then.
                ("cerrojo_token_cache_misses_total", 2.0),
            ],
        );
    })
    .await;
}

#[tokio::test]
async fn mail_is_told_of_while_it_waits_and_when_it_left() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let before = app.metrics().await;
        assert_eq!(ana.post("/api/auth/forgot-password", json!({ "email": ana.email })).await.status, 200);
        app.clock.advance(Duration::from_secs(89));
        let waiting = app.metrics().await;
        assert_moved(
            &before,
            &waiting,
            &[
                ("cerrojo_mail_outbox_waiting", 1.0),
                ("cerrojo_mail_outbox_due", 1.0),
                ("cerrojo_mail_outbox_oldest_age_seconds", 90.0),
            ],
        );
        app.mails().await;
        let after = app.metrics().await;
        assert_moved(
            &before,
            &after,
            &[
                ("cerrojo_mail_outbox_waiting", 0.0),
                ("cerrojo_mail_outbox_oldest_age_seconds", 0.0),
                ("cerrojo_mails_total{outcome=\"sent\"}", 1.0),
                ("cerrojo_password_reset_requests_total{outcome=\"success\"}", 1.0),
            ],
        );
    })
    .await;
}

#[tokio::test]
async fn what_clients_send_makes_no_series() {
    on_both_engines(async |app| {
        let eve = app.user("eve").await;
        eve.get("/nothing").await.assert_code(404, "NOT_FOUND");
        eve.call("BREW", "/nothing").await.assert_code(404, "NOT_FOUND");
        let before = app.metrics().await;
        for number in 0..50 {
            eve.get(&format!("/nothing/{number}?x={number}%22%7D")).await.assert_code(404, "NOT_FOUND");
            eve.call(&format!("BREW{number}"), "/api/x").await.assert_code(404, "NOT_FOUND");
            eve.get("/nothing").header("host", format!("h{number}.example")).await.assert_code(404, "NOT_FOUND");
        }
        let after = app.metrics().await;
        assert_eq!(before.len(), after.len());
        assert_moved(
            &before,
            &after,
            &[
                ("cerrojo_http_requests_total{route=\"unmatched\",method=\"GET\",status=\"4xx\"}", 100.0),
                ("cerrojo_http_requests_total{route=\"unmatched\",method=\"_OTHER\",status=\"4xx\"}", 50.0),
            ],
        );
        let session = format!("/api/auth/sessions/{}", eve.session_id());
        assert_eq!(eve.delete(&session).await.status, 200);
        let told = app.metrics().await;
        let routes: Vec<_> =
            told.series("cerrojo_http_requests_total").filter(|series| series.contains("sessions/")).collect();
        assert!(
            !routes.is_empty() && routes.iter().all(|series| series.contains("/api/auth/sessions/{")),
            "{routes:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn guards_are_told_of_by_kind() {
    on_both_engines_with(
        |options| options.http.guards.anonymous_per_address = 1,
        async |app| {
            let secret = app.service("orders").await;
            let visitor = app.visitor();
            let before = app.metrics().await;
            let follows = visitor.get("/api/guards/events").events().await;
            let service = visitor.get("/api/guards/events").basic("orders", &secret).events().await;
            assert_eq!(visitor.get("/api/guards/events").await.status, 429);
            let during = app.metrics().await;
            let following = |kind: &str| format!("cerrojo_guards{{kind=\"{kind}\",asked=\"stream\"}}");
            let refused = "cerrojo_guards_refused_total{kind=\"anonymous\",asked=\"stream\"}";
            assert_moved(
                &before,
                &during,
                &[(&following("anonymous"), 1.0), (&following("service"), 1.0), (refused, 1.0)],
            );
            drop((follows, service));
            let after = app.metrics().await;
            assert_moved(&before, &after, &[(&following("anonymous"), 0.0), (&following("service"), 0.0)]);
        },
    )
    .await;
}

#[tokio::test]
async fn everything_over_and_new_keys_are_told_of() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let before = app.metrics().await;
        let made = Duration::from_secs_f64(before.value("cerrojo_signing_key_created_timestamp_seconds"));
        let age = Duration::from_millis(app.clock.now().0.unsigned_abs()).checked_sub(made).unwrap();
        assert!(age < Duration::from_mins(2), "{age:?}");
        app.look_restored().await;
        app.restart().await;
        assert!(!ana.is_in().await);
        let after = app.metrics().await;
        assert!((after.value("cerrojo_database_went_back_total") - 1.0).abs() < 1e-9);
        let retired = "cerrojo_signing_keys{purpose=\"session\",status=\"retired\"}";
        assert_moved(
            &before,
            &after,
            &[(retired, 1.0), ("cerrojo_signing_keys{purpose=\"session\",status=\"in_use\"}", 0.0)],
        );
    })
    .await;
}

#[tokio::test]
async fn nodes_know_of_each_other() {
    let app = TestApp::start(Engine::Postgres, cerrojo_testkit::Options::default()).await;
    assert!((app.metrics().await.value("cerrojo_nodes") - 1.0).abs() < 1e-9);
    let other = app.another_node().await;
    app.clock.advance(cerrojo_app::lease::BEAT);
    let told = app.metrics().await;
    assert!((told.value("cerrojo_nodes") - 2.0).abs() < 1e-9);
    assert!(told.value("cerrojo_lease_remaining_seconds") > 1.0 && told.value("cerrojo_ready") > 0.5);
    // Its clock stands still: what it is told is judged by this one's.
    drop(other);
}
