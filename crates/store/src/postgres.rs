//! What only PostgreSQL has: connections over a network, notifications, which server it is.

use std::collections::VecDeque;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use cerrojo_domain::UserId;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection as _, PgConnection, PgPool, Postgres, Row, Transaction};
use tokio::sync::watch;

use crate::Store;
use crate::db::{Db, Pool};
use crate::errors::{Failures, Result, StoreError};
use crate::row;

/// What a transaction that is to last sets for itself, also one that is a single statement.
macro_rules! waiting_commit {
    () => {
        "set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') \
         THEN 'on' ELSE current_setting('synchronous_commit') END, true)"
    };
}
pub(crate) use waiting_commit;

/// The isolation is said each time, whatever the server's default is. A commit that does not wait for the disk would lose
/// endings, and one that does not wait for a synchronous standby would let a cut-off primary go on: where that is the
/// setting it is overruled for the transaction. Any other setting of the operator's stays (`remote_apply` waits for more).
/// A transaction whose node says nothing more, because it stands still or is cut off, is rolled back before its lease runs out: it may hold the log's head, which every ending on every node waits for. One round
/// trip.
pub(crate) const BEGIN_WRITING: &str = concat!(
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL idle_in_transaction_session_timeout = '1500ms'; SELECT ",
    waiting_commit!()
);

/// All reads see the state of the first one.
pub(crate) const BEGIN_READING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Held until the migration's transaction ends, one for each schema. Not a session's lock: poolers hand sessions around.
pub(crate) const LOCK_MIGRATIONS: &str =
    "SELECT pg_advisory_xact_lock(1667592818, hashtext(coalesce(current_schema(), '')))";

/// Where nodes tell each other that the log has grown or was applied: one name a schema.
const CHANNEL: &str = "SELECT 'cerrojo.' || current_schema()";

/// The oldest server that is known to do what is needed.
const OLDEST: i64 = 150_000;

/// Connections that carry leases, the log and acknowledgements, so that no flood of requests keeps a node from showing that
/// it is current.
const CONTROL: u32 = 4;

/// Own words that are waited for at most.
const OWN: usize = 64;

/// How long a request waits for a connection, made or free; then it is refused.
const REQUESTS: Duration = Duration::from_secs(3);
/// The same for leases and the log. A connection that was asked for while the network was away is given up soon: the
/// system asks for it again after ever longer pauses, and whoever waits for it would miss that the network is back.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// What requests and background work need.
    Requests,
    /// Leases, the log, acknowledgements.
    Control,
}

/// The connections to one server.
#[derive(Clone)]
pub(crate) struct Pools(Arc<Shared>);

struct Shared {
    options: PgConnectOptions,
    connections: u32,
    now: RwLock<Lanes>,
    /// Marks of entries that this process wrote and whose word has not come back to it.
    own: Mutex<VecDeque<String>>,
    failures: Failures,
}

struct Lanes {
    requests: PgPool,
    control: PgPool,
    /// True once these connections are given up.
    cut: watch::Sender<bool>,
}

/// A pool, and word of when its connections are given up.
pub(crate) struct Link {
    pub(crate) pool: PgPool,
    cut: watch::Receiver<bool>,
    failures: Failures,
}

