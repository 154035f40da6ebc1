//! The load generator: keep-alive connections that send what was written before and read just as much as they must.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cerrojo_domain::{Clock as _, SystemClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::answer::{Answer, Extent, extent};
use crate::failure::{Failure, Outcome, fail};
use crate::figures::Sample;
use crate::requests::Requests;

/// Whoever does not answer for so long is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// Time since an arbitrary start.
pub(crate) fn elapsed() -> Duration {
    SystemClock::new().elapsed()
}

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends a request and reads the answer, which is left in the buffer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Outcome<Extent> {
        match tokio::time::timeout(PATIENCE, self.exchange(request)).await {
            Ok(answered) => answered,
            Err(_) => fail("no answer came"),
        }
    }

    async fn exchange(&mut self, request: &[u8]) -> Outcome<Extent> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return fail("the connection was closed before the answer");
            }
            match extent(&self.buffer)? {
                Some(extent) if self.buffer.len() >= extent.end => return Ok(extent),
                _ => {}
            }
        }
    }

    /// Sends a request and gives the whole answer.
    pub(crate) async fn answer(&mut self, request: &[u8]) -> Outcome<Answer> {
        let extent = self.ask(request).await?;
        Ok(Answer::read(&self.buffer, extent))
    }
}

/// Which request comes next.
#[derive(Clone, Copy)]
pub(crate) enum Order {
    /// One after the other, from this one on, over all connections.
    InTurn(usize),
    /// Drawn at random, others in each round.
    Random,
}

/// When it is enough.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    /// After so many requests.
    Count(usize),
    /// After this time.
    Time(Duration),
}

/// What is asked of a server.
#[derive(Clone)]
pub(crate) struct Load {
    /// What to ask.
    pub(crate) requests: Requests,
    /// In which order.
    pub(crate) order: Order,
    /// How many connections ask, each waiting for its answer before it asks again.
    pub(crate) connections: usize,
    /// When it is enough.
    pub(crate) until: Until,
    /// The status that every answer must have.
    pub(crate) status: u16,
}

struct Shared {
    load: Load,
    taken: AtomicUsize,
    start: Duration,
}

impl Load {
    /// Asks until it is enough. An answer with another status is a failure: what was not answered is not fast.
    pub(crate) async fn run(&self, address: SocketAddr) -> Outcome<Sample> {
        let mut clients = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            clients.push(Client::connect(address).await?);
        }
        let shared = Arc::new(Shared { load: self.clone(), taken: AtomicUsize::new(0), start: elapsed() });
        let tasks: Vec<_> = clients
            .into_iter()
            .zip(1..)
            .map(|(client, number)| tokio::spawn(ask_on(client, number, Arc::clone(&shared))))
            .collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await??);
        }
        Ok(Sample::new(elapsed().saturating_sub(shared.start), latencies))
    }
}

async fn ask_on(mut client: Client, number: u64, shared: Arc<Shared>) -> Outcome<Vec<Duration>> {
    let Load { requests, order, until, status, .. } = &shared.load;
    let mut draws = Draws::new(number ^ u64::try_from(shared.start.as_nanos()).unwrap_or(0));
    let mut latencies = Vec::new();
    loop {
        let turn = shared.taken.fetch_add(1, Ordering::Relaxed);
        let before = elapsed();
        let enough = match until {
            Until::Count(count) => turn >= *count,
            Until::Time(time) => before.saturating_sub(shared.start) >= *time,
        };
        if enough {
            return Ok(latencies);
        }
        let at = match order {
            Order::InTurn(first) => first + turn,
            Order::Random => draws.next(),
        };
        let request = requests.get(at % requests.len().max(1)).ok_or_else(|| Failure("nothing to ask".to_owned()))?;
        let answered = client.ask(request).await?;
        if answered.status != *status {
            return fail(format!("an answer was {} where {status} was due", answered.status));
        }
        latencies.push(elapsed().saturating_sub(before));
    }
}

/// Numbers that look random (xorshift64*).
pub(crate) struct Draws(u64);

impl Draws {
    /// The same numbers for the same `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next one.
    pub(crate) fn next(&mut self) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap_or(0)
    }
}
