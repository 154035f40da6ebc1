//! Wiring: from settings to an open store, a master key and an app.

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cerrojo_app::breached::List;
use cerrojo_app::keys::{Keyring, MasterKey};
use cerrojo_app::mail::{Mailer, OutboxFolder, SmtpMailer, Templates};
use cerrojo_app::{App, Lease, Parts};
use cerrojo_domain::{SystemClock, SystemRandom};
use cerrojo_store::{OpenOptions, Store};
use zeroize::Zeroizing;

use crate::config::{Configuration, Database, MailRoute, MasterKeySource, PostgresUrl};
use crate::failure::Failure;
use crate::lock::{Holder, Kind, Lock, Taken};
use crate::out;
use crate::place::{Place, url};

/// Connections that read: beside the memory that each takes, more than the processors have no use.
const READERS: u32 = 4;
/// Connections of a command to a server.
const FEW: u32 = 2;

fn options(readers: u32) -> OpenOptions {
    OpenOptions { readers, connections: 0, random: Arc::new(SystemRandom) }
}

/// Opens the database, making it where it is missing. Who holds its lock looks first whether its write-ahead log is its own.
pub(crate) async fn store(place: &Place, lease: Lease) -> Result<Store, Failure> {
    place.close_to_others();
    if lease == Lease::Holder {
        App::before_opening(&place.database, &place.side_file()).await?;
    }
    Ok(Store::open(&place.url()?, options(READERS)).await?)
}

/// Connects to a PostgreSQL server.
pub(crate) async fn remote(url: &PostgresUrl, connections: u32) -> Result<Store, Failure> {
    let options = OpenOptions { readers: 0, connections, random: Arc::new(SystemRandom) };
    Store::open(&url.text, options).await.map_err(|error| {
        let Failure { message, exit } = error.into();
        Failure { message: format!("database.url: {message}"), exit }
    })
}

/// A database for one command that only looks, and the lock for as long as it does where nobody else had it.
pub(crate) struct ToRead {
    pub(crate) store: Store,
    /// Reading alone moves the write-ahead log into the database, so it is no less to be guarded than writing.
    _lock: Option<Lock>,
}

impl ToRead {
    /// Lets go of the database.
    pub(crate) async fn close(self) {
        self.store.close().await;
    }
}

/// Opens a database that has to exist with a current schema: for commands that only look.
pub(crate) async fn to_read(configuration: &Configuration, what: &str) -> Result<ToRead, Failure> {
    let read = match &configuration.database {
        Database::Sqlite(_) => to_copy(&Place::of(configuration)?, what).await?,
        Database::Postgres(url) => ToRead { store: remote(url, FEW).await?, _lock: None },
    };
    if !read.store.schema_is_current().await? {
        return Err(Failure::new(
            "the database's schema is not current: run `cerrojo db migrate`, or start the server",
        ));
    }
    Ok(read)
}

/// The same, or nothing where no database was begun yet.
pub(crate) async fn to_read_if_begun(configuration: &Configuration, what: &str) -> Result<Option<ToRead>, Failure> {
    let is_begun = match &configuration.database {
        Database::Sqlite(_) => Place::of(configuration)?.database.is_file(),
        Database::Postgres(url) => {
            let store = remote(url, FEW).await?;
            let is_begun = store.is_begun().await;
            store.close().await;
            is_begun?
        }
    };
    if is_begun { to_read(configuration, what).await.map(Some) } else { Ok(None) }
}

/// The same with whatever schema.
pub(crate) async fn to_copy(place: &Place, what: &str) -> Result<ToRead, Failure> {
    existing(&place.database)?;
    let (lease, lock) = lease(place, what).await?;
    Ok(ToRead { store: store(place, lease).await?, _lock: lock })
}

/// A command holds the lock if nobody does, and otherwise works beside the running server.
async fn lease(place: &Place, what: &str) -> Result<(Lease, Option<Lock>), Failure> {
    Ok(match Lock::take(&place.database, &Holder::this(Kind::Command, what)).await? {
        Taken::Ours(lock) => (Lease::Holder, Some(lock)),
        Taken::Serving(_) => (Lease::Guest, None),
    })
}

/// Refuses where there is no file.
fn existing(database: &Path) -> Result<(), Failure> {
    if database.is_file() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "there is no database at {}: `cerrojo serve` makes one, or is it another working directory?",
        database.display()
    )))
}

/// An app for one command, and the lock for as long as it runs where nobody else had it.
pub(crate) struct Opened {
    pub(crate) app: Arc<App>,
    /// Kept while the command works; let go with it.
    _lock: Option<Lock>,
}

