//! Every setting checked, section by section.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use cerrojo_app::{
    Algorithm, Argon2Settings, Composition, Failover, NewDeviceNotice, OldTokens, OwnDeletion, Reauthentication,
    Registration, Secret, Settings, Verification,
};
use cerrojo_domain::Roles;
use cerrojo_web::GuardPlaces;
use url::Url;
use zeroize::Zeroizing;

use super::given::Origin;
use super::keys::Key;
use super::read::{Effective, Reader};
use super::tls::{TlsFiles, read_tls};
use super::values::{Scheme, WebUrl};
use super::{
    Configuration, Database, LogFormat, MailRoute, MasterKeySource, PostgresUrl, keys, pages, secret_file, traces,
    values,
};

struct Places {
    listen: SocketAddr,
    tls: Option<TlsFiles>,
    metrics_listen: Option<SocketAddr>,
    public_url: WebUrl,
    trusted_proxies: Vec<cerrojo_web::Network>,
    docs: bool,
    cors_origins: Option<Vec<String>>,
    database: Database,
    master_key: MasterKeySource,
}

/// Reads every setting; `None`, and the problems in the reader, if one is wrong.
pub(super) fn everything(reader: &mut Reader<'_>) -> Option<Configuration> {
    let places = read_places(reader);
    // Further keys are read even if one was wrong, so that all problems are told at once.
    let public_url = places.as_ref().map_or_else(stand_in, |places| places.public_url.clone());
    let tokens = read_tokens(reader, &public_url);
    let mail = read_mail(reader, &public_url);
    let log = read_log(reader);
    let guards = read_guards(reader);
    let max_streams = reader.value(&keys::EVENTS_MAX_STREAMS, |text| values::number(text, 1..=200_000));
    let pages = pages::read(reader);
    let traces = traces::read(reader);
    let mut app = Settings::for_url(&public_url.text);
    read_accounts(reader, &mut app);
    app.old_tokens = read_old_tokens(reader);
    let (places, ((algorithm, earlier_secret), ttl, audience)) = (places?, tokens?);
    let (route, mail_from, links) = mail?;
    let (log_format, log_level) = log?;
    app.algorithm = algorithm;
    app.earlier_secret = earlier_secret;
    app.token_ttl = ttl;
    app.audience = audience;
    [app.reset_link, app.verify_link, app.invite_link] = links;
    if pages.is_none() {
        (app.not_me_link, app.undo_link) = (None, None);
    }
    let mut warnings = warnings(reader, &places, &app);
    warnings.extend(traces.as_ref().and_then(traces::warning));
    warnings.extend(warning_of_verification(&app, &route));
    warnings.extend(pages::warning(reader, pages.as_ref()));
    warnings.extend(reader.open_secret_files().iter().map(secret_file::warning));
    Some(Configuration {
        app,
        listen: places.listen,
        listen_is_set: reader.origin(&keys::LISTEN) != Origin::Standard,
        tls: places.tls,
        metrics_listen: places.metrics_listen,
        traces,
        trusted_proxies: places.trusted_proxies,
        docs: places.docs,
        pages,
        guards,
        max_streams: max_streams.unwrap_or(20_000),
        database: places.database,
        mail: route,
        mail_from,
        cors_origins: places.cors_origins,
        log_format,
        log_level,
        master_key: places.master_key,
        warnings,
        open_secret_files: reader.open_secret_files().to_vec(),
        effective: in_order(std::mem::take(&mut reader.effective)),
    })
}

/// In the order of the reference.
fn in_order(mut effective: Vec<Effective>) -> Vec<Effective> {
    let last = keys::ALL.len();
    effective.sort_by_key(|one| keys::ALL.iter().position(|key| key.name == one.name).unwrap_or(last));
    effective
}

fn stand_in() -> WebUrl {
    WebUrl { text: "http://127.0.0.1:4000".to_owned(), scheme: Scheme::Http, host: "127.0.0.1".to_owned() }
}

