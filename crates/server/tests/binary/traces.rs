//! Traces, as a collector gets them.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use cerrojo_domain::{Clock as _, SystemClock};
use cerrojo_store::testing::Fresh;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;

use crate::collector::{Collector, attribute};
use crate::installation::{Installation, PASSWORD, Server};
use crate::metrics::reset_code;

const HEADER: &str = "geheim-for-the-collector";

fn traced(collector: &Collector) -> Installation {
    Installation::new()
        .with("CERROJO_TRACES__ENDPOINT", &collector.url())
        .with("CERROJO_TRACES__HEADERS", &format!("X-Key={HEADER}"))
        .with("CERROJO_TRACES__SAMPLE_RATIO", "1")
}

fn on_both_engines(test: impl Fn(Installation, &Collector)) {
    let collector = Collector::start(&[]);
    test(traced(&collector), &collector);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let database = runtime.block_on(Fresh::postgres());
    let collector = Collector::start(&[]);
    test(traced(&collector).with("CERROJO_DATABASE__URL", &database.url), &collector);
}

/// A request with headers of its own; the status.
fn ask(address: SocketAddr, line: &str, headers: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn children<'a>(spans: &'a [Span], of: &Span) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.parent_span_id == of.span_id && span.trace_id == of.trace_id).collect()
}

fn names(spans: &[&Span]) -> BTreeSet<String> {
    spans.iter().map(|span| span.name.clone()).collect()
}

#[track_caller]
fn assert_has(spans: &[&Span], wanted: &[&str]) {
    let names = names(spans);
    for name in wanted {
        assert!(names.contains(*name), "{name} is not among {names:?}");
    }
}

#[track_caller]
fn the(spans: &[Span], name: &str, status: &str) -> Span {
    let found = spans.iter().find(|span| span.name == name && attribute(span, "http.response.status_code") == status);
    found.unwrap_or_else(|| panic!("no {name} with {status}: {:?}", names(&spans.iter().collect::<Vec<_>>()))).clone()
}

/// What people do with accounts; the secrets in it.
fn a_day(here: &Installation, server: &Server) -> Vec<String> {
    let token = server.token("ana@example.com");
    let forgot = json!({ "email": "ana@example.com" });
    assert_eq!(server.request("POST /api/auth/forgot-password", None, Some(&forgot)).status, 200);
    let wrong = "a password that is wrong 77";
    assert_eq!(server.login("ana@example.com", wrong).status, 401);
    let code = reset_code(here);
    let fresh = "an entirely new passphrase 5";
    let reset = json!({ "token": code, "newPassword": fresh });
    assert_eq!(server.request("POST /api/auth/reset-password", None, Some(&reset)).status, 200);
    let other = server.login("ana@example.com", fresh).body["data"]["token"].as_str().unwrap().to_owned();
    assert_eq!(server.logout(&other), 200);
    let path = "an-address-that-nobody-has";
    assert_eq!(server.request(&format!("GET /{path}?email=ana@example.com"), None, None).status, 404);
    let signature = |token: &str| token.rsplit_once('.').unwrap().1.to_owned();
    let mut secrets = vec![signature(&token), signature(&other), token, other, code];
    secrets.extend([PASSWORD, wrong, fresh, path, "ana@example.com", "Ana", HEADER].map(str::to_owned));
    secrets
}

