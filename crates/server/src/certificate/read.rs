//! A certificate and its key, read from their files. What cannot work is refused; what will work for nobody, or not for
//! long, is told.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use cerrojo_app::replaced::Stamp;
use cerrojo_domain::UnixMillis;
use cerrojo_domain::host::host_of;
use cerrojo_web::Identity;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::Decode as _;
use zeroize::Zeroizing;

use crate::config::TlsFiles;
use crate::owner;

/// The largest file that is read: a chain has some kilobytes.
const LARGEST: u64 = 1024 * 1024;
const NO_CERTIFICATE: &str = "there is no certificate in it (-----BEGIN CERTIFICATE-----)";

/// A certificate whose key fits.
#[derive(Debug)]
pub(crate) struct Pair {
    key: Arc<CertifiedKey>,
    not_before: UnixMillis,
    not_after: UnixMillis,
    /// Why no client accepts it for this server, if it is for another one.
    pub(crate) other_host: Option<String>,
    /// What an operator should know, whatever the time is.
    pub(crate) warnings: Vec<String>,
}

impl Pair {
    /// To speak TLS with.
    pub(crate) fn identity(&self) -> Identity {
        Identity { key: Arc::clone(&self.key), not_after: self.not_after }
    }

    /// Why no client accepts it at this time, if none does.
    pub(crate) fn is_out_of_time(&self, now: UnixMillis) -> Option<String> {
        let Self { not_before, not_after, .. } = self;
        if now > *not_after {
            return Some(format!("it expired at {}: get a new one", not_after.rfc3339()));
        }
        (now < *not_before).then(|| format!("it is good only from {} on", not_before.rfc3339()))
    }
}

/// Reads the files, for a server that clients reach at `public_url`. With what tells the files that were read from others.
///
/// # Errors
/// What is wrong, and what to do, with the setting and the path.
pub(crate) fn read(files: &TlsFiles, public_url: &str) -> Result<(Pair, [Stamp; 2]), String> {
    let TlsFiles { certificate, key } = files;
    let of_certificate = |why: String| format!("server.tls_certificate: {}: {why}", certificate.display());
    let of_key = |why: String| format!("server.tls_key: {}: {why}", key.display());
    let (text, certificate_file) = read_file(certificate).map_err(of_certificate)?;
    let chain = certificates(&text).map_err(of_certificate)?;
    let read: Vec<_> = chain.iter().map(parsed).collect::<Result<_, _>>().map_err(of_certificate)?;
    let (text, key_file) = read_file(key).map_err(of_key)?;
    let signs = any_supported_type(&private_key(&text).map_err(of_key)?).map_err(|_| {
        of_key("is a key of another kind than ECDSA (P-256, P-384), Ed25519 and RSA (2048 bits at least)".to_owned())
    })?;
    let leaf = read.first().ok_or_else(|| of_certificate(NO_CERTIFICATE.to_owned()))?;
    let mut warnings = Vec::new();
    if key_file.mode() & 0o007 != 0 {
        warnings.push(of_key(format!("can be read by everybody on this machine: chmod 600 {}", key.display())));
    }
    if !are_in_order(&read) {
        warnings.push(of_certificate(
            "the certificates do not lead from one to the next: the server's comes first, then the one that signed it, and so on"
                .to_owned(),
        ));
    }
    let validity = leaf.tbs_certificate().validity();
    let time = |time: x509_cert::time::Time| {
        UnixMillis(i64::try_from(time.to_unix_duration().as_millis()).unwrap_or(i64::MAX))
    };
    let (not_before, not_after) = (time(validity.not_before), time(validity.not_after));
    let key = CertifiedKey::new(chain, signs);
    match key.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
        Err(Error::InconsistentKeys(_)) => {
            return Err(of_key(format!(
                "is not the key of the first certificate in {}: both have to be of the same order or renewal",
                certificate.display()
            )));
        }
        Err(error) => return Err(of_certificate(format!("the first certificate cannot be used: {error}"))),
    }
    let other_host = other_host(&key, public_url).map(of_certificate);
    warnings.extend(other_host.clone());
    let pair = Pair { key: Arc::new(key), not_before, not_after, other_host, warnings };
    Ok((pair, [Stamp::of(&certificate_file), Stamp::of(&key_file)]))
}

fn read_file(path: &Path) -> Result<(Zeroizing<Vec<u8>>, std::fs::Metadata), String> {
    let read = || {
        let (file, found) = owner::open_regular(path)?;
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(LARGEST + 1).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>((bytes, found))
    };
    let (bytes, found) = read().map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LARGEST {
        return Err("it has over a megabyte: that is something else".to_owned());
    }
    Ok((bytes, found))
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    // What the reader says of damage shows bytes of the file, which may be the key's.
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let chain = found.map_err(|_| "it is damaged: that is not PEM throughout".to_owned())?;
    if chain.is_empty() { Err(NO_CERTIFICATE.to_owned()) } else { Ok(chain) }
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(text).map_err(|_| {
        let is_encrypted = text.windows(b"ENCRYPTED".len()).any(|some| some == b"ENCRYPTED");
        if is_encrypted {
            return "the key has a passphrase, which nobody could type at each start: openssl pkey -in KEY -out PLAIN, and chmod 600"
                .to_owned();
        }
        "there is no private key in it (-----BEGIN PRIVATE KEY-----), or it is damaged".to_owned()
    })
}

fn parsed(der: &CertificateDer<'_>) -> Result<CertificateInner<Raw>, String> {
    CertificateInner::from_der(der).map_err(|error| format!("a certificate in it cannot be read: {error}"))
}

fn are_in_order(chain: &[CertificateInner<Raw>]) -> bool {
    chain
        .iter()
        .zip(chain.iter().skip(1))
        .all(|(one, next)| one.tbs_certificate().issuer() == next.tbs_certificate().subject())
}

/// What is wrong if the certificate is for another host than clients look for.
fn other_host(key: &CertifiedKey, public_url: &str) -> Option<String> {
    let host = host_of(public_url);
    let leaf = key.end_entity_cert().ok()?;
    let leaf = webpki::EndEntityCert::try_from(leaf).ok()?;
    let name = ServerName::try_from(host).ok()?;
    leaf.verify_is_valid_for_subject_name(&name).err()?;
    let names: Vec<_> = leaf.valid_dns_names().collect();
    let names = if names.is_empty() { "no host by name".to_owned() } else { names.join(", ") };
    Some(format!("is not for {host}, where clients reach the server (server.public_url), but for {names}"))
}
