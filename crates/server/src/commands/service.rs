//! `cerrojo service`.

use cerrojo_app::services::{self, AddError};
use cerrojo_store::services::Service as Row;
use serde_json::{Value, json};

use crate::cli::{Consent, Service, Shape};
use crate::config::Configuration;
use crate::failure::Failure;
use crate::{ask, open, out};

pub(crate) async fn run(command: Service, configuration: &Configuration) -> Result<(), Failure> {
    match command {
        Service::Add { name } => add(configuration, &name).await,
        Service::List { shape } => list(configuration, shape).await,
        Service::Remove { name, consent } => remove(configuration, &name, consent).await,
    }
}

/// The secret alone goes to standard output, so that it can be put where it belongs without being seen.
async fn add(configuration: &Configuration, name: &str) -> Result<(), Failure> {
    let opened = open::to_change(configuration, "cerrojo service add").await?;
    let secret = services::add(&opened.app, name).await.map_err(|error| match error {
        AddError::Name => Failure::usage(
            "a service's name has 1 to 64 letters, digits, dots, underscores and hyphens, no hyphen first",
        ),
        AddError::Taken => {
            Failure::new(format!("there is a service {name} already: remove it first if it needs another secret"))
        }
        AddError::Trouble(trouble) => trouble.into(),
    })?;
    out::note(&format!("added the service {name}; its secret, which is not shown again:"));
    out::line(&secret);
    opened.close().await;
    Ok(())
}

async fn list(configuration: &Configuration, shape: Shape) -> Result<(), Failure> {
    let read = open::to_read(configuration, "cerrojo service list").await?;
    let rows = services::all(&read.store).await?;
    if shape.json {
        out::line(&super::json(&rows.iter().map(as_json).collect()));
    } else {
        let rows: Vec<_> = rows.iter().map(|row| vec![row.name.clone(), row.created_at.rfc3339()]).collect();
        out::table(&["NAME", "ADDED"], &rows);
    }
    read.close().await;
    Ok(())
}

async fn remove(configuration: &Configuration, name: &str, consent: Consent) -> Result<(), Failure> {
    let shown = out::tame(name);
    ask::consent(
        consent,
        &format!("The service {shown} will be answered nothing more; its guards refuse everything."),
    )?;
    let opened = open::to_change(configuration, "cerrojo service remove").await?;
    if !services::remove(&opened.app, name).await? {
        return Err(Failure::new(format!("there is no service {shown}: `cerrojo service list` shows them")));
    }
    out::line(&format!("removed the service {shown}; a running server ends its streams within a second or so"));
    opened.close().await;
    Ok(())
}

fn as_json(row: &Row) -> Value {
    json!({ "name": row.name, "created_at": row.created_at.rfc3339() })
}
