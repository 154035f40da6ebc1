//! Names of things. Random ones are 128 bits, base64url without padding (22 characters).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::Random;

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// A new random name of 128 bits.
            #[must_use]
            pub fn new(random: &dyn Random) -> Self {
                Self(URL_SAFE_NO_PAD.encode(random.bytes::<16>()))
            }

            /// A name that came from elsewhere (the database, a token, a URL). Any text will do: it is only compared.
            #[must_use]
            pub fn from_text(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

random_id!(
    /// A session: one sign-in on one device. The `sid` of its tokens.
    SessionId
);
random_id!(
    /// A status list. Its address is `<public_url>/status-lists/<name>`.
    ListName
);
random_id!(
    /// A signing key: the `kid` of JWS headers (RFC 7515, section 4.1.4).
    KeyId
);

random_id!(
    /// A pending invitation.
    InvitationId
);
random_id!(
    /// A registration, or a change of address, that waits until the address is confirmed. Each has its own, so that links of an
    /// earlier one for the same address lead nowhere.
    PendingId
);

/// A user's number: from 1, never used again. The token's `sub` is the same as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub i64);

impl std::fmt::Display for UserId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A session's place in its status list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ListIndex(pub u32);
