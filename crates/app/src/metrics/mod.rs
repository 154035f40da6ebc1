//! What an operator can watch: counted where it happens, read when somebody asks.
//!
//! Labels have values of closed sets only; nothing that anybody sends becomes one.

mod family;
mod labels;
mod process;
mod readings;
mod timing;

use std::time::Duration;

use cerrojo_domain::{EndReason, UnixMillis};
use cerrojo_store::{StoreError, audit, log, outbox};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::{Metric, Registry};
use tokio::time::timeout;

pub use self::family::{ALL, Family, Kind};
pub(crate) use self::labels::{Attempt, Check, Delivery, Limit, Notice, SignIn};
pub use self::labels::{By, Label, SpanFate};
pub use self::readings::{Readings, Value};
pub use self::timing::{LONG, SHORT, Timing};
use crate::hashing::Hasher;
use crate::limits::Limits;
use crate::{App, Lease};

/// How old what was read of the database may be: whoever asks all the time does not ask the database each time.
const FRESH: Duration = Duration::from_secs(1);
/// How long the database is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// The counters of an [`App`].
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    pub(crate) sign_ins: By<SignIn>,
    pub(crate) new_places: By<Notice>,
    pub(crate) registrations: By<Attempt>,
    pub(crate) reset_requests: By<Attempt>,
    pub(crate) resets: By<Attempt>,
    pub(crate) verifications: By<Attempt>,
    pub(crate) checks: By<Check>,
    pub(crate) endings: By<EndReason>,
    pub(crate) ending_commit: Timing,
    pub(crate) ending_known: Timing,
    pub(crate) unconfirmed: Counter,
    pub(crate) mails: By<Delivery>,
    pub(crate) went_back: Counter,
    pub(crate) everything_over: Counter,
    pub(crate) lease_failures: Counter,
    pub(crate) background_failures: Counter,
    /// What became of spans of traces.
    pub spans: By<SpanFate>,
    database: tokio::sync::Mutex<Option<(Duration, Option<Read>)>>,
}

/// What is read of the database.
#[derive(Clone, Copy, Debug)]
struct Read {
    head: i64,
    mail: outbox::Waiting,
    unsealed: i64,
}

/// Registers a metric under a family's name.
pub fn register(registry: &mut Registry, family: &Family, metric: impl Metric) {
    // The encoder ends counters' names by itself, and every help text with a full stop.
    registry.register(family.name.strip_suffix("_total").unwrap_or(family.name), family.help, metric);
}

impl Metrics {
    pub(crate) fn new(hasher: &Hasher, limits: &Limits) -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            sign_ins: By::default(),
            new_places: By::default(),
            registrations: By::default(),
            reset_requests: By::default(),
            resets: By::default(),
            verifications: By::default(),
            checks: By::default(),
            endings: By::default(),
            ending_commit: Timing::new(SHORT),
            ending_known: Timing::new(LONG),
            unconfirmed: Counter::default(),
            mails: By::default(),
            went_back: Counter::default(),
            everything_over: Counter::default(),
            lease_failures: Counter::default(),
            background_failures: Counter::default(),
            spans: By::default(),
            database: tokio::sync::Mutex::default(),
        };
        let mut registry = Registry::default();
        register(&mut registry, &family::SIGN_INS, metrics.sign_ins.clone());
        register(&mut registry, &family::NEW_PLACES, metrics.new_places.clone());
        register(&mut registry, &family::REGISTRATIONS, metrics.registrations.clone());
        register(&mut registry, &family::RESET_REQUESTS, metrics.reset_requests.clone());
        register(&mut registry, &family::RESETS, metrics.resets.clone());
        register(&mut registry, &family::VERIFICATIONS, metrics.verifications.clone());
        register(&mut registry, &family::CHECKS, metrics.checks.clone());
        register(&mut registry, &family::ENDINGS, metrics.endings.clone());
        register(&mut registry, &family::ENDING_COMMIT, metrics.ending_commit.clone());
        register(&mut registry, &family::ENDING_KNOWN, metrics.ending_known.clone());
        register(&mut registry, &family::UNCONFIRMED, metrics.unconfirmed.clone());
        register(&mut registry, &family::MAILS, metrics.mails.clone());
        register(&mut registry, &family::WENT_BACK, metrics.went_back.clone());
        register(&mut registry, &family::EVERYTHING_OVER, metrics.everything_over.clone());
        register(&mut registry, &family::LEASE_FAILURES, metrics.lease_failures.clone());
        register(&mut registry, &family::BACKGROUND_FAILURES, metrics.background_failures.clone());
        register(&mut registry, &family::SPANS, metrics.spans.clone());
        register(&mut registry, &family::LIMITS, limits.hits.clone());
        hasher.register(&mut registry, [&family::HASH_WAIT, &family::HASH_TIME, &family::HASH_REFUSED]);
        metrics.registry = registry;
        metrics
    }

    /// What is counted, to be encoded.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}

