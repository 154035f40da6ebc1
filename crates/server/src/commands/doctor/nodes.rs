//! The nodes of an installation on PostgreSQL: alive, of one release, of one mind, and with connections enough.

use std::collections::BTreeSet;

use cerrojo_store::{Store, look};

use super::{Finding, Patient};
use crate::commands::cluster::{self, Node};
use crate::config::Database;

const CHECK: &str = "nodes";
/// Connections of a node for leases and the log.
const CONTROL: u64 = 6;
/// What commands and the database's own tools take beside nodes.
const OTHERS: u64 = 4;

pub(super) async fn look(patient: &Patient, store: &Store) -> Vec<Finding> {
    let nodes = match cluster::watch(store).await {
        Ok(nodes) => nodes,
        Err(failure) => return vec![Finding::failed(CHECK, &failure)],
    };
    let mut found = vec![alive(&nodes)];
    found.extend(of_one_mind(&nodes));
    found.extend(of_one_release(&nodes));
    if let Database::Postgres(url) = &patient.configuration.database
        && let Ok(server) = look::at(&url.text).await
    {
        let most = u64::try_from(server.connections).unwrap_or(0);
        found.push(connections(nodes.len().max(1) as u64, url.connections.into(), most));
    }
    found
}

fn alive(nodes: &[Node]) -> Finding {
    let of = |state: &'static str| nodes.iter().filter(move |node| node.state == state);
    let names = |nodes: Vec<&Node>| nodes.iter().map(|node| node.lease.about.clone()).collect::<Vec<_>>().join(", ");
    let (silent, behind): (Vec<_>, Vec<_>) = (of("silent").collect(), of("behind").collect());
    if nodes.is_empty() {
        return Finding::skipped(CHECK, "none runs: `cerrojo serve`, or systemctl start cerrojo");
    }
    if !silent.is_empty() {
        return Finding::problem(
            CHECK,
            format!("these have not renewed their lease for a second: {}", names(silent)),
            "`cerrojo cluster status`; look whether they reach the database (docs/OPERATIONS.md, «When a node is not ready»)",
        );
    }
    if !behind.is_empty() {
        return Finding::warning(
            CHECK,
            format!("these are behind, and every logout waits for them: {}", names(behind)),
            "`cerrojo cluster status`; look at their processors and their way to the database (docs/OPERATIONS.md, «When a node is behind»)",
        );
    }
    Finding::ok(CHECK, format!("{} alive and current: {}", nodes.len(), names(nodes.iter().collect())))
}

fn of_one_mind(nodes: &[Node]) -> Option<Finding> {
    const CHECK: &str = "nodes agree";
    let differing: BTreeSet<&str> = nodes.iter().flat_map(|node| &node.differs).map(String::as_str).collect();
    let all = Vec::from_iter(differing).join(", ");
    match (nodes.len(), all.is_empty()) {
        (0 | 1, _) => None,
        (_, true) => Some(Finding::ok(CHECK, "they have the same settings")),
        (_, false) => Some(Finding::problem(
            CHECK,
            format!("they differ in {all}"),
            "give every node the same settings (`cerrojo config show` on each), one after the other",
        )),
    }
}

/// A node's release is the last word of what it says of itself.
fn of_one_release(nodes: &[Node]) -> Option<Finding> {
    const CHECK: &str = "releases";
    let release = |node: &Node| node.lease.about.rsplit(' ').next().unwrap_or_default().to_owned();
    let mut releases: BTreeSet<String> = nodes.iter().map(release).collect();
    releases.insert(env!("CARGO_PKG_VERSION").to_owned());
    let all = releases.iter().cloned().collect::<Vec<_>>().join(", ");
    match (nodes.is_empty(), releases.len()) {
        (true, _) => None,
        (_, 1) => Some(Finding::ok(CHECK, format!("all nodes and this program are of {all}"))),
        _ => Some(Finding::warning(
            CHECK,
            format!("nodes and this program are of {all}"),
            "finish the upgrade, one node after the other (docs/OPERATIONS.md, «Upgrades»)",
        )),
    }
}

fn connections(nodes: u64, each: u64, most: u64) -> Finding {
    const CHECK: &str = "connections";
    let wanted = nodes.saturating_mul(each.saturating_add(CONTROL)).saturating_add(OTHERS);
    let says = format!("{nodes} nodes with database.connections = {each} take up to {wanted} of the database's {most}");
    if wanted > most {
        let remedy = "lower database.connections, or raise max_connections (and limits of the role or the database) and restart PostgreSQL";
        return Finding::problem(CHECK, says, remedy);
    }
    Finding::ok(CHECK, says)
}

#[cfg(test)]
mod tests {
    use cerrojo_store::leases::Lease;

    use super::super::finding::Level;
    use super::*;

    fn node(about: &str, state: &'static str, differs: &[&str]) -> Node {
        let lease = Lease {
            node: about.to_owned(),
            turn: 1,
            applied: 1,
            about: format!("{about} 10.0.0.1:4000 {}", env!("CARGO_PKG_VERSION")),
            settings: String::new(),
        };
        Node { lease, state, lag: 0, differs: differs.iter().map(|&name| name.to_owned()).collect() }
    }

    #[test]
    fn nodes_that_are_silent_behind_or_of_another_mind_are_named() {
        let silent = alive(&[node("a", "current", &[]), node("b", "silent", &[])]);
        assert!(silent.level == Level::Problem && silent.says.contains("b 10.0.0.1:4000"), "{silent:?}");
        assert_eq!(alive(&[node("a", "behind", &[])]).level, Level::Warning);
        assert_eq!(alive(&[]).level, Level::Skipped);
        let both = [node("a", "current", &[]), node("b", "current", &["token.audience"])];
        let found = of_one_mind(&both);
        assert!(found.is_some_and(|found| found.says == "they differ in token.audience"));
        assert_eq!(of_one_release(&both).map(|found| found.level), Some(Level::Ok));
    }

    #[test]
    fn connections_of_all_nodes_together_count() {
        assert_eq!(connections(3, 16, 97).level, Level::Ok);
        let many = connections(5, 16, 97);
        assert!(many.level == Level::Problem && many.says.contains("up to 114 of the database's 97"), "{many:?}");
    }
}