fn read_places(reader: &mut Reader<'_>) -> Option<Places> {
    let listen = reader.value(&keys::LISTEN, values::listen);
    let metrics_listen = reader.optional(&keys::METRICS_LISTEN, values::listen);
    let (tls, scheme) = read_tls(reader);
    let own_url = listen.map_or_else(|| stand_in().text, |listen| url_of(scheme, listen));
    let public_url = reader.value_or(&keys::PUBLIC_URL, &own_url, values::web_url);
    if let (Scheme::Https, Some(WebUrl { scheme: Scheme::Http, text, .. })) = (scheme, &public_url) {
        let place = reader.origin(&keys::PUBLIC_URL).place(keys::PUBLIC_URL.name);
        reader.problems.push(format!(
            "{place}: the server speaks TLS (server.tls_certificate), so clients reach it at an https:// address, got \"{text}\""
        ));
    }
    let trusted_proxies = reader.list(&keys::TRUSTED_PROXIES, values::network).unwrap_or_default();
    let docs = reader.value(&keys::DOCS, values::flag);
    let cors_origins = reader.list(&keys::CORS_ORIGINS, values::origin);
    let mut database = reader.value(&keys::DATABASE_URL, database);
    let most = reader.value(&keys::DATABASE_CONNECTIONS, |text| values::number(text, 2..=1000));
    if let Some(Database::Postgres(url)) = &mut database {
        url.connections = most.unwrap_or_default();
    }
    let beside = match &database {
        Some(Database::Sqlite(path)) => path.with_file_name("master.key"),
        _ => PathBuf::from("data/master.key"),
    };
    let given = reader.optional(&keys::MASTER_KEY, master_key);
    let file = reader.value_or(&keys::MASTER_KEY_FILE, &beside.to_string_lossy(), values::path);
    let master_key = given.map_or_else(|| file.map(MasterKeySource::File), |given| Some(MasterKeySource::Given(given)));
    Some(Places {
        listen: listen?,
        tls,
        metrics_listen,
        public_url: public_url?,
        trusted_proxies,
        docs: docs?,
        cors_origins,
        database: database?,
        master_key: master_key?,
    })
}

/// Whether an address is reached from this machine or a private network alone (RFC 1918, RFC 3927, RFC 4193, RFC 4291).
pub(super) fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// What an operator should know who has metrics served there.
pub(super) fn told_to_strangers(listen: SocketAddr) -> Option<String> {
    (!is_near(listen.ip())).then(|| {
        format!(
            "metrics.listen is {listen}, which is neither a loopback nor a private address, and metrics are told to whoever asks: \
             let only your monitoring reach it"
        )
    })
}

/// Where a browser on the same machine reaches the server.
fn url_of(scheme: Scheme, listen: SocketAddr) -> String {
    let address = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from(([127, 0, 0, 1], listen.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from(([127, 0, 0, 1], listen.port())),
        _ => listen,
    };
    match scheme {
        Scheme::Http => format!("http://{address}"),
        Scheme::Https => format!("https://{address}"),
    }
}

/// What a PostgreSQL URL may say behind its question mark. The driver would pass over anything else and log its value, which
/// may be the rest of a password.
const PARAMETERS: [&str; 10] =
    ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "port", "dbname", "user", "password", "application_name"];

fn is_known_parameter(name: &str) -> bool {
    const ALSO: [&str; 7] =
        ["ssl-mode", "ssl-root-cert", "ssl-ca", "ssl-cert", "ssl-key", "hostaddr", "statement-cache-capacity"];
    PARAMETERS.contains(&name) || ALSO.contains(&name) || name == "options" || name.starts_with("options[")
}

fn database(text: &str) -> Result<Database, values::Wrong> {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        let text = Zeroizing::new(text.to_owned());
        let encoded = "in the password ? is written %3F, / %2F, # %23 and @ %40";
        let url = Url::parse(&text).map_err(|error| format!("{error}; {encoded}"))?;
        if url.query_pairs().any(|(name, _)| !is_known_parameter(&name)) {
            return Err(format!(
                "a parameter behind the question mark is none of {}; {encoded}",
                PARAMETERS.join(", ")
            ));
        }
        return Ok(Database::Postgres(PostgresUrl { text, connections: 0 }));
    }
    let path = text.strip_prefix("sqlite:").ok_or("")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.starts_with(':') || path.ends_with('/') || path.contains(['?', '\0']) {
        return Err("a file on disk is needed, and options do not belong behind it".to_owned());
    }
    Ok(Database::Sqlite(PathBuf::from(path)))
}

fn failover(text: &str) -> Result<Failover, values::Wrong> {
    match text {
        "end-all" => Ok(Failover::EndAll),
        "synchronous" => Ok(Failover::Synchronous),
        _ => Err(String::new()),
    }
}

fn master_key(text: &str) -> Result<Zeroizing<String>, values::Wrong> {
    let is_hex = text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit());
    let is_base64 = values::base64_bytes(text).is_some_and(|bytes| bytes.len() == 32);
    if is_hex || is_base64 { Ok(Zeroizing::new(text.to_owned())) } else { Err(String::new()) }
}

