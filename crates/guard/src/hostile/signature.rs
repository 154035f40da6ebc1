//! Attacks on the signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Forge, Hostile, ecdsa, edwards, rsa};
use crate::keys::VerifyingKey;

pub(super) fn attacks(forge: &Forge<'_>) -> Vec<Hostile> {
    let own = forge.signature.as_slice();
    let mut all: Vec<(String, Vec<u8>)> = vec![
        ("one byte short".to_owned(), own.iter().skip(1).copied().collect()),
        ("one byte more behind".to_owned(), [own, &[0]].concat()),
        ("one byte more before".to_owned(), [&[0], own].concat()),
        ("twice".to_owned(), [own, own].concat()),
        ("backwards".to_owned(), own.iter().rev().copied().collect()),
        ("another message's".to_owned(), (forge.sign)("another.message")),
        ("the header's alone".to_owned(), (forge.sign)(forge.parts().0)),
        ("the payload's alone".to_owned(), (forge.sign)(forge.parts().1)),
    ];
    for byte in [0, 1, 0x7f, 0xff] {
        for length in [1, 32, 64, 65, 96, 128] {
            all.push((format!("{length} bytes of {byte:#04x}"), vec![byte; length]));
        }
    }
    all.extend(match forge.key {
        VerifyingKey::Es256(_) => ecdsa::signatures(own),
        VerifyingKey::Ed25519(_) | VerifyingKey::EdDsa(_) => edwards::signatures(own),
        VerifyingKey::Rs256(modulus) => rsa::signatures(own, modulus, forge.input()),
        VerifyingKey::Hs256(_) => Vec::new(),
    });
    all.into_iter().map(|(name, bytes)| (format!("signature: {name}"), forge.with_signature(&bytes))).collect()
}

fn split(good: &str) -> Option<(&str, Vec<u8>)> {
    let (signed, signature) = good.rsplit_once('.')?;
    Some((signed, URL_SAFE_NO_PAD.decode(signature).ok()?))
}

/// `good` with each single bit of its signature turned over.
#[must_use]
pub fn every_signature_bit(good: &str) -> Vec<Hostile> {
    let Some((signed, signature)) = split(good) else { return Vec::new() };
    let flipped = |bit: usize| {
        let mut bytes = signature.clone();
        bytes.iter_mut().skip(bit / 8).take(1).for_each(|byte| *byte ^= 1 << (bit % 8));
        (format!("signature: bit {bit} turned over"), format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes)))
    };
    (0..signature.len() * 8).map(flipped).collect()
}

/// `good` cut off after each of its letters, and, well encoded again, after each byte of its signature.
#[must_use]
pub fn every_truncation(good: &str) -> Vec<Hostile> {
    let Some((signed, signature)) = split(good) else { return Vec::new() };
    let letters = good
        .char_indices()
        .map(|(end, _)| (format!("cut off after {end} letters"), good.chars().take(end).collect::<String>()));
    let bytes = (0..signature.len()).map(|end| {
        let cut: Vec<u8> = signature.iter().take(end).copied().collect();
        (format!("signature: {end} bytes of it"), format!("{signed}.{}", URL_SAFE_NO_PAD.encode(cut)))
    });
    letters.chain(bytes).collect()
}

/// The second way to write an ES256 token, (r, n - s) for (r, s). It is valid, and no attack as long as nothing is decided
/// by a token's text: the test is that an ended session is refused in both spellings.
#[must_use]
pub fn other_spelling(good: &str) -> Option<String> {
    let (signed, signature) = split(good)?;
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(ecdsa::other_spelling(&signature)?)))
}
