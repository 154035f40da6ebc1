//! The one table of errors: what each use case can refuse, as the contract words it.

use cerrojo_app::accept::AcceptError;
use cerrojo_app::account::Reauth;
use cerrojo_app::administer::{AdminError, FirstError, InviteError};
use cerrojo_app::audit::{AskedError, LookError};
use cerrojo_app::authenticate::AuthError;
use cerrojo_app::confirm::{ConfirmError, ResendError};
use cerrojo_app::end::LogoutError;
use cerrojo_app::leave::LeaveError;
use cerrojo_app::login::LoginError;
use cerrojo_app::password::PasswordError;
use cerrojo_app::profile::ProfileError;
use cerrojo_app::recover::{ForgotError, ResetError};
use cerrojo_app::register::{Missing, RegisterError};
use cerrojo_app::sessions::SessionsError;
use cerrojo_app::take_back::TakeBackError;
use cerrojo_app::{Quota, Trouble};
use cerrojo_domain::password::PasswordFlaw;
use http::StatusCode;

use crate::envelope::{Detail, Text};

/// What `WWW-Authenticate` says (RFC 6750, section 3, where tokens are meant).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// Nothing: the endpoint takes no bearer token.
    None,
    /// `Bearer`: none was sent, or it was not the token that was wrong.
    Bearer,
    /// `Bearer error="invalid_token"`: one was sent and is not accepted.
    InvalidToken,
    /// The same; it is the token of a session that is over, and why is told.
    SessionOver,
    /// `Basic`: a service's credentials are asked for (RFC 7617, section 2).
    Basic,
}

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) challenge: Challenge,
    pub(crate) message: Text,
}

macro_rules! table {
    ($($name:ident: $status:ident $code:literal $challenge:ident, $es:literal, $en:literal;)+) => {
        $(pub(crate) static $name: Row = Row {
            status: StatusCode::$status,
            code: $code,
            challenge: Challenge::$challenge,
            message: Text { es: $es, en: $en },
        };)+

        /// Every row there is.
        #[cfg(test)]
        static TABLE: &[(&str, &Row)] = &[$((stringify!($name), &$name)),+];
    };
}

