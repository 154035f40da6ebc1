//! Databases with users, live and ended sessions and tokens of them, made through the app's keys and the store.

use std::fs::{File, OpenOptions as FileOptions};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cerrojo_app::hashing::Hasher;
use cerrojo_app::keys::{MasterKey, SessionSigner};
use cerrojo_app::mail::OutboxFolder;
use cerrojo_app::{App, Lease, Parts, Settings, lease};
use cerrojo_domain::{
    Actor, Email, EndReason, Ending, KeyId, ListIndex, ListName, SessionId, Status, SystemClock, SystemRandom,
    USER_ROLE, UnixMillis, User,
};
use cerrojo_guard::Claims;
use cerrojo_store::endings::{self, Which};
use cerrojo_store::lists::{self, Wanted};
use cerrojo_store::sessions::{self, NewSession};
use cerrojo_store::users::{self, NewUser};
use cerrojo_store::{OpenOptions, Store};

use crate::failure::{Failure, Outcome};
use crate::load::Draws;
use crate::requests::{PASSWORD, PUBLIC_URL, email};

/// Users of every seed.
pub(crate) const USERS: usize = 1_000;
/// How long seeded sessions live.
pub(crate) const LIFE: Duration = Duration::from_hours(360 * 24);
/// Rows in one transaction.
const CHUNK: usize = 20_000;
/// As the app makes them.
pub(crate) const LIST: u32 = 1 << 17;
/// The file that holds the master key.
pub(crate) const MASTER_KEY: &str = "master.key";
/// What every session calls itself.
pub(crate) const DEVICE: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

/// How much is seeded.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Live sessions.
    pub(crate) live: usize,
    /// Ended ones.
    pub(crate) ended: usize,
    /// Of how many of each there are tokens, at most.
    pub(crate) tokens: usize,
}

/// A database that is being filled.
pub(crate) struct Seeding {
    /// What works on it.
    pub(crate) app: Arc<App>,
    signer: Arc<SessionSigner>,
    users: Vec<User>,
    /// When every session starts.
    pub(crate) started_at: UnixMillis,
    /// When every session expires.
    pub(crate) expires_at: UnixMillis,
}

/// Fills `folder` with what a server leaves there, and with the files `live` and `ended`: a session and its token a line.
pub(crate) async fn fill(folder: &Path, plan: Plan) -> Outcome<()> {
    fill_at(&format!("sqlite:{}", folder.join("cerrojo.db").display()), folder, plan).await
}

/// The same with the database at `url`.
pub(crate) async fn fill_at(url: &str, folder: &Path, plan: Plan) -> Outcome<()> {
    let seeding = Seeding::begin(url, folder).await?;
    let mut ids: Vec<SessionId> = (0..plan.live + plan.ended).map(|_| SessionId::new(&SystemRandom)).collect();
    // In their order rows are appended: a million of them in random places would take an hour.
    ids.sort_unstable();
    let total = ids.len().max(1);
    let (mut live, mut ended) = (Vec::new(), Vec::new());
    let mut places = Vec::new();
    for (chunk, first) in ids.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
        let mut over = Vec::new();
        let mut rows = Vec::with_capacity(chunk.len());
        for (id, number) in chunk.iter().zip(first..) {
            let user = seeding.user(number)?;
            let row = seeding.row(id, user, seeding.place(&mut places).await?);
            // Spread evenly.
            let ends = (number + 1) * plan.ended / total > number * plan.ended / total;
            let tokens = if ends { &mut ended } else { &mut live };
            if tokens.len() < plan.tokens {
                tokens.push(format!("{id} {}", seeding.token(&row, user).await?));
            }
            if ends {
                over.push(id);
            }
            rows.push(row);
        }
        seeding.write(&rows, &over).await?;
    }
    shuffle(&mut live);
    shuffle(&mut ended);
    write_lines(&folder.join("live"), &live)?;
    write_lines(&folder.join("ended"), &ended)?;
    seeding.finish().await
}

