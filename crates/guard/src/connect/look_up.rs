//! Lists that a valid token names and nobody told of: each is asked for once, however many tokens wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cerrojo_domain::ListName;
use http::StatusCode;
use tokio::sync::watch;

use super::http::Trouble;
use super::shared::{Shared, count};
use crate::follow::ListState;

/// How long an answer that no such list is in use is remembered.
const REFUSED_FOR: Duration = Duration::from_secs(5);
/// How long no answer is.
const FAILED_FOR: Duration = Duration::from_millis(500);
/// How many names are remembered or asked for at a time.
const MOST: usize = 256;
/// An event's worth.
const LARGEST: usize = crate::follow::LARGEST_EVENT;

/// What came of a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The list is open.
    Open,
    /// It is retired or never was.
    Nothing,
    /// Nobody could say.
    Unclear,
}

#[derive(Debug, Default)]
pub(super) struct LookUps(Mutex<HashMap<ListName, LookUp>>);

#[derive(Debug)]
enum LookUp {
    /// Under way; the value is what came of it.
    Asking(watch::Receiver<Option<Found>>),
    /// Remembered until this time.
    Answered(Found, Duration),
}

impl Shared {
    /// What is known of the list without waiting, or what to wait for. Asks if nobody does.
    pub(super) fn look_up(self: &Arc<Self>, name: &ListName) -> Result<Found, watch::Receiver<Option<Found>>> {
        let now = self.clock.elapsed();
        let mut all = self.look_ups.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get(name) {
            Some(LookUp::Asking(answer)) => return Err(answer.clone()),
            Some(LookUp::Answered(found, until)) if now < *until => return Ok(*found),
            _ => {}
        }
        all.retain(|_, one| {
            matches!(one, LookUp::Asking(_)) || matches!(one, LookUp::Answered(_, until) if now < *until)
        });
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return Ok(Found::Unclear) };
        if all.len() >= MOST {
            return Ok(Found::Unclear);
        }
        let (tell, answer) = watch::channel(None);
        all.insert(name.clone(), LookUp::Asking(answer.clone()));
        drop(all);
        // A task of its own: whoever asked first may go away while others wait.
        let (shared, name) = (Arc::clone(self), name.clone());
        runtime.spawn(async move {
            let found = shared.ask_for(&name).await;
            let remembered = match found {
                Found::Open => Duration::ZERO,
                Found::Nothing => REFUSED_FOR,
                Found::Unclear => FAILED_FOR,
            };
            let until = shared.clock.elapsed().saturating_add(remembered);
            let mut all = shared.look_ups.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(name, LookUp::Answered(found, until));
            drop(all);
            tell.send_replace(Some(found));
        });
        Err(answer)
    }

    async fn ask_for(&self, name: &ListName) -> Found {
        count(&self.counts.look_ups);
        if self.apply(|follower| follower.looking_up(name)).is_err() {
            return Found::Unclear;
        }
        // Its characters are those of base64url, which stand in a path as they are: claims with another are not accepted.
        match self.client.get(&format!("{}/lists/{name}", self.endpoint), LARGEST).await {
            Ok(body) => {
                let opened = self.apply(|follower| {
                    let list = ListState::read(&body)?;
                    if list.name() != name {
                        return Err(crate::follow::Fault::Malformed("the name of a list"));
                    }
                    follower.looked_up(&list)
                });
                if opened.is_ok() { Found::Open } else { Found::Unclear }
            }
            Err(Trouble::Status(StatusCode::NOT_FOUND, _)) => Found::Nothing,
            Err(trouble) => {
                tracing::warn!(error = %trouble, list.name = %name, "a list could not be looked up");
                Found::Unclear
            }
        }
    }
}

/// Waits for what comes of a look-up.
pub(super) async fn answered(mut answer: watch::Receiver<Option<Found>>) -> Found {
    // Its task sends before it ends, unless the runtime goes down.
    answer.wait_for(Option::is_some).await.ok().and_then(|found| *found).unwrap_or(Found::Unclear)
}
