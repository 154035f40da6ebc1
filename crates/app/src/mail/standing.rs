//! The outbox, for whoever looks after it; and a mail to try the mail server with.

use std::time::Duration;

use cerrojo_domain::{AuditKind, Email, UnixMillis, UserId};
use cerrojo_store::audit::find::{self, Doer, Filter};
use cerrojo_store::outbox::{self, Standing, Which};
use cerrojo_store::{StoreError, Tx, audit, users};
use serde_json::Value;
use tokio::time::timeout;

use super::deliver::{LONGEST_SENDING, pause};
use super::{Mailer, Route, Templates, Unwritten, trial};
use crate::administer::{AdminError, By};
use crate::{App, Caller, Settings, Trouble};

/// Jobs that wait that are shown.
const WAITING: i64 = 18;
/// The same of those that were delivered.
const DELIVERED: i64 = 10;
/// How much longer than it takes a mail is taken to be on its way: clocks of nodes differ.
const SLACK: Duration = Duration::from_secs(5);
/// How long a mail server may take over the mail that is to try it, while somebody waits.
const PATIENCE: Duration = Duration::from_secs(15);

/// Between two mails that are to try the mail server, of one administrator.
const BETWEEN_TRIALS: Duration = Duration::from_mins(1);

/// How the outbox is.
pub struct Outbox {
    /// Where mail goes.
    pub route: Route,
    /// What waits, all of it counted.
    pub waiting: outbox::Waiting,
    /// Of these, how many could not leave the last time.
    pub failing: i64,
    /// The newest of those that wait.
    pub jobs: Vec<Job>,
    /// Those that were delivered last, as long as they are remembered.
    pub delivered: Vec<Job>,
}

/// A mail.
pub struct Job {
    /// How it stands.
    pub standing: Standing,
    /// To which address, where the job says it.
    pub to: Option<String>,
    /// Whether it failed, and is not being tried at this moment: it can be tried again, or dropped.
    pub can_be_moved: bool,
}

/// Why a job is left as it is.
#[derive(Debug)]
pub enum NotNow {
    /// It is not there any more, has not been tried yet, or is being tried at this moment.
    Busy,
    /// As for anything that administrators do.
    Admin(AdminError),
}

impl<E: Into<AdminError>> From<E> for NotNow {
    fn from(error: E) -> Self {
        Self::Admin(error.into())
    }
}

/// How the outbox is.
///
/// # Errors
/// [`AdminError`].
pub async fn outbox(app: &App, by: By<'_>) -> Result<Outbox, AdminError> {
    by.check_role()?;
    let mut run = app.store.reader();
    let now = app.clock.now();
    let job = |standing: Standing| Job {
        to: addressee(&standing.body),
        can_be_moved: can_be_moved(&standing, now),
        standing,
    };
    let jobs = outbox::standing(&mut run, Which::Waiting, WAITING).await?;
    let delivered = outbox::standing(&mut run, Which::Delivered, DELIVERED).await?;
    Ok(Outbox {
        route: app.mailer.route(),
        waiting: outbox::waiting(&mut run, now).await?,
        failing: outbox::failing(&mut run).await?,
        jobs: jobs.into_iter().map(job).collect(),
        delivered: delivered.into_iter().map(job).collect(),
    })
}

/// To whom, by the one name or the other that jobs have for it.
fn addressee(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    let to = body.get("to").or_else(|| body.get("email"))?;
    to.as_str().map(str::to_owned)
}

/// Whoever took it up had set the next time by then: so long ago that it is not being sent any more.
fn can_be_moved(job: &Standing, now: UnixMillis) -> bool {
    let taken_up = job.next_at.minus(pause(job.attempts.saturating_sub(1)));
    let is_over = now >= taken_up.plus(LONGEST_SENDING).plus(SLACK);
    job.done_at.is_none() && job.attempts > 0 && job.last_error.is_some() && is_over
}

/// Has a mail that could not leave tried again at once.
///
/// # Errors
/// [`NotNow`].
pub async fn retry(app: &App, by: By<'_>, id: i64) -> Result<(), NotNow> {
    by.check_role()?;
    let now = app.clock.now();
    let job = movable(app, id, now).await?;
    let mut tx = by.check_session(app, app.store.begin().await?).await?;
    if !outbox::hasten(&mut tx, &job, now).await? {
        return Err(NotNow::Busy);
    }
    let act = by.act(app, AuditKind::MailRetried).with("kind", job.kind.as_str());
    let act = if let Some(user) = whose(&mut tx, &job).await? { act.to(user) } else { act };
    audit::record(&mut tx, act).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    Ok(())
}

