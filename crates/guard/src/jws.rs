//! JSON Web Signatures in compact form (RFC 7515), read as narrowly as RFC 8725 advises.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cerrojo_domain::{KeyId, strict_json};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::keys::{Algorithm, KeySet, VerifyingKey};

/// `typ` of a session token (RFC 9068, section 2.1).
pub const SESSION_TYP: &str = "at+jwt";
/// `typ` of a Status List token (draft-ietf-oauth-status-list, section 5.1).
pub const STATUS_LIST_TYP: &str = "statuslist+jwt";

/// One kind of token: its `typ`, which keeps kinds apart (RFC 8725, section 3.11), and its largest size.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The media type without `application/`; compared without regard to case.
    pub typ: &'static str,
    /// Longer ones are refused before any work, in bytes.
    pub max_bytes: usize,
}

/// A session token: 8 KiB at most.
pub const SESSION_TOKEN: Kind = Kind { typ: SESSION_TYP, max_bytes: 8 * 1024 };
/// A Status List token: 4 MiB at most.
pub const STATUS_LIST_TOKEN: Kind = Kind { typ: STATUS_LIST_TYP, max_bytes: 4 * 1024 * 1024 };

/// Header members that would change what is verified or where the key comes from. None is needed, so each is refused:
/// nothing is ever fetched, and no key arrives with the token it signs.
const REFUSED_MEMBERS: [&str; 8] = ["crit", "b64", "zip", "enc", "jku", "jwk", "x5u", "x5c"];

/// Why a text is not accepted as a signed token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwsError {
    /// Longer than its kind may be.
    TooLong,
    /// Not three parts with dots between them.
    NotCompact,
    /// A part is not base64url without padding and without stray bits.
    Base64,
    /// The header is not strict JSON or not an object.
    Header,
    /// The header has this member, which is never accepted.
    RefusedMember(&'static str),
    /// `alg` is missing, unknown, or not the algorithm of the key.
    Algorithm,
    /// `kid` is missing, not a string, or names no key.
    Key,
    /// `typ` is missing or says another kind.
    Typ,
    /// The signature is not the key's.
    Signature,
}

impl fmt::Display for JwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "too long",
            Self::NotCompact => "not three parts",
            Self::Base64 => "a part is not strict base64url",
            Self::Header => "the header is not a strict JSON object",
            Self::RefusedMember(name) => return write!(f, "the header has {name}"),
            Self::Algorithm => "alg is not that of the key",
            Self::Key => "kid names no key",
            Self::Typ => "typ is of another kind",
            Self::Signature => "the signature is wrong",
        })
    }
}

impl std::error::Error for JwsError {}

/// A compact JWS taken apart; nothing in it is trusted before [`Jws::verify`].
#[derive(Debug)]
pub struct Jws<'a> {
    signed: &'a str,
    signature: Vec<u8>,
    payload: Vec<u8>,
    alg: Algorithm,
    kid: Option<String>,
    typ: Option<String>,
}

/// What a verified JWS carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload(Vec<u8>);

impl Payload {
    /// The bytes that were signed, decoded.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The payload as strict JSON.
    pub fn json(&self) -> Result<Value, strict_json::Error> {
        strict_json::parse(&self.0)
    }
}

impl<'a> Jws<'a> {
    /// Takes a token of at most `max_bytes` apart (RFC 7515, section 5.2, steps 1 to 7).
    pub fn parse(token: &'a str, max_bytes: usize) -> Result<Self, JwsError> {
        if token.len() > max_bytes {
            return Err(JwsError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(JwsError::NotCompact)?;
        let (header, payload) = signed.split_once('.').ok_or(JwsError::NotCompact)?;
        if payload.contains('.') {
            return Err(JwsError::NotCompact);
        }
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JwsError::Base64);
        let Ok(Value::Object(header)) = strict_json::parse(&decode(header)?) else { return Err(JwsError::Header) };
        if let Some(member) = REFUSED_MEMBERS.iter().find(|name| header.contains_key(**name)) {
            return Err(JwsError::RefusedMember(member));
        }
        let alg = text(&header, "alg").map_err(|()| JwsError::Algorithm)?.ok_or(JwsError::Algorithm)?;
        Ok(Self {
            signed,
            signature: decode(signature)?,
            payload: decode(payload)?,
            alg: Algorithm::from_name(&alg).ok_or(JwsError::Algorithm)?,
            kid: text(&header, "kid").map_err(|()| JwsError::Key)?,
            typ: text(&header, "typ").map_err(|()| JwsError::Typ)?,
        })
    }

    /// The key that the header names.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The header's `typ`, as it stands there.
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// Whether the header's `typ` is `typ`, with or without `application/` before it (RFC 7515, section 4.1.9).
    #[must_use]
    pub fn is_typ(&self, typ: &str) -> bool {
        self.typ.as_deref().is_some_and(|given| {
            let given = given.to_ascii_lowercase();
            given.strip_prefix("application/").unwrap_or(&given) == typ
        })
    }

    /// The payload, if the signature is this key's and made with the key's own algorithm.
    pub fn verify(self, key: &VerifyingKey) -> Result<Payload, JwsError> {
        if self.alg != key.algorithm() {
            return Err(JwsError::Algorithm);
        }
        if !key.verifies(self.signed.as_bytes(), &self.signature) {
            return Err(JwsError::Signature);
        }
        Ok(Payload(self.payload))
    }
}

/// A member that is a string, or not there.
fn text(header: &Map<String, Value>, name: &str) -> Result<Option<String>, ()> {
    match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(()),
    }
}

