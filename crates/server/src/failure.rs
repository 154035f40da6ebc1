//! How a command ends when it does not end well.

use cerrojo_app::administer::AdminError;
use cerrojo_app::breached::BuildError;
use cerrojo_app::keys::{KeyError, RotateError};
use cerrojo_app::mail::{BadTemplates, Unwritten};
use cerrojo_app::{StartError, Trouble};
use cerrojo_domain::password::PasswordFlaw;
use cerrojo_store::StoreError;

use crate::config::ConfigError;
use crate::out;

/// What is said on standard error, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) exit: u8,
}

/// Something went wrong.
pub(crate) const ERROR: u8 = 1;
/// The command was not understood.
pub(crate) const USAGE: u8 = 2;
/// Committed, but the running server has not said within 10 s that it knows.
pub(crate) const NOT_CONFIRMED: u8 = 3;

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: ERROR }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: USAGE }
    }

    /// For `map_err`: what was being done, then the cause.
    pub(crate) fn because<E: std::fmt::Display>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |cause| Self::new(format!("{what}: {cause}"))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(error.0.join("\n"))
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unconfirmed(number) => Self {
                message: format!(
                    "it is done (entry {number} of the log) and stays done, but the running server has not confirmed \
                     within 10 s that it knows: until it does, it may still accept what has ended"
                ),
                exit: NOT_CONFIRMED,
            },
            other => Self::new(other.to_string()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Trouble::from(error).into()
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::WrongMasterKey => Self::new(
                "the database was sealed with another master key: put back the key file that belongs to it, \
                 or set CERROJO_KEYS__MASTER_KEY",
            ),
            KeyError::RetiredSecret => {
                Self::new("token.secret is the secret of a key that was retired as compromised: set a new one")
            }
            KeyError::Trouble(trouble) => trouble.into(),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Keys(error) => error.into(),
            StartError::Templates(bad) => bad.into(),
            StartError::Trouble(trouble) => trouble.into(),
        }
    }
}

impl From<BadTemplates> for Failure {
    fn from(bad: BadTemplates) -> Self {
        Self::new(bad.0.iter().map(|one| out::tame(one)).collect::<Vec<_>>().join("\n"))
    }
}

impl From<Unwritten> for Failure {
    fn from(Unwritten(cause): Unwritten) -> Self {
        Self::new(format!("a built-in letter is broken, please report it: {cause}"))
    }
}

impl From<RotateError> for Failure {
    fn from(error: RotateError) -> Self {
        match error {
            RotateError::GivenSecret => {
                Self::new("with HS256 the secret is a setting: change token.secret and restart the server")
            }
            RotateError::NotFound => Self::new("there is no such key: `cerrojo key list` shows them"),
            RotateError::Admin(error) => error.into(),
            RotateError::Trouble(trouble) => trouble.into(),
        }
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        let message = match error {
            AdminError::Trouble(trouble) => return trouble.into(),
            AdminError::Password(flaws) => {
                let flaws: Vec<&str> = flaws.into_iter().map(flaw).collect();
                format!("the password is not accepted: {}", flaws.join("; "))
            }
            AdminError::NotFound => "not found".to_owned(),
            AdminError::SessionOver => "the session has ended already".to_owned(),
            AdminError::Nothing => "there is nothing to change".to_owned(),
            AdminError::Email => "that is no e-mail address".to_owned(),
            AdminError::Name => "a name has 1 to 200 characters, none of them control characters".to_owned(),
            AdminError::Changed => {
                "somebody changed the same meanwhile: look at it, and say it again if it is still what you want"
                    .to_owned()
            }
            AdminError::EmailTaken => "another user has that e-mail address".to_owned(),
            AdminError::Role => "there is no such role: admin, user, or one that is declared under [roles]".to_owned(),
            AdminError::Status => "a status is active, inactive or suspended".to_owned(),
            AdminError::Search => {
                "what is looked for has 200 characters at most, none of them control characters".to_owned()
            }
            AdminError::LastAdministrator => "the last active administrator stays: make another one first".to_owned(),
            AdminError::NotAdministrator | AdminError::OneSelf => "not allowed".to_owned(),
        };
        Self::new(message)
    }
}

fn flaw(flaw: PasswordFlaw) -> &'static str {
    match flaw {
        PasswordFlaw::TooShort => "it has fewer than 8 characters",
        PasswordFlaw::TooLong => "it has more than 256 characters",
        PasswordFlaw::NoUpperCase => "it has no upper-case letter",
        PasswordFlaw::NoDigit => "it has no digit",
        PasswordFlaw::Common => "it is too common",
        PasswordFlaw::Voided => "it is the one that was made worth nothing",
        PasswordFlaw::Breached => "it appears in known breaches (password.breached_list)",
    }
}
