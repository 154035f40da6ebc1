//! Whether the signing keys can be opened.

use std::sync::Arc;

use cerrojo_app::Lease;
use cerrojo_app::keys::{self, Keyring};
use cerrojo_domain::SystemClock;
use cerrojo_store::Store;

use super::{Finding, Patient};
use crate::failure::Failure;
use crate::open;

pub(super) async fn look(patient: &Patient, store: &Store) -> Finding {
    const CHECK: &str = "keys";
    match opened(patient, store).await {
        Ok(true) => Finding::ok(CHECK, "the master key opens all of them"),
        Ok(false) => Finding::ok(CHECK, "none yet: the first start makes them"),
        Err(failure) => Finding::failed(CHECK, &failure),
    }
}

async fn opened(patient: &Patient, store: &Store) -> Result<bool, Failure> {
    // Without a seal a master key would be made.
    if !Keyring::is_sealed(store).await? {
        return Ok(false);
    }
    let configuration = &patient.configuration;
    let master = open::master_key(&configuration.master_key, store, Lease::Guest).await?;
    keys::check(store, &configuration.app, (master, Arc::new(SystemClock::new()))).await?;
    Ok(true)
}
