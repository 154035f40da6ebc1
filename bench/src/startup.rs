//! Start-up and memory: of a new database, and of one with a million live and 300,000 ended sessions.

use std::path::Path;
use std::time::Duration;

use crate::child::Child;
use crate::failure::{Failure, Outcome};
use crate::figures::median;
use crate::load::{Load, Order, Until};
use crate::million;
use crate::place::{Build, Place};
use crate::requests::{logins, with_tokens};
use crate::seed::{self, USERS};
use crate::table::{Report, Target};
use crate::{threads, verify};

/// What a start allocates for itself alone is given back by then.
const SETTLE: Duration = Duration::from_millis(500);

/// Measures both.
pub(crate) async fn measure(place: &Place, report: &mut Report) -> Outcome<()> {
    let (floor_ready, floor_memory) = floor(place).await?;
    for build in &place.builds {
        let (ready, memory) = new_database(place, build).await?;
        report.judge("start-up, new database: ready", build, Target::none().of_ratio("ms", &ready, &floor_ready));
        let target = Target::below(40.0).beside("MiB", median(memory), median(floor_memory.clone()));
        report.judge("memory after start, new database", build, target);
    }
    let large = million::folder(place).await?;
    for build in &place.builds {
        let shown = large_database(place, build, &large).await?;
        let target = Target::below(1_000.0).of_value("ms", shown.ready);
        report.judge("start-up, large database: ready and a verify answered", build, target);
        report.judge("memory after start, large database", build, Target::none().of_value("MiB", shown.memory));
        let target = Target::below(100.0).of_value("MiB", shown.memory_after);
        report.judge("memory after 1,000 sign-ins, large database", build, target);
    }
    Ok(())
}

async fn floor(place: &Place) -> Outcome<(Vec<f64>, Vec<f64>)> {
    let server = Child::server(place.builds.first().ok_or_else(missing)?, &place.folder("new")?).await?;
    let requests = with_tokens(verify::LINE, &["none".to_owned()]);
    let (mut ready, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..place.amounts.rounds {
        let floor = verify::floor_of(place, &server, &requests).await?;
        tokio::time::sleep(SETTLE).await;
        ready.push(millis(floor.ready_after));
        memory.push(floor.resident()?);
    }
    Ok((ready, memory))
}

async fn new_database(place: &Place, build: &Build) -> Outcome<(Vec<f64>, Vec<f64>)> {
    let (mut ready, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..place.amounts.rounds {
        let server = Child::server(build, &place.folder("new")?).await?;
        tokio::time::sleep(SETTLE).await;
        ready.push(millis(server.ready_after));
        memory.push(server.resident()?);
        server.stop().await?;
    }
    Ok((ready, memory))
}

struct Shown {
    ready: f64,
    memory: f64,
    memory_after: f64,
}

async fn large_database(place: &Place, build: &Build, large: &Path) -> Outcome<Shown> {
    let folder = place.copy_of(large)?;
    let checks = with_tokens(verify::LINE, seed::read_tokens(large, "live")?.get(..1).unwrap_or_default());
    let (mut ready, mut memory, mut memory_after) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..place.amounts.rounds {
        let server = Child::server_answering(build, &folder, &checks).await?;
        tokio::time::sleep(SETTLE).await;
        ready.push(millis(server.ready_after));
        memory.push(server.resident()?);
        if round == 0 {
            sign_in(place, &server).await?;
            memory_after.push(server.resident()?);
        }
        server.stop().await?;
    }
    Ok(Shown { ready: median(ready), memory: median(memory), memory_after: median(memory_after) })
}

async fn sign_in(place: &Place, server: &Child) -> Outcome<()> {
    let load = Load {
        requests: logins(USERS),
        order: Order::InTurn(0),
        connections: threads() * 4,
        until: Until::Count(place.amounts.sign_ins),
        status: 200,
    };
    load.run(server.address).await.map(drop)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn missing() -> Failure {
    Failure("no server".to_owned())
}
