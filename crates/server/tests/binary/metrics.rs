//! Metrics through a real listener, and what the dashboard and the alert rules in `deploy/` make of them.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cerrojo_store::testing::Fresh;
use cerrojo_testkit::Exposition;
use serde_json::{Value, json};

use crate::installation::{Installation, PASSWORD, Server};

/// Where the server says that it tells its metrics.
pub(crate) fn address_of(server: &Server) -> SocketAddr {
    let said = server.said();
    let (_, rest) = said.split_once("metrics are at http://").unwrap_or_else(|| panic!("no metrics: {said}"));
    rest.split_once("/metrics").unwrap().0.parse().unwrap()
}

/// The status, the head and the body of an answer.
pub(crate) fn ask(address: SocketAddr, line: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_lowercase(), body.to_owned())
}

pub(crate) fn told(address: SocketAddr) -> Exposition {
    let (status, head, body) = ask(address, "GET /metrics");
    assert_eq!(status, 200, "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    Exposition::parse(&body)
}

fn watched() -> Installation {
    Installation::new().with("CERROJO_METRICS__LISTEN", "127.0.0.1:0")
}

/// On SQLite and on PostgreSQL.
fn on_both_engines(test: impl Fn(&Installation, &str)) {
    test(&watched(), "sqlite");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let database = runtime.block_on(Fresh::postgres());
    test(&watched().with("CERROJO_DATABASE__URL", &database.url), "postgresql");
}

#[track_caller]
fn assert_count(told: &Exposition, series: &str, expected: f64) {
    let value = told.value(series);
    assert!((value - expected).abs() < 1e-9, "{series} is {value}, not {expected}");
}

#[test]
fn without_the_setting_nothing_is_told() {
    let server = Installation::new().serve();
    assert!(!server.said().contains("metrics are at"), "{}", server.said());
    assert_eq!(server.request("GET /metrics", None, None).status, 404);
    server.stop();
}

#[test]
fn counts_move_when_something_happens_and_only_at_their_own_address() {
    on_both_engines(|here, engine| {
        here.add_user("ana@example.com", "user").ok();
        let server = here.serve();
        let metrics = address_of(&server);
        let before = told(metrics);
        let build = format!("cerrojo_build_info{{version=\"{}\",engine=\"{engine}\"}}", env!("CARGO_PKG_VERSION"));
        assert_count(&before, &build, 1.0);
        assert_count(&before, "cerrojo_ready", 1.0);
        assert_count(&before, "cerrojo_sign_ins_total{outcome=\"success\"}", 0.0);
        let token = server.token("ana@example.com");
        assert_eq!(server.login("ana@example.com", "wrong password 1").status, 401);
        assert_eq!(server.logout(&token), 200);
        for path in ["/metrics", "/metrics/", "/x\"}{a=b", "/%22%0a1", "/../metrics"] {
            assert_eq!(server.request(&format!("GET {path}"), None, None).status, 404, "{path}");
        }
        let after = told(metrics);
        assert_count(&after, "cerrojo_sign_ins_total{outcome=\"success\"}", 1.0);
        assert_count(&after, "cerrojo_sign_ins_total{outcome=\"wrong_credentials\"}", 1.0);
        assert_count(&after, "cerrojo_session_endings_total{reason=\"logout\"}", 1.0);
        assert_count(&after, "cerrojo_ending_known_duration_seconds_count", 1.0);
        assert_count(&after, "cerrojo_token_checks_total{outcome=\"accepted\"}", 2.0);
        let unmatched: Vec<_> =
            after.series("cerrojo_http_requests_total").filter(|series| series.contains("unmatched")).collect();
        assert_eq!(unmatched.len(), 5, "one for each class of status: {unmatched:?}");
        assert_count(&after, "cerrojo_http_requests_total{route=\"unmatched\",method=\"GET\",status=\"4xx\"}", 5.0);
        assert!(
            after.value("cerrojo_http_request_duration_seconds_sum{route=\"/api/auth/login\",method=\"POST\"}") > 0.0
        );

        for line in
            ["GET /", "GET /health/live", "GET /api/auth/verify", "GET /metrics/x", "POST /metrics", "BREW /metrics"]
        {
            assert_eq!(ask(metrics, line).0, 404, "{line}");
        }
        server.stop();
        assert!(TcpStream::connect_timeout(&metrics, Duration::from_secs(5)).is_err());
    });
}

#[test]
fn whoever_takes_all_connections_neither_stops_the_server_nor_keeps_it() {
    let here = watched();
    here.add_user("ana@example.com", "user").ok();
    let server = here.serve();
    let metrics = address_of(&server);
    let idle: Vec<_> = (0..64).map(|_| TcpStream::connect_timeout(&metrics, Duration::from_secs(5)).unwrap()).collect();
    server.token("ana@example.com");
    server.stop();
    drop(idle);
}

#[test]
fn an_address_in_use_is_told_of() {
    let server = watched().serve();
    let taken = address_of(&server).to_string();
    Installation::new().with("CERROJO_METRICS__LISTEN", &taken).run(&["serve"]).refused(1, "metrics.listen");
    server.stop();
}

fn deploy(name: &str) -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    (path, text)
}

