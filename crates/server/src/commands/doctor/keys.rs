//! Whether the signing keys can be opened.

use std::sync::Arc;

use cerrojo_app::Lease;
use cerrojo_app::keys::{self, Keyring};
use cerrojo_domain::SystemClock;
use cerrojo_store::Store;
use zeroize::Zeroizing;

use super::{Finding, Patient};
use crate::config::MasterKeySource;
use crate::failure::Failure;
use crate::open;
use crate::owner::is_handed_over;

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
    let master = open::master_key(&as_handed_over(patient)?, store, Lease::Guest).await?;
    keys::check(store, &configuration.app, (master, Arc::new(SystemClock::new()))).await?;
    Ok(true)
}

/// Where the master key is. One that root handed over to the server's group is read for the server, which root is not.
fn as_handed_over(patient: &Patient) -> Result<MasterKeySource, Failure> {
    let source = &patient.configuration.master_key;
    let MasterKeySource::File(path) = source else { return Ok(source.clone()) };
    if !std::fs::metadata(path).is_ok_and(|file| is_handed_over(&file, patient.serving.user)) {
        return Ok(source.clone());
    }
    let because = Failure::because(format!("the master key file {}", path.display()));
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(because)?);
    Ok(MasterKeySource::Given(Zeroizing::new(text.trim().to_owned())))
}
