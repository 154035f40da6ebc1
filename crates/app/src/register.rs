//! Register, and be signed in; or be sent a link first, where addresses have to be confirmed.

use cerrojo_domain::password::PasswordFlaw;
use cerrojo_domain::{Actor, AuditKind, Email, EmailError, Origin, PendingId, Status, USER_ROLE};
use cerrojo_store::StoreError;
use cerrojo_store::audit::{self, Act};
use cerrojo_store::registrations::{self, Registration};
use cerrojo_store::users::{self, NewUser};

use crate::birth::{self, Birth};
use crate::hashing::{Known, Turn};
use crate::limits::Public;
use crate::login::SignedIn;
use crate::metrics::Attempt;
use crate::profile::{filled, name_may_be_taken};
use crate::{App, Limited, Trouble, Verification, mail, password, take_back};

/// What a person typed.
pub struct NewAccount {
    /// As typed.
    pub name: Option<String>,
    /// As typed.
    pub email: Option<String>,
    /// As typed.
    pub password: Option<String>,
}

/// What was left out: absent, null or blank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The name.
    Name,
    /// The e-mail address.
    Email,
    /// The password.
    Password,
}

/// Why not.
#[derive(Debug)]
pub enum RegisterError {
    /// 400 "Datos de entrada incompletos".
    Incomplete(Vec<Missing>),
    /// 400 "Formato de email inválido".
    Email,
    /// 400: the name has over 200 characters, or some that control something or turn the direction of writing.
    Name,
    /// 400 "Contraseña no cumple requisitos".
    Password(Vec<PasswordFlaw>),
    /// 409.
    EmailTaken,
    /// 403.
    Closed,
    /// 429.
    TooMany,
    /// 503 or 500.
    Trouble(Trouble),
}

impl<E: Into<Trouble>> From<E> for RegisterError {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

impl From<EmailError> for RegisterError {
    fn from(_: EmailError) -> Self {
        Self::Email
    }
}

/// What became of it.
pub enum Registered {
    /// There is an account, and it is signed in.
    SignedIn(Box<SignedIn>),
    /// A link was sent, or word that there is an account already: nothing here says which.
    Waiting(Waiting),
}

/// A registration whose address is to be confirmed.
pub struct Waiting {
    /// As given.
    pub name: String,
    /// In its one form.
    pub email: Email,
}

/// Registers an account with the role `user` and signs it in, or writes down that somebody wants one.
pub async fn register(app: &App, origin: &Origin, typed: NewAccount) -> Limited<Result<Registered, RegisterError>> {
    let limited = match app.limits.request(Public::Register, origin.block()) {
        Ok(quota) => Limited { outcome: make(app, origin, typed).await, quota },
        Err(quota) => Limited { outcome: Err(RegisterError::TooMany), quota: Some(quota) },
    };
    app.metrics.registrations.count(match &limited.outcome {
        Ok(_) => Attempt::Success,
        Err(RegisterError::TooMany) => Attempt::Limited,
        Err(RegisterError::Trouble(trouble)) => trouble.into(),
        Err(_) => Attempt::Refused,
    });
    limited
}

async fn make(app: &App, origin: &Origin, typed: NewAccount) -> Result<Registered, RegisterError> {
    if app.settings.registration == crate::Registration::Closed {
        return Err(RegisterError::Closed);
    }
    let (name, email, password) = complete(typed)?;
    let email = Email::parse(&email)?;
    if !name_may_be_taken(&name) {
        return Err(RegisterError::Name);
    }
    let flaws = password::flaws(app, &password, &name, &email).await?;
    if !flaws.is_empty() {
        return Err(RegisterError::Password(flaws));
    }
    let turn = Turn { block: origin.block(), known: Known::No };
    if app.settings.verification == Verification::Required {
        // The same work from here on, whatever there is of the address: only the mail tells.
        let password_hash = app.hasher.hash(turn, password).await.map_err(Trouble::from)?;
        return wait(app, origin, Waiting { name, email }, password_hash).await;
    }
    if users::by_email(&mut app.store.reader(), email.as_str()).await?.is_some() {
        return Err(RegisterError::EmailTaken);
    }
    let password_hash = app.hasher.hash(turn, password).await.map_err(Trouble::from)?;
    open_account(app, origin, Waiting { name, email }, password_hash).await
}

/// Writes the registration down in the place of an earlier one of the same address, and asks for the mail. If the earlier one
/// still waits, nobody knows who of the two reads the mail: its link sets a password, and those of before confirm none.
async fn wait(
    app: &App,
    origin: &Origin,
    waiting: Waiting,
    password_hash: String,
) -> Result<Registered, RegisterError> {
    let at = app.clock.now();
    let registration = Registration {
        id: PendingId::new(&*app.random),
        email: waiting.email.clone(),
        name: waiting.name.clone(),
        password_hash,
        registered_at: at,
        expires_at: at.plus(app.settings.confirm_within),
        is_contested: false,
    };
    let mut tx = app.store.begin().await?;
    if crate::audit::has_room_for_strangers(app) {
        audit::record(&mut tx, Act::new(AuditKind::RegistrationAsked, at).from(origin)).await?;
    }
    let id = registrations::put(&mut tx, &registration).await?;
    mail::ask_registered(&mut tx, (&id, &waiting.email), origin, at).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    Ok(Registered::Waiting(waiting))
}

async fn open_account(
    app: &App,
    origin: &Origin,
    Waiting { name, email }: Waiting,
    password_hash: String,
) -> Result<Registered, RegisterError> {
    let mut cradle = birth::prepare(app, USER_ROLE).await?;
    let registered_at = app.clock.now();
    let (role_id, status, email_verified) = (USER_ROLE, Status::Active, false);
    let user = NewUser { name, email, password_hash, role_id, status, registered_at, email_verified };
    let mut tx = app.store.begin().await?;
    let user = match users::insert(&mut tx, &user).await {
        Err(StoreError::Taken) => return Err(RegisterError::EmailTaken),
        inserted => inserted?,
    };
    if take_back::is_held(app, &mut tx, (user.id, &user.email)).await? {
        return Err(RegisterError::EmailTaken);
    }
    let act = Act::new(AuditKind::Registered, registered_at).by(Actor::User(user.id)).to(user.id).from(origin);
    audit::record(&mut tx, act.with_personal("email", user.email.as_str())).await?;
    if app.settings.verification == Verification::Notify {
        mail::ask_verify(&mut tx, (Some(user.id), &user.email), Some(origin), registered_at).await?;
    }
    match birth::in_tx(&mut tx, &mut cradle, &user, origin).await? {
        Birth::Born => {
            let signed_in = birth::commit(app, tx, cradle, user).await?;
            app.mail_waiting.notify_one();
            Ok(Registered::SignedIn(Box::new(signed_in)))
        }
        Birth::Lost | Birth::ListRetired | Birth::Full => {
            app.blocks.forget();
            Err(RegisterError::Trouble(Trouble::Unavailable("every session was being ended".to_owned())))
        }
    }
}

fn complete(typed: NewAccount) -> Result<(String, String, String), RegisterError> {
    match (filled(typed.name), filled(typed.email), typed.password.filter(|password| !password.is_empty())) {
        (Some(name), Some(email), Some(password)) => Ok((name, email, password)),
        (name, email, password) => {
            let missing = [
                name.is_none().then_some(Missing::Name),
                email.is_none().then_some(Missing::Email),
                password.is_none().then_some(Missing::Password),
            ];
            Err(RegisterError::Incomplete(missing.into_iter().flatten().collect()))
        }
    }
}
