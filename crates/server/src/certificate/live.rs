//! The certificate in use, exchanged while the server runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cerrojo_app::replaced::{InUse, Looked, Stamp};
use cerrojo_domain::{Clock as _, SystemClock, UnixMillis};
use cerrojo_web::Tls;
use tokio::time::{MissedTickBehavior, interval};

use super::read::{Pair, read};
use crate::config::TlsFiles;
use crate::failure::Failure;

/// How often the files are looked at. What has changed is read when it has not changed again by the next look: the
/// certificate and the key are two files, and nobody writes both at once.
const LOOK: Duration = Duration::from_secs(1);

/// The certificate in use and the files that it comes from.
pub(crate) struct Live {
    files: TlsFiles,
    public_url: String,
    tls: Tls,
    clock: SystemClock,
    in_use: Mutex<InUse<Pair, [Stamp; 2]>>,
    /// The certificate whose end was told of, by when that was.
    ended: Mutex<Option<UnixMillis>>,
}

impl Live {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// [`Failure`] if TLS cannot be spoken with them.
    pub(crate) fn start(files: TlsFiles, public_url: &str) -> Result<Arc<Self>, Failure> {
        let (pair, stamps) = read(&files, public_url).map_err(Failure::new)?;
        let tls = Tls::new(pair.identity()).map_err(Failure::because("TLS cannot be spoken"))?;
        let mut in_use = InUse::default();
        let _ = in_use.look(None, || Ok::<_, String>((pair, stamps)));
        let this = Self {
            files,
            public_url: public_url.to_owned(),
            tls,
            clock: SystemClock::new(),
            in_use: Mutex::new(in_use),
            ended: Mutex::default(),
        };
        if let Some(pair) = this.now() {
            this.tell(&pair, "TLS is spoken with this certificate");
        }
        this.tell_the_end();
        Ok(Arc::new(this))
    }

    /// What connections speak.
    pub(crate) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Takes what stands there now, if it can be used, and says what became of it.
    pub(crate) fn look(&self) {
        let there = self.stamps();
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        let before = in_use.now().map(|(pair, _)| Arc::clone(pair));
        match in_use.look(there.as_ref(), || self.read_another(before.as_deref())) {
            Looked::Same(_) => self.tls.note_refused(false),
            Looked::New(pair) => {
                self.tls.note_refused(false);
                match self.tls.replace(pair.identity()) {
                    Ok(()) => self.tell(&pair, "another TLS certificate is in use"),
                    Err(error) => tracing::error!(%error, "TLS cannot be spoken with the new certificate"),
                }
            }
            Looked::Refused(cause) => {
                self.tls.note_refused(true);
                if in_use.is_news(&cause) {
                    tracing::error!(
                        error = cause,
                        "the TLS certificate or its key was replaced by what cannot be used: the pair from before stays in use"
                    );
                }
            }
        }
        drop(in_use);
        self.tell_the_end();
    }

    /// Looks for as long as it is polled.
    pub(crate) async fn watch(self: Arc<Self>) {
        let mut clock = interval(LOOK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = self.stamps();
        loop {
            clock.tick().await;
            let this = Arc::clone(&self);
            // Disks may take their time.
            let looked = tokio::task::spawn_blocking(move || {
                let there = this.stamps();
                if there == seen {
                    this.look();
                }
                there
            });
            seen = looked.await.unwrap_or_default();
        }
    }

    fn now(&self) -> Option<Arc<Pair>> {
        let in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        in_use.now().map(|(pair, _)| Arc::clone(pair))
    }

    fn stamps(&self) -> Option<[Stamp; 2]> {
        let stamp = |path| std::fs::metadata(path).ok().map(|found| Stamp::of(&found));
        Some([stamp(&self.files.certificate)?, stamp(&self.files.key)?])
    }

    /// One that no client accepts now does not take the place of one that they do.
    fn read_another(&self, before: Option<&Pair>) -> Result<(Pair, [Stamp; 2]), String> {
        let now = self.clock.now();
        let (pair, stamps) = read(&self.files, &self.public_url)?;
        let Some(before) = before.filter(|before| before.is_out_of_time(now).is_none()) else {
            return Ok((pair, stamps));
        };
        if let Some(why) = pair.is_out_of_time(now) {
            return Err(format!("server.tls_certificate: {}: {why}", self.files.certificate.display()));
        }
        match &pair.other_host {
            Some(why) if before.other_host.is_none() => Err(why.clone()),
            _ => Ok((pair, stamps)),
        }
    }

    fn tell(&self, pair: &Pair, what: &'static str) {
        let not_after = pair.identity().not_after.rfc3339();
        tracing::info!(file.path = %self.files.certificate.display(), tls.server.not_after = not_after, "{what}");
        for warning in &pair.warnings {
            tracing::warn!("{warning}");
        }
    }

    /// Says once that no client accepts the certificate any more, or yet.
    fn tell_the_end(&self) {
        let Some(pair) = self.now() else { return };
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        match pair.is_out_of_time(self.clock.now()) {
            Some(why) if *ended != Some(pair.identity().not_after) => {
                *ended = Some(pair.identity().not_after);
                let path = self.files.certificate.display();
                tracing::error!(error = why, file.path = %path, "no client accepts the TLS certificate at this time");
            }
            Some(_) => {}
            None => *ended = None,
        }
    }
}
