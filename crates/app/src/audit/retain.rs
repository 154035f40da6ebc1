//! How long the trail is kept.

use std::sync::atomic::Ordering;

use cerrojo_domain::UserId;
use cerrojo_store::audit::{self, Erased, chain};

use super::verify::{Walk, Wrong};
use crate::{App, Trouble};

/// Entries removed in one transaction.
const CHUNK: i64 = 500;
/// Entries of somebody who is gone that are erased in one transaction: endings wait for it.
pub(crate) const ERASED: i64 = 1000;
/// People looked after in one round.
const PEOPLE: i64 = 100;

/// What a sweep does for the trail.
pub(crate) async fn look_after(app: &App) -> Result<(), Trouble> {
    // Before it is looked for: who goes meanwhile has it looked for again.
    if !app.trail.are_gone_erased.swap(true, Ordering::AcqRel) {
        let erased = erase_what_is_left_of_the_gone(app).await;
        if erased.is_err() {
            app.trail.are_gone_erased.store(false, Ordering::Release);
        }
        erased?;
    }
    retain(app).await
}

/// Removes the oldest entries of the chain that are older than is set, up to the first that is not, and leaves a confirmed mark
/// of where it begins then. What does not hold is not removed: it would be gone with whatever it tells.
async fn retain(app: &App) -> Result<(), Trouble> {
    let Some(kept) = app.settings.retention.audit else { return Ok(()) };
    let before = app.clock.now().minus(kept);
    let (head, _) = chain::head(&mut app.store.reader()).await?;
    let oldest = chain::after(&mut app.store.reader(), head.anchor.position, 1).await?;
    if oldest.first().is_none_or(|oldest| oldest.link.said.at >= before) {
        return Ok(());
    }
    loop {
        let mut tx = app.store.begin().await?;
        let head = chain::take(&mut tx).await?;
        let some = chain::after(&mut tx, head.anchor.position, CHUNK).await?;
        let old = some.iter().take_while(|found| found.link.said.at < before).count();
        let mut walk = Walk::from(&head.anchor);
        let holds = app.trail.key.confirms(&head)
            && some.iter().take(old).all(
                |found| !matches!(walk.step(&app.trail.key, found), Some(wrong) if wrong != Wrong::ErasedWithoutCause),
            );
        if !holds {
            return Err(Trouble::Internal(
                "the oldest entries of the audit trail do not hold together, so they are kept beyond retention.audit: \
                 `cerrojo audit verify` says more"
                    .to_owned(),
            ));
        }
        let Some(last) = old.checked_sub(1).and_then(|last| some.get(last)) else { return Ok(()) };
        chain::cut(&mut tx, &app.trail.key.begin_at(last.link.position, &last.link.mac)).await?;
        tx.commit().await?;
    }
}

/// A node of an earlier release deletes accounts and knows nothing of the trail: looked after once, after a start.
async fn erase_what_is_left_of_the_gone(app: &App) -> Result<(), Trouble> {
    loop {
        let gone = audit::gone(&mut app.store.reader(), PEOPLE).await?;
        if gone.is_empty() {
            return Ok(());
        }
        for user in gone {
            let mut tx = app.store.begin().await?;
            let left = audit::forget(&mut tx, user, ERASED).await?;
            tx.commit().await?;
            go_on_erasing(app, user, left).await?;
        }
    }
}

/// Somebody is about to go and leaves this behind: whatever becomes of the request, a sweep looks after it, or the next start's.
pub(crate) fn will_erase(app: &App, left: Option<&Erased>) {
    if left.is_some() {
        app.trail.are_gone_erased.store(false, Ordering::Release);
    }
}

/// Erases what [`audit::forget`] left of somebody who is gone.
pub(crate) async fn erase_the_rest(app: &App, user: UserId, left: Option<Erased>) {
    if let Err(trouble) = go_on_erasing(app, user, left).await {
        tracing::warn!(error = %trouble, "what the audit trail says of a deleted account is erased later");
    }
}

async fn go_on_erasing(app: &App, user: UserId, mut left: Option<Erased>) -> Result<(), Trouble> {
    while let Some(at) = left {
        let mut tx = app.store.begin().await?;
        left = audit::forget_on(&mut tx, user, (at, ERASED)).await?;
        tx.commit().await?;
    }
    Ok(())
}
