//! What one thread does: checks and makes hashes, and does the same work for every wrong password.

use std::sync::{Arc, Mutex, PoisonError};

use cerrojo_domain::Random;

use super::Checked;
use super::schemes::{self, Kind, Memory, Stored};
use crate::Argon2Settings;

/// The most kinds that are imitated.
const MOST_KINDS: usize = 4;
/// What all of them may cost together beside the kind that is made, in [`Kind::weight`]: more and one imported hash of each
/// would make everybody's wrong tries dear.
const MOST_WEIGHT: u64 = 800;
/// Bytes of a password that bcrypt looks at.
const BCRYPT_LOOKS_AT: usize = 72;

/// The kinds of hash that have been met since the start, the one that is made among them.
///
/// Nobody may learn from the time of a refusal whether an account exists, and an account whose hash is imported, or
/// Argon2id of another cost, costs another time than a made-up one. So a wrong password costs each kind met once:
/// for an account of any of those kinds, of none, and for no account. On an installation with one kind that is one hash.
/// PBKDF2 of more and of fewer iterations is one kind: what is missing of the most is done as well, so that a table which
/// raised its iterations over the years is one too.
/// Only the first check of an account of a new kind after a start stands out, and kinds over the bounds above.
pub(super) struct Kinds {
    made: Kind,
    met: Mutex<Vec<Kind>>,
}

impl Kinds {
    pub(super) fn new(made: Argon2Settings) -> Self {
        Self { made: Kind::made(made), met: Mutex::default() }
    }

    /// Those that a wrong password costs from now on, the one that is made first.
    fn meet(&self, kind: Kind) -> Vec<Kind> {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let beside: u64 = met.iter().filter(|known| !known.is_like(kind)).map(|known| known.weight()).sum();
        let fits = kind != self.made && kind.is_imitated() && beside.saturating_add(kind.weight()) <= MOST_WEIGHT;
        if let Some(known) = met.iter_mut().find(|known| known.is_like(kind)) {
            if fits && known.weight() < kind.weight() {
                *known = kind;
            }
        } else if fits && met.len() + 1 < MOST_KINDS {
            met.push(kind);
        }
        std::iter::once(self.made).chain(met.iter().copied()).collect()
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
        let made = Kind::made(self.cost);
        let stored = stored.and_then(|text| Stored::parse(text).ok());
        let kind = stored.as_ref().map_or(made, Stored::kind);
        let right = if let Some(stored) = &stored {
            self.matches(password, stored)
        } else {
            self.imitate(made, password);
            false
        };
        let kinds = self.kinds.meet(kind);
        if !right {
            for rest in kinds.into_iter().filter_map(|other| other.without(kind)) {
                self.imitate(rest, password);
            }
            return Checked::Wrong;
        }
        // Of a longer one bcrypt looks at the beginning alone: what was typed may be more or less than the password.
        let is_whole = !matches!(kind, Kind::Bcrypt(_)) || password.len() < BCRYPT_LOOKS_AT;
        if kind == made || !is_whole {
            return Checked::Right;
        }
        self.make(password).map_or(Checked::Right, Checked::RightWith)
    }

    /// A new hash of `password`. `None`: the machine has no memory for it.
    pub(super) fn make(&mut self, password: &str) -> Option<String> {
        self.note(Kind::made(self.cost));
        let salt = self.random.bytes();
        schemes::make(&mut self.memory, self.cost, password, salt)
    }

    fn matches(&mut self, password: &str, stored: &Stored) -> bool {
        self.note(stored.kind());
        let mut other = Memory::default();
        let is_of = stored.is_of(password, self.memory_for(stored.kind(), &mut other));
        // HMAC and bcrypt do not tell a password from the same one with a NUL behind it.
        is_of && (stored.kind() == Kind::made(self.cost) || !password.contains('\0'))
    }

    fn imitate(&mut self, kind: Kind, password: &str) {
        self.note(kind);
        let mut other = Memory::default();
        kind.imitate(self.memory_for(kind, &mut other), password);
    }

