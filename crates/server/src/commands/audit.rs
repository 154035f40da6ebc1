//! `cerrojo audit`.

mod export;
mod verify;

use cerrojo_app::audit::{self, Asked, AskedError, Listed};
use serde_json::Value;

use crate::cli::{Audit, Shape, WhichEntries};
use crate::config::Configuration;
use crate::failure::Failure;
use crate::{open, out};

pub(crate) async fn run(command: Audit, configuration: &Configuration) -> Result<(), Failure> {
    match command {
        Audit::List { which, limit, shape } => list(configuration, which, (limit, shape)).await,
        Audit::Export { file, format, between } => export::run(configuration, (&file, format), between).await,
        Audit::Head => head(configuration).await,
        Audit::Verify { head } => verify::run(configuration, head).await,
    }
}

async fn list(configuration: &Configuration, which: WhichEntries, (limit, shape): (i64, Shape)) -> Result<(), Failure> {
    let read = open::to_read(configuration, "cerrojo audit list").await?;
    let (since, until) = (which.between.since, which.between.until);
    let asked = Asked {
        user: which.user,
        by: which.by,
        kind: which.kind,
        session: which.session,
        address: which.address.map(|address| address.to_string()),
        since: None,
        until: None,
        before: which.before,
    };
    let filter = asked.filter(&mut read.store.reader()).await.map_err(not_asked)?;
    let filter = audit::Filter { since, until, ..filter };
    let excerpt = audit::excerpt(&read.store, &filter, limit).await?;
    read.close().await;
    if shape.json {
        out::line(&super::json(&excerpt.entries.iter().map(audit::as_json).collect()));
    } else {
        let head = ["POSITION", "TIME", "ACT", "BY", "USER", "SESSION", "ADDRESS", "DETAILS"];
        out::table(&head, &excerpt.entries.iter().map(as_row).collect::<Vec<_>>());
    }
    if let Some(before) = excerpt.before {
        out::note(&format!("there are older ones: --before {before} shows them"));
    }
    Ok(())
}

fn not_asked(error: AskedError) -> Failure {
    match error {
        AskedError::NoUser(name) => Failure::new(format!(
            "--{name}: no account has that e-mail address; of one that was deleted give the number"
        )),
        AskedError::Store(error) => error.into(),
        // The command line has looked at them.
        AskedError::Kind | AskedError::Reason | AskedError::Doer | AskedError::Address | AskedError::Time(_) => {
            Failure::usage("that cannot be asked for")
        }
    }
}

async fn head(configuration: &Configuration) -> Result<(), Failure> {
    let read = open::to_read(configuration, "cerrojo audit head").await?;
    let (position, mac) = audit::head(&read.store).await?;
    read.close().await;
    if position == 0 {
        return Err(Failure::new("the trail has no entry yet: a running server puts them there within a second or so"));
    }
    out::line(&format!("{position}:{mac}"));
    Ok(())
}

fn as_row(listed: &Listed) -> Vec<String> {
    let said = &listed.said;
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let text = |text: &Option<String>| out::tame(text.as_deref().unwrap_or_default());
    let position = listed.sealed.as_ref().map_or_else(|| "-".to_owned(), |(position, _)| position.to_string());
    let details = [Some(&said.details), said.about.as_ref()].into_iter().flatten().flat_map(|json| words(json));
    vec![
        position,
        said.at.rfc3339(),
        said.kind.clone(),
        audit::doer(listed),
        number(said.subject),
        text(&said.session),
        text(&said.address),
        out::tame(&details.collect::<Vec<_>>().join(" ")),
    ]
}

/// `name=value` for each member of an object.
fn words(text: &str) -> Vec<String> {
    let word = |(name, value): (&String, &Value)| match value {
        Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    };
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(members)) => members.iter().map(word).collect(),
        _ => Vec::new(),
    }
}
