//! Hashes as PHC strings: `$id$version$parameters$salt$hash`, in base64 without padding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::argon2::Flavour;
use super::{Digest, HASH_LENGTHS, LONGEST_SALT, Pbkdf2Cost, ScryptCost, Stored};
use crate::Argon2Settings;

/// Firebase's own, with the project's signer key among the parameters.
const FIREBASE: &str = "firebase-scrypt";

/// `None`: nothing that is known here.
pub(super) fn read(text: &str) -> Option<Stored> {
    let mut fields: Vec<&str> = text.strip_prefix('$')?.split('$').collect();
    let (hash, salt) = (fields.pop()?, fields.pop()?);
    let (hash, salt) = (bytes(hash)?, bytes(salt)?);
    if !HASH_LENGTHS.contains(&hash.len()) || !(1..=LONGEST_SALT).contains(&salt.len()) {
        return None;
    }
    match *fields.as_slice() {
        ["scrypt", parameters] => Some(Stored::Scrypt { cost: scrypt_cost(&mut parameters.split(','))?, salt, hash }),
        [FIREBASE, parameters] => {
            let (parameters, signer) = parameters.rsplit_once(",key=")?;
            let (cost, signer) = (scrypt_cost(&mut parameters.split(','))?, bytes(signer)?);
            (signer.len() == hash.len()).then_some(Stored::Firebase { cost, signer, salt, hash })
        }
        [id, parameters] if id.starts_with("pbkdf2") => {
            let digest = Digest::of_id(id)?;
            let mut parameters = parameters.split(',');
            let iterations = number(parameters.next()?.strip_prefix("i=")?)?;
            let length = parameters.next().map(|length| length.strip_prefix("l=").and_then(number));
            let told = length.is_none_or(|length| length == u32::try_from(hash.len()).ok());
            (told && parameters.next().is_none()).then_some(Stored::Pbkdf2 {
                cost: Pbkdf2Cost { digest, iterations },
                salt,
                hash,
            })
        }
        // Without a version it is from before there were any.
        [id, parameters] | [id, "v=16", parameters] => argon2(Flavour::parse(id, false)?, parameters, salt, hash),
        [id, "v=19", parameters] => argon2(Flavour::parse(id, true)?, parameters, salt, hash),
        _ => None,
    }
}

fn argon2(flavour: Flavour, parameters: &str, salt: Vec<u8>, hash: Vec<u8>) -> Option<Stored> {
    let mut parameters = parameters.split(',');
    let cost = Argon2Settings {
        memory_kib: number(parameters.next()?.strip_prefix("m=")?)?,
        passes: number(parameters.next()?.strip_prefix("t=")?)?,
        lanes: number(parameters.next()?.strip_prefix("p=")?)?,
    };
    let fit = parameters.next().is_none() && salt.len() >= ::argon2::MIN_SALT_LEN;
    fit.then_some(Stored::Argon2 { flavour, cost, salt, hash })
}

fn scrypt_cost<'a>(parameters: &mut impl Iterator<Item = &'a str>) -> Option<ScryptCost> {
    let cost = ScryptCost {
        log_n: u8::try_from(number(parameters.next()?.strip_prefix("ln=")?)?).ok()?,
        r: number(parameters.next()?.strip_prefix("r=")?)?,
        p: number(parameters.next()?.strip_prefix("p=")?)?,
    };
    parameters.next().is_none().then_some(cost)
}

pub(super) fn write(stored: &Stored) -> String {
    match stored {
        Stored::Argon2 { flavour: Flavour { algorithm, version }, cost, salt, hash } => {
            let Argon2Settings { memory_kib, passes, lanes } = cost;
            let version = u32::from(*version);
            let parameters = format!("v={version}$m={memory_kib},t={passes},p={lanes}");
            string(algorithm.as_str(), &parameters, salt, hash)
        }
        Stored::Scrypt { cost, salt, hash } => string("scrypt", &scrypt_parameters(*cost), salt, hash),
        Stored::Firebase { cost, signer, salt, hash } => {
            let parameters = format!("{},key={}", scrypt_parameters(*cost), STANDARD_NO_PAD.encode(signer));
            string(FIREBASE, &parameters, salt, hash)
        }
        Stored::Pbkdf2 { cost: Pbkdf2Cost { digest, iterations }, salt, hash } => {
            let id = format!("pbkdf2-{}", digest.name());
            string(&id, &format!("i={iterations},l={}", hash.len()), salt, hash)
        }
        Stored::Bcrypt { text, .. } => text.clone(),
    }
}

fn scrypt_parameters(ScryptCost { log_n, r, p }: ScryptCost) -> String {
    format!("ln={log_n},r={r},p={p}")
}

fn string(id: &str, parameters: &str, salt: &[u8], hash: &[u8]) -> String {
    format!("${id}${parameters}${}${}", STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash))
}

/// Never more than anybody needs.
fn bytes(text: &str) -> Option<Vec<u8>> {
    (text.len() <= 256).then(|| STANDARD_NO_PAD.decode(text).ok()).flatten()
}

/// A decimal number without sign or leading zero, as PHC strings write it.
fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok()).flatten()
}
