//! Breaks things for as long as it is told to and prints what the judge says. `bench/chaos --help` lists the options.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command prints")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use cerrojo_chaos::cluster::{Cluster, Options};
use cerrojo_chaos::faults::{Fault, lose, strike, strike_for};
use cerrojo_chaos::load::{Load, Rate};
use cerrojo_chaos::node::Cut;
use cerrojo_chaos::verdict::{Limits, Verdict};
use cerrojo_chaos::{moment, world};
use cerrojo_domain::Random;
use cerrojo_testkit::SeededRandom;
use clap::Parser;

/// Runs real nodes on a real PostgreSQL server under load and breaks things at random.
#[derive(Parser)]
struct Arguments {
    /// The binary `cerrojo`.
    #[arg(long)]
    program: PathBuf,
    /// How long things are broken.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Chooses the faults and whatever else is chosen at random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many nodes.
    #[arg(long, default_value_t = 3)]
    nodes: u8,
    /// Checks a second that are tried at each node.
    #[arg(long, default_value_t = 300)]
    rate: u32,
    /// Standbys are synchronous and the nodes are told so: a failover loses nothing.
    #[arg(long)]
    synchronous: bool,
}

/// Every so many rounds the database goes back, or fails over.
const ROUNDS: u32 = 6;

/// How it does.
const LOSSES: [&[Fault]; 5] = [
    &[Fault::PutBack],
    &[Fault::PutBackWhileStopped],
    &[Fault::FailOver],
    &[Fault::Pause(1), Fault::PutBack],
    &[Fault::Cut(0, Cut::Both), Fault::FailOver],
];
const WITHOUT_LOSS: [&[Fault]; 3] =
    [&[Fault::FailOverWithoutLoss], &[Fault::FailOverBeside(0)], &[Fault::Pause(1), Fault::FailOverWithoutLoss]];

fn one_of<'a>(of: &[&'a [Fault]], random: &dyn Random) -> &'a [Fault] {
    let number = usize::try_from(random.below(of.len() as u64)).unwrap_or_default();
    of.get(number).copied().unwrap_or_default()
}

/// Most faults end when leases do, where a mistake would show.
fn time(random: &dyn Random) -> Duration {
    let (from, width) = if random.below(3) > 0 { (1500, 1500) } else { (200, 5000) };
    Duration::from_millis(from + random.below(width))
}

fn main() -> ExitCode {
    world::enter();
    let arguments = Arguments::parse();
    let settings: &[_] = if arguments.synchronous { &[("CERROJO_DATABASE__FAILOVER", "synchronous")] } else { &[] };
    let options = Options { program: &arguments.program, nodes: arguments.nodes, settings, database: "" };
    let mut cluster = Cluster::start(options);
    let rate = Rate {
        checks: Duration::from_secs(1) / arguments.rate.max(1),
        rounds: Duration::from_millis(20),
        seed: arguments.seed,
    };
    let load = Load::start(&cluster.addresses(), rate);
    let random = SeededRandom::new(arguments.seed);
    let until =
        moment::after(Duration::from_mins(1).saturating_mul(u32::try_from(arguments.minutes).unwrap_or(u32::MAX)));
    let mut disturbances = Vec::new();
    let mut rounds = 0;
    while moment::now() < until {
        rounds += 1;
        let struck = if rounds % ROUNDS > 0 {
            let faults = Fault::some(cluster.nodes.len(), &random);
            vec![strike_for(time(&random), &faults, (&mut cluster, &load))]
        } else if arguments.synchronous {
            cluster.keep_synchronous_standby();
            vec![strike(one_of(&WITHOUT_LOSS, &random), &mut cluster, &load)]
        } else {
            lose(one_of(&LOSSES, &random), &mut cluster, &load)
        };
        for one in &struck {
            eprintln!("{one}");
        }
        disturbances.extend(struck);
        std::thread::sleep(Duration::from_secs(1));
    }
    let verdict = Verdict::of(&load.stop(), &disturbances);
    println!("{verdict}");
    if verdict.holds(Limits::PROMISED) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
