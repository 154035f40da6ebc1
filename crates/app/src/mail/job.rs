//! Jobs: what a use case leaves behind for whoever delivers mail. Nothing in them is secret.

use std::net::IpAddr;
use std::time::Duration;

use cerrojo_domain::{Email, Origin, SessionId, UnixMillis, User};
use cerrojo_store::{StoreError, Tx, outbox};
use serde::{Deserialize, Serialize};

use super::templates::masked;

/// Somebody asked for a reset link, for an account that may exist or not.
pub(super) const RESET: &str = "reset";
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

/// Body of a [`RESET`] job.
#[derive(Serialize, Deserialize)]
pub(super) struct ResetAsked {
    pub email: String,
    pub address: IpAddr,
    pub device: String,
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

/// Asks for a reset link. The same work whether or not the account exists.
pub(crate) async fn ask_reset(tx: &mut Tx, email: &Email, origin: &Origin, at: UnixMillis) -> Result<(), StoreError> {
    let body = ResetAsked {
        email: email.as_str().to_owned(),
        address: origin.address,
        device: super::device::kind(&origin.device).unwrap_or_default(),
    };
    outbox::insert(tx, RESET, None, &written(&body)?, at).await
}

/// Tells a user that the password was changed, from `place` if it was over the network.
pub async fn tell_password_changed(
    tx: &mut Tx,
    user: &User,
    place: Option<IpAddr>,
    at: UnixMillis,
) -> Result<(), StoreError> {
    let body = PasswordChanged { to: user.email.as_str().to_owned(), name: user.name.clone(), at, address: place };
    outbox::insert(tx, PASSWORD_CHANGED, Some(user.id), &written(&body)?, at).await
}

/// Tells the user at the old address that another one took its place.
pub async fn tell_email_changed(
    tx: &mut Tx,
    (before, after): (&User, &User),
    place: Option<IpAddr>,
    at: UnixMillis,
) -> Result<(), StoreError> {
    let body = EmailChanged {
        to: before.email.as_str().to_owned(),
        name: after.name.clone(),
        new: masked(&after.email),
        at,
        address: place,
    };
    outbox::insert(tx, EMAIL_CHANGED, Some(after.id), &written(&body)?, at).await
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

fn written(body: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(body).map_err(|error| StoreError::Broken(format!("a mail job could not be written: {error}")))
}