table! {
    BROKEN_JSON: BAD_REQUEST "VALIDATION_ERROR" None, "El cuerpo no es JSON válido", "The body is not valid JSON";
    NOT_AN_OBJECT: BAD_REQUEST "VALIDATION_ERROR" None, "El cuerpo debe ser un objeto JSON", "The body must be a JSON object";
    CUT_OFF: BAD_REQUEST "VALIDATION_ERROR" None, "El cuerpo está incompleto", "The body is incomplete";
    WRONG_INPUT: BAD_REQUEST "VALIDATION_ERROR" None, "Datos de entrada inválidos", "Invalid input";
    LOGIN_INCOMPLETE: BAD_REQUEST "VALIDATION_ERROR" None, "Email y contraseña son requeridos", "Email and password are required";
    REGISTER_INCOMPLETE: BAD_REQUEST "VALIDATION_ERROR" None, "Datos de entrada incompletos", "Incomplete input";
    EMAIL: BAD_REQUEST "VALIDATION_ERROR" None, "Formato de email inválido", "Invalid email format";
    NAME: BAD_REQUEST "VALIDATION_ERROR" None, "Formato de nombre inválido", "Invalid name format";
    PASSWORD: BAD_REQUEST "VALIDATION_ERROR" None, "Contraseña no cumple requisitos", "The password does not meet the requirements";
    NEW_PASSWORD: BAD_REQUEST "VALIDATION_ERROR" None, "La nueva contraseña no cumple requisitos", "The new password does not meet the requirements";
    PASSWORDS_MISSING: BAD_REQUEST "VALIDATION_ERROR" None, "Contraseña actual y nueva contraseña son requeridas", "Current password and new password are required";
    NEW_PASSWORD_MISSING: BAD_REQUEST "VALIDATION_ERROR" None, "Nueva contraseña es requerida", "New password is required";
    CURRENT_PASSWORD_MISSING: BAD_REQUEST "VALIDATION_ERROR" None, "Contraseña actual es requerida", "Current password is required";
    EMAIL_MISSING: BAD_REQUEST "VALIDATION_ERROR" None, "Email es requerido", "Email is required";
    NAME_MISSING: BAD_REQUEST "VALIDATION_ERROR" None, "Nombre es requerido", "Name is required";
    PASSWORD_MISSING: BAD_REQUEST "VALIDATION_ERROR" None, "Contraseña es requerida", "Password is required";
    VERIFIED: BAD_REQUEST "VALIDATION_ERROR" None, "Confirmación de email inválida: debe ser true o false", "Invalid email confirmation: it must be true or false";
    RESET_TOKEN_MISSING: BAD_REQUEST "VALIDATION_ERROR" None, "Token es requerido", "Token is required";
    PROFILE_UNCHANGED: BAD_REQUEST "VALIDATION_ERROR" None, "Debe proporcionar al menos nombre o email para actualizar", "Give at least a name or an email to update";
    USER_ID: BAD_REQUEST "VALIDATION_ERROR" None, "ID de usuario inválido", "Invalid user ID";
    ROLE: BAD_REQUEST "VALIDATION_ERROR" None, "Rol inválido", "Invalid role";
    STATUS: BAD_REQUEST "VALIDATION_ERROR" None, "Estado inválido", "Invalid status";
    ACTIVITY: BAD_REQUEST "VALIDATION_ERROR" None, "Actividad inválida", "Invalid activity";
    COOKIE: BAD_REQUEST "VALIDATION_ERROR" None, "Valor de cookie inválido: debe ser true o false", "Invalid value of cookie: it must be true or false";
    NO_ACCESS_TOKEN: BAD_REQUEST "VALIDATION_ERROR" None, "Token es requerido una vez", "Token is required once";
    USER_UNCHANGED: BAD_REQUEST "VALIDATION_ERROR" None, "No hay datos para actualizar", "There is nothing to update";

    NO_TOKEN: UNAUTHORIZED "UNAUTHORIZED" Bearer, "Token no proporcionado o inválido", "Token missing or invalid";
    BAD_TOKEN: UNAUTHORIZED "UNAUTHORIZED" InvalidToken, "Token no proporcionado o inválido", "Token missing or invalid";
    SESSION_OVER: UNAUTHORIZED "UNAUTHORIZED" SessionOver, "Token no proporcionado o inválido", "Token missing or invalid";
    CREDENTIALS: UNAUTHORIZED "INVALID_CREDENTIALS" None, "Credenciales inválidas", "Invalid credentials";
    INACTIVE: UNAUTHORIZED "UNAUTHORIZED" None, "Usuario inactivo o suspendido", "The user is inactive or suspended";
    SERVICE: UNAUTHORIZED "UNAUTHORIZED" Basic, "Credenciales de servicio no proporcionadas o inválidas", "Service credentials missing or invalid";
    CURRENT_PASSWORD: UNAUTHORIZED "INVALID_CREDENTIALS" Bearer, "La contraseña actual es incorrecta", "The current password is wrong";
    RESET_TOKEN: UNAUTHORIZED "INVALID_RESET_TOKEN" None, "Token inválido o expirado. Solicita uno nuevo.", "Invalid or expired token. Ask for a new one.";
    VERIFICATION_TOKEN: UNAUTHORIZED "INVALID_VERIFICATION_TOKEN" None, "Token inválido o expirado. Solicita uno nuevo.", "Invalid or expired token. Ask for a new one.";
    INVITATION_TOKEN: UNAUTHORIZED "INVALID_INVITATION_TOKEN" None, "Invitación inválida o expirada. Solicita una nueva.", "Invalid or expired invitation. Ask for a new one.";

    NOT_ADMINISTRATOR: FORBIDDEN "FORBIDDEN" None, "Acceso denegado: se requiere rol de administrador", "Access denied: the administrator role is required";
    ONESELF: FORBIDDEN "FORBIDDEN" None, "Acceso denegado: no puede quitarse a sí mismo el rol, la actividad ni la cuenta", "Access denied: you cannot take away your own role, activity or account";
    LAST_ADMINISTRATOR: FORBIDDEN "FORBIDDEN" None, "Acceso denegado: debe quedar al menos un administrador activo", "Access denied: at least one active administrator must remain";
    DELETION_OFF: FORBIDDEN "FORBIDDEN" None, "La eliminación de la propia cuenta no está permitida", "Deleting one's own account is not allowed";
    REGISTER_CLOSED: FORBIDDEN "FORBIDDEN" None, "El registro está cerrado", "Registration is closed";
    UNVERIFIED: FORBIDDEN "EMAIL_NOT_VERIFIED" None, "Debe confirmar su email antes de iniciar sesión", "Confirm your email before you sign in";
    SIGN_IN_AGAIN: FORBIDDEN "REAUTHENTICATION_REQUIRED" None, "Inicie sesión de nuevo: hace más de diez minutos que lo hizo", "Sign in again: it was more than ten minutes ago";
    SIGN_IN_REQUIRED: FORBIDDEN "SIGN_IN_REQUIRED" None, "Inicie sesión con la cuenta que pidió este cambio y abra el enlace de nuevo", "Sign in to the account that asked for this change and open the link again";
    VERIFICATION_OFF: FORBIDDEN "FORBIDDEN" None, "La confirmación de email no está activada", "Email confirmation is not enabled";

    CROSS_SITE: FORBIDDEN "CROSS_SITE_REQUEST" None, "Petición rechazada: no viene de las páginas de este servidor ni de un origen permitido", "Request refused: it comes neither from this server's pages nor from an allowed origin";

    NO_ROUTE: NOT_FOUND "NOT_FOUND" None, "Ruta no encontrada", "No such route";
    NO_USER: NOT_FOUND "NOT_FOUND" None, "Usuario no encontrado", "User not found";
    NO_INVITATION: NOT_FOUND "NOT_FOUND" None, "Invitación no encontrada", "Invitation not found";
    NO_SESSION: NOT_FOUND "NOT_FOUND" None, "Sesión no encontrada", "Session not found";
    NO_LIST: NOT_FOUND "NOT_FOUND" None, "Lista de estado no encontrada", "Status list not found";
    OTHER_METHOD: METHOD_NOT_ALLOWED "METHOD_NOT_ALLOWED" None, "Método no permitido", "Method not allowed";
    TOO_SLOW: REQUEST_TIMEOUT "REQUEST_TIMEOUT" None, "La petición tardó demasiado en llegar", "The request took too long to arrive";
    EMAIL_REGISTERED: CONFLICT "USER_ALREADY_EXISTS" None, "El email ya está registrado", "The email is already registered";
    TOO_MANY_SESSIONS: CONFLICT "TOO_MANY_SESSIONS" None, "Ya hay demasiadas sesiones abiertas. Cierre una antes de iniciar otra.", "Too many sessions are open already. Close one before you start another.";
    EMAIL_TAKEN: CONFLICT "CONFLICT" None, "El email ya está en uso por otro usuario", "The email is already in use by another user";
    INVITED: CONFLICT "CONFLICT" None, "Ya hay una invitación pendiente para este email: reenvíela o revóquela", "There is a pending invitation for this email: send it again or revoke it";
    CHANGED_MEANWHILE: CONFLICT "CONFLICT" None, "El usuario se ha cambiado entre tanto", "The user was changed meanwhile";
    TOO_MANY_INVITATIONS: CONFLICT "CONFLICT" None, "Hay demasiadas invitaciones pendientes: revoque alguna", "There are too many pending invitations: revoke some";
    TOO_LARGE: PAYLOAD_TOO_LARGE "PAYLOAD_TOO_LARGE" None, "El cuerpo de la petición es demasiado grande", "The request body is too large";
    NOT_FORM: UNSUPPORTED_MEDIA_TYPE "UNSUPPORTED_MEDIA_TYPE" None, "El cuerpo debe ser application/x-www-form-urlencoded", "The body must be application/x-www-form-urlencoded";
    NOT_JSON: UNSUPPORTED_MEDIA_TYPE "UNSUPPORTED_MEDIA_TYPE" None, "El cuerpo debe ser application/json", "The body must be application/json";

    TOO_MANY_LOGINS: TOO_MANY_REQUESTS "RATE_LIMITED" None, "Demasiados intentos de inicio de sesión. Por favor, intente de nuevo en {minutes} minutos.", "Too many sign-in attempts. Please try again in {minutes} minutes.";
    TOO_MANY_PASSWORDS: TOO_MANY_REQUESTS "RATE_LIMITED" None, "Demasiados intentos. Por favor, intente de nuevo en {minutes} minutos.", "Too many attempts. Please try again in {minutes} minutes.";
    TOO_MANY_REQUESTS: TOO_MANY_REQUESTS "RATE_LIMITED" None, "Demasiadas peticiones desde esta IP, por favor intente más tarde.", "Too many requests from this IP, please try again later.";
    TOO_MANY_MAILS: TOO_MANY_REQUESTS "RATE_LIMITED" None, "Ya se han enviado varios correos a esta dirección. Por favor, intente más tarde.", "Several emails were sent to this address already. Please try again later.";
    TOO_MANY_GUARDS: TOO_MANY_REQUESTS "RATE_LIMITED" None, "Demasiadas conexiones sin credenciales, por favor intente más tarde.", "Too many connections without credentials, please try again later.";
    TOO_MANY_STREAMS: TOO_MANY_REQUESTS "TOO_MANY_STREAMS" None, "Demasiadas conexiones abiertas para seguir la sesión, por favor intente más tarde.", "Too many open connections to follow the session, please try again later.";
    NO_HISTORY: NOT_IMPLEMENTED "NOT_IMPLEMENTED" None, "El estado de otro momento no está disponible", "The status at another time is not available";
    INTERNAL: INTERNAL_SERVER_ERROR "INTERNAL_ERROR" None, "Error interno del servidor", "Internal server error";
    UNAVAILABLE: SERVICE_UNAVAILABLE "UNAVAILABLE" None, "Servicio no disponible temporalmente. Por favor, intente de nuevo.", "Service temporarily unavailable. Please try again.";
}