/// Names of metrics in a text: words that begin as ours do, or as those of the process.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = words.filter(|word| word.starts_with("cerrojo_") || word.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

/// The series of a histogram count as it.
fn family(name: &str) -> &str {
    ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name)
}

#[test]
fn dashboard_and_rules_name_metrics_that_there_are() {
    let declared: BTreeSet<_> = cerrojo_web::metrics::families().map(|family| family.name).collect();
    for file in ["grafana/cerrojo.json", "prometheus/cerrojo.rules.yml"] {
        let (path, text) = deploy(file);
        let named = names(&text);
        assert!(named.len() > 10, "{} names {named:?}", path.display());
        let unknown: Vec<_> =
            named.iter().filter(|name| !declared.contains(&***name) && !declared.contains(family(name))).collect();
        assert!(unknown.is_empty(), "{} names what is not told: {unknown:?}", path.display());
    }
}

#[test]
fn the_dashboard_is_of_no_installation() {
    let (_, text) = deploy("grafana/cerrojo.json");
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(dashboard["id"], Value::Null);
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert!(variables.iter().any(|variable| variable["type"] == "datasource" && variable["query"] == "prometheus"));
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(panel["datasource"], json!({ "type": "prometheus", "uid": "${datasource}" }), "{panel}");
        let targets = panel["targets"].as_array().unwrap();
        assert!(
            !targets.is_empty()
                && targets.iter().all(|target| target["expr"].as_str().is_some_and(|expr| !expr.is_empty()))
        );
    }
    assert!(panels.len() > 15);
}

#[test]
fn every_alert_leads_to_a_section_that_there_is() {
    let (_, rules) = deploy("prometheus/cerrojo.rules.yml");
    let operations =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/OPERATIONS.md")).unwrap();
    let heading = |line: &str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    let anchors: BTreeSet<_> = operations.lines().filter(|line| line.starts_with('#')).map(heading).collect();
    let (mut alerts, mut leads) = (0, 0);
    for line in rules.lines() {
        alerts += usize::from(line.trim_start().starts_with("- alert:"));
        if let Some((_, anchor)) = line.split_once("docs/OPERATIONS.md#") {
            leads += 1;
            assert!(
                anchors.contains(anchor.trim_matches(['"', ' '])),
                "{anchor} is no section of docs/OPERATIONS.md: {anchors:?}"
            );
        }
    }
    assert!(alerts > 10 && alerts == leads, "{alerts} alerts, {leads} runbooks");
}

#[test]
fn no_secret_is_in_the_log_however_much_is_logged() {
    for format in ["text", "json"] {
        let here = Installation::new().with("CERROJO_LOG__LEVEL", "trace").with("CERROJO_LOG__FORMAT", format);
        here.add_user("ana@example.com", "user").ok();
        let server = here.serve();
        let token = server.token("ana@example.com");
        let forgot = json!({ "email": "ana@example.com" });
        assert_eq!(server.request("POST /api/auth/forgot-password", None, Some(&forgot)).status, 200);
        let wrong = "a password that is wrong 77";
        assert_eq!(server.login("ana@example.com", wrong).status, 401);
        let code = reset_code(&here);
        let fresh = "an entirely new passphrase 5";
        let reset = json!({ "token": code, "newPassword": fresh });
        assert_eq!(server.request("POST /api/auth/reset-password", None, Some(&reset)).status, 200);
        assert_eq!(server.verify(&token), 401);
        let other = server.login("ana@example.com", fresh).body["data"]["token"].as_str().unwrap().to_owned();
        assert_eq!(server.logout(&other), 200);
        let said = server.stopped();
        assert!(said.contains("DEBUG") && said.contains("answered"), "nothing was logged at all: {said}");
        let signature = |token: &str| token.rsplit_once('.').unwrap().1.to_owned();
        for secret in [PASSWORD, wrong, fresh, &code, &token, &signature(&token), &signature(&other)] {
            assert!(!said.contains(secret), "{secret} is in the log ({format})");
        }
    }
}

