//! Accounts: see, add, delete.

use cerrojo_domain::{ADMIN_ROLE, AuditKind, Email, EndReason, Ending, Entry, RoleId, Status, User, UserId};
use cerrojo_store::audit::{self, Act, Erased};
use cerrojo_store::endings::Which;
use cerrojo_store::users::{self, NewUser};
use cerrojo_store::{EndingTx, StoreError, Tx, invitations, outbox, registrations, sessions, user_search};

use super::invite::begin;
use super::{AdminError, By, Page, UserSearch, asked, first};
use crate::audit as trail;
use crate::hashing::{Hasher, Known, Turn};
use crate::profile::name_may_be_taken;
use crate::{App, Trouble, end, mail, password};

/// A user that somebody else adds.
pub struct AddedUser {
    /// As typed.
    pub name: String,
    /// As typed.
    pub email: String,
    /// As typed.
    pub password: String,
    /// Number of a role.
    pub role_id: RoleId,
    /// Whether it is known that mail to the address reaches the user.
    pub email_verified: bool,
}

/// Adds an active user.
pub async fn add_user(app: &App, by: By<'_>, user: AddedUser) -> Result<User, AdminError> {
    by.check_role()?;
    let email = Email::parse(&user.email)?;
    if user.name.trim().is_empty() || !name_may_be_taken(&user.name) {
        return Err(AdminError::Name);
    }
    if !app.settings.roles.exists(user.role_id) {
        return Err(AdminError::Role);
    }
    let flaws = password::flaws(app, &user.password, &user.name, &email).await?;
    if !flaws.is_empty() {
        return Err(AdminError::Password(flaws));
    }
    let AddedUser { name, role_id, email_verified, password, .. } = user;
    let password_hash = app.hasher.hash(turn(by), password).await.map_err(Trouble::from)?;
    let (status, registered_at) = (Status::Active, app.clock.now());
    let new = NewUser { name, email, password_hash, role_id, status, registered_at, email_verified };
    let (mut tx, _) = begin(app, by).await?;
    let user = match users::insert(&mut tx, &new).await {
        Err(StoreError::Taken) => return Err(AdminError::EmailTaken),
        inserted => inserted?,
    };
    if role_id == ADMIN_ROLE {
        first::forget_first_links(&mut tx).await?;
    }
    let act = by.act(app, AuditKind::AccountCreated).to(user.id).with("role", role_id);
    audit::record(&mut tx, act.with_personal("email", user.email.as_str())).await?;
    tx.commit().await?;
    Ok(user)
}

/// Whose turn it is to hash a password.
fn turn(by: By<'_>) -> Turn {
    match by {
        By::Administrator(_, origin) => Turn { block: origin.block(), known: Known::Yes },
        By::Operator => Hasher::operator_turn(),
    }
}

/// Lists the users that are looked for, newest first if nothing else is asked. `limit` is brought into 1 to 1000 (100 if not
/// given), `page` counts from 1.
pub async fn list_users(
    app: &App,
    by: By<'_>,
    search: &UserSearch,
    (page, limit): (Option<i64>, Option<i64>),
) -> Result<Page<User>, AdminError> {
    by.check_role()?;
    if !search.is_fit() {
        return Err(AdminError::Search);
    }
    if search.role_id.is_some_and(|role| !app.settings.roles.exists(role)) {
        return Err(AdminError::Role);
    }
    let (current_page, page_size, offset) = asked(page, limit);
    let (store, search) = (app.store.clone(), search.clone());
    let found = app.scans.take_turn(async move {
        let mut run = store.snapshot().await?;
        let total_items = user_search::count(&mut run, &search).await?;
        let users = user_search::page(&mut run, &search, (offset, page_size)).await?;
        Ok::<_, Trouble>((users, total_items))
    });
    let (users, total_items) = found.await?;
    Ok(Page::new(users, (current_page, page_size), total_items))
}

/// One user.
pub async fn user(app: &App, by: By<'_>, id: UserId) -> Result<User, AdminError> {
    by.check_role()?;
    users::by_id(&mut app.store.reader(), id).await?.ok_or(AdminError::NotFound)
}

