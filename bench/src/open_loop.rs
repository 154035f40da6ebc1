//! Load whose arrivals a clock decides: a slow server is asked all the same, and waiting counts from when an arrival was due.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::failure::{Failure, Outcome};
use crate::load::{Client, elapsed};
use crate::requests::Requests;

/// A connection that was free for so long is not used again, as pools of real clients have it: half of what the server
/// allows at least.
const IDLE: Duration = Duration::from_secs(5);

/// What arrives.
pub(crate) struct Arrivals {
    /// Asked one after the other, from the beginning again after the last.
    pub(crate) requests: Requests,
    /// The first of them.
    pub(crate) first: usize,
    /// So many a second.
    pub(crate) rate: u32,
    /// For how long.
    pub(crate) time: Duration,
}

/// One arrival and what became of it.
#[derive(Clone, Copy)]
pub(crate) struct Arrival {
    /// How many came before.
    pub(crate) turn: usize,
    /// When it was due.
    pub(crate) due: Duration,
    /// How long after that the answer was there, or it was clear that none would come.
    pub(crate) took: Duration,
    /// Which server was asked.
    pub(crate) server: usize,
    /// The answer's status; `None`: no answer.
    pub(crate) status: Option<u16>,
}

impl Arrival {
    /// When the answer was there.
    pub(crate) fn answered_at(&self) -> Duration {
        self.due + self.took
    }
}

/// Servers that are asked in turn.
pub(crate) struct Servers(Vec<Server>);

struct Server {
    address: SocketAddr,
    is_asked: AtomicBool,
    /// Since when each is free.
    free: Mutex<Vec<(Client, Duration)>>,
}

impl Servers {
    /// All of these are asked.
    pub(crate) fn at(addresses: impl IntoIterator<Item = SocketAddr>) -> Arc<Self> {
        let server = |address| Server { address, is_asked: AtomicBool::new(true), free: Mutex::default() };
        Arc::new(Self(addresses.into_iter().map(server).collect()))
    }

    /// This one is asked no more, as a load balancer would have it.
    pub(crate) fn leave_out(&self, number: usize) {
        if let Some(server) = self.0.get(number) {
            server.is_asked.store(false, Ordering::Release);
        }
    }

    fn asked(&self, turn: usize) -> Option<usize> {
        let asked: Vec<usize> = self.0.iter().zip(0..).filter(|(it, _)| it.is_asked()).map(|(_, at)| at).collect();
        asked.get(turn % asked.len().max(1)).copied()
    }

    /// Sends `arrivals` and waits for their answers.
    pub(crate) async fn ask(self: &Arc<Self>, arrivals: &Arrivals) -> Outcome<Vec<Arrival>> {
        let period = Duration::from_secs(1) / arrivals.rate.max(1);
        let mut clock = tokio::time::interval(period);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
        let start = elapsed();
        let mut sent = JoinSet::new();
        for (turn, request) in arrivals.requests.iter().cycle().skip(arrivals.first).enumerate() {
            let due = start + period * u32::try_from(turn).unwrap_or(u32::MAX);
            if due.saturating_sub(start) >= arrivals.time {
                break;
            }
            clock.tick().await;
            let server = self.asked(turn).ok_or_else(|| Failure("nobody is left to be asked".to_owned()))?;
            sent.spawn(Arc::clone(self).send((turn, server), request.clone(), due));
        }
        Ok(sent.join_all().await)
    }

    async fn send(self: Arc<Self>, (turn, server): (usize, usize), request: Vec<u8>, due: Duration) -> Arrival {
        let status = match self.0.get(server) {
            Some(asked) => asked.status_of(&request).await.ok(),
            None => None,
        };
        Arrival { turn, due, took: elapsed().saturating_sub(due), server, status }
    }
}

impl Server {
    fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::Acquire)
    }

    async fn status_of(&self, request: &[u8]) -> Outcome<u16> {
        let mut client = match self.free() {
            Some(client) => client,
            None => Client::connect(self.address).await?,
        };
        let answered = client.ask(request).await?;
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push((client, elapsed()));
        Ok(answered.status)
    }

    /// The connection that was used last. The server may be closing one that has been idle for longer.
    fn free(&self) -> Option<Client> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let (client, since) = free.pop()?;
        if elapsed().saturating_sub(since) < IDLE {
            return Some(client);
        }
        // Those below it have been idle for longer still.
        free.clear();
        None
    }
}
