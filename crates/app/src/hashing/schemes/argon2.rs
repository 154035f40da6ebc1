//! Argon2 (RFC 9106).

use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::{Kind, Stored};
use crate::Argon2Settings;

/// Bytes of a new salt (RFC 9106, section 3.1).
pub(crate) const SALT_LEN: usize = 16;
/// Bytes of a new hash.
const HASH_LEN: usize = 32;

/// The most memory, passes and lanes that a stored hash may ask for; an imported one is anybody's text.
const MOST_MEMORY_KIB: u32 = 1024 * 1024;
const MOST_PASSES: u32 = 16;
const MOST_LANES: u32 = 16;
/// The most memory times passes, in KiB: some seconds of work.
const MOST_WORK_KIB: u64 = 4 * 1024 * 1024;

/// Which Argon2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flavour {
    /// Argon2id, Argon2i or Argon2d.
    pub(crate) algorithm: Algorithm,
    /// 0x13, or the 0x10 before it.
    pub(crate) version: Version,
}

impl Flavour {
    /// By the name in PHC strings; `newer`: version 0x13.
    pub(crate) fn parse(name: &str, newer: bool) -> Option<Self> {
        let algorithm = match name {
            "argon2id" => Algorithm::Argon2id,
            "argon2i" => Algorithm::Argon2i,
            "argon2d" => Algorithm::Argon2d,
            _ => return None,
        };
        Some(Self { algorithm, version: if newer { Version::V0x13 } else { Version::V0x10 } })
    }
}

/// Whether a stored hash of this cost is checked at all.
pub(crate) fn is_affordable(cost: Argon2Settings) -> bool {
    let work = u64::from(cost.memory_kib) * u64::from(cost.passes);
    (1..=MOST_LANES).contains(&cost.lanes)
        && (8 * cost.lanes..=MOST_MEMORY_KIB).contains(&cost.memory_kib)
        && (1..=MOST_PASSES).contains(&cost.passes)
        && work <= MOST_WORK_KIB
}

/// `asked`, raised where Argon2 does not work with it.
pub(crate) fn workable(asked: Argon2Settings) -> Argon2Settings {
    let lanes = asked.lanes.clamp(1, MOST_LANES);
    let memory_kib = asked.memory_kib.clamp(8 * lanes, MOST_MEMORY_KIB);
    Argon2Settings { memory_kib, passes: asked.passes.clamp(1, MOST_PASSES), lanes }
}

/// Blocks of 33 MiB. Room for less, once freed, makes the GNU allocator take the next from its heap, where holes are left:
/// memory would grow with each pause between sign-ins. More than 32 MiB is always a mapping of its own, given back whole
/// when freed; the pages that nobody writes to cost nothing.
const ALWAYS_MAPPED: usize = 33 * 1024 * 1024 / Block::SIZE;

/// The blocks that Argon2 fills, kept from one hash to the next: fresh pages cost more than a tenth of the time.
#[derive(Default)]
pub(crate) struct Memory(Vec<Block>);

impl Memory {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// At least `count` blocks, or `None` if the machine has not got them.
    fn blocks(&mut self, count: usize) -> Option<&mut [Block]> {
        if self.0.len() < count {
            self.0 = Vec::new();
            self.0.try_reserve_exact(count.max(ALWAYS_MAPPED)).ok()?;
            self.0.resize(count, Block::new());
        }
        Some(&mut self.0)
    }
}

/// What a hash is made with beside password and cost.
pub(super) struct Shape<'a> {
    pub(super) salt: &'a [u8],
    /// Bytes of the hash.
    pub(super) length: usize,
}

/// Argon2 of `password`. `None`: no memory, or nothing that Argon2 works with.
pub(super) fn hash(
    memory: &mut Memory,
    (flavour, cost): (Flavour, Argon2Settings),
    password: &str,
    Shape { salt, length }: Shape<'_>,
) -> Option<Vec<u8>> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(length)).ok()?;
    let blocks = memory.blocks(params.block_count())?;
    let mut hash = vec![0; length];
    Argon2::new(flavour.algorithm, flavour.version, params)
        .hash_password_into_with_memory(password.as_bytes(), salt, &mut hash, blocks)
        .ok()?;
    Some(hash)
}

/// A new hash of `password` with `salt`, as a PHC string.
pub(crate) fn make(memory: &mut Memory, cost: Argon2Settings, password: &str, salt: [u8; SALT_LEN]) -> Option<String> {
    let Kind::Argon2(flavour, cost) = Kind::made(cost) else { return None };
    let hash = hash(memory, (flavour, cost), password, Shape { salt: &salt, length: HASH_LEN })?;
    Some(Stored::Argon2 { flavour, cost, salt: salt.to_vec(), hash }.text())
}
