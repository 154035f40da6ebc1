//! Jobs become letters and leave. A letter may leave twice after a crash, never not at all for a day.

use std::time::Duration;

use cerrojo_domain::{Email, UserId};
use cerrojo_store::outbox::{self, Job};
use cerrojo_store::{StoreError, Tx};
use serde::de::DeserializeOwned;
use tracing::Instrument as _;

use super::job::{
    EMAIL_CHANGE, EMAIL_CHANGE_ASKED, EMAIL_CHANGED, INVITATION, KINDS, NEW_DEVICE, PASSWORD_CHANGED, REGISTERED,
    RESET, RESET_FORCED, VERIFY,
};
use super::templates::Writer;
use super::{Mail, flood, links};
use crate::metrics::Delivery;
use crate::{App, Trouble, traced};

/// Jobs read at once.
const BATCH: i64 = 32;
/// How long a mailer may take over one mail; shorter than the shortest pause, so that nobody takes up the job meanwhile.
pub(super) const LONGEST_SENDING: Duration = Duration::from_secs(30);
const SHORTEST_PAUSE: Duration = Duration::from_mins(1);
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// A job that could not be done for so long is dropped.
const GIVEN_UP: Duration = Duration::from_hours(24);

/// What became of a job.
enum Outcome {
    /// Somebody else has it.
    NotOurs,
    /// A node of a later release is to have it: it is not due any more.
    PutOff,
    /// There is nothing to send.
    Dropped,
    /// It could not leave for so long that it is not tried any more.
    GivenUp,
    /// The mailer has it.
    Sent,
    /// It is due again later.
    Failed,
}

/// A letter, and whose it is.
pub(super) struct Addressed {
    pub(super) user: Option<UserId>,
    pub(super) mail: Mail,
}

/// Delivers what is due, once. In a running server a task calls it when a job was written and when one is due again.
/// How many mails left. May be dropped at any point: what was begun is due again a minute later.
pub async fn deliver_due(app: &App) -> Result<usize, Trouble> {
    let mut sent = 0;
    loop {
        let due = outbox::due(&mut app.store.reader(), app.clock.now(), BATCH).await?;
        let mut ours = 0;
        for job in &due {
            match traced_delivery(app, job).await? {
                Outcome::NotOurs => continue,
                // Others may be due behind a whole batch of such.
                Outcome::PutOff => {}
                Outcome::Sent => {
                    app.metrics.mails.count(Delivery::Sent);
                    sent += 1;
                }
                Outcome::Dropped => app.metrics.mails.count(Delivery::Dropped),
                Outcome::GivenUp => app.metrics.mails.count(Delivery::GivenUp),
                Outcome::Failed => app.metrics.mails.count(Delivery::Failed),
            }
            ours += 1;
        }
        if ours == 0 {
            return Ok(sent);
        }
    }
}

async fn traced_delivery(app: &App, job: &Job) -> Result<Outcome, Trouble> {
    let span = traced::mail(&job.kind, job.attempts + 1);
    let outcome = deliver(app, job).instrument(span.clone()).await;
    match outcome {
        Ok(Outcome::Failed) => traced::failed(&span, "not_taken"),
        Ok(Outcome::GivenUp) => traced::failed(&span, "given_up"),
        Err(_) => traced::failed(&span, "database"),
        Ok(_) => {}
    }
    outcome
}