/// Gives up a mail that could not leave: it is not tried any more, and nobody is told.
///
/// # Errors
/// [`NotNow`].
pub async fn drop_job(app: &App, by: By<'_>, id: i64) -> Result<(), NotNow> {
    by.check_role()?;
    let job = movable(app, id, app.clock.now()).await?;
    let mut tx = by.check_session(app, app.store.begin().await?).await?;
    if !outbox::give_up(&mut tx, &job).await? {
        return Err(NotNow::Busy);
    }
    let act = by.act(app, AuditKind::MailDropped);
    let user = whose(&mut tx, &job).await?;
    let act = if let Some(user) = user { act.to(user) } else { act };
    audit::record(&mut tx, act.with("kind", job.kind.as_str()).with("attempts", job.attempts)).await?;
    Ok(tx.commit().await?)
}

/// Whose it is: of a forgotten password that is looked up only when the mail is written.
async fn whose(tx: &mut Tx, job: &Standing) -> Result<Option<UserId>, StoreError> {
    if job.user.is_some() {
        return Ok(job.user);
    }
    match addressee(&job.body) {
        Some(to) => Ok(users::by_email(tx, &Email::fold(&to)).await?.map(|user| user.id)),
        None => Ok(None),
    }
}

/// The one mail of this number, if it waits.
///
/// # Errors
/// [`AdminError`].
pub async fn waiting_one(app: &App, by: By<'_>, id: i64) -> Result<Option<Job>, AdminError> {
    by.check_role()?;
    let standing = outbox::standing_of(&mut app.store.reader(), id).await?.filter(|job| job.done_at.is_none());
    let now = app.clock.now();
    Ok(standing.map(|standing| Job {
        to: addressee(&standing.body),
        can_be_moved: can_be_moved(&standing, now),
        standing,
    }))
}

async fn movable(app: &App, id: i64, now: UnixMillis) -> Result<Standing, NotNow> {
    let job = outbox::standing_of(&mut app.store.reader(), id).await?;
    job.filter(|job| can_be_moved(job, now)).ok_or(NotNow::Busy)
}

/// Sends a mail that says only that mail arrives; the inner error says why it did not leave.
///
/// # Errors
/// [`Unwritten`]: a built-in text is broken.
pub async fn send_trial(
    (settings, templates): (&Settings, &Templates),
    mailer: &dyn Mailer,
    (to, at): (&Email, UnixMillis),
    patience: Duration,
) -> Result<Result<(), String>, Unwritten> {
    let letter = trial((settings, templates), (to, at))?;
    let sent = timeout(patience, mailer.send(&letter)).await;
    Ok(sent.unwrap_or_else(|_| Err(format!("no answer within {} seconds", patience.as_secs()))))
}

/// The same to the own address of an administrator. To which address it was, and why it did not leave if so.
///
/// # Errors
/// [`AdminError`].
pub async fn test(app: &App, by: By<'_>, caller: &Caller) -> Result<(Email, Result<(), String>), AdminError> {
    by.check_role()?;
    let user = users::by_id(&mut app.store.reader(), caller.user).await?.ok_or(AdminError::NotFound)?;
    let lately = Filter {
        by: Some(Doer::Person(caller.user)),
        kind: Some(AuditKind::MailTested.as_str().to_owned()),
        since: Some(app.clock.now().minus(BETWEEN_TRIALS)),
        ..Filter::default()
    };
    if !find::newest(&mut app.store.snapshot().await?, &lately, 1).await?.is_empty() {
        return Ok((user.email, Err("one was sent less than a minute ago".to_owned())));
    }
    let mut tx = by.check_session(app, app.store.begin().await?).await?;
    audit::record(&mut tx, by.act(app, AuditKind::MailTested)).await?;
    tx.commit().await?;
    let to = (&user.email, app.clock.now());
    let sent = send_trial((&app.settings, &app.templates), &*app.mailer, to, PATIENCE).await;
    let sent = sent.map_err(|Unwritten(cause)| Trouble::Internal(cause))?;
    Ok((user.email, sent))
}
