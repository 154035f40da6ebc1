//! An app over a database of its own, a clock that moves when told, and a mailer that keeps what it is given.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cerrojo_app::keys::MasterKey;
use cerrojo_app::login::{Credentials, LoginError, SignedIn, login};
use cerrojo_app::mail::{Mail, Mailer};
use cerrojo_app::register::{NewAccount, Registered, register};
use cerrojo_app::{Algorithm, App, Argon2Settings, Lease, Parts, Settings};
use cerrojo_domain::{Clock, Origin, SystemRandom, UnixMillis};
use cerrojo_store::{OpenOptions, Store};

pub(crate) const PASSWORD: &str = "una contraseña larga";

#[derive(Default)]
pub(crate) struct ToldClock(AtomicI64);

impl ToldClock {
    pub(crate) fn forward(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for ToldClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_770_976_800_000 + self.0.load(Ordering::Relaxed))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(10_000 + u64::try_from(self.0.load(Ordering::Relaxed)).unwrap())
    }
}

#[derive(Default)]
pub(crate) struct Letterbox {
    pub(crate) mails: Mutex<Vec<Mail>>,
    pub(crate) down: AtomicBool,
}

impl Mailer for Letterbox {
    fn send<'a>(&'a self, mail: &'a Mail) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move {
            if self.down.load(Ordering::Relaxed) {
                return Err("down".to_owned());
            }
            self.mails.lock().unwrap().push(mail.clone());
            Ok(())
        })
    }
}

pub(crate) struct Place {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<ToldClock>,
    pub(crate) letterbox: Arc<Letterbox>,
    _folder: tempfile::TempDir,
}

pub(crate) async fn place(algorithm: Algorithm) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("cerrojo.db").display());
    let store = Store::open(&url, OpenOptions::default()).await.unwrap();
    store.migrate().await.unwrap();
    let clock = Arc::new(ToldClock::default());
    let letterbox = Arc::new(Letterbox::default());
    let mut settings = Settings { algorithm, ..Settings::for_url("https://auth.example.com") };
    settings.password.argon2 = Argon2Settings { memory_kib: 32, passes: 1, lanes: 1 };
    let app = App::start(Parts {
        settings,
        store,
        clock: clock.clone(),
        random: Arc::new(SystemRandom),
        mailer: letterbox.clone(),
        master_key: MasterKey::generate(&SystemRandom),
        lease: Lease::Holder,
        side_file: None,
        about: String::new(),
    })
    .await
    .unwrap();
    Place { app, clock, letterbox, _folder: folder }
}

pub(crate) fn origin() -> Origin {
    Origin::new("192.0.2.7".parse().unwrap(), "Mozilla/5.0 (X11; Linux) Firefox/125.0")
}

impl Place {
    pub(crate) async fn register(&self, email: &str) -> SignedIn {
        let typed = NewAccount {
            name: Some("Ana".to_owned()),
            email: Some(email.to_owned()),
            password: Some(PASSWORD.to_owned()),
        };
        let registered = register(&self.app, &origin(), typed).await.outcome.unwrap();
        let Registered::SignedIn(signed_in) = registered else { unreachable!() };
        *signed_in
    }

    pub(crate) async fn login(&self, password: &str) -> Result<SignedIn, LoginError> {
        let typed = Credentials { email: Some("ana@example.com".to_owned()), password: Some(password.to_owned()) };
        login(&self.app, &origin(), typed).await.outcome
    }

    pub(crate) fn is_good(&self, token: &str) -> bool {
        self.app.guard.check(token).is_ok()
    }

    /// Takes the mails out of the box.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        std::mem::take(&mut self.letterbox.mails.lock().unwrap())
    }
}