impl Opened {
    /// Lets go of the database.
    pub(crate) async fn close(self) {
        self.app.store.close().await;
    }
}

/// For a command that changes what is there: in another working directory it would otherwise make a database, change nothing
/// that anybody uses and call that done.
pub(crate) async fn to_change(configuration: &Configuration, what: &str) -> Result<Opened, Failure> {
    if let Database::Sqlite(_) = &configuration.database {
        existing(&Place::of(configuration)?.database)?;
    }
    to_add(configuration, what).await
}

/// The same for a command that makes the database where it is missing. It holds the lock if nobody does, otherwise it works
/// beside the running server.
pub(crate) async fn to_add(configuration: &Configuration, what: &str) -> Result<Opened, Failure> {
    let (store, lease, lock) = match &configuration.database {
        Database::Sqlite(_) => {
            let place = Place::of(configuration)?;
            place.check()?;
            let (lease, lock) = lease(&place, what).await?;
            (store(&place, lease).await?, lease, lock)
        }
        Database::Postgres(url) => (remote(url, FEW).await?, Lease::Guest, None),
    };
    if lease == Lease::Holder || !store.is_sqlite() {
        for name in store.migrate().await? {
            out::note(&format!("the database was brought up to date: {name}"));
        }
    } else {
        wait_for_schema(&store).await?;
    }
    Ok(Opened { app: app(configuration, Node { store, lease, about: what.to_owned() }).await?, _lock: lock })
}

/// What an app is built over.
pub(crate) struct Node {
    pub(crate) store: Store,
    pub(crate) lease: Lease,
    /// For people who look at the cluster.
    pub(crate) about: String,
}

/// A server that is just starting brings the schema up to date by itself.
async fn wait_for_schema(store: &Store) -> Result<(), Failure> {
    let current = async {
        while !store.schema_is_current().await? {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok::<(), Failure>(())
    };
    tokio::time::timeout(Duration::from_secs(10), current).await.unwrap_or_else(|_| {
        Err(Failure::new("the running server has another version's schema: use the `cerrojo` that it was started from"))
    })
}

/// Builds the app over an open store.
pub(crate) async fn app(configuration: &Configuration, node: Node) -> Result<Arc<App>, Failure> {
    app_beside(configuration, node, side_file(configuration)?).await
}

/// The same with the position file of another database than the configured one.
pub(crate) async fn app_beside(
    configuration: &Configuration,
    Node { store, lease, about }: Node,
    side_file: Option<PathBuf>,
) -> Result<Arc<App>, Failure> {
    let master_key = master_key(&configuration.master_key, &store, lease).await?;
    let parts = Parts {
        settings: configuration.app.clone(),
        mailer: mailer(configuration)?,
        store,
        clock: Arc::new(SystemClock::new()),
        random: Arc::new(SystemRandom),
        master_key,
        lease,
        side_file,
        about,
    };
    Ok(App::start(parts).await?)
}

/// Where the last known position of the log is kept. A node of several keeps one of its own, beside the master key; its name
/// is that of the database, so that it is never held against another.
fn side_file(configuration: &Configuration) -> Result<Option<PathBuf>, Failure> {
    let url = match &configuration.database {
        Database::Sqlite(_) => return Ok(Some(Place::of(configuration)?.side_file())),
        Database::Postgres(url) => url,
    };
    // Where it is, not who asks for it: a changed password is no other database. All of it counts, also what follows a
    // question mark: held against another database the file would end everything there.
    let (_, place) = url.text.rsplit_once('@').unwrap_or(("", &url.text));
    let mut all = DefaultHasher::new();
    place.hash(&mut all);
    let shown = place.split('?').next().unwrap_or_default();
    let name: String = shown.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
    let name = format!("{name}-{:016x}.position", all.finish());
    let beside_key = match &configuration.master_key {
        MasterKeySource::File(path) => path.parent(),
        MasterKeySource::Given(_) => None,
    };
    let mut refused = None;
    // A key that was handed over (a secret of Docker's, Kubernetes' or systemd's) lies where nothing can be written.
    for folder in beside_key.into_iter().chain([Path::new("data")]) {
        let file = folder.join(&name);
        crate::owner::check(&file)?;
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).and_then(|()| {
            let mut options = std::fs::OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&file)
        });
        match made {
            Ok(_) => return Ok(Some(file)),
            Err(error) => refused = Some((file, error)),
        }
    }
    if let Some((file, error)) = refused {
        // A container without a place of its own: the database itself says where it is.
        tracing::warn!(file.path = %file.display(), %error, "this node keeps no position of its own");
    }
    Ok(None)
}

