//! `cerrojo session`.

use cerrojo_app::administer::{self, AdminError, By};
use cerrojo_app::sessions::{self, Session as Row, Show};
use cerrojo_domain::{Clock as _, Email, SessionId, SystemClock};
use cerrojo_store::users;
use serde_json::{Value, json};

use super::user::{find, nobody};
use crate::cli::{Consent, Session, Shape, WhichSessions};
use crate::config::Configuration;
use crate::failure::Failure;
use crate::{ask, open, out};

pub(crate) async fn run(command: Session, configuration: &Configuration) -> Result<(), Failure> {
    match command {
        Session::List { user, ended, shape } => list(configuration, (&user, ended), shape).await,
        Session::End { which, consent } => end(configuration, which, consent).await,
    }
}

async fn list(configuration: &Configuration, (email, ended): (&str, bool), shape: Shape) -> Result<(), Failure> {
    let read = open::to_read(configuration, "cerrojo session list").await?;
    let mut run = read.store.snapshot().await?;
    let user = users::by_email(&mut run, &Email::fold(email)).await?.ok_or_else(|| nobody(email))?;
    let show = if ended { Show::WithEnded } else { Show::Live };
    let rows =
        sessions::recorded(&mut run, user.id, (show, SystemClock::new().now(), configuration.app.retention)).await?;
    drop(run);
    if shape.json {
        out::line(&super::json(&rows.iter().map(as_json).collect()));
    } else if ended {
        let head = ["ID", "DEVICE", "ADDRESS", "STARTED", "LAST SEEN", "EXPIRES", "ENDED", "REASON", "BY"];
        out::table(&head, &rows.iter().map(as_long_row).collect::<Vec<_>>());
    } else {
        let head = ["ID", "DEVICE", "ADDRESS", "STARTED", "LAST SEEN", "EXPIRES"];
        out::table(&head, &rows.iter().map(as_row).collect::<Vec<_>>());
    }
    read.close().await;
    Ok(())
}

async fn end(configuration: &Configuration, which: WhichSessions, consent: Consent) -> Result<(), Failure> {
    if which.everyone {
        ask::consent(consent, "Everybody will be signed out.")?;
    }
    let opened = open::to_change(configuration, "cerrojo session end").await?;
    let app = &opened.app;
    match which {
        WhichSessions { id: Some(id), .. } => {
            administer::end_session(app, &SessionId::from_text(id.as_str())).await.map_err(|error| match error {
                AdminError::NotFound => Failure::new(format!("there is no live session {}", out::tame(&id))),
                other => other.into(),
            })?;
            out::line(&format!("session {} is over", out::tame(&id)));
        }
        WhichSessions { user: Some(email), .. } => {
            let user = find(app, &email).await?;
            let ended = administer::end_user_sessions(app, By::Operator, user.id).await?;
            out::line(&format!("{ended} sessions of {} are over", user.email.as_str()));
        }
        WhichSessions { .. } => {
            administer::end_everything(app).await?;
            out::line("every session is over");
        }
    }
    opened.close().await;
    Ok(())
}

fn as_row(row: &Row) -> Vec<String> {
    vec![
        row.id.to_string(),
        out::tame(&row.device),
        row.address.clone(),
        row.started_at.rfc3339(),
        row.last_seen_at.rfc3339(),
        row.expires_at.rfc3339(),
    ]
}

fn as_long_row(row: &Row) -> Vec<String> {
    let mut cells = as_row(row);
    let ended = row.ended.as_ref();
    cells.push(ended.map(|ended| ended.at.rfc3339()).unwrap_or_default());
    cells.push(ended.map(|ended| ended.reason.clone()).unwrap_or_default());
    cells.push(ended.map(|ended| ended.by.clone()).unwrap_or_default());
    cells
}

/// Named as the API names them.
pub(super) fn as_json(row: &Row) -> Value {
    let ended = row.ended.as_ref();
    json!({
        "id": row.id,
        "device": row.device,
        "address": row.address,
        "started_at": row.started_at.rfc3339(),
        "last_seen_at": row.last_seen_at.rfc3339(),
        "expires_at": row.expires_at.rfc3339(),
        "ended_at": ended.map(|ended| ended.at.rfc3339()),
        "ended_reason": ended.map(|ended| ended.reason.clone()),
        "ended_by": ended.map(|ended| ended.by.clone()),
    })
}
