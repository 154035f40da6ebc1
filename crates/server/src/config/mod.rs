//! Settings: from a TOML file, over it the environment, checked as a whole before anything starts.

mod check;
mod given;
mod keys;
mod pages;
mod read;
mod secret_file;
mod show;
mod tls;
mod traces;
mod values;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use cerrojo_app::Settings;
use cerrojo_web::{GuardPlaces, Network, PageSettings};
use zeroize::Zeroizing;

pub(crate) use given::Origin;
use given::{Given, Value};
pub(crate) use read::Effective;
use read::Reader;
pub(crate) use secret_file::warning as secret_file_warning;
pub(crate) use show::reference;
pub(crate) use tls::TlsFiles;
pub(crate) use traces::TraceSettings;
pub(crate) use values::duration;

/// What the reference is made of.
pub(crate) mod reference {
    pub(crate) use super::keys::{ALL, Key};
    pub(crate) use super::show::{EXAMPLE, INTRODUCTION, ROLES, standard};
}

/// The file that is read where none is named: in the working directory, otherwise the machine's.
const HERE: &str = "cerrojo.toml";
const OF_THE_MACHINE: &str = "/etc/cerrojo/cerrojo.toml";

/// Everything that is wrong with the settings, a line each.
#[derive(Debug)]
pub(crate) struct ConfigError(pub(crate) Vec<String>);

/// Where settings come from.
pub(crate) struct Sources {
    /// The file that the command line or `CERROJO_CONFIG` names: it has to exist.
    pub(crate) file: Option<PathBuf>,
    /// The environment.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// `--listen`.
    pub(crate) listen: Option<String>,
}

/// The database that is meant.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A server, by its address.
    Postgres(PostgresUrl),
}

/// The address of a PostgreSQL server, which may hold a password.
#[derive(Clone)]
pub(crate) struct PostgresUrl {
    /// All of it.
    pub(crate) text: Zeroizing<String>,
    /// Connections for requests.
    pub(crate) connections: u32,
}

impl std::fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PostgresUrl")
    }
}

/// How mail leaves.
#[derive(Clone, Debug)]
pub(crate) enum MailRoute {
    /// Over SMTP.
    Smtp {
        /// With its password.
        url: String,
    },
    /// Into a folder.
    Outbox {
        /// The folder.
        folder: PathBuf,
    },
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Where the master key is.
#[derive(Clone)]
pub(crate) enum MasterKeySource {
    /// In the settings.
    Given(Zeroizing<String>),
    /// In a file.
    File(PathBuf),
}

/// Settings that passed every check.
pub(crate) struct Configuration {
    /// What use cases need.
    pub(crate) app: Settings,
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// Whether somebody set that.
    pub(crate) listen_is_set: bool,
    /// What TLS is spoken with, if it is.
    pub(crate) tls: Option<TlsFiles>,
    /// Where metrics are served, if they are.
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Where traces are sent, if they are.
    pub(crate) traces: Option<TraceSettings>,
    /// Networks of trusted proxies.
    pub(crate) trusted_proxies: Vec<Network>,
    /// Whether `/docs` is served.
    pub(crate) docs: bool,
    /// What pages look like, if there are any.
    pub(crate) pages: Option<PageSettings>,
    /// How many guards may follow.
    pub(crate) guards: GuardPlaces,
    /// How many may follow their own session.
    pub(crate) max_streams: u32,
    /// The database.
    pub(crate) database: Database,
    /// How mail leaves.
    pub(crate) mail: MailRoute,
    /// The sender of mails.
    pub(crate) mail_from: String,
    /// Allowed web origins; `None`: loopback ones while the public URL is loopback.
    pub(crate) cors_origins: Option<Vec<String>>,
    /// The form of log lines.
    pub(crate) log_format: LogFormat,
    /// What is logged.
    pub(crate) log_level: String,
    /// Where the master key is.
    pub(crate) master_key: MasterKeySource,
    /// What an operator should know.
    pub(crate) warnings: Vec<String>,
    /// Settings that name files with secrets, and those files, which everybody on the machine may read or change.
    pub(crate) open_secret_files: Vec<(String, PathBuf)>,
    /// The settings as they take effect, for showing.
    pub(crate) effective: Vec<Effective>,
}

/// What is given, read once.
#[derive(Clone)]
pub(crate) struct Loaded(Given);

/// What an operator should know who has metrics served at this address, if anything.
pub(crate) fn told_to_strangers(listen: SocketAddr) -> Option<String> {
    check::told_to_strangers(listen)
}

/// Whether this user may search the folder that `path` is in.
fn is_searched(path: &str) -> bool {
    !std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}

/// Reads file and environment.
pub(crate) fn load(sources: Sources) -> Loaded {
    let mut given = Given::default();
    // One that may not be looked at counts as there: it is not for this user, and going on without it would be another
    // installation than the one that is meant.
    let is_there = |path: &str| Path::new(path).try_exists().unwrap_or(true);
    match &sources.file {
        Some(path) => given.read_file(path),
        None if is_searched(HERE) && is_there(HERE) => given.read_file_found_here(Path::new(HERE)),
        None if is_there(OF_THE_MACHINE) => given.read_file(Path::new(OF_THE_MACHINE)),
        None => {}
    }
    given.read_environment(sources.environment);
    if let Some(listen) = sources.listen {
        given.accept(keys::LISTEN.name, vec![listen], Origin::CommandLine("--listen"));
    }
    Loaded(given)
}

impl Loaded {
    /// Checks everything.
    pub(crate) fn configuration(&self) -> Result<Configuration, ConfigError> {
        let mut reader = Reader::new(&self.0);
        match check::everything(&mut reader) {
            Some(configuration) if reader.problems.is_empty() => Ok(configuration),
            _ => Err(ConfigError(reader.problems)),
        }
    }

