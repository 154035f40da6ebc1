//! A whole server in one process, without a socket.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use cerrojo_app::administer::{AddedUser, By, add_user};
use cerrojo_app::keys::MasterKey;
use cerrojo_app::{App, Argon2Settings, Lease, Parts, Settings, StartError};
use cerrojo_domain::ADMIN_ROLE;
use cerrojo_store::testing::Fresh;
use cerrojo_web::{Doors, HttpSettings, Routers};
use http_body_util::BodyExt as _;
use serde_json::json;
use tower::ServiceExt as _;

use crate::database::Database;
use crate::{Actor, Call, Engine, Exposition, Mailbox, ManualClock, PASSWORD, Reply, SeededRandom, SentMail};

/// Where the server under test says that it is reached.
pub const PUBLIC_URL: &str = "http://127.0.0.1:4000";

/// What a test may set before the server starts.
pub struct Options {
    /// What use cases need to know. Argon2 is as cheap as it can be.
    pub settings: Settings,
    /// What HTTP needs to know.
    pub http: HttpSettings,
}

impl Default for Options {
    fn default() -> Self {
        let mut settings = Settings::for_url(PUBLIC_URL);
        settings.password.argon2 = Argon2Settings { memory_kib: 64, passes: 1, lanes: 1 };
        settings.password.threads = 2;
        Self { settings, http: HttpSettings::default() }
    }
}

/// A server with its database, its clock and its mailbox. Clones are the same server.
#[derive(Clone)]
pub struct TestApp {
    /// Moves when told.
    pub clock: Arc<ManualClock>,
    /// Where mail goes.
    pub mailbox: Arc<Mailbox>,
    /// The same in every run.
    pub random: Arc<SeededRandom>,
    house: Arc<House>,
}

struct House {
    options: Mutex<Options>,
    master_key: Mutex<String>,
    actors: AtomicU32,
    running: Mutex<Option<Running>>,
    is_beating: AtomicBool,
    side_file: PathBuf,
    // Last: what runs on it goes before it.
    database: Arc<Database>,
}

#[derive(Clone)]
struct Running {
    app: Arc<App>,
    router: Router,
    metrics: Router,
}

impl TestApp {
    /// A server on a fresh database.
    pub async fn start(engine: Engine, options: Options) -> Self {
        let random = Arc::new(SeededRandom::new(27));
        let database = Arc::new(Database::fresh(engine).await);
        let app = Self {
            clock: Arc::new(ManualClock::default()),
            mailbox: Arc::new(Mailbox::default()),
            house: Arc::new(House {
                options: Mutex::new(options),
                master_key: Mutex::new(MasterKey::generate(random.as_ref()).to_hex()),
                actors: AtomicU32::new(0),
                running: Mutex::new(None),
                is_beating: AtomicBool::new(true),
                side_file: database.side_file(),
                database,
            }),
            random,
        };
        app.run().await;
        app
    }