#[test]
fn requests_become_traces_that_say_where_the_time_goes_and_no_secret() {
    on_both_engines(|here, collector| {
        here.add_user("ana@example.com", "user").ok();
        let server = here.serve();
        let secrets = a_day(&here, &server);
        assert_eq!(ask(server.address, "GET /health/live", "X-Request-Id: find-me-1\r\n"), 200);
        assert_eq!(ask(server.address, "BREW /health/live", ""), 405);
        server.stop();

        let spans = collector.spans();
        let login = the(&spans, "POST /api/auth/login", "200");
        assert_eq!(login.kind, SpanKind::Server as i32);
        assert_eq!(attribute(&login, "http.request.method"), "POST");
        assert_eq!(attribute(&login, "http.route"), "/api/auth/login");
        assert_eq!(attribute(&login, "error.type"), "");
        assert_has(&children(&spans, &login), &["password waits", "password hash", "transaction"]);
        let transaction = children(&spans, &login).into_iter().find(|span| span.name == "transaction").unwrap().clone();
        assert_has(&children(&spans, &transaction), &["BEGIN", "COMMIT"]);
        let logout = the(&spans, "POST /api/auth/logout", "200");
        let ending = children(&spans, &logout).into_iter().find(|span| span.name == "ending").unwrap().clone();
        assert_has(&children(&spans, &ending), &["ending is written"]);
        assert_eq!(attribute(&the(&spans, "GET /health/live", "200"), "request.id"), "find-me-1");
        let other = the(&spans, "HTTP /health/live", "405");
        assert_eq!(attribute(&other, "http.request.method"), "_OTHER");
        let mail = spans.iter().find(|span| span.name == "mail" && attribute(span, "mail.kind") == "reset").unwrap();
        assert_eq!(mail.kind, SpanKind::Consumer as i32);
        assert_has(&children(&spans, mail), &["mail leaves", "transaction"]);

        for root in spans.iter().filter(|span| span.parent_span_id.is_empty()) {
            let is_one = [SpanKind::Server as i32, SpanKind::Consumer as i32].contains(&root.kind);
            assert!(is_one, "background work is a trace of its own: {}", root.name);
        }
        for sent in collector.sent().iter() {
            assert!(sent.head.starts_with("post /v1/traces http/1.1\r\n"), "{}", sent.head);
            assert!(sent.head.contains(&format!("x-key: {HEADER}\r\n")), "{}", sent.head);
            let body = String::from_utf8_lossy(&sent.body);
            for secret in &secrets {
                assert!(!body.contains(secret.as_str()), "{secret} is in a span: {body}");
            }
        }
    });
}

