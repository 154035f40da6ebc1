//! Signing keys: made, sealed, rotated, retired.

mod check;
mod first;
mod halves;
mod keyring;
mod made;
mod master;
mod rotate;
mod signer;
mod standing;
#[cfg(test)]
mod tests;

use cerrojo_domain::{KeyId, UnixMillis};
use cerrojo_guard::Algorithm;
use cerrojo_store::StoreError;

pub use self::check::check;
pub(crate) use self::first::given_key;
pub use self::keyring::{Keyring, KeyringParts, RIPENS};
pub use self::master::MasterKey;
pub use self::rotate::{RotateError, retire, retire_by, rotate, rotate_by};
pub use self::signer::SessionSigner;
pub use self::standing::{Standing, standing};
use crate::{App, Trouble};

/// `purpose` of a key that signs session tokens.
const SESSION: &str = "session";
/// `purpose` of a key that signs Status List tokens.
const STATUS_LIST: &str = "status_list";

/// Why keys could not be opened; says what to do.
#[derive(Debug)]
pub enum KeyError {
    /// The database was sealed with another master key: give that one.
    WrongMasterKey,
    /// The configured HS256 secret is of a key that was retired as compromised: set another secret.
    RetiredSecret,
    /// The database, or what it holds.
    Trouble(Trouble),
}

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::WrongMasterKey => f.write_str("the database was sealed with another master key: give that one"),
            Self::RetiredSecret => {
                f.write_str("token.secret is of a key that was retired as compromised: set another secret")
            }
            Self::Trouble(trouble) => trouble.fmt(f),
        }
    }
}

impl std::error::Error for KeyError {}

impl From<Trouble> for KeyError {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<StoreError> for KeyError {
    fn from(error: StoreError) -> Self {
        Self::Trouble(error.into())
    }
}

/// A key as an operator sees it.
#[derive(Clone, Debug)]
pub struct KeyRow {
    /// Its `kid`.
    pub id: KeyId,
    /// As in `alg` of what it signs.
    pub algorithm: String,
    /// What it signs: `session` or `status_list`.
    pub purpose: String,
    /// When it was made, or first seen in the settings.
    pub created_at: UnixMillis,
    /// `signing`, `verifying`, `retired`; `unset` for a shared secret that the settings no longer give; `unknown` for one of an
    /// algorithm that this release does not know.
    pub state: &'static str,
    /// Since when another signs in its place.
    pub rotated_at: Option<UnixMillis>,
    /// Since when nothing that it signed is accepted.
    pub retired_at: Option<UnixMillis>,
}

/// Every key there ever was, retired ones included.
pub async fn list(app: &App) -> Result<Vec<KeyRow>, Trouble> {
    app.keys.refresh(&app.store).await?;
    let rows = cerrojo_store::keys::all(&mut app.store.reader()).await?;
    let state = |row: &cerrojo_store::keys::Key| {
        if row.retired_at.is_some() {
            "retired"
        } else if app.keys.signs_with(&row.id) {
            "signing"
        } else if app.keys.verifies_with(&row.id) {
            "verifying"
        } else if row.algorithm == Algorithm::Hs256.name() {
            "unset"
        } else {
            "unknown"
        }
    };
    Ok(rows
        .into_iter()
        .map(|row| KeyRow {
            state: state(&row),
            id: row.id,
            algorithm: row.algorithm,
            purpose: row.purpose,
            created_at: row.created_at,
            rotated_at: row.rotated_at,
            retired_at: row.retired_at,
        })
        .collect())
}
