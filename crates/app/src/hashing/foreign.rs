//! Password hashes as other systems write them, brought into the form in which they are kept and checked here.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

pub use self::options::{Node, OptionsError, firebase, node};
use super::schemes::{Digest, Flavour, Pbkdf2Cost, ScryptCost, Stored, Unreadable};
use crate::Argon2Settings;

mod options;

/// With padding or without: systems differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// How a system writes its hashes.
#[derive(Clone, Debug, Default)]
pub enum Format {
    /// Each says what it is: bcrypt, a PHC string, Django's, ASP.NET Core Identity's, or Keycloak's with its `credentialData`.
    #[default]
    Telling,
    /// What `crypto.scrypt` or `crypto.pbkdf2` of Node made: a salt and a hash, side by side or in two columns.
    Node(Node),
    /// Firebase Authentication's, with the project's parameters.
    Firebase(Firebase),
}

/// The hash parameters of a Firebase project.
#[derive(Clone)]
pub struct Firebase {
    signer: Vec<u8>,
    separator: Vec<u8>,
    cost: ScryptCost,
}

impl std::fmt::Debug for Firebase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Firebase").field("cost", &self.cost).finish_non_exhaustive()
    }
}

/// A hash as the other system's table has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Foreign<'a> {
    /// The hash, with all that belongs to it where the system writes it together.
    pub hash: &'a str,
    /// The salt, where it stands apart.
    pub salt: Option<&'a str>,
    /// Keycloak's `credentialData`.
    pub parameters: Option<&'a str>,
}

/// The text under which a hash of another system is kept here.
///
/// # Errors
/// [`Unreadable`] if no password could ever be checked against it.
pub fn adopt(format: &Format, foreign: Foreign<'_>) -> Result<String, Unreadable> {
    // A table may hold what the application made before, or has made since.
    let stored = match format {
        _ if foreign.hash.starts_with('$') => None,
        Format::Telling => None,
        Format::Node(node) => node.read(foreign),
        Format::Firebase(firebase) => firebase.read(foreign),
    };
    if stored.is_some() { checked(stored) } else { telling(foreign) }
}

/// What a user without a password has, in words.
pub const NO_PASSWORD: &str = "none";

/// The kind of a hash that is kept, in words.
#[must_use]
pub fn name_of(kept: &str) -> &'static str {
    match Stored::parse(kept) {
        Ok(stored) => stored.name(),
        Err(_) => NO_PASSWORD,
    }
}

fn telling(foreign: Foreign<'_>) -> Result<String, Unreadable> {
    let hash = foreign.hash;
    if let Some(parameters) = foreign.parameters {
        return checked(keycloak(hash, parameters));
    }
    if hash.starts_with('$') {
        return Stored::parse(hash)
            .or_else(|error| passlib(hash).ok_or(error))
            .and_then(|stored| checked(Some(stored)));
    }
    checked(django(hash).or_else(|| aspnet(hash)))
}

/// Some ask for hundreds of bytes. The first 64 are the same whatever is asked for, and no worse to guess.
fn shortened(stored: Stored) -> Stored {
    let short = |mut hash: Vec<u8>| {
        hash.truncate(64);
        hash
    };
    match stored {
        Stored::Scrypt { cost, salt, hash } => Stored::Scrypt { cost, salt, hash: short(hash) },
        Stored::Pbkdf2 { cost, salt, hash } => Stored::Pbkdf2 { cost, salt, hash: short(hash) },
        other => other,
    }
}

/// As it will be read at a sign-in, so that nothing is taken over that would be refused then.
fn checked(stored: Option<Stored>) -> Result<String, Unreadable> {
    let text = stored.map(shortened).ok_or(Unreadable::Unknown)?.text();
    Stored::parse(&text)?;
    Ok(text)
}

/// passlib's `$pbkdf2-sha256$29000$salt$hash`: base64 with dots for plus signs.
fn passlib(text: &str) -> Option<Stored> {
    let fields: Vec<&str> = text.strip_prefix('$')?.split('$').collect();
    let [id, iterations, salt, hash] = *fields.as_slice() else { return None };
    let digest = Digest::of_id(id)?;
    let bytes = |text: &str| BASE64.decode(text.replace('.', "+")).ok();
    pbkdf2(digest, iterations.parse().ok()?, bytes(salt)?, bytes(hash)?)
}

