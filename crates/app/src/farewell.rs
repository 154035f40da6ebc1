//! What is told of a session that has ended to whoever held it: whose it was, when it ended, why and by whom.

use cerrojo_domain::SessionId;
use cerrojo_store::sessions::{self, Ended};
use cerrojo_store::users;

use crate::{App, Trouble};

/// A session that is over.
pub struct Farewell {
    /// The account's name and e-mail address; `None`: it is gone.
    pub account: Option<(String, String)>,
    /// When, why and by whom.
    pub ended: Ended,
}

/// What is known of a session that has ended. `None`: it has not, or is not remembered any more.
///
/// # Errors
/// [`Trouble`] if the database cannot be read.
pub async fn of(app: &App, session: &SessionId) -> Result<Option<Farewell>, Trouble> {
    let mut run = app.store.reader();
    let Some(session) = sessions::by_id(&mut run, session).await? else { return Ok(None) };
    let Some(ended) = session.ended else { return Ok(None) };
    let user = users::by_id(&mut run, session.user).await?;
    Ok(Some(Farewell { account: user.map(|user| (user.name, user.email.as_str().to_owned())), ended }))
}
