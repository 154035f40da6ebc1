//! PBKDF2 (RFC 8018, section 5.2).

use std::num::NonZeroU32;

use ring::pbkdf2;

/// The most rounds of the underlying hash that a stored one may ask for: some seconds of work.
const MOST_ROUNDS: u64 = 10_000_000;

/// With which hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Digest {
    /// HMAC-SHA-1.
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-384.
    Sha384,
    /// HMAC-SHA-512.
    Sha512,
}

impl Digest {
    /// By the name that Node, Django and others give it.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "sha1" => Self::Sha1,
            "sha256" => Self::Sha256,
            "sha384" => Self::Sha384,
            "sha512" => Self::Sha512,
            _ => return None,
        })
    }

    /// By an id of PHC strings, passlib and Keycloak: `pbkdf2-sha256`, or `pbkdf2` alone, which is SHA-1.
    pub(crate) fn of_id(id: &str) -> Option<Self> {
        id.strip_prefix("pbkdf2-").map_or((id == "pbkdf2").then_some(Self::Sha1), Self::parse)
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Bytes of its output, which is a block of PBKDF2.
    pub(super) fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// What a block costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pbkdf2Cost {
    /// With which hash function.
    pub(crate) digest: Digest,
    /// How often.
    pub(crate) iterations: u32,
}

impl Pbkdf2Cost {
    /// How many blocks a hash of so many bytes takes.
    pub(super) fn blocks(self, length: usize) -> usize {
        length.div_ceil(self.digest.length())
    }

    pub(crate) fn rounds(self, blocks: usize) -> u64 {
        u64::from(self.iterations).saturating_mul(blocks as u64)
    }

    /// Whether a stored hash of this cost and length in bytes is checked at all.
    pub(super) fn is_affordable(self, length: usize) -> bool {
        self.iterations > 0 && self.rounds(self.blocks(length)) <= MOST_ROUNDS
    }
}

/// PBKDF2 of `password`. `None`: no iterations.
pub(super) fn hash(cost: Pbkdf2Cost, password: &str, salt: &[u8], length: usize) -> Option<Vec<u8>> {
    let algorithm = match cost.digest {
        Digest::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
        Digest::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        Digest::Sha384 => pbkdf2::PBKDF2_HMAC_SHA384,
        Digest::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
    };
    let mut hash = vec![0; length];
    pbkdf2::derive(algorithm, NonZeroU32::new(cost.iterations)?, salt, password.as_bytes(), &mut hash);
    Some(hash)
}
