//! What a running server does by itself.

use std::sync::Arc;
use std::time::Duration;

use cerrojo_store::postgres::{self, Word};
use cerrojo_store::{leases, outbox};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::pulse::{Beat, Pulse};
use crate::{App, Lease, Trouble, activity, audit, follow, lease, mail, onlookers, put_back, snapshot, sweep};

/// How often the log is looked at for what a command beside the server wrote.
const LOOK: Duration = Duration::from_millis(100);
/// The same for what other nodes wrote, where no word of it comes.
const POLL: Duration = Duration::from_millis(50);
/// How long until another try to listen for word from other nodes.
const LISTEN_AGAIN: Duration = Duration::from_millis(500);
/// How often the log's older entries are taken into the bitmaps that a node starts from.
const SNAPSHOT: Duration = Duration::from_mins(1);
/// How often time's doings are looked after.
const SWEEP: Duration = Duration::from_mins(1);
/// Mail that is due is looked for at least this often.
const MAIL: Duration = Duration::from_mins(1);
/// How often it is looked whether the write-ahead log has grown enough to be moved into the database file.
const CHECKPOINT: Duration = Duration::from_secs(1);
/// How often entries are moved into the chain of the audit trail.
const SEAL: Duration = Duration::from_secs(1);
/// How often the log says where that chain is.
const SAY_HEAD: Duration = Duration::from_hours(24);
/// How often changed limits are written down without anybody waiting for it.
const LIMITS: Duration = Duration::from_secs(5);

/// The background tasks of an [`App`].
#[derive(Debug)]
pub struct Tasks {
    stop: watch::Sender<bool>,
    renewing: Option<JoinHandle<()>>,
    running: Vec<JoinHandle<()>>,
    pulse: Pulse,
}

impl App {
    /// Starts following, sweeping, delivering mail and writing down activity and limits.
    #[must_use]
    pub fn spawn_tasks(self: &Arc<Self>) -> Tasks {
        let (stop, stopped) = watch::channel(false);
        let pulse = Pulse::default();
        let of = |name| Kept { app: Arc::clone(self), stopped: stopped.clone(), beat: pulse.of(name) };
        let mut running = vec![
            tokio::spawn(follow_the_log(of("follows the log"))),
            every(SNAPSHOT, of("takes the log into the lists"), |app| async move { snapshot::take(&app).await }),
            every(SWEEP, of("sweeps"), |app| async move { sweep::sweep(&app).await }),
            every(activity::interval(self), of("ends idle sessions"), |app| async move { sweep::end_idle(&app).await }),
            every(
                CHECKPOINT,
                of("moves the write-ahead log"),
                |app| async move { put_back::checkpoint_if_due(&app).await },
            ),
            every(SEAL, of("chains the audit trail"), |app| async move { audit::seal(&app).await }),
            every(SAY_HEAD, of("says where the audit trail is"), |app| async move { audit::say_head(&app).await }),
            every(LIMITS, of("writes limits down"), |app| async move { app.limits.save(&app.store).await }),
            tokio::spawn(deliver(of("delivers mail"))),
        ];
        running.push(tokio::spawn(wake_onlookers(of("wakes whoever follows a session"))));
        if !self.store.is_sqlite() {
            running.push(tokio::spawn(listen(of("listens to other nodes"))));
        }
        let renewing = (self.lease == Lease::Member).then(|| tokio::spawn(keep_the_lease(of("renews the lease"))));
        Tasks { stop, renewing, running, pulse }
    }
}

/// What a background task is given.
struct Kept {
    app: Arc<App>,
    stopped: watch::Receiver<bool>,
    beat: Beat,
}

impl Tasks {
    /// Whether they go on.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Gives the lease back, ends the tasks after what they have begun, writes down activity and limits.
    pub async fn stop(self, app: &App) {
        let _ = self.stop.send(true);
        if let Some(renewing) = self.renewing {
            let _ = renewing.await;
            // First of all: every logout at the others waits for this node until then.
            report(app, lease::give_back(app).await);
        }
        for task in self.running {
            let _ = task.await;
        }
        let written = [
            activity::write_down(app).await,
            app.limits.save(&app.store).await,
            audit::seal(app).await,
            put_back::checkpoint(app).await,
        ];
        for written in written {
            report(app, written);
        }
        if app.lease != Lease::Member {
            app.guard.hold_lease_until(Duration::ZERO);
            report(app, leases::give_back(&app.store, &app.node).await.map_err(Trouble::from));
        }
    }
}

