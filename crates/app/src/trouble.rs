//! What a use case cannot help: the cause goes to the log once, the client learns only which kind it is.

use cerrojo_store::StoreError;

/// Why a use case could not be carried out though nothing was wrong with what was asked.
#[derive(Debug)]
pub enum Trouble {
    /// Overloaded, or not able to answer truthfully now (503).
    Unavailable(String),
    /// Committed as this entry of the log, but whoever holds the lease has not confirmed it in time (503; exit code 3).
    Unconfirmed(i64),
    /// A defect or a broken database (500).
    Internal(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unavailable(cause) => write!(f, "unavailable: {cause}"),
            Self::Unconfirmed(number) => write!(f, "log entry {number} is committed but not confirmed by the server"),
            Self::Internal(cause) => write!(f, "internal: {cause}"),
        }
    }
}

impl std::error::Error for Trouble {}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(cause) => Self::Unavailable(cause),
            StoreError::OutcomeUnknown(cause) => Self::Unavailable(format!("outcome of COMMIT unknown: {cause}")),
            StoreError::Taken => Self::Internal("a unique value was taken".to_owned()),
            StoreError::Broken(cause) => Self::Internal(cause),
        }
    }
}
