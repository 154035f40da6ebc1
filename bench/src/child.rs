//! Processes under test: started, watched from outside, stopped.

use std::collections::HashMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child as Process, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::answer::Answer;
use crate::failure::{Failure, Outcome, fail};
use crate::load::{Client, elapsed};
use crate::nodes::Settings;
use crate::place::Build;
use crate::requests::{PUBLIC_URL, plain};
use crate::seed::MASTER_KEY;

/// Longer than this no server starts.
const START: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(1);

/// A running server or floor. Killed when dropped.
pub(crate) struct Child {
    process: Process,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// How long it took from its start until it answered as it should.
    pub(crate) ready_after: Duration,
}

/// The server on that database, its limits off, and where it will listen.
fn serve(build: &Build, folder: &Path, database: &str) -> Outcome<(SocketAddr, Command)> {
    let address = free_address()?;
    let mut command = Command::new(&build.program);
    command
        .arg("serve")
        .current_dir(folder)
        .env_clear()
        .env("CERROJO_SERVER__LISTEN", address.to_string())
        .env("CERROJO_SERVER__PUBLIC_URL", PUBLIC_URL)
        .env("CERROJO_DATABASE__URL", database)
        .env("CERROJO_MAIL__OUTBOX", folder.join("outbox"))
        .env("CERROJO_LIMITS__LOGIN", "off")
        .env("CERROJO_LIMITS__PUBLIC", "off");
    Ok((address, command))
}

/// Processor time of each thread, in nanoseconds.
pub(crate) struct CpuTimes(HashMap<String, u64>);

impl Child {
    /// Starts the server on the database in `folder`, its limits off; returns when it is ready.
    pub(crate) async fn server(build: &Build, folder: &Path) -> Outcome<Self> {
        Self::server_answering(build, folder, &[]).await
    }

    /// The same, but returns when all of `asked` are answered with 200 as well.
    pub(crate) async fn server_answering(build: &Build, folder: &Path, asked: &[Vec<u8>]) -> Outcome<Self> {
        let url = format!("sqlite:{}", folder.join("cerrojo.db").display());
        let (address, command) = serve(build, folder, &url)?;
        Self::start(command, address, (folder, Some(asked))).await
    }

    /// Starts one of several nodes on a PostgreSQL database; `folder` is its own and holds the master key.
    pub(crate) async fn node(
        build: &Build,
        (folder, url, settings): (&Path, &str, Settings),
        asked: &[Vec<u8>],
    ) -> Outcome<Self> {
        let (address, mut command) = serve(build, folder, url)?;
        command.env("CERROJO_KEYS__MASTER_KEY_FILE", folder.join(MASTER_KEY)).envs(settings.iter().copied());
        Self::start(command, address, (folder, Some(asked))).await
    }

    /// Starts a floor that gives this answer.
    pub(crate) async fn floor(answer: &Answer, folder: &Path) -> Outcome<Self> {
        let address = free_address()?;
        let file = folder.join("answer.json");
        std::fs::write(&file, serde_json::to_vec(answer)?)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("floor").arg(file).arg(address.port().to_string()).env_clear();
        Self::start(command, address, (folder, None)).await
    }

    /// Without `asked` any answer to anything will do.
    async fn start(mut command: Command, address: SocketAddr, watched: (&Path, Option<&[Vec<u8>]>)) -> Outcome<Self> {
        let (folder, asked) = watched;
        let log = folder.join("log");
        command.stdin(Stdio::null()).stdout(File::create(folder.join("out"))?).stderr(File::create(&log)?);
        let start = elapsed();
        let process = command.spawn().map_err(|error| Failure(format!("{command:?}: {error}")))?;
        let mut child = Self { process, address, ready_after: Duration::ZERO };
        while !child.answers(asked).await {
            if elapsed().saturating_sub(start) > START || child.process.try_wait()?.is_some() {
                return fail(format!("it did not start: {}", std::fs::read_to_string(log)?));
            }
            tokio::time::sleep(LOOK).await;
        }
        child.ready_after = elapsed().saturating_sub(start);
        Ok(child)
    }

    async fn answers(&self, asked: Option<&[Vec<u8>]>) -> bool {
        let Ok(mut client) = Client::connect(self.address).await else { return false };
        let ready = client.ask(&plain("GET /health/ready")).await;
        let Some(asked) = asked else { return ready.is_ok() };
        if !ready.is_ok_and(|extent| extent.status == 200) {
            return false;
        }
        for request in asked {
            if !client.ask(request).await.is_ok_and(|extent| extent.status == 200) {
                return false;
            }
        }
        true
    }

    /// Processor time used so far.
    pub(crate) fn cpu(&self) -> Outcome<CpuTimes> {
        let mut times = HashMap::new();
        for task in std::fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let task = task?;
            // A thread may end while this looks.
            let Ok(text) = std::fs::read_to_string(task.path().join("schedstat")) else { continue };
            let used = text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0);
            times.insert(task.file_name().to_string_lossy().into_owned(), used);
        }
        Ok(CpuTimes(times))
    }

    /// Memory in use (`VmRSS`), in MiB.
    pub(crate) fn resident(&self) -> Outcome<f64> {
        resident_of(&self.process.id().to_string())
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Outcome<()> {
        let id = i32::try_from(self.process.id()).ok().and_then(rustix::process::Pid::from_raw);
        id.map_or(Ok(()), |id| Ok(rustix::process::kill_process(id, signal)?))
    }

    /// Ends it as an operator would and waits for that.
    pub(crate) async fn stop(mut self) -> Outcome<()> {
        self.signal(Signal::TERM)?;
        let start = elapsed();
        while self.process.try_wait()?.is_none() {
            if elapsed().saturating_sub(start) > START {
                return fail("a server did not stop");
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl CpuTimes {
    /// What all threads used since `before`.
    pub(crate) fn since(&self, before: &Self) -> Duration {
        let used = |(thread, now): (&String, &u64)| now.saturating_sub(before.0.get(thread).copied().unwrap_or(0));
        Duration::from_nanos(self.0.iter().map(used).sum())
    }
}

/// Memory that a process uses (`VmRSS`), in MiB; `self` is this one.
pub(crate) fn resident_of(process: &str) -> Outcome<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u32 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    Ok(f64::from(kib) / 1024.0)
}

/// A loopback port that nobody has at the moment.
fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
