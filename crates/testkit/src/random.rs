//! Randomness that is the same in every run.

use std::sync::{Mutex, PoisonError};

use cerrojo_domain::Random;

use crate::Pause;
use crate::pause::Gate;

/// A seeded generator (`SplitMix64`): the same calls give the same bytes.
#[derive(Debug)]
pub struct SeededRandom {
    state: Mutex<u64>,
    gate: Gate,
}

impl SeededRandom {
    /// A generator that starts at `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: Mutex::new(seed), gate: Gate::default() }
    }

    /// The next to draw stands still before it does.
    pub fn pause_next(&self) -> Pause {
        self.gate.close_after(0)
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        self.gate.pass();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^= mixed >> 31;
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
    }
}
