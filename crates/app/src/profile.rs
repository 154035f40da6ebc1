//! One's own profile.

use cerrojo_domain::{
    Actor, AuditKind, Email, EmailError, EndReason, Ending, Origin, PendingId, User, is_unseen, turns_writing,
};
use cerrojo_store::StoreError;
use cerrojo_store::audit::{self, Act};
use cerrojo_store::email_changes::{self, EmailChange};
use cerrojo_store::endings::Which;
use cerrojo_store::users::{self, Change};

use crate::account::{self, Reauth, if_live};
use crate::mail::Undo;
use crate::{App, Caller, Trouble, Verification, end, mail, onlookers, take_back};

/// The longest name that is stored, in characters.
const LONGEST_NAME: usize = 200;

/// What is to change; a value equal to the stored one changes and ends nothing.
pub struct ProfileChange {
    /// As typed.
    pub name: Option<String>,
    /// As typed.
    pub email: Option<String>,
    /// Asked for before a change of e-mail if the settings say so.
    pub current_password: Option<String>,
}

/// Why not.
#[derive(Debug)]
pub enum ProfileError {
    /// 404.
    NotFound,
    /// 400 "Debe proporcionar al menos nombre o email para actualizar".
    Nothing,
    /// 400 "Formato de email inválido".
    Email,
    /// 400: the name has over 200 characters, or some that control something or turn the direction of writing.
    Name,
    /// 409 `CONFLICT`.
    EmailTaken,
    /// The current password is asked for.
    Reauth(Reauth),
    /// 401: the calling session ended meanwhile.
    SessionOver,
    /// 503 or 500.
    Trouble(Trouble),
}