/// Everything else: as it is now. Asks the database at most once a second, and no longer than a second.
pub async fn readings(app: &App) -> Readings {
    let mut into = Readings::default();
    let engine = if app.store.is_sqlite() { "sqlite" } else { "postgresql" };
    into.add_each(&family::BUILD, [([env!("CARGO_PKG_VERSION"), engine], true)]);
    into.add(&family::READY, app.is_ready());
    read_cluster(app, &mut into);
    read_database(app, &mut into).await;
    read_guard(app, &mut into);
    let hashing = app.hasher.load();
    into.add(&family::HASH_WAITING, hashing.waiting);
    into.add(&family::HASH_RUNNING, hashing.running);
    into.add(&family::HASH_THREADS, hashing.threads);
    let census = app.keys.census();
    into.add_each(&family::KEYS, census.counts);
    if let Some(UnixMillis(at)) = census.signing_since {
        into.add(&family::KEY_CREATED, at.div_euclid(1000));
    }
    process::read(&mut into);
    into
}

fn read_cluster(app: &App, into: &mut Readings) {
    let applied = app.follower.number();
    into.add(&family::LOG_APPLIED, applied);
    if app.lease == Lease::Member {
        let left = app.guard.lease().left(&*app.clock).unwrap_or(Duration::MAX);
        into.add(&family::LEASE_LEFT, left.as_secs_f64());
        let (nodes, behind) = app.membership.seen();
        into.add(&family::NODES, nodes);
        into.add(&family::NODES_LAG, behind);
    }
}

async fn read_database(app: &App, into: &mut Readings) {
    let read = {
        let mut last = app.metrics.database.lock().await;
        let now = app.clock.elapsed();
        match &*last {
            Some((at, read)) if now.saturating_sub(*at) < FRESH => *read,
            _ => {
                // Not on the connections of requests: they are what is watched.
                let read = timeout(PATIENCE, ask(app)).await.ok().and_then(Result::ok);
                *last = Some((app.clock.elapsed(), read));
                read
            }
        }
    };
    into.add(&family::DATABASE_UP, read.is_some());
    if let Some(Read { head, mail, unsealed }) = read {
        into.add(&family::LOG_HEAD, head);
        into.add(&family::AUDIT_WAITING, unsealed);
        into.add(&family::MAIL_WAITING, mail.all);
        into.add(&family::MAIL_DUE, mail.due);
        let age = mail.oldest.map_or(Duration::ZERO, |oldest| app.clock.now().since(oldest));
        into.add(&family::MAIL_AGE, age.as_secs_f64());
    }
    let pools = app.store.pools();
    let states = pools.iter().flat_map(|pool| {
        let in_use = pool.open.saturating_sub(pool.idle);
        [([pool.name, "in_use"], in_use), ([pool.name, "idle"], pool.idle)]
    });
    into.add_each(&family::DATABASE_CONNECTIONS, states);
    into.add_each(&family::DATABASE_CONNECTIONS_MOST, pools.iter().map(|pool| ([pool.name], pool.most)));
    into.add_each(&family::DATABASE_ERRORS, app.store.errors().map(|(kind, count)| ([kind], count)));
}

async fn ask(app: &App) -> Result<Read, StoreError> {
    let mut reader = app.store.control();
    let head = log::head(&mut reader).await?.number;
    let mail = outbox::waiting(&mut reader, app.clock.now()).await?;
    Ok(Read { head, mail, unsealed: audit::waiting(&mut reader).await? })
}

fn read_guard(app: &App, into: &mut Readings) {
    into.add(&family::CACHE_MISSES, app.guard.verifications());
    into.add(&family::CACHE_ENTRIES, app.guard.remembered());
    let lists = app.guard.open_lists();
    into.add(&family::LISTS, lists.len());
    let (mut places, mut ended) = (0_u64, 0_u64);
    for (list, capacity) in lists {
        places += u64::from(capacity);
        // A list at a time: all together take megabytes.
        let bytes = app.guard.list_bytes(&list).unwrap_or_default();
        ended += bytes.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>();
    }
    let open = places.saturating_sub(ended);
    into.add_each(&family::LIST_PLACES, [(["ended"], ended), (["open"], open)]);
}
