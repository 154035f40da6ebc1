//! Keys read from and written as JWKs (RFC 7517; RFC 7518, section 6; RFC 8037, section 2).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cerrojo_domain::KeyId;
use serde_json::{Map, Value, json};

use super::bounds::{self, RSA_EXPONENT, WIDTH};
use super::{Algorithm, VerifyingKey};

/// A JWK that this crate cannot verify with, and what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnusableJwk(pub &'static str);

impl fmt::Display for UnusableJwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for UnusableJwk {}

impl VerifyingKey {
    /// The public key of a JWK for ES256 (`EC`, P-256), Ed25519 or `EdDSA` (`OKP`, Ed25519), or RS256 (`RSA`, 2048 to 4096 bits,
    /// exponent 65537). What it is for has to be said by `alg`, but for P-256, where nothing else is possible. A private part is
    /// not looked at. Symmetric keys are not read from JWKs.
    pub fn from_jwk(jwk: &Value) -> Result<Self, UnusableJwk> {
        let member = |name: &str| jwk.get(name).and_then(Value::as_str);
        let algorithm = match (member("kty"), member("crv"), jwk.get("alg").map(Value::as_str)) {
            (Some("EC"), Some("P-256"), None | Some(Some("ES256"))) => Algorithm::Es256,
            (Some("OKP"), Some("Ed25519"), Some(Some("Ed25519"))) => Algorithm::Ed25519,
            (Some("OKP"), Some("Ed25519"), Some(Some("EdDSA"))) => Algorithm::EdDsa,
            (Some("RSA"), _, Some(Some("RS256"))) => Algorithm::Rs256,
            (Some("EC" | "OKP" | "RSA"), ..) => {
                return Err(UnusableJwk("of another curve, or not said to be for its algorithm"));
            }
            _ => return Err(UnusableJwk("of another kind")),
        };
        if jwk.get("use").is_some_and(|purpose| purpose != "sig") {
            return Err(UnusableJwk("not meant for signatures"));
        }
        let allows =
            |operations: &Value| operations.as_array().is_some_and(|all| all.iter().any(|one| one == "verify"));
        if jwk.get("key_ops").is_some_and(|operations| !allows(operations)) {
            return Err(UnusableJwk("not meant for verifying"));
        }
        let bytes = match algorithm {
            Algorithm::Rs256 => modulus(jwk)?,
            Algorithm::Es256 => [vec![0x04], coordinate(jwk, "x")?, coordinate(jwk, "y")?].concat(),
            _ => edwards_point(jwk)?,
        };
        Ok(Self::new(algorithm, bytes))
    }

    /// The key as a public JWK. `None` for a symmetric key, which is never shown, and for one that verifies nothing.
    #[must_use]
    pub fn to_jwk(&self, kid: &KeyId) -> Option<Value> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let members = match self {
            Self::Es256(point) => {
                let (x, y) = point.strip_prefix(&[0x04])?.split_at_checked(WIDTH)?;
                (y.len() == WIDTH).then(|| json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) }))
            }
            Self::Ed25519(point) | Self::EdDsa(point) => {
                bounds::is_ed25519_key(point).then(|| json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(point) }))
            }
            Self::Rs256(modulus) => bounds::is_rsa_modulus(modulus)
                .then(|| json!({ "kty": "RSA", "n": encode(modulus), "e": encode(&RSA_EXPONENT) })),
            Self::Hs256(_) => None,
        };
        let Some(Value::Object(members)) = members else { return None };
        let about = json!({ "alg": self.algorithm(), "use": "sig", "kid": kid });
        let about = about.as_object().cloned().unwrap_or_default();
        Some(Value::Object(members.into_iter().chain(about).collect::<Map<_, _>>()))
    }
}

fn decoded(jwk: &Value, name: &str) -> Result<Vec<u8>, UnusableJwk> {
    let text = jwk.get(name).and_then(Value::as_str).ok_or(UnusableJwk("a part is missing"))?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| UnusableJwk("a part is not base64url"))
}

fn coordinate(jwk: &Value, name: &str) -> Result<Vec<u8>, UnusableJwk> {
    let bytes = decoded(jwk, name)?;
    if bytes.len() == WIDTH { Ok(bytes) } else { Err(UnusableJwk("a coordinate is not 32 bytes long")) }
}