/// How mail leaves.
pub(crate) fn mailer(configuration: &Configuration) -> Result<Arc<dyn Mailer>, Failure> {
    let from = &configuration.mail_from;
    match &configuration.mail {
        MailRoute::Smtp { url } => Ok(Arc::new(SmtpMailer::new(url, from).map_err(Failure::because("mail.url"))?)),
        MailRoute::Outbox { folder } => {
            Ok(Arc::new(OutboxFolder::new(folder.clone(), from).map_err(Failure::because("mail.outbox"))?))
        }
    }
}

/// Whether mail could leave so. Makes nothing.
pub(crate) fn check_mailer(configuration: &Configuration) -> Result<(), Failure> {
    match &configuration.mail {
        MailRoute::Smtp { .. } => mailer(configuration).map(drop),
        MailRoute::Outbox { .. } => {
            OutboxFolder::check(&configuration.mail_from).map_err(Failure::because("mail.from"))
        }
    }
}

/// What mails say, by the settings.
pub(crate) fn templates(configuration: &Configuration) -> Result<Templates, Failure> {
    Templates::load(configuration.app.mail_templates.as_deref()).map_err(|mut bad| {
        for one in &mut bad.0 {
            one.insert_str(0, "mail.templates: ");
        }
        bad.into()
    })
}

/// The list of breached passwords that the settings name, if they do.
pub(crate) fn breached_list(configuration: &Configuration) -> Result<Option<List>, Failure> {
    let Some(path) = &configuration.app.password.breached_list else { return Ok(None) };
    let because = Failure::because(format!("password.breached_list: {}", path.display()));
    List::open(path).map(Some).map_err(because)
}

/// The master key, from where the settings say. Made only together with a new database: beside one that was sealed with
/// another it would be worth nothing, and hide that the right one is lost.
pub(crate) async fn master_key(source: &MasterKeySource, store: &Store, lease: Lease) -> Result<MasterKey, Failure> {
    let path = match source {
        MasterKeySource::Given(text) => {
            return MasterKey::parse(text).ok_or_else(|| Failure::new("keys.master_key is not a key of 32 bytes"));
        }
        MasterKeySource::File(path) => path,
    };
    if let Some(key) = read_key(path)? {
        return Ok(key);
    }
    let may_be_made = lease != Lease::Guest || !store.is_sqlite();
    if !may_be_made || Keyring::is_sealed(store).await? {
        return Err(Failure::new(format!(
            "the database is sealed with a master key, but its file {} is not there: \
             put the file back (it belongs to the database and is not in its backups), on another machine copy it from a node \
             that has it, or set CERROJO_KEYS__MASTER_KEY",
            path.display()
        )));
    }
    let key = MasterKey::generate(&SystemRandom);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let cannot = Failure::because(folder.display().to_string());
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(cannot)?;
    }
    write_key(path, &key)
        .map_err(Failure::because(format!("the master key cannot be written to {}", path.display())))?;
    tracing::info!(
        file.path = %path.display(),
        "made a master key for the new database: keep a copy of it in a safe place, and give it to every other node"
    );
    Ok(key)
}

fn read_key(path: &Path) -> Result<Option<MasterKey>, Failure> {
    let cannot = |error: std::io::Error| Failure::new(format!("the master key file {}: {error}", path.display()));
    let mut file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(cannot)?,
    };
    if !crate::owner::is_closed(&file.metadata().map_err(cannot)?) {
        return Err(Failure::new(format!(
            "the master key file {0} can be read by others: chmod 600 {0}",
            path.display()
        )));
    }
    let mut text = Zeroizing::new(String::new());
    (&mut file).take(1024).read_to_string(&mut text).map_err(cannot)?;
    let key = MasterKey::parse(text.trim());
    key.map(Some).ok_or_else(|| {
        Failure::new(format!(
            "{} holds no master key (32 bytes as 64 hexadecimal digits or base64): put back the right file",
            path.display()
        ))
    })
}

/// Whole and on the disk before anything is sealed with it.
fn write_key(path: &Path, key: &MasterKey) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unfinished = crate::place::beside(path, ".new");
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    let text = Zeroizing::new(format!("{}\n", *Zeroizing::new(key.to_hex())));
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    File::open(folder)?.sync_all()
}

/// Opens another file than the configured database.
pub(crate) async fn store_at(path: &Path) -> Result<Store, Failure> {
    Ok(Store::open(&url(path)?, options(1)).await?)
}
