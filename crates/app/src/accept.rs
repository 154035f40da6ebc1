//! Accepting an invitation: whoever was invited sets a name and a password, and has an account.

use cerrojo_domain::password::PasswordFlaw;
use cerrojo_domain::{ADMIN_ROLE, Actor, AuditKind, Email, Origin, Status, User};
use cerrojo_store::audit::{self, Act};
use cerrojo_store::codes::{Code, Purpose};
use cerrojo_store::invitations::{self, Invitation};
use cerrojo_store::users::{self, NewUser};
use cerrojo_store::{StoreError, outbox, registrations};

use crate::hashing::{Known, Turn};
use crate::limits::Public;
use crate::profile::{filled, name_may_be_taken};
use crate::{App, Limited, Trouble, codes, password};

/// What a person typed.
pub struct Acceptance {
    /// The code of the link.
    pub token: Option<String>,
    /// As typed; the invitation may say one.
    pub name: Option<String>,
    /// As typed.
    pub password: Option<String>,
}

/// Why not. Unless it is the token that is wrong, it can still be used.
#[derive(Debug)]
pub enum AcceptError {
    /// 400 "Token es requerido"
    TokenMissing,
    /// 400 "Nombre es requerido"
    NameMissing,
    /// 400 "Contraseña es requerida"
    PasswordMissing,
    /// 400: the name has over 200 characters, or some that control something or turn the direction of writing.
    Name,
    /// 400 "Contraseña no cumple requisitos"
    Password(Vec<PasswordFlaw>),
    /// 401 `INVALID_INVITATION_TOKEN`
    InvalidToken,
    /// 409: there is an account of the address meanwhile.
    EmailTaken,
    /// 429
    TooMany,
    /// 503 or 500
    Trouble(Trouble),
}

impl<E: Into<Trouble>> From<E> for AcceptError {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

/// Makes the account, its address confirmed. Signs nobody in.
pub async fn accept(app: &App, origin: &Origin, typed: Acceptance) -> Limited<Result<User, AcceptError>> {
    match app.limits.request(Public::Verify, origin.block()) {
        Err(quota) => Limited { outcome: Err(AcceptError::TooMany), quota: Some(quota) },
        Ok(quota) => Limited { outcome: take_link(app, origin, typed).await, quota },
    }
}

async fn take_link(app: &App, origin: &Origin, typed: Acceptance) -> Result<User, AcceptError> {
    let token = filled(typed.token).ok_or(AcceptError::TokenMissing)?;
    let password = typed.password.filter(|password| !password.is_empty()).ok_or(AcceptError::PasswordMissing)?;
    accepted(password::own_flaws(app, &password, "", &Email::from_stored(String::new())))?;
    let (code, invitation) = look_up(app, &token).await?.ok_or(AcceptError::InvalidToken)?;
    let name = filled(typed.name).or_else(|| invitation.name.clone()).ok_or(AcceptError::NameMissing)?;
    if !name_may_be_taken(&name) {
        return Err(AcceptError::Name);
    }
    accepted(password::flaws(app, &password, &name, &invitation.email).await?)?;
    let turn = Turn { block: origin.block(), known: Known::No };
    let password_hash = app.hasher.hash(turn, password).await.map_err(Trouble::from)?;
    open_account(app, origin, (&code, &invitation), (name, password_hash)).await
}

pub(crate) fn accepted(flaws: Vec<PasswordFlaw>) -> Result<(), AcceptError> {
    if flaws.is_empty() { Ok(()) } else { Err(AcceptError::Password(flaws)) }
}

/// Who is invited by the code of a link: the address, and the name if the invitation says one. `None`: it would not work. It is
/// not used up.
///
/// # Errors
/// [`Trouble`] if the database cannot be read.
pub async fn invited(app: &App, token: &str) -> Result<Option<(Email, Option<String>)>, Trouble> {
    let found = look_up(app, token).await?;
    Ok(found.map(|(_, invitation)| (invitation.email, invitation.name)))
}

/// The code and the invitation that it is for, if there is one. It is not used up.
async fn look_up(app: &App, token: &str) -> Result<Option<(Code, Invitation)>, StoreError> {
    let found = codes::look_up(app, token).await?.filter(|code| code.purpose == Purpose::Invitation);
    let Some(code) = found else { return Ok(None) };
    let invitation = invitations::by_id(&mut app.store.reader(), &code.subject).await?;
    Ok(invitation.filter(|invitation| app.settings.roles.exists(invitation.role_id)).map(|found| (code, found)))
}

async fn open_account(
    app: &App,
    origin: &Origin,
    (code, invitation): (&Code, &Invitation),
    (name, password_hash): (String, String),
) -> Result<User, AcceptError> {
    let mut tx = app.store.begin().await?;
    // What an administrator may no longer do the invitations of before do neither: one who was found to be somebody else leaves
    // no way in behind, also where the password was set anew or the account came back.
    if let Some(inviter) = invitation.invited_by
        && !users::lock(&mut tx, inviter.user)
            .await?
            .is_some_and(|user| administers(&user) && user.epoch == inviter.epoch)
    {
        return Err(AcceptError::InvalidToken);
    }
    let is_there = codes::use_up(app, &mut tx, code).await?
        && invitations::take(&mut tx, &code.subject).await?.is_some_and(|taken| taken == *invitation);
    if !is_there {
        return Err(AcceptError::InvalidToken);
    }
    let (email, role_id, registered_at) = (invitation.email.clone(), invitation.role_id, app.clock.now());
    registrations::forget(&mut tx, &email).await?;
    let status = Status::Active;
    let user = NewUser { name, email, password_hash, role_id, status, registered_at, email_verified: true };
    let user = match users::insert(&mut tx, &user).await {
        Err(StoreError::Taken) => return Err(AcceptError::EmailTaken),
        inserted => inserted?,
    };
    outbox::adopt(&mut tx, user.id, &user.email).await?;
    let act = Act::new(AuditKind::InvitationAccepted, registered_at).by(Actor::User(user.id)).to(user.id).from(origin);
    let act = act.with("invitation", invitation.id.as_str()).with("role", role_id);
    audit::record(&mut tx, act.with_personal("email", user.email.as_str())).await?;
    tx.commit().await?;
    Ok(user)
}

fn administers(user: &User) -> bool {
    user.role_id == ADMIN_ROLE && user.status == Status::Active
}
