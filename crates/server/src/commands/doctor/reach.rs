//! Whether the server answers: where it listens, and where clients reach it.

use std::net::SocketAddr;
use std::time::Duration;

use cerrojo_domain::UnixMillis;
use cerrojo_domain::host::{host_of, is_loopback};
use hyper::StatusCode;
use url::Url;

use super::super::health;
use super::database::Known;
use super::http::{self, Answer, NoAnswer};
use super::{Finding, Patient};
use crate::failure::Failure;

const PUBLIC: &str = "public URL";
/// A certificate that ends so soon should have been renewed.
const SOON: Duration = Duration::from_hours(14 * 24);

/// Whether the collector takes traces: it is sent a request with none in it.
pub(super) async fn traces(patient: &Patient) -> Finding {
    const CHECK: &str = "traces";
    let Some(settings) = &patient.configuration.traces else {
        return Finding::ok(CHECK, "not sent (traces.endpoint is not set)");
    };
    let endpoint = &settings.endpoint;
    match crate::traces::try_out(settings).await {
        Ok(()) => Finding::ok(CHECK, format!("{endpoint} takes them")),
        Err(why) => Finding::warning(
            CHECK,
            format!("{endpoint} does not take them: {why}"),
            "look at traces.endpoint (the collector's receiver for OTLP over HTTP, most often port 4318) and traces.headers",
        ),
    }
}

pub(super) async fn look(patient: &Patient, known: &Known) -> Vec<Finding> {
    let Some(address) = patient.serving.address else {
        return vec![
            Finding::skipped("server", "none runs here: `cerrojo serve`, or systemctl start cerrojo"),
            Finding::skipped(PUBLIC, "asked for while a server runs here"),
        ];
    };
    let mut found = Vec::new();
    found.push(ready(address, health::get(&patient.configuration, address, "/health/ready").await));
    let shown = &patient.configuration.app.public_url;
    let Ok(url) = shown.parse::<Url>() else {
        found.push(Finding::problem(PUBLIC, format!("{shown} is no URL"), "set server.public_url"));
        return found;
    };
    let answer = http::get(&url, "/health/live").await;
    let is_ours = answer.as_ref().is_ok_and(Answer::is_ours);
    found.extend(answer.as_ref().ok().and_then(|answer| certificate(answer, patient.now)));
    found.push(reached(shown, answer));
    if is_ours {
        found.push(key_set(http::get(&url, "/.well-known/jwks.json").await, known));
    }
    found
}

fn ready(address: SocketAddr, answer: Result<health::Answer, Failure>) -> Finding {
    const CHECK: &str = "server";
    let says = match answer {
        Ok(health::Answer { status: StatusCode::OK, is_ours: true }) => {
            return Finding::ok(CHECK, format!("it answers at {address} and is ready"));
        }
        Ok(health::Answer { status, is_ours: true }) => {
            format!("it answers {status} to /health/ready at {address}: it may not say yes to tokens now")
        }
        Ok(health::Answer { status, .. }) => format!("what answers {status} at {address} is not Cerrojo"),
        Err(why) => why.message,
    };
    Finding::problem(
        CHECK,
        says,
        "look in its log: journalctl -u cerrojo (docs/OPERATIONS.md, «When a node is not ready»)",
    )
}

fn cause(why: &NoAnswer) -> &str {
    match why {
        NoAnswer::Name(why) | NoAnswer::Connection(why) | NoAnswer::Tls(why) | NoAnswer::Http(why) => why,
    }
}

fn reached(url: &str, answer: Result<Answer, NoAnswer>) -> Finding {
    let why = match answer {
        Ok(answer) if answer.status == 200 && answer.is_ours() => {
            return Finding::ok(PUBLIC, format!("{url} leads to Cerrojo"));
        }
        Ok(answer) => {
            return Finding::problem(
                PUBLIC,
                format!(
                    "{url}/health/live answers {}, and not as Cerrojo does: the proxy sends it elsewhere",
                    answer.status
                ),
                "have the proxy send everything below server.public_url to server.listen (docs/OPERATIONS.md, «Behind nginx»)",
            );
        }
        Err(why) => why,
    };
    let says = format!("{url} cannot be reached from here: {}", cause(&why));
    match why {
        NoAnswer::Tls(_) => {
            Finding::problem(PUBLIC, says, "renew the proxy's certificate, or give it the whole chain, for this name")
        }
        NoAnswer::Name(_) => {
            Finding::problem(PUBLIC, says, "look at server.public_url, and at the name's A and AAAA records")
        }
        NoAnswer::Connection(_) | NoAnswer::Http(_) if is_loopback(host_of(url)) => {
            Finding::problem(PUBLIC, says, "set server.public_url to where clients reach the server")
        }
        NoAnswer::Connection(_) | NoAnswer::Http(_) => Finding::warning(
            PUBLIC,
            says,
            "start the proxy; behind a NAT it may be unreachable from here alone: try from elsewhere",
        ),
    }
}

