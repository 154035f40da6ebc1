//! Endings: the one way a session is over, whatever the cause.

use std::net::IpAddr;

use crate::{UnixMillis, UserId};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// Why a session is over.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EndReason { $($(#[$doc])* $name),+ }

        impl EndReason {
            /// Every reason there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As stored and as shown in `ended_reason`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

reasons! {
    /// Its own token asked for it.
    Logout = "logout",
    /// The user ended this one from another session.
    LogoutElsewhere = "logout_elsewhere",
    /// The user ended all but another one.
    LogoutOthers = "logout_others",
    /// The user ended all.
    LogoutAll = "logout_all",
    /// An administrator ended it.
    Admin = "admin",
    /// The operator ended it on the command line.
    Operator = "operator",
    /// The user's password was changed.
    PasswordChanged = "password_changed",
    /// The user's e-mail address was changed.
    EmailChanged = "email_changed",
    /// The user's password was reset by a link.
    PasswordReset = "password_reset",
    /// The user is no longer active.
    Disabled = "disabled",
    /// The user's role was changed.
    RoleChanged = "role_changed",
    /// The user was deleted.
    UserDeleted = "user_deleted",
    /// Nobody used it for the idle timeout.
    Idle = "idle",
    /// The user signed in elsewhere and had as many sessions as one may have: it was the oldest.
    SessionLimit = "session_limit",
    /// Its last token expired.
    Expired = "expired",
    /// The key that signed it was retired as compromised.
    KeyRetired = "key_retired",
    /// The database was restored from a backup or was found to have gone back.
    Restored = "restored",
}

impl EndReason {
    /// Reads what [`EndReason::as_str`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == text)
    }
}

/// Who ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The session's own user.
    User(UserId),
    /// Another user, an administrator.
    Administrator(UserId),
    /// Whoever ran the command line.
    Operator,
    /// The server by itself: expiry, idleness, a database that went back.
    Server,
}

impl Actor {
    /// As stored and as shown in `ended_by`: `user`, `administrator:7`, `operator`, `server`.
    #[must_use]
    pub fn to_text(self) -> String {
        match self {
            Self::User(id) => format!("user:{id}"),
            Self::Administrator(id) => format!("administrator:{id}"),
            Self::Operator => "operator".to_owned(),
            Self::Server => "server".to_owned(),
        }
    }
}

/// What is kept of an ending beside the session it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Why.
    pub reason: EndReason,
    /// Who.
    pub actor: Actor,
    /// When.
    pub at: UnixMillis,
    /// From which network address, where one asked for it.
    pub place: Option<IpAddr>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_read_back_from_its_text() {
        for reason in EndReason::ALL {
            assert_eq!(EndReason::parse(reason.as_str()), Some(*reason));
        }
    }
}