/// The code of the mail that was written into the folder, as soon as it is there.
pub(crate) fn reset_code(here: &Installation) -> String {
    let folder = here.path("data/outbox");
    let deadline = std::time::Duration::from_secs(30);
    let (found, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        loop {
            let mails = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let texts = mails.filter(|mail| mail.path().extension().is_some_and(|ext| ext == "eml"));
            let mut texts = texts.filter_map(|mail| std::fs::read_to_string(mail.path()).ok());
            if let Some(code) = texts.find_map(|text| code_in(&text)) {
                return found.send(code);
            }
            std::thread::yield_now();
        }
    });
    wait.recv_timeout(deadline).expect("a reset mail")
}

/// Mails are quoted-printable: `=` is `=3D`, and a line that goes on ends with `=`.
fn code_in(mail: &str) -> Option<String> {
    let text = mail.replace("=\r\n", "").replace("=3D", "=");
    let (_, rest) = text.split_once("reset-password?token=")?;
    let code: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    (code.len() == 43).then_some(code)
}

/// Every line of the sources that logs, with the fields that it names.
fn fields(source: &str) -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for level in ["error", "warn", "info", "debug", "trace", "debug_span"] {
        for call in source.split(&format!("tracing::{level}!(")).skip(1) {
            // Until the message, which is a literal that nothing follows but the end.
            let until = call.find(");").unwrap_or(call.len());
            for part in call[..until].split(',').map(str::trim) {
                let name = part.split('=').next().unwrap().trim().trim_matches('"').trim_start_matches(['%', '?']);
                let is_field = part.contains(" = ") || part.starts_with(['%', '?']);
                let is_name = name.chars().all(|c| c.is_ascii_lowercase() || "._".contains(c)) && !name.is_empty();
                if is_field && is_name {
                    fields.insert(name.to_owned());
                }
            }
        }
    }
    fields
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn fields_of_the_log_are_those_that_are_documented() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let operations = std::fs::read_to_string(crates.join("../docs/OPERATIONS.md")).unwrap();
    let (_, logs) = operations.split_once("\n## Logs\n").unwrap();
    let rows = logs.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let documented: BTreeSet<_> =
        rows.flat_map(|names| names.split(['`', ',', ' '])).filter(|name| !name.is_empty()).collect();
    let mut named = BTreeSet::new();
    for one in ["app", "guard", "server", "store", "web"] {
        let mut files = Vec::new();
        sources(&crates.join(one).join("src"), &mut files);
        for file in files {
            named.extend(fields(&std::fs::read_to_string(file).unwrap()));
        }
    }
    assert!(named.len() > 15, "{named:?}");
    let unknown: Vec<_> = named.iter().filter(|name| !documented.contains(name.as_str())).collect();
    assert!(unknown.is_empty(), "not in docs/OPERATIONS.md, «Logs»: {unknown:?}");
}

#[test]
fn every_line_of_a_request_says_which() {
    for (format, expected) in [("text", "request.id=find-me-1"), ("json", "\"request.id\":\"find-me-1\"")] {
        let here = Installation::new().with("CERROJO_LOG__LEVEL", "debug").with("CERROJO_LOG__FORMAT", format);
        let server = here.serve();
        let (status, head, _) = ask(server.address, "GET /health/live HTTP/1.1\r\nX-Request-Id: find-me-1\r\nX-Rest:");
        assert!(status == 200 && head.contains("x-request-id: find-me-1"), "{head}");
        let said = server.stopped();
        let lines: Vec<_> = said.lines().filter(|line| line.contains("answered")).collect();
        assert!(
            lines.iter().any(|line| line.contains(expected) && line.contains("http.response.status_code")),
            "{said}"
        );
        let json = |line: &&str| serde_json::from_str::<Value>(line).is_ok();
        assert!(format == "text" || said.lines().all(|line| json(&line)), "{said}");
    }
}
