//! What has to be said of hashes that do not say it themselves.

use std::cmp::Ordering;

use base64::Engine as _;

use super::{BASE64, Digest, Firebase, Foreign, Pbkdf2Cost, ScryptCost, Stored, scrypt_cost, web_safe};

/// How Node's hashes were made.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    function: Function,
    salt: Salt,
}

#[derive(Clone, Copy, Debug)]
enum Function {
    Scrypt(ScryptCost),
    Pbkdf2(Pbkdf2Cost),
}

/// What the salt was when the hash was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Salt {
    /// The text that stands in the table, as it stands there: what `randomBytes(16).toString('hex')` gives is handed over as
    /// a text by most.
    Text,
    /// The bytes that the text says in hexadecimal.
    Hex,
    /// The bytes that the text says in base64.
    Base64,
}

/// What was said is not understood.
#[derive(Debug, PartialEq, Eq)]
pub struct OptionsError(pub String);

impl std::fmt::Display for OptionsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OptionsError {}

/// Reads `node-scrypt` or `node-pbkdf2`, with options behind commas: `N`, `r` and `p` (16384, 8 and 1 as in Node), or
/// `iterations` and `digest`, which have no defaults there; `salt` is `text`, `hex` or `base64`.
///
/// # Errors
/// [`OptionsError`] tells which part is not understood.
pub fn node(text: &str) -> Result<Node, OptionsError> {
    let mut parts = text.split(',');
    let name = parts.next().unwrap_or_default();
    let scrypt = match name {
        "node-scrypt" => true,
        "node-pbkdf2" => false,
        _ => return Err(OptionsError(format!("there is no \"{name}\": node-scrypt, node-pbkdf2 or firebase=FILE"))),
    };
    let (mut n, mut r, mut p, mut iterations, mut digest, mut salt) = (16384, 8, 1, None, None, Salt::Text);
    for part in parts {
        let wrong = || OptionsError(format!("\"{part}\" is not understood as an option of {name}"));
        let (key, value) = part.split_once('=').ok_or_else(wrong)?;
        match (key.trim(), scrypt) {
            ("N", true) => n = value.parse().map_err(|_| wrong())?,
            ("r", true) => r = value.parse().map_err(|_| wrong())?,
            ("p", true) => p = value.parse().map_err(|_| wrong())?,
            ("iterations", false) => {
                iterations = Some(value.parse().ok().filter(|count| *count > 0).ok_or_else(wrong)?);
            }
            ("digest", false) => digest = Some(Digest::parse(value).ok_or_else(wrong)?),
            ("salt", _) => salt = Salt::parse(value).ok_or_else(wrong)?,
            _ => return Err(wrong()),
        }
    }
    let function = if scrypt {
        Function::Scrypt(scrypt_cost(n, r, p).ok_or_else(|| OptionsError("N has to be a power of two".to_owned()))?)
    } else {
        let (Some(iterations), Some(digest)) = (iterations, digest) else {
            let how = "node-pbkdf2 needs what the application calls crypto.pbkdf2 with: node-pbkdf2,iterations=1000,digest=sha512";
            return Err(OptionsError(how.to_owned()));
        };
        Function::Pbkdf2(Pbkdf2Cost { digest, iterations })
    };
    Ok(Node { function, salt })
}

impl Salt {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "text" => Self::Text,
            "hex" => Self::Hex,
            "base64" => Self::Base64,
            _ => return None,
        })
    }

    fn read(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Text => Some(text.as_bytes().to_vec()),
            Self::Hex => hex(text),
            Self::Base64 => web_safe(text),
        }
    }
}

impl Node {
    /// Where salt and hash stand side by side the longer one is the hash, whichever comes first.
    pub(super) fn read(self, Foreign { hash, salt, .. }: Foreign<'_>) -> Option<Stored> {
        let (salt, hash) = if let Some(salt) = salt {
            (salt, hash)
        } else {
            let (one, other) = hash.split_once([':', '.', '$', ';'])?;
            match one.len().cmp(&other.len()) {
                Ordering::Less => (one, other),
                Ordering::Greater => (other, one),
                // Nothing tells which is which.
                Ordering::Equal => return None,
            }
        };
        let (salt, hash) = (self.salt.read(salt)?, hex_or_base64(hash)?);
        Some(match self.function {
            Function::Scrypt(cost) => Stored::Scrypt { cost, salt, hash },
            Function::Pbkdf2(cost) => Stored::Pbkdf2 { cost, salt, hash },
        })
    }
}

/// Reads a project's hash parameters as Firebase's console shows them (Authentication, ⋮, Password hash parameters):
/// `hash_config { algorithm: SCRYPT, base64_signer_key: …, base64_salt_separator: …, rounds: 8, mem_cost: 14, }`.
///
/// # Errors
/// [`OptionsError`] tells which part is missing or not understood.
pub fn firebase(text: &str) -> Result<Firebase, OptionsError> {
    let value = |name: &str| {
        text.split([',', '\n', '{', '}'])
            .filter_map(|line| line.split_once([':', '=']))
            .find(|(key, _)| key.trim().trim_matches('"') == name)
            .map(|(_, value)| value.trim().trim_matches('"'))
            .ok_or_else(|| OptionsError(format!("there is no {name} among the hash parameters")))
    };
    let wrong = |name: &str| OptionsError(format!("{name} is not understood"));
    if value("algorithm")? != "SCRYPT" {
        return Err(OptionsError("the algorithm is not SCRYPT, which is Firebase's own".to_owned()));
    }
    let bytes = |name: &str| BASE64.decode(value(name)?).map_err(|_| wrong(name));
    let cost = ScryptCost {
        log_n: value("mem_cost")?.parse().map_err(|_| wrong("mem_cost"))?,
        r: value("rounds")?.parse().map_err(|_| wrong("rounds"))?,
        p: 1,
    };
    Ok(Firebase { signer: bytes("base64_signer_key")?, separator: bytes("base64_salt_separator")?, cost })
}

/// What looks like hexadecimal is that, and nothing if half a byte is missing.
fn hex_or_base64(text: &str) -> Option<Vec<u8>> {
    if text.bytes().all(|byte| byte.is_ascii_hexdigit()) { hex(text) } else { web_safe(text) }
}

/// `None` unless it is hexadecimal through and through.
fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    text.as_bytes().chunks_exact(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
