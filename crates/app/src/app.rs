//! The one struct that use cases are functions of, built in one place.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};
use std::time::Duration;

use cerrojo_domain::{Clock, KeyId, Random};
use cerrojo_guard::{Guard, Policy};
use cerrojo_store::commits::{self, Witness};
use cerrojo_store::{Store, StoreError, leases};
use tokio::sync::Notify;

use crate::agreement::Agreement;
use crate::audit::{Stamped, Trail};
use crate::breached::Breached;
use crate::end::Ender;
use crate::ended_lately::EndedLately;
use crate::feed::Feed;
use crate::follow::{self, Applied, Follower};
use crate::hashing::Hasher;
use crate::keys::{KeyError, Keyring, KeyringParts, MasterKey, given_key};
use crate::lease::{self, Membership};
use crate::limits::Limits;
use crate::lists::Blocks;
use crate::mail::{BadTemplates, Mailer, Templates};
use crate::metrics::Metrics;
use crate::old_tokens;
use crate::onlookers::Onlookers;
use crate::over::Reasons;
use crate::picture::Pictures;
use crate::put_back::{checkpoint, end_everything_if_it_went_back, open_side_file, unusable};
use crate::scans::Scans;
use crate::services::Services;
use crate::side_file::{Remembered, SideFile};
use crate::status_list::StatusListTokens;
use crate::system::Counted;
use crate::went_back::{self, Court};
use crate::{Settings, Trouble};

/// Whether this process may say yes from memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It holds the operating system's lock on the database (SQLite).
    Holder,
    /// One of the nodes on a database: its right runs out and is renewed (PostgreSQL).
    Member,
    /// It may not: this is a command beside running servers.
    Guest,
}

/// What an [`App`] is built from.
pub struct Parts {
    /// What an operator set.
    pub settings: Settings,
    /// The database, its schema current.
    pub store: Store,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// How mail leaves.
    pub mailer: Arc<dyn Mailer>,
    /// What signing keys are sealed with.
    pub master_key: MasterKey,
    /// Whether this process holds the lock.
    pub lease: Lease,
    /// Where the last position of the log is kept beside the database, or by a node of its own.
    pub side_file: Option<PathBuf>,
    /// Where this node listens and which version it is, for people who look at the cluster.
    pub about: String,
}

/// Everything that use cases need.
pub struct App {
    /// What an operator set.
    pub settings: Settings,
    /// The database.
    pub store: Store,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// What verifies tokens.
    pub guard: Arc<Guard>,
    /// Signing keys.
    pub keys: Keyring,
    /// The threads that hash passwords.
    pub hasher: Hasher,
    /// Counters of tries and requests.
    pub limits: Arc<Limits>,
    /// What is counted.
    pub metrics: Metrics,
    /// How mail leaves.
    pub mailer: Arc<dyn Mailer>,
    /// What mails say.
    pub(crate) templates: Templates,
    /// Wakes whoever delivers mail.
    pub mail_waiting: Notify,
    /// Signed lists that were made lately.
    pub status_list_tokens: StatusListTokens,
    /// The newest entries of the log, for those who follow from outside.
    pub feed: Feed,
    /// Who follows the own session.
    pub onlookers: Onlookers,
    /// Which sessions ended lately.
    pub ended_lately: EndedLately,
    /// What the audit trail needs.
    pub trail: Trail,
    /// Services that may follow, as read lately.
    pub services: Services,
    /// Passwords that leaked, if there is a list of them.
    pub(crate) breached: Option<Breached>,
    pub(crate) pictures: Pictures,
    pub(crate) lease: Lease,
    /// The key that the settings give for session tokens, if they do.
    pub(crate) given: Option<KeyId>,
    pub(crate) node: String,
    pub(crate) ender: Ender,
    pub(crate) follower: Follower,
    pub(crate) membership: Membership,
    pub(crate) blocks: Blocks,
    pub(crate) old_tokens: old_tokens::Known,
    pub(crate) reasons: Reasons,
    /// Whether sessions of before were held to the longest age that is set now.
    pub(crate) are_ages_kept: AtomicBool,
    /// Turns of those who look up lists that are not known.
    pub(crate) look_ups: tokio::sync::Semaphore,
    pub(crate) scans: Scans,
    pub(crate) counted: std::sync::Mutex<Option<Counted>>,
    pub(crate) writing_down: tokio::sync::Mutex<()>,
    pub(crate) side_file: Option<Arc<SideFile>>,
    me: Weak<App>,
}

