//! `POST /api/auth/logout`: durable, beside the store that writes the same rows without HTTP.

use std::path::PathBuf;

use tokio::task::JoinSet;

use crate::bare;
use crate::child::Child;
use crate::failure::{Failure, Outcome};
use crate::figures::{Figures, each};
use crate::load::{Client, Load, Order, Until};
use crate::place::Place;
use crate::requests::{Requests, logins, with_tokens};
use crate::seed::{self, Plan, USERS};
use crate::table::{Report, Target};
use crate::threads;

/// What is asked.
pub(crate) const LINE: &str = "POST /api/auth/logout";
/// Clients that log out at the same time.
const CLIENTS: usize = 64;
/// Sessions that are ended before anything counts.
const BEFORE: usize = CLIENTS * 4;

struct Contest {
    servers: Vec<Child>,
    floor: Child,
    bare: PathBuf,
    /// For the floor, which reads no token.
    requests: Requests,
    count: usize,
}

/// What the rounds showed, by contender.
struct Shown {
    servers: Vec<Vec<Figures>>,
    floor: Vec<Figures>,
    bare: Vec<f64>,
}

/// Measures it: every session was signed in before and is ended once.
pub(crate) async fn measure(place: &Place, report: &mut Report) -> Outcome<()> {
    let count = place.amounts.logouts;
    let seed = place.folder("seed")?;
    let live = BEFORE + (place.amounts.rounds + 1) * count;
    seed::fill(&seed, Plan { live, ended: 0, tokens: live }).await?;
    let tokens = seed::read_tokens(&seed, "live")?;
    let requests = with_tokens(LINE, &tokens);
    let mut servers = Vec::new();
    for build in &place.builds {
        servers.push(Child::server(build, &place.copy_of(&seed)?).await?);
    }
    let floor = floor(place, &servers, &requests).await?;
    let contest = Contest { servers, floor, bare: place.copy_of(&seed)?, requests, count };
    let mut shown = Shown { servers: vec![Vec::new(); place.builds.len()], floor: Vec::new(), bare: Vec::new() };
    // The first does not count.
    for round in 0..=place.amounts.rounds {
        let measured = contest.round(BEFORE + round * count).await?;
        if round > 0 {
            shown.note(measured);
        }
    }
    for (build, rounds) in place.builds.iter().zip(&shown.servers) {
        report.add("logout, 64 clients", build, (rounds, Some(&shown.floor)));
        let rates = each(rounds, |figures| figures.rate);
        report.judge(
            "logout: rate beside the bare store",
            build,
            Target::at_least(0.5).of_ratio("/s", &rates, &shown.bare),
        );
    }
    Ok(())
}

/// Of the first server's answer; on each of them the same session ends, so that the rounds find the same.
async fn floor(place: &Place, servers: &[Child], requests: &Requests) -> Outcome<Child> {
    let mut answers = Vec::new();
    for server in servers {
        let mut client = Client::connect(server.address).await?;
        let request = requests.first().ok_or_else(|| Failure("no session".to_owned()))?;
        answers.push(client.answer(request).await?);
    }
    let answer = answers.first().ok_or_else(|| Failure("no server".to_owned()))?;
    Child::floor(answer, &place.folder("floor")?).await
}

/// Signs in so many times; the tokens.
async fn sign_in(server: &Child, count: usize) -> Outcome<Vec<String>> {
    let clients = threads() * 4;
    let requests = logins(USERS);
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        let (address, requests) = (server.address, requests.clone());
        tasks.spawn(async move {
            let mut connection = Client::connect(address).await?;
            let mut tokens = Vec::new();
            for request in requests.iter().cycle().skip(client).step_by(clients).take(count.div_ceil(clients)) {
                let answer = connection.answer(request).await?;
                let body: serde_json::Value = serde_json::from_slice(&answer.body)?;
                let token = body.pointer("/data/token").and_then(serde_json::Value::as_str);
                tokens.push(token.ok_or_else(|| Failure("a sign-in gave no token".to_owned()))?.to_owned());
            }
            Ok::<_, Failure>(tokens)
        });
    }
    let mut tokens = Vec::with_capacity(count);
    while let Some(signed_in) = tasks.join_next().await {
        tokens.extend(signed_in??);
    }
    tokens.truncate(count);
    Ok(tokens)
}

type Measured = (Vec<Figures>, Figures, f64);

impl Contest {
    async fn round(&self, first: usize) -> Outcome<Measured> {
        let mut servers = Vec::with_capacity(self.servers.len());
        for server in &self.servers {
            let tokens = sign_in(server, self.count).await?;
            servers.push(self.ask(server, &with_tokens(LINE, &tokens)).await?);
        }
        let floor = self.ask(&self.floor, &self.requests).await?;
        let folder = self.bare.display().to_string();
        let bare: bare::Reached = bare::reach(&["bare-store", &folder, &first.to_string(), &self.count.to_string()])?;
        Ok((servers, floor, bare.rate))
    }

    async fn ask(&self, child: &Child, requests: &Requests) -> Outcome<Figures> {
        let load = Load {
            requests: requests.clone(),
            order: Order::InTurn(0),
            connections: CLIENTS,
            until: Until::Count(self.count),
            status: 200,
        };
        let before = child.cpu()?;
        let sample = load.run(child.address).await?;
        Ok(sample.figures(child.cpu()?.since(&before)))
    }
}

impl Shown {
    fn note(&mut self, (servers, floor, bare): Measured) {
        for (rounds, figures) in self.servers.iter_mut().zip(servers) {
            rounds.push(figures);
        }
        self.floor.push(floor);
        self.bare.push(bare);
    }
}
