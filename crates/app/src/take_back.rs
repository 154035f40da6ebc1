//! Taking an account back: what the links do that go with a notice. "It was not me" stands in the one of a new device, and undoes
//! nothing; with the one of another address the account gets the old one back.
//!
//! Either link is opened where the account's mail is read, or was until lately. Both end whatever an intruder may have, and begin
//! what a forgotten password begins.

use std::time::Duration;

use cerrojo_domain::{Actor, AuditKind, Email, EndReason, Ending, Origin, Status, UnixMillis, User, UserId};
use cerrojo_store::audit::{self, Act};
use cerrojo_store::codes::{self as stored, Code, Purpose};
use cerrojo_store::endings::Which;
use cerrojo_store::held_addresses::{self, Held};
use cerrojo_store::users::{self, Change};
use cerrojo_store::{Run, StoreError, Tx, known_addresses, outbox, registrations};

use crate::hashing;
use crate::limits::Public;
use crate::mail::Undo;
use crate::profile::filled;
use crate::recover::RESET_TTL;
use crate::{App, Limited, Trouble, codes, end, mail};

/// How long these links work.
pub const TAKE_BACK_TTL: Duration = Duration::from_hours(7 * 24);

/// What a link was mailed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Of a sign-in from elsewhere: "it was not me".
    NewDevice,
    /// Of another address: it is changed back.
    EmailChanged,
}

impl Notice {
    pub(crate) fn purpose(self) -> Purpose {
        match self {
            Self::NewDevice => Purpose::NotMe,
            Self::EmailChanged => Purpose::UndoEmail,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::NewDevice => "not_me",
            Self::EmailChanged => "email_undone",
        }
    }
}

/// Why not.
#[derive(Debug)]
pub enum TakeBackError {
    /// 400 "Token es requerido"
    TokenMissing,
    /// 401 `INVALID_RESET_TOKEN`
    InvalidToken,
    /// 409: another account has the address meanwhile.
    EmailTaken,
    /// 429
    TooMany,
    /// 503 or 500
    Trouble(Trouble),
}

