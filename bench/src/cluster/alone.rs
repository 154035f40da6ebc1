//! One client that logs out again and again, beside one that updates a row again and again.

use crate::failure::Outcome;
use crate::figures::{Figures, each};
use crate::load::{Load, Order, Until};
use crate::nodes::Cluster;
use crate::place::Place;
use crate::postgres::Postgres;
use crate::say;
use crate::table::{Report, Target};

/// Takes turns: the floor, each cluster.
pub(super) async fn measure(
    place: &Place,
    report: &mut Report,
    (postgres, single, several): (&Postgres, &mut [Cluster], &mut [Cluster]),
) -> Outcome<()> {
    let mut floor = Vec::new();
    let mut ones = vec![Vec::new(); single.len()];
    let mut threes = vec![Vec::new(); several.len()];
    // The first does not count.
    for round in 0..=place.amounts.rounds {
        say(&format!("cluster, one client, round {round} of {} …", place.amounts.rounds));
        let updates = postgres.floor(place.amounts.cluster.floor)?;
        let taken = [take(place, single, round).await?, take(place, several, round).await?];
        if round == 0 {
            continue;
        }
        floor.push(updates);
        for (rounds, taken) in [&mut ones, &mut threes].into_iter().zip(taken) {
            rounds.iter_mut().zip(taken).for_each(|(rounds, figures)| rounds.push(figures));
        }
    }
    let p50 = |rounds: &[Figures]| each(rounds, |figures| figures.p50);
    for ((build, one), three) in place.builds.iter().zip(&ones).zip(&threes) {
        report.add("logout, one client, one node (floor: pgbench)", build, (one, Some(&floor)));
        report.add("logout, one client, three nodes (floor: pgbench)", build, (three, Some(&floor)));
        let judged = Target::none().of_ratio("µs", &p50(one), &p50(&floor));
        report.judge("logout, one node: p50 beside pgbench's update", build, judged);
        let judged = Target::at_most(4.0).of_ratio("µs", &p50(three), &p50(&floor));
        report.judge("logout, three nodes: p50 beside pgbench's update", build, judged);
    }
    Ok(())
}

async fn take(place: &Place, clusters: &mut [Cluster], round: usize) -> Outcome<Vec<Figures>> {
    let mut taken = Vec::new();
    for nodes in clusters {
        let count = place.amounts.cluster.alone;
        let load = Load {
            requests: nodes.logouts.clone(),
            order: Order::InTurn(nodes.take(count)?),
            connections: 1,
            until: Until::Count(count),
            status: 200,
        };
        let node = nodes.node(round)?;
        let before = node.cpu()?;
        let sample = load.run(node.address).await?;
        taken.push(sample.figures(node.cpu()?.since(&before)));
    }
    Ok(taken)
}
