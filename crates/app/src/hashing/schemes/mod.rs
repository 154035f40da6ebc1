//! The kinds of password hash that are known. Argon2id is made and checked; the others, which come with imported users, are
//! only checked, and replaced at the next sign-in.

mod argon2;
mod pbkdf2;
mod phc;
mod scrypt;

use ::argon2::{Algorithm, Version};
use subtle::ConstantTimeEq as _;

pub(crate) use self::argon2::Flavour;
pub(super) use self::argon2::{Memory, SALT_LEN, is_affordable, make, workable};
pub(crate) use self::pbkdf2::{Digest, Pbkdf2Cost};
pub(crate) use self::scrypt::ScryptCost;
use crate::Argon2Settings;

/// The highest bcrypt cost that a stored hash may ask for: some seconds of work.
const MOST_BCRYPT_COST: u32 = 15;
/// Bytes of a hash: fewer would be found by chance, more is nothing that anybody makes.
const HASH_LENGTHS: std::ops::RangeInclusive<usize> = 16..=128;
/// The longest salt, in bytes.
const LONGEST_SALT: usize = 128;

/// A kind dearer than this is not imitated: one imported hash would make everybody's wrong tries dear.
const DEAREST_MEMORY_TIMES_PASSES_KIB: u64 = 256 * 1024;
const DEAREST_BCRYPT_COST: u32 = 13;
const DEAREST_SCRYPT_KIB: u64 = 128 * 1024;
const DEAREST_PBKDF2_ROUNDS: u64 = 1_500_000;

/// What a hash costs, and so how long it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Argon2 (RFC 9106).
    Argon2(Flavour, Argon2Settings),
    /// bcrypt of this cost.
    Bcrypt(u32),
    /// scrypt (RFC 7914).
    Scrypt(ScryptCost),
    /// PBKDF2 (RFC 8018, section 5.2), and how many blocks of it.
    Pbkdf2(Pbkdf2Cost, usize),
}

/// A stored hash that can be checked.
pub(crate) enum Stored {
    /// Argon2.
    Argon2 { flavour: Flavour, cost: Argon2Settings, salt: Vec<u8>, hash: Vec<u8> },
    /// bcrypt, `$2a$`, `$2b$` or `$2y$`, which are one and the same for a password without NUL.
    Bcrypt { cost: u32, text: String },
    /// scrypt.
    Scrypt { cost: ScryptCost, salt: Vec<u8>, hash: Vec<u8> },
    /// Firebase's: what scrypt makes is the key with which `signer` was encrypted.
    Firebase { cost: ScryptCost, signer: Vec<u8>, salt: Vec<u8>, hash: Vec<u8> },
    /// PBKDF2.
    Pbkdf2 { cost: Pbkdf2Cost, salt: Vec<u8>, hash: Vec<u8> },
}

/// Why a stored hash is not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is of no kind that is known here.
    Unknown,
    /// Checking it would take more time or memory than anybody should pay for.
    TooDear,
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unknown => "the password's hash is of no kind that is known here",
            Self::TooDear => "checking the password's hash would take more time or memory than a sign-in may",
        })
    }
}

impl std::error::Error for Unreadable {}

impl Stored {
    /// Reads a stored hash.
    pub(crate) fn parse(text: &str) -> Result<Self, Unreadable> {
        let stored = Self::read(text).ok_or(Unreadable::Unknown)?;
        if stored.is_affordable() { Ok(stored) } else { Err(Unreadable::TooDear) }
    }

    fn read(text: &str) -> Option<Self> {
        if text.starts_with("$2") { bcrypt(text) } else { phc::read(text) }
    }

    fn is_affordable(&self) -> bool {
        match self {
            Self::Argon2 { cost, .. } => is_affordable(*cost),
            Self::Bcrypt { cost, .. } => *cost <= MOST_BCRYPT_COST,
            Self::Scrypt { cost, .. } | Self::Firebase { cost, .. } => cost.is_affordable(),
            Self::Pbkdf2 { cost, hash, .. } => cost.is_affordable(hash.len()),
        }
    }

