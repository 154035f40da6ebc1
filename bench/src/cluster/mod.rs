//! Nodes on PostgreSQL: one logout at a time, a steady load, and a node that is stopped or killed under it.

mod alone;
mod faults;
mod steady;

use crate::failure::Outcome;
use crate::nodes::{Cluster, Sessions};
use crate::place::Place;
use crate::postgres::Postgres;
use crate::table::Report;

/// Nodes of the cluster that is judged.
const SEVERAL: usize = 3;
/// Sessions that are checked.
const STAYING: usize = 3_000;

/// How much of everything is done.
#[derive(Clone, Copy)]
pub(crate) struct Amounts {
    /// Logouts in a round of one client.
    pub(crate) alone: usize,
    /// Seconds of a round of the floor.
    pub(crate) floor: u64,
    /// Seconds of the steady load.
    pub(crate) steady: u64,
    /// Seconds of a load that a fault falls into.
    pub(crate) fault: u64,
}

/// Measures all of it.
pub(crate) async fn measure(place: &Place, report: &mut Report) -> Outcome<()> {
    let postgres = Postgres::start(&place.folder("postgres")?)?;
    postgres.prepare_floor()?;
    let amounts = place.amounts.cluster;
    let alone = (place.amounts.rounds + 1) * amounts.alone;
    let seconds = usize::try_from(amounts.steady + 2 * amounts.fault)?;
    let (mut single, mut several) = (Vec::new(), Vec::new());
    for (build, number) in place.builds.iter().zip(0..) {
        let url = postgres.create(&format!("one_{number}"))?;
        let sessions = Sessions { ending: alone, staying: STAYING };
        single.push(Cluster::start(place, build, (&url, 1, &[]), sessions).await?);
        let url = postgres.create(&format!("several_{number}"))?;
        let sessions = Sessions { ending: alone + seconds * steady::LOGOUTS, staying: STAYING };
        several.push(Cluster::start(place, build, (&url, SEVERAL, &[]), sessions).await?);
    }
    alone::measure(place, report, (&postgres, &mut single, &mut several)).await?;
    drop(single);
    for (build, nodes) in place.builds.iter().zip(&mut several) {
        steady::measure((place, build), report, nodes).await?;
        faults::measure((place, build), report, nodes).await?;
    }
    Ok(())
}
