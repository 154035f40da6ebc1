//! What systemd is told of a server that it started (`sd_notify(3)`). Without systemd nothing is said, and nothing is different.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cerrojo_app::{App, Pulse};
use cerrojo_web::Router;
use sd_notify::NotifyState;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// How often a start that takes long asks for more time, and how much more.
const ASK: Duration = Duration::from_secs(5);
const MORE_MICROSECONDS: u32 = 30_000_000;
/// Longest that more time is asked for; then the unit's own limit holds. Bringing a large database up to date takes minutes.
const ASKS: u32 = 3600 / 5;
/// How often it is looked whether the node is still ready.
const LOOK: Duration = Duration::from_secs(1);

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd cannot be told how the server is (NOTIFY_SOCKET)");
    }
}

/// A start, until it is dropped: however long it takes, systemd knows that it goes on and with what.
pub(crate) struct Starting {
    phase: Arc<Mutex<&'static str>>,
    asking: JoinHandle<()>,
}

impl Starting {
    pub(crate) fn begin() -> Self {
        let phase = Arc::new(Mutex::new("starting"));
        let now = Arc::clone(&phase);
        let asking = tokio::spawn(async move {
            for _ in 0..ASKS {
                sleep(ASK).await;
                let phase = *now.lock().unwrap_or_else(PoisonError::into_inner);
                tell(&[NotifyState::ExtendTimeoutUsec(MORE_MICROSECONDS), NotifyState::Status(phase)]);
            }
        });
        Self { phase, asking }
    }

    /// What is being done now.
    pub(crate) fn at(&self, phase: &'static str) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
        tell(&[NotifyState::Status(phase)]);
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

/// A server that answers, until it is dropped.
pub(crate) struct Running {
    status: String,
    app: Arc<App>,
    looking: Vec<JoinHandle<()>>,
}

impl Running {
    /// It accepts connections and its database is open. `status`: where it listens, for people. From here on it shows that it
    /// lives, where the unit asks for that (`WatchdogSec=`).
    pub(crate) fn begin(app: &Arc<App>, router: Router, (pulse, status): (Pulse, String)) -> Self {
        tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
        let mut looking = Vec::new();
        if std::env::var_os("NOTIFY_SOCKET").is_some() {
            looking.push(tokio::spawn(say_how_it_is(Arc::clone(app), status.clone())));
        }
        if let Some(limit) = sd_notify::watchdog_enabled() {
            looking.push(tokio::spawn(show_life(limit, pulse, router)));
        }
        Self { status, app: Arc::clone(app), looking }
    }

    /// It reads anew what can be read anew, which `work` does.
    pub(crate) async fn reload(&self, work: impl Future<Output = ()>) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "systemd cannot be told that the server reloads"),
        }
        work.await;
        tell(&[NotifyState::Ready, NotifyState::Status(status_of(&self.app, &self.status))]);
    }

    /// It was told to stop.
    pub(crate) fn stop(self) {
        self.looking.iter().for_each(JoinHandle::abort);
        tell(&[NotifyState::Stopping, NotifyState::Status("stopping: what has begun is answered")]);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.looking.iter().for_each(JoinHandle::abort);
    }
}

fn status_of<'a>(app: &App, listening: &'a str) -> &'a str {
    if app.is_ready() { listening } else { "answering 503: the database does not renew this node's right to say yes" }
}

async fn say_how_it_is(app: Arc<App>, listening: String) {
    let mut was_ready = true;
    loop {
        sleep(LOOK).await;
        let is_ready = app.is_ready();
        if was_ready != is_ready {
            was_ready = is_ready;
            tell(&[NotifyState::Status(status_of(&app, &listening))]);
        }
    }
}

/// Pings twice in each limit, for as long as a request is answered and the background tasks go on: what a new start helps
/// against is a process in which nothing moves. A database that is away is none of that, and `/health/live` never asks it.
async fn show_life(limit: Duration, pulse: Pulse, router: Router) {
    let half = (limit / 2).max(Duration::from_millis(1));
    let mut clock = interval(half);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = None;
    loop {
        clock.tick().await;
        let trouble = match pulse.trouble() {
            None if !answers(router.clone(), half).await => Some("no request is answered".to_owned()),
            trouble => trouble,
        };
        match &trouble {
            None => tell(&[NotifyState::Watchdog]),
            Some(trouble) if told.as_ref() != Some(trouble) => {
                tracing::error!(error = %trouble, "the server does not live as it should: systemd is not told that it does, and starts it anew");
            }
            Some(_) => {}
        }
        told = trouble;
    }
}

/// Through all that a request passes but the network, on the threads that answer the others.
async fn answers(router: Router, within: Duration) -> bool {
    let asked = tokio::spawn(cerrojo_web::is_alive(router));
    matches!(timeout(within, asked).await, Ok(Ok(true)))
}
