//! The audit trail: what is recorded, and how it is chained, looked through, verified and cut.
//!
//! A use case records what it does in its own transaction ([`cerrojo_store::audit::record`]). This is the rest.

mod asked;
mod chain;
mod export;
mod failures;
mod retain;
mod seal;
mod verify;
mod written;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use cerrojo_domain::{Actor, AuditKind, Origin};
use cerrojo_store::audit::chain::Place;
use cerrojo_store::audit::find;
use cerrojo_store::audit::{self, Act, Stamp, chain as stored};
use cerrojo_store::{Store, StoreError};

pub use cerrojo_store::audit::chain::Said;
pub use cerrojo_store::audit::find::{After, Filter, Listed, forwards};

pub use self::asked::{Asked, AskedError};
pub use self::chain::TrailKey;
pub use self::export::{Exporting, export};
pub(crate) use self::failures::About;
use self::failures::Failures;
pub(crate) use self::retain::{ERASED, erase_the_rest, look_after, will_erase};
pub use self::seal::seal;
pub use self::verify::{Fault, Report, Verifying, Wrong, verify};
pub use self::written::{Format, Writer, as_json, doer};
use crate::administer::{AdminError, By};
use crate::keys::MasterKey;
use crate::sha256::sha256;
use crate::{App, Caller, Lease, Trouble, request};

/// What the audit trail needs of a process.
pub struct Trail {
    /// What it is chained with.
    pub key: TrailKey,
    /// How many entries of what strangers do there were lately.
    failures: Failures,
    /// Where this process left the chain, and in which incarnation.
    end: Mutex<Option<(String, Place)>>,
    /// Whether it was looked for people who were deleted by a program that knows of no trail.
    are_gone_erased: AtomicBool,
}

impl Trail {
    pub(crate) fn new(master: &MasterKey) -> Self {
        let (failures, are_gone_erased) = (Failures::default(), AtomicBool::new(false));
        Self { key: TrailKey::new(master), failures, end: Mutex::default(), are_gone_erased }
    }

    /// Whether a chain that ends there can be the one that this process wrote to: it only grows, unless the whole database went
    /// back, which ends everything and begins another incarnation.
    fn goes_on_from(&self, incarnation: &str, last: &Place) -> bool {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let is_so = |(of, end): &(String, Place)| of != incarnation || last == end || last.position > end.position;
        end.as_ref().is_none_or(is_so)
    }

    fn note_end(&self, incarnation: String, end: Place) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some((incarnation, end));
    }
}

/// Entries that are shown if nobody says how many.
const FEW: i64 = 100;
/// Entries that are shown at once, at most.
pub const MOST: i64 = 1000;

impl From<AskedError> for LookError {
    fn from(error: AskedError) -> Self {
        match error {
            AskedError::Store(error) => Self::Admin(error.into()),
            other => Self::Asked(other),
        }
    }
}

/// Why nothing is shown.
#[derive(Debug)]
pub enum LookError {
    /// As for anything that administrators do.
    Admin(AdminError),
    /// 400: it cannot be asked for.
    Asked(AskedError),
}

impl<E: Into<AdminError>> From<E> for LookError {
    fn from(error: E) -> Self {
        Self::Admin(error.into())
    }
}

/// Some of the trail, the newest first.
pub struct Excerpt {
    /// Them.
    pub entries: Vec<Listed>,
    /// What to ask for to get the next ones ([`Filter::before`]); none if there are no more.
    pub before: Option<i64>,
}

/// Looks through the trail. `limit` is brought into 1 to [`MOST`] (100 if not given).
pub async fn list(app: &App, by: By<'_>, asked: Asked, limit: Option<i64>) -> Result<Excerpt, LookError> {
    by.check_role()?;
    let filter = asked.filter(&mut app.store.reader()).await?;
    let (store, limit) = (app.store.clone(), limit.unwrap_or(FEW).clamp(1, MOST));
    // Not every filter has an index.
    let found = async move { Ok::<_, Trouble>(excerpt(&store, &filter, limit).await?) };
    Ok(app.scans.take_turn(found).await?)
}

/// The same without an app, for the command line.
pub async fn excerpt(store: &Store, filter: &Filter, limit: i64) -> Result<Excerpt, StoreError> {
    let mut run = store.snapshot().await?;
    let mut entries = find::newest(&mut run, filter, limit.saturating_add(1)).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let is_more = entries.len() > limit;
    entries.truncate(limit);
    let before = entries.last().filter(|_| is_more).map(|last| last.said.id);
    Ok(Excerpt { entries, before })
}

/// Where the chain is: position and mac of its last entry.
pub async fn head(store: &Store) -> Result<(i64, String), StoreError> {
    let (head, _) = stored::head(&mut store.control()).await?;
    Ok((head.last.position, head.last.mac))
}

/// Says in the log where the chain is, for whoever keeps the log elsewhere: `cerrojo audit verify --head` can look for it.
pub async fn say_head(app: &App) -> Result<(), Trouble> {
    let (position, mac) = head(&app.store).await?;
    tracing::info!(audit.position = position, audit.mac = mac, "the audit trail is at this entry");
    Ok(())
}

/// Records that a server started, with which settings (a digest of those that nodes have to agree on).
pub async fn started(app: &App) -> Result<(), Trouble> {
    let digest = stored::hex(sha256(app.membership.settings().as_bytes()).get(..8).unwrap_or_default());
    let act = Act::new(AuditKind::ServerStarted, app.clock.now())
        .by(Actor::Server)
        .with("about", app.membership.about())
        .with("settings", digest);
    let mut tx = app.store.begin().await?;
    audit::record(&mut tx, act).await?;
    Ok(tx.commit().await?)
}

/// The next time that limits are written down, the trail says that something was refused, if there is room for it. `why`: a
/// word.
pub(crate) fn will_say_refused(app: &App, act: Act, (about, why): (About, &str)) {
    if app.trail.failures.have_room(about, app.clock.elapsed()) {
        let request = request::current().map(|id| id.as_str().to_owned());
        app.limits.will_say(act.with("why", why).for_request(request));
    }
}

/// Whether there is room for what a stranger does.
pub(crate) fn has_room_for_strangers(app: &App) -> bool {
    app.trail.failures.have_room(About::Nobody, app.clock.elapsed())
}

/// Says of each entry which process wrote it, and for which request.
pub(crate) struct Stamped {
    node: Option<String>,
}

impl Stamped {
    /// Commands have no name.
    pub(crate) fn new(node: &str, lease: Lease) -> Arc<Self> {
        Arc::new(Self { node: (lease != Lease::Guest).then(|| node.to_owned()) })
    }
}

impl Stamp for Stamped {
    fn node(&self) -> Option<String> {
        self.node.clone()
    }

    fn request(&self) -> Option<String> {
        request::current().map(|id| id.as_str().to_owned())
    }
}

/// What the caller does to the own account, by the own session.
pub(crate) fn own(app: &App, kind: AuditKind, (caller, origin): (&Caller, &Origin)) -> Act {
    Act::new(kind, app.clock.now())
        .by(Actor::User(caller.user))
        .to(caller.user)
        .in_session(&caller.session)
        .from(origin)
}

impl By<'_> {
    /// What whoever has this word does, to nobody yet.
    pub(crate) fn act(self, app: &App, kind: AuditKind) -> Act {
        let act = Act::new(kind, app.clock.now());
        match self {
            Self::Administrator(caller, origin) => {
                act.by(Actor::Administrator(caller.user)).in_session(&caller.session).from(origin)
            }
            Self::Operator => act.by(Actor::Operator),
        }
    }
}
