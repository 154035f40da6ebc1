//! Everything that is kept of a person, for the person.

use cerrojo_domain::{Email, UnixMillis, User, UserId};
use cerrojo_store::sessions::Session;
use cerrojo_store::{Reader, StoreError, email_changes, known_addresses, outbox, users};

use crate::Retention;
use crate::sessions::{self, Show};

/// All of it but the hash of the password.
pub struct Personal {
    /// The account.
    pub user: User,
    /// The address that takes the place of the account's once it is confirmed.
    pub pending_email: Option<Email>,
    /// Its sessions, the ended ones that are remembered too.
    pub sessions: Vec<Session>,
    /// Network addresses (IPv6: networks) that the account signed in from, and when last.
    pub addresses: Vec<(String, UnixMillis)>,
    /// Mails: which, when they were written, and when they were delivered.
    pub mails: Vec<(String, UnixMillis, Option<UnixMillis>)>,
}

/// Reads it, as of `now`. `None`: there is no such user. `run`: a snapshot, so that it is of one moment.
pub async fn of(
    run: &mut Reader,
    user: UserId,
    (now, kept): (UnixMillis, Retention),
) -> Result<Option<Personal>, StoreError> {
    let Some(user) = users::by_id(run, user).await? else { return Ok(None) };
    let sessions = sessions::recorded(run, user.id, (Show::WithEnded, now, kept)).await?;
    let addresses = known_addresses::of_user(run, user.id).await?;
    let mails = outbox::of_user(run, &user).await?;
    let pending_email = email_changes::of_user(run, user.id).await?.map(|change| change.email);
    Ok(Some(Personal { user, pending_email, sessions, addresses, mails }))
}
