//! A node that stands still, and one that is killed, under load: how long nobody can log out, and what checks at the other
//! nodes see of it.

use std::time::Duration;

use rustix::process::Signal;

use super::SEVERAL;
use super::steady::{self, Answered};
use crate::failure::{Failure, Outcome};
use crate::figures::real;
use crate::load::elapsed;
use crate::nodes::Cluster;
use crate::open_loop::Arrival;
use crate::place::{Build, Place};
use crate::say;
use crate::table::{Report, Target};

/// The load before the fault.
const BEFORE: Duration = Duration::from_secs(2);
/// The node that it befalls.
const VICTIM: usize = SEVERAL - 1;

/// Measures both. The node that is killed goes last.
pub(super) async fn measure((place, build): (&Place, &Build), report: &mut Report, nodes: &mut Cluster) -> Outcome<()> {
    let faults = [
        (
            Signal::STOP,
            "a node stopped: longest time without a logout",
            "a node stopped: checks elsewhere answered 200",
        ),
        (Signal::KILL, "a node killed: longest time without a logout", "a node killed: checks elsewhere answered 200"),
    ];
    for (signal, gap, share) in faults {
        say(&format!("cluster, {gap} …"));
        let (at, answered) = under(signal, place, nodes).await?;
        report.judge(gap, build, Target::at_most(3.0).of_value("s", longest_gap(&answered.logouts, at).as_secs_f64()));
        report.judge(share, build, Target::at_least(99.9).of_value("%", 100.0 * share_of_200(&answered.checks, at)));
    }
    Ok(())
}

/// When the signal was sent, and what was answered.
async fn under(signal: Signal, place: &Place, nodes: &mut Cluster) -> Outcome<(Duration, Answered)> {
    let time = Duration::from_secs(place.amounts.cluster.fault);
    let (logouts, checks) = steady::arrivals(nodes, time)?;
    let servers = nodes.servers();
    let victim = nodes.node(VICTIM)?;
    let fault = async {
        tokio::time::sleep(BEFORE).await;
        victim.signal(signal)?;
        // Whoever asks it now is not counted: a load balancer would take it out as quickly as it can.
        servers.leave_out(VICTIM);
        let at = elapsed();
        tokio::time::sleep(time.saturating_sub(BEFORE)).await;
        if signal == Signal::STOP {
            victim.signal(Signal::CONT)?;
        }
        Ok::<Duration, Failure>(at)
    };
    let (at, logouts, checks) = tokio::join!(fault, servers.ask(&logouts), servers.ask(&checks));
    Ok((at?, Answered { logouts: logouts?, checks: checks? }))
}

/// From the last answer before the fault on.
fn longest_gap(logouts: &[Arrival], fault: Duration) -> Duration {
    let mut answered: Vec<Duration> =
        logouts.iter().filter(|arrival| arrival.status == Some(200)).map(Arrival::answered_at).collect();
    answered.sort_unstable();
    let last_due = logouts.iter().map(|arrival| arrival.due).max().unwrap_or_default();
    answered.push(last_due.max(answered.last().copied().unwrap_or_default()));
    let gaps = answered.iter().zip(answered.iter().skip(1)).filter(|(_, until)| **until > fault);
    gaps.map(|(from, until)| until.saturating_sub(*from)).max().unwrap_or(last_due)
}

fn share_of_200(checks: &[Arrival], fault: Duration) -> f64 {
    let elsewhere = || checks.iter().filter(|arrival| arrival.server != VICTIM && arrival.due >= fault);
    real(elsewhere().filter(|arrival| arrival.status == Some(200)).count()) / real(elsewhere().count().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(due: u64, took: u64, status: Option<u16>) -> Arrival {
        Arrival { turn: 0, due: Duration::from_millis(due), took: Duration::from_millis(took), server: 0, status }
    }

    #[test]
    fn a_gap_ends_with_an_answer_of_200() {
        let logouts = [
            arrival(0, 5, Some(200)),
            arrival(100, 5, Some(503)),
            arrival(200, 300, Some(200)),
            arrival(510, 5, Some(200)),
        ];
        assert_eq!(longest_gap(&logouts, Duration::from_millis(50)), Duration::from_millis(495));
    }

    #[test]
    fn no_answer_at_all_is_a_gap() {
        let logouts = [arrival(0, 5, Some(200)), arrival(1_000, 5, None)];
        assert_eq!(longest_gap(&logouts, Duration::from_millis(50)), Duration::from_millis(995));
    }
}