/// `pbkdf2_sha256$iterations$salt$hash`, `scrypt$n$salt$r$p$hash`, `argon2$argon2id$…`, `bcrypt$$2b$…` (Django's
/// `django.contrib.auth.hashers`). The salts are texts.
fn django(text: &str) -> Option<Stored> {
    let (algorithm, rest) = text.split_once('$')?;
    let fields: Vec<&str> = rest.split('$').collect();
    match (algorithm, fields.as_slice()) {
        ("pbkdf2_sha256" | "pbkdf2_sha1", [iterations, salt, hash]) => {
            let digest = Digest::parse(algorithm.strip_prefix("pbkdf2_")?)?;
            pbkdf2(digest, iterations.parse().ok()?, salt.as_bytes().to_vec(), BASE64.decode(hash).ok()?)
        }
        ("scrypt", [n, salt, r, p, hash]) => {
            let cost = scrypt_cost(n.parse().ok()?, r.parse().ok()?, p.parse().ok()?)?;
            Some(Stored::Scrypt { cost, salt: salt.as_bytes().to_vec(), hash: BASE64.decode(hash).ok()? })
        }
        ("argon2", _) => Stored::parse(&format!("${rest}")).ok(),
        ("bcrypt", _) => Stored::parse(rest).ok(),
        _ => None,
    }
}

/// The binary forms of ASP.NET Core Identity (`PasswordHasher`), in base64: version 2 begins with a 0, version 3 with a 1.
fn aspnet(text: &str) -> Option<Stored> {
    let bytes = BASE64.decode(text).ok()?;
    let (version, rest) = bytes.split_first()?;
    match version {
        0 if rest.len() == 48 => {
            let (salt, hash) = rest.split_at_checked(16)?;
            pbkdf2(Digest::Sha1, 1000, salt.to_vec(), hash.to_vec())
        }
        1 => {
            let (head, rest) = rest.split_at_checked(12)?;
            let mut numbers =
                head.chunks_exact(4).map(|chunk| chunk.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)));
            let (prf, iterations, salt_length) = (numbers.next()?, numbers.next()?, numbers.next()?);
            let digest = match prf {
                0 => Digest::Sha1,
                1 => Digest::Sha256,
                2 => Digest::Sha512,
                _ => return None,
            };
            let (salt, hash) = rest.split_at_checked(usize::try_from(salt_length).ok()?)?;
            pbkdf2(digest, iterations, salt.to_vec(), hash.to_vec())
        }
        _ => None,
    }
}

/// Keycloak's `secretData` (`{"value": …, "salt": …}`) and `credentialData` (`{"hashIterations": …, "algorithm": …}`).
fn keycloak(secret: &str, parameters: &str) -> Option<Stored> {
    let secret: Value = serde_json::from_str(secret).ok()?;
    let parameters: Value = serde_json::from_str(parameters).ok()?;
    let bytes = |name: &str| BASE64.decode(secret.get(name)?.as_str()?).ok();
    let (salt, hash) = (bytes("salt")?, bytes("value")?);
    let iterations = u32::try_from(parameters.get("hashIterations")?.as_u64()?).ok()?;
    let algorithm = parameters.get("algorithm")?.as_str()?;
    if algorithm == "argon2" {
        // Every one of them is a list of one text.
        let more = |name: &str| parameters.get("additionalParameters")?.get(name)?.get(0)?.as_str();
        let flavour = Flavour::parse(&format!("argon2{}", more("type")?), more("version")? == "1.3")?;
        let (memory_kib, lanes) = (more("memory")?.parse().ok()?, more("parallelism")?.parse().ok()?);
        let cost = Argon2Settings { memory_kib, passes: iterations, lanes };
        return Some(Stored::Argon2 { flavour, cost, salt, hash });
    }
    let digest = Digest::of_id(algorithm)?;
    pbkdf2(digest, iterations, salt, hash)
}

impl Firebase {
    fn read(&self, foreign: Foreign<'_>) -> Option<Stored> {
        let mut salt = web_safe(foreign.salt?)?;
        salt.extend_from_slice(&self.separator);
        let hash = web_safe(foreign.hash)?;
        (hash.len() == self.signer.len()).then(|| Stored::Firebase {
            cost: self.cost,
            signer: self.signer.clone(),
            salt,
            hash,
        })
    }
}

/// Firebase's exports have been seen in both alphabets.
fn web_safe(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text.replace('-', "+").replace('_', "/")).ok()
}

#[expect(clippy::unnecessary_wraps, reason = "every reader gives an option")]
fn pbkdf2(digest: Digest, iterations: u32, salt: Vec<u8>, hash: Vec<u8>) -> Option<Stored> {
    Some(Stored::Pbkdf2 { cost: Pbkdf2Cost { digest, iterations }, salt, hash })
}

/// From N itself, which is a power of two (RFC 7914, section 2).
fn scrypt_cost(n: u64, r: u32, p: u32) -> Option<ScryptCost> {
    let log_n = u8::try_from(n.checked_ilog2()?).ok()?;
    n.is_power_of_two().then_some(ScryptCost { log_n, r, p })
}

#[cfg(test)]
mod tests;
