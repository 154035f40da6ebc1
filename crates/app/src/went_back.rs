//! Noticing a PostgreSQL database that went back: restored from a copy, or a standby promoted that had lost commits.
//!
//! Two things tell. Each node knows the last entry that it applied, and the database records which server it is on, and
//! which history of it. Either is looked at again in a transaction that holds the log's head row, which only a server
//! that is not in recovery lets anybody have; of many nodes that notice, one ends everything.

use std::time::Duration;

use cerrojo_domain::{Clock, Entry, Random};
use cerrojo_store::{EndingTx, Store, StoreError, leases, log, meta};

use crate::app::StartError;
use crate::follow::{self, Applied};
use crate::put_back::end_everything;
use crate::settings::Failover;
use crate::side_file::SideFile;
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
}

/// Before anything is loaded. Which server it is.
pub(crate) async fn at_start(court: Court<'_>, file: Option<&SideFile>) -> Result<String, StartError> {
    let remembered = file.and_then(SideFile::remembered);
    let known = remembered.map(|known| Applied { position: known.position, incarnation: known.incarnation });
    let (identity, entries) = judge(court, known.as_ref()).await?;
    if !entries.is_empty() {
        tracing::warn!("the database went back: every session was ended");
    }
    Ok(identity)
}

/// The log does not go on where this process is. Either it was cut, because this node was away for long, or the database
/// went back. In any case everything is read anew.
pub(crate) async fn read_anew(app: &App, applied: &mut Applied) -> Result<(), Trouble> {
    if app.lease == Lease::Holder {
        return Err(follow::lost(app, "the database is not the one that this process has been following"));
    }
    app.guard.hold_lease_until(Duration::ZERO);
    app.membership.broke();
    let (identity, entries) = judge(app.court(), Some(applied)).await?;
    if entries.is_empty() {
        tracing::warn!("the log was cut or everything was ended meanwhile: reading everything anew");
    } else {
        tracing::error!("the database went back: every session was ended");
    }
    follow::reload(app, applied).await?;
    app.follower.moved_to(&identity);
    Ok(())
}

/// The database is on another server, or in another history of it, than this process was told.
pub(crate) async fn look(app: &App) -> Result<(), Trouble> {
    let mut applied = app.follower.hold_still().await;
    read_anew(app, &mut applied).await
}

/// Ends everything if the database went back and nobody has seen to it; what was written then. Which server it is.
async fn judge(court: Court<'_>, known: Option<&Applied>) -> Result<(String, Vec<Entry>), StoreError> {
    let mut tx = court.store.begin_ending().await?;
    let identity = leases::identity(&mut *tx).await?;
    let recorded = meta::get(&mut *tx, IDENTITY).await?;
    let moved = recorded.as_ref().is_some_and(|recorded| *recorded != identity);
    let lost = match known {
        Some(known) => is_lost(&mut tx, known).await?,
        None => false,
    };
    let mut entries = Vec::new();
    if lost || (moved && court.failover == Failover::EndAll) {
        let known = known.map(|known| known.incarnation.as_str());
        entries = end_everything(&mut tx, known, (court.clock, court.random)).await?;
    }
    if recorded.as_ref() != Some(&identity) {
        meta::set(&mut tx, IDENTITY, &identity).await?;
    }
    tx.commit().await?;
    Ok((identity, entries))
}

/// Whether the log that this process has applied is not the database's, and nobody has ended everything because of it.
async fn is_lost(tx: &mut EndingTx, known: &Applied) -> Result<bool, StoreError> {
    let number = known.position.number;
    let stored = log::incarnation(&mut **tx).await?;
    let is_later = incarnation::count(&stored) > incarnation::count(&known.incarnation);
    if is_later {
        return Ok(false);
    }
    if stored != known.incarnation {
        return Ok(true);
    }
    Ok(match log::at(&mut **tx, number).await? {
        Some(entry) => entry.position.mark != known.position.mark,
        // Not there because it was cut, or because it never was here.
        None => number > 0 && number >= log::oldest(&mut **tx).await?,
    })
}