impl Link {
    /// What comes of `work`, unless the connections are given up first.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
        let done = tokio::select! {
            biased;
            done = work => done.map_err(|error| StoreError::before_commit(&error)),
            () = self.cut_off() => Err(given_up()),
        };
        done.map_err(|error| self.failures.note(error))
    }

    /// The same for a COMMIT that may have been sent.
    pub(crate) async fn during_commit<T>(&mut self, commit: impl Future<Output = Result<T>>) -> Result<T> {
        let done = tokio::select! {
            biased;
            done = commit => done,
            () = self.cut_off() => Err(StoreError::OutcomeUnknown(given_up().to_string())),
        };
        done.map_err(|error| self.failures.note(error))
    }

    /// Returns when the connections are given up, or those for which they were left; never if they are only left.
    async fn cut_off(&mut self) {
        if self.cut.wait_for(|cut| *cut).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn given_up() -> StoreError {
    StoreError::Unavailable("the server was not heard of and its connections were given up".to_owned())
}

impl Pools {
    pub(crate) fn figures(&self) -> Vec<Pool> {
        let (requests, control) = (self.link(Lane::Requests).pool, self.link(Lane::Control).pool);
        vec![Pool::of("requests", &requests), Pool::of("control", &control)]
    }

    pub(crate) fn failures(&self) -> &Failures {
        &self.0.failures
    }

    pub(crate) fn expect_word(&self, mark: &str) {
        let mut own = self.0.own.lock().unwrap_or_else(PoisonError::into_inner);
        // Words get lost.
        if own.len() == OWN {
            own.pop_front();
        }
        own.push_back(mark.to_owned());
    }

    /// Whether it was expected.
    pub(crate) fn forget_word(&self, mark: &str) -> bool {
        let mut own = self.0.own.lock().unwrap_or_else(PoisonError::into_inner);
        let place = own.iter().position(|known| known == mark);
        place.and_then(|place| own.remove(place)).is_some()
    }

    /// Whether a word is of this process's own entry, which it applies without being told.
    fn is_own(&self, payload: &str) -> bool {
        payload.split_once(' ').is_some_and(|(_, mark)| self.forget_word(mark))
    }

    fn lanes(options: &PgConnectOptions, connections: u32) -> Lanes {
        // A test before each use would cost a round trip; a connection that broke says so at its first statement.
        let pool = |most, patience| {
            let pool = PgPoolOptions::new().max_connections(most).acquire_timeout(patience);
            pool.test_before_acquire(false).connect_lazy_with(options.clone())
        };
        Lanes { requests: pool(connections, REQUESTS), control: pool(CONTROL, AT_ONCE), cut: watch::Sender::new(false) }
    }

    pub(crate) fn link(&self, lane: Lane) -> Link {
        let now = self.0.now.read().unwrap_or_else(PoisonError::into_inner);
        let pool = match lane {
            Lane::Requests => &now.requests,
            Lane::Control => &now.control,
        };
        Link { pool: pool.clone(), cut: now.cut.subscribe(), failures: self.0.failures.clone() }
    }

    /// Takes new connections from now on. `cut`: gives up whatever runs on the old ones, too: a server that is cut off
    /// answers nothing, not even that it is gone.
    fn begin_anew(&self, cut: bool) {
        let mut fresh = Self::lanes(&self.0.options, self.0.connections);
        let mut now = self.0.now.write().unwrap_or_else(PoisonError::into_inner);
        // Where they are only left, whoever has just taken the old ones still gets one; they are closed with the last of those,
        // and given up with the new ones.
        if !cut {
            fresh.cut = now.cut.clone();
        }
        let old = std::mem::replace(&mut *now, fresh);
        drop(now);
        if cut {
            old.cut.send_replace(true);
            // Closing says goodbye to the server, which may hang as long as the server does.
            tokio::spawn(async move { tokio::join!(old.requests.close(), old.control.close()) });
        }
    }

    pub(crate) async fn close(&self) {
        let (requests, control) = (self.link(Lane::Requests).pool, self.link(Lane::Control).pool);
        tokio::join!(requests.close(), control.close());
    }
}

/// Connects and refuses a server that cannot keep what the design promises.
pub(crate) async fn open(url: &str, connections: u32) -> Result<Pools> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| StoreError::Broken(format!("the address of the PostgreSQL server is not one: {error}")))?
        .application_name("cerrojo")
        .disable_statement_logging();
    let options = with_tls(options, url);
    check_server(&options).await?;
    let lanes = RwLock::new(Pools::lanes(&options, connections.max(1)));
    Ok(Pools(Arc::new(Shared {
        options,
        connections: connections.max(1),
        now: lanes,
        own: Mutex::default(),
        failures: Failures::default(),
    })))
}

/// By a connection of its own: a pool would try again and again, and not say why it cannot.
async fn check_server(options: &PgConnectOptions) -> Result<()> {
    let asking = async {
        let mut connection = PgConnection::connect_with(options).await?;
        let asked = "SELECT current_setting('fsync'), current_setting('server_encoding'), \
             CAST(current_setting('server_version_num') AS BIGINT)";
        let settings = sqlx::query(asked).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok((settings.try_get(0)?, settings.try_get(1)?, settings.try_get(2)?))
    };
    let asked = tokio::time::timeout(Duration::from_secs(10), asking).await;
    let asked = asked.map_err(|_| StoreError::Unavailable("no answer within 10 s".to_owned()))?;
    let (fsync, encoding, version): (String, String, i64) = asked.map_err(|error| StoreError::at_opening(&error))?;
    check_settings(&fsync, &encoding, version)
}