fn edwards_point(jwk: &Value) -> Result<Vec<u8>, UnusableJwk> {
    let point = decoded(jwk, "x")?;
    if bounds::is_ed25519_key(&point) {
        Ok(point)
    } else {
        Err(UnusableJwk("a point of another form or of small order"))
    }
}

fn modulus(jwk: &Value) -> Result<Vec<u8>, UnusableJwk> {
    if decoded(jwk, "e")? != RSA_EXPONENT {
        return Err(UnusableJwk("the exponent is not 65537"));
    }
    let modulus = decoded(jwk, "n")?;
    if bounds::is_rsa_modulus(&modulus) {
        Ok(modulus)
    } else {
        Err(UnusableJwk("the modulus is not of 2048 to 4096 bits"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::KeySet;
    use super::*;

    /// The public key of RFC 7515, appendix A.3.
    fn ec() -> Value {
        json!({
            "kty": "EC", "crv": "P-256", "kid": "a",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        })
    }

    /// The public key of RFC 8037, appendix A.2.
    fn okp(alg: &str) -> Value {
        json!({
            "kty": "OKP", "crv": "Ed25519", "kid": "a", "alg": alg, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        })
    }

    /// The public key of RFC 7515, appendix A.2.
    fn rsa() -> Value {
        json!({
            "kty": "RSA", "kid": "a", "alg": "RS256", "e": "AQAB",
            "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        })
    }

    fn with(mut jwk: Value, member: &str, value: &Value) -> Value {
        jwk[member] = value.clone();
        jwk
    }

    fn without(mut jwk: Value, member: &str) -> Value {
        jwk.as_object_mut().unwrap().remove(member);
        jwk
    }

    #[test]
    fn a_public_key_survives_the_way_to_a_jwk_and_back() {
        for (jwk, algorithm) in [
            (ec(), Algorithm::Es256),
            (okp("Ed25519"), Algorithm::Ed25519),
            (okp("EdDSA"), Algorithm::EdDsa),
            (rsa(), Algorithm::Rs256),
        ] {
            let key = VerifyingKey::from_jwk(&jwk).unwrap();
            assert_eq!(key.algorithm(), algorithm);
            let shown = key.to_jwk(&KeyId::from_text("a")).unwrap();
            assert_eq!(VerifyingKey::from_jwk(&shown).unwrap(), key);
            assert_eq!(shown, with(with(jwk, "alg", &json!(algorithm)), "use", &json!("sig")));
        }
    }

    #[test]
    fn a_symmetric_key_is_never_shown() {
        let key = VerifyingKey::Hs256(b"a secret of thirty-two bytes....".to_vec());
        assert_eq!(key.to_jwk(&KeyId::from_text("a")), None);
        assert_eq!(format!("{key:?}"), "VerifyingKey(Hs256)");
    }

    /// Every algorithm's own is the only `alg` that a key may have, and what leaves a choice has to have it.
    #[test]
    fn a_jwk_is_for_one_algorithm() {
        let names =
            ["ES256", "ES384", "Ed25519", "EdDSA", "Ed448", "RS256", "RS384", "PS256", "HS256", "RSA-OAEP", "none"];
        for (jwk, own) in [(ec(), &["ES256"][..]), (okp("EdDSA"), &["Ed25519", "EdDSA"]), (rsa(), &["RS256"])] {
            for name in names {
                let read = VerifyingKey::from_jwk(&with(jwk.clone(), "alg", &json!(name)));
                assert_eq!(read.map(|key| key.algorithm().name()).ok(), own.contains(&name).then_some(name), "{jwk}");
            }
            for wrong in [Value::Null, json!(1), json!([own[0]])] {
                assert!(VerifyingKey::from_jwk(&with(jwk.clone(), "alg", &wrong)).is_err(), "{jwk} {wrong}");
            }
            assert_eq!(VerifyingKey::from_jwk(&without(jwk.clone(), "alg")).is_ok(), jwk["kty"] == "EC");
        }
    }

    #[test]
    fn a_jwk_for_something_else_is_refused() {
        for jwk in [ec(), okp("EdDSA"), rsa()] {
            for (member, value) in [
                ("kty", json!("oct")),
                ("kty", json!("AKP")),
                ("kty", Value::Null),
                ("use", json!("enc")),
                ("key_ops", json!(["sign"])),
                ("key_ops", json!("verify")),
            ] {
                assert!(VerifyingKey::from_jwk(&jwk).is_ok());
                assert!(VerifyingKey::from_jwk(&with(jwk.clone(), member, &value)).is_err(), "{member}: {value}");
            }
            assert!(VerifyingKey::from_jwk(&with(jwk, "key_ops", &json!(["sign", "verify"]))).is_ok());
        }
        for (jwk, member, value) in [
            (ec(), "kty", json!("RSA")),
            (ec(), "kty", json!("OKP")),
            (ec(), "crv", json!("P-384")),
            (ec(), "crv", json!("secp256k1")),
            (ec(), "crv", json!("Ed25519")),
            (ec(), "x", json!("AAAA")),
            (ec(), "x", json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU=")),
            (ec(), "x", json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEV")),
            (ec(), "y", Value::Null),
            (okp("EdDSA"), "crv", json!("Ed448")),
            (okp("EdDSA"), "crv", json!("X25519")),
            (okp("EdDSA"), "x", Value::Null),
            (okp("EdDSA"), "x", json!("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUQ")),
        ] {
            assert!(VerifyingKey::from_jwk(&with(jwk, member, &value)).is_err(), "{member}: {value}");
        }
    }

    /// What such keys would let others sign: a small group, a cube root, a modulus that is soon factored.
    #[test]
    fn weak_keys_are_no_keys() {
        let encode = |bytes: &[u8]| json!(URL_SAFE_NO_PAD.encode(bytes));
        let mut one = [0; WIDTH];
        one[0] = 1;
        for point in [[0; WIDTH], one, [0xff; WIDTH]] {
            assert!(VerifyingKey::from_jwk(&with(okp("Ed25519"), "x", &encode(&point))).is_err(), "{point:?}");
            assert!(!VerifyingKey::Ed25519(point.to_vec()).verifies(b"any text", &[one, [0; WIDTH]].concat()));
        }
        for exponent in
            [&[][..], &[0], &[1], &[3], &[17], &[1, 0], &[1, 0, 0], &[0, 1, 0, 1], &[1, 0, 1, 0], &[0xff; 64]]
        {
            assert!(VerifyingKey::from_jwk(&with(rsa(), "e", &encode(exponent))).is_err(), "{exponent:?}");
        }
        for (bytes, first) in
            [(0, 0), (1, 0xff), (64, 0xff), (128, 0xff), (255, 0xff), (256, 0x7f), (257, 0), (513, 1), (2048, 0xff)]
        {
            let mut modulus = vec![0xff; bytes];
            modulus.iter_mut().take(1).for_each(|byte| *byte = first);
            assert!(VerifyingKey::from_jwk(&with(rsa(), "n", &encode(&modulus))).is_err(), "{bytes} {first}");
        }
        for bytes in [256, 384, 512] {
            assert!(VerifyingKey::from_jwk(&with(rsa(), "n", &encode(&vec![0xff; bytes]))).is_ok(), "{bytes}");
        }
    }

    #[test]
    fn a_set_gives_no_key_for_an_ambiguous_name() {
        let other = with(ec(), "kid", &json!("b"));
        let same_name = with(okp("EdDSA"), "kid", &json!("d"));
        let kinds = [
            json!({ "kty": "RSA", "kid": "c" }),
            json!({ "kty": "AKP", "kid": "e", "alg": "ML-DSA-44", "pub": "AAAA" }),
            json!({ "kty": "oct", "kid": "f", "k": "AAAA" }),
        ];
        let mut keys = vec![ec(), other.clone(), other, same_name, with(rsa(), "kid", &json!("d")), json!(7)];
        keys.extend(kinds);
        keys.push(with(okp("EdDSA"), "kid", &json!("g")));
        let set = KeySet::from_jwks(&json!({ "keys": keys }));
        let mut names: Vec<&str> = set.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        assert_eq!(names, ["a", "g"]);
        assert!(KeySet::from_jwks(&json!([])).get("a").is_none());
    }
}
