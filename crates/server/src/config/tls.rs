//! Where the certificate that TLS is spoken with is.

use std::path::PathBuf;

use super::read::Reader;
use super::values::Scheme;
use super::{keys, values};

/// Files in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// The certificate and its chain.
    pub(crate) certificate: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
}

/// The certificate and its key, and what clients speak. One of the two alone is a mistake, in whatever way it was meant.
pub(super) fn read_tls(reader: &mut Reader<'_>) -> (Option<TlsFiles>, Scheme) {
    let before = reader.problems.len();
    let certificate = reader.optional(&keys::TLS_CERTIFICATE, values::path);
    let key = reader.optional(&keys::TLS_KEY, values::path);
    let alone = match (certificate, key) {
        (None, None) => return (None, Scheme::Http),
        (Some(certificate), Some(key)) => return (Some(TlsFiles { certificate, key }), Scheme::Https),
        (Some(_), None) => (&keys::TLS_CERTIFICATE, &keys::TLS_KEY),
        (None, Some(_)) => (&keys::TLS_KEY, &keys::TLS_CERTIFICATE),
    };
    if reader.problems.len() == before {
        let (given, missing) = alone;
        let place = reader.origin(given).place(given.name);
        reader.problems.push(format!("{place}: needs {}, {}", missing.name, missing.expects));
    }
    (None, Scheme::Https)
}
