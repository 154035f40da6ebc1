//! Jobs: what a use case leaves behind for whoever delivers mail. Nothing in them is secret.

use std::net::IpAddr;
use std::time::Duration;

use cerrojo_domain::{AddressBlock, Email, Origin, PendingId, SessionId, UnixMillis, User, UserId};
use cerrojo_store::email_changes::EmailChange;
use cerrojo_store::invitations::Invitation;
use cerrojo_store::outbox::Counted;
use cerrojo_store::{StoreError, Tx, outbox};
use serde::{Deserialize, Serialize};

use super::templates::masked;

/// Somebody asked for a reset link, for an account that may exist or not.
pub(super) const RESET: &str = "reset";
/// A user's password was taken away.
pub(super) const RESET_FORCED: &str = "reset_forced";
/// A user's password was changed.
pub(super) const PASSWORD_CHANGED: &str = "password_changed";
/// A user's address was changed; goes to the old one.
pub(super) const EMAIL_CHANGED: &str = "email_changed";

/// Somebody signed in from where nobody did before.
pub(super) const NEW_DEVICE: &str = "new_device";

/// Notices of new devices that an account gets in [`NEW_DEVICES_WINDOW`], at most: neither somebody who has the password nor a
/// telephone on a journey fills the mailbox.
const NEW_DEVICES: i64 = 3;
const NEW_DEVICES_WINDOW: Duration = Duration::from_hours(24);

/// Somebody registered and is to confirm the address, which may have an account or not.
pub(super) const REGISTERED: &str = "registered";
/// The address of an account, or one that somebody gave, is to be confirmed.
pub(super) const VERIFY: &str = "verify";
/// A user wants another address, and is to confirm it; goes to that one.
pub(super) const EMAIL_CHANGE: &str = "email_change";
/// The same; goes to the one that is in force.
pub(super) const EMAIL_CHANGE_ASKED: &str = "email_change_asked";
/// Somebody was invited.
pub(super) const INVITATION: &str = "invitation";

/// Every kind that this release knows.
pub(super) const KINDS: [&str; 10] = [
    RESET,
    RESET_FORCED,
    PASSWORD_CHANGED,
    EMAIL_CHANGED,
    NEW_DEVICE,
    REGISTERED,
    VERIFY,
    EMAIL_CHANGE,
    EMAIL_CHANGE_ASKED,
    INVITATION,
];

/// Body of a [`RESET`] job.
#[derive(Serialize, Deserialize)]
pub(super) struct ResetAsked {
    pub email: String,
    pub address: IpAddr,
    pub device: String,
}

/// Body of a [`RESET_FORCED`] job.
#[derive(Serialize, Deserialize)]
pub(super) struct ResetForced {
    pub to: String,
}

/// Body of a [`PASSWORD_CHANGED`] job.
#[derive(Serialize, Deserialize)]
pub(super) struct PasswordChanged {
    pub to: String,
    pub name: String,
    pub at: UnixMillis,
    pub address: Option<IpAddr>,
}

/// Body of an [`EMAIL_CHANGED`] job.
#[derive(Serialize, Deserialize)]
pub(super) struct EmailChanged {
    pub to: String,
    pub name: String,
    /// Masked: the old address may no longer be the user's.
    pub new: String,
    pub at: UnixMillis,
    pub address: Option<IpAddr>,
    /// Whether a link goes with it that changes it back.
    #[serde(default)]
    pub undo: bool,
}

/// Body of a [`NEW_DEVICE`] job.
#[derive(Serialize, Deserialize)]
pub(super) struct NewDevice {
    pub to: String,
    pub name: String,
    pub at: UnixMillis,
    pub address: IpAddr,
    pub device: String,
    /// Which session began.
    pub session: String,
    /// There is no further notice before, if this is the last one for now.
    pub silent_until: Option<UnixMillis>,
}

/// Body of a [`REGISTERED`], [`VERIFY`] or [`EMAIL_CHANGE`] job.
#[derive(Serialize, Deserialize)]
pub(super) struct ConfirmAsked {
    /// Of the registration or the change of address that waits; nothing with a [`VERIFY`] job, or if an earlier release wrote it.
    #[serde(default)]
    pub id: Option<String>,
    pub email: String,
    pub address: Option<IpAddr>,
    pub device: String,
}

/// Body of an [`INVITATION`] job.
#[derive(Serialize, Deserialize)]
pub(super) struct Invited {
    pub email: String,
    pub id: String,
}

/// Asks for a reset link. The same work whether or not the account exists.
pub(crate) async fn ask_reset(tx: &mut Tx, email: &Email, origin: &Origin, at: UnixMillis) -> Result<(), StoreError> {
    let body = ResetAsked {
        email: email.as_str().to_owned(),
        address: origin.address,
        device: super::device::kind(&origin.device).unwrap_or_default(),
    };
    outbox::insert(tx, RESET, None, &written(&body)?, at).await
}

/// Asks for the link with which a user chooses another password, who has none any more.
pub(crate) async fn ask_forced_reset(tx: &mut Tx, user: &User, at: UnixMillis) -> Result<(), StoreError> {
    let body = ResetForced { to: user.email.as_str().to_owned() };
    tell(tx, (RESET_FORCED, &written(&body)?), (user, None), at).await
}

/// Tells a user that the password was changed, from `place` if it was over the network.
pub async fn tell_password_changed(
    tx: &mut Tx,
    user: &User,
    place: Option<IpAddr>,
    at: UnixMillis,
) -> Result<(), StoreError> {
    let body = PasswordChanged { to: user.email.as_str().to_owned(), name: user.name.clone(), at, address: place };
    tell(tx, (PASSWORD_CHANGED, &written(&body)?), (user, place), at).await
}

