//! What is told of a session that has ended to whoever held it: when it ended, why and by whom.

use std::time::Duration;

use cerrojo_domain::{SessionId, UnixMillis};
use cerrojo_store::sessions::{self, Ended};
use subtle::ConstantTimeEq as _;

use crate::{App, Trouble};

/// When a session ended, why and by whom. `None`: it has not, or that is not remembered any more.
///
/// # Errors
/// [`Trouble`] if the database cannot be read.
pub async fn of(app: &App, session: &SessionId) -> Result<Option<Ended>, Trouble> {
    let found = sessions::by_id(&mut app.store.reader(), session).await?;
    let since = app.clock.now().minus(app.settings.retention.ended_sessions);
    Ok(found.and_then(|session| session.ended).filter(|ended| ended.at >= since))
}

/// A note that a browser keeps for the server for a while, and which nobody else can write: base64url, digits and dots.
#[must_use]
pub fn sealed(app: &App, note: &str) -> String {
    let dated = format!("{note}.{}", app.clock.now().0);
    let seal = seal(app, &dated);
    format!("{dated}.{seal}")
}

/// The note, if it was sealed here and is not older than `longest`.
#[must_use]
pub fn unsealed<'n>(app: &App, text: &'n str, longest: Duration) -> Option<&'n str> {
    let (dated, given) = text.rsplit_once('.')?;
    if !bool::from(seal(app, dated).as_bytes().ct_eq(given.as_bytes())) {
        return None;
    }
    let (note, at) = dated.rsplit_once('.')?;
    let at = UnixMillis(at.parse().ok()?);
    (app.clock.now().since(at) <= longest).then_some(note)
}

fn seal(app: &App, dated: &str) -> String {
    cerrojo_store::audit::chain::hex(&app.keys.compare_by(&["note that a browser keeps"], dated.as_bytes()))
}
