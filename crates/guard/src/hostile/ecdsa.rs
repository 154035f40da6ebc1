//! What ECDSA in particular gets wrong: r and s outside of 1 to n - 1, other encodings of the pair.

use super::numbers::{difference, small, sum};
use crate::keys::P256_ORDER;

const WIDTH: usize = 32;

pub(super) fn signatures(own: &[u8]) -> Vec<(String, Vec<u8>)> {
    let Some((r, s)) = own.split_at_checked(WIDTH) else { return Vec::new() };
    let one = small(1, WIDTH);
    let more = sum(&P256_ORDER, &one).split_off(1);
    let special: [(&str, &[u8]); 7] = [
        ("0", &[0; WIDTH]),
        ("1", &one),
        ("n", &P256_ORDER),
        ("n + 1", &more),
        ("the largest", &[0xff; WIDTH]),
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

/// (r, n - s) for (r, s).
pub(super) fn other_spelling(signature: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = signature.split_at_checked(WIDTH)?;
    Some([r, &difference(&P256_ORDER, s)].concat())
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
