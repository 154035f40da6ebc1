//! How servers elsewhere are asked to show who they are.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use crate::failure::Failure;

/// TLS 1.2 or 1.3, with a certificate that the system's roots vouch for.
pub(crate) fn config() -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    // Those that cannot be read are not trusted; if none can be, that is said below.
    let _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(Failure::new("this system has no root certificates: install ca-certificates"));
    }
    with(roots)
}

/// The same for a way that needs none.
pub(crate) fn that_trusts_nobody() -> Result<ClientConfig, Failure> {
    with(RootCertStore::empty())
}

fn with(roots: RootCertStore) -> Result<ClientConfig, Failure> {
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Failure::because("TLS"))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
