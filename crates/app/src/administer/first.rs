//! The first administrator: whoever starts a server that has none is given a link that makes one.

use std::time::Duration;

use cerrojo_domain::{ADMIN_ROLE, Actor, AuditKind, Email, Origin, Status, User};
use cerrojo_store::audit::{self, Act};
use cerrojo_store::codes::{self as stored, Purpose};
use cerrojo_store::users::{self, NewUser};
use cerrojo_store::{Run, StoreError, Tx, outbox, registrations};

use crate::accept::{self, AcceptError};
use crate::hashing::{Known, Turn};
use crate::limits::Public;
use crate::profile::{filled, name_may_be_taken};
use crate::{App, Limited, Trouble, codes, password};

/// How long the link works.
pub const FIRST_TTL: Duration = Duration::from_hours(24);

/// All links are for the same.
const SUBJECT: &str = "first";

/// What whoever opened the link typed.
pub struct FirstAdministrator {
    /// The code of the link.
    pub token: Option<String>,
    /// As typed.
    pub name: Option<String>,
    /// As typed.
    pub email: Option<String>,
    /// As typed.
    pub password: Option<String>,
}

/// Why not. Unless it is the token that is wrong, it can still be used.
#[derive(Debug)]
pub enum FirstError {
    /// 400 "Email es requerido"
    EmailMissing,
    /// 400 "Formato de email inválido"
    Email,
    /// As for somebody who was invited.
    Refused(AcceptError),
}

impl<E: Into<AcceptError>> From<E> for FirstError {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

/// Whether there is no administrator who may sign in.
///
/// # Errors
/// [`Trouble`] if the database cannot be read.
pub async fn lacks_administrator(app: &App) -> Result<bool, Trouble> {
    Ok(is_wanted(&mut app.store.reader()).await?)
}

/// Whether there is no account at all.
///
/// # Errors
/// [`Trouble`] if the database cannot be read.
pub async fn lacks_accounts(app: &App) -> Result<bool, Trouble> {
    Ok(users::count(&mut app.store.reader()).await? == 0)
}

/// Whoever administers is made otherwise: the links are worth nothing any more.
pub(super) async fn forget_first_links(tx: &mut Tx) -> Result<(), StoreError> {
    stored::void(tx, SUBJECT, Purpose::FirstAdministrator).await
}

/// A code that makes the first administrator, as long as there is none. Those of before stay good for their time.
///
/// # Errors
/// [`Trouble`] if the database does not answer.
pub async fn offer_first(app: &App) -> Result<String, Trouble> {
    let mut tx = app.store.begin().await?;
    let until = app.clock.now().plus(FIRST_TTL);
    let code = codes::make(app, &mut tx, (Purpose::FirstAdministrator, SUBJECT), ("", until)).await?;
    tx.commit().await?;
    Ok(code)
}

async fn is_wanted(run: &mut impl Run) -> Result<bool, StoreError> {
    Ok(users::count_active_with_role(run, ADMIN_ROLE).await? == 0)
}

/// Whether the code of a link would work now. It is not used up.
///
/// # Errors
/// [`Trouble`] if the database cannot be read.
pub async fn first_works(app: &App, token: &str) -> Result<bool, Trouble> {
    let code = codes::look_up(app, token).await?;
    Ok(code.is_some_and(|code| code.purpose == Purpose::FirstAdministrator) && lacks_administrator(app).await?)
}

/// Makes the first administrator. Signs nobody in.
pub async fn make_first(app: &App, origin: &Origin, typed: FirstAdministrator) -> Limited<Result<User, FirstError>> {
    match app.limits.request(Public::Verify, origin.block()) {
        Err(quota) => Limited { outcome: Err(AcceptError::TooMany.into()), quota: Some(quota) },
        Ok(quota) => Limited { outcome: take_link(app, origin, typed).await, quota },
    }
}

async fn take_link(app: &App, origin: &Origin, typed: FirstAdministrator) -> Result<User, FirstError> {
    let token = filled(typed.token).ok_or(AcceptError::TokenMissing)?;
    let code = codes::look_up(app, &token).await.map_err(AcceptError::from)?;
    let code = code.filter(|code| code.purpose == Purpose::FirstAdministrator).ok_or(AcceptError::InvalidToken)?;
    let name = filled(typed.name).ok_or(AcceptError::NameMissing)?;
    if !name_may_be_taken(&name) {
        return Err(AcceptError::Name.into());
    }
    let email = Email::parse(&filled(typed.email).ok_or(FirstError::EmailMissing)?).map_err(|_| FirstError::Email)?;
    let password = typed.password.filter(|password| !password.is_empty()).ok_or(AcceptError::PasswordMissing)?;
    accept::accepted(password::flaws(app, &password, &name, &email).await.map_err(AcceptError::from)?)?;
    let turn = Turn { block: origin.block(), known: Known::No };
    let password_hash = app.hasher.hash(turn, password).await.map_err(Trouble::from).map_err(AcceptError::from)?;
    let (role_id, status, registered_at) = (ADMIN_ROLE, Status::Active, app.clock.now());
    let user = NewUser { name, email, password_hash, role_id, status, registered_at, email_verified: true };
    insert(app, origin, (&code, &user)).await.map_err(FirstError::from)
}

async fn insert(app: &App, origin: &Origin, (code, user): (&stored::Code, &NewUser)) -> Result<User, AcceptError> {
    // Of two links that are used at once one makes an administrator: both hold this row.
    let mut tx = app.store.begin_ending().await?;
    registrations::forget(&mut tx, &user.email).await?;
    if !is_wanted(&mut *tx).await? || !codes::use_up(app, &mut tx, code).await? {
        return Err(AcceptError::InvalidToken);
    }
    forget_first_links(&mut tx).await?;
    let user = match users::insert(&mut tx, user).await {
        Err(StoreError::Taken) => return Err(AcceptError::EmailTaken),
        inserted => inserted?,
    };
    outbox::adopt(&mut tx, user.id, &user.email).await?;
    let act = Act::new(AuditKind::AccountCreated, user.registration_date).by(Actor::Operator).to(user.id).from(origin);
    let act = act.with("role", user.role_id).with("first", true);
    audit::record(&mut tx, act.with_personal("email", user.email.as_str())).await?;
    tx.commit().await?;
    Ok(user)
}
