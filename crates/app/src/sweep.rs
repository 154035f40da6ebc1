//! What time does: expiry, idleness, retired lists, old rows.

use std::sync::atomic::Ordering;
use std::time::Duration;

use cerrojo_domain::{Actor, EndReason, Ending, Fact, RoleId, SessionId};
use cerrojo_store::endings::Which;
use cerrojo_store::sessions::Whose;
use cerrojo_store::{
    attempts, codes, email_changes, endings, held_addresses, invitations, known_addresses, lists, log, old_tokens,
    origin, outbox, registrations, sessions,
};

use crate::{App, SessionRules, Trouble, activity, audit, end, mail};

/// Sessions ended, or rows removed, in one transaction: others get their turn in between.
const CHUNK: i64 = 500;
/// Endings of everything are written into so many rows in one transaction, and for so long in one round.
const WRITTEN: i64 = 2000;
const WRITING: Duration = Duration::from_secs(20);
/// A list is retired this long after the last of its tokens expired.
const AFTERLIFE: Duration = Duration::from_hours(1);

/// One round. A running server makes one every minute.
pub async fn sweep(app: &App) -> Result<(), Trouble> {
    end_what_is_of_another_database(app).await?;
    activity::write_down(app).await?;
    keep_ages(app).await?;
    end_expired(app).await?;
    end_idle(app).await?;
    end_stranded(app).await?;
    write_down_endings(app).await?;
    retire_lists(app).await?;
    remove_old_rows(app).await?;
    audit::look_after(app).await
}

/// Nothing of it is accepted, but sessions in it would be shown, and what else it says may be of any time.
async fn end_what_is_of_another_database(app: &App) -> Result<(), Trouble> {
    if !origin::is_mixed(&mut app.store.reader()).await? {
        return Ok(());
    }
    tracing::error!("rows of another database were put into this one: every session is ended");
    let mut tx = app.store.begin_ending().await?;
    if origin::is_mixed(&mut *tx).await? {
        let ending = Ending { reason: EndReason::Restored, actor: Actor::Server, at: app.clock.now(), place: None };
        end::everything_by(app, tx, ending).await?;
    }
    Ok(())
}

/// Sessions that began under a longer `session.max_age` are held to the one that is set now, once after each start.
async fn keep_ages(app: &App) -> Result<(), Trouble> {
    if app.are_ages_kept.load(Ordering::Acquire) {
        return Ok(());
    }
    for (whose, rules) in rules(app, &roles(app)) {
        let Some(age) = rules.max_age else { continue };
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        loop {
            let mut tx = app.store.begin().await?;
            let shortened = sessions::shorten(&mut tx, whose, (age, WRITTEN)).await?;
            tx.commit().await?;
            if shortened == 0 {
                break;
            }
        }
    }
    app.are_ages_kept.store(true, Ordering::Release);
    Ok(())
}

async fn end_expired(app: &App) -> Result<(), Trouble> {
    loop {
        let now = app.clock.now();
        let found = sessions::expired(&mut app.store.reader(), now, CHUNK).await?;
        if end_each(app, &found, (EndReason::Expired, Which::One)).await? == 0 {
            return Ok(());
        }
    }
}

/// Writes down who was active and ends whom nobody used for the idle timeout.
pub(crate) async fn end_idle(app: &App) -> Result<(), Trouble> {
    activity::write_down(app).await?;
    for (whose, rules) in rules(app, &roles(app)) {
        end_idle_of(app, whose, rules.idle_timeout).await?;
    }
    Ok(())
}

/// Roles that have rules of their own.
fn roles(app: &App) -> Vec<RoleId> {
    app.settings.by_role.keys().copied().collect()
}

/// Everybody's rules: those of each of these roles, and of all others.
fn rules<'a>(app: &App, roles: &'a [RoleId]) -> Vec<(Whose<'a>, SessionRules)> {
    let others = if roles.is_empty() { Whose::Anybodys } else { Whose::OfOthersThan(roles) };
    let own = roles.iter().map(|role| (Whose::OfRole(*role), app.settings.session_rules(*role)));
    own.chain([(others, app.settings.usual_session_rules())]).collect()
}

