//! What one thread does: checks and makes hashes, and does the same work for every wrong password.

use std::sync::{Arc, Mutex, PoisonError};

use cerrojo_domain::Random;
use subtle::ConstantTimeEq as _;

use super::Checked;
use super::schemes::{self, Kind, Memory, Shape, Stored};
use crate::Argon2Settings;

/// The most kinds that are imitated.
const MOST_KINDS: usize = 4;
/// A kind dearer than this is not imitated: one imported hash would make everybody's wrong tries dear.
const DEAREST_MEMORY_TIMES_PASSES_KIB: u64 = 256 * 1024;
const DEAREST_BCRYPT_COST: u32 = 13;

/// The kinds of hash that have been met since the start, the one that is made among them.
///
/// Nobody may learn from the time of a refusal whether an account exists, and an account whose hash is bcrypt, or
/// Argon2id of another cost, costs another time than a made-up one. So a wrong password costs each kind met once:
/// for an account of any of those kinds, of none, and for no account. On an installation with one kind that is one hash.
/// Only the first check of an account of a new kind after a start stands out, and kinds over the bounds above.
pub(super) struct Kinds(Mutex<Vec<Kind>>);

impl Kinds {
    pub(super) fn new(made: Argon2Settings) -> Self {
        Self(Mutex::new(vec![Kind::Argon2(made)]))
    }

    fn meet(&self, kind: Kind) -> Vec<Kind> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let affordable = match kind {
            Kind::Argon2(cost) => {
                u64::from(cost.memory_kib) * u64::from(cost.passes) <= DEAREST_MEMORY_TIMES_PASSES_KIB
            }
            Kind::Bcrypt(cost) => cost <= DEAREST_BCRYPT_COST,
        };
        if affordable && kinds.len() < MOST_KINDS && !kinds.contains(&kind) {
            kinds.push(kind);
        }
        kinds.clone()
    }
}

/// One thread's place of work.
pub(super) struct Bench {
    cost: Argon2Settings,
    kinds: Arc<Kinds>,
    random: Arc<dyn Random>,
    memory: Memory,
    #[cfg(test)]
    pub(super) done: Vec<Kind>,
}

impl Bench {
    /// `cost`: of new hashes, workable.
    pub(super) fn new(cost: Argon2Settings, kinds: Arc<Kinds>, random: Arc<dyn Random>) -> Self {
        Self {
            cost,
            kinds,
            random,
            memory: Memory::default(),
            #[cfg(test)]
            done: Vec::new(),
        }
    }

    /// Whether it keeps memory for the next hash.
    pub(super) fn holds_memory(&self) -> bool {
        !self.memory.is_empty()
    }

    /// Gives the memory back.
    pub(super) fn release(&mut self) {
        self.memory = Memory::default();
    }

    /// Checks `password` against what is stored. What cannot be read is no password, and no password is right for it.
    pub(super) fn check(&mut self, password: &str, stored: Option<&str>) -> Checked {
        let made = Kind::Argon2(self.cost);
        let stored = stored.and_then(Stored::parse);
        let kind = stored.as_ref().map_or(made, Stored::kind);
        let right = if let Some(stored) = &stored {
            self.matches(password, stored)
        } else {
            self.imitate(made, password);
            false
        };
        let kinds = self.kinds.meet(kind);
        if !right {
            for other in kinds.into_iter().filter(|other| *other != kind) {
                self.imitate(other, password);
            }
            return Checked::Wrong;
        }
        if kind == made {
            return Checked::Right;
        }
        self.make(password).map_or(Checked::Right, Checked::RightWith)
    }

    /// A new hash of `password`. `None`: the machine has no memory for it.
    pub(super) fn make(&mut self, password: &str) -> Option<String> {
        self.note(Kind::Argon2(self.cost));
        let salt = self.random.bytes();
        schemes::make(&mut self.memory, self.cost, password, salt)
    }

    fn matches(&mut self, password: &str, stored: &Stored) -> bool {
        self.note(stored.kind());
        match stored {
            Stored::Argon2 { cost, salt, hash } => {
                // Another cost's memory is not kept.
                let mut other = Memory::default();
                let memory = if *cost == self.cost { &mut self.memory } else { &mut other };
                schemes::argon2(memory, *cost, password, Shape { salt, length: hash.len() })
                    .is_some_and(|found| found.ct_eq(hash).into())
            }
            Stored::Bcrypt { text, .. } => bcrypt::verify(password, text).unwrap_or(false),
        }
    }

    fn imitate(&mut self, kind: Kind, password: &str) {
        self.note(kind);
        if kind == Kind::Argon2(self.cost) {
            schemes::imitate(&mut self.memory, kind, password);
        } else {
            schemes::imitate(&mut Memory::default(), kind, password);
        }
    }

    #[cfg(test)]
    fn note(&mut self, kind: Kind) {
        self.done.push(kind);
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "only tests count the work")]
    fn note(&self, _: Kind) {}
}

#[cfg(test)]
mod tests {
    use cerrojo_domain::SystemRandom;

    use super::*;

