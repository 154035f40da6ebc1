//! Taking the log into bitmaps, so that a node starts quickly however long the log was, and deleting what they cover.

use std::time::Duration;

use cerrojo_store::snapshots;

use crate::{App, Trouble};

/// Entries of so long always stay: a node that was away for less goes on where it was.
const KEPT: Duration = Duration::from_hours(1);
/// Fewer new entries than this are left for a later round: a node reads them in no time.
const FEW: i64 = 500;
/// Rounds of deleting at a time.
const ROUNDS: usize = 50;

/// One round. A running server makes one every minute; of several nodes one does it.
pub async fn take(app: &App) -> Result<(), Trouble> {
    let applied = app.follower.number();
    let covered = snapshots::covered(&mut app.store.control()).await?;
    let before = app.clock.now().minus(KEPT);
    if applied.saturating_sub(covered) < FEW && !snapshots::may_cut(&mut app.store.control(), covered, before).await? {
        return Ok(());
    }
    for _ in 0..ROUNDS {
        if snapshots::take(&app.store, applied, before).await? == 0 {
            return Ok(());
        }
    }
    Ok(())
}