    /// The file of settings, if one was read.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.0.file.as_deref()
    }

    /// Settings of that file whose values nobody else may read.
    pub(crate) fn secrets_in_file(&self) -> Vec<&'static str> {
        let is_secret = |key: &&keys::Key| match key.secrecy {
            keys::Secrecy::Open => false,
            keys::Secrecy::Secret => true,
            keys::Secrecy::UrlWithPassword => self.0.settings.get(key.name).is_some_and(|value| {
                let is_one = |text: &String| url::Url::parse(text).is_ok_and(|url| url.password().is_some());
                value.texts.iter().any(is_one)
            }),
        };
        let is_in_file = |key: &&keys::Key| {
            self.0.settings.get(key.name).is_some_and(|value| matches!(value.origin, Origin::File(_)))
        };
        keys::ALL.iter().copied().filter(is_in_file).filter(is_secret).map(|key| key.name).collect()
    }

    /// The same once it is known which port was free.
    pub(crate) fn listening_on(mut self, address: SocketAddr) -> Result<Configuration, ConfigError> {
        let origin = self.0.settings.get(keys::LISTEN.name).map_or(Origin::Standard, |value| value.origin.clone());
        self.0.settings.insert(keys::LISTEN.name, Value { texts: vec![address.to_string()], origin });
        self.configuration()
    }
}

