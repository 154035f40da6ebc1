//! `GET /api/auth/verify`: what a reverse proxy asks for every request of its own.

use std::path::Path;
use std::sync::Arc;

use crate::child::Child;
use crate::failure::{Failure, Outcome};
use crate::figures::{Figures, each};
use crate::load::{Client, Load, Order, Until};
use crate::place::{Build, Place};
use crate::requests::{Requests, with_tokens};
use crate::seed::{self, Plan};
use crate::table::{Report, Target};
use crate::turns::{self, Contender};

/// What is asked.
pub(crate) const LINE: &str = "GET /api/auth/verify";
/// Connections that ask at the same time.
pub(crate) const CONNECTIONS: usize = 32;
const CPU: fn(&Figures) -> f64 = |figures| figures.cpu;
/// Tokens that the server's cache can hold.
const FEW: usize = 10_000;
/// Twice as many as it can hold.
const MANY: usize = 40_000;

/// Measures it for live sessions, one live session, more than the cache holds, and ended ones.
pub(crate) async fn measure(place: &Place, report: &mut Report) -> Outcome<()> {
    let seed = place.folder("seed")?;
    seed::fill(&seed, Plan { live: MANY, ended: FEW, tokens: MANY }).await?;
    let live = seed::read_tokens(&seed, "live")?;
    let ended = with_tokens(LINE, &seed::read_tokens(&seed, "ended")?);
    let few = with_tokens(LINE, live.get(..FEW).unwrap_or_default());
    let one = with_tokens(LINE, live.get(..1).unwrap_or_default());
    let load = |requests: &Requests, status| Load {
        requests: Arc::clone(requests),
        order: Order::Random,
        connections: CONNECTIONS,
        until: Until::Count(place.amounts.requests),
        status,
    };
    let mut contenders = Vec::new();
    for build in &place.builds {
        let here = Arc::new(Child::server(build, &place.copy_of(&seed)?).await?);
        // A server of its own: live and ended tokens together would fill the cache to the brim.
        let there = Arc::new(Child::server(build, &place.copy_of(&seed)?).await?);
        contenders.push(Contender { child: Arc::clone(&here), load: load(&few, 200) });
        contenders.push(Contender { child: here, load: load(&one, 200) });
        contenders.push(Contender { child: there, load: load(&ended, 401) });
    }
    for requests in [&few, &ended] {
        let status = if Arc::ptr_eq(requests, &few) { 200 } else { 401 };
        let server = contenders.get(if status == 200 { 0 } else { 2 }).ok_or_else(missing)?;
        let floor = Arc::new(floor_of(place, &server.child, requests).await?);
        contenders.push(Contender { child: floor, load: load(requests, status) });
    }
    for contender in &contenders {
        contender.pass().await?;
    }
    let figures = turns::take(&contenders, place.amounts.rounds).await?;
    let [.., floor, refused] = figures.as_slice() else { return Err(missing()) };
    for (build, measured) in place.builds.iter().zip(figures.chunks_exact(3)) {
        let [few, one, ended] = measured else { return Err(missing()) };
        report.add("verify, 10,000 live tokens", build, (few, Some(floor)));
        report.add("verify, one live token", build, (one, Some(floor)));
        report.add("verify, ended sessions", build, (ended, Some(refused)));
        let (few, floor, ended) = (each(few, CPU), each(floor, CPU), each(ended, CPU));
        report.judge("verify: CPU beside the floor", build, Target::at_most(1.3).of_ratio("µs", &few, &floor));
        report.judge("verify: CPU of ended beside live", build, Target::at_most(1.05).of_ratio("µs", &ended, &few));
    }
    drop(contenders);
    measure_many(place, report, (&seed, &live)).await
}

async fn measure_many(place: &Place, report: &mut Report, (seed, live): (&Path, &[String])) -> Outcome<()> {
    let requests = with_tokens(LINE, live);
    let load = Load {
        requests: Arc::clone(&requests),
        order: Order::Random,
        connections: CONNECTIONS,
        until: Until::Count(place.amounts.requests),
        status: 200,
    };
    measure_beside_floor(place, report, Asked { what: "verify, 40,000 live tokens", seed, load }).await
}

/// One kind of request, measured on every build and a floor.
pub(crate) struct Asked<'a> {
    /// Its row in the table.
    pub(crate) what: &'static str,
    /// The database.
    pub(crate) seed: &'a Path,
    /// The load.
    pub(crate) load: Load,
}

/// Measures it, after one pass over all its requests.
pub(crate) async fn measure_beside_floor(place: &Place, report: &mut Report, asked: Asked<'_>) -> Outcome<()> {
    let mut contenders = Vec::new();
    for build in &place.builds {
        let child = Arc::new(Child::server(build, &place.copy_of(asked.seed)?).await?);
        contenders.push(Contender { child, load: asked.load.clone() });
    }
    let server = contenders.first().ok_or_else(missing)?;
    let child = Arc::new(floor_of(place, &server.child, &asked.load.requests).await?);
    contenders.push(Contender { child, load: asked.load });
    for contender in &contenders {
        contender.pass().await?;
    }
    let figures = turns::take(&contenders, place.amounts.rounds).await?;
    let floor = figures.last().map(Vec::as_slice);
    for (build, measured) in place.builds.iter().zip(&figures) {
        report.add(asked.what, build, (measured, floor));
    }
    Ok(())
}

/// A floor that answers what `server` answers to the first request.
pub(crate) async fn floor_of(place: &Place, server: &Child, requests: &Requests) -> Outcome<Child> {
    let request = requests.first().ok_or_else(missing)?;
    let answer = Client::connect(server.address).await?.answer(request).await?;
    Child::floor(&answer, &place.folder("floor")?).await
}

/// Starts a server on a copy of `seed`.
pub(crate) async fn server_on(place: &Place, build: &Build, seed: &Path) -> Outcome<Child> {
    Child::server(build, &place.copy_of(seed)?).await
}

fn missing() -> Failure {
    Failure("a contender is missing".to_owned())
}