/// Seconds until it is worth another try, where nothing is known better.
const SOON: u32 = 1;
/// The same where passwords are hashed: what was waiting is done by then.
const WHEN_HASHED: u32 = 3;

/// An answer that is not a success.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) row: &'static Row,
    /// `errors` of the envelope; left out when empty.
    pub(crate) errors: Vec<Detail>,
    /// Seconds for `Retry-After`.
    pub(crate) retry_after: Option<u32>,
    /// For `RateLimit-*`; on a 429 also for `Retry-After`.
    pub(crate) quota: Option<Quota>,
    /// For the log, never for the client.
    pub(crate) cause: Option<Trouble>,
}

impl From<&'static Row> for Problem {
    fn from(row: &'static Row) -> Self {
        Self { row, errors: Vec::new(), retry_after: None, quota: None, cause: None }
    }
}

impl Problem {
    pub(crate) fn with_errors(row: &'static Row, errors: Vec<Detail>) -> Self {
        Self { errors, ..row.into() }
    }

    fn with_flaws(row: &'static Row, flaws: &[PasswordFlaw]) -> Self {
        Self::with_errors(row, flaws.iter().map(|flaw| Detail::from(flaw_text(*flaw))).collect())
    }

    fn trouble(cause: Trouble, retry_after: u32) -> Self {
        let (row, retry_after) = match cause {
            Trouble::Unavailable(_) | Trouble::Unconfirmed(_) => (&UNAVAILABLE, Some(retry_after)),
            Trouble::Internal(_) => (&INTERNAL, None),
        };
        Self { retry_after, cause: Some(cause), ..row.into() }
    }
}

