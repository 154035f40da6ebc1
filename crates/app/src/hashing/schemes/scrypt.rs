//! scrypt (RFC 7914), and what Firebase makes of it.

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use scrypt::Params;

/// The most memory and work that a stored hash may ask for, in KiB: a second or two.
const MOST_KIB: u64 = 512 * 1024;
/// With more of these or a smaller N most of the work is none that [`ScryptCost::work_kib`] counts.
const MOST_R: u32 = 64;
const MOST_P: u32 = 64;
const LEAST_LOG_N: u8 = 10;

/// What scrypt costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScryptCost {
    /// Logarithm of N to the base 2.
    pub(crate) log_n: u8,
    /// Block size.
    pub(crate) r: u32,
    /// Parallelization.
    pub(crate) p: u32,
}

impl ScryptCost {
    /// 128 × N × r × p bytes, in KiB: with one lane the memory, and in proportion to the time within the bounds above. More than
    /// can be counted is as much as can be.
    pub(super) fn work_kib(self) -> u64 {
        let n = 1_u64.checked_shl(u32::from(self.log_n)).unwrap_or(u64::MAX);
        let bytes = n.saturating_mul(128).saturating_mul(u64::from(self.r)).saturating_mul(u64::from(self.p));
        bytes / 1024
    }

    /// Whether a stored hash of this cost is checked at all.
    pub(super) fn is_affordable(self) -> bool {
        (LEAST_LOG_N..64).contains(&self.log_n)
            && (1..=MOST_R).contains(&self.r)
            && (1..=MOST_P).contains(&self.p)
            && self.work_kib() <= MOST_KIB
    }
}

/// scrypt of `password`. `None`: nothing that scrypt works with.
pub(super) fn hash(cost: ScryptCost, password: &str, salt: &[u8], length: usize) -> Option<Vec<u8>> {
    let params = cost.is_affordable().then(|| Params::new(cost.log_n, cost.r, cost.p).ok()).flatten()?;
    // The crate takes its memory whether or not there is any, and would end the process.
    let memory = usize::try_from(cost.work_kib().saturating_mul(1024)).ok()?;
    Vec::<u8>::new().try_reserve_exact(memory).ok()?;
    let mut hash = vec![0; length];
    scrypt::scrypt(password.as_bytes(), salt, &params, &mut hash).ok()?;
    Some(hash)
}

/// The project's signer key, encrypted with AES-256 in counter mode from nought under the first half of what scrypt makes of
/// `password` (Firebase's own description is its `scrypt` repository).
pub(super) fn firebase(cost: ScryptCost, password: &str, salt: &[u8], signer: &[u8]) -> Option<Vec<u8>> {
    let derived = hash(cost, password, salt, 64)?;
    let mut cipher = Ctr128BE::<Aes256>::new_from_slices(derived.get(..32)?, &[0; 16]).ok()?;
    let mut encrypted = signer.to_vec();
    cipher.try_apply_keystream(&mut encrypted).ok()?;
    Some(encrypted)
}
