//! When sessions were last used, written down some time after it happened.

use std::time::Duration;

use crate::{App, Trouble};

/// So many to a transaction, so that others get their turn at the one writer.
const CHUNK: usize = 1000;

/// How long activity may wait before it is written down: a tenth of the idle timeout, a minute at most.
pub(crate) fn interval(app: &App) -> Duration {
    let minute = Duration::from_mins(1);
    app.settings.idle_timeout.map_or(minute, |idle| (idle / 10).min(minute))
}

/// Writes down what was seen since the last time.
pub async fn write_down(app: &App) -> Result<(), Trouble> {
    let mut seen = app.guard.take_activity();
    seen.sort();
    for chunk in seen.chunks(CHUNK) {
        let mut tx = app.store.begin().await?;
        for (list, index, at) in chunk {
            cerrojo_store::sessions::saw(&mut tx, list, *index, *at).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}
