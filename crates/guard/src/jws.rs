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

    /// The algorithm that the header names. It decides nothing: the key's does.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.alg
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

/// The token: what was signed, and the signature over its bytes (ES256: r ‖ s, 64 bytes; Ed25519: R ‖ S, 64 bytes; RS256: as
/// many bytes as the modulus has).
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

    /// RFC 7515, appendix A.2: RS256.
    const RFC_RS256: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    /// RFC 8037, appendix A.4: `EdDSA`.
    const RFC_EDDSA: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

    fn key(jwk: &Value) -> VerifyingKey {
        VerifyingKey::from_jwk(jwk).unwrap()
    }

    #[test]
    fn the_examples_of_the_rfcs_verify() {
        let secret = VerifyingKey::Hs256(URL_SAFE_NO_PAD.decode(RFC_SECRET).unwrap());
        let point = key(&serde_json::json!({
            "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }));
        let modulus = key(&serde_json::json!({
            "kty": "RSA", "alg": "RS256", "e": "AQAB",
            "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        }));
        let edwards = |alg: &str| {
            key(&serde_json::json!({
                "kty": "OKP", "crv": "Ed25519", "alg": alg, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            }))
        };
        let verify = |token: &str, key: &VerifyingKey| Jws::parse(token, 1024).unwrap().verify(key);
        assert_eq!(verify(RFC_EDDSA, &edwards("EdDSA")).unwrap().bytes(), b"Example of Ed25519 signing");
        let pairs = [(RFC_ES256, &point), (RFC_RS256, &modulus), (RFC_HS256, &secret)];
        for (token, key) in pairs {
            assert_eq!(verify(token, key).unwrap().json().unwrap()["iss"], "joe");
        }
        // The same curve under its other name is another algorithm.
        assert_eq!(verify(RFC_EDDSA, &edwards("Ed25519")), Err(JwsError::Algorithm));
        for (token, own) in pairs {
            for (_, other) in pairs.iter().filter(|(_, other)| *other != own) {
                assert_eq!(verify(token, other), Err(JwsError::Algorithm));
            }
        }
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
