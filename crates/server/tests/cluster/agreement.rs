//! Nodes with different settings, which ends sessions for all by the time of one, or leaves a logout at the wrong node undone.

use crate::cluster;

const STATUS: &[&str] = &["cluster", "status"];
const OTHER: usize = 1;

pub(crate) fn is_looked_at() {
    let mut cluster = cluster(&[]);
    let (succeeded, said) = cluster.nodes[0].run(STATUS);
    assert!(succeeded && said.contains("same") && !said.contains("differ"), "{said}");
    let node = &mut cluster.nodes[OTHER];
    node.stop();
    node.set("CERROJO_SESSION__IDLE_TIMEOUT", "30m");
    node.launch();
    node.wait_until_ready();
    let address = node.address.to_string();
    let (succeeded, said) = cluster.nodes[0].run(STATUS);
    assert!(!succeeded && said.contains("nodes differ in session.idle_timeout"), "{said}");
    for line in said.lines().filter(|line| line.contains(":4000")) {
        assert_eq!(line.contains("session.idle_timeout"), line.contains(&address), "{said}");
    }
    // Readiness comes after the first look at the leases, and a status takes longer than the beat of the others.
    for (number, node) in cluster.nodes.iter().enumerate() {
        let said = node.said();
        let warnings = said.lines().filter(|line| line.contains("another node has other settings")).count();
        assert_eq!(warnings, if number == OTHER { 2 } else { 1 }, "{said}");
    }
}