#[cfg(test)]
mod tests {
    use cerrojo_app::Algorithm;

    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<Configuration, ConfigError> {
        let mut given = Given::default();
        given.read_environment(pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))));
        Loaded(given).configuration()
    }

    fn problem(pairs: &[(&str, &str)]) -> String {
        with(pairs).err().map(|error| error.0.join("\n")).unwrap_or_default()
    }

    #[test]
    fn nothing_has_to_be_set() {
        let configuration = with(&[]).unwrap();
        assert_eq!(configuration.app.public_url, "http://127.0.0.1:4000");
        assert_eq!(configuration.app.audience, "http://127.0.0.1:4000");
        assert!(matches!(&configuration.database, Database::Sqlite(path) if path == Path::new("data/cerrojo.db")));
        assert!(
            matches!(&configuration.master_key, MasterKeySource::File(path) if path == Path::new("data/master.key"))
        );
        assert!(configuration.warnings.is_empty());
    }

    #[test]
    fn the_public_url_follows_the_port_that_was_free() {
        let mut given = Given::default();
        given.accept("server.listen", vec!["127.0.0.1:0".to_owned()], Origin::CommandLine("--listen"));
        let configuration = Loaded(given).listening_on("127.0.0.1:4711".parse().unwrap()).unwrap();
        assert_eq!(configuration.app.public_url, "http://127.0.0.1:4711");
        assert_eq!(configuration.app.reset_link, "http://127.0.0.1:4711/reset-password?token={token}");
    }

    #[test]
    fn all_problems_are_told_at_once_with_place_and_expectation() {
        let text = problem(&[
            ("CERROJO_TOKEN__TTL", "soon"),
            ("CERROJO_SERVER__PUBLIC_URL", "example.com"),
            ("CERROJO_LIMITS__LOGIN", "many"),
        ]);
        assert!(text.contains("CERROJO_TOKEN__TTL (token.ttl): expects a duration"), "{text}");
        assert!(text.contains("got \"soon\""), "{text}");
        assert!(text.contains("CERROJO_SERVER__PUBLIC_URL"), "{text}");
        assert!(text.contains("CERROJO_LIMITS__LOGIN"), "{text}");
    }

    #[test]
    fn a_secret_is_never_repeated() {
        let text = problem(&[("CERROJO_TOKEN__ALGORITHM", "HS256"), ("CERROJO_TOKEN__SECRET", "tooshortsecret")]);
        assert!(text.contains("token.secret") && !text.contains("tooshortsecret"), "{text}");
        let text = problem(&[("CERROJO_KEYS__MASTER_KEY", "notakeyatall")]);
        assert!(text.contains("keys.master_key") && !text.contains("notakeyatall"), "{text}");
        let text = problem(&[("CERROJO_MAIL__URL", "http://u:geheim@h")]);
        assert!(text.contains("mail.url") && !text.contains("geheim"), "{text}");
    }

    #[test]
    fn hs256_needs_a_secret() {
        assert!(problem(&[("CERROJO_TOKEN__ALGORITHM", "HS256")]).contains("HS256 needs token.secret"));
        let set =
            [("CERROJO_TOKEN__ALGORITHM", "HS256"), ("CERROJO_TOKEN__SECRET", "0123456789abcdef0123456789abcdef")];
        assert!(matches!(with(&set).unwrap().app.algorithm, Algorithm::Hs256(_)));
    }

    #[test]
    fn algorithms_are_named_exactly_and_the_secret_outlives_a_change() {
        const SECRET: (&str, &str) = ("CERROJO_TOKEN__SECRET", "0123456789abcdef0123456789abcdef");
        for name in ["ES256", "Ed25519", "EdDSA", "RS256"] {
            let read = with(&[("CERROJO_TOKEN__ALGORITHM", name), SECRET]).unwrap();
            assert_eq!(read.app.algorithm.of_sessions().name(), name);
            assert!(read.app.earlier_secret.is_some());
            let told = read.warnings.iter().any(|warning| warning.contains("token.secret signs nothing"));
            assert!(told, "{:?}", read.warnings);
        }
        assert!(with(&[("CERROJO_TOKEN__ALGORITHM", "HS256"), SECRET]).unwrap().app.earlier_secret.is_none());
        for name in ["none", "es256", "ed25519", "EDDSA", "RS512", "PS256", "HS512", ""] {
            let text = problem(&[("CERROJO_TOKEN__ALGORITHM", name)]);
            assert!(text.contains("expects ES256, Ed25519, EdDSA, RS256 or HS256"), "{name}: {text}");
        }
    }

    #[test]
    fn cheap_hashes_are_refused() {
        assert!(problem(&[("CERROJO_PASSWORD__ARGON2_PASSES", "1")]).contains("OWASP"));
        assert!(problem(&[("CERROJO_PASSWORD__ARGON2_MEMORY_KIB", "9216")]).contains("OWASP"));
        let set = [("CERROJO_PASSWORD__ARGON2_MEMORY_KIB", "9216"), ("CERROJO_PASSWORD__ARGON2_PASSES", "4")];
        assert!(with(&set).is_ok());
    }

    #[test]
    fn hashes_that_would_never_be_checked_are_refused() {
        assert!(problem(&[("CERROJO_PASSWORD__ARGON2_PASSES", "17")]).contains("from 1 to 16"));
        let memory = ("CERROJO_PASSWORD__ARGON2_MEMORY_KIB", "1048576");
        let too_dear = problem(&[memory, ("CERROJO_PASSWORD__ARGON2_PASSES", "5")]);
        assert!(too_dear.contains("CERROJO_PASSWORD__ARGON2_PASSES") && too_dear.contains("4194304"), "{too_dear}");
        assert!(with(&[memory, ("CERROJO_PASSWORD__ARGON2_PASSES", "4")]).is_ok());
        assert!(with(&[("CERROJO_PASSWORD__ARGON2_PASSES", "16")]).is_ok());
    }

    #[test]
    fn roles_are_declared_by_name() {
        let configuration = with(&[("CERROJO_ROLES__OPERATOR", "3")]).unwrap();
        assert_eq!(configuration.app.roles.by_name("operator"), Some(3));
        assert!(problem(&[("CERROJO_ROLES__OPERATOR", "2")]).contains("roles.operator"));
        assert!(problem(&[("CERROJO_ROLES__A", "3"), ("CERROJO_ROLES__B", "3")]).contains("roles.b"));
    }

    #[test]
    fn plain_http_beyond_this_machine_is_warned_of() {
        assert_eq!(with(&[("CERROJO_SERVER__PUBLIC_URL", "http://auth.example.com")]).unwrap().warnings.len(), 1);
        assert!(with(&[("CERROJO_SERVER__PUBLIC_URL", "https://auth.example.com")]).unwrap().warnings.is_empty());
    }

    #[test]
    fn with_tls_the_address_is_https_and_nothing_else() {
        let files = [
            ("CERROJO_SERVER__TLS_CERTIFICATE", "fullchain.pem"),
            ("CERROJO_SERVER__TLS_KEY", "/etc/cerrojo/privkey.pem"),
        ];
        let configuration = with(&files).unwrap();
        assert_eq!(configuration.app.public_url, "https://127.0.0.1:4000");
        let expected = TlsFiles { certificate: "fullchain.pem".into(), key: "/etc/cerrojo/privkey.pem".into() };
        assert_eq!(configuration.tls, Some(expected));
        assert!(configuration.warnings.is_empty());
        let plain = problem(&[files[0], files[1], ("CERROJO_SERVER__PUBLIC_URL", "http://auth.example.com")]);
        assert!(
            plain.contains("CERROJO_SERVER__PUBLIC_URL (server.public_url)") && plain.contains("https://"),
            "{plain}"
        );
    }

    #[test]
    fn a_certificate_and_its_key_go_together() {
        let without_key = problem(&[("CERROJO_SERVER__TLS_CERTIFICATE", "fullchain.pem")]);
        assert!(without_key.contains("(server.tls_certificate): needs server.tls_key, a PEM file"), "{without_key}");
        let alone = problem(&[("CERROJO_SERVER__TLS_KEY", "privkey.pem")]);
        assert!(alone.contains("(server.tls_key): needs server.tls_certificate, a PEM file"), "{alone}");
        assert!(problem(&[("CERROJO_SERVER__TLS_CERTIFICATE", "")]).contains("server.tls_certificate): expects"));
    }

    #[test]
    fn metrics_that_strangers_may_reach_are_warned_of() {
        let listen = |address| with(&[("CERROJO_METRICS__LISTEN", address)]).unwrap();
        assert_eq!(with(&[]).unwrap().metrics_listen, None);
        for near in [
            "127.0.0.1:9464",
            "[::1]:9464",
            "10.1.2.3:9464",
            "192.168.0.7:0",
            "169.254.1.1:1",
            "[fd00::1]:1",
            "[::ffff:10.0.0.1]:1",
        ] {
            let configuration = listen(near);
            assert_eq!((configuration.metrics_listen, configuration.warnings.len()), (near.parse().ok(), 0), "{near}");
        }
        for far in ["0.0.0.0:9464", "[::]:9464", "192.0.2.1:9464", "[2001:db8::1]:9464", "[::ffff:192.0.2.1]:1"] {
            assert!(listen(far).warnings.concat().contains("metrics.listen"), "{far}");
        }
        for wrong in ["9464", "localhost", "127.0.0.1"] {
            assert!(problem(&[("CERROJO_METRICS__LISTEN", wrong)]).contains("metrics.listen"), "{wrong}");
        }
    }

    #[test]
    fn a_mail_server_needs_a_sender() {
        assert!(problem(&[("CERROJO_MAIL__URL", "smtp://mail.example.com")]).contains("set mail.from"));
    }

    #[test]
    fn old_tokens_need_the_secret_and_are_warned_of() {
        let on = ("CERROJO_MIGRATION__ACCEPT_OLD_TOKENS", "true");
        let secret = ("CERROJO_MIGRATION__SECRET", "geheimgeheim");
        assert!(
            problem(&[on])
                .contains("CERROJO_MIGRATION__ACCEPT_OLD_TOKENS (migration.accept_old_tokens): needs migration.secret")
        );
        let short = problem(&[on, ("CERROJO_MIGRATION__SECRET", "geheim")]);
        assert!(
            short.contains("migration.secret") && short.contains("8 bytes") && !short.contains("geheim"),
            "{short}"
        );
        let configuration = with(&[on, secret, ("CERROJO_MIGRATION__REQUIRE", "type=access, v=2")]).unwrap();
        let required = configuration.app.old_tokens.unwrap().require;
        assert_eq!(
            required.iter().map(|one| (&*one.claim, &*one.value)).collect::<Vec<_>>(),
            [("type", "access"), ("v", "2")]
        );
        assert_eq!(
            configuration.warnings.len(),
            2,
            "that it is on, and that the secret is short: {:?}",
            configuration.warnings
        );
        let off = with(&[secret]).unwrap();
        assert!(off.app.old_tokens.is_none() && off.warnings.len() == 1);
        for (name, value) in [("REQUIRE", "access"), ("ISSUED_BEFORE", "soon"), ("UNTIL", "30d"), ("USER_CLAIM", "")] {
            let name = format!("CERROJO_MIGRATION__{name}");
            assert!(problem(&[on, secret, (&name, value)]).contains(&name), "{name}");
        }
    }

    #[test]
    fn sessions_have_rules_by_role() {
        let rules = "admin idle_timeout=15m max_age=8h max_per_user=1, operator idle_timeout=off";
        let declared = ("CERROJO_ROLES__OPERATOR", "3");
        let settings = with(&[
            declared,
            ("CERROJO_SESSION__IDLE_TIMEOUT", "1h"),
            ("CERROJO_SESSION__MAX_PER_USER", "5"),
            ("CERROJO_SESSION__BY_ROLE", rules),
        ]);
        let settings = settings.unwrap().app;
        let rules = |role| {
            let rules = settings.session_rules(role);
            (rules.idle_timeout.map(|idle| idle.as_secs() / 60), rules.max_age.is_some(), rules.max_per_user)
        };
        assert_eq!(
            [rules(1), rules(2), rules(3)],
            [(Some(15), true, Some(1)), (Some(60), false, Some(5)), (None, false, Some(5))]
        );
        for wrong in [
            "admin",
            "nobody max_age=8h",
            "admin max_age",
            "admin ttl=8h",
            "admin max_age=8",
            "admin max_per_user=0",
            "admin max_age=8h max_age=9h",
            "admin max_age=8h, admin max_per_user=1",
        ] {
            assert!(problem(&[("CERROJO_SESSION__BY_ROLE", wrong)]).contains("CERROJO_SESSION__BY_ROLE"), "{wrong}");
        }
        assert!(problem(&[("CERROJO_SESSION__WHEN_FULL", "queue")]).contains("end-oldest or refuse"));
    }

    #[test]
    fn guards_without_credentials_can_be_turned_off() {
        let guards = |pairs: &[(&str, &str)]| with(pairs).unwrap().guards;
        assert_eq!(guards(&[]), GuardPlaces::default());
        assert_eq!(guards(&[("CERROJO_GUARDS__ANONYMOUS", "off")]).anonymous, 0);
        assert_eq!(guards(&[("CERROJO_GUARDS__ANONYMOUS_PER_ADDRESS", "0")]).anonymous_per_address, 0);
        assert_eq!(guards(&[("CERROJO_GUARDS__SERVICES", "7")]).services, 7);
        for (name, value) in [("ANONYMOUS", "2001"), ("ANONYMOUS", "-1"), ("SERVICES", "0"), ("SERVICES", "off")] {
            assert!(problem(&[(&format!("CERROJO_GUARDS__{name}"), value)]).contains("guards."), "{name} {value}");
        }
    }

    #[test]
    fn a_database_in_memory_is_refused() {
        for url in ["sqlite::memory:", "sqlite:", "sqlite:a.db?mode=ro", "mysql://x"] {
            assert!(problem(&[("CERROJO_DATABASE__URL", url)]).contains("database.url"), "{url}");
        }
        for typed in ["postgres://u:12?secret@h/d", "postgres://h/d?sslmod=require", "postgres://u:s?ecret@h/d"] {
            let said = problem(&[("CERROJO_DATABASE__URL", typed)]);
            assert!(said.contains("%3F") && !said.contains("secret"), "{said}");
        }
        for good in ["postgres://h/d?sslmode=verify-full&sslrootcert=/ca.pem", "postgresql:///d?host=/run/postgresql"] {
            assert!(with(&[("CERROJO_DATABASE__URL", good)]).is_ok(), "{good}");
        }
        assert!(matches!(
            with(&[("CERROJO_DATABASE__URL", "postgres://h/d")]).unwrap().database,
            Database::Postgres(_)
        ));
    }
}
