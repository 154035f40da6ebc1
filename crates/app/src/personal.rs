//! Everything that is kept of a person, for the person.

use cerrojo_domain::{Actor, AuditKind, Email, Origin, UnixMillis, User, UserId};
use cerrojo_store::audit::Act;
use cerrojo_store::audit::find::{self, Filter, Listed};
pub use cerrojo_store::held_addresses::Held;
use cerrojo_store::sessions::Session;
use cerrojo_store::{Reader, Store, StoreError, email_changes, held_addresses, known_addresses, outbox, users};

use crate::administer::{self, AdminError, By};
use crate::sessions::{self, Show};
use crate::{App, Caller, Retention, Trouble, audit};

/// All of it but the hash of the password.
pub struct Personal {
    /// The account.
    pub user: User,
    /// The address that takes the place of the account's once it is confirmed.
    pub pending_email: Option<Email>,
    /// Addresses that the account had and can have back, and until when.
    pub held_emails: Vec<Held>,
    /// Its sessions, the ended ones that are remembered too.
    pub sessions: Vec<Session>,
    /// Network addresses (IPv6: networks) that the account signed in from, and when last.
    pub addresses: Vec<(String, UnixMillis)>,
    /// What the audit trail says of the person, the newest first.
    pub audit: Vec<Listed>,
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
    let held_emails = held_addresses::of_user(run, user.id).await?;
    let filter = Filter { user: Some(user.id), ..Filter::default() };
    let audit = find::newest(run, &filter, i64::MAX).await?.into_iter();
    // Whoever had the number before and was deleted was somebody else.
    let audit = audit.take_while(|entry| entry.said.kind != AuditKind::AccountDeleted.as_str()).collect();
    Ok(Some(Personal { user, pending_email, held_emails, sessions, addresses, audit, mails }))
}

/// Records that a person reads what is kept of them, before it is read.
pub async fn record_own(app: &App, caller: &Caller, origin: &Origin) -> Result<(), Trouble> {
    write(&app.store, audit::own(app, AuditKind::DataExported, (caller, origin))).await
}

/// Records that an administrator reads what is kept of somebody, if there is such a user.
pub async fn record_of(app: &App, by: By<'_>, user: UserId) -> Result<(), AdminError> {
    administer::user(app, by, user).await?;
    Ok(write(&app.store, by.act(app, AuditKind::DataExported).to(user)).await?)
}

/// Records that the operator reads what is kept of somebody, or of all accounts.
pub async fn record_operators(store: &Store, user: Option<UserId>, at: UnixMillis) -> Result<(), Trouble> {
    let act = Act::new(AuditKind::DataExported, at).by(Actor::Operator);
    let act = match user {
        Some(user) => act.to(user),
        None => act.with("all", true),
    };
    write(store, act).await
}

async fn write(store: &Store, act: Act) -> Result<(), Trouble> {
    let mut tx = store.begin().await?;
    cerrojo_store::audit::record(&mut tx, act).await?;
    Ok(tx.commit().await?)
}