impl From<Trouble> for Problem {
    fn from(cause: Trouble) -> Self {
        Self::trouble(cause, SOON)
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Invalid => (&BAD_TOKEN).into(),
            AuthError::Over => (&SESSION_OVER).into(),
            AuthError::Trouble(cause) => cause.into(),
        }
    }
}

impl From<LogoutError> for Problem {
    fn from(error: LogoutError) -> Self {
        match error {
            LogoutError::AlreadyEnded => (&SESSION_OVER).into(),
            LogoutError::Trouble(cause) => cause.into(),
        }
    }
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Incomplete => (&LOGIN_INCOMPLETE).into(),
            LoginError::Credentials => (&CREDENTIALS).into(),
            LoginError::Inactive => (&INACTIVE).into(),
            LoginError::Unverified => (&UNVERIFIED).into(),
            LoginError::TooManySessions => (&TOO_MANY_SESSIONS).into(),
            LoginError::TooMany => (&TOO_MANY_LOGINS).into(),
            LoginError::Trouble(cause) => Self::trouble(cause, WHEN_HASHED),
        }
    }
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Incomplete(missing) => {
                let errors = missing.into_iter().map(|field| Detail::from(missing_text(field))).collect();
                Self::with_errors(&REGISTER_INCOMPLETE, errors)
            }
            RegisterError::Email => (&EMAIL).into(),
            RegisterError::Name => (&NAME).into(),
            RegisterError::Password(flaws) => Self::with_flaws(&PASSWORD, &flaws),
            RegisterError::EmailTaken => (&EMAIL_REGISTERED).into(),
            RegisterError::Closed => (&REGISTER_CLOSED).into(),
            RegisterError::TooMany => (&TOO_MANY_REQUESTS).into(),
            RegisterError::Trouble(cause) => Self::trouble(cause, WHEN_HASHED),
        }
    }
}