/// How tokens are signed, and with what before.
type Signing = (Algorithm, Option<Secret>);

fn read_tokens(reader: &mut Reader<'_>, public_url: &WebUrl) -> Option<(Signing, std::time::Duration, String)> {
    let known = |text: &str| match Algorithm::with_own_keys(text) {
        None if text != "HS256" => Err(String::new()),
        own => Ok(own),
    };
    let own_keys = reader.value(&keys::TOKEN_ALGORITHM, known);
    let ttl = reader.value(&keys::TOKEN_TTL, values::duration);
    let audience = reader.value_or(&keys::TOKEN_AUDIENCE, &public_url.text, values::text);
    let before = reader.problems.len();
    let secret: Option<Secret> = reader.optional(&keys::TOKEN_SECRET, values::secret);
    let signing = match (own_keys?, secret) {
        (Some(own), secret) => (own, secret),
        (None, Some(secret)) => (Algorithm::Hs256(secret), None),
        (None, None) => {
            if reader.problems.len() == before {
                reader.problems.push(format!(
                    "{}: HS256 needs {}, {}",
                    reader.origin(&keys::TOKEN_ALGORITHM).place(keys::TOKEN_ALGORITHM.name),
                    keys::TOKEN_SECRET.name,
                    keys::TOKEN_SECRET.expects
                ));
            }
            return None;
        }
    };
    Some((signing, ttl?, audience?))
}

fn read_mail(reader: &mut Reader<'_>, public_url: &WebUrl) -> Option<(MailRoute, String, [String; 3])> {
    let url = reader.optional(&keys::MAIL_URL, values::mail_url);
    let sender_given = reader.origin(&keys::MAIL_FROM) != Origin::Standard;
    let host = if public_url.is_loopback() || public_url.host.parse::<IpAddr>().is_ok() {
        "localhost"
    } else {
        &public_url.host
    };
    let from = reader.value_or(&keys::MAIL_FROM, &format!("Cerrojo <no-reply@{host}>"), |text| {
        if text.contains('@') { values::text(text) } else { Err(String::new()) }
    });
    if url.is_some() && !sender_given {
        let place = reader.origin(&keys::MAIL_URL).place(keys::MAIL_URL.name);
        reader.problems.push(format!("{place}: a mail server needs a sender: set mail.from"));
    }
    let folder = reader.value(&keys::MAIL_OUTBOX, values::path);
    let standard = Settings::for_url(&public_url.text);
    let mut link = |key, standard: &str| reader.value_or(key, standard, values::link);
    let reset = link(&keys::MAIL_RESET_LINK, &standard.reset_link);
    let verify = link(&keys::MAIL_VERIFY_LINK, &standard.verify_link);
    let invite = link(&keys::MAIL_INVITE_LINK, &standard.invite_link);
    let folder = folder?;
    let route = url.map_or(MailRoute::Outbox { folder }, |url| MailRoute::Smtp { url });
    Some((route, from?, [reset?, verify?, invite?]))
}

fn read_log(reader: &mut Reader<'_>) -> Option<(LogFormat, String)> {
    let format = reader.value(&keys::LOG_FORMAT, |text| match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(String::new()),
    });
    let level = reader.value(&keys::LOG_LEVEL, |text| {
        crate::telemetry::filter(text).map(|_| text.to_owned()).map_err(|_| String::new())
    });
    Some((format?, level?))
}

fn read_guards(reader: &mut Reader<'_>) -> GuardPlaces {
    let standard = GuardPlaces::default();
    let per_address = reader.value(&keys::GUARDS_PER_ADDRESS, |text| values::number_or_off(text, 10_000));
    let anonymous = reader.value(&keys::GUARDS_ANONYMOUS, |text| values::number_or_off(text, 2000));
    let services = reader.value(&keys::GUARDS_SERVICES, |text| values::number(text, 1..=2000));
    GuardPlaces {
        anonymous_per_address: per_address.unwrap_or(standard.anonymous_per_address),
        anonymous: anonymous.unwrap_or(standard.anonymous),
        services: services.unwrap_or(standard.services),
        ..standard
    }
}

