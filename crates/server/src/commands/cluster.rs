//! `cerrojo cluster`.

use std::collections::BTreeSet;
use std::time::Duration;

use cerrojo_app::agreement;
use cerrojo_store::leases::{self, Lease};
use cerrojo_store::{Store, log};
use serde_json::json;

use crate::cli::Shape;
use crate::config::{Configuration, Database};
use crate::failure::Failure;
use crate::{open, out};

/// Longer than a node takes from one renewal of its lease to the next.
const LOOK: Duration = Duration::from_millis(1200);

/// A node as it was seen.
pub(super) struct Node {
    pub(super) lease: Lease,
    /// `current`, `behind` or `silent`.
    pub(super) state: &'static str,
    pub(super) lag: i64,
    /// Settings in which it differs from most of the others.
    pub(super) differs: Vec<String>,
}

pub(crate) async fn status(configuration: &Configuration, shape: Shape) -> Result<(), Failure> {
    if matches!(configuration.database, Database::Sqlite(_)) {
        return Err(Failure::new(
            "there is no cluster: SQLite has one server at a time; set database.url to a postgres:// URL for several nodes",
        ));
    }
    let read = open::to_read(configuration, "cerrojo cluster status").await?;
    let nodes = watch(&read.store).await?;
    read.close().await;
    show(&nodes, shape);
    let differing: BTreeSet<&str> = nodes.iter().flat_map(|node| &node.differs).map(String::as_str).collect();
    match nodes.iter().filter(|node| node.state != "current").count() {
        _ if nodes.is_empty() => Err(Failure::new("no node holds a lease: no server of this installation is running")),
        0 if differing.is_empty() => Ok(()),
        0 => Err(Failure::new(format!(
            "nodes differ in {}: give every node the same settings (`cerrojo config show` on each)",
            Vec::from_iter(differing).join(", ")
        ))),
        few => Err(Failure::new(format!("{few} of {} nodes are not current", nodes.len()))),
    }
}

/// Looks at the leases twice.
pub(super) async fn watch(store: &Store) -> Result<Vec<Node>, Failure> {
    let before = leases::all(&mut store.reader()).await?;
    // Where the head is now, every current node has been by the time of the second look.
    let head = log::head(&mut store.reader()).await?.number;
    if !before.is_empty() {
        out::note("watching the nodes for a second …");
        tokio::time::sleep(LOOK).await;
    }
    let now = leases::all(&mut store.reader()).await?;
    let said: Vec<&str> = now.iter().map(|lease| lease.settings.as_str()).collect();
    let differing = agreement::differing(&said);
    let nodes = now
        .into_iter()
        .zip(differing)
        .map(|(lease, differs)| {
            let turned = before.iter().find(|was| was.node == lease.node).is_none_or(|was| was.turn != lease.turn);
            let lag = head.saturating_sub(lease.applied).max(0);
            let state = if !turned {
                "silent"
            } else if lag > 0 {
                "behind"
            } else {
                "current"
            };
            Node { lease, state, lag, differs }
        })
        .collect();
    Ok(nodes)
}

fn show(nodes: &[Node], shape: Shape) {
    if shape.json {
        let rows = nodes.iter().map(|Node { lease, state, lag, differs }| {
            json!({
                "node": lease.node, "about": lease.about, "state": state, "applied": lease.applied, "lag": lag,
                "differs": differs,
            })
        });
        return out::line(&super::json(&rows.collect()));
    }
    let row = |Node { lease, state, lag, differs }: &Node| {
        let about = out::tame(&lease.about);
        let settings = if differs.is_empty() { "same".to_owned() } else { out::tame(&differs.join(", ")) };
        vec![lease.node.clone(), about, (*state).to_owned(), lease.applied.to_string(), lag.to_string(), settings]
    };
    if !nodes.is_empty() {
        let head = ["NODE", "MACHINE, ADDRESS, VERSION", "STATE", "APPLIED", "LAG", "SETTINGS"];
        out::table(&head, &nodes.iter().map(row).collect::<Vec<_>>());
    }
}
