//! The fuzz target's body over seeded random bytes and mutations, so that every test run goes through it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod support;

use cerrojo_guard::{Algorithm, Refusal, attach_signature, hostile};
use serde_json::json;
use support::World;

/// xorshift64*; the same run each time.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.next() & 0xff).unwrap()
    }

    /// Some bytes of `from`, changed in a few places.
    fn mutated(&mut self, from: &[u8]) -> Vec<u8> {
        let mut bytes = from.to_vec();
        for _ in 0..=self.below(8) {
            let (at, byte) = (self.below(bytes.len()), self.byte());
            match self.below(5) {
                0 if !bytes.is_empty() => bytes[at] = byte,
                1 if !bytes.is_empty() => bytes[at] ^= 1 << (byte & 7),
                2 => bytes.insert(at, byte),
                3 => bytes.truncate(at),
                _ => bytes.extend_from_within(at..),
            }
        }
        bytes
    }
}

#[test]
fn nothing_that_was_not_signed_is_accepted() {
    for algorithm in Algorithm::ALL {
        nothing_unsigned_is_accepted(algorithm);
    }
}

fn nothing_unsigned_is_accepted(algorithm: Algorithm) {
    let world = World::of(algorithm);
    let good = world.token(1);
    let (input, _) = good.rsplit_once('.').unwrap();
    let foreign = attach_signature(input, &world.signer.sign("another.text").unwrap());
    let header = json!({ "alg": algorithm, "typ": "at+jwt", "kid": world.kid }).to_string();
    let payload =
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, good.split('.').nth(1).unwrap())
            .unwrap();
    let mut random = Seeded(0x9e37_79b9_7f4a_7c15);
    for _ in 0..1000 {
        let start: &[u8] = match random.below(4) {
            0 => foreign.as_bytes(),
            1 => &payload,
            2 => header.as_bytes(),
            _ => &[],
        };
        let bytes = random.mutated(start);
        for token in hostile::readings(&bytes, &foreign) {
            assert_eq!(world.guard.check(&token), Err(Refusal::Invalid), "{token}");
        }
    }
    assert!(world.guard.check(&good).is_ok(), "and the token itself still is");
}
