//! Moving entries into the chain. Positions are given here and not where acts are done: numbers of a sequence are committed
//! out of order, and a counter would have every sign-in wait for the one before.

use std::collections::BTreeSet;

use cerrojo_domain::UserId;
use cerrojo_store::audit::chain::{self, Said};
use cerrojo_store::audit::is_any_waiting;
use cerrojo_store::{StoreError, log};

use super::chain as link;
use crate::{App, Trouble};

/// Entries moved in one transaction: others get their turn in between.
const CHUNK: i64 = 500;

/// Moves all that wait. A running server does it every second; of several nodes the one that holds the chain's row, the
/// others wait for it and find less to do.
pub async fn seal(app: &App) -> Result<(), Trouble> {
    app.trail.failures.say_what_was_left_out(app).await?;
    while is_any_waiting(&mut app.store.control()).await? {
        seal_some(app).await?;
    }
    Ok(())
}

async fn seal_some(app: &App) -> Result<(), Trouble> {
    let mut tx = app.store.begin().await?;
    let head = chain::take(&mut tx).await?;
    let incarnation = log::incarnation(&mut tx).await?;
    let is_ours = app.trail.key.confirms(&head) && app.trail.goes_on_from(&incarnation, &head.last);
    if !is_ours {
        tracing::error!("the head of the audit trail is not what a server wrote: `cerrojo audit verify` says more");
    }
    let mut said = chain::take_waiting(&mut tx, CHUNK).await?;
    if said.is_empty() {
        return Ok(());
    }
    erase_what_is_nobodys(&mut tx, &mut said).await?;
    let mut position = head.last.position;
    let highest = chain::highest(&mut tx).await?;
    if highest > position {
        // They stay, for whoever looks into it; nothing new is kept out because of them.
        tracing::error!(
            audit.position = highest,
            "the audit trail has entries behind its end that no server wrote: `cerrojo audit verify` says more"
        );
        position = highest;
    }
    // A chain that goes on from there as if nothing had been would hide what was done to it: this link never fits.
    let mut mac = if is_ours { head.last.mac } else { link::never(&*app.random) };
    let mut links = Vec::with_capacity(said.len());
    for said in said {
        position = position.saturating_add(1);
        let link = app.trail.key.link((position, &mac), said, &*app.random);
        mac.clone_from(&link.mac);
        links.push(link);
    }
    let end = app.trail.key.end_at(position, &mac);
    chain::append(&mut tx, &links, &end).await?;
    tx.commit().await?;
    app.trail.note_end(incarnation, end);
    Ok(())
}

/// Whoever was deleted after an act was begun, and before it was written, has nothing personal here.
async fn erase_what_is_nobodys(tx: &mut cerrojo_store::Tx, said: &mut [Said]) -> Result<(), StoreError> {
    let people: BTreeSet<UserId> =
        said.iter().flat_map(|said| [said.owner_of_origin(), said.subject.map(UserId)]).flatten().collect();
    let there = chain::who_is_there(tx, &people).await?;
    let is_gone = |owner: Option<UserId>| owner.is_some_and(|owner| !there.contains(&owner));
    for said in said {
        if is_gone(said.owner_of_origin()) {
            (said.address, said.device) = (None, None);
        }
        if is_gone(said.subject.map(UserId)) {
            said.about = None;
        }
    }
    Ok(())
}