    /// Another node on the same database (PostgreSQL), with a clock of its own and settings as this one's. Its actors
    /// have addresses of their own.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn another_node(&self) -> Self {
        static NODES: AtomicU32 = AtomicU32::new(1);
        let number = NODES.fetch_add(1, Ordering::SeqCst);
        let house = &self.house;
        let options = {
            let options = house.options.lock().unwrap_or_else(PoisonError::into_inner);
            Options { settings: options.settings.clone(), http: options.http.clone() }
        };
        let master_key = house.master_key.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let node = Self {
            clock: Arc::new(ManualClock::default()),
            mailbox: self.mailbox.clone(),
            random: Arc::new(SeededRandom::new(1_000 + u64::from(number))),
            house: Arc::new(House {
                options: Mutex::new(options),
                master_key: Mutex::new(master_key),
                actors: AtomicU32::new(number << 12),
                running: Mutex::new(None),
                is_beating: AtomicBool::new(true),
                side_file: house.side_file.with_extension(format!("node-{number}")),
                database: house.database.clone(),
            }),
        };
        node.run().await;
        node
    }

    /// From now on the lease is not renewed by itself any more (PostgreSQL).
    pub fn stop_beating(&self) {
        self.house.is_beating.store(false, Ordering::SeqCst);
    }

    /// Drops the server as a crash does, nothing finished and nothing written down, and starts it again on the same
    /// database and the same side file. Actors go on with the tokens they have.
    pub async fn restart(&self) {
        self.crash().await;
        self.run().await;
    }

    /// Drops the server as a crash does; its files are not in use any more.
    ///
    /// # Panics
    /// If its lease cannot be taken away.
    pub async fn crash(&self) {
        let running = self.house.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(running) = running {
            let store_of = running.app.clone();
            drop(running);
            // Whoever starts next need not wait until the row of the dead one was seen to stand still: that takes time,
            // and here time only passes when told.
            let gone = cerrojo_app::lease::give_back(&store_of).await;
            gone.expect("to take the lease away");
            store_of.store.close().await;
        }
        self.clock.begin_process();
    }

    /// Starts a server that was dropped.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn run(&self) {
        self.try_run().await.unwrap_or_else(|error| panic!("the server does not start: {error:?}"));
    }

    /// Starts a server that was dropped, if it will.
    ///
    /// # Errors
    /// Why it does not.
    ///
    /// # Panics
    /// If the database does not open.
    pub async fn try_run(&self) -> Result<(), StartError> {
        let house = &self.house;
        let (settings, http) = {
            let options = house.options.lock().unwrap_or_else(PoisonError::into_inner);
            (options.settings.clone(), options.http.clone())
        };
        if let Some(path) = self.database_url().strip_prefix("sqlite:") {
            App::before_opening(Path::new(path), &self.side_file()).await?;
        }
        let master_key = MasterKey::parse(&house.master_key.lock().unwrap_or_else(PoisonError::into_inner));
        let parts = Parts {
            settings,
            store: house.database.open(self.random.clone()).await,
            clock: self.clock.clone(),
            random: self.random.clone(),
            mailer: self.mailbox.clone(),
            master_key: master_key.expect("what to_hex wrote"),
            lease: if self.engine() == Engine::Sqlite { Lease::Holder } else { Lease::Member },
            side_file: Some(self.side_file()),
            about: "test".to_owned(),
        };
        // In a box: a test that holds it would be too large for the stack.
        let app = Box::pin(App::start(parts)).await?;
        let Routers { public: router, metrics } = cerrojo_web::routers(app.clone(), http, &Doors::default());
        *house.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(Running { app, router, metrics });
        Ok(())
    }

    /// Sets what the next start goes by.
    pub fn set(&self, set: impl FnOnce(&mut Options)) {
        set(&mut self.house.options.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Gives the next start this master key, in hexadecimal; the one given before.
    #[must_use]
    pub fn set_master_key(&self, key: &str) -> String {
        let mut place = self.house.master_key.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut place, key.to_owned())
    }

    /// The file beside the database that holds its last known position.
    #[must_use]
    pub fn side_file(&self) -> PathBuf {
        self.house.side_file.clone()
    }

    /// The database itself, for what operators do to it.
    #[must_use]
    pub fn database(&self) -> &Fresh {
        self.house.database.fresh_one()
    }

    /// Does to a database whose server was dropped what restoring it from elsewhere does: the position file is not there
    /// (SQLite), the tables are others (PostgreSQL).
    ///
    /// # Panics
    /// If it cannot be done.
    pub async fn look_restored(&self) {
        match self.engine() {
            Engine::Sqlite => std::fs::remove_file(self.side_file()).expect("a position file"),
            Engine::Postgres => self.database().restore_a_dump().await,
        }
    }

    fn running(&self) -> Running {
        let running = self.house.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.clone().expect("a server that runs")
    }

    /// The server's insides, for what has no endpoint.
    #[must_use]
    pub fn inside(&self) -> Arc<App> {
        self.running().app
    }

    /// The engine that the database runs on.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.house.database.engine()
    }

    /// Where the database is, for a second opinion.
    #[must_use]
    pub fn database_url(&self) -> &str {
        self.house.database.url()
    }

    /// Renews the lease if it is due by this node's clock, as a running server does by itself.
    ///
    /// # Panics
    /// If the database does not let it.
    pub async fn beat(&self) {
        if self.house.is_beating.load(Ordering::SeqCst) {
            cerrojo_app::lease::keep(&self.inside()).await.expect("to renew the lease");
        }
    }

    /// The server's router, for a test that needs real connections.
    pub fn router(&self) -> Router {
        self.running().router
    }

    /// What whoever watches is told.
    ///
    /// # Panics
    /// If it is not in the exposition format.
    pub async fn metrics(&self) -> Exposition {
        // What was read of the database counts for a second.
        self.clock.advance(Duration::from_secs(1));
        self.beat().await;
        let request = Request::get("/metrics").body(Body::empty()).expect("a request");
        let Ok(response) = self.running().metrics.oneshot(request).await;
        assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        Exposition::parse(std::str::from_utf8(&body).expect("UTF-8"))
    }

    /// Adds a service and gives its secret.
    ///
    /// # Panics
    /// If it cannot be added.
    pub async fn service(&self, name: &str) -> String {
        let secret = cerrojo_app::services::add(&self.inside(), name).await;
        secret.unwrap_or_else(|error| panic!("no service {name}: {error:?}")).to_string()
    }

    pub(crate) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        self.beat().await;
        match self.running().router.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// Does once, by hand, what the background tasks of a running server do.
    ///
    /// # Panics
    /// If any of it fails.
    pub async fn tick(&self) {
        let app = self.inside();
        self.beat().await;
        cerrojo_app::follow::look(&app).await.expect("to look at the log");
        cerrojo_app::onlookers::look(&app);
        cerrojo_app::activity::write_down(&app).await.expect("to write down activity");
        app.limits.save(&app.store).await.expect("to save the limits");
        cerrojo_app::sweep::sweep(&app).await.expect("to sweep");
        cerrojo_app::mail::deliver_due(&app).await.expect("to deliver mail");
        cerrojo_app::audit::seal(&app).await.expect("to chain the audit trail");
    }

    /// Delivers what is due and gives every mail that was ever sent, oldest first.
    ///
    /// # Panics
    /// If the jobs cannot be read.
    pub async fn mails(&self) -> Vec<SentMail> {
        let app = self.inside();
        cerrojo_app::mail::deliver_due(&app).await.expect("to deliver mail");
        self.mailbox.sent()
    }

    /// Asks for a reset mail and gives the code of its link.
    ///
    /// # Panics
    /// If no mail comes.
    pub async fn reset_code(&self, email: &str) -> String {
        let reply = self.visitor().post("/api/auth/forgot-password", json!({ "email": email })).await;
        assert_eq!(reply.status, 200, "{reply}");
        self.link_code(email).await
    }

    /// The code of the newest link that was mailed to this address.
    ///
    /// # Panics
    /// If there is none.
    pub async fn link_code(&self, email: &str) -> String {
        let mails = self.mails().await;
        let mut links = mails.iter().rev().filter(|mail| mail.to == email && mail.text.contains("token="));
        links.next().expect("a mail with a link to that address").reset_code()
    }

    /// Somebody without an account, at an address of their own.
    #[must_use]
    pub fn visitor(&self) -> Actor {
        let number = self.house.actors.fetch_add(1, Ordering::SeqCst);
        let address = Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 1).to_bits() + number);
        Actor::visitor(self, IpAddr::V4(address))
    }

    /// Registers `<name>@example.com` with [`PASSWORD`], signed in.
    ///
    /// # Panics
    /// If the registration fails.
    pub async fn user(&self, name: &str) -> Actor {
        let visitor = self.visitor();
        let body = json!({ "name": name, "email": format!("{name}@example.com"), "password": PASSWORD });
        let reply = visitor.post("/api/auth/register", body).await;
        assert_eq!(reply.status, 201, "{reply}");
        visitor.with_account(&reply.data())
    }

    /// An administrator of the kit's own, `jefa@example.com` with [`PASSWORD`], signed in.
    ///
    /// # Panics
    /// If the sign-in fails.
    pub async fn admin(&self) -> Actor {
        self.admin_named("jefa").await
    }

    /// An administrator, `<name>@example.com` with [`PASSWORD`], signed in.
    ///
    /// # Panics
    /// If the account cannot be added or the sign-in fails.
    pub async fn admin_named(&self, name: &str) -> Actor {
        let visitor = self.visitor();
        let email = format!("{name}@example.com");
        let added = AddedUser {
            name: name.to_owned(),
            email: email.clone(),
            password: PASSWORD.to_owned(),
            role_id: ADMIN_ROLE,
            email_verified: false,
        };
        add_user(&self.inside(), By::Operator, added)
            .await
            .unwrap_or_else(|error| panic!("no administrator: {error:?}"));
        let reply = visitor.try_login(&email, PASSWORD).await;
        assert_eq!(reply.status, 200, "{reply}");
        visitor.with_account(&reply.data())
    }

    /// Makes calls at the same time; the answers in the calls' order.
    ///
    /// # Panics
    /// If one of them panics.
    pub async fn together(&self, calls: impl IntoIterator<Item = Call>) -> Vec<Reply> {
        let under_way: Vec<_> = calls.into_iter().map(|call| tokio::spawn(call.into_future())).collect();
        let mut replies = Vec::new();
        for one in under_way {
            replies.push(one.await.expect("a call that does not panic"));
        }
        replies
    }
}
