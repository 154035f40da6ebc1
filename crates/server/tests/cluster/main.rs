//! Several real nodes on a real PostgreSQL server, and what becomes of the guarantee when things break.
//!
//! It has a harness of its own: everything runs in namespaces that have to be made before there is any thread.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is a test"
)]

mod agreement;
mod broken;
mod disk;
mod gone_back;
mod stuck;
mod tls;
mod watchdog;
mod wrong;

use std::panic::catch_unwind;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cerrojo_chaos::client::Client;
use cerrojo_chaos::cluster::{Cluster, Options};
use cerrojo_chaos::history;
use cerrojo_chaos::load::{Load, Rate};
use cerrojo_chaos::record::Record;
use cerrojo_chaos::world;

type Test = (&'static str, fn());

const TESTS: &[Test] = &[
    ("nodes_that_break_do_no_harm", broken::nodes),
    ("a_database_that_breaks_does_no_harm", broken::database),
    ("where_no_word_gets_through_looking_carries_it", broken::words),
    ("a_node_that_stands_still_with_the_head_stops_nobody", stuck::with_the_head),
    ("a_node_that_is_cut_off_with_its_lease_stops_nobody", stuck::with_its_lease),
    ("a_node_that_is_stopped_while_it_starts_leaves_nothing_to_wait_for", stuck::at_its_start),
    ("a_database_put_back_ends_every_session", gone_back::put_back),
    ("a_standby_that_lost_commits_ends_every_session", gone_back::fail_over),
    ("a_synchronous_standby_loses_nothing", gone_back::fail_over_without_loss),
    ("a_node_with_other_settings_is_named", agreement::is_looked_at),
    ("a_database_elsewhere_has_to_show_who_it_is", tls::elsewhere),
    ("a_node_whose_database_is_away_is_not_started_anew", watchdog::while_the_database_is_away),
    ("a_disk_error_at_commit_of_sqlite_ends_the_server", disk::sqlite),
    ("whoever_answers_before_the_others_know_is_convicted", wrong::answers_early),
    ("whoever_does_not_wait_for_leases_is_convicted", wrong::removes_leases),
    ("whoever_forgets_is_convicted", wrong::forgets),
];

/// Most of the time is spent waiting.
const AT_ONCE: usize = 2;

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |(name, _): &&Test| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    let tests: Vec<&Test> = TESTS.iter().filter(is_wanted).collect();
    if std::env::args().any(|argument| argument == "--list") {
        for (name, _) in tests {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    world::enter();
    println!("running {} tests", tests.len());
    let (queue, failed) = (Mutex::new(tests.into_iter()), Mutex::new(0));
    let next = || queue.lock().ok()?.next();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((name, test)) = next() {
                    let is_ok = catch_unwind(test).is_ok();
                    println!("test {name} ... {}", if is_ok { "ok" } else { "FAILED" });
                    *failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += u32::from(!is_ok);
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or(1);
    println!("{failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_cerrojo"))
}

fn cluster(settings: &[(&str, &str)]) -> Cluster {
    Cluster::start(Options { program: program(), nodes: 3, settings, database: "" })
}

fn load(cluster: &Cluster) -> Load {
    let rate = Rate { checks: Duration::from_millis(5), rounds: Duration::from_millis(50), seed: 1 };
    Load::start(&cluster.addresses(), rate)
}

/// Somebody with an account, who waits for as long as a server waits for other nodes.
fn registered(cluster: &Cluster, record: &Arc<Record>, name: &str) -> Client {
    let mut client = Client::new(record, &cluster.addresses(), name).patient();
    client.expect_account(0);
    client
}

/// What the guarantee forbids, of so few calls that their number proves nothing.
fn violations(record: &Record) -> Vec<history::Fault> {
    let faults = history::judge(&record.events());
    faults.into_iter().filter(|fault| !matches!(fault, history::Fault::TooFewAnswers { .. })).collect()
}