/// The user of an address, on the command line.
pub async fn user_by_email(app: &App, email: &str) -> Result<User, AdminError> {
    users::by_email(&mut app.store.reader(), &Email::fold(email)).await?.ok_or(AdminError::NotFound)
}

/// Deletes a user; the sessions end with it, and the number is never used again.
pub async fn delete_user(app: &App, by: By<'_>, id: UserId) -> Result<(), AdminError> {
    by.check_role()?;
    let before = users::by_id(&mut app.store.reader(), id).await?;
    let mut tx = app.store.begin_ending().await?;
    if let Some(before) = &before {
        forget_registration(&mut tx, before).await?;
    }
    let user = users::lock(&mut tx, id).await?;
    let mut tx = by.check_session(app, tx).await?;
    let user = user.ok_or(AdminError::NotFound)?;
    if by.is(&user) {
        return Err(AdminError::OneSelf);
    }
    keep_an_administrator(&mut tx, &user).await?;
    let (entries, left) = remove(app, &mut tx, &user, &by.ending(app, EndReason::UserDeleted)).await?;
    end::commit(app, tx, entries).await?;
    trail::erase_the_rest(app, user.id, left).await;
    Ok(())
}

/// Forgets a registration that waits to be confirmed; whether there was one.
///
/// # Errors
/// [`AdminError::Trouble`] if the database does not answer.
pub async fn forget_waiting(app: &App, email: &Email) -> Result<bool, AdminError> {
    let mut tx = app.store.begin().await?;
    let was_there = registrations::forget(&mut tx, email).await?;
    if was_there {
        // Without the address: the entry is about nobody who could have it erased.
        audit::record(&mut tx, By::Operator.act(app, AuditKind::RegistrationForgotten)).await?;
    }
    tx.commit().await?;
    Ok(was_there)
}

/// Somebody may have registered the address of whoever is deleted. Before the users row is held, as whoever confirms such a
/// registration has it: the other way round the two could wait for each other.
pub(crate) async fn forget_registration(tx: &mut Tx, of: &User) -> Result<(), StoreError> {
    registrations::forget(tx, &of.email).await.map(drop)
}

/// Ends the user's sessions and removes whatever is kept of the person, but for [`forget_registration`]. Of sessions stays that there were some, until they
/// are swept: tokens of theirs are still out. Of the audit trail the first entries are erased here, and what is left once this is
/// committed ([`trail::erase_the_rest`]): no ending waits for somebody's years.
pub(crate) async fn remove(
    app: &App,
    tx: &mut EndingTx,
    user: &User,
    ending: &Ending,
) -> Result<(Vec<Entry>, Option<Erased>), StoreError> {
    let raise = users::Change { raise_epoch: true, ..users::Change::default() };
    users::change(tx, user.id, user.epoch, &raise).await?;
    let entries = end::in_tx(tx, Which::OfUser(user.id), ending).await?;
    // Before what is personal is erased, or it would be written after that.
    tx.write_entries().await?;
    let act = Act::new(AuditKind::AccountDeleted, ending.at).by(ending.actor).to(user.id).from_address(ending.place);
    audit::record(tx, act.with("sessions", entries.len())).await?;
    let left = audit::forget(tx, user.id, trail::ERASED).await?;
    trail::will_erase(app, left.as_ref());
    sessions::forget_places(tx, user).await?;
    let since = ending.at.minus(mail::FLOOD_WINDOW);
    outbox::forget(tx, user, (since, |text: &str| mail::blurred(app, text))).await?;
    invitations::forget(tx, &user.email).await?;
    users::delete(tx, user.id).await?;
    Ok((entries, left))
}

/// Refuses if `user` is the only one who can administer. Holding the log's head row, no two can go at once.
pub(super) async fn keep_an_administrator(tx: &mut EndingTx, user: &User) -> Result<(), AdminError> {
    let administers = user.role_id == ADMIN_ROLE && user.status == Status::Active;
    if administers && users::count_active_with_role(&mut **tx, ADMIN_ROLE).await? <= 1 {
        return Err(AdminError::LastAdministrator);
    }
    Ok(())
}