/// What goes over a network is encrypted and the server is who it says, unless the address (or `PGSSLMODE`) says otherwise.
pub(crate) fn with_tls(options: PgConnectOptions, url: &str) -> PgConnectOptions {
    let said =
        ["sslmode=", "ssl-mode="].iter().any(|name| url.contains(name)) || std::env::var_os("PGSSLMODE").is_some();
    if said || is_here(&options) { options } else { options.ssl_mode(PgSslMode::VerifyFull) }
}

/// Whether the way to the server does not leave this machine.
pub(crate) fn is_here(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.trim_matches(['[', ']']).parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// Begins a transaction, to the end though the caller goes away: a BEGIN given up half-way leaves its connection in a
/// transaction that the driver does not know of, and whoever gets it next may read one old state for ever.
pub(crate) async fn begin(link: &mut Link, how: &'static str) -> Result<Transaction<'static, Postgres>> {
    let pool = link.pool.clone();
    let mut begun = tokio::spawn(async move { pool.begin_with(how).await });
    link.during(async {
        match (&mut begun).await {
            Ok(begun) => begun,
            Err(error) => Err(sqlx::Error::Io(std::io::Error::other(format!("BEGIN was interrupted: {error}")))),
        }
    })
    .await
}

fn check_settings(fsync: &str, encoding: &str, version: i64) -> Result<()> {
    if version < OLDEST {
        let refused = format!("the PostgreSQL server is of version {}: 15 or later is needed", version / 10_000);
        return Err(StoreError::Broken(refused));
    }
    if fsync == "off" {
        let refused = "the PostgreSQL server runs with fsync = off and may forget logouts in a crash: turn it on";
        return Err(StoreError::Broken(refused.to_owned()));
    }
    if encoding != "UTF8" {
        let refused = format!("the database's encoding is {encoding}: create it with ENCODING 'UTF8'");
        return Err(StoreError::Broken(refused));
    }
    Ok(())
}

/// Whether this schema holds a table of migrations.
pub(crate) async fn has_migrations(pools: &Pools) -> Result<bool> {
    let mut link = pools.link(Lane::Control);
    let pool = link.pool.clone();
    let asked = sqlx::query("SELECT count(*) FROM pg_class WHERE oid = to_regclass('schema_version')");
    let found = link.during(asked.fetch_one(&pool)).await?;
    Ok(row::Row::Postgres(found).int(0)? > 0)
}

/// Whoever found that the server does not answer says so here: everything that waits for it on a connection of now fails,
/// and new connections are made. On SQLite nothing happens.
pub fn give_up_connections(store: &Store) {
    if let Db::Postgres(pools) = &store.db {
        pools.begin_anew(true);
    }
}

/// Whether commits wait for a standby: without that a promotion may lose some, whatever an operator says.
pub async fn waits_for_a_standby(store: &Store) -> Result<bool> {
    let Db::Postgres(pools) = &store.db else { return Ok(false) };
    let mut link = pools.link(Lane::Control);
    let pool = link.pool.clone();
    let asked = sqlx::query("SELECT current_setting('synchronous_standby_names')");
    let named = link.during(asked.fetch_one(&pool)).await?;
    Ok(!row::Row::Postgres(named).text(0)?.trim().is_empty())
}

/// What other nodes tell. Only a hint: whoever gets it looks for himself, and whoever gets none looks all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// The log has grown up to this entry; not told of one that this process ended alone.
    Grown(i64),
    /// This node has applied the log up to this entry.
    Applied(String, i64),
    /// This node has changed the profile of this user.
    Profile(UserId, String),
    /// One of them, or several: some may have been lost.
    Any,
}

impl Word {
    fn read(payload: &str) -> Self {
        let applied = || {
            let (node, number) = payload.strip_prefix("applied ")?.split_once(' ')?;
            Some(Self::Applied(node.to_owned(), number.parse().ok()?))
        };
        let profile = || {
            let (user, node) = payload.strip_prefix("profile ")?.split_once(' ')?;
            Some(Self::Profile(UserId(user.parse().ok()?), node.to_owned()))
        };
        let number = payload.split_once(' ').map_or(payload, |(number, _)| number);
        number.parse().ok().map(Self::Grown).or_else(applied).or_else(profile).unwrap_or(Self::Any)
    }
}

/// Word from other nodes that the log has grown or was applied. May be lost: whoever listens also looks now and then.
pub struct Listener {
    inner: PgListener,
    /// Given up together with all other connections.
    link: Link,
    pools: Pools,
}

/// Begins to listen.
///
/// # Errors
/// [`StoreError::Unavailable`] if there is no connection to be had; [`StoreError::Broken`] on SQLite.
pub async fn listen(store: &Store) -> Result<Listener> {
    let Db::Postgres(pools) = &store.db else {
        return Err(StoreError::Broken("notifications exist on PostgreSQL only".to_owned()));
    };
    let mut link = pools.link(Lane::Control);
    // A pool of its own: the connection is kept for as long as there is anybody to listen.
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(Duration::from_secs(2));
    let pool = pool.connect_lazy_with(pools.0.options.clone());
    let listening = async {
        let channel: String = sqlx::query(CHANNEL).fetch_one(&pool).await?.try_get(0)?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(&channel).await?;
        // Whoever uses it wants to know.
        listener.eager_reconnect(false);
        Ok(listener)
    };
    let inner = Box::pin(link.during(listening)).await?;
    Ok(Listener { inner, link, pools: pools.clone() })
}

impl Listener {
    /// Returns when there was word, or when some may have been lost.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the connection is lost. The server may have been restarted, and connections that were
    /// idle meanwhile would each fail whoever takes it next: new ones are taken from now on, and what runs goes on.
    pub async fn heard(&mut self) -> Result<Word> {
        loop {
            let heard = Box::pin(self.link.during(self.inner.try_recv())).await;
            if !matches!(heard, Ok(Some(_))) && !*self.link.cut.borrow() {
                self.pools.begin_anew(false);
            }
            let Some(told) = heard? else {
                return Err(StoreError::Unavailable("the connection that listens was lost".to_owned()));
            };
            if !self.pools.is_own(told.payload()) {
                return Ok(Word::read(told.payload()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use sqlx::postgres::{PgConnectOptions, PgSslMode};

    use cerrojo_domain::UserId;

    use super::{Word, check_settings, with_tls};
    use crate::StoreError;

    #[test]
    fn words_that_are_not_known_may_mean_anything() {
        assert_eq!(Word::read("17"), Word::Grown(17));
        assert_eq!(Word::read("17 0123456789abcdef01234567"), Word::Grown(17));
        assert_eq!(Word::read("applied n1 18"), Word::Applied("n1".to_owned(), 18));
        assert_eq!(Word::read("profile 7 n1"), Word::Profile(UserId(7), "n1".to_owned()));
        for other in
            ["", "profile", "profile 7", "profile x n1", "applied", "applied n1", "applied n1 x", "applied n1 18 19"]
        {
            assert_eq!(Word::read(other), Word::Any, "{other}");
        }
    }

    #[test]
    fn a_server_that_may_forget_commits_is_refused() {
        let refused = |fsync, encoding, version| match check_settings(fsync, encoding, version) {
            Err(StoreError::Broken(why)) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(check_settings("on", "UTF8", 150_000), Ok(()));
        assert!(refused("off", "UTF8", 150_000).contains("fsync"));
        assert!(refused("on", "LATIN1", 150_000).contains("UTF8"));
        assert!(refused("on", "UTF8", 140_012).contains("15 or later"));
    }

    #[test]
    fn a_server_elsewhere_is_asked_who_it_is() {
        let mode = |url: &str| with_tls(PgConnectOptions::from_str(url).unwrap(), url).get_ssl_mode();
        for here in ["postgres://u@127.0.0.1/d", "postgres://u@localhost/d", "postgres://u@[::1]/d"] {
            assert!(matches!(mode(here), PgSslMode::Prefer), "{here}");
        }
        assert!(matches!(mode("postgres://u@db.example.com/d"), PgSslMode::VerifyFull));
        assert!(matches!(mode("postgres://u@db.example.com/d?sslmode=require"), PgSslMode::Require));
    }
}
