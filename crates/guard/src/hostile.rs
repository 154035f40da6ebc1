//! Generated attacks, for tests of places that take tokens (feature `hostile`).
//!
//! From one valid session token and the means to sign, [`hostile_tokens`] makes some hundreds of tokens that every such
//! place must refuse. A test first shows that the valid token is accepted there, then that none of these is.

mod claims;
mod ecdsa;
mod edwards;
mod form;
mod header;
mod key;
mod numbers;
mod rsa;
mod signature;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::SigningKey;
use crate::keys::{Algorithm, VerifyingKey};

pub use rsa::padded_digest;
pub use signature::{every_signature_bit, every_truncation, other_spelling};

/// What an attack tries, in words, and the token.
pub type Hostile = (String, String);

/// RSA keys of 3072 bits are made in advance, since that takes a while. They sign nothing but tests.
const RSA_OF_THE_SERVER: &[u8] = include_bytes!("hostile/server.pk8");
const RSA_OF_THE_ATTACKER: &[u8] = include_bytes!("hostile/attacker.pk8");

/// A key for a server in a test, to sign what is then attacked. `None`: there is no randomness.
#[must_use]
pub fn servers_key(algorithm: Algorithm) -> Option<SigningKey> {
    key(algorithm, RSA_OF_THE_SERVER, b"a secret of thirty-two bytes....")
}

/// A key of whoever attacks.
fn attackers_key(algorithm: Algorithm) -> Option<SigningKey> {
    key(algorithm, RSA_OF_THE_ATTACKER, b"another secret, which is guessed")
}

fn key(algorithm: Algorithm, rsa: &[u8], secret: &[u8]) -> Option<SigningKey> {
    match algorithm {
        Algorithm::Hs256 => Some(SigningKey::shared(secret)),
        Algorithm::Rs256 => SigningKey::from_pkcs8(algorithm, rsa),
        _ => SigningKey::from_pkcs8(algorithm, SigningKey::generate_pkcs8(algorithm)?.as_ref()),
    }
}

/// A valid token, taken apart, with what an attacker might have: everything public, and for the attacks that must fail
/// although the signature is right, the right signature.
struct Forge<'a> {
    good: &'a str,
    header: Value,
    header_text: String,
    claims: Value,
    payload: Vec<u8>,
    signature: Vec<u8>,
    key: &'a VerifyingKey,
    sign: &'a dyn Fn(&str) -> Vec<u8>,
}

/// Hostile variations of `good`, a valid session token of `key`. `sign` makes the key's signature over any signing input.
/// Some contain characters that cannot stand in an HTTP header, some are longer than one may be. Empty if `good` is no
/// token at all, so a test looks at the number too.
#[must_use]
pub fn hostile_tokens(good: &str, key: &VerifyingKey, sign: &dyn Fn(&str) -> Vec<u8>) -> Vec<Hostile> {
    let Some(forge) = Forge::new(good, key, sign) else { return Vec::new() };
    let mut all = form::attacks(&forge);
    all.extend(header::attacks(&forge));
    all.extend(key::attacks(&forge));
    all.extend(claims::attacks(&forge));
    all.extend(signature::attacks(&forge));
    all
}

/// The tokens that arbitrary bytes can be read as, for fuzzing: as they are; as header, payload and signature divided at
/// zero bytes; as the payload or the signature under the header of `like`.
#[must_use]
pub fn readings(bytes: &[u8], like: &str) -> Vec<String> {
    let (header, rest) = like.split_once('.').unwrap_or((like, ""));
    let payload = rest.split('.').next().unwrap_or_default();
    let encoded = URL_SAFE_NO_PAD.encode(bytes);
    let parts: Vec<String> = bytes.splitn(3, |byte| *byte == 0).map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
    vec![
        String::from_utf8_lossy(bytes).into_owned(),
        parts.join("."),
        format!("{header}.{encoded}.{}", URL_SAFE_NO_PAD.encode([1; 64])),
        format!("{header}.{payload}.{encoded}"),
        format!("{encoded}.{rest}"),
    ]
}

impl<'a> Forge<'a> {
    fn new(good: &'a str, key: &'a VerifyingKey, sign: &'a dyn Fn(&str) -> Vec<u8>) -> Option<Self> {
        let mut parts = good.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let (header, payload, signature) = (parts.next()??, parts.next()??, parts.next()??);
        Some(Self {
            good,
            header: serde_json::from_slice(&header).ok()?,
            header_text: String::from_utf8(header).ok()?,
            claims: serde_json::from_slice(&payload).ok()?,
            payload,
            signature,
            key,
            sign,
        })
    }

    /// The three parts as they stand in the token.
    fn parts(&self) -> (&'a str, &'a str, &'a str) {
        let (header, rest) = self.good.split_once('.').unwrap_or_default();
        let (payload, signature) = rest.split_once('.').unwrap_or_default();
        (header, payload, signature)
    }

    /// What is signed.
    fn input(&self) -> &'a str {
        self.good.rsplit_once('.').unwrap_or_default().0
    }

    /// Properly signed text, whatever it is.
    fn sign_text(&self, signing_input: &str) -> String {
        format!("{signing_input}.{}", URL_SAFE_NO_PAD.encode((self.sign)(signing_input)))
    }

    /// A properly signed token of this header and payload.
    fn sign(&self, header: &[u8], payload: &[u8]) -> String {
        self.sign_text(&format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload)))
    }

    /// A properly signed token of the usual header and this payload.
    fn sign_payload(&self, payload: &[u8]) -> String {
        self.sign(self.header_text.as_bytes(), payload)
    }

    /// The token with another signature.
    fn with_signature(&self, signature: &[u8]) -> String {
        let (header, payload, _) = self.parts();
        format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The header with a member set to a value, or removed.
    fn header_with(&self, member: &str, value: Option<Value>) -> Value {
        with(&self.header, &[member], value)
    }
}

/// `object` with the member at `path` set to a value, or removed.
fn with(object: &Value, path: &[&str], value: Option<Value>) -> Value {
    let mut copy = object.clone();
    let Some((last, parents)) = path.split_last() else { return copy };
    let parent = parents.iter().try_fold(&mut copy, |place, name| place.get_mut(*name)).and_then(Value::as_object_mut);
    if let Some(parent) = parent {
        match value {
            Some(value) => parent.insert((*last).to_owned(), value),
            None => parent.remove(*last),
        };
    }
    copy
}

/// A JSON object's text with more members written in front of its own.
fn prefixed(object: &str, members: &str) -> String {
    object.replacen('{', &format!("{{{members},"), 1)
}
