//! A name for each request, to find it in the log by.

use std::sync::atomic::{AtomicU64, Ordering};

use cerrojo_domain::Random;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The header that carries it, in both directions.
pub(crate) static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names requests: 16 hexadecimal digits that do not repeat within a process. They are no secret and guard nothing.
pub(crate) struct RequestIds {
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new(random: &dyn Random) -> Self {
        Self { next: AtomicU64::new(u64::from_le_bytes(random.bytes())) }
    }

    /// The client's own name for the request if it is a harmless one, else a fresh one.
    pub(crate) fn of(&self, headers: &HeaderMap) -> HeaderValue {
        match headers.get(&X_REQUEST_ID) {
            Some(given) if is_harmless(given.as_bytes()) => given.clone(),
            _ => self.fresh(),
        }
    }

    fn fresh(&self) -> HeaderValue {
        let mut digits = [b'0'; 16];
        let mut rest = scatter(self.next.fetch_add(1, Ordering::Relaxed));
        for digit in digits.iter_mut().rev() {
            let value = u8::try_from(rest & 0xf).unwrap_or(0);
            *digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
            rest >>= 4;
        }
        HeaderValue::from_bytes(&digits).unwrap_or(HeaderValue::from_static("0"))
    }
}

/// A one-to-one map of the 64-bit numbers that makes neighbours look unrelated (the finaliser of `SplitMix64`).
fn scatter(number: u64) -> u64 {
    let z = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn is_harmless(id: &[u8]) -> bool {
    (1..=64).contains(&id.len()) && id.iter().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b))
}

#[cfg(test)]
mod tests {
    use cerrojo_domain::SystemRandom;

    use super::*;

    fn named(id: &[u8]) -> HeaderMap {
        HeaderMap::from_iter([(X_REQUEST_ID.clone(), HeaderValue::from_bytes(id).unwrap())])
    }

    #[test]
    fn fresh_names_are_sixteen_digits_and_differ() {
        let ids = RequestIds::new(&SystemRandom);
        let one = ids.of(&HeaderMap::new());
        assert_eq!(one.len(), 16);
        assert!(one.as_bytes().iter().all(u8::is_ascii_hexdigit));
        assert_ne!(one, ids.of(&HeaderMap::new()));
    }

    #[test]
    fn only_harmless_names_are_echoed() {
        let ids = RequestIds::new(&SystemRandom);
        assert_eq!(ids.of(&named(b"a-B_7.z")), "a-B_7.z");
        for odd in [&b""[..], b"a b", b"<script>", &[b'a'; 65], b"\xf1"] {
            assert_ne!(ids.of(&named(odd)).as_bytes(), odd);
        }
    }
}
