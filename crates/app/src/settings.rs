//! What an operator can set, already checked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub use cerrojo_domain::password::Composition;
use cerrojo_domain::{RoleId, Roles, UnixMillis};
use zeroize::Zeroizing;

/// Bytes that are never shown.
#[derive(Clone)]
pub struct Secret(pub Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// How session tokens are signed: with keys of the server's own, which sign its status lists as well, or with a secret.
#[derive(Clone, Debug)]
pub enum Algorithm {
    /// ECDSA on P-256.
    Es256,
    /// Ed25519, by its own name.
    Ed25519,
    /// Ed25519, by the older name.
    EdDsa,
    /// RSA of 3072 bits.
    Rs256,
    /// HMAC with a secret that other services share; 32 bytes at least. Lists are signed with ES256.
    Hs256(Secret),
}

impl Algorithm {
    /// The algorithm of this exact name, if the server has keys of its own for it.
    #[must_use]
    pub fn with_own_keys(name: &str) -> Option<Self> {
        [Self::Es256, Self::Ed25519, Self::EdDsa, Self::Rs256].into_iter().find(|one| one.of_sessions().name() == name)
    }

    /// What signs session tokens.
    #[must_use]
    pub fn of_sessions(&self) -> cerrojo_guard::Algorithm {
        match self {
            Self::Es256 => cerrojo_guard::Algorithm::Es256,
            Self::Ed25519 => cerrojo_guard::Algorithm::Ed25519,
            Self::EdDsa => cerrojo_guard::Algorithm::EdDsa,
            Self::Rs256 => cerrojo_guard::Algorithm::Rs256,
            Self::Hs256(_) => cerrojo_guard::Algorithm::Hs256,
        }
    }

    /// What signs Status List tokens, which everybody may check: whoever verifies the session tokens needs to know no other.
    #[must_use]
    pub fn of_lists(&self) -> cerrojo_guard::Algorithm {
        match self {
            Self::Hs256(_) => cerrojo_guard::Algorithm::Es256,
            _ => self.of_sessions(),
        }
    }
}

/// So many in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In how long.
    pub window: Duration,
}

/// Whether anybody may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anybody.
    Open,
    /// Nobody: administrators and the command line make users.
    Closed,
}

/// What is done to know that mail to the address reaches whoever registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Nothing.
    Off,
    /// A mail with a link is sent, and whether it was opened is shown.
    Notify,
    /// There is no account, and no other address of one, before the link was opened.
    Required,
}

/// Whether the current password is asked for before a change of e-mail and before ending other sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reauthentication {
    /// It is not.
    Off,
    /// It is.
    Required,
}

/// The language of messages and mails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locale {
    /// Spanish.
    Es,
    /// English.
    En,
}

impl Locale {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::Es, Self::En];

    /// Its tag (RFC 5646).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Es => "es",
            Self::En => "en",
        }
    }
}

/// Cost of Argon2id (RFC 9106).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Settings {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

/// How passwords are judged and hashed.
#[derive(Clone, Debug)]
pub struct PasswordSettings {
    /// Rules on kinds of characters.
    pub composition: Composition,
    /// The list of breached passwords that new ones may not be in; `None`: there is none.
    pub breached_list: Option<PathBuf>,
    /// Cost of new hashes.
    pub argon2: Argon2Settings,
    /// Threads that hash.
    pub threads: usize,
    /// Whoever would wait longer for a hash is refused.
    pub longest_wait: Duration,
}

/// How long what is over is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Sessions that have ended; longer if a token of theirs is still out.
    pub ended_sessions: Duration,
    /// Addresses that an account signed in from, which are not bound by the account's limit.
    pub known_addresses: Duration,
    /// That mail was delivered.
    pub delivered_mail: Duration,
    /// Entries of the audit trail; `None`: for good.
    pub audit: Option<Duration>,
}

/// Whether people may delete their own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnDeletion {
    /// They may not.
    Off,
    /// With their password.
    Allowed,
}

