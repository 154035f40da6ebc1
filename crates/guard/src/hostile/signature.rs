//! Attacks on the signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Forge, Hostile};
use crate::keys::{Algorithm, ORDER};

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
    if forge.key.algorithm() == Algorithm::Es256 {
        all.extend(of_curve(own));
    }
    all.into_iter().map(|(name, bytes)| (format!("signature: {name}"), forge.with_signature(&bytes))).collect()
}

/// What ECDSA in particular gets wrong: r and s outside of 1 to n - 1, other encodings of the pair.
fn of_curve(own: &[u8]) -> Vec<(String, Vec<u8>)> {
    let Some((r, s)) = own.split_at_checked(32) else { return Vec::new() };
    let mut one = [0; 32];
    one.iter_mut().rev().take(1).for_each(|byte| *byte = 1);
    let more = plus_one(&ORDER);
    let special: [(&str, &[u8]); 7] = [
        ("0", &[0; 32]),
        ("1", &one),
        ("n", &ORDER),
        ("n + 1", &more),
        ("the largest", &[0xff; 32]),
        ("own r", r),
        ("own s", s),
    ];
    let mut all = Vec::new();
    for (left_name, left) in special {
        for (right_name, right) in special {
            let pair = [left, right].concat();
            if pair != own {
                all.push((format!("r = {left_name}, s = {right_name}"), pair));
            }
        }
    }
    let wide = |half: &[u8]| [&[0; 16], half].concat();
    all.push(("as wide as for P-384".to_owned(), [wide(r), wide(s)].concat()));
    all.push(("DER".to_owned(), der(r, s)));
    all.push(("DER, halves exchanged".to_owned(), der(s, r)));
    all
}

fn plus_one(number: &[u8; 32]) -> [u8; 32] {
    let mut sum = *number;
    for byte in sum.iter_mut().rev() {
        let (next, carries) = byte.overflowing_add(1);
        *byte = next;
        if !carries {
            break;
        }
    }
    sum
}

/// `ECDSA-Sig-Value` (RFC 3279, section 2.2.3).
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let mut bytes: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
        if bytes.first().is_none_or(|first| *first >= 0x80) {
            bytes.insert(0, 0);
        }
        [vec![0x02, u8::try_from(bytes.len()).unwrap_or_default()], bytes].concat()
    };
    let body = [integer(r), integer(s)].concat();
    [vec![0x30, u8::try_from(body.len()).unwrap_or_default()], body].concat()
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
    let (r, s) = signature.split_at_checked(32)?;
    let mut negated = [0; 32];
    let mut borrow = false;
    for ((out, n), s) in negated.iter_mut().zip(ORDER).zip(s).rev() {
        let (first, under) = n.overflowing_sub(*s);
        let (second, under_again) = first.overflowing_sub(u8::from(borrow));
        *out = second;
        borrow = under || under_again;
    }
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode([r, &negated].concat())))
}