/// Sessions, limits, passwords, roles: `app` keeps its defaults where something is wrong.
fn read_accounts(reader: &mut Reader<'_>, app: &mut Settings) {
    app.idle_timeout = reader.value(&keys::IDLE_TIMEOUT, values::duration_or_off).flatten();
    app.max_age = reader.value(&keys::MAX_AGE, values::duration_or_off).flatten();
    app.max_per_user = reader.value(&keys::MAX_PER_USER, values::sessions_or_off).flatten();
    app.when_full = reader.value(&keys::WHEN_FULL, values::when_full).unwrap_or(app.when_full);
    app.login_limit = reader.value(&keys::LIMITS_LOGIN, values::rate_or_off).flatten();
    app.public_limit = reader.value(&keys::LIMITS_PUBLIC, values::rate_or_off).flatten();
    app.failover = reader.value(&keys::DATABASE_FAILOVER, failover).unwrap_or(app.failover);
    app.locale = reader.value(&keys::LOCALE, values::locale).unwrap_or(app.locale);
    if reader.value(&keys::MAIL_NEW_DEVICE, values::flag) == Some(false) {
        app.new_device = NewDeviceNotice::Off;
    }
    app.mail_templates = reader.optional(&keys::MAIL_TEMPLATES, values::path);
    if reader.value(&keys::REGISTER_OPEN, values::flag) == Some(false) {
        app.registration = Registration::Closed;
    }
    app.verification = reader.value(&keys::REGISTER_VERIFICATION, values::verification).unwrap_or(app.verification);
    let (minutes, hours) = (Duration::from_mins, Duration::from_hours);
    let within = |text: &str| values::duration_within(text, minutes(5)..=hours(30 * 24));
    app.confirm_within = reader.value(&keys::REGISTER_CONFIRM_WITHIN, within).unwrap_or(app.confirm_within);
    let within = |text: &str| values::duration_within(text, hours(1)..=hours(90 * 24));
    app.invitation_ttl = reader.value(&keys::REGISTER_INVITATION_TTL, within).unwrap_or(app.invitation_ttl);
    if reader.value(&keys::REAUTHENTICATION, values::flag) == Some(true) {
        app.reauthentication = Reauthentication::Required;
    }
    if reader.value(&keys::OWN_DELETION, values::flag) == Some(true) {
        app.own_deletion = OwnDeletion::Allowed;
    }
    let kept = &mut app.retention;
    for (key, kept) in [
        (&keys::KEEP_SESSIONS, &mut kept.ended_sessions),
        (&keys::KEEP_ADDRESSES, &mut kept.known_addresses),
        (&keys::KEEP_MAIL, &mut kept.delivered_mail),
    ] {
        *kept = reader.value(key, values::days).unwrap_or(*kept);
    }
    kept.audit = reader.value(&keys::KEEP_AUDIT, values::days_or_off).unwrap_or(kept.audit);
    if reader.value(&keys::COMPOSITION, values::flag) == Some(true) {
        app.password.composition = Composition::Required;
    }
    app.password.breached_list = reader.optional(&keys::BREACHED_LIST, values::path);
    let memory = reader.value(&keys::ARGON2_MEMORY, |text| values::number(text, 7168..=1_048_576));
    let passes = reader.value(&keys::ARGON2_PASSES, |text| values::number(text, 1..=16));
    let lanes = reader.value(&keys::ARGON2_LANES, |text| values::number(text, 1..=16));
    if let (Some(memory_kib), Some(passes), Some(lanes)) = (memory, passes, lanes) {
        if memory_kib < lowest_memory(passes) {
            let place = reader.origin(&keys::ARGON2_MEMORY).place(keys::ARGON2_MEMORY.name);
            let lowest = lowest_memory(passes);
            reader.problems.push(format!(
                "{place}: {memory_kib} KiB with {passes} passes is below the OWASP minimum of {lowest} KiB"
            ));
        }
        let cost = Argon2Settings { memory_kib, passes, lanes };
        if !cerrojo_app::hashing::is_affordable(cost) {
            let place = reader.origin(&keys::ARGON2_PASSES).place(keys::ARGON2_PASSES.name);
            reader.problems.push(format!(
                "{place}: {passes} passes over {memory_kib} KiB are more work than a hash may ask for: \
                 4194304 KiB at most when multiplied"
            ));
        }
        app.password.argon2 = cost;
    }
    let threads = app.password.threads.to_string();
    let threads = reader.value_or(&keys::PASSWORD_THREADS, &threads, |text| values::number(text, 1..=64));
    app.password.threads = threads.and_then(|threads| threads.try_into().ok()).unwrap_or(app.password.threads);
    let declared = reader.roles();
    match Roles::new(declared) {
        Ok(roles) => app.roles = roles,
        Err(problem) => reader.problems.push(format!("{}: {problem}", keys::ROLES)),
    }
    let roles = &app.roles;
    let by_role = reader.list(&keys::BY_ROLE, |text| values::role_rules(text, roles)).unwrap_or_default();
    for (role, rules) in by_role {
        if app.by_role.insert(role, rules).is_some() {
            let place = reader.origin(&keys::BY_ROLE).place(keys::BY_ROLE.name);
            reader.problems.push(format!("{place}: the role {} stands there twice", app.roles.name(role)));
        }
    }
}