    /// Another cost's memory is not kept.
    fn memory_for<'a>(&'a mut self, kind: Kind, other: &'a mut Memory) -> &'a mut Memory {
        if kind == Kind::made(self.cost) { &mut self.memory } else { other }
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
    use crate::hashing::schemes::{Digest, Pbkdf2Cost};

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
            ARGON2.replace("argon2id", "argon2x"),
            ARGON2.replace("v=19", "v=17"),
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
                    [format!("{:?}", Kind::made(CHEAP))],
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
        assert_eq!(kinds.meet(Kind::made(Argon2Settings { memory_kib: 1024 * 1024, passes: 1, lanes: 1 })).len(), 1);
        for cost in 4..=13 {
            kinds.meet(Kind::Bcrypt(cost));
        }
        assert_eq!(kinds.meet(Kind::made(CHEAP)).len(), MOST_KINDS);
    }

    #[test]
    fn all_that_is_imitated_has_a_bound_together() {
        let kinds = Kinds::new(CHEAP);
        kinds.meet(Kind::Bcrypt(13));
        let pbkdf2 = |iterations| Kind::Pbkdf2(Pbkdf2Cost { digest: Digest::Sha256, iterations }, 1);
        // The last but one would be too much together.
        for iterations in [1_000, 600_000, 720_000, 870_000, 1_000_000, 1_200_000, 3_000] {
            kinds.meet(pbkdf2(iterations));
        }
        assert_eq!(kinds.meet(Kind::made(CHEAP)), [Kind::made(CHEAP), Kind::Bcrypt(13), pbkdf2(1_000_000)]);
    }

    /// Of "caballo grapa 7", by Node.
    const PBKDF2: &str = "$pbkdf2-sha512$i=2500$ABEiM0RVZneImaq7zN3u/w$kFRGYK6iYVpWQlm/eBOyrWj0OuFpQ7wiag5YZEgG02e0a/KbCPnFJiNQZFpkbO2IdVc0Kx4yP69AtsSL5kLmoQ";
    const SCRYPT: &str = "$scrypt$ln=12,r=8,p=1$ABEiM0RVZneImaq7zN3u/w$NKFSZDnG8ajuWnPTh5lKNU/3qbuWZRf7ZqsJgnPvPZQ";

    #[test]
    fn imported_kinds_cost_a_wrong_password_the_same() {
        let mut bench = bench();
        let fewer = PBKDF2.replace("i=2500", "i=100");
        for met in [PBKDF2, SCRYPT, &fewer] {
            bench.check("wrong", Some(met));
        }
        let rounds = |work: &[Kind]| {
            let of = |kind: &Kind| if let Kind::Pbkdf2(cost, blocks) = kind { cost.rounds(*blocks) } else { 0 };
            work.iter().map(of).sum::<u64>()
        };
        let mut seen = Vec::new();
        for stored in [None, Some(PBKDF2), Some(SCRYPT), Some(fewer.as_str())] {
            bench.done.clear();
            assert_eq!(bench.check("wrong", stored), Checked::Wrong);
            let of = |is: fn(&Kind) -> bool| bench.done.iter().filter(|kind| is(kind)).count();
            let others = (of(|kind| matches!(kind, Kind::Argon2(..))), of(|kind| matches!(kind, Kind::Scrypt(_))));
            seen.push((rounds(&bench.done), others));
        }
        assert_eq!(seen, [(2500, (1, 1)); 4]);
    }

    #[test]
    fn what_is_typed_behind_the_password_is_not_taken_for_it() {
        for (password, stored) in [("caballo grapa 7", PBKDF2), ("caballo grapa 7", SCRYPT), ("U*U", BCRYPT)] {
            assert!(matches!(bench().check(password, Some(stored)), Checked::RightWith(_)), "{stored}");
            for wrong in [format!("{password}\0"), format!("{password}\0{password}")] {
                assert_eq!(bench().check(&wrong, Some(stored)), Checked::Wrong, "{stored}");
            }
        }
        let whole = "x".repeat(100);
        let stored = bcrypt::hash_with_salt(&whole, 4, [7; 16]).unwrap().to_string();
        for typed in [&whole, &whole[..72], &format!("{whole}y")] {
            assert_eq!(bench().check(typed, Some(&stored)), Checked::Right, "the stored hash stays");
        }
    }
}
