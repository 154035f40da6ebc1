//! The one struct that use cases are functions of, built in one place.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use cerrojo_domain::{Actor, Clock, EndReason, Ending, Random};
use cerrojo_guard::{Guard, Policy};
use cerrojo_store::{Store, StoreError, leases, log, sessions};
use tokio::sync::Notify;

use crate::end::{self, Ender};
use crate::follow::{self, Follower};
use crate::hashing::Hasher;
use crate::keys::{KeyError, Keyring, KeyringParts, MasterKey};
use crate::limits::Limits;
use crate::lists::Blocks;
use crate::mail::Mailer;
use crate::side_file::{Remembered, SideFile};
use crate::status_list::StatusListTokens;
use crate::{Settings, Trouble};

/// Whether this process may say yes from memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It holds the operating system's lock on the database.
    Holder,
    /// Another process does: this is a command beside a running server.
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
    /// Where the last position of the log is kept beside the database.
    pub side_file: Option<PathBuf>,
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
    /// How mail leaves.
    pub mailer: Arc<dyn Mailer>,
    /// Wakes whoever delivers mail.
    pub mail_waiting: Notify,
    /// Signed lists that were made lately.
    pub status_list_tokens: StatusListTokens,
    pub(crate) lease: Lease,
    pub(crate) node: String,
    pub(crate) ender: Ender,
    pub(crate) follower: Follower,
    pub(crate) blocks: Blocks,
    pub(crate) side_file: Option<SideFile>,
    me: Weak<App>,
}

/// Why it does not start; says what to do.
#[derive(Debug)]
pub enum StartError {
    /// The signing keys cannot be opened.
    Keys(KeyError),
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
    pub(crate) idle_timeout: Option<Duration>,
}

impl App {
    /// Looks whether the database went back, opens the keys, loads lists and limits.
    ///
    /// # Errors
    /// [`StartError`] if the keys were sealed with another master key or the database cannot be read.
    pub async fn start(parts: Parts) -> Result<Arc<Self>, StartError> {
        let Parts { settings, store, clock, random, mailer, master_key, lease, side_file } = parts;
        let side_file = match side_file {
            Some(path) if lease == Lease::Holder => Some(open_side_file(&path)?),
            _ => None,
        };
        if let Some(file) = &side_file {
            end_everything_if_it_went_back(&store, file, (&*clock, &*random)).await?;
        }
        let guard = Arc::new(Guard::new(
            Policy {
                issuer: settings.public_url.clone(),
                audience: settings.audience.clone(),
                idle_timeout: settings.idle_timeout,
                cache_capacity: settings.cache_capacity,
            },
            Arc::clone(&clock),
        ));
        let keys = Keyring::open(KeyringParts {
            store: &store,
            guard: Arc::clone(&guard),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            master: master_key,
            algorithm: settings.algorithm.clone(),
            lease,
        })
        .await
        .map_err(StartError::Keys)?;
        let loading = Loading { store: &store, guard: &guard, idle_timeout: settings.idle_timeout };
        let position = follow::load(&loading).await?;
        let limits = Limits::new(settings.login_limit, settings.public_limit, Arc::clone(&clock));
        limits.load(&store).await?;
        let node = cerrojo_domain::SessionId::new(&*random).to_string();
        if lease == Lease::Holder {
            leases::take_only(&store, &node, position.number).await?;
            guard.hold_lease_until(Duration::MAX);
        }
        let hasher = Hasher::start(&settings.password, Arc::clone(&clock), Arc::clone(&random));
        let app = Arc::new_cyclic(|me: &Weak<App>| Self {
            keys,
            hasher,
            limits,
            mailer,
            mail_waiting: Notify::new(),
            status_list_tokens: StatusListTokens::default(),
            lease,
            node,
            ender: Ender::start(Weak::clone(me)),
            follower: Follower::at(position.clone()),
            blocks: Blocks::default(),
            side_file,
            me: Weak::clone(me),
            settings,
            store,
            clock,
            random,
            guard,
        });
        app.remember(position).await?;
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

    /// After a COMMIT whose outcome is not known this process may no longer know what is over. It ends: the next start
    /// reads the truth (SQLite: an I/O error at commit).
    pub(crate) fn distrust(&self, error: &StoreError) {
        if let StoreError::OutcomeUnknown(cause) = error {
            self.guard.hold_lease_until(Duration::ZERO);
            tracing::error!(cause, "COMMIT failed with an unknown outcome");
            if self.store.is_sqlite() {
                std::process::abort();
            }
        }
    }

    async fn remember(&self, position: cerrojo_domain::Position) -> Result<(), StartError> {
        let Some(file) = &self.side_file else { return Ok(()) };
        let mut run = self.store.reader();
        let newest_session = sessions::newest(&mut run).await?;
        let remembered = Remembered { incarnation: log::incarnation(&mut run).await?, position, newest_session };
        file.set(remembered).map_err(|error| unusable(&error).into())
    }
}

fn unusable(error: &std::io::Error) -> Trouble {
    Trouble::Internal(format!("the position file beside the database cannot be used: {error}"))
}

fn open_side_file(path: &Path) -> Result<SideFile, Trouble> {
    SideFile::open(path).map_err(|error| unusable(&error))
}

/// A database that does not hold what the side file remembers has gone back, and one without a side file may have.
async fn end_everything_if_it_went_back(
    store: &Store,
    file: &SideFile,
    (clock, random): (&dyn Clock, &dyn Random),
) -> Result<(), StartError> {
    let mut run = store.reader();
    let newest = sessions::newest(&mut run).await?;
    let held = match file.remembered() {
        Some(remembered) => holds(store, &remembered).await?,
        None => newest.is_none(),
    };
    if held {
        return Ok(());
    }
    tracing::warn!(
        "the database is older than what this server last knew of it, or its position file is missing: \
         every session is ended"
    );
    let mut tx = store.begin_ending().await?;
    let ending = Ending { reason: EndReason::Restored, actor: Actor::Server, at: clock.now(), place: None };
    let incarnation = cerrojo_domain::SessionId::new(random).to_string();
    end::everything_in_tx(&mut tx, &incarnation, &ending).await?;
    tx.commit().await?;
    Ok(())
}

async fn holds(store: &Store, remembered: &Remembered) -> Result<bool, StoreError> {
    let mut run = store.reader();
    if log::incarnation(&mut run).await? != remembered.incarnation {
        return Ok(false);
    }
    let number = remembered.position.number;
    let same_mark = match log::at(&mut run, number).await? {
        Some(entry) => entry.position.mark == remembered.position.mark,
        None => number == 0,
    };
    let newest_there = match &remembered.newest_session {
        Some(id) => sessions::by_id(&mut run, id).await?.is_some(),
        None => true,
    };
    Ok(same_mark && newest_there)
}
