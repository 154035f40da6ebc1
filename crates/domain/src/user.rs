//! Users as they are stored.

use crate::{Email, RoleId, UnixMillis, UserId};

/// Whether a user may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// May sign in.
    Active,
    /// May not, by an administrator's or the user's own wish.
    Inactive,
    /// May not, until an administrator decides.
    Suspended,
}

impl Status {
    /// As stored and as shown in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Suspended => "suspended",
        }
    }

    /// Reads what [`Status::as_str`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Inactive, Self::Suspended].into_iter().find(|status| status.as_str() == text)
    }
}

/// One user.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Never used again, kept by imports.
    pub id: UserId,
    /// As given; never altered.
    pub name: String,
    /// In its one form, see [`Email`].
    pub email: Email,
    /// PHC or modular crypt string. Nothing shows it.
    pub password_hash: String,
    /// Number of the role.
    pub role_id: RoleId,
    /// Whether the user may sign in.
    pub status: Status,
    /// Raised by whatever makes sign-ins in flight and pending reset links void.
    pub epoch: i64,
    /// When the user registered.
    pub registration_date: UnixMillis,
    /// When the user last signed in.
    pub last_session: Option<UnixMillis>,
    /// Whether it is known that mail to `email` reaches the user.
    pub email_verified: bool,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("id", &self.id).field("status", &self.status).finish_non_exhaustive()
    }
}