fn report(app: &App, done: Result<(), Trouble>) {
    if let Err(trouble) = done {
        app.metrics.background_failures.inc();
        tracing::error!(error = %trouble, "background work failed; it is tried again");
    }
}

fn every<W, D>(period: Duration, kept: Kept, work: W) -> JoinHandle<()>
where
    W: Fn(Arc<App>) -> D + Send + 'static,
    D: Future<Output = Result<(), Trouble>> + Send,
{
    let Kept { app, mut stopped, beat } = kept;
    tokio::spawn(async move {
        let mut clock = tokio::time::interval(period);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            beat.rests(period);
            tokio::select! {
                _ = clock.tick() => {}
                _ = stopped.changed() => return beat.stops(),
            }
            beat.works();
            report(&app, work(Arc::clone(&app)).await);
        }
    })
}

/// Woken by other nodes, and by the clock all the same.
async fn follow_the_log(Kept { app, mut stopped, beat }: Kept) {
    let pause = if app.lease == Lease::Member { POLL } else { LOOK };
    let mut well = true;
    loop {
        beat.rests(pause);
        tokio::select! {
            () = app.membership.grown.notified() => {}
            () = tokio::time::sleep(pause) => {}
            _ = stopped.changed() => return beat.stops(),
        }
        beat.works();
        let looked = follow::look(&app).await;
        // Told once, not twenty times a second.
        if well || looked.is_ok() {
            well = looked.is_ok();
            report(&app, looked);
        }
    }
}

/// Woken by the clock alone: what the log says wakes whom it is about by itself.
async fn wake_onlookers(Kept { app, mut stopped, beat }: Kept) {
    loop {
        let pause = onlookers::pause(&app);
        beat.rests(pause);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopped.changed() => return beat.stops(),
        }
        beat.works();
        onlookers::look(&app);
    }
}

async fn keep_the_lease(Kept { app, mut stopped, beat }: Kept) {
    let mut well = true;
    loop {
        beat.rests(lease::BEAT);
        tokio::select! {
            () = app.membership.lost.notified() => {}
            () = tokio::time::sleep(lease::BEAT) => {}
            _ = stopped.changed() => return beat.stops(),
        }
        beat.works();
        match lease::beat(&app).await {
            Ok(()) if !well => {
                well = true;
                tracing::info!("this node is current again");
            }
            Ok(()) => {}
            Err(trouble) => {
                app.metrics.lease_failures.inc();
                if std::mem::replace(&mut well, false) {
                    tracing::error!(error = %trouble, "the lease could not be renewed: this node answers 503 until it can");
                }
            }
        }
    }
}

/// Word from other nodes makes things quick; without it they are looked at now and then.
async fn listen(Kept { app, mut stopped, beat }: Kept) {
    loop {
        if let Ok(mut listener) = postgres::listen(&app.store).await {
            // Whatever was said before was not heard.
            let mut word = Word::Any;
            loop {
                pass_on(&app, word);
                let heard = tokio::select! {
                    heard = listener.heard() => heard,
                    _ = stopped.changed() => return beat.stops(),
                };
                let Ok(heard) = heard else { break };
                word = heard;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LISTEN_AGAIN) => {}
            _ = stopped.changed() => return beat.stops(),
        }
    }
}

/// Wakes whoever it is for: with three nodes a logout gives three words, and reading the log for each would be most of
/// what it costs the database. What this process wrote itself it has applied; the others learn of that at the next look.
fn pass_on(app: &App, word: Word) {
    match word {
        Word::Grown(number) if number <= app.follower.number() => {}
        Word::Applied(node, number) => app.membership.hear(node, number),
        Word::Profile(user, node) => onlookers::hear_profile(app, user, &node),
        // Whoever waits for others looks by himself after a moment, whether or not some word of theirs was lost.
        Word::Grown(_) | Word::Any => app.membership.grown.notify_one(),
    }
}

async fn deliver(Kept { app, mut stopped, beat }: Kept) {
    loop {
        // A delivery may be dropped at any point: its job is due again a minute later.
        tokio::select! {
            delivered = mail::deliver_due(&app) => report(&app, delivered.map(drop)),
            _ = stopped.changed() => return beat.stops(),
        }
        let next = outbox::next_due(&mut app.store.reader()).await.ok().flatten();
        let wait = next.map_or(MAIL, |due| due.since(app.clock.now()).clamp(Duration::from_millis(200), MAIL));
        tokio::select! {
            () = app.mail_waiting.notified() => {}
            () = tokio::time::sleep(wait) => {}
            _ = stopped.changed() => return beat.stops(),
        }
    }
}
