//! `POST /api/auth/login`: beside the bare password hash, and what logins and checks leave to each other.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::bare;
use crate::child::Child;
use crate::failure::{Failure, Outcome, fail};
use crate::figures::{Figures, each, median};
use crate::load::{Client, Load, Order, Until, elapsed};
use crate::place::Place;
use crate::requests::{Requests, logins, with_tokens};
use crate::seed::{self, Plan, USERS};
use crate::table::{Report, Target};
use crate::verify::{self, CONNECTIONS};
use crate::{say, threads};

const RATE: fn(&Figures) -> f64 = |figures| figures.rate;
/// Tokens that are checked meanwhile.
const TOKENS: usize = 10_000;

/// A server that is asked for logins and checks.
struct Asked {
    child: Child,
    logins: Requests,
    checks: Requests,
    time: Duration,
}

/// One round of one server. Rates a second.
#[derive(Clone, Copy)]
struct Round {
    logins: Figures,
    checks: Figures,
    checks_under_flood: Figures,
    logins_under_checks: Figures,
}

/// Measures all of it.
pub(crate) async fn measure(place: &Place, report: &mut Report) -> Outcome<()> {
    let seed = place.folder("seed")?;
    seed::fill(&seed, Plan { live: TOKENS, ended: 0, tokens: TOKENS }).await?;
    let checks = with_tokens(verify::LINE, &seed::read_tokens(&seed, "live")?);
    let time = Duration::from_secs(place.amounts.seconds);
    let mut servers = Vec::new();
    for build in &place.builds {
        let child = verify::server_on(place, build, &seed).await?;
        servers.push(Asked { child, logins: logins(USERS), checks: checks.clone(), time });
    }
    let mut bare = Vec::new();
    let mut rounds = vec![Vec::new(); servers.len()];
    for number in 0..place.amounts.rounds {
        say(&format!("login, round {} of {} …", number + 1, place.amounts.rounds));
        let seconds = place.amounts.seconds.to_string();
        let hashed = bare::reach::<bare::Reached>(&["bare-hash", &threads().to_string(), &seconds])?.rate;
        bare.push(hashed);
        for (server, rounds) in servers.iter().zip(&mut rounds) {
            rounds.push(server.round(hashed).await?);
        }
    }
    for ((build, server), rounds) in place.builds.iter().zip(&servers).zip(&rounds) {
        let of = |part: fn(&Round) -> Figures| rounds.iter().map(part).collect::<Vec<_>>();
        let (alone, checks) = (of(|it| it.logins), of(|it| it.checks));
        let (flooded, beside) = (of(|it| it.checks_under_flood), of(|it| it.logins_under_checks));
        report.add("login", build, (&alone, None));
        report.add("login, verify saturated", build, (&beside, None));
        report.add("verify, alone, on this server", build, (&checks, None));
        report.add("verify, logins at twice what can be hashed", build, (&flooded, None));
        let p99 = median(each(&flooded, |figures| figures.p99 / 1e3));
        let [alone, beside, checks, flooded] = [alone, beside, checks, flooded].map(|rounds| each(&rounds, RATE));
        let kept = Target::at_least(0.9).of_ratio("/s", &alone, &bare);
        report.judge("login: rate beside the bare hash", build, kept);
        let kept = Target::at_least(0.5).of_ratio("/s", &flooded, &checks);
        report.judge("verify while logins flood: rate beside alone", build, kept);
        report.judge("verify while logins flood: p99", build, Target::below(50.0).of_value("ms", p99));
        let kept = Target::at_least(0.25).of_ratio("/s", &beside, &alone);
        report.judge("login while verify is saturated: rate beside alone", build, kept);
        report.judge("memory after these", build, Target::none().of_value("MiB", server.child.resident()?));
    }
    Ok(())
}

impl Asked {
    async fn round(&self, hashed: f64) -> Outcome<Round> {
        let logins = self.watched(&self.login_load()).await?;
        let checks = self.watched(&self.check_load()).await?;
        let (flood, check_load) = (self.flood(hashed * 2.0), self.check_load());
        let (flooded, checks_under_flood) = tokio::join!(flood, check_load.run(self.child.address));
        flooded?;
        let (login_load, check_load) = (self.login_load(), self.check_load());
        let address = self.child.address;
        let (beside, checked) = tokio::join!(login_load.run(address), check_load.run(address));
        checked?;
        let nothing = Duration::ZERO;
        Ok(Round {
            logins,
            checks,
            checks_under_flood: checks_under_flood?.figures(nothing),
            logins_under_checks: beside?.figures(nothing),
        })
    }

    async fn watched(&self, load: &Load) -> Outcome<Figures> {
        let before = self.child.cpu()?;
        let sample = load.run(self.child.address).await?;
        Ok(sample.figures(self.child.cpu()?.since(&before)))
    }

    fn login_load(&self) -> Load {
        Load {
            requests: self.logins.clone(),
            order: Order::Random,
            connections: threads() * 4,
            until: Until::Time(self.time),
            status: 200,
        }
    }

    fn check_load(&self) -> Load {
        Load {
            requests: self.checks.clone(),
            order: Order::Random,
            connections: CONNECTIONS,
            until: Until::Time(self.time),
            status: 200,
        }
    }

    /// Sends logins at this rate for the time of a round, however many wait; then waits for their answers.
    async fn flood(&self, rate: f64) -> Outcome<()> {
        let free = Arc::new(Mutex::new(Vec::new()));
        let mut clock = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
        let end = elapsed() + self.time;
        let mut sent = JoinSet::new();
        for request in self.logins.iter().cycle() {
            clock.tick().await;
            if elapsed() >= end {
                break;
            }
            sent.spawn(send(self.child.address, request.clone(), Arc::clone(&free)));
        }
        while let Some(answered) = sent.join_next().await {
            answered??;
        }
        Ok(())
    }
}

/// One login of a flood: 200 and, where too many wait, 503 will do.
async fn send(address: SocketAddr, request: Vec<u8>, free: Arc<Mutex<Vec<Client>>>) -> Outcome<()> {
    let taken = free.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut client = match taken {
        Some(client) => client,
        None => Client::connect(address).await?,
    };
    let answered = client.ask(&request).await?;
    if ![200, 503].contains(&answered.status) {
        return fail(format!("a login was {}", answered.status));
    }
    free.lock().map_err(|_| Failure("a sender ended badly".to_owned()))?.push(client);
    Ok(())
}