impl<E: Into<Trouble>> From<E> for TakeBackError {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

/// Whether the code of a link would work now; the address that the account has afterwards. It is not used up.
///
/// # Errors
/// [`Trouble`] if the database cannot be read.
pub async fn works(app: &App, notice: Notice, token: &str) -> Result<Option<Email>, Trouble> {
    let Some((code, id)) = look_up(app, notice, token).await? else { return Ok(None) };
    let mut reader = app.store.reader();
    let Some(user) = users::by_id(&mut reader, id).await? else { return Ok(None) };
    let right = is_for(&mut reader, (&code, &user), app.clock.now()).await?;
    Ok(right.map(|right| right.address))
}

/// The code of such a link and whose it is, if its time is not over. It is not used up.
async fn look_up(app: &App, notice: Notice, token: &str) -> Result<Option<(Code, UserId)>, StoreError> {
    let code = codes::look_up(app, token).await?.filter(|code| code.purpose == notice.purpose());
    Ok(code.and_then(|code| code.user().map(|user| (code, user))))
}

/// Whether there is something that the link can do: the notice of a new device speaks for the address in force alone, and the one of
/// another address for one that is not in force and is held for the account.
async fn is_for(
    run: &mut impl Run,
    (code, user): (&Code, &User),
    now: UnixMillis,
) -> Result<Option<Right>, StoreError> {
    let address = Email::from_stored(code.bound_to.clone());
    let held = held_addresses::find(run, &address, now).await?.filter(|held| held.user == user.id);
    let is_in_force = user.email == address;
    let may = match code.purpose {
        Purpose::NotMe => is_in_force,
        _ => !is_in_force && held.is_some(),
    };
    Ok((may && user.status == Status::Active).then_some(Right { address, held }))
}

/// What a link that works stands on.
struct Right {
    address: Email,
    held: Option<Held>,
}

/// Ends every session of the account, makes its password worth nothing, and has it at the address where the link was read. Gives
/// the code of a link that sets a password.
pub async fn take_back(
    app: &App,
    origin: &Origin,
    (notice, token): (Notice, Option<String>),
) -> Limited<Result<String, TakeBackError>> {
    match app.limits.request(Public::Recover, origin.block()) {
        Err(quota) => Limited { outcome: Err(TakeBackError::TooMany), quota: Some(quota) },
        Ok(quota) => Limited { outcome: take_link(app, origin, (notice, token)).await, quota },
    }
}

async fn take_link(
    app: &App,
    origin: &Origin,
    (notice, token): (Notice, Option<String>),
) -> Result<String, TakeBackError> {
    let token = filled(token).ok_or(TakeBackError::TokenMissing)?;
    let (code, id) = look_up(app, notice, &token).await?.ok_or(TakeBackError::InvalidToken)?;
    let (at, place) = (app.clock.now(), Some(origin.address));
    let mut tx = app.store.begin_ending().await?;
    // Before the users row, as whoever confirms such a registration has it: the other way round the two could wait for each other.
    registrations::forget(&mut tx, &Email::from_stored(code.bound_to.clone())).await?;
    // Looked at under the lock: whoever else holds a session cannot get in between for ever.
    let before = users::lock(&mut tx, id).await?.ok_or(TakeBackError::InvalidToken)?;
    let right = is_for(&mut *tx, (&code, &before), at).await?.ok_or(TakeBackError::InvalidToken)?;
    if !codes::use_up(app, &mut tx, &code).await? {
        return Err(TakeBackError::InvalidToken);
    }
    let after = match users::change(&mut tx, id, before.epoch, &change(notice, (&code, &before))).await {
        Err(StoreError::Taken) => return Err(TakeBackError::EmailTaken),
        changed => changed?.ok_or(TakeBackError::InvalidToken)?,
    };
    outbox::adopt(&mut tx, id, &after.email).await?;
    let ending = Ending { reason: reason(notice), actor: Actor::User(id), at, place };
    let entries = end::in_tx(&mut tx, Which::OfUser(id), &ending).await?;
    // Every place of before is news again.
    known_addresses::forget(&mut tx, id).await?;
    stored::void(&mut tx, &code.subject, Purpose::NotMe).await?;
    if let Some(held) = right.held {
        held_addresses::release_from(&mut tx, id, held.since).await?;
    }
    let act = |kind| Act::new(kind, at).by(Actor::User(id)).to(id).from(origin);
    audit::record(&mut tx, act(AuditKind::AccountTakenBack).with("notice", notice.name())).await?;
    if notice == Notice::EmailChanged {
        mail::keep_with(&mut tx, &before).await?;
        mail::tell_email_changed(&mut tx, (&before, &after, Undo::No), place, at).await?;
        let act = act(AuditKind::EmailChanged).with("undone", true).with_personal("from", before.email.as_str());
        audit::record(&mut tx, act.with_personal("to", after.email.as_str())).await?;
    }
    let (subject, epoch) = (id.to_string(), after.epoch.to_string());
    let reset = codes::make(app, &mut tx, (Purpose::Reset, &subject), (&epoch, at.plus(RESET_TTL))).await?;
    end::commit(app, tx, entries).await?;
    app.mail_waiting.notify_one();
    Ok(reset)
}

/// Whoever has the code reads the mail of the address.
fn change(notice: Notice, (code, before): (&Code, &User)) -> Change {
    let email = (notice == Notice::EmailChanged).then(|| Email::from_stored(code.bound_to.clone()));
    Change {
        email,
        password_hash: Some(hashing::voided(&before.password_hash)),
        raise_epoch: true,
        email_verified: Some(true),
        ..Change::default()
    }
}

fn reason(notice: Notice) -> EndReason {
    match notice {
        Notice::NewDevice => EndReason::LogoutAll,
        Notice::EmailChanged => EndReason::EmailChanged,
    }
}

/// Holds the address that a user has just given up, if it is one that can be had back: whoever changed it would take it otherwise,
/// with an account that nobody has to confirm.
pub(crate) async fn hold(app: &App, tx: &mut Tx, before: &User, at: UnixMillis) -> Result<(), StoreError> {
    if !before.email_verified || app.settings.undo_link.is_none() {
        return Ok(());
    }
    held_addresses::hold(tx, &before.email, before.id, (at, at.plus(TAKE_BACK_TTL))).await
}

/// Whether the address is held for somebody else than `user`. To be asked in the transaction that has written it already: whoever
/// gives it up at the same moment is seen then.
pub(crate) async fn is_held(app: &App, tx: &mut Tx, (user, email): (UserId, &Email)) -> Result<bool, StoreError> {
    let held = held_addresses::find(tx, email, app.clock.now()).await?;
    Ok(held.is_some_and(|held| held.user != user))
}

/// Whether the user had this address until lately and had confirmed it.
pub(crate) async fn is_own_of_before(app: &App, tx: &mut Tx, user: UserId, email: &Email) -> Result<bool, StoreError> {
    let held = held_addresses::find(tx, email, app.clock.now()).await?;
    Ok(held.is_some_and(|held| held.user == user))
}

/// Somebody has shown that mail to the address in force is read by who has the account. What was held after that address was is not
/// held any more; what was before it is: whoever put their own in its place shows nothing by reading it.
pub(crate) async fn shown_in_force(app: &App, tx: &mut Tx, user: &User) -> Result<(), StoreError> {
    let held = held_addresses::find(tx, &user.email, app.clock.now()).await?;
    match held.filter(|held| held.user == user.id) {
        Some(held) => held_addresses::release_from(tx, user.id, held.since).await,
        None => Ok(()),
    }
}

/// Somebody who may says whose account it is: nothing that was mailed before takes it anywhere else.
pub(crate) async fn forget_links(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    stored::void(tx, &user.to_string(), Purpose::NotMe).await?;
    stored::void(tx, &user.to_string(), Purpose::UndoEmail).await?;
    held_addresses::release_from(tx, user, UnixMillis(i64::MIN)).await
}