impl Seeding {
    /// A new database at `url`, with keys and users; the master key is put into `folder`.
    pub(crate) async fn begin(url: &str, folder: &Path) -> Outcome<Self> {
        let store = Store::open(url, OpenOptions::default()).await?;
        store.migrate().await?;
        let master_key = MasterKey::generate(&SystemRandom);
        let mut file = FileOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(MASTER_KEY))?;
        writeln!(file, "{}", master_key.to_hex())?;
        let lease = if store.is_sqlite() { Lease::Holder } else { Lease::Member };
        let app = start(store, folder, (master_key, lease)).await?;
        let signer = app.keys.session_signer()?;
        let started_at = app.clock.now();
        let expires_at = UnixMillis(started_at.plus(LIFE).seconds() * 1000);
        let users = make_users(&app).await?;
        Ok(Self { app, signer, users, started_at, expires_at })
    }

    /// Lets go of the database: nobody is to wait for this process.
    pub(crate) async fn finish(self) -> Outcome<()> {
        lease::give_back(&self.app).await.map_err(|trouble| Failure(trouble.to_string()))?;
        self.app.store.close().await;
        Ok(())
    }

    /// The next place; a new list when one is full.
    async fn place(&self, places: &mut Vec<(ListName, ListIndex)>) -> Outcome<(ListName, ListIndex)> {
        if let Some(place) = places.pop() {
            return Ok(place);
        }
        let fresh = ListName::new(&SystemRandom);
        let expires_by = self.expires_at.plus(Duration::from_hours(1));
        let wanted = Wanted { expires_by, len: LIST, capacity: LIST, fresh: &fresh, now: self.started_at };
        let (list, block) = lists::reserve(&self.app.store, &wanted).await?;
        let indexes = (block.first..block.first + block.len).rev();
        places.extend(indexes.map(|index| (list.name.clone(), ListIndex(index))));
        places.pop().ok_or_else(|| Failure("an empty list was reserved".to_owned()))
    }

    /// One of the users, from 0.
    pub(crate) fn user(&self, number: usize) -> Outcome<&User> {
        self.users.get(number % USERS).ok_or_else(|| Failure("no such user".to_owned()))
    }

    /// The key that signs.
    pub(crate) fn key(&self) -> &KeyId {
        self.signer.key()
    }

    /// A session at this place.
    pub(crate) fn row(&self, id: &SessionId, user: &User, (list, index): (ListName, ListIndex)) -> NewSession {
        NewSession {
            id: id.clone(),
            user: user.id,
            list,
            index,
            key: self.signer.key().clone(),
            started_at: self.started_at,
            expires_at: self.expires_at,
            device: DEVICE.to_owned(),
            address: Some(IpAddr::from(Ipv4Addr::LOCALHOST)),
        }
    }

    /// A token of it.
    pub(crate) async fn token(&self, session: &NewSession, user: &User) -> Outcome<String> {
        let uri = format!("{PUBLIC_URL}/status-lists/{}", session.list);
        let claims = Claims {
            iss: PUBLIC_URL.to_owned(),
            aud: PUBLIC_URL.to_owned(),
            sub: user.id.to_string(),
            iat: session.started_at.seconds(),
            exp: session.expires_at.seconds(),
            jti: SessionId::new(&SystemRandom).to_string(),
            sid: session.id.to_string(),
            status: cerrojo_guard::Status { status_list: cerrojo_guard::StatusList { idx: session.index.0, uri } },
            user_id: user.id.0,
            email: user.email.as_str().to_owned(),
            role_id: user.role_id,
            name: user.name.clone(),
        };
        Ok(self.signer.sign(&claims).await?)
    }

    async fn write(&self, rows: &[NewSession], over: &[&SessionId]) -> Outcome<()> {
        let mut tx = self.app.store.begin().await?;
        for row in rows {
            sessions::insert(&mut tx, row).await?;
        }
        tx.commit().await?;
        let mut tx = self.app.store.begin_ending().await?;
        let at = self.app.clock.now();
        for id in over {
            let ending = Ending { reason: EndReason::Logout, actor: Actor::Server, at, place: None };
            endings::end(&mut tx, Which::One(id), &ending).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// An app beside the servers of a filled PostgreSQL database.
pub(crate) async fn guest(url: &str, folder: &Path) -> Outcome<Arc<App>> {
    let text = std::fs::read_to_string(folder.join(MASTER_KEY))?;
    let master_key = MasterKey::parse(text.trim()).ok_or_else(|| Failure("no master key".to_owned()))?;
    start(Store::open(url, OpenOptions::default()).await?, folder, (master_key, Lease::Guest)).await
}

async fn start(store: Store, folder: &Path, (master_key, lease): (MasterKey, Lease)) -> Outcome<Arc<App>> {
    let mailer = OutboxFolder::new(folder.join("outbox"), "bench@example.com").map_err(Failure)?;
    let parts = Parts {
        settings: Settings::for_url(PUBLIC_URL),
        store,
        clock: Arc::new(SystemClock::new()),
        random: Arc::new(SystemRandom),
        mailer: Arc::new(mailer),
        master_key,
        lease,
        side_file: Some(folder.join("cerrojo.db.position")),
        about: String::new(),
    };
    App::start(parts).await.map_err(|error| Failure(format!("{error:?}")))
}

/// All have one password, hashed once.
async fn make_users(app: &App) -> Outcome<Vec<User>> {
    let hash = app.hasher.hash(Hasher::operator_turn(), PASSWORD.to_owned()).await;
    let password_hash = hash.map_err(|busy| Failure(format!("{busy:?}")))?;
    let mut tx = app.store.begin().await?;
    let mut made = Vec::with_capacity(USERS);
    for number in 0..USERS {
        let user = NewUser {
            name: format!("Ana Pérez {number}"),
            email: Email::parse(&email(number)).map_err(|error| Failure(format!("{error:?}")))?,
            password_hash: password_hash.clone(),
            role_id: USER_ROLE,
            status: Status::Active,
            registered_at: app.clock.now(),
            email_verified: false,
        };
        made.push(users::insert(&mut tx, &user).await?);
    }
    tx.commit().await?;
    Ok(made)
}

/// What follows each other is not to lie beside each other in the database.
fn shuffle(tokens: &mut [String]) {
    let mut draws = Draws::new(7);
    for last in (1..tokens.len()).rev() {
        tokens.swap(last, draws.next() % (last + 1));
    }
}

fn write_lines(path: &Path, lines: &[String]) -> Outcome<()> {
    let mut file = std::io::BufWriter::new(File::create(path)?);
    for line in lines {
        writeln!(file, "{line}")?;
    }
    Ok(file.flush()?)
}

/// Tokens of a seed: `live` or `ended`.
pub(crate) fn read_tokens(folder: &Path, which: &str) -> Outcome<Vec<String>> {
    Ok(read_pairs(folder, which)?.into_iter().map(|(_, token)| token).collect())
}

/// The sessions of the live tokens, in their order.
pub(crate) fn read_sessions(folder: &Path) -> Outcome<Vec<SessionId>> {
    Ok(read_pairs(folder, "live")?.into_iter().map(|(id, _)| SessionId::from_text(id)).collect())
}

fn read_pairs(folder: &Path, which: &str) -> Outcome<Vec<(String, String)>> {
    let text = std::fs::read_to_string(folder.join(which))?;
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs.map(|(id, token)| (id.to_owned(), token.to_owned())).collect())
}