impl From<ForgotError> for Problem {
    fn from(error: ForgotError) -> Self {
        match error {
            ForgotError::EmailMissing => (&EMAIL_MISSING).into(),
            ForgotError::Email => (&EMAIL).into(),
            ForgotError::TooMany => (&TOO_MANY_REQUESTS).into(),
            ForgotError::Trouble(cause) => cause.into(),
        }
    }
}

impl From<ResetError> for Problem {
    fn from(error: ResetError) -> Self {
        match error {
            ResetError::TokenMissing => (&RESET_TOKEN_MISSING).into(),
            ResetError::PasswordMissing => (&NEW_PASSWORD_MISSING).into(),
            ResetError::Flawed(flaws) => Self::with_flaws(&NEW_PASSWORD, &flaws),
            ResetError::InvalidToken => (&RESET_TOKEN).into(),
            ResetError::TooMany => (&TOO_MANY_REQUESTS).into(),
            ResetError::Trouble(cause) => Self::trouble(cause, WHEN_HASHED),
        }
    }
}

impl From<ConfirmError> for Problem {
    fn from(error: ConfirmError) -> Self {
        match error {
            ConfirmError::TokenMissing => (&RESET_TOKEN_MISSING).into(),
            ConfirmError::InvalidToken => (&VERIFICATION_TOKEN).into(),
            ConfirmError::SignInNeeded => (&SIGN_IN_REQUIRED).into(),
            ConfirmError::EmailTaken => (&EMAIL_REGISTERED).into(),
            ConfirmError::TooMany => (&TOO_MANY_REQUESTS).into(),
            ConfirmError::Trouble(cause) => cause.into(),
        }
    }
}

impl From<ResendError> for Problem {
    fn from(error: ResendError) -> Self {
        match error {
            ResendError::Off => (&VERIFICATION_OFF).into(),
            ResendError::Asked(error) => error.into(),
        }
    }
}

impl From<AcceptError> for Problem {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::TokenMissing => (&RESET_TOKEN_MISSING).into(),
            AcceptError::NameMissing => (&NAME_MISSING).into(),
            AcceptError::PasswordMissing => (&PASSWORD_MISSING).into(),
            AcceptError::Name => (&NAME).into(),
            AcceptError::Password(flaws) => Self::with_flaws(&PASSWORD, &flaws),
            AcceptError::InvalidToken => (&INVITATION_TOKEN).into(),
            AcceptError::EmailTaken => (&EMAIL_REGISTERED).into(),
            AcceptError::TooMany => (&TOO_MANY_REQUESTS).into(),
            AcceptError::Trouble(cause) => Self::trouble(cause, WHEN_HASHED),
        }
    }
}

impl From<FirstError> for Problem {
    fn from(error: FirstError) -> Self {
        match error {
            FirstError::EmailMissing => (&EMAIL_MISSING).into(),
            FirstError::Email => (&EMAIL).into(),
            FirstError::Refused(error) => error.into(),
        }
    }
}

impl From<TakeBackError> for Problem {
    fn from(error: TakeBackError) -> Self {
        match error {
            TakeBackError::TokenMissing => (&RESET_TOKEN_MISSING).into(),
            TakeBackError::InvalidToken => (&RESET_TOKEN).into(),
            TakeBackError::EmailTaken => (&EMAIL_TAKEN).into(),
            TakeBackError::TooMany => (&TOO_MANY_REQUESTS).into(),
            TakeBackError::Trouble(cause) => cause.into(),
        }
    }
}

