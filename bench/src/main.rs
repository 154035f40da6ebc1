//! Load and comparison harness: measures the real server beside floors, taken in turn, and prints a table.

mod against;
mod answer;
mod bare;
mod breached;
mod child;
mod cluster;
mod failure;
mod figures;
mod floor;
mod guards;
mod load;
mod login;
mod logout;
mod million;
mod nodes;
mod open_loop;
mod options;
mod place;
mod postgres;
mod profile;
mod requests;
mod scale;
mod seed;
mod signatures;
mod startup;
mod streams;
mod table;
mod turns;
mod verify;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::{Outcome, fail};
use crate::options::{Options, Role, Section};
use crate::place::Place;
use crate::table::Report;

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.role {
        Some(Role::Floor { answer, port }) => floor::serve(answer, *port),
        Some(Role::BareStore { folder, skip, count }) => bare::store(folder, *skip, *count),
        Some(Role::BareHash { threads, seconds }) => bare::hash(*threads, *seconds),
        Some(Role::BreachedList { list, count }) => breached::ask(list, *count),
        None => measure(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The generator gets half of the processors; the server and the floor may use all of them.
fn measure(options: &Options) -> Outcome<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads((threads() / 2).max(1)).enable_all().build()?;
    runtime.block_on(async {
        let mut terminated = signal(SignalKind::terminate())?;
        let mut interrupted = signal(SignalKind::interrupt())?;
        // Given up here, servers are stopped and folders removed on the way out.
        tokio::select! {
            done = measure_all(options) => done,
            _ = terminated.recv() => fail("terminated"),
            _ = interrupted.recv() => fail("interrupted"),
        }
    })
}

/// Processors that this process may use.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

async fn measure_all(options: &Options) -> Outcome<()> {
    let place = Place::prepare(options)?;
    let mut report = Report::begin(options);
    for section in options.sections() {
        say(&format!("{section:?} …"));
        match section {
            Section::Verify => verify::measure(&place, &mut report).await?,
            Section::Profile => profile::measure(&place, &mut report).await?,
            Section::Logout => logout::measure(&place, &mut report).await?,
            Section::Login => login::measure(&place, &mut report).await?,
            Section::Startup => startup::measure(&place, &mut report).await?,
            Section::Cluster => cluster::measure(&place, &mut report).await?,
            Section::Guards => guards::measure(&place, &mut report).await?,
            Section::Streams => streams::measure(&place, &mut report).await?,
            Section::Breached => breached::measure(&place, &mut report)?,
            Section::Signatures => signatures::measure(&place, &mut report)?,
            Section::Scale => scale::measure(&place, &mut report).await?,
        }
    }
    write!(std::io::stdout(), "{}", report.markdown())?;
    report.write_json(&place.target.join("bench/last.json"))
}

/// A line about what is going on, on standard error.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "bench: {line}");
}
