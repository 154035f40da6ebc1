//! A steady load over all nodes: how long logouts and checks take from when they were due.

use std::time::Duration;

use crate::failure::{Outcome, fail};
use crate::figures::{Figures, Sample};
use crate::nodes::Cluster;
use crate::open_loop::{Arrival, Arrivals};
use crate::place::{Build, Place};
use crate::say;
use crate::table::{Report, Target};

/// Logouts a second.
pub(super) const LOGOUTS: usize = 100;
/// Checks a second.
const CHECKS: u32 = 1_000;

/// What arrived.
pub(super) struct Answered {
    pub(super) logouts: Vec<Arrival>,
    pub(super) checks: Vec<Arrival>,
}

/// Measures it.
pub(super) async fn measure((place, build): (&Place, &Build), report: &mut Report, nodes: &mut Cluster) -> Outcome<()> {
    let time = Duration::from_secs(place.amounts.cluster.steady);
    say(&format!("cluster, {LOGOUTS} logouts and {CHECKS} checks a second for {time:?} …"));
    let (logouts, checks) = arrivals(nodes, time)?;
    let servers = nodes.servers();
    let (logouts, checks) = tokio::join!(servers.ask(&logouts), servers.ask(&checks));
    let logouts = figures(time, &logouts?)?;
    let checks = figures(time, &checks?)?;
    report.add("three nodes: logouts, 100 a second", build, (&[logouts], None));
    report.add("three nodes: checks, 1,000 a second meanwhile", build, (&[checks], None));
    let p99 = |figures: Figures| Target::below(100.0).of_value("ms", figures.p99 / 1e3);
    report.judge("three nodes, steady load: p99 of logouts", build, p99(logouts));
    report.judge("three nodes, steady load: p99 of checks", build, p99(checks));
    Ok(())
}

/// Logouts and checks for so long.
pub(super) fn arrivals(nodes: &mut Cluster, time: Duration) -> Outcome<(Arrivals, Arrivals)> {
    let first = nodes.take(LOGOUTS * usize::try_from(time.as_secs())?)?;
    let logouts = Arrivals { requests: nodes.logouts.clone(), first, rate: u32::try_from(LOGOUTS)?, time };
    let checks = Arrivals { requests: nodes.checks.clone(), first: 0, rate: CHECKS, time };
    Ok((logouts, checks))
}

/// What was not answered with 200 is not fast.
fn figures(time: Duration, arrivals: &[Arrival]) -> Outcome<Figures> {
    if let Some(other) = arrivals.iter().find(|arrival| arrival.status != Some(200)) {
        return fail(format!("an answer was {:?} where 200 was due", other.status));
    }
    Ok(Sample::new(time, arrivals.iter().map(|arrival| arrival.took).collect()).figures(Duration::ZERO))
}