async fn deliver(app: &App, job: &Job) -> Result<Outcome, Trouble> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if !is_known(job) && now.since(job.created_at) <= GIVEN_UP {
        // Of a later release, whose nodes are coming up or were gone back from: they can still do it. Said once.
        if job.next_at <= job.created_at {
            tracing::warn!(
                mail.id = job.id,
                mail.kind = job.kind,
                "a mail job of unknown kind is left to a later release"
            );
        }
        outbox::put_off(&mut tx, job, now.plus(SHORTEST_PAUSE)).await?;
        tx.commit().await?;
        return Ok(Outcome::PutOff);
    }
    // Claiming is also what makes it due again, should this process not live to say how it went.
    if !outbox::claim(&mut tx, job, now.plus(pause(job.attempts))).await? {
        return Ok(Outcome::NotOurs);
    }
    let is_given_up = now.since(job.created_at) > GIVEN_UP;
    let letter = if is_given_up {
        tracing::error!(mail.id = job.id, mail.kind = job.kind, mail.attempts = job.attempts, "mail given up");
        None
    } else {
        compose(app, &mut tx, job).await?
    };
    let Some(Addressed { user, mail }) = letter else {
        outbox::drop_job(&mut tx, job.id).await?;
        tx.commit().await?;
        return Ok(if is_given_up { Outcome::GivenUp } else { Outcome::Dropped });
    };
    tx.commit().await?;

    let leaves = traced::mail_leaves();
    let sending = tokio::time::timeout(LONGEST_SENDING, app.mailer.send(&mail)).instrument(leaves.clone()).await;
    if !matches!(sending, Ok(Ok(()))) {
        traced::failed(&leaves, if sending.is_err() { "timeout" } else { "not_taken" });
    }
    drop(leaves);
    if let Err(cause) = sending.unwrap_or_else(|_| Err("it took too long".to_owned())) {
        tracing::warn!(
            mail.id = job.id,
            mail.kind = job.kind,
            mail.attempts = job.attempts + 1,
            error = ?cause,
            "mail could not leave; it is tried again"
        );
        let mut tx = app.store.begin().await?;
        outbox::failed(&mut tx, job.id, &cause).await?;
        tx.commit().await?;
        return Ok(Outcome::Failed);
    }
    let mut tx = app.store.begin().await?;
    outbox::done(&mut tx, job.id, user, app.clock.now()).await?;
    tx.commit().await?;
    tracing::info!(mail.id = job.id, mail.kind = job.kind, "mail left");
    Ok(Outcome::Sent)
}

/// How long until the next attempt, after so many: a minute, doubled each time, an hour at most.
pub(super) fn pause(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(0, 6)).unwrap_or(6);
    (SHORTEST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}

fn is_known(job: &Job) -> bool {
    KINDS.contains(&job.kind.as_str())
}

/// The letter of a job; `None`: there is none to send.
async fn compose(app: &App, tx: &mut Tx, job: &Job) -> Result<Option<Addressed>, StoreError> {
    let writer = Writer::new(&app.settings, &app.templates);
    let mail = match job.kind.as_str() {
        RESET => return links::reset(app, tx, job).await,
        RESET_FORCED => return links::forced_reset(app, tx, job).await,
        REGISTERED | VERIFY | EMAIL_CHANGE => return links::confirm(app, tx, job).await,
        INVITATION => return links::invitation(app, tx, job).await,
        PASSWORD_CHANGED => read(job).map(|body| writer.password_changed(&body)).transpose()?,
        EMAIL_CHANGED => links::email_changed(app, tx, job).await?,
        EMAIL_CHANGE_ASKED => read(job).map(|body| writer.email_change_asked(&body)).transpose()?,
        // Counted when it is written.
        NEW_DEVICE => {
            let mail = links::new_device(app, tx, job).await?;
            return Ok(mail.map(|mail| Addressed { user: job.user, mail }));
        }
        _ => None,
    };
    let Some(mail) = mail else { return Ok(None) };
    let to = Email::from_stored(mail.to.clone());
    let is_flooded = flood::is_flooded(app, tx, job, (&to, None)).await?;
    Ok((!is_flooded).then_some(Addressed { user: job.user, mail }))
}

pub(super) fn read<T: DeserializeOwned>(job: &Job) -> Option<T> {
    serde_json::from_str(&job.body)
        .inspect_err(
            |error| tracing::error!(mail.id = job.id, mail.kind = job.kind, %error, "a broken mail job was dropped"),
        )
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let minutes: Vec<u64> = (0..9).map(|attempts| pause(attempts).as_secs() / 60).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pause(i64::MAX), LONGEST_PAUSE);
        assert!(LONGEST_SENDING < SHORTEST_PAUSE);
    }
}
