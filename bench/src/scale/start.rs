//! Start-up and memory of one node.

use std::time::Duration;

use super::Site;
use crate::child::Child;
use crate::failure::Outcome;
use crate::figures::median;
use crate::place::{Build, Place};
use crate::postgres::Postgres;
use crate::seed::MASTER_KEY;
use crate::table::{Report, Target};

/// What a start allocates for itself alone is given back by then, and the log is in the bitmaps.
const SETTLE: Duration = Duration::from_secs(3);

/// Memory of a node on a new database, in MiB.
pub(super) async fn empty(place: &Place, build: &Build, postgres: &Postgres) -> Outcome<f64> {
    let url = postgres.create("nothing")?;
    let mut memory = Vec::new();
    let first = place.folder("node")?;
    for round in 0..place.amounts.rounds {
        let folder = if round == 0 { first.clone() } else { place.folder("node")? };
        if round > 0 {
            std::fs::copy(first.join(MASTER_KEY), folder.join(MASTER_KEY))?;
        }
        let node = Child::node(build, (&folder, &url, &[]), &[]).await?;
        tokio::time::sleep(SETTLE).await;
        memory.push(node.resident()?);
        node.stop().await?;
    }
    Ok(median(memory))
}

/// The same on the filled one, and how long it takes until a check is answered there.
pub(super) async fn measure(site: &Site<'_>, report: &mut Report, empty: f64) -> Outcome<()> {
    let (mut ready, mut memory) = (Vec::new(), Vec::new());
    // The first finds what it reads in nobody's cache, and does not count.
    for round in 0..=site.place.amounts.rounds {
        site.put_snapshot_back()?;
        let node = site.node().await?;
        tokio::time::sleep(SETTLE).await;
        if round > 0 {
            ready.push(node.ready_after.as_secs_f64());
            memory.push(node.resident()?);
        }
        node.stop().await?;
    }
    let (ready, memory) = (median(ready), median(memory));
    report.judge("start-up: ready and a check answered", site.build, Target::below(3.0).of_value("s", ready));
    report.judge("memory of a node, beside an empty one's", site.build, Target::none().beside("MiB", memory, empty));
    let more = Target::at_most(40.0).of_value("MiB", memory - empty);
    report.judge("memory of a node beyond an empty one's", site.build, more);
    Ok(())
}
