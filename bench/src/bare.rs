//! Floors without HTTP: the store that writes what a logout writes, and the password hash by itself.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use cerrojo_app::Settings;
use cerrojo_domain::{Actor, Clock as _, EndReason, Ending, SessionId, SystemClock, UserId};
use cerrojo_store::endings;
use cerrojo_store::{OpenOptions, Store};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome, fail};
use crate::figures::real;
use crate::load::elapsed;
use crate::requests::{PASSWORD, PUBLIC_URL};
use crate::seed;

/// Endings in one transaction.
const TOGETHER: usize = 64;

/// What a floor reached; told on standard output as JSON.
#[derive(Deserialize, Serialize)]
pub(crate) struct Reached {
    /// So many a second.
    pub(crate) rate: f64,
}

/// Starts this program as such a floor and waits for what it reached. The caller's other tasks wait meanwhile: it measures
/// nothing else then.
pub(crate) fn reach<T: DeserializeOwned>(arguments: &[&str]) -> Outcome<T> {
    let done = std::process::Command::new(std::env::current_exe()?).args(arguments).output()?;
    if !done.status.success() {
        return fail(String::from_utf8_lossy(&done.stderr).trim().to_owned());
    }
    Ok(serde_json::from_slice(&done.stdout)?)
}

fn tell(count: usize, took: Duration) -> Outcome<()> {
    let reached = Reached { rate: real(count) / took.as_secs_f64() };
    Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string(&reached)?)?)
}

/// Ends `count` of the seeded sessions after the first `skip`, 64 in a transaction.
pub(crate) fn store(folder: &Path, skip: usize, count: usize) -> Outcome<()> {
    let sessions = seed::read_sessions(folder)?;
    let sessions: Vec<SessionId> = sessions.into_iter().skip(skip).take(count).collect();
    // As the server's: one thread is enough for one writer, and a second one for what is ready.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let url = format!("sqlite:{}", folder.join("cerrojo.db").display());
        let store = Store::open(&url, OpenOptions::default()).await?;
        let place = Some(IpAddr::from(Ipv4Addr::LOCALHOST));
        let start = elapsed();
        for together in sessions.chunks(TOGETHER) {
            let at = SystemClock::new().now();
            let ending = Ending { reason: EndReason::Logout, actor: Actor::User(UserId(1)), at, place };
            let mut wanted: Vec<_> = together.iter().map(|session| (session, &ending)).collect();
            wanted.sort_by_key(|(session, _)| *session);
            let mut tx = store.begin_ending().await?;
            if endings::end_each(&mut tx, &wanted).await?.len() != together.len() {
                return fail("a session had ended already");
            }
            tx.commit().await?;
        }
        let took = elapsed().saturating_sub(start);
        store.close().await;
        tell(sessions.len(), took)
    })
}

/// Hashes on so many threads for so long, each with memory that it keeps.
pub(crate) fn hash(threads: usize, seconds: u64) -> Outcome<()> {
    let cost = Settings::for_url(PUBLIC_URL).password.argon2;
    let params =
        Params::new(cost.memory_kib, cost.passes, cost.lanes, None).map_err(|error| Failure(error.to_string()))?;
    let start = elapsed();
    let counts = std::thread::scope(|scope| {
        let working: Vec<_> =
            (0..threads).map(|_| scope.spawn(|| hash_until(&params, start + Duration::from_secs(seconds)))).collect();
        working
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| fail("a thread ended badly")))
            .collect::<Outcome<Vec<_>>>()
    })?;
    tell(counts.iter().sum(), elapsed().saturating_sub(start))
}

fn hash_until(params: &Params, end: Duration) -> Outcome<usize> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let mut memory = vec![Block::new(); params.block_count()];
    let mut hash = [0; 32];
    let mut count = 0;
    while elapsed() < end {
        argon2
            .hash_password_into_with_memory(PASSWORD.as_bytes(), b"0123456789abcdef", &mut hash, &mut memory)
            .map_err(|error| Failure(error.to_string()))?;
        count += 1;
    }
    Ok(count)
}
