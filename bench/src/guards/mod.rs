//! Guards that follow: how long after a logout's answer each of them has heard of it, and what telling them costs.

mod stream;

use std::sync::Arc;
use std::time::Duration;

use crate::failure::{Outcome, fail};
use crate::figures::{Sample, real};
use crate::load::elapsed;
use crate::nodes::{Cluster, Sessions};
use crate::open_loop::{Arrival, Arrivals};
use crate::place::{Build, Place};
use crate::postgres::Postgres;
use crate::say;
use crate::table::{Report, Target};
use stream::Heard;

/// Guards, spread over the nodes.
const GUARDS: usize = 50;
/// Endings a second.
const ENDINGS: usize = 1_000;
/// Whatever has not arrived by then is missing.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether everything has.
const LOOK: Duration = Duration::from_millis(50);
/// All guards here come from one address and have no credentials.
const SETTINGS: [(&str, &str); 1] = [("CERROJO_GUARDS__ANONYMOUS_PER_ADDRESS", "1000")];

/// The rows of the tables: what logouts took, the delays, the time of processors, the bytes.
struct Rows {
    nodes: usize,
    logouts: &'static str,
    p50: &'static str,
    p99: &'static str,
    cpu: &'static str,
    bytes: &'static str,
}

const ROWS: [Rows; 2] = [
    Rows {
        nodes: 1,
        logouts: "one node: logouts, 1,000 a second, 50 guards",
        p50: "one node, 50 guards: p50 from a logout's answer to a guard",
        p99: "one node, 50 guards: p99 from a logout's answer to a guard",
        cpu: "one node, 50 guards: processors, beside none",
        bytes: "one node, 50 guards: sent to each",
    },
    Rows {
        nodes: 3,
        logouts: "three nodes: logouts, 1,000 a second, 50 guards",
        p50: "three nodes, 50 guards: p50 from a logout's answer to a guard",
        p99: "three nodes, 50 guards: p99 from a logout's answer to a guard",
        cpu: "three nodes, 50 guards: processors, beside none",
        bytes: "three nodes, 50 guards: sent to each",
    },
];

/// Measures it for one node and for three.
pub(crate) async fn measure(place: &Place, report: &mut Report) -> Outcome<()> {
    let postgres = Postgres::start(&place.folder("postgres")?)?;
    let time = Duration::from_secs(place.amounts.guards);
    let ending = 2 * ENDINGS * usize::try_from(place.amounts.guards)?;
    for (build, number) in place.builds.iter().zip(0..) {
        for rows in &ROWS {
            say(&format!("guards, nodes: {} …", rows.nodes));
            let url = postgres.create(&format!("guards_{number}_{}", rows.nodes))?;
            let sessions = Sessions { ending, staying: 10 };
            let mut nodes = Cluster::start(place, build, (&url, rows.nodes, &SETTINGS), sessions).await?;
            follow(build, report, (rows, &mut nodes, time)).await?;
        }
    }
    Ok(())
}

async fn follow(
    build: &Build,
    report: &mut Report,
    (rows, nodes, time): (&Rows, &mut Cluster, Duration),
) -> Outcome<()> {
    let (_, alone) = end(nodes, time).await?;
    let heard = Heard::of(&nodes.logouts, nodes.next)?;
    let mut streams = Vec::with_capacity(GUARDS);
    for number in 0..GUARDS {
        streams.push(stream::follow(nodes.node(number)?.address, number, &heard).await?);
    }
    let before = heard.bytes();
    let (logouts, followed) = end(nodes, time).await?;
    let delays = delays(&heard, &logouts).await?;
    let bytes = real(heard.bytes() - before) / real(GUARDS) / time.as_secs_f64() / 1024.0;
    streams.iter().for_each(tokio::task::JoinHandle::abort);
    let took = Sample::new(time, logouts.iter().map(|arrival| arrival.took).collect());
    report.add(rows.logouts, build, (&[took.figures(followed)], None));
    let millis = |hundredths| delays.percentile(hundredths) / 1e3;
    report.judge(rows.p50, build, Target::none().of_value("ms", millis(50)));
    report.judge(rows.p99, build, Target::below(100.0).of_value("ms", millis(99)));
    let percent = |used: Duration| 100.0 * used.as_secs_f64() / time.as_secs_f64();
    report.judge(rows.cpu, build, Target::none().beside("%", percent(followed), percent(alone)));
    report.judge(rows.bytes, build, Target::none().of_value("KiB/s", bytes));
    Ok(())
}

/// Logs out at that rate; what became of it, and the processor time of all nodes.
async fn end(nodes: &mut Cluster, time: Duration) -> Outcome<(Vec<Arrival>, Duration)> {
    let first = nodes.take(ENDINGS * usize::try_from(time.as_secs())?)?;
    let arrivals = Arrivals { requests: nodes.logouts.clone(), first, rate: u32::try_from(ENDINGS)?, time };
    let before: Vec<_> = nodes.nodes.iter().map(crate::child::Child::cpu).collect::<Outcome<_>>()?;
    let answered = nodes.servers().ask(&arrivals).await?;
    let mut used = Duration::ZERO;
    for (node, before) in nodes.nodes.iter().zip(&before) {
        used += node.cpu()?.since(before);
    }
    if let Some(other) = answered.iter().find(|arrival| arrival.status != Some(200)) {
        return fail(format!("a logout was {:?}", other.status));
    }
    Ok((answered, used))
}

/// From each logout's answer to each guard; nothing where the guard heard of it before.
async fn delays(heard: &Arc<Heard>, logouts: &[Arrival]) -> Outcome<Sample> {
    let start = elapsed();
    while heard.count() < logouts.len() * GUARDS {
        if elapsed().saturating_sub(start) > PATIENCE {
            return fail(format!("guards heard {} times of {} logouts", heard.count(), logouts.len()));
        }
        tokio::time::sleep(LOOK).await;
    }
    let mut delays = Vec::with_capacity(logouts.len() * GUARDS);
    for logout in logouts {
        let answered = logout.answered_at();
        delays.extend((0..GUARDS).filter_map(|guard| Some(heard.at(guard, logout.turn)?.saturating_sub(answered))));
    }
    Ok(Sample::new(elapsed().saturating_sub(start), delays))
}
