//! Whether mail can leave.

use std::time::Duration;

use cerrojo_app::mail::SmtpMailer;
use cerrojo_domain::host::{host_of, is_loopback};

use super::{Finding, Patient};
use crate::config::{Configuration, MailRoute};
use crate::open;

/// How long a mail server may take.
const PATIENCE: Duration = Duration::from_secs(15);
const CHECK: &str = "mail server";

pub(super) async fn look(patient: &Patient) -> Vec<Finding> {
    let configuration = &patient.configuration;
    if let Err(failure) = open::check_mailer(configuration) {
        return vec![Finding::failed(CHECK, &failure)];
    }
    vec![match &configuration.mail {
        MailRoute::Smtp { url } => server(url, &configuration.mail_from).await,
        MailRoute::Outbox { folder } => no_server(configuration, &folder.display().to_string()),
    }]
}

fn no_server(configuration: &Configuration, folder: &str) -> Finding {
    let says = format!("none (mail.url is not set): mails are written into {folder}");
    if is_loopback(host_of(&configuration.app.public_url)) {
        return Finding::ok(CHECK, says);
    }
    Finding::warning(
        CHECK,
        says,
        "set mail.url and mail.from, then `cerrojo mail test EMAIL`: nobody gets a link for a forgotten password",
    )
}

async fn server(url: &str, from: &str) -> Finding {
    let mailer = match SmtpMailer::new(url, from) {
        Ok(mailer) => mailer,
        Err(wrong) => return Finding::problem(CHECK, wrong, "set mail.url and mail.from"),
    };
    let tested = tokio::time::timeout(PATIENCE, mailer.test()).await;
    match tested.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs()))) {
        Ok(()) => Finding::ok(
            CHECK,
            "it answers, encrypted and signed in to as mail.url says; `cerrojo mail test EMAIL` sends a message",
        ),
        Err(error) => {
            let remedy = remedy(url, &error);
            Finding::problem(CHECK, error, remedy)
        }
    }
}

/// What most likely helps.
fn remedy(url: &str, error: &str) -> String {
    let error = error.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| error.contains(word));
    let advice =
        if url.starts_with("smtps:") && says(&["corrupt message", "invalidcontenttype", "invalid content type"]) {
            "that port speaks plain SMTP first: write smtp:// (STARTTLS, port 587) instead of smtps:// (port 465)"
        } else if url.starts_with("smtp:") && says(&["no answer within", "incomplete", "timed out"]) {
            "if the port is 465 it wants TLS from the start: write smtps:// instead of smtp://"
        } else if says(&["certificate", "unknownissuer", "invalid peer"]) {
            "the name in mail.url has to be the one in the server's certificate, and its issuer known to this system"
        } else if says(&["535", "authentication", "credentials"]) {
            "look at user and password in mail.url; characters such as @ and / are percent-encoded in them"
        } else if says(&["starttls"]) {
            "the server offers no STARTTLS: smtps:// on port 465, or another server"
        } else if says(&["refused", "unreachable", "lookup", "resolve", "no route"]) {
            "look at host and port in mail.url, and whether a firewall lets this machine out (many block port 25)"
        } else {
            "look at mail.url"
        };
    format!("{advice}; then `cerrojo mail test EMAIL`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_leads_to_what_helps() {
        let cases = [
            ("smtps://mail.example.com:587", "received corrupt message of type InvalidContentType", "write smtp://"),
            ("smtp://mail.example.com:465", "no answer within 15 s", "write smtps://"),
            ("smtps://mail.example.com", "invalid peer certificate: UnknownIssuer", "certificate"),
            ("smtps://mail.example.com", "permanent error (535): no", "user and password"),
            ("smtp://mail.example.com", "Connection refused (os error 111)", "host and port"),
        ];
        for (url, error, expected) in cases {
            assert!(remedy(url, error).contains(expected), "{error}: {}", remedy(url, error));
        }
    }
}
