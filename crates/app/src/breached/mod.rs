//! Passwords that leaked: a sorted file of short hashes that is asked without being loaded, and what builds it.
//!
//! A record is the first 8 bytes of SHA-1 of a password's UTF-8 bytes, exactly as typed: the hash and the spelling of the
//! public lists. With a thousand million records (2^30) a password that is not among them is taken for one of them once in
//! 2^34; six bytes would do so once in 2^18, and ten would cost a quarter more disk for nothing that anybody would notice.
//! SHA-1 protects nothing here: what it is made of is public.

mod build;
mod format;
mod list;
mod live;
mod write;

#[cfg(test)]
mod tests;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

pub use build::{Build, BuildError, Built, Overwrite};
pub use format::ListError;
pub use list::{Bytes, List};
pub(crate) use live::Breached;

/// The record of a password: what is searched for.
#[must_use]
pub fn record_of(password: &[u8]) -> u64 {
    record_of_sha1(digest(&SHA1_FOR_LEGACY_USE_ONLY, password).as_ref()).unwrap_or_default()
}

/// The record of a SHA-1 hash; `None` if it has fewer than 8 bytes.
#[must_use]
pub fn record_of_sha1(hash: &[u8]) -> Option<u64> {
    hash.first_chunk().map(|start| u64::from_be_bytes(*start))
}
