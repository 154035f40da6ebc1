//! The halves of a key as they are kept.

use cerrojo_guard::{Algorithm, VerifyingKey};
use cerrojo_store::keys::Key;
use serde_json::Value;

/// What a private half is sealed for: a sealed half put in another row does not open.
pub(super) fn seal_label(row: &Key) -> [&str; 4] {
    ["cerrojo signing key", row.id.as_str(), &row.algorithm, &row.purpose]
}

/// The public half of a key of ours; `None`: a symmetric one, or of an algorithm of a later release.
pub(super) fn public_key(row: &Key) -> Option<VerifyingKey> {
    let algorithm = Algorithm::from_name(&row.algorithm)?;
    let key = VerifyingKey::new(algorithm, row.public.clone());
    (!matches!(key, VerifyingKey::Hs256(_))).then_some(key)
}

/// As it is kept; a symmetric key has none.
pub(super) fn public_half(key: &VerifyingKey) -> &[u8] {
    match key {
        VerifyingKey::Hs256(_) => &[],
        VerifyingKey::Es256(public)
        | VerifyingKey::Ed25519(public)
        | VerifyingKey::EdDsa(public)
        | VerifyingKey::Rs256(public) => public,
    }
}

pub(super) fn public_jwk(row: &Key) -> Option<Value> {
    public_key(row)?.to_jwk(&row.id)
}

#[cfg(test)]
mod tests {
    use cerrojo_domain::{KeyId, UnixMillis};
    use serde_json::json;

    use super::super::SESSION;
    use super::*;

    fn row(algorithm: &str, public: Vec<u8>) -> Key {
        Key {
            id: KeyId::from_text("k1"),
            algorithm: algorithm.to_owned(),
            purpose: SESSION.to_owned(),
            public,
            sealed: Vec::new(),
            created_at: UnixMillis(0),
            rotated_at: None,
            retired_at: None,
        }
    }

    #[test]
    fn a_symmetric_key_has_no_jwk() {
        for public in [Vec::new(), vec![4; 65], vec![9; 32]] {
            assert_eq!(public_jwk(&row("HS256", public.clone())), None);
            assert_eq!(public_jwk(&row("of a later release", public)), None);
        }
    }

    #[test]
    fn a_key_shows_its_public_half_and_its_algorithm() {
        let point = [vec![4], vec![1; 32], vec![2; 32]].concat();
        for (algorithm, public, member, text) in [
            ("ES256", point, "x", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"),
            ("Ed25519", vec![9; 32], "x", "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk"),
            ("EdDSA", vec![9; 32], "x", "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk"),
            ("RS256", vec![0xff; 384], "e", "AQAB"),
        ] {
            let jwk = public_jwk(&row(algorithm, public)).unwrap();
            assert_eq!(jwk[member], text);
            assert_eq!((&jwk["kid"], &jwk["alg"], &jwk["use"]), (&json!("k1"), &json!(algorithm), &json!("sig")));
            assert_eq!(jwk["d"], Value::Null);
        }
    }
}
