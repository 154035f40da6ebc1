//! Invitations: an address, a role, and a link with which the person sets a name and a password.

use cerrojo_domain::{AuditKind, Email, InvitationId, RoleId, UnixMillis};
use cerrojo_store::audit;
use cerrojo_store::codes::Purpose;
use cerrojo_store::invitations::{self, Invitation, Inviter};
use cerrojo_store::{StoreError, Tx, users};
use zeroize::Zeroizing;

use super::{AdminError, By, Page, asked};
use crate::profile::{filled, name_may_be_taken};
use crate::{App, codes, mail};

/// Invitations that wait at most: each is a way in, and somebody has to be able to look them through.
pub const MOST_INVITATIONS: i64 = 1000;

/// Whom to invite, as what.
pub struct NewInvitation {
    /// As typed.
    pub email: Option<String>,
    /// As typed; whoever accepts may give another.
    pub name: Option<String>,
    /// Number of a role.
    pub role_id: RoleId,
}

/// Why not.
#[derive(Debug)]
pub enum InviteError {
    /// As for anything that administrators do.
    Admin(AdminError),
    /// 400 "Email es requerido"
    EmailMissing,
    /// 409 `USER_ALREADY_EXISTS`
    HasAccount,
    /// 409: the address was invited and has not accepted yet.
    Invited,
    /// 409: so many wait already.
    TooMany,
    /// 404
    NotFound,
    /// 429: so many invitations went to the address within an hour.
    TooManyMails,
}

impl<E: Into<AdminError>> From<E> for InviteError {
    fn from(error: E) -> Self {
        Self::Admin(error.into())
    }
}

/// Invites, by mail.
pub async fn invite(app: &App, by: By<'_>, typed: NewInvitation) -> Result<Invitation, InviteError> {
    let (mut tx, invitation) = write(app, by, typed).await?;
    mail::ask_invitation(&mut tx, &invitation, app.clock.now()).await?;
    tx.commit().await.map_err(AdminError::from)?;
    app.mail_waiting.notify_one();
    Ok(invitation)
}

/// Invites without a mail, on the operator's word: the link, to be handed over by other means.
pub async fn invite_by_hand(app: &App, typed: NewInvitation) -> Result<(Invitation, Zeroizing<String>), InviteError> {
    let (tx, invitation) = write(app, By::Operator, typed).await?;
    hand_over(app, tx, invitation).await
}

async fn hand_over(
    app: &App,
    mut tx: Tx,
    invitation: Invitation,
) -> Result<(Invitation, Zeroizing<String>), InviteError> {
    let code = Zeroizing::new(make_code(app, &mut tx, &invitation).await.map_err(AdminError::from)?);
    tx.commit().await.map_err(AdminError::from)?;
    Ok((invitation, Zeroizing::new(app.settings.invite_link.replace("{token}", &code))))
}

/// The code of an invitation; an earlier one works no more.
pub(crate) async fn make_code(app: &App, tx: &mut Tx, invitation: &Invitation) -> Result<String, StoreError> {
    codes::make(app, tx, (Purpose::Invitation, invitation.id.as_str()), ("", invitation.expires_at)).await
}

async fn write(app: &App, by: By<'_>, typed: NewInvitation) -> Result<(Tx, Invitation), InviteError> {
    by.check_role()?;
    let email = Email::parse(&filled(typed.email).ok_or(InviteError::EmailMissing)?).map_err(AdminError::from)?;
    let name = filled(typed.name);
    if name.as_deref().is_some_and(|name| !name_may_be_taken(name)) {
        return Err(AdminError::Name.into());
    }
    if !app.settings.roles.exists(typed.role_id) {
        return Err(AdminError::Role.into());
    }
    let now = app.clock.now();
    let (mut tx, invited_by) = begin(app, by).await?;
    if users::by_email(&mut tx, email.as_str()).await.map_err(AdminError::from)?.is_some() {
        return Err(InviteError::HasAccount);
    }
    match invitations::by_email(&mut tx, email.as_str()).await.map_err(AdminError::from)? {
        Some(earlier) if now < earlier.expires_at => return Err(InviteError::Invited),
        // Nobody can accept it any more.
        Some(_) => invitations::forget(&mut tx, &email).await.map_err(AdminError::from)?,
        None if invitations::count(&mut tx, now).await.map_err(AdminError::from)? >= MOST_INVITATIONS => {
            return Err(InviteError::TooMany);
        }
        None => {}
    }
    let invitation = Invitation {
        id: InvitationId::new(&*app.random),
        email,
        name,
        role_id: typed.role_id,
        invited_by,
        created_at: now,
        expires_at: now.plus(app.settings.invitation_ttl),
    };
    match invitations::insert(&mut tx, &invitation).await {
        Err(StoreError::Taken) => Err(InviteError::Invited),
        inserted => {
            inserted.map_err(AdminError::from)?;
            record(app, &mut tx, by, (AuditKind::InvitationMade, &invitation)).await.map_err(AdminError::from)?;
            Ok((tx, invitation))
        }
    }
}

