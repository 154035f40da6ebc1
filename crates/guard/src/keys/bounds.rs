//! What the numbers in keys and signatures may be. The library looks at most of it too; none of it is left to anybody else.

/// Bytes of a coordinate or a scalar, of both curves.
pub(super) const WIDTH: usize = 32;
/// Bytes of a shared secret, at least (RFC 7518, section 3.2).
pub(super) const SHORTEST_SECRET: usize = 32;
/// The one public exponent, 65537: small ones have led to forgeries where padding was read carelessly.
pub(super) const RSA_EXPONENT: [u8; 3] = [1, 0, 1];
/// Bits of an RSA modulus: not fewer than RFC 7518, section 3.3, asks for, and not so many that a check takes milliseconds.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// The order n of P-256's base point, big-endian (FIPS 186-5; SEC 2, section 2.4.2).
pub(crate) const P256_ORDER: [u8; WIDTH] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The order L of Ed25519's base point, little-endian (RFC 8032, section 5.1).
pub(crate) const ED25519_ORDER: [u8; WIDTH] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The prime p = 2^255 - 19 of Ed25519's field, little-endian.
const ED25519_PRIME: [u8; WIDTH] = {
    let mut prime = [0xff; WIDTH];
    prime[0] = 0xed;
    prime[WIDTH - 1] = 0x7f;
    prime
};

/// The y, little-endian, of the eight points whose order divides 8. With one of them as a key some signatures are good for many
/// messages.
const SMALL_ORDER: [[u8; WIDTH]; 5] = [
    [0; WIDTH],
    {
        let mut one = [0; WIDTH];
        one[0] = 1;
        one
    },
    {
        let mut minus_one = ED25519_PRIME;
        minus_one[0] -= 1;
        minus_one
    },
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// Two scalars of P-256, r ‖ s: each from 1 to n - 1, big-endian.
pub(super) fn are_p256_scalars(signature: &[u8]) -> bool {
    signature.split_at_checked(WIDTH).is_some_and(|(r, s)| is_p256_scalar(r) && is_p256_scalar(s))
}

fn is_p256_scalar(bytes: &[u8]) -> bool {
    bytes.len() == WIDTH && bytes < P256_ORDER.as_slice() && bytes.iter().any(|byte| *byte != 0)
}

/// An Ed25519 point in its one spelling (y below p) and of an order that is not small. Whether it is on the curve is looked at
/// with each signature.
pub(super) fn is_ed25519_key(point: &[u8]) -> bool {
    let Ok(mut y) = <[u8; WIDTH]>::try_from(point) else { return false };
    // The sign of x.
    y[WIDTH - 1] &= 0x7f;
    is_below(&y, &ED25519_PRIME) && !SMALL_ORDER.contains(&y)
}

/// R ‖ S with S below the group's order (RFC 8032, section 5.1.7): there is no second way to write a signature.
pub(super) fn has_low_ed25519_scalar(signature: &[u8]) -> bool {
    let s = signature.split_at_checked(WIDTH).and_then(|(_, s)| <[u8; WIDTH]>::try_from(s).ok());
    s.is_some_and(|s| is_below(&s, &ED25519_ORDER))
}

/// A modulus of [`RSA_BITS`], odd, big-endian without leading zeros.
pub(super) fn is_rsa_modulus(modulus: &[u8]) -> bool {
    let (Some(first), Some(last)) = (modulus.first(), modulus.last()) else { return false };
    let bits = modulus.len().saturating_mul(8).saturating_sub(first.leading_zeros() as usize);
    *first != 0 && last % 2 == 1 && RSA_BITS.contains(&bits)
}

/// Little-endian.
fn is_below(number: &[u8; WIDTH], bound: &[u8; WIDTH]) -> bool {
    number.iter().rev().lt(bound.iter().rev())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p256_scalars_run_from_one_to_the_order_less_one() {
        let mut last = P256_ORDER;
        last[31] -= 1;
        let mut one = [0; 32];
        assert!(!is_p256_scalar(&one));
        one[31] = 1;
        assert!(is_p256_scalar(&one));
        assert!(is_p256_scalar(&last));
        assert!(!is_p256_scalar(&P256_ORDER));
        assert!(!is_p256_scalar(&[0xff; 32]));
        assert!(!is_p256_scalar(&[1; 31]));
        assert!(are_p256_scalars(&[one, last].concat()) && !are_p256_scalars(&[one, P256_ORDER].concat()));
        assert!(!are_p256_scalars(&one));
    }

    #[test]
    fn ed25519_scalars_run_to_the_order_less_one() {
        let mut last = ED25519_ORDER;
        last[0] -= 1;
        let with = |s: [u8; 32]| has_low_ed25519_scalar(&[[7; 32], s].concat());
        assert!(with([0; 32]) && with(last));
        assert!(!with(ED25519_ORDER) && !with([0xff; 32]));
        assert!(!has_low_ed25519_scalar(&[0; 63]) && !has_low_ed25519_scalar(&[0; 65]));
    }

    /// RFC 8032, section 7.1, and what a key must not be: y from p on in either sign, the eight points of small order.
    #[test]
    fn an_ed25519_key_has_one_spelling_and_a_large_order() {
        let mut good = [0; 32];
        good[0] = 9;
        assert!(is_ed25519_key(&good));
        assert!(!is_ed25519_key(&good[1..]) && !is_ed25519_key(&[good.as_slice(), &[0]].concat()));
        let mut refused: Vec<[u8; 32]> = SMALL_ORDER.to_vec();
        for above in 0..19 {
            let mut y = ED25519_PRIME;
            y[0] += above;
            refused.push(y);
        }
        for mut y in refused {
            assert!(!is_ed25519_key(&y), "{y:?}");
            y[31] |= 0x80;
            assert!(!is_ed25519_key(&y), "{y:?}");
        }
    }

    #[test]
    fn an_rsa_modulus_is_neither_small_nor_huge() {
        let modulus = |bytes: usize, first: u8| {
            let mut modulus = vec![0xff; bytes];
            modulus[0] = first;
            is_rsa_modulus(&modulus)
        };
        assert!(modulus(256, 0x80) && modulus(384, 0xff) && modulus(512, 0xff));
        assert!(modulus(257, 1), "2049 bits");
        for (bytes, first) in [(1, 3), (64, 0xff), (128, 0xff), (256, 0x7f), (257, 0), (513, 1), (1024, 0xff)] {
            assert!(!modulus(bytes, first), "{bytes} bytes from {first}");
        }
        assert!(!is_rsa_modulus(&[]) && !is_rsa_modulus(&[0x80; 256]), "empty, even");
    }
}