#[test]
fn attributes_of_spans_are_those_that_are_documented() {
    let collector = Collector::start(&[]);
    let here = traced(&collector);
    here.add_user("ana@example.com", "user").ok();
    let server = here.serve();
    a_day(&here, &server);
    server.stop();
    let operations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/OPERATIONS.md");
    let operations = std::fs::read_to_string(operations).unwrap();
    let (_, section) = operations.split_once("\n## Traces\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let spans = collector.spans();
    let named: BTreeSet<&str> = spans.iter().flat_map(|span| &span.attributes).map(|one| one.key.as_str()).collect();
    assert!(named.len() > 5, "{named:?}");
    for name in named {
        assert!(section.contains(&format!("`{name}`")), "{name} is not in docs/OPERATIONS.md, «Traces»");
    }
    assert!(spans.iter().all(|span| span.events.is_empty()), "lines of the log are in spans");
}

/// Until it is so, half a minute at most.
#[track_caller]
fn wait_until(server: &Server, is_so: impl Fn() -> bool) {
    let clock = SystemClock::new();
    let begun = clock.elapsed();
    while !is_so() {
        assert!(clock.elapsed().saturating_sub(begun) < Duration::from_secs(30), "in vain: {}", server.said());
        std::thread::yield_now();
    }
}

const CALLED: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
const CALLED_UNSAMPLED: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\r\n";
const TRACE: [u8; 16] =
    [0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c];

/// Traces of a request with this header, at this share and with these callers.
fn traces_of(header: &str, ratio: &str, callers: &str) -> Vec<Span> {
    let collector = Collector::start(&[]);
    let here = traced(&collector).with("CERROJO_TRACES__SAMPLE_RATIO", ratio).with("CERROJO_TRACES__CALLERS", callers);
    let server = here.serve();
    assert_eq!(ask(server.address, "GET /health/live", header), 200);
    server.stop();
    collector.spans()
}

#[test]
fn a_stranger_neither_names_a_trace_nor_has_one_kept() {
    assert!(traces_of(CALLED, "0", "").is_empty());
    assert!(traces_of(CALLED, "0", "10.0.0.0/8").is_empty());
    let kept = traces_of(CALLED, "1", "");
    assert!(kept.len() == 1 && kept[0].trace_id != TRACE && kept[0].parent_span_id.is_empty(), "{kept:?}");
    let kept = traces_of(CALLED_UNSAMPLED, "1", "");
    assert_eq!(kept.len(), 1, "a stranger has a trace left out: {kept:?}");
}

#[test]
fn a_caller_who_is_believed_goes_on_with_its_trace_and_decides() {
    let kept = traces_of(CALLED, "0", "127.0.0.0/8");
    assert!(kept.len() == 1 && kept[0].trace_id == TRACE, "{kept:?}");
    assert_eq!(kept[0].parent_span_id, [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]);
    assert!(traces_of(CALLED_UNSAMPLED, "1", "127.0.0.0/8").is_empty());
    // What is none (W3C Trace Context, section 3.2.2), or is there twice, is as if it was not there.
    for none in ["traceparent: 00-0-0-01\r\n".to_owned(), format!("{CALLED}{CALLED}")] {
        let kept = traces_of(&none, "1", "127.0.0.0/8");
        assert!(kept.len() == 1 && kept[0].trace_id != TRACE, "{kept:?}");
    }
}

#[test]
fn without_the_setting_nothing_is_sent_whatever_others_variables_say() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let here = Installation::new()
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", &url)
        .with("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &url)
        .with("OTEL_TRACES_SAMPLER", "always_on");
    let server = here.serve();
    assert_eq!(ask(server.address, "GET /health/live", CALLED), 200);
    server.stop();
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().map(drop).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_collector_that_is_away_costs_one_warning_and_no_time() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let here = Installation::new()
        .with("CERROJO_TRACES__ENDPOINT", &format!("http://{address}"))
        .with("CERROJO_TRACES__SAMPLE_RATIO", "1");
    let server = here.serve();
    for _ in 0..1000 {
        assert_eq!(ask(server.address, "GET /health/live", ""), 200);
    }
    let clock = SystemClock::new();
    let asked = clock.elapsed();
    let said = server.stopped();
    let took = clock.elapsed().saturating_sub(asked);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(said.matches("the collector does not take traces").count(), 1, "{said}");
    assert!(said.contains("refused"), "{said}");
}

#[test]
fn what_is_not_taken_at_first_is_sent_again() {
    let collector = Collector::start(&[503]);
    let here = traced(&collector);
    let server = here.serve();
    assert_eq!(ask(server.address, "GET /health/live", ""), 200);
    wait_until(&server, || collector.sent().len() > 1);
    let said = server.stopped();
    assert!(said.contains("it answered 503") && said.contains("takes traces again"), "{said}");
    let sent = collector.sent();
    assert_eq!(sent[0].body, sent[1].body);
}

#[test]
fn what_is_refused_is_not_sent_again_and_is_counted() {
    let collector = Collector::start(&[401]);
    let here = traced(&collector).with("CERROJO_METRICS__LISTEN", "127.0.0.1:0");
    let server = here.serve();
    assert_eq!(ask(server.address, "GET /health/live", ""), 200);
    wait_until(&server, || server.said().contains("it answered 401"));
    let told = crate::metrics::told(crate::metrics::address_of(&server));
    let failed = told.value("cerrojo_trace_spans_total{outcome=\"failed\"}");
    assert!((failed - 1.0).abs() < 1e-9, "{failed}");
    assert_eq!(collector.sent().len(), 1);
    let said = server.stopped();
    assert!(!said.contains(HEADER), "{said}");
}

#[test]
fn the_doctor_asks_the_collector() {
    let collector = Collector::start(&[]);
    let found = |here: &Installation| {
        let all = here.run(&["doctor", "--json"]).json();
        all["checks"].as_array().unwrap().iter().find(|found| found["check"] == "traces").unwrap().clone()
    };
    assert_eq!(found(&traced(&collector))["level"], "ok");
    assert!(collector.spans().is_empty());
    let refused = found(&traced(&Collector::start(&[401])));
    assert_eq!(refused["level"], "warning", "{refused}");
    assert!(refused["says"].as_str().unwrap().contains("it answered 401"), "{refused}");
    assert!(!refused.to_string().contains(HEADER), "{refused}");
}