/// Not the address: there is no account with which it would be erased. Whoever accepts is named then.
async fn record(
    app: &App,
    tx: &mut Tx,
    by: By<'_>,
    (kind, invitation): (AuditKind, &Invitation),
) -> Result<(), StoreError> {
    let act = by.act(app, kind).with("invitation", invitation.id.as_str()).with("role", invitation.role_id);
    audit::record(tx, act).await
}

/// A transaction in which whoever asks still may, and who that is.
pub(super) async fn begin(app: &App, by: By<'_>) -> Result<(Tx, Option<Inviter>), AdminError> {
    let mut tx = app.store.begin().await?;
    let inviter = match by {
        By::Administrator(caller, _) => users::lock(&mut tx, caller.user).await?,
        By::Operator => None,
    };
    let inviter = inviter.map(|user| Inviter { user: user.id, epoch: user.epoch });
    Ok((by.check_session(app, tx).await?, inviter))
}

/// Lists invitations that can be accepted, the newest first; `page` and `limit` as for users.
pub async fn list_invitations(
    app: &App,
    by: By<'_>,
    page: Option<i64>,
    limit: Option<i64>,
) -> Result<Page<Invitation>, AdminError> {
    by.check_role()?;
    let (current_page, page_size, offset) = asked(page, limit);
    let now = app.clock.now();
    let mut run = app.store.snapshot().await?;
    let total_items = invitations::count(&mut run, now).await?;
    let found = invitations::page(&mut run, now, (offset, page_size)).await?;
    Ok(Page::new(found, (current_page, page_size), total_items))
}

/// An invitation that can be accepted.
pub async fn invitation(app: &App, by: By<'_>, id: &str) -> Result<Invitation, InviteError> {
    by.check_role()?;
    let found = invitations::by_id(&mut app.store.reader(), id).await.map_err(AdminError::from)?;
    found.filter(|invitation| app.clock.now() < invitation.expires_at).ok_or(InviteError::NotFound)
}

/// Sends another link; the one of before works no more, and there is as much time again.
pub async fn resend_invitation(app: &App, by: By<'_>, id: &str) -> Result<Invitation, InviteError> {
    let (mut tx, invitation) = prolong(app, by, id).await?;
    if mail::is_invited_enough(app, &mut tx, &invitation.email).await.map_err(AdminError::from)? {
        return Err(InviteError::TooManyMails);
    }
    mail::ask_invitation(&mut tx, &invitation, app.clock.now()).await.map_err(AdminError::from)?;
    tx.commit().await.map_err(AdminError::from)?;
    app.mail_waiting.notify_one();
    Ok(invitation)
}

/// The same without a mail, on the operator's word: the link, to be handed over by other means.
pub async fn resend_invitation_by_hand(app: &App, id: &str) -> Result<(Invitation, Zeroizing<String>), InviteError> {
    let (tx, invitation) = prolong(app, By::Operator, id).await?;
    hand_over(app, tx, invitation).await
}

async fn prolong(app: &App, by: By<'_>, id: &str) -> Result<(Tx, Invitation), InviteError> {
    by.check_role()?;
    let now = app.clock.now();
    let (mut tx, inviter) = begin(app, by).await?;
    waiting(&mut tx, id, now).await.map_err(AdminError::from)?.ok_or(InviteError::NotFound)?;
    let expires_at = now.plus(app.settings.invitation_ttl);
    let after = invitations::prolong(&mut tx, id, (expires_at, inviter)).await.map_err(AdminError::from)?;
    let invitation = after.ok_or(InviteError::NotFound)?;
    record(app, &mut tx, by, (AuditKind::InvitationResent, &invitation)).await.map_err(AdminError::from)?;
    Ok((tx, invitation))
}

async fn waiting(tx: &mut Tx, id: &str, now: UnixMillis) -> Result<Option<Invitation>, StoreError> {
    Ok(invitations::by_id(tx, id).await?.filter(|invitation| now < invitation.expires_at))
}

/// Takes an invitation back: its link works no more.
pub async fn revoke_invitation(app: &App, by: By<'_>, id: &str) -> Result<(), InviteError> {
    by.check_role()?;
    let (mut tx, _) = begin(app, by).await?;
    let taken = invitations::take(&mut tx, id).await.map_err(AdminError::from)?.ok_or(InviteError::NotFound)?;
    record(app, &mut tx, by, (AuditKind::InvitationRevoked, &taken)).await.map_err(AdminError::from)?;
    tx.commit().await.map_err(AdminError::from)?;
    Ok(())
}
