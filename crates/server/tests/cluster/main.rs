//! Several real nodes on a real PostgreSQL server, and what becomes of the guarantee when things break.

#![cfg(test)]
#![expect(clippy::print_stdout, reason = "this is its own harness")]

use std::path::Path;
use std::time::Duration;

use cerrojo_chaos::cluster::{Cluster, Options};
use cerrojo_chaos::faults::{Fault, strike};
use cerrojo_chaos::load::{Load, Rate};
use cerrojo_chaos::verdict::Verdict;
use cerrojo_chaos::world;

fn main() {
    world::enter();
    let program = Path::new(env!("CARGO_BIN_EXE_cerrojo"));
    let mut cluster = Cluster::start(Options { program, nodes: 3, settings: &[] });
    let rate = Rate { checks: Duration::from_millis(3), rounds: Duration::from_millis(50), seed: 1 };
    let load = Load::start(&cluster.addresses(), rate);
    let mut disturbances = Vec::new();
    for fault in Fault::all(3) {
        let d = strike(&[fault], &mut cluster, &load);
        println!(
            "{} {:?}",
            d,
            d.served.iter().map(|s| s.map(|s| (s.saturating_sub(d.healed)) / 1_000_000)).collect::<Vec<_>>()
        );
        disturbances.push(d);
        std::thread::sleep(Duration::from_secs(1));
    }
    let record = load.stop();
    println!("{}", Verdict::of(&record, &disturbances));
    for node in &cluster.nodes {
        std::fs::write(format!("/tmp/chaos-node-{}.log", node.address.ip()), node.said()).unwrap();
    }
}
