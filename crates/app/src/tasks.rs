//! What a running server does by itself.

use std::sync::Arc;
use std::time::Duration;

use cerrojo_store::{leases, outbox};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{App, Trouble, activity, follow, mail, sweep, went_back};

/// How often the log is looked at for what a command beside the server wrote.
const LOOK: Duration = Duration::from_millis(100);
/// How often time's doings are looked after.
const SWEEP: Duration = Duration::from_mins(1);
/// Mail that is due is looked for at least this often.
const MAIL: Duration = Duration::from_mins(1);
/// How often it is looked whether the write-ahead log has grown enough to be moved into the database file.
const CHECKPOINT: Duration = Duration::from_secs(1);
/// How often changed limits are written down without anybody waiting for it.
const LIMITS: Duration = Duration::from_secs(5);

/// The background tasks of an [`App`].
#[derive(Debug)]
pub struct Tasks {
    stop: watch::Sender<bool>,
    running: Vec<JoinHandle<()>>,
}

impl App {
    /// Starts following, sweeping, delivering mail and writing down activity and limits.
    #[must_use]
    pub fn spawn_tasks(self: &Arc<Self>) -> Tasks {
        let (stop, stopped) = watch::channel(false);
        let running = vec![
            every(LOOK, &stopped, self, |app| async move { follow::look(&app).await }),
            every(SWEEP, &stopped, self, |app| async move { sweep::sweep(&app).await }),
            every(activity::interval(self), &stopped, self, |app| async move { activity::write_down(&app).await }),
            every(CHECKPOINT, &stopped, self, |app| async move { went_back::checkpoint_if_due(&app).await }),
            every(LIMITS, &stopped, self, |app| async move { app.limits.save(&app.store).await }),
            tokio::spawn(deliver(Arc::clone(self), stopped.clone())),
        ];
        Tasks { stop, running }
    }
}

impl Tasks {
    /// Ends the tasks after what they have begun, writes down activity and limits, gives the lease back.
    pub async fn stop(self, app: &App) {
        let _ = self.stop.send(true);
        for task in self.running {
            let _ = task.await;
        }
        for written in
            [activity::write_down(app).await, app.limits.save(&app.store).await, went_back::checkpoint(app).await]
        {
            report(written);
        }
        app.guard.hold_lease_until(Duration::ZERO);
        report(leases::give_back(&app.store, &app.node).await.map_err(Trouble::from));
    }
}

fn report(done: Result<(), Trouble>) {
    if let Err(trouble) = done {
        tracing::error!(%trouble, "background work failed; it is tried again");
    }
}

fn every<W, D>(period: Duration, stopped: &watch::Receiver<bool>, app: &Arc<App>, work: W) -> JoinHandle<()>
where
    W: Fn(Arc<App>) -> D + Send + 'static,
    D: Future<Output = Result<(), Trouble>> + Send,
{
    let (app, mut stopped) = (Arc::clone(app), stopped.clone());
    tokio::spawn(async move {
        let mut clock = tokio::time::interval(period);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = clock.tick() => report(work(Arc::clone(&app)).await),
                _ = stopped.changed() => return,
            }
        }
    })
}

async fn deliver(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    loop {
        // A delivery may be dropped at any point: its job is due again a minute later.
        tokio::select! {
            delivered = mail::deliver_due(&app) => report(delivered.map(drop)),
            _ = stopped.changed() => return,
        }
        let next = outbox::next_due(&mut app.store.reader()).await.ok().flatten();
        let wait = next.map_or(MAIL, |due| due.since(app.clock.now()).clamp(Duration::from_millis(200), MAIL));
        tokio::select! {
            () = app.mail_waiting.notified() => {}
            () = tokio::time::sleep(wait) => {}
            _ = stopped.changed() => return,
        }
    }
}
