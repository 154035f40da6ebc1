//! The master key: what seals private halves at rest.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use cerrojo_domain::Random;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use zeroize::Zeroizing;

use crate::Trouble;

/// Seals private halves with AES-256-GCM. 32 bytes, zeroised when dropped, never shown.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

impl MasterKey {
    /// Reads 64 hex digits or 43 or 44 characters of base64 (either alphabet); white space around them does not count.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bytes = Zeroizing::new(match text.len() {
            64 => unhex(text)?,
            43 => STANDARD_NO_PAD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok()?,
            44 => STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()?,
            _ => return None,
        });
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }

    /// A new one.
    #[must_use]
    pub fn generate(random: &dyn Random) -> Self {
        Self(Zeroizing::new(random.bytes()))
    }

    /// For the key file: 64 hex digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.0.iter().fold(String::with_capacity(64), |mut hex, byte| {
            hex.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')));
            hex
        })
    }

    /// Seals `plain` so that it opens only with this key and for the same `label`: nonce, ciphertext, tag.
    pub(super) fn seal(&self, random: &dyn Random, label: &[&str], plain: &[u8]) -> Result<Vec<u8>, Trouble> {
        let nonce: [u8; NONCE_LEN] = random.bytes();
        let mut sealed = plain.to_vec();
        self.cipher()
            .and_then(|cipher| {
                let nonce = Nonce::assume_unique_for_key(nonce);
                cipher.seal_in_place_append_tag(nonce, Aad::from(bound_to(label)), &mut sealed).ok()
            })
            .ok_or_else(|| Trouble::Internal("a signing key could not be sealed".to_owned()))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`MasterKey::seal`] made; `None` if another key or label sealed it or a bit of it changed.
    pub(super) fn unseal(&self, label: &[&str], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut opened = Zeroizing::new(rest.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.cipher()?.open_in_place(nonce, Aad::from(bound_to(label)), &mut opened).ok()?;
        Some(Zeroizing::new(plain.to_vec()))
    }

    /// What tells whether two values are the same to whoever has this key, and nothing to anybody else (HMAC-SHA-256).
    pub(crate) fn compare_by(&self, label: &[&str], value: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice()));
        context.update(&bound_to(label));
        context.update(value);
        context.sign().as_ref().try_into().unwrap_or_default()
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, self.0.as_slice()).ok().map(LessSafeKey::new)
    }
}

/// The label as bytes, each part after its length, so that no two labels give the same ones.
fn bound_to(label: &[&str]) -> Vec<u8> {
    label.iter().flat_map(|part| (part.len() as u64).to_be_bytes().into_iter().chain(part.bytes())).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use cerrojo_domain::SystemRandom;

    use super::*;

    const LABEL: &[&str] = &["cerrojo signing key", "k1", "ES256", "session"];

    #[test]
    fn a_key_is_read_in_every_form_it_is_written_in() {
        let key = MasterKey::parse(&format!(" {}\n", "a7".repeat(32))).unwrap();
        assert_eq!(key.0.as_slice(), [0xa7; 32]);
        assert_eq!(key.to_hex(), "a7".repeat(32));
        for text in [STANDARD.encode([0xfb; 32]), URL_SAFE.encode([0xfb; 32]), URL_SAFE_NO_PAD.encode([0xfb; 32])] {
            assert_eq!(MasterKey::parse(&text).unwrap().0.as_slice(), [0xfb; 32], "{text}");
        }
        for bad in ["", "a7", &"a7".repeat(33), &"g7".repeat(32), &"é".repeat(32), &"a".repeat(43)] {
            assert!(MasterKey::parse(bad).is_none(), "{bad}");
        }
        assert!(!format!("{key:?}").contains("a7"));
    }

    #[test]
    fn what_was_sealed_opens_with_the_same_key_and_label_only() {
        let key = MasterKey::generate(&SystemRandom);
        let sealed = key.seal(&SystemRandom, LABEL, b"private").unwrap();
        assert_eq!(key.unseal(LABEL, &sealed).unwrap().as_slice(), b"private");
        assert_ne!(sealed, key.seal(&SystemRandom, LABEL, b"private").unwrap());

        assert!(MasterKey::generate(&SystemRandom).unseal(LABEL, &sealed).is_none());
        let other: [&[&str]; 3] = [
            &["cerrojo signing key", "k2", "ES256", "session"],
            &["cerrojo signing key", "k1", "ES256", "status_list"],
            &["cerrojo signing key", "k1E", "S256", "session"],
        ];
        for label in other {
            assert!(key.unseal(label, &sealed).is_none(), "{label:?}");
        }
    }

    #[test]
    fn a_changed_or_shortened_seal_does_not_open() {
        let key = MasterKey::generate(&SystemRandom);
        let sealed = key.seal(&SystemRandom, LABEL, b"private").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.unseal(LABEL, &changed).is_none(), "byte {at}");
            assert!(key.unseal(LABEL, &sealed[..at]).is_none(), "{at} bytes");
        }
    }
}
