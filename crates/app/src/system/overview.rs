//! Nodes and numbers.

use std::collections::HashSet;
use std::sync::PoisonError;
use std::time::Duration;

use cerrojo_domain::{Status, UnixMillis};
use cerrojo_store::{StoreError, audit, log, outbox, tallies};

use crate::administer::{AdminError, By};
use crate::metrics::SignIn;
use crate::{App, Lease, Trouble, agreement, lease};

/// How long users and sessions are not counted again: with a million of each that takes a second.
const COUNTED_FOR: Duration = Duration::from_secs(5);
/// How long after its start a node without a lease is still shown.
const REMEMBERED: Duration = Duration::from_hours(7 * 24);
/// Starts that are looked at.
const STARTS: i64 = 50;
/// Nodes without a lease that are shown.
const MOST_GONE: usize = 10;

/// How the whole is.
pub struct Overview {
    /// What is counted.
    pub numbers: Numbers,
    /// Nodes that hold a lease, then those that started lately and hold none.
    pub nodes: Vec<Node>,
    /// The number of the log's last entry.
    pub head: i64,
    /// How long this took to read.
    pub took: Duration,
    /// How far this node's clock is from the database server's, in milliseconds (ahead: above 0); `None`: SQLite.
    pub clock_off: Option<i64>,
}

/// What is counted.
pub struct Numbers {
    /// Users of each status, as they were some seconds ago at most; so are the sessions.
    pub users: Vec<(Status, i64)>,
    /// Sessions that are live.
    pub live_sessions: i64,
    /// Sign-ins that this process refused since it started: for wrong credentials, and since a limit was used up.
    pub refused: (u64, u64),
    /// Mails that wait.
    pub mail: outbox::Waiting,
    /// Of these, those that could not leave the last time.
    pub mail_failing: i64,
    /// Entries of the audit trail that are not in the chain yet.
    pub unsealed: i64,
}

/// A node, as this one sees it.
pub struct Node {
    /// Where it listens and which version it is; empty where nobody said.
    pub about: String,
    /// Whether it is the one that answers.
    pub is_this: bool,
    /// When it last started, if the trail still tells.
    pub started: Option<UnixMillis>,
    /// Its lease; `None`: it started lately and holds none.
    pub lease: Option<Held>,
}

/// A lease that is held.
pub struct Held {
    /// How long it lasts if it is not renewed; known of this node's alone, and there only if it runs out.
    pub left: Option<Duration>,
    /// How long ago it was renewed, as far as this node has seen.
    pub renewed: Option<Duration>,
    /// It was not renewed for longer than it lasts.
    pub is_still: bool,
    /// Entries of the log that it has not applied.
    pub behind: i64,
    /// Settings in which it differs from most, by their names.
    pub differs: Vec<String>,
}

/// How the whole is.
///
/// # Errors
/// [`AdminError`].
pub async fn overview(app: &App, by: By<'_>) -> Result<Overview, AdminError> {
    by.check_role()?;
    let shared = app.shared()?;
    let look = async move { look(&shared).await };
    Ok(app.scans.take_turn(look).await?)
}

async fn look(app: &App) -> Result<Overview, Trouble> {
    let since = app.clock.elapsed();
    let mut run = app.store.reader();
    let asked = app.clock.now();
    let clock = tallies::clock(&mut run).await?;
    // In the middle of question and answer, as far as anybody can tell.
    let now = UnixMillis(asked.0.midpoint(app.clock.now().0));
    let clock_off = clock.map(|clock| now.0.saturating_sub(clock.0));
    let head = log::head(&mut run).await?.number;
    let nodes = nodes(app, head).await?;
    let numbers = numbers(app).await?;
    let took = app.clock.elapsed().saturating_sub(since);
    Ok(Overview { numbers, nodes, head, took, clock_off })
}

async fn numbers(app: &App) -> Result<Numbers, StoreError> {
    let mut run = app.store.reader();
    let now = app.clock.now();
    let sign_ins = &app.metrics.sign_ins;
    let Counted { users, live_sessions, .. } = counted(app).await?;
    Ok(Numbers {
        users,
        live_sessions,
        refused: (sign_ins.of(SignIn::Credentials), sign_ins.of(SignIn::Limited)),
        mail: outbox::waiting(&mut run, now).await?,
        mail_failing: outbox::failing(&mut run).await?,
        unsealed: audit::waiting(&mut run).await?,
    })
}

/// What takes a look at every row, as it was a moment ago.
#[derive(Clone)]
pub(crate) struct Counted {
    at: Duration,
    users: Vec<(Status, i64)>,
    live_sessions: i64,
}

async fn counted(app: &App) -> Result<Counted, StoreError> {
    let at = app.clock.elapsed();
    let known = app.counted.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(known) = known.filter(|known| at.saturating_sub(known.at) < COUNTED_FOR) {
        return Ok(known);
    }
    let mut run = app.store.reader();
    let users = tallies::users(&mut run).await?;
    let live_sessions = tallies::live_sessions(&mut run, app.clock.now()).await?;
    let counted = Counted { at, users, live_sessions };
    *app.counted.lock().unwrap_or_else(PoisonError::into_inner) = Some(counted.clone());
    Ok(counted)
}

async fn nodes(app: &App, last: i64) -> Result<Vec<Node>, Trouble> {
    let since = app.clock.now().minus(REMEMBERED);
    let starts = tallies::starts(&mut app.store.reader(), since, STARTS).await?;
    let started = |about: &str| starts.iter().find(|(of, _)| of == about).map(|(_, at)| *at);
    if app.lease != Lease::Member {
        let about = app.membership.about().to_owned();
        let behind = last.saturating_sub(app.follower.number()).max(0);
        let held = Held { left: None, renewed: None, is_still: false, behind, differs: Vec::new() };
        return Ok(vec![Node { started: started(&about), about, is_this: true, lease: Some(held) }]);
    }
    let own = app.membership.name();
    let seen = lease::seen(app).await?;
    let said: Vec<&str> = seen.iter().map(|seen| seen.lease.settings.as_str()).collect();
    let differing = agreement::differing(&said);
    let mut nodes = Vec::new();
    for (seen, differs) in seen.into_iter().zip(differing) {
        let is_this = Some(&seen.lease.node) == own.as_ref();
        let applied = if is_this { app.follower.number() } else { seen.lease.applied };
        let held = Held {
            left: is_this.then(|| app.guard.lease().left(&*app.clock)).flatten(),
            renewed: seen.renewed,
            is_still: seen.is_still && !is_this,
            behind: last.saturating_sub(applied).max(0),
            differs,
        };
        let about = seen.lease.about;
        nodes.push(Node { started: started(&about), about, is_this, lease: Some(held) });
    }
    nodes.sort_by(|one, other| (!one.is_this, &one.about).cmp(&(!other.is_this, &other.about)));
    let there: HashSet<String> = nodes.iter().map(|node| node.about.clone()).collect();
    let gone = starts.into_iter().filter(|(about, _)| !there.contains(about)).take(MOST_GONE);
    nodes.extend(gone.map(|(about, at)| Node { about, is_this: false, started: Some(at), lease: None }));
    Ok(nodes)
}