/// Why it does not start; says what to do.
#[derive(Debug)]
pub enum StartError {
    /// The signing keys cannot be opened.
    Keys(KeyError),
    /// The templates of mails cannot be used.
    Templates(BadTemplates),
    /// The database or a file beside it cannot be used.
    Trouble(Trouble),
}

impl From<Trouble> for StartError {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Trouble(error.into())
    }
}

/// What loading lists needs.
pub(crate) struct Loading<'a> {
    pub(crate) store: &'a Store,
    pub(crate) guard: &'a Guard,
    /// The shortest that anybody has.
    pub(crate) idle_timeout: Option<Duration>,
}

impl App {
    /// Looks whether the database went back, opens the keys, loads lists and limits.
    ///
    /// # Errors
    /// [`StartError`] if the keys were sealed with another master key or the database cannot be read.
    pub async fn start(parts: Parts) -> Result<Arc<Self>, StartError> {
        let Parts { settings, store, clock, random, mailer, master_key, lease, side_file, about } = parts;
        let side_file = match side_file {
            Some(path) if lease != Lease::Guest => Some(Arc::new(open_side_file(&path)?)),
            _ => None,
        };
        let (templates, given) = (templates_of(&settings, lease)?, given_key(&settings.algorithm));
        let (failover, given_key) = (settings.failover, given.as_ref());
        let court = Court { store: &store, clock: &*clock, random: &*random, failover, given: given_key };
        let (server, went_back) = judge(court, side_file.as_deref()).await?;
        let guard = Arc::new(guard_of(&settings, &clock));
        old_tokens::prepare(&store, &settings).await?;
        let (agreement, trail) = (Agreement::new(&settings, &master_key), Trail::new(&master_key));
        watch(&store, &guard, side_file.clone());
        let keys = Keyring::open(KeyringParts {
            store: &store,
            guard: Arc::clone(&guard),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            master: master_key,
            algorithm: settings.algorithm.clone(),
            earlier_secret: settings.earlier_secret.clone(),
            lease,
        })
        .await
        .map_err(StartError::Keys)?;
        let loading = Loading { store: &store, guard: &guard, idle_timeout: settings.shortest_idle_timeout() };
        let (applied, _) = follow::load(&loading).await?;
        let limits = Limits::new(settings.login_limit, settings.public_limit, Arc::clone(&clock));
        limits.load(&store).await?;
        let node = name(&store, &*random, lease);
        hold_alone(lease, (&store, &guard), (&node, &applied)).await?;
        let hasher = Hasher::start(&settings.password, Arc::clone(&clock), Arc::clone(&random));
        let metrics = Metrics::new(&hasher, &limits);
        metrics.went_back.inc_by(went_back.into());
        let app = Arc::new_cyclic(|me: &Weak<App>| Self {
            keys,
            hasher,
            limits,
            metrics,
            mailer,
            templates,
            mail_waiting: Notify::new(),
            status_list_tokens: StatusListTokens::default(),
            feed: Feed::at(applied.incarnation.clone(), applied.position.clone()),
            onlookers: Onlookers::default(),
            ended_lately: EndedLately::default(),
            trail,
            services: Services::default(),
            breached: Breached::of(&settings.password),
            pictures: Pictures::default(),
            lease,
            given,
            node,
            ender: Ender::start(Weak::clone(me)),
            follower: Follower::at(applied.clone(), server),
            membership: Membership::new(about, agreement),
            blocks: Blocks::default(),
            old_tokens: old_tokens::Known::new(&settings),
            reasons: Reasons::default(),
            are_ages_kept: AtomicBool::new(false),
            look_ups: tokio::sync::Semaphore::new(2),
            scans: Scans::default(),
            counted: std::sync::Mutex::default(),
            writing_down: tokio::sync::Mutex::default(),
            side_file,
            me: Weak::clone(me),
            settings,
            store,
            clock,
            random,
            guard,
        });
        app.remember(applied).await?;
        lease::beat(&app).await?;
        Ok(app)
    }

