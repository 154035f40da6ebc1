//! Noticing a PostgreSQL database that went back: restored from a copy, or a standby promoted that had lost commits.
//!
//! Four things tell. Each node knows the last entry that it applied; the database records which server it is on, and which
//! history of it; one row says which transaction wrote it; and lists and keys say in which history they were made. All are
//! looked at again in a transaction that holds the log's head row, which only a server that is not in recovery lets anybody
//! have; of many nodes that notice, one ends everything.

use std::time::Duration;

use cerrojo_domain::{Clock, Entry, KeyId, Random};
use cerrojo_store::leases::{self, Imprint};
use cerrojo_store::{EndingTx, Store, StoreError, log, meta, origin, postgres};

use crate::app::StartError;
use crate::follow::{self, Applied};
use crate::put_back::end_everything;
use crate::settings::Failover;
use crate::side_file::{Remembered, SideFile};
use crate::{App, Lease, Trouble, incarnation};

/// Where it is recorded on which server the database is.
const IDENTITY: &str = "server_identity";

/// What the judgement needs.
#[derive(Clone, Copy)]
pub(crate) struct Court<'a> {
    pub(crate) store: &'a Store,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) random: &'a dyn Random,
    pub(crate) failover: Failover,
    /// The key that the settings give for session tokens, if they do.
    pub(crate) given: Option<&'a KeyId>,
}

/// What a process knows of the database that it followed.
pub(crate) struct Known {
    pub(crate) applied: Applied,
    /// How far the server's write-ahead log was on the disk.
    pub(crate) flushed: i64,
}

/// Where the database is found to be.
pub(crate) struct Verdict {
    pub(crate) identity: String,
    pub(crate) flushed: i64,
    /// What was written because it went back.
    entries: Vec<Entry>,
}

impl Verdict {
    /// Whether every session was ended.
    pub(crate) fn went_back(&self) -> bool {
        !self.entries.is_empty()
    }
}

/// Before anything is loaded.
pub(crate) async fn at_start(court: Court<'_>, file: Option<&SideFile>) -> Result<Verdict, StartError> {
    let remembered = file.and_then(SideFile::remembered);
    let known = remembered.map(|known| Known {
        applied: Applied { position: known.position, incarnation: known.incarnation },
        flushed: known.commits,
    });
    if court.failover == Failover::Synchronous && !postgres::waits_for_a_standby(court.store).await? {
        tracing::warn!(
            "database.failover is synchronous, and the server waits for no standby (synchronous_standby_names is empty): \
             a promotion may lose logouts"
        );
    }
    let verdict = judge(court, known.as_ref()).await?;
    if verdict.went_back() {
        tracing::warn!("the database went back: every session was ended");
    }
    Ok(verdict)
}

/// The log does not go on where this process is. Either it was cut, because this node was away for long, or the database
/// went back. In any case everything is read anew.
pub(crate) async fn read_anew(app: &App, applied: &mut Applied) -> Result<(), Trouble> {
    if app.lease == Lease::Holder {
        return Err(follow::lost(app, "the database is not the one that this process has been following"));
    }
    say_no_more_yes(app);
    let known = Known { applied: applied.clone(), flushed: app.follower.flushed() };
    let verdict = judge(app.court(), Some(&known)).await?;
    if verdict.went_back() {
        app.metrics.went_back.inc();
        tracing::error!("the database went back: every session was ended");
    } else {
        tracing::warn!("the log was cut or everything was ended meanwhile: reading everything anew");
    }
    follow::reload(app, applied).await?;
    app.follower.moved_to(&verdict);
    if let Some(file) = &app.side_file {
        let Applied { position, incarnation } = applied.clone();
        follow::report(file.set(Remembered { incarnation, position, commits: verdict.flushed, in_file: 0 }));
    }
    Ok(())
}

fn say_no_more_yes(app: &App) {
    app.guard.hold_lease_until(Duration::ZERO);
    app.membership.broke();
}

/// The database is on another server, or in another history of it, than this process was told.
pub(crate) async fn look(app: &App) -> Result<(), Trouble> {
    // At once, whatever is being applied.
    say_no_more_yes(app);
    let mut applied = app.follower.hold_still().await;
    read_anew(app, &mut applied).await
}

