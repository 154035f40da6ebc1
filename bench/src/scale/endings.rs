//! Endings: as many as there can be, all of one user's, and everybody's.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{SEVERAL, Site};
use crate::failure::{Failure, Outcome, fail};
use crate::figures::{Sample, median, real};
use crate::load::{Client, Load, Order, Until, elapsed};
use crate::nodes::folder_of_its_own;
use crate::open_loop::{Arrivals, Servers};
use crate::requests::{PUBLIC_URL, Requests};
use crate::seed::MASTER_KEY;
use crate::table::{Report, Target};

/// Clients that log out at the same time.
const CLIENTS: usize = 64;
/// Logouts of each contest.
const LOGOUTS: usize = 6_000;
/// Logouts a second beside the ending of all of a user's sessions.
const BESIDE: u32 = 50;
/// How long they go on.
const AROUND: Duration = Duration::from_secs(4);

/// One node, several, and one user with many sessions.
pub(super) async fn measure(site: &Site<'_>, report: &mut Report) -> Outcome<()> {
    let all = &site.filled.logouts;
    let (first, rest) = all.split_at(LOGOUTS.min(all.len()));
    let (second, beside) = rest.split_at(LOGOUTS.min(rest.len()));
    let nodes = site.nodes(1).await?;
    let one = rate(&addresses(&nodes), first).await?;
    report.judge("endings, 64 clients, one node", site.build, Target::none().of_value("/s", one));
    of_one_user(site, report, (&addresses(&nodes), beside)).await?;
    drop(nodes);
    let nodes = site.nodes(SEVERAL).await?;
    // The lease of the node that is gone has to be removed first.
    tokio::time::sleep(AROUND).await;
    let several = rate(&addresses(&nodes), second).await?;
    report.judge("endings, 64 clients, three nodes", site.build, Target::none().of_value("/s", several));
    Ok(())
}

fn addresses(nodes: &[crate::child::Child]) -> Vec<SocketAddr> {
    nodes.iter().map(|node| node.address).collect()
}

async fn rate(addresses: &[SocketAddr], logouts: &[Vec<u8>]) -> Outcome<f64> {
    let start = elapsed();
    let mut running = JoinSet::new();
    let share = logouts.len().div_ceil(addresses.len().max(1)).max(1);
    for (address, logouts) in addresses.iter().copied().zip(logouts.chunks(share)) {
        let load = Load {
            requests: Requests::new(logouts.to_vec()),
            order: Order::InTurn(0),
            connections: CLIENTS / addresses.len(),
            until: Until::Count(logouts.len()),
            status: 200,
        };
        running.spawn(async move { load.run(address).await });
    }
    let mut ended = 0;
    while let Some(done) = running.join_next().await {
        ended += done??.count();
    }
    Ok(real(ended) / elapsed().saturating_sub(start).as_secs_f64())
}

/// How long it takes, and how long others wait meanwhile: one transaction at a time holds the log's head row.
async fn of_one_user(
    site: &Site<'_>,
    report: &mut Report,
    (addresses, beside): (&[SocketAddr], &[Vec<u8>]),
) -> Outcome<()> {
    let (mut took, mut waited) = (Vec::new(), Vec::new());
    let address = *addresses.first().ok_or_else(|| Failure("no node".to_owned()))?;
    let requests = Requests::new(beside.to_vec());
    for (request, round) in site.filled.logout_alls.iter().zip(0..) {
        let servers = Servers::at(addresses.iter().copied());
        let first = round * usize::try_from(BESIDE)? * usize::try_from(AROUND.as_secs())?;
        let arrivals = Arrivals { requests: Requests::clone(&requests), first, rate: BESIDE, time: AROUND };
        let (ended, logouts) = tokio::join!(end_all(address, request), servers.ask(&arrivals));
        took.push(ended?.as_secs_f64() * 1e3);
        let latencies: Vec<Duration> = logouts?.iter().map(|arrival| arrival.took).collect();
        waited.push(Sample::new(AROUND, latencies).percentile(100) / 1e3);
    }
    report.judge("10,000 sessions of one user: ended after", site.build, Target::none().of_value("ms", median(took)));
    let waited = Target::none().of_value("ms", median(waited));
    report.judge("10,000 sessions of one user: longest logout of others", site.build, waited);
    Ok(())
}

async fn end_all(address: SocketAddr, request: &[u8]) -> Outcome<Duration> {
    tokio::time::sleep(AROUND / 4).await;
    let mut client = Client::connect(address).await?;
    let start = elapsed();
    let answered = client.ask(request).await?;
    if answered.status != 200 {
        return fail(format!("ending all of a user's sessions was {}", answered.status));
    }
    Ok(elapsed().saturating_sub(start))
}

/// By the command, beside a node. How long it takes, how much the table grows by it.
pub(super) async fn everything(site: &Site<'_>, report: &mut Report) -> Outcome<()> {
    let measured = "SELECT pg_total_relation_size('sessions') / 1048576.0";
    let node = site.node().await?;
    let before = site.number(measured)?;
    let folder = folder_of_its_own(site.place, &site.filled.folder)?;
    let start = elapsed();
    let mut command = Command::new(&site.build.program);
    command.args(["session", "end", "--everyone", "--yes"]).current_dir(&folder).env_clear();
    command.env("CERROJO_SERVER__PUBLIC_URL", PUBLIC_URL).env("CERROJO_DATABASE__URL", &site.filled.url);
    command.env("CERROJO_KEYS__MASTER_KEY_FILE", folder.join(MASTER_KEY));
    let done = command.output()?;
    if !done.status.success() {
        return fail(format!("session end --everyone: {}", String::from_utf8_lossy(&done.stderr).trim()));
    }
    let took = elapsed().saturating_sub(start).as_secs_f64();
    report.judge("everything over: answered after", site.build, Target::none().of_value("s", took));
    let more = Target::none().of_value("MiB", site.number(measured)? - before);
    report.judge("everything over: the table grows by", site.build, more);
    drop(node);
    Ok(())
}