/// Whether who reads the old address may have it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// If it was confirmed: one that was typed wrong is somebody else's.
    Offered,
    /// Somebody changed it who may say whose account it is.
    No,
}

/// Tells the user at the old address that another one took its place.
pub async fn tell_email_changed(
    tx: &mut Tx,
    (before, after, undo): (&User, &User, Undo),
    place: Option<IpAddr>,
    at: UnixMillis,
) -> Result<(), StoreError> {
    let undo = undo == Undo::Offered && before.email_verified;
    let body = EmailChanged { undo, ..email_changed((before, after), place, at) };
    tell(tx, (EMAIL_CHANGED, &written(&body)?), (before, place), at).await
}

/// A notice to the user's address, counted like any mail: it need not have been confirmed.
async fn tell(
    tx: &mut Tx,
    job: (&str, &str),
    (user, place): (&User, Option<IpAddr>),
    at: UnixMillis,
) -> Result<(), StoreError> {
    let counted = Counted { to: &user.email, from: place.map(AddressBlock::of) };
    outbox::insert_to(tx, job, (Some(user.id), counted), at).await
}

fn email_changed((before, after): (&User, &User), place: Option<IpAddr>, at: UnixMillis) -> EmailChanged {
    EmailChanged {
        to: before.email.as_str().to_owned(),
        name: after.name.clone(),
        new: masked(&after.email),
        at,
        address: place,
        undo: false,
    }
}

/// Asks for the link that confirms the address of whoever registered. The same work whether or not there is an account.
pub(crate) async fn ask_registered(
    tx: &mut Tx,
    (id, email): (&PendingId, &Email),
    origin: &Origin,
    at: UnixMillis,
) -> Result<(), StoreError> {
    ask(tx, (REGISTERED, Some(id)), (None, email, Some(origin)), at).await
}

/// Asks for the link that confirms this address, of `user` if that is known.
pub(crate) async fn ask_verify(
    tx: &mut Tx,
    (user, email): (Option<UserId>, &Email),
    origin: Option<&Origin>,
    at: UnixMillis,
) -> Result<(), StoreError> {
    ask(tx, (VERIFY, None), (user, email, origin), at).await
}

/// Asks for the link that confirms the address which `user` wants, and tells the one that is in force.
pub(crate) async fn ask_changed(
    tx: &mut Tx,
    (user, wanted): (&User, &EmailChange),
    origin: &Origin,
    at: UnixMillis,
) -> Result<(), StoreError> {
    let EmailChange { id, email, .. } = wanted;
    let after = User { email: email.clone(), ..user.clone() };
    let place = Some(origin.address);
    let body = email_changed((user, &after), place, at);
    tell(tx, (EMAIL_CHANGE_ASKED, &written(&body)?), (user, place), at).await?;
    ask(tx, (EMAIL_CHANGE, Some(id)), (Some(user.id), email, Some(origin)), at).await
}

async fn ask(
    tx: &mut Tx,
    (kind, id): (&str, Option<&PendingId>),
    (user, email, origin): (Option<UserId>, &Email, Option<&Origin>),
    at: UnixMillis,
) -> Result<(), StoreError> {
    let body = ConfirmAsked {
        id: id.map(|id| id.as_str().to_owned()),
        email: email.as_str().to_owned(),
        address: origin.map(|origin| origin.address),
        device: origin.and_then(|origin| super::device::kind(&origin.device)).unwrap_or_default(),
    };
    let counted = Counted { to: email, from: origin.map(Origin::block) };
    outbox::insert_to(tx, (kind, &written(&body)?), (user, counted), at).await
}

/// Asks for the link of an invitation.
pub(crate) async fn ask_invitation(tx: &mut Tx, invitation: &Invitation, at: UnixMillis) -> Result<(), StoreError> {
    let Invitation { email, id, .. } = invitation;
    let body = Invited { email: email.as_str().to_owned(), id: id.to_string() };
    outbox::insert_to(tx, (INVITATION, &written(&body)?), (None, Counted { to: email, from: None }), at).await
}

/// Tells a user of a session that began from elsewhere than others before. Whether it is told: so many a day are. The users row
/// has to be held, so that they are counted one after the other.
pub(crate) async fn tell_new_device(
    tx: &mut Tx,
    user: &User,
    (session, origin): (&SessionId, &Origin),
    at: UnixMillis,
) -> Result<bool, StoreError> {
    let window = at.minus(NEW_DEVICES_WINDOW);
    let (before, first) = outbox::written_since(tx, NEW_DEVICE, user.id, window).await?;
    if before >= NEW_DEVICES {
        return Ok(false);
    }
    let is_last = before + 1 == NEW_DEVICES;
    let body = NewDevice {
        to: user.email.as_str().to_owned(),
        name: user.name.clone(),
        at,
        address: origin.address,
        device: super::device::kind(&origin.device).unwrap_or_default(),
        session: session.to_string(),
        silent_until: is_last.then(|| first.unwrap_or(at).plus(NEW_DEVICES_WINDOW)),
    };
    outbox::insert(tx, NEW_DEVICE, Some(user.id), &written(&body)?, at).await?;
    Ok(true)
}

/// What went to the user's address is found by that no longer when another takes its place: from now on it is about the user, if
/// the address was.
pub(crate) async fn keep_with(tx: &mut Tx, before: &User) -> Result<(), StoreError> {
    if before.email_verified { outbox::adopt(tx, before.id, &before.email).await } else { Ok(()) }
}

fn written(body: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(body).map_err(|error| StoreError::Broken(format!("a mail job could not be written: {error}")))
}