impl From<Reauth> for Problem {
    fn from(error: Reauth) -> Self {
        match error {
            Reauth::Missing => (&CURRENT_PASSWORD_MISSING).into(),
            Reauth::Wrong => (&CURRENT_PASSWORD).into(),
            Reauth::TooMany(quota) => Self { quota, ..(&TOO_MANY_PASSWORDS).into() },
            Reauth::Trouble(cause) => Self::trouble(cause, WHEN_HASHED),
        }
    }
}

impl From<ProfileError> for Problem {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::NotFound => (&NO_USER).into(),
            ProfileError::Nothing => (&PROFILE_UNCHANGED).into(),
            ProfileError::Email => (&EMAIL).into(),
            ProfileError::Name => (&NAME).into(),
            ProfileError::EmailTaken => (&EMAIL_TAKEN).into(),
            ProfileError::Reauth(error) => error.into(),
            ProfileError::SessionOver => (&SESSION_OVER).into(),
            ProfileError::Trouble(cause) => cause.into(),
        }
    }
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Incomplete => (&PASSWORDS_MISSING).into(),
            PasswordError::Flawed(flaws) => Self::with_flaws(&NEW_PASSWORD, &flaws),
            PasswordError::Wrong => (&CURRENT_PASSWORD).into(),
            PasswordError::TooMany => (&TOO_MANY_PASSWORDS).into(),
            PasswordError::SessionOver => (&SESSION_OVER).into(),
            PasswordError::Trouble(cause) => Self::trouble(cause, WHEN_HASHED),
        }
    }
}

impl From<SessionsError> for Problem {
    fn from(error: SessionsError) -> Self {
        match error {
            SessionsError::NotFound => (&NO_SESSION).into(),
            SessionsError::SessionOver => (&SESSION_OVER).into(),
            SessionsError::Reauth(error) => error.into(),
            SessionsError::Trouble(cause) => cause.into(),
        }
    }
}

impl From<LeaveError> for Problem {
    fn from(error: LeaveError) -> Self {
        match error {
            LeaveError::Off => (&DELETION_OFF).into(),
            LeaveError::Administrator => (&ONESELF).into(),
            LeaveError::Reauth(error) => error.into(),
            LeaveError::SessionOver => (&SESSION_OVER).into(),
            LeaveError::Trouble(cause) => cause.into(),
        }
    }
}

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::NotAdministrator => (&NOT_ADMINISTRATOR).into(),
            AdminError::NotFound => (&NO_USER).into(),
            AdminError::Nothing => (&USER_UNCHANGED).into(),
            AdminError::Email => (&EMAIL).into(),
            AdminError::Name => (&NAME).into(),
            AdminError::EmailTaken => (&EMAIL_TAKEN).into(),
            AdminError::Changed => (&CHANGED_MEANWHILE).into(),
            AdminError::Role => (&ROLE).into(),
            AdminError::Status => (&STATUS).into(),
            AdminError::Search => Self::with_errors(&WRONG_INPUT, vec![Detail::about("search", SEARCH)]),
            AdminError::Password(flaws) => Self::with_flaws(&PASSWORD, &flaws),
            AdminError::OneSelf => (&ONESELF).into(),
            AdminError::LastAdministrator => (&LAST_ADMINISTRATOR).into(),
            AdminError::SessionOver => (&SESSION_OVER).into(),
            AdminError::Trouble(cause) => cause.into(),
        }
    }
}

/// What can be looked for.
pub(crate) const SEARCH: Text = Text {
    es: " puede tener hasta 200 caracteres, sin caracteres de control",
    en: " can have up to 200 characters, without control characters",
};

impl From<LookError> for Problem {
    fn from(error: LookError) -> Self {
        let wrong = |name, es, en| Self::with_errors(&WRONG_INPUT, vec![Detail::about(name, Text { es, en })]);
        match error {
            LookError::Admin(error) => error.into(),
            LookError::Asked(AskedError::NoUser(name)) => wrong(
                name,
                " no es un número ni el email de una cuenta",
                " is neither a number nor the email of an account",
            ),
            LookError::Asked(AskedError::Kind) => wrong(
                "kind",
                " debe ser un tipo de acto o un grupo, como session",
                " must be a kind of act or a group, such as session",
            ),
            LookError::Asked(AskedError::Reason) => {
                wrong("reason", " debe ser un motivo, como logout", " must be a reason, such as logout")
            }
            LookError::Asked(AskedError::Doer) => wrong(
                "by",
                " debe ser user, administrator, operator o server",
                " must be user, administrator, operator or server",
            ),
            LookError::Asked(AskedError::Address) => {
                wrong("address", " debe ser una dirección IP", " must be an IP address")
            }
            LookError::Asked(AskedError::Time(name)) => {
                wrong(name, " debe ser una fecha (RFC 3339)", " must be a date (RFC 3339)")
            }
            LookError::Asked(AskedError::Store(error)) => cerrojo_app::Trouble::from(error).into(),
        }
    }
}

