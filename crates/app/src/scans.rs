//! Reading through whole tables, for administrators: one at a time on a node, so that nobody's sign-in or logout finds the
//! connections taken. A reader that went away has its turn until the database is done with it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::{Trouble, request};

/// How long one waits for a turn.
const PATIENCE: Duration = Duration::from_secs(3);

/// Turns of those who read through whole tables.
pub(crate) struct Scans {
    turns: Arc<Semaphore>,
    patience: Duration,
}

impl Default for Scans {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(1)), patience: PATIENCE }
    }
}

impl Scans {
    /// Does the work when it is its turn. It goes on to its end whatever becomes of the caller.
    ///
    /// # Errors
    /// The work's; [`Trouble::Unavailable`] if others take too long.
    pub(crate) async fn take_turn<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Trouble> + Send + 'static,
    {
        let turn = tokio::time::timeout(self.patience, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Trouble::Unavailable("another search takes long".to_owned()).into());
        };
        let done = tokio::spawn(request::carried(async move {
            let done = work.await;
            drop(turn);
            done
        }));
        done.await.map_err(|error| Trouble::Unavailable(format!("a search was interrupted: {error}")))?
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn whoever_goes_away_keeps_the_turn_until_the_work_is_done() {
        let scans = Scans { patience: Duration::ZERO, ..Scans::default() };
        let (finish, finished) = oneshot::channel::<()>();
        let (start, begun) = oneshot::channel::<()>();
        let long = scans.take_turn(async move {
            let _ = start.send(());
            finished.await.map_err(|_| Trouble::Internal("gone".to_owned()))
        });
        tokio::select! {
            biased;
            _ = long => unreachable!("it is not done"),
            _ = begun => {}
        }
        let other = || scans.take_turn(async { Ok::<_, Trouble>(7) });
        assert!(matches!(other().await, Err(Trouble::Unavailable(_))), "the one who went away is not done");
        finish.send(()).unwrap();
        let _ = Arc::clone(&scans.turns).acquire_owned().await.unwrap();
        assert_eq!(other().await.unwrap(), 7);
    }
}
