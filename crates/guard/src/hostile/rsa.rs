//! What RSA in particular gets wrong: lengths, numbers from the modulus on, and what is good for an exponent of 1.

use ring::digest::{SHA256, digest};

use super::numbers::{difference, small, sum};

/// Of a signing input: signatures beside its own.
pub(super) fn signatures(own: &[u8], modulus: &[u8], input: &str) -> Vec<(String, Vec<u8>)> {
    let length = modulus.len();
    let one = small(1, length);
    let above = sum(own, modulus);
    let mut all = vec![
        ("a leading zero".to_owned(), [&[0], own].concat()),
        (
            "leading zeros to 512 bytes".to_owned(),
            [vec![0; 512_usize.saturating_sub(own.len())], own.to_vec()].concat(),
        ),
        ("a trailing zero".to_owned(), [own, &[0]].concat()),
        ("without its last byte".to_owned(), own.iter().copied().take(own.len().saturating_sub(1)).collect()),
        ("plus the modulus, a byte longer".to_owned(), above.clone()),
        ("plus the modulus, cut to length".to_owned(), above.iter().skip(1).copied().collect()),
        ("negated".to_owned(), difference(modulus, own)),
        ("0".to_owned(), vec![0; length]),
        ("1".to_owned(), one.clone()),
        ("2".to_owned(), small(2, length)),
        ("n - 1".to_owned(), difference(modulus, &one)),
        ("n".to_owned(), modulus.to_vec()),
        ("n + 1".to_owned(), sum(modulus, &one).into_iter().skip(1).collect()),
        ("the largest".to_owned(), vec![0xff; length]),
        ("256 bytes of it".to_owned(), own.iter().copied().take(256).collect()),
        ("its last 256 bytes".to_owned(), own.iter().copied().skip(own.len().saturating_sub(256)).collect()),
    ];
    let message = padded_digest(input, length);
    all.push(("the padded digest itself".to_owned(), message.clone()));
    all.push(("the padded digest without its first byte".to_owned(), message.iter().skip(1).copied().collect()));
    all.push(("the digest alone".to_owned(), digest(&SHA256, input.as_bytes()).as_ref().to_vec()));
    all
}

/// EMSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 9.2), in so many bytes: what a signature is to the power of the exponent.
#[must_use]
pub fn padded_digest(input: &str, length: usize) -> Vec<u8> {
    let info = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
        0x20,
    ];
    let tail = [info.as_slice(), digest(&SHA256, input.as_bytes()).as_ref()].concat();
    let filling = vec![0xff; length.saturating_sub(tail.len() + 3)];
    [&[0, 1], filling.as_slice(), &[0], &tail].concat()
}