impl From<InviteError> for Problem {
    fn from(error: InviteError) -> Self {
        match error {
            InviteError::Admin(error) => error.into(),
            InviteError::EmailMissing => (&EMAIL_MISSING).into(),
            InviteError::HasAccount => (&EMAIL_REGISTERED).into(),
            InviteError::Invited => (&INVITED).into(),
            InviteError::TooMany => (&TOO_MANY_INVITATIONS).into(),
            InviteError::NotFound => (&NO_INVITATION).into(),
            InviteError::TooManyMails => (&TOO_MANY_MAILS).into(),
        }
    }
}

fn missing_text(field: Missing) -> Text {
    match field {
        Missing::Name => Text { es: "Nombre es requerido", en: "Name is required" },
        Missing::Email => Text { es: "Email es requerido", en: "Email is required" },
        Missing::Password => Text { es: "Contraseña es requerida", en: "Password is required" },
    }
}

fn flaw_text(flaw: PasswordFlaw) -> Text {
    match flaw {
        PasswordFlaw::TooShort => Text {
            es: "La contraseña debe tener al menos 8 caracteres",
            en: "The password must have at least 8 characters",
        },
        PasswordFlaw::TooLong => Text {
            es: "La contraseña no puede tener más de 256 caracteres",
            en: "The password cannot have more than 256 characters",
        },
        PasswordFlaw::NoUpperCase => Text {
            es: "La contraseña debe contener al menos una letra mayúscula",
            en: "The password must contain at least one upper-case letter",
        },
        PasswordFlaw::NoDigit => Text {
            es: "La contraseña debe contener al menos un número",
            en: "The password must contain at least one digit",
        },
        PasswordFlaw::Common => Text { es: "La contraseña es demasiado común", en: "The password is too common" },
        PasswordFlaw::Voided => Text {
            es: "Es la contraseña que ha dejado de valer: elija otra",
            en: "It is the password that was made worth nothing: choose another one",
        },
        PasswordFlaw::Breached => Text {
            es: "La contraseña aparece en filtraciones conocidas",
            en: "The password appears in known breaches",
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_row_speaks_both_languages() {
        for (name, row) in TABLE {
            assert!(!row.message.es.is_empty() && !row.message.en.is_empty(), "{name}");
            assert_ne!(row.message.es, row.message.en, "{name}");
        }
    }

    #[test]
    fn a_code_stands_for_one_status() {
        let mut statuses = BTreeMap::new();
        for (name, row) in TABLE {
            assert_eq!(*statuses.entry(row.code).or_insert(row.status), row.status, "{name}");
        }
    }

    #[test]
    fn only_a_401_challenges() {
        for (name, row) in TABLE {
            assert!(row.challenge == Challenge::None || row.status == StatusCode::UNAUTHORIZED, "{name}");
        }
    }

    #[test]
    fn a_token_that_was_not_sent_and_one_that_is_not_valid_read_the_same() {
        assert_eq!(NO_TOKEN.message, BAD_TOKEN.message);
        assert_eq!(NO_TOKEN.code, BAD_TOKEN.code);
        assert_eq!((SESSION_OVER.message, SESSION_OVER.code), (BAD_TOKEN.message, BAD_TOKEN.code));
    }

    #[test]
    fn causes_become_500_or_503_and_keep_to_the_log() {
        let broken = Problem::from(LogoutError::Trouble(Trouble::Internal("disk on fire".into())));
        assert_eq!((broken.row, broken.retry_after), (&INTERNAL, None));
        let busy = Problem::from(LoginError::Trouble(Trouble::Unavailable("queue".into())));
        assert_eq!((busy.row, busy.retry_after), (&UNAVAILABLE, Some(3)));
        assert!(busy.cause.is_some() && busy.errors.is_empty());
    }
}