fn read_old_tokens(reader: &mut Reader<'_>) -> Option<OldTokens> {
    let are_accepted = reader.value(&keys::OLD_TOKENS, values::flag);
    let before = reader.problems.len();
    let secret = reader.optional(&keys::OLD_SECRET, |text| values::secret_of(text, 8));
    if are_accepted == Some(true) && secret.is_none() && reader.problems.len() == before {
        let place = reader.origin(&keys::OLD_TOKENS).place(keys::OLD_TOKENS.name);
        let Key { name, expects, .. } = keys::OLD_SECRET;
        reader.problems.push(format!("{place}: needs {name}, {expects}"));
    }
    let user_claim = reader.value(&keys::OLD_USER_CLAIM, values::text);
    let require = reader.list(&keys::OLD_REQUIRE, values::required_claim).unwrap_or_default();
    let issued_before = reader.optional(&keys::OLD_ISSUED_BEFORE, values::time);
    let until = reader.optional(&keys::OLD_UNTIL, values::time);
    let accepted = OldTokens { secret: secret?, user_claim: user_claim?, require, issued_before, until };
    are_accepted?.then_some(accepted)
}

/// OWASP's Password Storage Cheat Sheet: pairs of memory and passes that are as good as each other.
fn lowest_memory(passes: u32) -> u32 {
    match passes {
        0 | 1 => 47_104,
        2 => 19_456,
        3 => 12_288,
        4 => 9216,
        _ => 7168,
    }
}

/// Nobody would get a link.
fn warning_of_verification(app: &Settings, route: &MailRoute) -> Option<String> {
    let is_needed = app.verification == Verification::Required && matches!(route, MailRoute::Outbox { .. });
    is_needed.then(|| {
        "register.verification is required, and mail.url is not set: the links that people need to register are written into \
         mail.outbox, and no mail leaves"
            .to_owned()
    })
}

fn warnings(reader: &Reader<'_>, places: &Places, app: &Settings) -> Vec<String> {
    let mut warnings = Vec::new();
    if places.public_url.scheme == Scheme::Http && !places.public_url.is_loopback() {
        warnings.push(format!(
            "server.public_url is {}: passwords and tokens travel unencrypted; put a proxy with TLS in front or set server.tls_certificate, and set an https URL",
            places.public_url.text
        ));
    }
    if app.earlier_secret.is_some() {
        warnings.push(format!(
            "token.secret signs nothing, since token.algorithm is {}: tokens that it signed before are accepted until they expire; \
             take it out when the last one has (after token.ttl), since whoever knows it can make tokens",
            app.algorithm.of_sessions().name()
        ));
    }
    warnings.extend(places.metrics_listen.and_then(told_to_strangers));
    if let Some(OldTokens { secret, .. }) = &app.old_tokens {
        warnings.push(
            "migration.accept_old_tokens is true: whoever knows migration.secret can act as any user who was imported; take both \
             out when the last old token has expired"
                .to_owned(),
        );
        if secret.0.len() < 32 {
            warnings.push(
                "migration.secret has under 32 bytes: whoever has one old token can guess it; set migration.issued_before to the \
                 time at which the other application stopped, or do without old tokens"
                    .to_owned(),
            );
        }
        if matches!(&app.algorithm, Algorithm::Hs256(own) if own.0 == secret.0) {
            warnings.push(
                "migration.secret and token.secret are the same: whoever knows the other application's secret can make tokens of \
                 anybody, not only of those who were imported"
                    .to_owned(),
            );
        }
    } else if reader.origin(&keys::OLD_SECRET) != Origin::Standard {
        warnings.push("migration.secret is set but not used: migration.accept_old_tokens is false".to_owned());
    }
    if app.token_ttl < std::time::Duration::from_mins(1) {
        warnings.push("token.ttl is under a minute: everybody will have to sign in all the time".to_owned());
    }
    warnings
}