/// The whole of it for a token of one kind: size, form, `typ`, the key by its exact `kid`, its algorithm, the signature.
/// What the payload claims is the caller's to judge.
pub fn verify_jws(token: &str, kind: Kind, keys: &KeySet) -> Result<Payload, JwsError> {
    let jws = Jws::parse(token, kind.max_bytes)?;
    if !jws.is_typ(kind.typ) {
        return Err(JwsError::Typ);
    }
    let key = jws.kid().and_then(|kid| keys.get(kid)).ok_or(JwsError::Key)?;
    jws.verify(key)
}

/// The header of a token to be signed.
#[derive(Clone, Debug, Serialize)]
pub struct Header {
    /// The algorithm of the key that signs.
    pub alg: Algorithm,
    /// [`SESSION_TYP`] or [`STATUS_LIST_TYP`].
    pub typ: &'static str,
    /// The name of the key that signs.
    pub kid: KeyId,
}

/// What is to be signed (RFC 7515, section 5.1): header and claims in base64url with a dot between them. Claims that
/// cannot be written as JSON become an empty payload, which no verifier accepts.
#[must_use]
pub fn signing_input(header: &Header, claims: &impl Serialize) -> String {
    let part = |json: serde_json::Result<Vec<u8>>| URL_SAFE_NO_PAD.encode(json.unwrap_or_default());
    format!("{}.{}", part(serde_json::to_vec(header)), part(serde_json::to_vec(claims)))
}

/// The token: what was signed, and the signature over its bytes (ES256: r ‖ s, 64 bytes).
#[must_use]
pub fn attach_signature(signing_input: &str, signature: &[u8]) -> String {
    format!("{signing_input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515, appendix A.1: HS256.
    const RFC_HS256: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const RFC_SECRET: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    /// RFC 7515, appendix A.3: ES256.
    const RFC_ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    #[test]
    fn the_examples_of_the_rfc_verify() {
        let secret = VerifyingKey::Hs256(URL_SAFE_NO_PAD.decode(RFC_SECRET).unwrap());
        let point = VerifyingKey::from_jwk(&serde_json::json!({
            "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }))
        .unwrap();
        let payload = Jws::parse(RFC_HS256, 1024).unwrap().verify(&secret).unwrap();
        assert_eq!(payload.json().unwrap()["iss"], "joe");
        assert_eq!(Jws::parse(RFC_ES256, 1024).unwrap().verify(&point).unwrap(), payload);
        assert_eq!(Jws::parse(RFC_ES256, 1024).unwrap().verify(&secret), Err(JwsError::Algorithm));
        assert_eq!(Jws::parse(RFC_HS256, 1024).unwrap().verify(&point), Err(JwsError::Algorithm));
    }

    #[test]
    fn size_is_looked_at_first() {
        assert_eq!(Jws::parse(RFC_HS256, RFC_HS256.len() - 1).unwrap_err(), JwsError::TooLong);
        assert_eq!(Jws::parse(&"..".repeat(10_000), 8192).unwrap_err(), JwsError::TooLong);
    }

    #[test]
    fn a_status_list_token_is_not_a_session_token() {
        let secret = b"a secret of thirty-two bytes....".to_vec();
        let mut keys = KeySet::new();
        keys.add(&KeyId::from_text("k"), VerifyingKey::Hs256(secret.clone()));
        let header = Header { alg: Algorithm::Hs256, typ: STATUS_LIST_TYP, kid: KeyId::from_text("k") };
        let input = signing_input(&header, &serde_json::json!({ "a": 1 }));
        let mac = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret), input.as_bytes());
        let token = attach_signature(&input, mac.as_ref());
        assert_eq!(verify_jws(&token, STATUS_LIST_TOKEN, &keys).unwrap().json().unwrap()["a"], 1);
        assert_eq!(verify_jws(&token, SESSION_TOKEN, &keys), Err(JwsError::Typ));
        assert_eq!(verify_jws(&token, STATUS_LIST_TOKEN, &KeySet::new()), Err(JwsError::Key));
    }
}
