//! The common passwords that the binary carries: `common_passwords.txt`, lower-case, one a line, sorted by bytes.
//!
//! 30,000 entries of the frequency list of zxcvbn (MIT, see `docs/THIRD-PARTY.md`), of which are kept those of 8
//! characters and more, and among the first 10,000 the words of 4 to 7 letters that become a password of today by
//! adding digits and signs; and Spanish ones of our own.

use std::cmp::Ordering;

static LIST: &str = include_str!("common_passwords.txt");

/// Whether `candidate`, which must be lower-case, is on the list. Takes no memory and about 17 comparisons.
pub(crate) fn contains(candidate: &str) -> bool {
    let mut rest = LIST.as_bytes();
    while !rest.is_empty() {
        let (before, from_middle) = rest.split_at(rest.len() / 2);
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let tail = from_middle.iter().position(|byte| *byte == b'\n').unwrap_or(from_middle.len());
        let end = before.len() + tail;
        let word = rest.get(start..end).unwrap_or_default();
        match candidate.as_bytes().cmp(word) {
            Ordering::Equal => return true,
            Ordering::Less => rest = rest.get(..start).unwrap_or_default(),
            Ordering::Greater => rest = rest.get(end + 1..).unwrap_or_default(),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_lower_case_and_long_enough() {
        let words: Vec<&str> = LIST.lines().collect();
        assert!(words.is_sorted_by(|a, b| a.as_bytes() < b.as_bytes()));
        assert!(words.iter().all(|word| !word.is_empty() && *word == word.to_lowercase()));
        assert!(words.iter().filter(|word| word.chars().count() >= 8).count() >= 3000, "ASVS 5.0, 6.2.4");
    }

    #[test]
    fn every_word_of_the_list_is_found_and_its_neighbours_are_not() {
        for word in LIST.lines() {
            assert!(contains(word), "{word}");
            assert!(!contains(&format!("{word}\u{1}")), "{word}");
        }
        assert!(!contains(""));
        assert!(!contains("\n"));
        assert!(!contains("password\npassword1"));
        assert!(!contains("zzzzzzzzzzzzzzzzzzzzzzzz\u{10ffff}"));
    }
}