    /// The text under which it is kept; [`Stored::parse`] reads it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Bcrypt { text, .. } => text.clone(),
            other => phc::write(other),
        }
    }

    /// What it is, in words.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Argon2 { flavour, .. } => flavour.algorithm.as_str(),
            Self::Bcrypt { .. } => "bcrypt",
            Self::Scrypt { .. } => "scrypt",
            Self::Firebase { .. } => "Firebase scrypt",
            Self::Pbkdf2 { .. } => "PBKDF2",
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Argon2 { flavour, cost, .. } => Kind::Argon2(*flavour, *cost),
            Self::Bcrypt { cost, .. } => Kind::Bcrypt(*cost),
            Self::Scrypt { cost, .. } | Self::Firebase { cost, .. } => Kind::Scrypt(*cost),
            Self::Pbkdf2 { cost, hash, .. } => Kind::Pbkdf2(*cost, cost.blocks(hash.len())),
        }
    }

    /// Whether it was made of `password`, in a time that does not depend on how alike the two are. `memory` is for Argon2.
    pub(super) fn is_of(&self, password: &str, memory: &mut Memory) -> bool {
        let same = |made: Option<Vec<u8>>, hash: &[u8]| made.is_some_and(|made| made.ct_eq(hash).into());
        match self {
            Self::Argon2 { flavour, cost, salt, hash } => same(
                argon2::hash(memory, (*flavour, *cost), password, argon2::Shape { salt, length: hash.len() }),
                hash,
            ),
            Self::Bcrypt { text, .. } => ::bcrypt::verify(password, text).unwrap_or(false),
            Self::Scrypt { cost, salt, hash } => same(scrypt::hash(*cost, password, salt, hash.len()), hash),
            Self::Firebase { cost, signer, salt, hash } => same(scrypt::firebase(*cost, password, salt, signer), hash),
            Self::Pbkdf2 { cost, salt, hash } => same(pbkdf2::hash(*cost, password, salt, hash.len()), hash),
        }
    }
}

fn bcrypt(text: &str) -> Option<Stored> {
    if !["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
        return None;
    }
    // Its cost is two digits; the crate would take a sign too.
    let digits = text.get(4..6)?.bytes().all(|byte| byte.is_ascii_digit());
    let cost = text.parse::<::bcrypt::HashParts>().ok().filter(|_| digits)?.get_cost();
    (4..=31).contains(&cost).then(|| Stored::Bcrypt { cost, text: text.to_owned() })
}

impl Kind {
    /// The kind that is made.
    pub(super) fn made(cost: Argon2Settings) -> Self {
        Self::Argon2(Flavour { algorithm: Algorithm::Argon2id, version: Version::V0x13 }, cost)
    }

    /// About how many milliseconds it takes.
    pub(super) fn weight(self) -> u64 {
        match self {
            Self::Argon2(_, cost) => u64::from(cost.memory_kib) * u64::from(cost.passes) / 1024,
            Self::Bcrypt(cost) => (1_u64 << cost.min(40)) / 20,
            Self::Scrypt(cost) => cost.work_kib() / 350,
            Self::Pbkdf2(cost, blocks) => cost.rounds(blocks) / 3000,
        }
    }

    /// Whether more of the one is the other.
    pub(super) fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (Self::Pbkdf2(one, _), Self::Pbkdf2(other, _)) => one.digest == other.digest,
            _ => self == other,
        }
    }

    /// What is left of it to do when `done` was; none if nothing.
    pub(super) fn without(self, done: Self) -> Option<Self> {
        match (self, done) {
            (Self::Pbkdf2(all, blocks), Self::Pbkdf2(some, done)) if all.digest == some.digest => {
                let rest = all.rounds(blocks).saturating_sub(some.rounds(done));
                let iterations = u32::try_from(rest).ok().filter(|rest| *rest > 0)?;
                Some(Self::Pbkdf2(Pbkdf2Cost { iterations, ..all }, 1))
            }
            _ => (self != done).then_some(self),
        }
    }

    /// Whether a wrong password of any other account may cost this as well.
    pub(super) fn is_imitated(self) -> bool {
        match self {
            Self::Argon2(_, cost) => {
                u64::from(cost.memory_kib) * u64::from(cost.passes) <= DEAREST_MEMORY_TIMES_PASSES_KIB
            }
            Self::Bcrypt(cost) => cost <= DEAREST_BCRYPT_COST,
            Self::Scrypt(cost) => cost.work_kib() <= DEAREST_SCRYPT_KIB,
            Self::Pbkdf2(cost, blocks) => cost.rounds(blocks) <= DEAREST_PBKDF2_ROUNDS,
        }
    }

    /// Its work, for nothing.
    pub(super) fn imitate(self, memory: &mut Memory, password: &str) {
        const SALT: &[u8] = &[0; SALT_LEN];
        let made = match self {
            Self::Argon2(flavour, cost) => {
                argon2::hash(memory, (flavour, cost), password, argon2::Shape { salt: SALT, length: 32 })
            }
            Self::Bcrypt(cost) => {
                drop(std::hint::black_box(::bcrypt::hash_with_salt(password, cost, [0; 16])));
                None
            }
            Self::Scrypt(cost) => scrypt::hash(cost, password, SALT, 32),
            Self::Pbkdf2(cost, blocks) => pbkdf2::hash(cost, password, SALT, blocks * cost.digest.length()),
        };
        drop(std::hint::black_box(made));
    }
}