/// Whether an account's address is told of sign-ins from new places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewDeviceNotice {
    /// It is.
    Sent,
    /// It is not.
    Off,
}

/// How long sessions live, and how many a user has at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRules {
    /// How long one may go unused; `None`: for ever.
    pub idle_timeout: Option<Duration>,
    /// How long one lives at most, whatever its token says; `None`: as long as that.
    pub max_age: Option<Duration>,
    /// How many a user has at most; `None`: any number.
    pub max_per_user: Option<u32>,
}

/// What of it is otherwise for a role; `None`: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoleRules {
    /// As in [`SessionRules`].
    pub idle_timeout: Option<Option<Duration>>,
    /// As in [`SessionRules`].
    pub max_age: Option<Option<Duration>>,
    /// As in [`SessionRules`].
    pub max_per_user: Option<Option<u32>>,
}

/// What becomes of a sign-in when the user has as many sessions as one may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest session ends.
    EndOldest,
    /// It is refused.
    Refuse,
}

/// Which tokens of another application are accepted while its users move in: JWTs signed with HS256.
#[derive(Clone, Debug)]
pub struct OldTokens {
    /// What it signed them with.
    pub secret: Secret,
    /// The claim that names the user: by number, or by e-mail address.
    pub user_claim: String,
    /// What else they have to say.
    pub require: Vec<Required>,
    /// Those issued from this time on are refused, and those that do not say when.
    pub issued_before: Option<UnixMillis>,
    /// None is accepted from this time on; without it those that do not say when they expire are refused.
    pub until: Option<UnixMillis>,
}

/// A claim that a token must have, with its value: a text, or the number or truth value that is written so. Of a list one
/// has to be it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Required {
    /// Its name.
    pub claim: String,
    /// Its value.
    pub value: String,
}

/// Everything that use cases need to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where clients reach the server, without a slash at the end: the `iss` of tokens.
    pub public_url: String,
    /// How tokens are signed.
    pub algorithm: Algorithm,
    /// A secret that signs no more: what it signed is accepted until it expires.
    pub earlier_secret: Option<Secret>,
    /// How long a token, and so a session, lives.
    pub token_ttl: Duration,
    /// The `aud` of tokens.
    pub audience: String,
    /// How long a session may go unused; `None`: for ever.
    pub idle_timeout: Option<Duration>,
    /// How long a session lives at most; `None`: as long as its token.
    pub max_age: Option<Duration>,
    /// How many sessions a user has at most; `None`: any number.
    pub max_per_user: Option<u32>,
    /// What happens at one more.
    pub when_full: WhenFull,
    /// What is otherwise for a role.
    pub by_role: BTreeMap<RoleId, RoleRules>,
    /// Failed sign-ins for an account from one address; `None`: no limit of sign-ins at all.
    pub login_limit: Option<Rate>,
    /// Requests from one address to a public endpoint.
    pub public_limit: Option<Rate>,
    /// Passwords.
    pub password: PasswordSettings,
    /// Whether anybody may register.
    pub registration: Registration,
    /// Whether addresses are confirmed.
    pub verification: Verification,
    /// How long a link works that confirms an address, and how long what waits for it is kept.
    pub confirm_within: Duration,
    /// How long an invitation can be accepted.
    pub invitation_ttl: Duration,
    /// Whether people may delete their own account.
    pub own_deletion: OwnDeletion,
    /// How long what is over is remembered.
    pub retention: Retention,
    /// When the current password is asked for again.
    pub reauthentication: Reauthentication,
    /// The roles that exist.
    pub roles: Roles,
    /// The language of messages and mails.
    pub locale: Locale,
    /// The address in reset mails; `{token}` stands for the code.
    pub reset_link: String,
    /// The same in mails that ask to confirm an address.
    pub verify_link: String,
    /// The same in invitations.
    pub invite_link: String,
    /// The same in notices of new devices, for whoever it was not; `None`: there is no such page.
    pub not_me_link: Option<String>,
    /// The same in notices of another address, which changes it back; `None`: there is no such page.
    pub undo_link: Option<String>,
    /// Whether people are told of sign-ins from new places.
    pub new_device: NewDeviceNotice,
    /// The folder of texts of mails that take the place of the built-in ones; `None`: there is none.
    pub mail_templates: Option<PathBuf>,
    /// Tokens of another application; `None`: not accepted.
    pub old_tokens: Option<OldTokens>,
    /// How many verified tokens are remembered.
    pub cache_capacity: usize,
    /// What a promoted standby means.
    pub failover: Failover,
}

