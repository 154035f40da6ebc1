//! What Ed25519 in particular gets wrong: S beyond the group's order, points in a second spelling or of small order.

use super::numbers::{difference, sum};
use crate::keys::ED25519_ORDER;

const WIDTH: usize = 32;

pub(super) fn signatures(own: &[u8]) -> Vec<(String, Vec<u8>)> {
    let Some((r, s)) = own.split_at_checked(WIDTH) else { return Vec::new() };
    let mut all = vec![
        ("halves exchanged".to_owned(), [s, r].concat()),
        ("R twice".to_owned(), [r, r].concat()),
        ("S twice".to_owned(), [s, s].concat()),
        ("L - S".to_owned(), [r, &turned(&difference(&turned(&ED25519_ORDER), &turned(s)))].concat()),
        ("S the other way round".to_owned(), [r, &turned(s)].concat()),
        ("as long as for Ed448".to_owned(), [r, &[0; 25], s, &[0; 25]].concat()),
    ];
    // The same number modulo the group's order, for as long as it fits.
    let mut larger = turned(s);
    for times in 1.. {
        let next = sum(&larger, &turned(&ED25519_ORDER));
        if next.first() != Some(&0) {
            break;
        }
        larger = next.into_iter().skip(1).collect();
        all.push((format!("S + {times} L"), [r, &turned(&larger)].concat()));
    }
    for bit in [0x20, 0x40, 0x80] {
        let with_bit = |half: &[u8]| {
            let mut half = half.to_vec();
            half.iter_mut().rev().take(1).for_each(|byte| *byte ^= bit);
            half
        };
        all.push((format!("S with {bit:#04x} in its last byte turned over"), [r, &with_bit(s)].concat()));
        all.push((format!("R with {bit:#04x} in its last byte turned over"), [&with_bit(r), s].concat()));
    }
    for (name, point) in weak_points() {
        for (s_name, s) in
            [("0", [0; WIDTH].as_slice()), ("own", s), ("L", &ED25519_ORDER), ("the largest", &[0xff; WIDTH])]
        {
            all.push((format!("R = {name}, S = {s_name}"), [point.as_slice(), s].concat()));
        }
    }
    all
}

/// Points of small order, and spellings of points that there should not be, with either sign of x.
fn weak_points() -> Vec<(String, [u8; WIDTH])> {
    let near_the_prime = |first: u8| {
        let mut y = [0xff; WIDTH];
        y.iter_mut().take(1).for_each(|byte| *byte = first);
        y.iter_mut().rev().take(1).for_each(|byte| *byte = 0x7f);
        y
    };
    let mut one = [0; WIDTH];
    one.iter_mut().take(1).for_each(|byte| *byte = 1);
    let of_order_eight = [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ];
    let points = [
        ("0", [0; WIDTH]),
        ("1", one),
        ("p - 1", near_the_prime(0xec)),
        ("p", near_the_prime(0xed)),
        ("p + 1", near_the_prime(0xee)),
        ("2^255 - 1", near_the_prime(0xff)),
        ("of order 8", of_order_eight),
    ];
    let with_sign = |(name, point): &(&str, [u8; WIDTH])| {
        let mut signed = *point;
        signed.iter_mut().rev().take(1).for_each(|byte| *byte |= 0x80);
        (format!("{name}, x negative"), signed)
    };
    points.iter().map(|(name, point)| ((*name).to_owned(), *point)).chain(points.iter().map(with_sign)).collect()
}

/// Little-endian for big-endian, and the other way round.
fn turned(number: &[u8]) -> Vec<u8> {
    number.iter().rev().copied().collect()
}
