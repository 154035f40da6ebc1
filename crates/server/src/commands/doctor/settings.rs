//! The settings themselves.

use cerrojo_domain::host::is_loopback;
use cerrojo_domain::{UnixMillis, host};

use super::{Finding, Patient};
use crate::config::{Configuration, secret_file_warning};
use crate::open;

pub(super) fn wrong(problem: String) -> Finding {
    Finding::problem("settings", problem, "`cerrojo config reference` lists all there are")
}

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let configuration = &patient.configuration;
    let mut found = vec![whole(patient)];
    found.extend(mail_templates(configuration));
    found.extend(old_tokens(configuration, patient.now));
    found.push(proxies(configuration));
    found.push(metrics(configuration));
    found
}

/// What `cerrojo config check` looks at.
fn whole(patient: &Patient) -> Finding {
    let from = match &patient.file {
        Some((file, _)) => format!("{} and the environment", file.display()),
        None => "the environment; there is no file".to_owned(),
    };
    // What is said of metrics and of files with secrets has lines of its own.
    let Configuration { warnings, open_secret_files, .. } = &patient.configuration;
    let elsewhere: Vec<String> = open_secret_files.iter().map(secret_file_warning).collect();
    let is_here = |warning: &&str| !warning.starts_with("metrics.") && elsewhere.iter().all(|other| other != warning);
    let warnings: Vec<&str> = warnings.iter().map(String::as_str).filter(is_here).collect();
    if warnings.is_empty() {
        return Finding::ok("settings", format!("from {from}"));
    }
    Finding::warning("settings", warnings.join("; "), "`cerrojo config show` says where each setting comes from")
}

/// Whether mails can be written with the operator's own texts.
fn mail_templates(configuration: &Configuration) -> Option<Finding> {
    const CHECK: &str = "mail templates";
    let folder = configuration.app.mail_templates.as_ref()?;
    Some(match open::templates(configuration) {
        Ok(_) => Finding::ok(CHECK, format!("those in {} can be used", folder.display())),
        Err(failure) => Finding::failed(CHECK, &failure).with_remedy("put them right: no server starts with them"),
    })
}

/// Whether tokens of the application before are still meant to be accepted.
fn old_tokens(configuration: &Configuration, now: UnixMillis) -> Option<Finding> {
    const CHECK: &str = "old tokens";
    let until = configuration.app.old_tokens.as_ref()?.until;
    Some(match until {
        Some(until) if until <= now => Finding::warning(
            CHECK,
            format!("migration.until, {}, has passed, and migration.accept_old_tokens is still true", until.rfc3339()),
            "take migration.accept_old_tokens and migration.secret out of the settings, and restart the server",
        ),
        Some(until) => Finding::ok(CHECK, format!("accepted until {}", until.rfc3339())),
        None => Finding::warning(
            CHECK,
            "they are accepted for as long as the other application made them to last",
            "set migration.until, and take migration.accept_old_tokens out after it",
        ),
    })
}

/// Whether the addresses of clients are known behind a proxy.
fn proxies(configuration: &Configuration) -> Finding {
    const CHECK: &str = "proxy headers";
    let url = &configuration.app.public_url;
    let is_https = url.starts_with("https://");
    let is_public = !is_loopback(host::host_of(url));
    match (is_https || is_public, configuration.trusted_proxies.is_empty()) {
        (_, true) if configuration.tls.is_some() => Finding::ok(
            CHECK,
            "none are believed; the server speaks TLS itself, and clients are known by their connections",
        ),
        (true, true) if is_https => Finding::warning(
            CHECK,
            "server.public_url is https, so a proxy is in front, and server.trusted_proxies is empty: all clients seem to come from \
             the proxy's address and share its limits",
            "set server.trusted_proxies to the address of the proxy, and have it set X-Forwarded-For (docs/OPERATIONS.md, «Behind nginx»)",
        ),
        (_, true) => Finding::ok(CHECK, "none are believed; clients are known by their connections"),
        (true, false) if configuration.listen.ip().is_unspecified() => Finding::warning(
            CHECK,
            format!("server.listen is {}, so clients may reach the server past the proxy", configuration.listen),
            "listen on the address that the proxy connects to, or let only the proxy through",
        ),
        (_, false) => {
            let trusted = configuration.trusted_proxies.len();
            Finding::ok(CHECK, format!("believed from {trusted} addresses or networks, and from nobody else"))
        }
    }
}

/// Whether strangers may read metrics.
fn metrics(configuration: &Configuration) -> Finding {
    const CHECK: &str = "metrics";
    let told = configuration.warnings.iter().find(|warning| warning.starts_with("metrics."));
    match (told, configuration.metrics_listen) {
        (Some(told), _) => Finding::warning(CHECK, told, "set metrics.listen to a loopback or private address"),
        (None, Some(listen)) => Finding::ok(CHECK, format!("at http://{listen}/metrics, which strangers do not reach")),
        (None, None) => Finding::ok(CHECK, "not served (metrics.listen is not set)"),
    }
}
