//! Password hashes, made and checked on bounded threads of their own at low priority, in turns by address.

mod bench;
mod foreign;
mod queue;
mod schemes;

use std::net::Ipv6Addr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cerrojo_domain::{AddressBlock, Clock, Random};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::sync::oneshot;
use tracing::Span;
use zeroize::Zeroizing;

use self::bench::{Bench, Kinds};
pub use self::foreign::{Firebase, Foreign, Format, NO_PASSWORD, Node, OptionsError, adopt, firebase, name_of, node};
pub(crate) use self::queue::Load;
use self::queue::{Job, Queue, Task};
pub use self::schemes::Unreadable;
use crate::metrics::{self, Family, LONG, Timing};
use crate::{Argon2Settings, PasswordSettings, traced};

/// How much nicer the threads are than those that answer requests (`setpriority(2)`). On Linux 3 is a weight of 526
/// beside 1024: while both kinds want the whole machine hashing gets between a fifth and two fifths of it, and everything
/// else stays fast. At 2 the checks of tokens, whose cache the hashes' memory washes out, were left just half of what they
/// reach alone.
const NICENESS: i32 = 3;
/// A thread that has had nothing to do for so long gives back its memory.
const IDLE: Duration = Duration::from_secs(10);

/// Whose turn a job counts against.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Where the request comes from.
    pub block: AddressBlock,
    /// Whether the account signed in from there before.
    pub known: Known,
}

/// Whether an account signed in from an address before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// It did, within 90 days.
    Yes,
    /// It did not, or there is no such account.
    No,
}

/// What a check found.
#[derive(Debug, PartialEq, Eq)]
pub enum Checked {
    /// Not the password, or there is none.
    Wrong,
    /// The password.
    Right,
    /// The password, and this new hash should replace the stored one, which is bcrypt or of another cost.
    RightWith(String),
}

/// The queue is longer than anybody should wait (503).
#[derive(Debug)]
pub struct Busy {
    /// When it may be worth trying again; a second at least.
    pub retry_after: Duration,
}

impl Busy {
    const LATER: Self = Self { retry_after: Duration::from_secs(1) };
}

/// Whether hashes of this cost are checked: at most 1 GiB of memory, 16 passes, 16 lanes, and 4 GiB of memory times passes.
/// A dearer one is never the password, whoever made it.
#[must_use]
pub fn is_affordable(cost: Argon2Settings) -> bool {
    schemes::is_affordable(cost)
}

/// The threads and their queue. Dropped, they end after the job that each is at.
pub struct Hasher {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    clock: Arc<dyn Clock>,
    waits: Timing,
    takes: Timing,
    /// Those who would have waited, or have waited, longer than anybody should.
    refused: Counter,
}

struct State {
    queue: Queue,
    closed: bool,
}

/// What is stored of a password that is worth nothing any more: no password is right for it, after as much work, and it is known
/// again ([`of_voided`]). Unix and Django mark one so.
pub(crate) fn voided(hash: &str) -> String {
    if hash.is_empty() || hash.starts_with('!') { hash.to_owned() } else { format!("!{hash}") }
}

/// The hash of before.
pub(crate) fn of_voided(stored: &str) -> Option<&str> {
    stored.strip_prefix('!')
}

impl Hasher {
    /// Starts the threads. They take their memory only with their first hash. A cost that Argon2 does not work with is
    /// raised to the nearest with which it does.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "each thread has its share of it")]
    pub fn start(settings: &PasswordSettings, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let wanted = settings.threads.max(1);
        let cost = schemes::workable(settings.argon2);
        let kinds = Arc::new(Kinds::new(cost));
        let queue = Queue::new(wanted, settings.longest_wait);
        let refused = queue.refused.clone();
        let state = Mutex::new(State { queue, closed: false });
        let (waits, takes) = (Timing::new(LONG), Timing::new(LONG));
        let shared = Arc::new(Shared { state, wake: Condvar::new(), clock, waits, takes, refused });
        let mut started = 0;
        for _ in 0..wanted {
            let (shared, bench) = (Arc::clone(&shared), Bench::new(cost, Arc::clone(&kinds), Arc::clone(&random)));
            match std::thread::Builder::new().name("cerrojo-hash".to_owned()).spawn(move || work(&shared, bench)) {
                Ok(_) => started += 1,
                Err(error) => tracing::error!(%error, "a thread for password hashing could not be started"),
            }
        }
        // Without a thread nobody would ever be answered: everybody is told so at once.
        shared.lock().closed = started == 0;
        Self { shared }
    }

    /// Checks `password` against a stored hash. `stored` `None`, empty or unknown: an account that does not exist or has
    /// no password; the same work, and always [`Checked::Wrong`].
    ///
    /// # Errors
    /// [`Busy`] if it would wait, or has waited, longer than anybody should.
    pub async fn check(&self, turn: Turn, password: String, stored: Option<String>) -> Result<Checked, Busy> {
        let (reply, answer) = oneshot::channel();
        self.submit(turn, password, Task::Check { stored, reply })?;
        answer.await.unwrap_or(Err(Busy::LATER))
    }

