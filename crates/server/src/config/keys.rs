//! Every setting there is: what it expects, what it is without being set, and what it does. The reference in
//! `docs/SETTINGS.md` is written from this table.

/// Whether a value may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrecy {
    /// It may.
    Open,
    /// Never.
    Secret,
    /// A URL that may be shown without its password.
    UrlWithPassword,
}

/// What holds when nothing is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standard {
    /// This text, read like one that was given.
    Text(&'static str),
    /// Something that follows from other settings; the words say what.
    Derived(&'static str),
    /// Nothing; the words say what that means.
    Unset(&'static str),
}

/// One setting.
#[derive(Debug)]
pub(crate) struct Key {
    /// `section.key`.
    pub(crate) name: &'static str,
    /// What holds when it is not set.
    pub(crate) standard: Standard,
    /// What a value has to be; completes "expects …".
    pub(crate) expects: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    /// Whether its value may be shown.
    pub(crate) secrecy: Secrecy,
    /// Whether it takes several values.
    pub(crate) several: Several,
}

/// Whether a setting takes several values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Several {
    /// One value.
    No,
    /// An array in the file, separated by commas in the environment.
    Yes,
}

impl Key {
    /// The environment variable that sets it.
    pub(crate) fn variable(&self) -> String {
        variable(self.name)
    }
}

/// The environment variable for a `section.key`.
pub(crate) fn variable(name: &str) -> String {
    format!("CERROJO_{}", name.replace('.', "__").to_uppercase())
}

macro_rules! keys {
    ($($name:ident = $text:literal, $standard:expr, $secrecy:ident, $several:ident, $expects:literal, $about:literal;)+) => {
        $(pub(crate) const $name: Key = Key {
            name: $text, standard: $standard, expects: $expects, about: $about,
            secrecy: Secrecy::$secrecy, several: Several::$several,
        };)+
        /// All of them, in the order of the reference.
        pub(crate) const ALL: &[&Key] = &[$(&$name),+];
    };
}

keys! {
    LISTEN = "server.listen", Standard::Text("127.0.0.1:4000"), Open, No,
        "an address and a port such as 127.0.0.1:4000 or [::1]:4000",
        "Where the server accepts connections. Port 0 takes a free one and says which. A socket that systemd passes is taken instead.";
    PUBLIC_URL = "server.public_url", Standard::Derived("`http://`, with TLS `https://`, and the address of `server.listen`"), Open, No,
        "an http or https URL without user, query or fragment, such as https://auth.example.com",
        "Where clients reach the server: the `iss` of its tokens and the start of the addresses in mails and status lists.";
    TLS_CERTIFICATE = "server.tls_certificate", Standard::Unset("plain HTTP is spoken, as behind a proxy that does TLS"), Open, No,
        "a PEM file that begins with the server's certificate, followed by those that lead from it to a root (fullchain.pem)",
        "Has the server speak TLS (1.2 and 1.3) at `server.listen`, with this certificate. It can be replaced while the server runs. See `docs/OPERATIONS.md`.";
    TLS_KEY = "server.tls_key", Standard::Unset("needed with `server.tls_certificate`"), Open, No,
        "a PEM file that holds the certificate's private key, without a passphrase, which others cannot read (privkey.pem)",
        "The key of `server.tls_certificate`: ECDSA (P-256, P-384), Ed25519, or RSA of 2048 bits at least.";
    TRUSTED_PROXIES = "server.trusted_proxies", Standard::Text(""), Open, Yes,
        "IP addresses or networks such as 10.0.0.0/8",
        "Proxies whose forwarding headers are believed. The client's address is taken from nobody else's.";
    DOCS = "server.docs", Standard::Text("true"), Open, No,
        "true or false",
        "Whether `/docs` is served: the API to read and to try, by a page that loads nothing from elsewhere.";
    PAGES_ENABLED = "pages.enabled", Standard::Text("true"), Open, No,
        "true or false",
        "Whether the server has pages for people: to sign in and register, those that links in mails open, and the account with its devices. See `docs/PAGES.md`.";
    PAGES_NAME = "pages.name", Standard::Text("Cerrojo"), Open, No,
        "a text of 60 characters at most",
        "What whoever runs the server is called on its pages.";
    PAGES_LOGO = "pages.logo", Standard::Unset("the name stands alone"), Open, No,
        "a PNG, WebP or SVG file of 24 KiB at most",
        "The picture before the name on pages, 32 pixels high. Read at the start.";
    PAGES_ACCENT = "pages.accent", Standard::Text("#1f5fa8"), Open, No,
        "a colour such as #1f5fa8 that can be read on light pages (a contrast of 4.5:1)",
        "The colour of buttons and links on pages. Dark pages have a lighter one of its kind.";
    DATABASE_URL = "database.url", Standard::Text("sqlite:data/cerrojo.db"), UrlWithPassword, No,
        "sqlite:PATH or a postgres:// URL",
        "The database: a file for one server, or PostgreSQL (15 or later) for several nodes. A relative path counts from the working directory. A server elsewhere is asked for a certificate that fits its name (`sslmode=verify-full`) unless the URL has another `sslmode`.";
    DATABASE_CONNECTIONS = "database.connections", Standard::Text("16"), Open, No,
        "a number from 2 to 1000",
        "Connections of this node to PostgreSQL for requests, at most. Six more carry leases and the log.";
    DATABASE_FAILOVER = "database.failover", Standard::Text("end-all"), Open, No,
        "end-all or synchronous",
        "What a promoted PostgreSQL standby means: that it may have lost endings, so that every session ends, or that replication is synchronous and nothing is lost. See `docs/OPERATIONS.md`.";
    TOKEN_ALGORITHM = "token.algorithm", Standard::Text("ES256"), Open, No,
        "ES256, Ed25519, EdDSA, RS256 or HS256",
        "How session tokens are signed: with a key of the server's own, or with `token.secret` (HS256). Changed without anybody being signed out: see `docs/OPERATIONS.md`.";
    TOKEN_TTL = "token.ttl", Standard::Text("24h"), Open, No,
        "a duration such as 24h, 90m or 30d, from 1s to 366d",
        "How long a token, and so a session, lives.";
    TOKEN_SECRET = "token.secret", Standard::Unset("needed with HS256"), Secret, No,
        "32 bytes at least, as text or as base64:…",
        "The shared secret of HS256. Whoever knows it can make tokens: see `docs/SECURITY.md`. With another algorithm it signs nothing, and what it signed before is accepted until it expires.";
    TOKEN_AUDIENCE = "token.audience", Standard::Derived("the value of `server.public_url`"), Open, No,
        "a text that is not empty",
        "The `aud` of tokens.";
    IDLE_TIMEOUT = "session.idle_timeout", Standard::Text("off"), Open, No,
        "a duration such as 30m, from 1s to 366d, or off",
        "A session that nobody uses for so long is over.";
    MAX_AGE = "session.max_age", Standard::Text("off"), Open, No,
        "a duration such as 8h, from 1s to 366d, or off",
        "A session is over at this age, whatever `token.ttl` says, also one that began under a longer one. Services with a guard go by the token, and learn of those within a minute.";
    MAX_PER_USER = "session.max_per_user", Standard::Text("off"), Open, No,
        "a number from 1 to 1000, or off",
        "How many live sessions a user has at most.";
    WHEN_FULL = "session.when_full", Standard::Text("end-oldest"), Open, No,
        "end-oldest or refuse",
        "What a sign-in beyond `session.max_per_user` does: it ends the session that began first, or it is refused (409 `TOO_MANY_SESSIONS`).";
    BY_ROLE = "session.by_role", Standard::Text(""), Open, Yes,
        "roles and what is otherwise for each, such as admin idle_timeout=15m max_age=8h max_per_user=1",
        "`session.idle_timeout`, `session.max_age` and `session.max_per_user` for users of one role.";
    LIMITS_LOGIN = "limits.login", Standard::Text("5/15m"), Open, No,
        "a number and a duration such as 5/15m, or off",
        "Failed sign-ins for an account from one address; ten times that for an address, twenty times for an account.";
    LIMITS_PUBLIC = "limits.public", Standard::Text("50/15m"), Open, No,
        "a number and a duration such as 50/15m, or off",
        "Requests of one address to register, to forgotten passwords, and to the confirmation of addresses and invitations.";
    GUARDS_PER_ADDRESS = "guards.anonymous_per_address", Standard::Text("8"), Open, No,
        "a number from 1 to 10000, or 0 or off",
        "Guards of one address (IPv6: of a /64) that may follow at a time without a service's credentials. Off: none.";
    GUARDS_ANONYMOUS = "guards.anonymous", Standard::Text("256"), Open, No,
        "a number from 1 to 2000, or 0 or off",
        "Guards without credentials that may follow at a time, in all. Off: none.";
    GUARDS_SERVICES = "guards.services", Standard::Text("1024"), Open, No,
        "a number from 1 to 2000",
        "Guards with a service's credentials that may follow at a time, in all; 64 for one service. Others cannot take these places.";
    EVENTS_MAX_STREAMS = "events.max_streams", Standard::Text("20000"), Open, No,
        "a number from 1 to 200000",
        "Streams of `GET /api/auth/events` at a time at this node, by which clients follow their own session; 4 of one session, 32 of one user. Each is a connection, and so an open file.";
    MAIL_URL = "mail.url", Standard::Unset("mails are written to `mail.outbox`"), UrlWithPassword, No,
        "an smtp:// or smtps:// URL such as smtps://user:password@mail.example.com",
        "The mail server. `smtp` uses STARTTLS, `smtps` TLS from the start.";
    MAIL_FROM = "mail.from", Standard::Derived("`Cerrojo <no-reply@` and the host of `server.public_url`"), Open, No,
        "an address such as Cerrojo <no-reply@example.com>",
        "The sender of mails. Has to be set when `mail.url` is.";
    MAIL_OUTBOX = "mail.outbox", Standard::Text("data/outbox"), Open, No,
        "a folder",
        "Where mails are written, one `.eml` file each, when there is no `mail.url`.";
    MAIL_RESET_LINK = "mail.reset_link",
        Standard::Derived("`<server.public_url>/reset-password?token={token}`"), Open, No,
        "a URL that contains {token}",
        "The link in mails for a forgotten password: the server's own page, or one of your application, which sends the code to `POST /api/auth/reset-password`.";
    MAIL_VERIFY_LINK = "mail.verify_link",
        Standard::Derived("`<server.public_url>/verify-email?token={token}`"), Open, No,
        "a URL that contains {token}",
        "The link in mails that ask to confirm an address: the server's own page, or one of your application, which sends the code to `POST /api/auth/verify-email` when somebody presses a button.";
    MAIL_INVITE_LINK = "mail.invite_link",
        Standard::Derived("`<server.public_url>/accept-invitation?token={token}`"), Open, No,
        "a URL that contains {token}",
        "The link in invitations: the server's own page, or one of your application, which asks for a name and a password and sends them with the code to `POST /api/auth/accept-invitation`.";
    MAIL_NEW_DEVICE = "mail.new_device", Standard::Text("true"), Open, No,
        "true or false",
        "Whether people get a mail when somebody signs in to their account from a network that it was not signed in from lately (`retention.known_addresses`), three a day at most. See `docs/OPERATIONS.md`.";
    MAIL_TEMPLATES = "mail.templates", Standard::Unset("the built-in texts are used"), Open, No,
        "a folder",
        "Texts of mails that take the place of the built-in ones, read at the start. `cerrojo mail templates` writes those to begin from. See `docs/OPERATIONS.md`.";
    LOCALE = "locale.default", Standard::Text("es"), Open, No,
        "es or en",
        "The language of messages and mails.";
    CORS_ORIGINS = "cors.origins",
        Standard::Unset("loopback origins while `server.public_url` is loopback, otherwise none"), Open, Yes,
        "origins such as https://app.example.com, without a path",
        "Web origins whose pages may call the API, with the session's cookie as well where they share the server's site.";
    LOG_FORMAT = "log.format", Standard::Text("text"), Open, No,
        "text or json",
        "The form of log lines, on standard error.";
    LOG_LEVEL = "log.level", Standard::Text("info"), Open, No,
        "error, warn, info, debug, trace, or directives such as info,cerrojo_web=debug",
        "What is logged.";
    METRICS_LISTEN = "metrics.listen", Standard::Unset("no metrics are served"), Open, No,
        "an address and a port such as 127.0.0.1:9464 or [::1]:9464",
        "Where metrics are served for Prometheus, at `/metrics`: on a listener of their own, without credentials, so that only whoever watches may reach it. Port 0 takes a free one and says which. See `docs/OPERATIONS.md`.";
    TRACES_ENDPOINT = "traces.endpoint", Standard::Unset("no traces are sent"), Open, No,
        "an http:// or https:// URL such as http://127.0.0.1:4318",
        "The OpenTelemetry collector that traces are sent to, by OTLP over HTTP. Without a path `/v1/traces` is meant. See `docs/OPERATIONS.md`.";
    TRACES_HEADERS = "traces.headers", Standard::Unset("none"), Secret, Yes,
        "headers and their values such as Authorization=Bearer…",
        "What the collector wants to know of whoever sends traces.";
    TRACES_RATIO = "traces.sample_ratio", Standard::Text("0.1"), Open, No,
        "a number from 0 to 1",
        "The share of requests that are traced. `traces.callers` decide for themselves.";
    TRACES_SERVICE = "traces.service_name", Standard::Text("cerrojo"), Open, No,
        "a text that is not empty",
        "The `service.name` of traces.";
    TRACES_CALLERS = "traces.callers", Standard::Text(""), Open, Yes,
        "IP addresses or networks such as 10.0.0.0/8",
        "Peers whose `traceparent` is believed: their requests go on in their trace, and they decide whether it is kept. Only those that let nobody else's through.";
    REGISTER_OPEN = "register.open", Standard::Text("true"), Open, No,
        "true or false",
        "Whether anybody may register.";
    REGISTER_VERIFICATION = "register.verification", Standard::Text("off"), Open, No,
        "off, notify or required",
        "Whether addresses are confirmed by a link in a mail. `notify`: the account works at once, and shows whether it was. `required`: there is no account, and no other address of one, before it was. Accounts that are there go on. See `docs/OPERATIONS.md`.";
    REGISTER_CONFIRM_WITHIN = "register.confirm_within", Standard::Text("24h"), Open, No,
        "a duration such as 24h, from 5m to 30d",
        "How long a link that confirms an address works. Who registered and has not confirmed the address by then is forgotten.";
    REGISTER_INVITATION_TTL = "register.invitation_ttl", Standard::Text("7d"), Open, No,
        "a duration such as 7d, from 1h to 90d",
        "How long an invitation can be accepted.";
    REAUTHENTICATION = "account.reauthentication", Standard::Text("false"), Open, No,
        "true or false",
        "Whether the current password is asked for before a change of e-mail and before ending other sessions.";
    OWN_DELETION = "account.deletion", Standard::Text("false"), Open, No,
        "true or false",
        "Whether people may delete their own account, with their password: `DELETE /api/auth/profile`.";
    KEEP_SESSIONS = "retention.ended_sessions", Standard::Text("30d"), Open, No,
        "a duration such as 30d, from 1d to 366d",
        "How long sessions that have ended are shown and remembered: when they ended, why and by whom. Longer while a token of theirs is still out.";
    KEEP_ADDRESSES = "retention.known_addresses", Standard::Text("90d"), Open, No,
        "a duration such as 90d, from 1d to 366d",
        "How long an address that an account signed in from is known: it is not bound by the account's limit, and a sign-in from its network (IPv4: /24, IPv6: /48) is not told as one from a new place (`mail.new_device`).";
    KEEP_MAIL = "retention.delivered_mail", Standard::Text("7d"), Open, No,
        "a duration such as 7d, from 1d to 366d",
        "How long it is remembered that a mail was delivered.";
    KEEP_AUDIT = "retention.audit", Standard::Text("365d"), Open, No,
        "a duration such as 365d, from 1d to 366d, or off: entries are kept for good",
        "How long entries of the audit trail are kept. The oldest are removed, and what is left can still be verified. See `docs/OPERATIONS.md`.";
    COMPOSITION = "password.composition", Standard::Text("false"), Open, No,
        "true or false",
        "Whether new passwords need an upper-case letter and a digit.";
    BREACHED_LIST = "password.breached_list", Standard::Unset("only the common passwords that the binary carries are refused"), Open, No,
        "a file that `cerrojo breached-list build` wrote",
        "Passwords from breaches, which nobody may set. It can be replaced while the server runs. See `docs/OPERATIONS.md`.";
    ARGON2_MEMORY = "password.argon2_memory_kib", Standard::Text("19456"), Open, No,
        "KiB from 7168 to 1048576; together with the passes not below the OWASP minimum, and 4194304 at most when multiplied",
        "Memory of Argon2id.";
    ARGON2_PASSES = "password.argon2_passes", Standard::Text("2"), Open, No,
        "a number from 1 to 16",
        "Passes of Argon2id.";
    ARGON2_LANES = "password.argon2_lanes", Standard::Text("1"), Open, No,
        "a number from 1 to 16",
        "Lanes of Argon2id.";
    PASSWORD_THREADS = "password.threads", Standard::Derived("the number of processors"), Open, No,
        "a number from 1 to 64",
        "Threads that hash passwords, at low priority.";
    OLD_TOKENS = "migration.accept_old_tokens", Standard::Text("false"), Open, No,
        "true or false",
        "Whether tokens that another application gave out to users who were imported are accepted until they expire: JWTs that it signed with HS256. See `docs/MOVING-IN.md`.";
    OLD_SECRET = "migration.secret", Standard::Unset("needed with `migration.accept_old_tokens`"), Secret, No,
        "what the other application signs with, 8 bytes at least, as text or as base64:…",
        "The other application's secret. Whoever knows it can make tokens of every imported user: take it out again when the last old token has expired.";
    OLD_USER_CLAIM = "migration.user_claim", Standard::Text("user_id"), Open, No,
        "the name of a claim",
        "The claim of old tokens that says whose they are: the user's number as it was imported, or the e-mail address.";
    OLD_REQUIRE = "migration.require", Standard::Text(""), Open, Yes,
        "claims and their values such as type=access or iss=https://app.example.com",
        "What else old tokens have to say. Needed if the same secret signs other tokens as well, such as links to confirm an address.";
    OLD_ISSUED_BEFORE = "migration.issued_before", Standard::Unset("whenever they were issued"), Open, No,
        "a time such as 2026-03-01T02:00:00Z",
        "Old tokens that were issued from then on are refused: the time at which the other application stopped. Wise where its secret may be known to others.";
    OLD_UNTIL = "migration.until", Standard::Unset("each until it expires; those that never do are refused"), Open, No,
        "a time such as 2026-03-31T00:00:00Z",
        "No old token is accepted from then on.";
    MASTER_KEY = "keys.master_key", Standard::Unset("`keys.master_key_file` is read"), Secret, No,
        "32 bytes as 64 hexadecimal digits or as base64",
        "The key that seals signing keys in the database.";
    MASTER_KEY_FILE = "keys.master_key_file", Standard::Derived("`master.key` beside the SQLite database"), Open, No,
        "a file of mode 0600",
        "Where the master key is kept. Made together with a new database.";
}

/// The section whose keys are names of the operator's choosing.
pub(crate) const ROLES: &str = "roles";

/// The setting of this name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    ALL.iter().copied().find(|key| key.name == name)
}

/// The known name that looks most like `typed`, if one does.
pub(crate) fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (typed.chars().count() / 3).max(2);
    let bare = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    known
        .map(|name| (distance(&bare(typed), &bare(name)), name))
        .filter(|(far, _)| *far <= limit)
        .min_by_key(|(far, _)| *far)
        .map(|(_, name)| name)
}

/// Levenshtein's distance.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((b, above), diagonal) in other.iter().zip(row.iter().skip(1)).zip(row.iter()) {
            let left = next.last().copied().unwrap_or(0);
            next.push((diagonal + usize::from(a != *b)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_recognised() {
        let names = || ALL.iter().map(|key| key.name);
        assert_eq!(nearest("token.tll", names()), Some("token.ttl"));
        assert_eq!(nearest("server.public-url", names()), Some("server.public_url"));
        assert_eq!(nearest("sesion.idle_timeout", names()), Some("session.idle_timeout"));
        assert_eq!(nearest("completely.different", names()), None);
    }

    #[test]
    fn distances() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn every_variable_has_a_section() {
        for key in ALL {
            assert!(key.variable().contains("__"), "{}", key.name);
        }
        assert_eq!(LISTEN.variable(), "CERROJO_SERVER__LISTEN");
    }
}
