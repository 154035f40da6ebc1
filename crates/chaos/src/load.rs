//! Clients that never rest: some check sessions that nobody touches, some sign in and out at one node, some everywhere.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use cerrojo_domain::Random;
use cerrojo_testkit::SeededRandom;

use crate::client::{Came, Client, Session};
use crate::moment;
use crate::record::Record;

/// Sessions that nobody touches.
const UNTOUCHED: usize = 24;
/// Sessions that are over, or may be, and are asked about again and again.
const REMEMBERED: usize = 400;

/// How much is asked.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How long who checks sessions rests after each check.
    pub checks: Duration,
    /// How long who signs in and out rests after each round.
    pub rounds: Duration,
    /// Seed of everything that is chosen at random.
    pub seed: u64,
}

/// The clients, at work until told to stop.
pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

pub(crate) struct Shared {
    record: Arc<Record>,
    pub(crate) nodes: Vec<SocketAddr>,
    pub(crate) rate: Rate,
    stop: AtomicBool,
    untouched: RwLock<Vec<Arc<Session>>>,
    over: Mutex<Vec<Arc<Session>>>,
    names: AtomicU32,
    threads: AtomicU64,
}

impl Load {
    /// Signs the untouched sessions in and sets everybody to work.
    #[must_use]
    pub fn start(nodes: &[SocketAddr], rate: Rate) -> Self {
        let shared = Arc::new(Shared {
            record: Arc::default(),
            nodes: nodes.to_vec(),
            rate,
            stop: AtomicBool::new(false),
            untouched: RwLock::default(),
            over: Mutex::default(),
            names: AtomicU32::new(0),
            threads: AtomicU64::new(0),
        });
        let mut load = Self { shared, threads: Vec::new() };
        load.renew_untouched();
        for node in 0..nodes.len() {
            load.spawn(move |shared, random| shared.check_on_and_on(node, &random));
            load.spawn(move |shared, _| shared.in_and_out(node));
            load.spawn(move |shared, _| shared.in_and_out(node));
            load.spawn(|shared, random| shared.roam(&random));
        }
        load
    }

    fn spawn(&mut self, work: impl FnOnce(Arc<Shared>, SeededRandom) + Send + 'static) {
        let shared = Arc::clone(&self.shared);
        let number = shared.threads.fetch_add(1, Ordering::Relaxed);
        let random = SeededRandom::new(shared.rate.seed.wrapping_mul(1000).wrapping_add(number));
        self.threads.push(std::thread::spawn(move || work(shared, random)));
    }

    /// What was seen so far.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.shared.record
    }

    /// Other sessions are the untouched ones from now on: the old ones are over.
    ///
    /// # Panics
    /// If nobody can sign in.
    pub fn renew_untouched(&self) {
        let mut client = self.shared.somebody("stays");
        client.expect_account(0);
        let nodes = client.nodes();
        let signed_in = (0..UNTOUCHED).map(|number| client.sign_in(number % nodes).expect("somebody signs in"));
        let signed_in = signed_in.map(Arc::new).collect();
        let old =
            std::mem::replace(&mut *self.shared.untouched.write().unwrap_or_else(PoisonError::into_inner), signed_in);
        self.shared.remember(old);
    }

    /// Waits until every node lets somebody sign in, check and log out, beginning with questions asked from now on. When
    /// each did; none if it did not.
    ///
    /// # Panics
    /// If a client panicked.
    #[must_use]
    pub fn served_within(&self, patience: Duration) -> Vec<Option<u64>> {
        let until = moment::after(patience);
        let waiting: Vec<_> = (0..self.shared.nodes.len())
            .map(|node| {
                let shared = Arc::clone(&self.shared);
                std::thread::spawn(move || shared.served(node, until))
            })
            .collect();
        waiting.into_iter().map(|waiting| waiting.join().expect("a client")).collect()
    }

    /// Lets everybody finish, then asks once more about everything that is remembered.
    ///
    /// # Panics
    /// If a client panicked.
    #[must_use]
    pub fn stop(self) -> Arc<Record> {
        self.shared.stop.store(true, Ordering::Release);
        for thread in self.threads {
            thread.join().expect("a client");
        }
        let mut client = self.shared.somebody("last");
        let over = std::mem::take(&mut *self.shared.over.lock().unwrap_or_else(PoisonError::into_inner));
        for session in over {
            client.check_everywhere(0, &session);
        }
        Arc::clone(&self.shared.record)
    }
}

impl Shared {
    fn somebody(&self, kind: &str) -> Client {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        Client::new(&self.record, &self.nodes, &format!("{kind}{number}"))
    }

    pub(crate) fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Acquire)
    }

    pub(crate) fn remember(&self, sessions: impl IntoIterator<Item = Arc<Session>>) {
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        over.extend(sessions);
        // The older half stays in part, so that the oldest are asked about until the end.
        if over.len() > REMEMBERED {
            let mut number = 0;
            over.retain(|_| {
                number += 1;
                number % 2 == 0
            });
        }
    }

    fn check_on_and_on(&self, node: usize, random: &dyn Random) {
        let mut client = self.somebody("checks");
        let mut turn = 0_u32;
        while self.goes_on() {
            turn = turn.wrapping_add(1);
            let session = if turn.is_multiple_of(4) {
                any(&self.over.lock().unwrap_or_else(PoisonError::into_inner), random)
            } else {
                any(&self.untouched.read().unwrap_or_else(PoisonError::into_inner), random)
            };
            if let Some(session) = session {
                client.check(node, &session);
            }
            std::thread::sleep(self.rate.checks);
        }
    }

    /// Registers, at whichever node does it.
    pub(crate) fn registered(&self, kind: &str, node: usize) -> Option<Client> {
        while self.goes_on() {
            let mut client = self.somebody(kind);
            if client.register(node) {
                return Some(client);
            }
            std::thread::sleep(self.rate.rounds);
        }
        None
    }

    fn in_and_out(&self, node: usize) {
        while let Some(mut client) = self.registered("stays-here", node) {
            while self.goes_on() && !client.is_lost() {
                self.once_in_and_out(&mut client, node);
                std::thread::sleep(self.rate.rounds);
            }
        }
    }

    fn once_in_and_out(&self, client: &mut Client, node: usize) {
        if let Some(session) = client.sign_in(node) {
            client.check(node, &session);
            client.log_out(node, &session);
            client.check(node, &session);
            self.remember([Arc::new(session)]);
        }
    }

    /// A try every quarter of a second, whatever became of the one before, until one got through.
    fn served(&self, node: usize, until: u64) -> Option<u64> {
        let (done, served) = std::sync::mpsc::channel();
        let mut tries = Vec::new();
        let mut at = None;
        while at.is_none() && moment::now() < until {
            let mut client = self.somebody("again");
            let done = done.clone();
            tries.push(std::thread::spawn(move || {
                let session = client.register(node).then(|| client.sign_in(node)).flatten()?;
                (client.check(node, &session) && client.log_out(node, &session) == Came::Done)
                    .then(|| done.send(moment::now()))
            }));
            at = served.recv_timeout(Duration::from_millis(250)).ok();
        }
        for one in tries {
            let _ = one.join();
        }
        at
    }
}

fn any<T>(of: &[Arc<T>], random: &dyn Random) -> Option<Arc<T>> {
    if of.is_empty() { None } else { of.get(pick(of.len(), random)).cloned() }
}

pub(crate) fn pick(below: usize, random: &dyn Random) -> usize {
    usize::try_from(random.below(below as u64)).unwrap_or_default()
}
