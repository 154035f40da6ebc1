//! Names of incarnations: the histories of one installation, each begun by an entry that ended everything.
//!
//! A name is a count, a dot and a random part. The count tells which of two is the later one, so that a node which finds
//! another than it knew can tell whether everything was ended since, or whether the database went back.

use cerrojo_domain::{Random, SessionId};

/// A name that comes after all of these.
pub(crate) fn after(known: &[&str], random: &dyn Random) -> String {
    let latest = known.iter().map(|name| count(name)).max().unwrap_or(0);
    format!("{}.{}", latest.saturating_add(1), SessionId::new(random))
}

/// Which in the order of incarnations. The first one, and those of earlier releases, count as 0.
pub(crate) fn count(name: &str) -> u64 {
    name.split_once('.').and_then(|(count, _)| count.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use cerrojo_domain::SystemRandom;

    use super::{after, count};

    #[test]
    fn each_comes_after_all_that_are_known() {
        let first = after(&["0123abcd"], &SystemRandom);
        let second = after(&["7.x", &first, ""], &SystemRandom);
        assert_eq!((count(&first), count(&second)), (1, 8));
        assert_ne!(second, after(&["7.x"], &SystemRandom));
        assert_eq!(count("x.y"), 0);
    }
}