/// What is to be thought of a database that is found on another server or timeline (PostgreSQL).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failover {
    /// It may have lost endings: every session ends.
    EndAll,
    /// The operator vouches that whoever is promoted has lost nothing.
    Synchronous,
}

impl Settings {
    /// The defaults, for a server reached at `public_url`.
    #[must_use]
    pub fn for_url(public_url: &str) -> Self {
        let public_url = public_url.trim_end_matches('/').to_owned();
        Self {
            audience: public_url.clone(),
            reset_link: format!("{public_url}/reset-password?token={{token}}"),
            verify_link: format!("{public_url}/verify-email?token={{token}}"),
            invite_link: format!("{public_url}/accept-invitation?token={{token}}"),
            not_me_link: Some(format!("{public_url}/not-me?token={{token}}")),
            undo_link: Some(format!("{public_url}/undo-email?token={{token}}")),
            public_url,
            algorithm: Algorithm::Es256,
            earlier_secret: None,
            token_ttl: Duration::from_hours(24),
            idle_timeout: None,
            max_age: None,
            max_per_user: None,
            when_full: WhenFull::EndOldest,
            by_role: BTreeMap::new(),
            login_limit: Some(Rate { count: 5, window: Duration::from_mins(15) }),
            public_limit: Some(Rate { count: 50, window: Duration::from_mins(15) }),
            password: PasswordSettings {
                composition: Composition::Off,
                breached_list: None,
                argon2: Argon2Settings { memory_kib: 19 * 1024, passes: 2, lanes: 1 },
                threads: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
                longest_wait: Duration::from_secs(3),
            },
            registration: Registration::Open,
            verification: Verification::Off,
            confirm_within: Duration::from_hours(24),
            invitation_ttl: Duration::from_hours(7 * 24),
            own_deletion: OwnDeletion::Off,
            retention: Retention {
                ended_sessions: Duration::from_hours(30 * 24),
                known_addresses: Duration::from_hours(90 * 24),
                delivered_mail: Duration::from_hours(7 * 24),
                audit: Some(Duration::from_hours(365 * 24)),
            },
            reauthentication: Reauthentication::Off,
            roles: Roles::default(),
            locale: Locale::Es,
            new_device: NewDeviceNotice::Sent,
            mail_templates: None,
            old_tokens: None,
            cache_capacity: 20_000,
            failover: Failover::EndAll,
        }
    }

    /// What holds for sessions of users of roles for which nothing else does.
    #[must_use]
    pub fn usual_session_rules(&self) -> SessionRules {
        let Self { idle_timeout, max_age, max_per_user, .. } = *self;
        SessionRules { idle_timeout, max_age, max_per_user }
    }

    /// What holds for sessions of users of this role.
    #[must_use]
    pub fn session_rules(&self, role: RoleId) -> SessionRules {
        let usual = self.usual_session_rules();
        self.by_role.get(&role).map_or(usual, |own| SessionRules {
            idle_timeout: own.idle_timeout.unwrap_or(usual.idle_timeout),
            max_age: own.max_age.unwrap_or(usual.max_age),
            max_per_user: own.max_per_user.unwrap_or(usual.max_per_user),
        })
    }

    /// The shortest idle timeout that anybody has; `None`: nobody has one.
    #[must_use]
    pub fn shortest_idle_timeout(&self) -> Option<Duration> {
        let of_roles = self.by_role.values().filter_map(|rules| rules.idle_timeout);
        of_roles.chain([self.idle_timeout]).flatten().min()
    }
}
