//! `cerrojo mail`.

mod templates;

use std::time::Duration;

use cerrojo_app::mail::{self, Kind, Templates};
use cerrojo_domain::{Clock as _, Email, SystemClock, UnixMillis};
use cerrojo_store::outbox::{self, Standing, Which};
use serde_json::{Value, json};

use crate::cli::{Mail, Shape};
use crate::config::{Configuration, MailRoute};
use crate::failure::Failure;
use crate::{open, out};
use templates::Existing;

/// How long a mail server may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Mails listed at most.
const MOST: i64 = 1000;

pub(crate) async fn run(command: Mail, configuration: &Configuration) -> Result<(), Failure> {
    match command {
        Mail::Test { email } => test(configuration, &email).await,
        Mail::List { all, shape } => list(configuration, all, shape).await,
        Mail::Preview { letter, html, templates } => {
            let part = if html { Part::Page } else { Part::Text };
            let templates = match templates {
                Some(folder) => Templates::load(Some(&folder))?,
                None => open::templates(configuration)?,
            };
            preview(configuration, &templates, (letter, part))
        }
        Mail::Templates { folder, letters, replace } => {
            templates::write(&folder, &letters, if replace { Existing::Replaced } else { Existing::Left })
        }
    }
}

async fn test(configuration: &Configuration, typed: &str) -> Result<(), Failure> {
    let to = Email::parse(typed).map_err(|_| Failure::usage(format!("{} is no e-mail address", out::tame(typed))))?;
    let templates = open::templates(configuration)?;
    let mailer = open::mailer(configuration)?;
    let letter = (&to, SystemClock::new().now());
    let sent = mail::send_trial((&configuration.app, &templates), &*mailer, letter, PATIENCE).await?;
    match &configuration.mail {
        MailRoute::Smtp { .. } => {
            sent.map_err(Failure::because("the mail server did not take it (mail.url, mail.from)"))?;
            out::line(&format!("the mail server took a message to {}: look whether it arrives", to.as_str()));
        }
        MailRoute::Outbox { folder } => {
            sent.map_err(Failure::because("the mail cannot be written (mail.outbox)"))?;
            out::line(&format!(
                "a message to {} was written into {}: no mail leaves as long as mail.url is not set",
                to.as_str(),
                folder.display()
            ));
        }
    }
    Ok(())
}

async fn list(configuration: &Configuration, all: bool, shape: Shape) -> Result<(), Failure> {
    let read = open::to_read(configuration, "cerrojo mail list").await?;
    let which = if all { Which::All } else { Which::Waiting };
    let rows = outbox::standing(&mut read.store.reader(), which, MOST).await?;
    if shape.json {
        out::line(&super::json(&rows.iter().map(as_json).collect()));
    } else {
        let head = ["KIND", "USER", "WRITTEN", "TRIES", "DELIVERED", "NEXT TRY", "LAST ERROR"];
        out::table(&head, &rows.iter().map(as_row).collect::<Vec<_>>());
    }
    read.close().await;
    Ok(())
}

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Text,
    Page,
}

fn preview(configuration: &Configuration, templates: &Templates, (kind, part): (Kind, Part)) -> Result<(), Failure> {
    // A valid address by its form alone.
    let Ok(to) = Email::parse("ana@example.com") else { return Ok(()) };
    let mail = mail::preview((&configuration.app, templates), kind, (&to, SystemClock::new().now()))?;
    say_origins(configuration, templates, kind);
    match (part, mail.html) {
        (Part::Text, _) => {
            out::line(&format!("{}\n", mail.subject));
            out::raw(&mail.text);
        }
        (Part::Page, Some(html)) => out::raw(&html),
        (Part::Page, None) => {
            let (name, locale) = (kind.name(), configuration.app.locale.name());
            return Err(Failure::new(format!(
                "this letter has no page: there is a {name}.{locale}.txt of your own and no {name}.{locale}.html beside it"
            )));
        }
    }
    Ok(())
}

fn say_origins(configuration: &Configuration, templates: &Templates, kind: Kind) {
    for (file, folder) in templates.origins(kind, configuration.app.locale) {
        let from =
            folder.map_or("built in".to_owned(), |folder| format!("from {}", out::tame(&folder.to_string_lossy())));
        out::note(&format!("{file}: {from}"));
    }
}

fn as_row(row: &Standing) -> Vec<String> {
    let next = if row.done_at.is_some() { String::new() } else { row.next_at.rfc3339() };
    vec![
        row.kind.clone(),
        row.user.map(|user| user.to_string()).unwrap_or_default(),
        row.created_at.rfc3339(),
        row.attempts.to_string(),
        row.done_at.map(UnixMillis::rfc3339).unwrap_or_default(),
        next,
        out::tame(row.last_error.as_deref().unwrap_or_default()),
    ]
}

fn as_json(row: &Standing) -> Value {
    json!({
        "kind": row.kind,
        "user_id": row.user,
        "created_at": row.created_at.rfc3339(),
        "attempts": row.attempts,
        "delivered_at": row.done_at.map(UnixMillis::rfc3339),
        "next_at": row.done_at.is_none().then(|| row.next_at.rfc3339()),
        "last_error": row.last_error,
    })
}
