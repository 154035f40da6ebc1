//! Services that may follow the server, report activity and ask about tokens: who they are and whether their secret is
//! right.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cerrojo_domain::{AddressBlock, AuditKind};
use cerrojo_store::audit;
use cerrojo_store::services::{self, Service};
use cerrojo_store::{Store, StoreError};
use subtle::ConstantTimeEq as _;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::administer::By;
use crate::limits::Public;
use crate::sha256::sha256;
use crate::{App, Quota, Trouble};

/// How old what was read may be.
const FRESH: Duration = Duration::from_millis(250);
/// How long the database is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
const LONGEST_NAME: usize = 64;

/// SHA-256 of a secret.
type Hash = [u8; 32];

/// A service whose credentials were right. Another secret makes it another one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ServiceId {
    /// Its name.
    pub name: String,
    hash: Hash,
}

/// The services as read lately.
#[derive(Default)]
pub struct Services {
    read: tokio::sync::Mutex<Read>,
}

#[derive(Default)]
struct Read {
    at: Option<Duration>,
    /// When it was last tried in vain.
    failed: Option<Duration>,
    known: Arc<HashMap<String, Hash>>,
}

/// Why credentials are not accepted.
#[derive(Debug)]
pub enum ServiceError {
    /// 401: no such service, or another secret.
    Wrong,
    /// 429: too many wrong ones from this address.
    TooMany(Quota),
    /// 503 or 500.
    Trouble(Trouble),
}

/// Why a service is not added.
#[derive(Debug)]
pub enum AddError {
    /// It is not a name.
    Name,
    /// There is one of this name.
    Taken,
    /// The database.
    Trouble(Trouble),
}

impl<E: Into<Trouble>> From<E> for ServiceError {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

/// Checks a name and a secret that came from `block`. The secret is compared in the same time wherever it differs, and so
/// is one of a service that does not exist.
///
/// Whoever is right is let in, however many wrong ones came from the same address: whoever shares it cannot shut services
/// out, and a secret of 256 random bits is not found by trying.
pub async fn check(app: &App, (name, secret): (&str, &[u8]), block: AddressBlock) -> Result<ServiceId, ServiceError> {
    let known = app.services.known(app).await?;
    let (expected, exists) = known.get(name).map_or(([0; 32], 0), |hash| (*hash, 1));
    let hash = sha256(secret);
    let is_right = hash.ct_eq(&expected) & subtle::Choice::from(exists);
    if !bool::from(is_right) {
        return Err(app
            .limits
            .request(Public::Service, block)
            .map_or_else(ServiceError::TooMany, |_| ServiceError::Wrong));
    }
    Ok(ServiceId { name: name.to_owned(), hash })
}

/// Whether a service that was right before is still there with the same secret. While the database cannot be asked, as
/// far as is known.
pub async fn is_still(app: &App, service: &ServiceId) -> bool {
    match app.services.known(app).await {
        Ok(known) => known.get(&service.name) == Some(&service.hash),
        Err(trouble) => {
            tracing::warn!(error = %trouble, "whether services were removed could not be asked");
            true
        }
    }
}

/// Adds a service. Its secret is told this once; only a hash of it is kept.
pub async fn add(app: &App, name: &str) -> Result<Zeroizing<String>, AddError> {
    if !is_name(name) {
        return Err(AddError::Name);
    }
    let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(*Zeroizing::new(app.random.bytes::<32>())));
    let secret_hash = sha256(secret.as_bytes()).to_vec();
    let service = Service { name: name.to_owned(), secret_hash, created_at: app.clock.now() };
    let insert = async {
        let mut tx = app.store.begin().await?;
        services::insert(&mut tx, &service).await?;
        audit::record(&mut tx, By::Operator.act(app, AuditKind::ServiceAdded).with("name", name)).await?;
        tx.commit().await
    };
    insert.await.map_err(|error: StoreError| match error {
        StoreError::Taken => AddError::Taken,
        other => AddError::Trouble(other.into()),
    })?;
    app.services.forget().await;
    Ok(secret)
}

/// All services by name.
pub async fn all(store: &Store) -> Result<Vec<Service>, Trouble> {
    Ok(services::all(&mut store.reader()).await?)
}

/// Removes a service: nothing more is answered to it, and its streams end within a second or so. Whether there was one.
pub async fn remove(app: &App, name: &str) -> Result<bool, Trouble> {
    let mut tx = app.store.begin().await?;
    let removed = services::remove(&mut tx, name).await?;
    if removed {
        audit::record(&mut tx, By::Operator.act(app, AuditKind::ServiceRemoved).with("name", name)).await?;
    }
    tx.commit().await?;
    app.services.forget().await;
    Ok(removed)
}

impl Services {
    /// Read again if what was read is old, by one caller however many ask.
    async fn known(&self, app: &App) -> Result<Arc<HashMap<String, Hash>>, Trouble> {
        let mut read = self.read.lock().await;
        let now = app.clock.elapsed();
        if read.at.is_none_or(|at| now.saturating_sub(at) >= FRESH) {
            let unavailable = || Trouble::Unavailable("services could not be read".to_owned());
            // Whoever waited meanwhile is told the same, and does not wait in turn for a database that is away.
            if read.failed.is_some_and(|failed| now.saturating_sub(failed) < FRESH) {
                return Err(unavailable());
            }
            // Not on the connections of requests: no flood of those shuts services out.
            let found = timeout(PATIENCE, services::all(&mut app.store.control())).await;
            read.failed = Some(app.clock.elapsed());
            let hashed = |service: Service| Some((service.name, Hash::try_from(service.secret_hash).ok()?));
            read.known = Arc::new(found.map_err(|_| unavailable())??.into_iter().filter_map(hashed).collect());
            read.failed = None;
            read.at = Some(now);
        }
        Ok(Arc::clone(&read.known))
    }

    async fn forget(&self) {
        self.read.lock().await.at = None;
    }
}

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=LONGEST_NAME).contains(&text.len()) && !text.starts_with('-') && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_need_no_quotes_anywhere() {
        for name in ["orders", "a", "orders-2.eu_west", &"x".repeat(64)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "-x", "a b", "a:b", "ñ", "a/b", "a%20", &"x".repeat(65)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