impl<E: Into<Trouble>> From<E> for ProfileError {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

impl From<EmailError> for ProfileError {
    fn from(_: EmailError) -> Self {
        Self::Email
    }
}

/// One's own profile.
pub struct Profile {
    /// As stored.
    pub user: User,
    /// The address that takes the place of the user's once it is confirmed.
    pub pending_email: Option<Email>,
}

/// Reads it.
pub async fn read(app: &App, caller: &Caller) -> Result<Profile, ProfileError> {
    let user = own(app, caller).await?;
    if app.settings.verification != Verification::Required {
        return Ok(Profile { user, pending_email: None });
    }
    let waiting = email_changes::of_user(&mut app.store.reader(), user.id).await?;
    let waiting = waiting.filter(|change| change.epoch == user.epoch && app.clock.now() < change.expires_at);
    Ok(Profile { user, pending_email: waiting.map(|change| change.email) })
}

async fn own(app: &App, caller: &Caller) -> Result<User, ProfileError> {
    users::by_id(&mut app.store.reader(), caller.user).await?.ok_or(ProfileError::NotFound)
}

/// Changes name, e-mail or both. A changed e-mail ends the other sessions; this one goes on. Where addresses have to be
/// confirmed, the old one stays until the new one is.
pub async fn change(
    app: &App,
    caller: &Caller,
    origin: &Origin,
    typed: ProfileChange,
) -> Result<Profile, ProfileError> {
    let changed = change_it(app, caller, origin, typed).await?;
    onlookers::tell_profile(app, caller.user).await;
    Ok(changed)
}

async fn change_it(app: &App, caller: &Caller, origin: &Origin, typed: ProfileChange) -> Result<Profile, ProfileError> {
    let (name, email) = (filled(typed.name), filled(typed.email));
    if name.is_none() && email.is_none() {
        return Err(ProfileError::Nothing);
    }
    if name.as_deref().is_some_and(|name| !name_is_fit(name)) {
        return Err(ProfileError::Name);
    }
    let email = email.as_deref().map(Email::parse).transpose()?;
    let before = own(app, caller).await?;
    let name = name.filter(|name| *name != before.name);
    if name.as_deref().is_some_and(|name| !name_may_be_taken(name)) {
        return Err(ProfileError::Name);
    }
    let Some(email) = email.filter(|email| *email != before.email) else {
        let change = Change { name, ..Change::default() };
        change_name(app, (caller, origin), (before, change)).await?;
        return read(app, caller).await;
    };
    account::reauthenticate(app, caller, origin, typed.current_password).await.map_err(ProfileError::Reauth)?;
    if app.settings.verification == Verification::Required {
        return wait_for(app, caller, origin, (before, Change { name, ..Change::default() }, email)).await;
    }
    let change = Change { name, email: Some(email), raise_epoch: true, ..Change::default() };
    let user = change_email(app, caller, origin, (before, change)).await?;
    Ok(Profile { user, pending_email: None })
}

/// What the audit trail says of another name.
fn renamed(app: &App, who: (&Caller, &Origin), (before, change): (&User, &Change)) -> Act {
    let act = crate::audit::own(app, AuditKind::ProfileChanged, who).with_personal("name_from", before.name.as_str());
    act.with_personal("name_to", change.name.clone())
}

async fn change_name(
    app: &App,
    (caller, origin): (&Caller, &Origin),
    (before, change): (User, Change),
) -> Result<(), ProfileError> {
    let mut tx = app.store.begin().await?;
    let after = users::change(&mut tx, before.id, before.epoch, &change).await?;
    let mut tx = if_live(app, tx, caller).await?.ok_or(ProfileError::SessionOver)?;
    after.ok_or_else(changed_meanwhile)?;
    if change.name.is_some() {
        audit::record(&mut tx, renamed(app, (caller, origin), (&before, &change))).await?;
    }
    Ok(tx.commit().await?)
}

async fn change_email(
    app: &App,
    caller: &Caller,
    origin: &Origin,
    (before, change): (User, Change),
) -> Result<User, ProfileError> {
    let at = app.clock.now();
    let mut tx = app.store.begin_ending().await?;
    let mut change = change;
    if let Some(email) = &change.email
        && take_back::is_own_of_before(app, &mut tx, before.id, email).await?
    {
        // It was confirmed when it was given up.
        change.email_verified = Some(true);
    }
    let after = match users::change(&mut tx, before.id, before.epoch, &change).await {
        Err(StoreError::Taken) => return Err(ProfileError::EmailTaken),
        changed => changed?,
    };
    let mut tx = if_live(app, tx, caller).await?.ok_or(ProfileError::SessionOver)?;
    let after = after.ok_or_else(changed_meanwhile)?;
    if take_back::is_held(app, &mut tx, (after.id, &after.email)).await? {
        return Err(ProfileError::EmailTaken);
    }
    take_back::hold(app, &mut tx, &before, at).await?;
    let actor = Actor::User(caller.user);
    let ending = Ending { reason: EndReason::EmailChanged, actor, at, place: Some(origin.address) };
    let entries = end::in_tx(&mut tx, Which::OthersOf(caller.user, &caller.session), &ending).await?;
    if change.name.is_some() {
        audit::record(&mut tx, renamed(app, (caller, origin), (&before, &change))).await?;
    }
    let act = crate::audit::own(app, AuditKind::EmailChanged, (caller, origin));
    let act = act.with_personal("from", before.email.as_str()).with_personal("to", after.email.as_str());
    audit::record(&mut tx, act).await?;
    mail::keep_with(&mut tx, &before).await?;
    mail::tell_email_changed(&mut tx, (&before, &after, Undo::Offered), Some(origin.address), at).await?;
    if app.settings.verification == Verification::Notify {
        mail::ask_verify(&mut tx, (Some(after.id), &after.email), Some(origin), at).await?;
    }
    end::commit(app, tx, entries).await?;
    app.mail_waiting.notify_one();
    Ok(after)
}

/// Writes down which address is wanted, and asks for the mails: the link to it, and word to the one that is in force. Whether
/// somebody else has it is told to nobody but that one.
async fn wait_for(
    app: &App,
    caller: &Caller,
    origin: &Origin,
    (before, change, email): (User, Change, Email),
) -> Result<Profile, ProfileError> {
    let at = app.clock.now();
    let mut tx = app.store.begin().await?;
    let after = users::change(&mut tx, before.id, before.epoch, &change).await?;
    let mut tx = if_live(app, tx, caller).await?.ok_or(ProfileError::SessionOver)?;
    let user = after.ok_or_else(changed_meanwhile)?;
    let wanted = EmailChange {
        id: PendingId::new(&*app.random),
        user: user.id,
        email: email.clone(),
        epoch: user.epoch,
        session: caller.session.clone(),
        expires_at: at.plus(app.settings.confirm_within),
    };
    email_changes::put(&mut tx, &wanted).await?;
    if change.name.is_some() {
        audit::record(&mut tx, renamed(app, (caller, origin), (&before, &change))).await?;
    }
    let act = crate::audit::own(app, AuditKind::EmailChangeAsked, (caller, origin));
    audit::record(&mut tx, act.with_personal("to", email.as_str())).await?;
    mail::ask_changed(&mut tx, (&user, &wanted), origin, at).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    Ok(Profile { user, pending_email: Some(email) })
}

/// The account was changed between reading and writing; asked again, the request is judged by what is stored then.
pub(crate) fn changed_meanwhile() -> Trouble {
    Trouble::Unavailable("the account was changed at the same time".to_owned())
}

/// Absent, null and blank are the same: not given.
pub(crate) fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// Whether a name can be stored exactly as it was given.
pub fn name_is_fit(name: &str) -> bool {
    name.chars().count() <= LONGEST_NAME && !name.chars().any(char::is_control)
}

/// Whether somebody may take a name, or be given it. Names that were brought along from elsewhere may also have characters that turn
/// the direction of writing, and stay as they are.
pub(crate) fn name_may_be_taken(name: &str) -> bool {
    name_is_fit(name) && !name.chars().any(|c| turns_writing(c) || is_unseen(c))
}
