//! The kinds of password hash that are known: Argon2id as a PHC string (made and checked) and bcrypt (checked only).

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::Argon2Settings;

/// Bytes of a new salt (RFC 9106, section 3.1).
pub(super) const SALT_LEN: usize = 16;
/// Bytes of a new hash.
const HASH_LEN: usize = 32;

/// The most memory, passes and lanes that a stored hash may ask for; an imported one is anybody's text.
const MOST_MEMORY_KIB: u32 = 1024 * 1024;
const MOST_PASSES: u32 = 16;
const MOST_LANES: u32 = 16;
/// The most memory times passes, in KiB: some seconds of work.
const MOST_WORK_KIB: u64 = 4 * 1024 * 1024;
/// The highest bcrypt cost that a stored hash may ask for: some seconds of work too.
const MOST_BCRYPT_COST: u32 = 15;

/// What a hash costs, and so how long it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Argon2id (RFC 9106), version 0x13.
    Argon2(Argon2Settings),
    /// bcrypt of this cost.
    Bcrypt(u32),
}

/// A stored hash that can be checked.
pub(super) enum Stored {
    /// Argon2id.
    Argon2 { cost: Argon2Settings, salt: Vec<u8>, hash: Vec<u8> },
    /// bcrypt, `$2a$`, `$2b$` or `$2y$`, which are one and the same for a password without NUL.
    Bcrypt { cost: u32, text: String },
}

impl Stored {
    /// Reads a stored hash. `None`: nothing that is known here, or dearer than anybody should pay for.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::argon2(text).or_else(|| Self::bcrypt(text))
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Argon2 { cost, .. } => Kind::Argon2(*cost),
            Self::Bcrypt { cost, .. } => Kind::Bcrypt(*cost),
        }
    }

    fn argon2(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("$argon2id$v=19$")?;
        let mut fields = rest.split('$');
        let (costs, salt, hash) = (fields.next()?, fields.next()?, fields.next()?);
        let mut costs = costs.split(',');
        let cost = Argon2Settings {
            memory_kib: number(costs.next()?.strip_prefix("m=")?)?,
            passes: number(costs.next()?.strip_prefix("t=")?)?,
            lanes: number(costs.next()?.strip_prefix("p=")?)?,
        };
        if fields.next().is_some() || costs.next().is_some() || !is_affordable(cost) {
            return None;
        }
        if salt.len() > 128 || hash.len() > 128 {
            return None;
        }
        let salt = STANDARD_NO_PAD.decode(salt).ok().filter(|salt| salt.len() >= argon2::MIN_SALT_LEN)?;
        let hash = STANDARD_NO_PAD.decode(hash).ok().filter(|hash| hash.len() >= 16)?;
        Some(Self::Argon2 { cost, salt, hash })
    }

    fn bcrypt(text: &str) -> Option<Self> {
        if !["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
            return None;
        }
        // Its cost is two digits; the crate would take a sign too.
        let digits = text.get(4..6)?.bytes().all(|byte| byte.is_ascii_digit());
        let cost = text.parse::<bcrypt::HashParts>().ok().filter(|_| digits)?.get_cost();
        (4..=MOST_BCRYPT_COST).contains(&cost).then(|| Self::Bcrypt { cost, text: text.to_owned() })
    }
}

/// Whether a stored hash of this cost is checked at all.
pub(super) fn is_affordable(cost: Argon2Settings) -> bool {
    let work = u64::from(cost.memory_kib) * u64::from(cost.passes);
    (1..=MOST_LANES).contains(&cost.lanes)
        && (8 * cost.lanes..=MOST_MEMORY_KIB).contains(&cost.memory_kib)
        && (1..=MOST_PASSES).contains(&cost.passes)
        && work <= MOST_WORK_KIB
}

/// A decimal number without sign or leading zero, as PHC strings write it.
fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok()).flatten()
}

/// `asked`, raised where Argon2 does not work with it.
pub(super) fn workable(asked: Argon2Settings) -> Argon2Settings {
    let lanes = asked.lanes.clamp(1, MOST_LANES);
    let memory_kib = asked.memory_kib.clamp(8 * lanes, MOST_MEMORY_KIB);
    Argon2Settings { memory_kib, passes: asked.passes.clamp(1, MOST_PASSES), lanes }
}

/// The PHC string of a new hash.
pub(super) fn phc(cost: Argon2Settings, salt: &[u8], hash: &[u8]) -> String {
    let Argon2Settings { memory_kib, passes, lanes } = cost;
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${hash}")
}

/// Blocks of 33 MiB. Room for less, once freed, makes the GNU allocator take the next from its heap, where holes are left:
/// memory would grow with each pause between sign-ins. More than 32 MiB is always a mapping of its own, given back whole
/// when freed; the pages that nobody writes to cost nothing.
const ALWAYS_MAPPED: usize = 33 * 1024 * 1024 / Block::SIZE;

/// The blocks that Argon2 fills, kept from one hash to the next: fresh pages cost more than a tenth of the time.
#[derive(Default)]
pub(super) struct Memory(Vec<Block>);

impl Memory {
    pub(super) fn is_empty(&self) -> bool {
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

/// Argon2id of `password`. `None`: no memory, or nothing that Argon2 works with.
pub(super) fn argon2(
    memory: &mut Memory,
    cost: Argon2Settings,
    password: &str,
    Shape { salt, length }: Shape<'_>,
) -> Option<Vec<u8>> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(length)).ok()?;
    let blocks = memory.blocks(params.block_count())?;
    let mut hash = vec![0; length];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password.as_bytes(), salt, &mut hash, blocks)
        .ok()?;
    Some(hash)
}

/// A new hash of `password` with `salt`, as a PHC string.
pub(super) fn make(memory: &mut Memory, cost: Argon2Settings, password: &str, salt: [u8; SALT_LEN]) -> Option<String> {
    let hash = argon2(memory, cost, password, Shape { salt: &salt, length: HASH_LEN })?;
    Some(phc(cost, &salt, &hash))
}

/// The work of a hash, for nothing.
pub(super) fn imitate(memory: &mut Memory, kind: Kind, password: &str) {
    match kind {
        Kind::Argon2(cost) => {
            let shape = Shape { salt: &[0; SALT_LEN], length: HASH_LEN };
            drop(std::hint::black_box(argon2(memory, cost, password, shape)));
        }
        Kind::Bcrypt(cost) => drop(std::hint::black_box(bcrypt::hash_with_salt(password, cost, [0; 16]))),
    }
}