fn certificate(answer: &Answer, now: UnixMillis) -> Option<Finding> {
    let seconds = i64::try_from(answer.certificate_ends?).ok()?;
    Some(time_left("certificate", UnixMillis(seconds.saturating_mul(1000)), now))
}

/// The certificate in the files that the server speaks TLS with.
pub(super) fn tls_files(patient: &Patient) -> Option<Finding> {
    const CHECK: &str = "TLS files";
    const REPLACE: &str = "put the right files in place (server.tls_certificate, server.tls_key)";
    let files = patient.configuration.tls.as_ref()?;
    let pair = match crate::certificate::read(files, &patient.configuration.app.public_url) {
        Ok((pair, _)) => pair,
        Err(wrong) => return Some(Finding::problem(CHECK, wrong, REPLACE)),
    };
    if let Some(wrong) = pair.is_out_of_time(patient.now) {
        return Some(Finding::problem(CHECK, format!("{}: {wrong}", files.certificate.display()), REPLACE));
    }
    if !pair.warnings.is_empty() {
        return Some(Finding::warning(CHECK, pair.warnings.join("; "), REPLACE));
    }
    Some(time_left(CHECK, pair.identity().not_after, patient.now))
}

fn time_left(check: &'static str, end: UnixMillis, now: UnixMillis) -> Finding {
    let left = end.since(now);
    let says = format!("it ends in {} days", left.as_secs() / 86_400);
    if left < SOON {
        Finding::warning(check, says, "renew it, and see why it was not renewed by itself (systemctl list-timers)")
    } else {
        Finding::ok(check, says)
    }
}

/// Whether the keys that are published are this database's.
fn key_set(answer: Result<Answer, NoAnswer>, known: &Known) -> Finding {
    const CHECK: &str = "key set";
    let published: Vec<String> = match answer {
        Ok(answer) if answer.status == 200 => {
            let keys = answer.body.get("keys").and_then(|keys| keys.as_array()).cloned().unwrap_or_default();
            keys.iter().filter_map(|key| Some(key.get("kid")?.as_str()?.to_owned())).collect()
        }
        _ => Vec::new(),
    };
    if published.is_empty() {
        let says = "/.well-known/jwks.json has no keys: services that verify tokens by themselves cannot";
        return Finding::problem(CHECK, says, "have the proxy send that path to the server as well");
    }
    match &known.keys {
        Some(ours) if !ours.iter().any(|ours| published.contains(ours)) => Finding::problem(
            CHECK,
            "the keys that server.public_url publishes are of another database: another installation answers there",
            "look at server.public_url, database.url and the proxy",
        ),
        _ => Finding::ok(CHECK, format!("{} keys are published", published.len())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::finding::Level;
    use super::*;

    fn answer(status: u16, body: serde_json::Value) -> Answer {
        Answer { status, body, certificate_ends: None }
    }

    #[test]
    fn who_answers_at_the_public_url_is_looked_at() {
        let live = json!({ "success": true });
        assert_eq!(reached("https://a.example", Ok(answer(200, live))).level, Level::Ok);
        let other = reached("https://a.example", Ok(answer(200, json!(null))));
        assert!(other.level == Level::Problem && other.says.contains("not as Cerrojo does"), "{other:?}");
        let away = |url: &str, why| reached(url, Err(why)).level;
        assert_eq!(away("https://a.example", NoAnswer::Connection("refused".to_owned())), Level::Warning);
        assert_eq!(away("http://127.0.0.1:4000", NoAnswer::Connection("refused".to_owned())), Level::Problem);
        assert_eq!(away("https://a.example", NoAnswer::Tls("expired".to_owned())), Level::Problem);
    }

    #[test]
    fn keys_of_another_database_are_noticed() {
        let published = || Ok(answer(200, json!({ "keys": [{ "kid": "a" }, { "kid": "b" }] })));
        let known = |keys: &[&str]| Known { keys: Some(keys.iter().map(|&key| key.to_owned()).collect()) };
        assert_eq!(key_set(published(), &known(&["b", "c"])).level, Level::Ok);
        assert_eq!(key_set(published(), &known(&["c"])).level, Level::Problem);
        assert_eq!(key_set(Ok(answer(200, json!({ "keys": [] }))), &known(&["c"])).level, Level::Problem);
    }

    #[test]
    fn a_certificate_that_ends_soon_is_told_of() {
        let found = |days: u64| {
            certificate(&Answer { certificate_ends: Some(days * 86_400), ..answer(200, json!(null)) }, UnixMillis(0))
        };
        assert_eq!(found(60).map(|found| found.level), Some(Level::Ok));
        assert!(found(5).is_some_and(|found| found.level == Level::Warning && found.says == "it ends in 5 days"));
    }
}