    /// Whether this process may say yes, from memory.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.guard.holds_lease()
    }

    /// This app, to be held by a task that outlives its caller.
    pub(crate) fn shared(&self) -> Result<Arc<Self>, Trouble> {
        self.me.upgrade().ok_or_else(|| Trouble::Unavailable("shutting down".to_owned()))
    }

    /// What is needed to find out whether the database went back.
    pub(crate) fn court(&self) -> Court<'_> {
        let failover = self.settings.failover;
        Court { store: &self.store, clock: &*self.clock, random: &*self.random, failover, given: self.given.as_ref() }
    }

    async fn remember(&self, Applied { position, incarnation }: Applied) -> Result<(), StartError> {
        let Some(file) = &self.side_file else { return Ok(()) };
        let commits = if self.store.is_sqlite() {
            commits::count(&mut self.store.reader()).await?
        } else {
            self.follower.flushed()
        };
        file.set(Remembered { incarnation, position, commits, in_file: 0 }).map_err(|error| unusable(&error))?;
        Ok(checkpoint(self).await?)
    }
}

/// Takes the lease of the one server there is, if this is it, which does not run out.
async fn hold_alone(
    lease: Lease,
    (store, guard): (&Store, &Guard),
    (node, applied): (&str, &Applied),
) -> Result<(), StoreError> {
    if lease != Lease::Holder {
        return Ok(());
    }
    leases::take_only(store, node, applied.position.number).await?;
    guard.hold_lease_until(Duration::MAX);
    Ok(())
}

/// A name for this process, which entries of the audit trail say.
fn name(store: &Store, random: &dyn Random, lease: Lease) -> String {
    let node = cerrojo_domain::SessionId::new(random).to_string();
    store.stamp_acts(Stamped::new(&node, lease));
    node
}

fn watch(store: &Store, guard: &Arc<Guard>, side_file: Option<Arc<SideFile>>) {
    let engine = if store.is_sqlite() { Engine::Sqlite } else { Engine::Postgres };
    store.watch_commits(Arc::new(Watch { guard: Arc::clone(guard), side_file, engine }));
}

/// On which server the database is and how far that is, and whether it had gone back: then everything was ended.
async fn judge(court: Court<'_>, side_file: Option<&SideFile>) -> Result<((String, i64), bool), StartError> {
    if !court.store.is_sqlite() {
        let verdict = went_back::at_start(court, side_file).await?;
        let went_back = verdict.went_back();
        return Ok(((verdict.identity, verdict.flushed), went_back));
    }
    let went_back = match side_file {
        Some(file) => {
            end_everything_if_it_went_back(court.store, file, (court.clock, court.random, court.given)).await?
        }
        None => false,
    };
    Ok(((String::new(), 0), went_back))
}

/// What mails say. A command delivers none, and goes on beside a server that has other templates than it finds.
fn templates_of(settings: &Settings, lease: Lease) -> Result<Templates, StartError> {
    let folder = settings.mail_templates.as_deref().filter(|_| lease != Lease::Guest);
    Templates::load(folder).map_err(StartError::Templates)
}

/// What verifies tokens under these settings; it knows of nothing yet.
pub(crate) fn guard_of(settings: &Settings, clock: &Arc<dyn Clock>) -> Guard {
    let policy = Policy {
        issuer: settings.public_url.clone(),
        audience: settings.audience.clone(),
        idle_timeout: settings.idle_timeout,
        cache_capacity: settings.cache_capacity,
    };
    let of_roles = || settings.by_role.iter();
    let idle_by_role = of_roles().filter_map(|(role, rules)| Some((*role, rules.idle_timeout?))).collect();
    let max_age = of_roles().filter_map(|(role, rules)| Some((*role, rules.max_age?))).collect();
    Guard::new(policy, Arc::clone(clock)).with_idle_by_role(idle_by_role).with_max_age(settings.max_age, max_age)
}

/// Told of every commit.
struct Watch {
    guard: Arc<Guard>,
    side_file: Option<Arc<SideFile>>,
    engine: Engine,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Engine {
    Sqlite,
    Postgres,
}

impl Witness for Watch {
    fn committed(&self, number: i64) {
        if let Some(file) = &self.side_file {
            crate::follow::report(file.note_commit(number));
        }
    }

    /// This process may no longer know what is over, and after a failed `fsync` nothing that SQLite says is certain: it
    /// ends, and the next start reads the truth.
    fn outcome_unknown(&self, cause: &str) {
        tracing::error!(error = cause, "COMMIT failed with an unknown outcome");
        if self.engine == Engine::Sqlite {
            self.guard.hold_lease_until(Duration::ZERO);
            std::process::abort();
        }
    }
}