/// Ends everything if the database went back and nobody has seen to it.
async fn judge(court: Court<'_>, known: Option<&Known>) -> Result<Verdict, StoreError> {
    let mut tx = court.store.begin_ending_control().await?;
    let identity = leases::identity(&mut *tx).await?;
    let flushed = leases::flushed(&mut *tx).await?;
    let recorded = meta::get(&mut *tx, IDENTITY).await?;
    let moved = recorded.as_deref().is_some_and(|recorded| recorded != identity);
    let vouched = court.failover == Failover::Synchronous
        && recorded.as_deref().is_some_and(|recorded| is_promotion(recorded, &identity));
    let imprint = leases::imprint(&mut *tx).await?;
    let lost = match known {
        Some(known) => is_lost(&mut tx, known, if moved { i64::MAX } else { flushed }).await?,
        None => false,
    };
    let mut entries = Vec::new();
    // A copy of rows of an earlier release has none.
    let copied = imprint != Imprint::Original && !court.store.is_sqlite();
    let mixed = origin::is_mixed(&mut *tx).await?;
    if lost || copied || mixed || (moved && !vouched) {
        tracing::warn!(
            database.log_is_lost = lost,
            database.rows_are_copies = copied,
            database.rows_are_foreign = mixed,
            database.is_another = moved && !vouched,
            "the database is not the one that was left"
        );
        let known = known.map(|known| known.applied.incarnation.as_str());
        entries = end_everything(&mut tx, known, (court.clock, court.random, court.given)).await?;
    }
    if recorded.as_ref() != Some(&identity) {
        meta::set(&mut tx, IDENTITY, &identity).await?;
    }
    if imprint != Imprint::Original {
        leases::set_imprint(&mut tx).await?;
    }
    tx.commit().await?;
    Ok(Verdict { identity, flushed, entries })
}

/// Whether only the timeline is another, and a later one: a standby of the same server was promoted. Anything else is a copy
/// from elsewhere, which no operator's word about replication covers.
fn is_promotion(recorded: &str, found: &str) -> bool {
    let parts = |identity: &str| -> Option<(String, u32, String)> {
        let (system, rest) = identity.split_once('/')?;
        let (timeline, tables) = rest.split_once('/')?;
        Some((system.to_owned(), u32::from_str_radix(timeline, 16).ok()?, tables.to_owned()))
    };
    match (parts(recorded), parts(found)) {
        (Some(before), Some(now)) => before.0 == now.0 && before.2 == now.2 && before.1 < now.1,
        _ => false,
    }
}

/// Whether the log that this process has applied is not the database's, and nobody has ended everything because of it.
///
/// `flushed`: how far the server's write-ahead log is on the disk. Sign-ins and changes of password leave no entry, and are
/// lost with those all the same.
async fn is_lost(tx: &mut EndingTx, known: &Known, flushed: i64) -> Result<bool, StoreError> {
    let Known { applied: known, flushed: before } = known;
    let number = known.position.number;
    let stored = log::incarnation(&mut **tx).await?;
    let is_later = incarnation::count(&stored) > incarnation::count(&known.incarnation);
    if is_later {
        return Ok(false);
    }
    if stored != known.incarnation || flushed < *before {
        return Ok(true);
    }
    Ok(match log::at(&mut **tx, number).await? {
        Some(entry) => entry.position.mark != known.position.mark,
        // Not there because it was cut, or because it never was here.
        None => number > 0 && number >= log::oldest(&mut **tx).await?,
    })
}

#[cfg(test)]
mod tests {
    use super::is_promotion;

    #[test]
    fn only_a_later_timeline_of_the_same_server_is_a_promotion() {
        let recorded = "7351/00000002/5/16384";
        assert!(is_promotion(recorded, "7351/00000003/5/16384"));
        assert!(is_promotion(recorded, "7351/0000000A/5/16384"));
        for other in [
            recorded,
            "7351/00000001/5/16384",
            "7352/00000003/5/16384",
            "7351/00000003/6/16384",
            "7351/00000003/5/16999",
            "7351",
            "",
        ] {
            assert!(!is_promotion(recorded, other), "{other}");
        }
    }
}
