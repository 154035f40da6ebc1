//! Whether keys could be opened, without making any.

use std::sync::Arc;

use cerrojo_domain::{Clock, SystemRandom};
use cerrojo_store::Store;

use super::{KeyError, Keyring, KeyringParts, MasterKey};
use crate::app::guard_of;
use crate::{Lease, Settings};

/// Unseals every key of the database as a start would. Changes nothing.
///
/// # Errors
/// [`KeyError`] if the master key or the secret of HS256 cannot be used, or the database fails.
pub async fn check(
    store: &Store,
    settings: &Settings,
    (master, clock): (MasterKey, Arc<dyn Clock>),
) -> Result<(), KeyError> {
    let opened = Keyring::open(KeyringParts {
        store,
        guard: Arc::new(guard_of(settings, &clock)),
        clock,
        random: Arc::new(SystemRandom),
        master,
        algorithm: settings.algorithm.clone(),
        earlier_secret: settings.earlier_secret.clone(),
        lease: Lease::Guest,
    });
    opened.await.map(drop)
}