async fn end_idle_of(app: &App, whose: Whose<'_>, idle: Option<Duration>) -> Result<(), Trouble> {
    let Some(idle) = idle else { return Ok(()) };
    loop {
        // Uses up to this time are written down before it is asked who has none.
        let not_seen_since = app.clock.now().minus(idle);
        activity::write_down(app).await?;
        let found = sessions::idle(&mut app.store.reader(), whose, (not_seen_since, CHUNK)).await?;
        // Decided in the statement that ends: whoever was seen meanwhile goes on.
        let which = |id| Which::IdleSince(id, not_seen_since);
        if end_each(app, &found, (EndReason::Idle, which)).await? == 0 {
            return Ok(());
        }
    }
}

/// Sessions whose key or list was retired while their sign-in was on its way: no verifier accepts them.
async fn end_stranded(app: &App) -> Result<(), Trouble> {
    loop {
        let found = sessions::stranded(&mut app.store.reader(), CHUNK).await?;
        if end_each(app, &found, (EndReason::KeyRetired, Which::One)).await? == 0 {
            return Ok(());
        }
    }
}

/// Of everything that was ended at once.
async fn write_down_endings(app: &App) -> Result<(), Trouble> {
    let begun = app.clock.elapsed();
    while app.clock.elapsed().saturating_sub(begun) < WRITING {
        let mut tx = app.store.begin().await?;
        let written = endings::write_down(&mut tx, WRITTEN).await?;
        tx.commit().await?;
        if written == 0 {
            break;
        }
    }
    Ok(())
}

async fn end_each<'a, F>(app: &App, ids: &'a [SessionId], (reason, which): (EndReason, F)) -> Result<usize, Trouble>
where
    F: Fn(&'a SessionId) -> Which<'a>,
{
    if ids.is_empty() {
        return Ok(0);
    }
    let ending = Ending { reason, actor: Actor::Server, at: app.clock.now(), place: None };
    let mut tx = app.store.begin_ending().await?;
    let mut entries = Vec::new();
    for id in ids {
        entries.extend(end::in_tx(&mut tx, which(id), &ending).await?);
    }
    let ended = entries.len();
    end::commit(app, tx, entries).await?;
    Ok(ended)
}

async fn retire_lists(app: &App) -> Result<(), Trouble> {
    let at = app.clock.now();
    for list in lists::outlived(&mut app.store.reader(), at.minus(AFTERLIFE)).await? {
        let mut tx = app.store.begin_ending().await?;
        let mut entries = Vec::new();
        if lists::retire(&mut tx, &list).await? {
            // Its rows may be gone one day, and a token of another application would be taken for one that was never used.
            old_tokens::note_expired(&mut tx, at.minus(AFTERLIFE)).await?;
            entries.push(log::append(&mut tx, Fact::ListRetired { list }, at).await?);
        }
        end::commit(app, tx, entries).await?;
    }
    Ok(())
}

async fn remove_old_rows(app: &App) -> Result<(), Trouble> {
    let now = app.clock.now();
    let kept = app.settings.retention;
    loop {
        let mut tx = app.store.begin().await?;
        let removed = sessions::sweep(&mut tx, now.minus(kept.ended_sessions), CHUNK).await?;
        tx.commit().await?;
        if removed == 0 {
            break;
        }
    }
    // By itself: whoever uses a code holds what it is for before it.
    let mut tx = app.store.begin().await?;
    codes::sweep(&mut tx, now).await?;
    tx.commit().await?;
    let mut tx = app.store.begin().await?;
    registrations::sweep(&mut tx, now).await?;
    email_changes::sweep(&mut tx, now).await?;
    held_addresses::sweep(&mut tx, now).await?;
    invitations::sweep(&mut tx, now).await?;
    outbox::sweep(&mut tx, now.minus(kept.delivered_mail), now.minus(mail::FLOOD_WINDOW)).await?;
    attempts::sweep(&mut tx, now).await?;
    known_addresses::sweep(&mut tx, now.minus(kept.known_addresses)).await?;
    tx.commit().await?;
    Ok(())
}