    const CHEAP: Argon2Settings = Argon2Settings { memory_kib: 8, passes: 1, lanes: 1 };
    /// "U*U", of `crypt_blowfish`'s own tests.
    const BCRYPT: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    /// "password" with the salt "somesalt", of the Argon2 reference's own tests.
    const ARGON2: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

    fn bench() -> Bench {
        Bench::new(CHEAP, Arc::new(Kinds::new(CHEAP)), Arc::new(SystemRandom))
    }

    fn work_of(bench: &mut Bench, password: &str, stored: Option<&str>) -> Vec<String> {
        bench.done.clear();
        assert_eq!(bench.check(password, stored), Checked::Wrong, "{stored:?}");
        let mut done: Vec<String> = bench.done.iter().map(|kind| format!("{kind:?}")).collect();
        done.sort();
        done
    }

    #[test]
    fn a_hash_is_checked_by_its_own_password_alone() {
        let mut bench = bench();
        let hash = bench.make("caballo grapa").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
        assert_eq!(bench.check("caballo grapa", Some(&hash)), Checked::Right);
        for wrong in ["Caballo grapa", "caballo grap", "caballo grapa ", "caballo grapa\0", ""] {
            assert_eq!(bench.check(wrong, Some(&hash)), Checked::Wrong, "{wrong:?}");
        }
        assert_ne!(bench.make("caballo grapa").unwrap(), hash, "salted");
    }

    #[test]
    fn what_others_made_is_checked_and_replaced() {
        let vectors = [
            ("U*U", BCRYPT.to_owned()),
            ("U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK".to_owned()),
            ("U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a".to_owned()),
            ("U*U", BCRYPT.replace("$2a$", "$2b$")),
            ("U*U", BCRYPT.replace("$2a$", "$2y$")),
            ("password", ARGON2.to_owned()),
        ];
        for (password, stored) in vectors {
            let mut bench = bench();
            let Checked::RightWith(new) = bench.check(password, Some(&stored)) else { panic!("{stored}") };
            assert_eq!(bench.check(password, Some(&new)), Checked::Right);
            assert_eq!(bench.check("U*V", Some(&stored)), Checked::Wrong);
        }
    }

    #[test]
    fn nothing_else_is_a_password() {
        let own = bench().make("x").unwrap();
        let not_hashes = [
            String::new(),
            "x".to_owned(),
            "*".to_owned(),
            BCRYPT.replace("$2a$", "$2x$"),
            BCRYPT.replace("$05$", "$31$"),
            BCRYPT.replace("$05$", "$+5$"),
            ARGON2.replace("argon2id", "argon2i"),
            ARGON2.replace("v=19", "v=16"),
            ARGON2.replace("m=256", "m=4294967295"),
            ARGON2.replace("m=256", "m=1048577"),
            ARGON2.replace("t=2", "t=17"),
            ARGON2.replace("t=2", "t=0"),
            ARGON2.replace("p=1", "p=33"),
            ARGON2.replace("p=1", "p=1,keyid=x"),
            ARGON2.replace("m=256", "m=+256"),
            "$argon2id$v=19$m=1048576,t=16,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4".to_owned(),
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$".to_owned(),
            "$argon2id$v=19$m=256,t=2,p=1$$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4".to_owned(),
            format!("{own}$"),
            format!("{own}="),
        ];
        for stored in &not_hashes {
            for password in ["", "x", "password", "U*U", stored] {
                assert_eq!(
                    work_of(&mut bench(), password, Some(stored)),
                    ["Argon2(Argon2Settings { memory_kib: 8, passes: 1, lanes: 1 })"],
                    "{stored}"
                );
            }
        }
    }

    #[test]
    fn every_wrong_password_costs_the_same() {
        let mut bench = bench();
        let own = bench.make("right").unwrap();
        let one = work_of(&mut bench, "wrong", Some(&own));
        assert_eq!(one.len(), 1);
        assert_eq!(work_of(&mut bench, "wrong", None), one);
        assert_eq!(work_of(&mut bench, "wrong", Some("")), one);

        assert_eq!(work_of(&mut bench, "wrong", Some(BCRYPT)).len(), 2);
        let three = work_of(&mut bench, "wrong", Some(ARGON2));
        assert_eq!(three.len(), 3);
        for stored in [None, Some(""), Some("?"), Some(own.as_str()), Some(BCRYPT), Some(ARGON2)] {
            assert_eq!(work_of(&mut bench, "wrong", stored), three, "{stored:?}");
        }
    }

    #[test]
    fn what_is_too_dear_is_checked_but_not_imitated() {
        let kinds = Kinds::new(CHEAP);
        assert_eq!(kinds.meet(Kind::Bcrypt(14)).len(), 1);
        assert_eq!(kinds.meet(Kind::Argon2(Argon2Settings { memory_kib: 1024 * 1024, passes: 1, lanes: 1 })).len(), 1);
        for cost in 4..=13 {
            kinds.meet(Kind::Bcrypt(cost));
        }
        assert_eq!(kinds.meet(Kind::Argon2(CHEAP)).len(), MOST_KINDS);
    }
}
