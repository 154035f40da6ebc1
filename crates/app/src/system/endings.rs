//! The endings of everybody's sessions.

use cerrojo_domain::{EndReason, SessionId};
pub use cerrojo_store::audit::endings::{Ended, Which};
use cerrojo_store::audit::endings::{newest, of_sessions};

use crate::administer::By;
use crate::audit::{Asked, AskedError, LookError};
use crate::{App, Trouble};

/// As typed; what is not given does not matter.
#[derive(Clone, Debug, Default)]
pub struct EndingsAsked {
    /// Whose sessions: a number, or the address of an account.
    pub user: Option<String>,
    /// Who ended them: `user`, `administrator`, `operator` or `server`.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The number of an entry: only older ones.
    pub before: Option<i64>,
}

/// Some endings, the newest first.
pub struct Endings {
    /// Them.
    pub ended: Vec<Ended>,
    /// What to ask for to get the next ones; none if there are no more.
    pub before: Option<i64>,
}

impl EndingsAsked {
    /// In the terms of the trail.
    ///
    /// # Errors
    /// [`LookError`] says what is wrong, and where.
    pub async fn which(self, app: &App, by: By<'_>) -> Result<Which, LookError> {
        by.check_role()?;
        if self.reason.as_deref().is_some_and(|reason| EndReason::parse(reason).is_none()) {
            return Err(LookError::Asked(AskedError::Reason));
        }
        let is_actor = |by: &str| matches!(by, "user" | "administrator" | "operator" | "server");
        if self.by.as_deref().is_some_and(|by| !is_actor(by)) {
            return Err(LookError::Asked(AskedError::Doer));
        }
        let of_user = Asked { user: self.user, ..Asked::default() }.filter(&mut app.store.reader()).await?;
        Ok(Which { user: of_user.user, by: self.by, reason: self.reason, before: self.before })
    }
}

/// The newest endings of the whole system, at most `most`.
///
/// # Errors
/// [`LookError`].
pub async fn endings(app: &App, by: By<'_>, asked: EndingsAsked, most: i64) -> Result<Endings, LookError> {
    let which = asked.which(app, by).await?;
    let mut ended = newest_endings(app, &which, most.saturating_add(1)).await?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let is_more = ended.len() > most;
    ended.truncate(most);
    let before = ended.last().filter(|_| is_more).map(|last| last.id);
    Ok(Endings { ended, before })
}

/// The newest of those that were asked for, at most `most`.
///
/// # Errors
/// [`Trouble`] if the database cannot be read.
pub async fn newest_endings(app: &App, which: &Which, most: i64) -> Result<Vec<Ended>, Trouble> {
    let (store, which) = (app.store.clone(), which.clone());
    // Not every filter has an index.
    let found = async move { Ok::<_, Trouble>(newest(&mut store.snapshot().await?, &which, most).await?) };
    app.scans.take_turn(found).await
}

/// What is known of these sessions' endings, of those that were asked for; the one that ended last first.
///
/// # Errors
/// [`Trouble`] if the database cannot be read.
pub async fn ended_of(app: &App, sessions: &[SessionId], which: &Which) -> Result<Vec<Ended>, Trouble> {
    let mut ended = of_sessions(&mut app.store.reader(), sessions).await?;
    ended.retain(|ended| which.has(ended));
    Ok(ended)
}
