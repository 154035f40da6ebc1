//! `cerrojo key`.

use cerrojo_app::Lease;
use cerrojo_app::keys::{self, KeyRow, Keyring};
use cerrojo_domain::KeyId;
use serde_json::json;

use crate::cli::{Key, Shape};
use crate::config::Configuration;
use crate::failure::Failure;
use crate::open::Node;
use crate::{ask, open, out};

pub(crate) async fn run(command: Key, configuration: &Configuration) -> Result<(), Failure> {
    match command {
        Key::List { shape } => list(configuration, shape).await,
        Key::Rotate => {
            let opened = open::to_change(configuration, "cerrojo key rotate").await?;
            let id = keys::rotate(&opened.app).await?;
            out::note("waiting until every node and every service that follows knows the new key …");
            tokio::time::sleep(keys::RIPENS).await;
            out::line(&format!("key {id} signs from now on; tokens of older keys go on"));
            opened.close().await;
            Ok(())
        }
        Key::Retire { id, consent } => {
            ask::consent(consent, &format!("Nothing that key {} signed will be accepted any more.", out::tame(&id)))?;
            let opened = open::to_change(configuration, "cerrojo key retire").await?;
            let ended = keys::retire(&opened.app, &KeyId::from_text(id.as_str())).await?;
            out::line(&format!("key {} is retired; {ended} sessions are over", out::tame(&id)));
            opened.close().await;
            Ok(())
        }
    }
}

async fn list(configuration: &Configuration, shape: Shape) -> Result<(), Failure> {
    let read = open::to_read(configuration, "cerrojo key list").await?;
    if !Keyring::is_sealed(&read.store).await? {
        return Err(Failure::new("there are no keys yet: the server makes them when it first starts"));
    }
    let about = "cerrojo key list".to_owned();
    let app = open::app(configuration, Node { store: read.store.clone(), lease: Lease::Guest, about }).await?;
    let rows = keys::list(&app).await?;
    if shape.json {
        let rows = rows.iter().map(|row| {
            json!({
                "id": row.id,
                "algorithm": row.algorithm,
                "purpose": row.purpose,
                "created_at": row.created_at.rfc3339(),
                "state": row.state,
            })
        });
        out::line(&super::json(&rows.collect()));
    } else {
        out::table(&["ID", "ALGORITHM", "SIGNS", "MADE", "STATE"], &rows.iter().map(as_row).collect::<Vec<_>>());
    }
    read.close().await;
    Ok(())
}

fn as_row(row: &KeyRow) -> Vec<String> {
    let state = row.state.to_owned();
    vec![row.id.to_string(), row.algorithm.clone(), row.purpose.clone(), row.created_at.rfc3339(), state]
}
