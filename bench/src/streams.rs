//! Clients that follow their own session: what ten thousand of them cost a server, and how soon each hears of its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::child::Child;
use crate::failure::{Failure, Outcome, fail};
use crate::figures::{Figures, Sample, each};
use crate::load::{Client, Load, Order, Until, elapsed};
use crate::place::Place;
use crate::requests::with_tokens;
use crate::seed::{self, Plan};
use crate::table::{Report, Target};
use crate::turns::{self, Contender};
use crate::verify::{CONNECTIONS, LINE};

/// Streams that are open at a time.
const STREAMS: usize = 10_000;
/// Other sessions, whose tokens are verified meanwhile.
const OTHERS: usize = 10_000;
/// Sessions whose end is timed.
const ENDINGS: usize = 500;
/// How long it is looked what streams cost that nothing happens on.
const REST: Duration = Duration::from_secs(30);
/// Whatever has not arrived by then is missing.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(5);
const RATE: fn(&Figures) -> f64 = |figures| figures.rate;
const CPU: fn(&Figures) -> f64 = |figures| figures.cpu;

/// Opens the streams on one server, leaves another without, and measures both in turn.
pub(crate) async fn measure(place: &Place, report: &mut Report) -> Outcome<()> {
    allow_many();
    let seed = place.folder("seed")?;
    seed::fill(&seed, Plan { live: STREAMS + OTHERS, ended: 0, tokens: STREAMS + OTHERS }).await?;
    let tokens = seed::read_tokens(&seed, "live")?;
    let (followed, others) = tokens.split_at_checked(STREAMS).ok_or_else(|| Failure("too few tokens".to_owned()))?;
    let (streams, logouts) =
        (with_tokens("GET /api/auth/events", followed), with_tokens("POST /api/auth/logout", followed));
    let load = Load {
        requests: with_tokens(LINE, others),
        order: Order::Random,
        connections: CONNECTIONS,
        until: Until::Count(place.amounts.requests),
        status: 200,
    };
    for build in &place.builds {
        let with = Arc::new(Child::server(build, &place.copy_of(&seed)?).await?);
        let without = Arc::new(Child::server(build, &place.copy_of(&seed)?).await?);
        let before = with.resident()?;
        let heard = Heard::nothing();
        let mut open = Vec::with_capacity(STREAMS);
        for (number, request) in streams.iter().enumerate() {
            open.push(follow((with.address, number), request, &heard).await?);
        }
        let after = with.resident()?;
        let memory = Target::below(400.0).beside("MiB", after, before);
        report.judge("10,000 streams: memory, beside before", build, memory);
        let used = with.cpu()?;
        tokio::time::sleep(REST).await;
        let used = 100.0 * with.cpu()?.since(&used).as_secs_f64() / REST.as_secs_f64();
        report.judge("10,000 streams: of one processor, at rest", build, Target::none().of_value("%", used));
        let contender = |child: &Arc<Child>| Contender { child: Arc::clone(child), load: load.clone() };
        let contenders = [contender(&with), contender(&without)];
        for contender in &contenders {
            contender.pass().await?;
        }
        let figures = turns::take(&contenders, place.amounts.rounds).await?;
        let [beside, alone] = figures.as_slice() else { return fail("a contender is missing") };
        report.add("verify, beside 10,000 streams", build, (beside, None));
        report.add("verify, without streams", build, (alone, None));
        let ratio = |figure| (each(beside, figure), each(alone, figure));
        let (rate, rate_alone) = ratio(RATE);
        let (cpu, cpu_alone) = ratio(CPU);
        let target = Target::at_least(0.8).of_ratio("/s", &rate, &rate_alone);
        report.judge("10,000 streams: verify's answers, beside none", build, target);
        let target = Target::none().of_ratio("µs", &cpu, &cpu_alone);
        report.judge("10,000 streams: verify's CPU, beside none", build, target);
        if open.iter().any(JoinHandle::is_finished) {
            return fail("a stream ended before its session");
        }
        let delays = end(&with, &logouts, &heard).await?;
        let millis = |hundredths| delays.percentile(hundredths) / 1e3;
        let p99 = Target::below(300.0).of_value("ms", millis(99));
        report.judge("10,000 streams: p50 from a logout's answer", build, Target::none().of_value("ms", millis(50)));
        report.judge("10,000 streams: p99 from a logout's answer", build, p99);
        open.iter().for_each(JoinHandle::abort);
    }
    Ok(())
}

/// When each stream heard that its session was over, in nanoseconds; 0: not yet.
struct Heard(Vec<AtomicU64>);

impl Heard {
    fn nothing() -> Arc<Self> {
        Arc::new(Self((0..STREAMS).map(|_| AtomicU64::new(0)).collect()))
    }

    fn note(&self, stream: usize) {
        let now = u64::try_from(elapsed().as_nanos()).unwrap_or(u64::MAX);
        if let Some(time) = self.0.get(stream) {
            time.store(now, Ordering::Release);
        }
    }

    fn at(&self, stream: usize) -> Option<Duration> {
        let at = self.0.get(stream)?.load(Ordering::Acquire);
        (at > 0).then(|| Duration::from_nanos(at))
    }
}

/// Ends sessions one after the other; how long after the answer each stream heard of it, nothing where it was before.
async fn end(server: &Child, logouts: &[Vec<u8>], heard: &Heard) -> Outcome<Sample> {
    let mut client = Client::connect(server.address).await?;
    let (start, mut delays) = (elapsed(), Vec::with_capacity(ENDINGS));
    for (number, request) in logouts.iter().take(ENDINGS).enumerate() {
        let status = client.ask(request).await?.status;
        let answered = elapsed();
        if status != 200 {
            return fail(format!("a logout was {status}"));
        }
        let at = loop {
            match heard.at(number) {
                Some(at) => break at,
                None if elapsed().saturating_sub(answered) > PATIENCE => return fail("a stream heard nothing"),
                None => tokio::time::sleep(LOOK).await,
            }
        };
        delays.push(at.saturating_sub(answered));
    }
    Ok(Sample::new(elapsed().saturating_sub(start), delays))
}

/// Opens a stream; returns when its first event has come.
async fn follow(
    (address, number): (SocketAddr, usize),
    request: &[u8],
    heard: &Arc<Heard>,
) -> Outcome<JoinHandle<Outcome<()>>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut read = Vec::new();
    while !has(&read, b"event: session") {
        if stream.read_buf(&mut read).await? == 0 || !read.starts_with(b"HTTP/1.1 200") {
            return fail(format!("no stream: {}", String::from_utf8_lossy(&read)));
        }
    }
    let heard = Arc::clone(heard);
    Ok(tokio::spawn(async move {
        let mut piece = [0; 512];
        loop {
            let length = stream.read(&mut piece).await?;
            if length == 0 {
                return Ok(());
            }
            if has(piece.get(..length).unwrap_or_default(), b"event: ended") {
                heard.note(number);
            }
        }
    }))
}

fn has(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|piece| piece == wanted)
}

/// Each stream is a file of this process too, and the servers' limit is the one that they are started with.
fn allow_many() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_err() {
        crate::say("the limit of open files cannot be raised");
    }
}