    /// A new hash of `password`, as a PHC string.
    ///
    /// # Errors
    /// [`Busy`] if it would wait, or has waited, longer than anybody should.
    pub async fn hash(&self, turn: Turn, password: String) -> Result<String, Busy> {
        let (reply, answer) = oneshot::channel();
        self.submit(turn, password, Task::Make { reply })?;
        answer.await.unwrap_or(Err(Busy::LATER))
    }

    /// The command line's turn: nobody else waits.
    #[must_use]
    pub fn operator_turn() -> Turn {
        Turn { block: AddressBlock::of(Ipv6Addr::UNSPECIFIED.into()), known: Known::Yes }
    }

    /// Registers how long passwords wait, how long they take and how many are refused.
    pub(crate) fn register(&self, registry: &mut Registry, [wait, time, refused]: [&Family; 3]) {
        metrics::register(registry, wait, self.shared.waits.clone());
        metrics::register(registry, time, self.shared.takes.clone());
        metrics::register(registry, refused, self.shared.refused.clone());
    }

    /// How much there is to do.
    pub(crate) fn load(&self) -> Load {
        self.shared.lock().queue.load()
    }

    fn submit(&self, turn: Turn, password: String, task: Task) -> Result<(), Busy> {
        let since = self.shared.clock.elapsed();
        let (asked, waits) = (Span::current(), traced::password_waits());
        let job = Job { password: Zeroizing::new(password), task, since, asked, waits };
        let mut state = self.shared.lock();
        if state.closed {
            return Err(Busy::LATER);
        }
        state.queue.push(turn, job)?;
        drop(state);
        self.shared.wake.notify_one();
        Ok(())
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

impl Shared {
    /// Nothing is left half done under this lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a job; `None` when there will be no more.
    fn next(&self, bench: &mut Bench) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            let now = self.clock.elapsed();
            if let Some(job) = state.queue.pop(now) {
                self.waits.note(now.saturating_sub(job.since));
                return Some(job);
            }
            if !bench.holds_memory() {
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (woken, timeout) = self.wake.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if timeout.timed_out() {
                drop(state);
                bench.release();
                state = self.lock();
            }
        }
    }
}

fn work(shared: &Shared, mut bench: Bench) {
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS) {
        tracing::warn!(%error, "password hashing runs at the priority of everything else");
    }
    while let Some(job) = shared.next(&mut bench) {
        let started = shared.clock.elapsed();
        drop(job.waits);
        let hashing = traced::password_hash(&job.asked);
        match job.task {
            Task::Check { stored, reply } => {
                let checked = bench.check(&job.password, stored.as_deref());
                drop(hashing);
                drop(reply.send(Ok(checked)));
            }
            Task::Make { reply } => {
                let made = bench.make(&job.password).ok_or(Busy::LATER);
                drop(hashing);
                drop(reply.send(made));
            }
        }
        let took = shared.clock.elapsed().saturating_sub(started);
        shared.takes.note(took);
        shared.lock().queue.done(took);
    }
}

#[cfg(test)]
mod tests {
    use cerrojo_domain::{SystemClock, SystemRandom};

    use super::*;
    use crate::Composition;

    fn hasher(threads: usize, longest_wait: Duration) -> Hasher {
        let argon2 = Argon2Settings { memory_kib: 8, passes: 1, lanes: 1 };
        let settings =
            PasswordSettings { composition: Composition::Off, breached_list: None, argon2, threads, longest_wait };
        Hasher::start(&settings, Arc::new(SystemClock::new()), Arc::new(SystemRandom))
    }

    fn turn(last: u16) -> Turn {
        Turn { block: AddressBlock::of(Ipv6Addr::new(0x2001, 0xdb8, 0, last, 0, 0, 0, 1).into()), known: Known::No }
    }

    #[tokio::test]
    async fn a_password_is_hashed_and_checked() {
        let hasher = hasher(2, Duration::from_mins(1));
        let hash = hasher.hash(turn(1), "caballo grapa".to_owned()).await.unwrap();
        let check = async |password: &str, stored: Option<&str>| {
            hasher.check(turn(1), password.to_owned(), stored.map(str::to_owned)).await.unwrap()
        };
        assert_eq!(check("caballo grapa", Some(&hash)).await, Checked::Right);
        assert_eq!(check("caballo grap", Some(&hash)).await, Checked::Wrong);
        assert_eq!(check("caballo grapa", None).await, Checked::Wrong);
        assert_eq!(check("", Some("")).await, Checked::Wrong);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn everybody_who_waits_is_answered() {
        let hasher = Arc::new(hasher(2, Duration::from_mins(1)));
        let jobs: Vec<_> = (0..300)
            .map(|number| {
                let hasher = Arc::clone(&hasher);
                tokio::spawn(async move { hasher.check(turn(number % 7), number.to_string(), None).await })
            })
            .collect();
        for job in jobs {
            assert_eq!(job.await.unwrap().unwrap(), Checked::Wrong);
        }
    }

    #[tokio::test]
    async fn dropping_the_hasher_ends_its_threads() {
        let hasher = hasher(3, Duration::from_mins(1));
        hasher.hash(turn(1), "x".to_owned()).await.unwrap();
        let shared = Arc::downgrade(&hasher.shared);
        drop(hasher);
        while shared.strong_count() > 0 {
            std::thread::yield_now();
        }
    }
}
