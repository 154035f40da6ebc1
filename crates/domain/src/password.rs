//! Which passwords are accepted (OWASP ASVS 5.0, V6.2): any 8 to 256 characters that are not everybody's first guess.
//! A password is never cut, trimmed or normalised: what was typed is what is hashed.

use crate::host::host_of;
use crate::{Email, common_passwords};

/// The fewest characters (Unicode scalar values) of a password.
pub const SHORTEST: usize = 8;
/// The most characters of a password.
pub const LONGEST: usize = 256;

/// The product's name: nobody's password here.
const PRODUCT: &str = "cerrojo";
/// Parts of a host or a name that are shorter than this stand in too many good passwords to mean anything.
const SHORTEST_PART: usize = 4;

/// What is wrong with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordFlaw {
    /// Under 8 characters.
    TooShort,
    /// Over 256 characters.
    TooLong,
    /// Composition is required and no letter is upper-case.
    NoUpperCase,
    /// Composition is required and there is no digit.
    NoDigit,
    /// The whole of it is a common password or a word of the context.
    Common,
    /// It is in the list of breached passwords, which [`judge`] does not know.
    Breached,
    /// It is the one that was made worth nothing, which [`judge`] does not know.
    Voided,
}

/// Whether passwords must mix kinds of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Composition {
    /// They need not.
    Off,
    /// An upper-case letter and a digit.
    Required,
}

/// Words that are no password here: the product, this server's host, the person's name and e-mail address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Lower-case, none empty.
    words: Vec<String>,
}

impl Context {
    /// The words of one account on the server at `public_url`.
    #[must_use]
    pub fn new(public_url: &str, name: &str, email: &Email) -> Self {
        let host = host_of(public_url);
        let labels: Vec<&str> = host.split('.').collect();
        // The last label of a host with several is a top-level domain: nobody's name.
        let labels = labels.split_last().map_or(&[][..], |(_, before)| before);
        let parts = labels.iter().copied().chain(name.split(|c: char| !c.is_alphanumeric()));
        let words = [PRODUCT, host, name.trim(), email.local_part(), email.as_str()]
            .into_iter()
            .chain(parts.filter(|part| part.chars().count() >= SHORTEST_PART))
            .map(str::to_lowercase)
            .filter(|word| !word.is_empty())
            .collect();
        Self { words }
    }

    /// Whether a lower-case password, as typed or as its letters alone, is one of the words.
    fn contains(&self, typed: &str, letters: &str) -> bool {
        self.words.iter().any(|word| {
            typed == word
                || letters == word
                || (letters.chars().count() >= SHORTEST_PART && letters.chars().eq(letters_of(word)))
        })
    }
}

/// Everything that is wrong with `password`; empty when it is accepted.
#[must_use]
pub fn judge(password: &str, composition: Composition, context: &Context) -> Vec<PasswordFlaw> {
    let mut flaws = Vec::new();
    let length = password.chars().take(LONGEST + 1).count();
    if length < SHORTEST {
        flaws.push(PasswordFlaw::TooShort);
    }
    if length > LONGEST {
        flaws.push(PasswordFlaw::TooLong);
    }
    if composition == Composition::Required {
        if !password.chars().any(char::is_uppercase) {
            flaws.push(PasswordFlaw::NoUpperCase);
        }
        if !password.chars().any(|c| c.is_ascii_digit()) {
            flaws.push(PasswordFlaw::NoDigit);
        }
    }
    if (SHORTEST..=LONGEST).contains(&length) && is_common(password, context) {
        flaws.push(PasswordFlaw::Common);
    }
    flaws
}

/// Only the whole of a password is looked at: a longer one that contains a common word is a good one.
fn is_common(password: &str, context: &Context) -> bool {
    let typed = password.to_lowercase();
    let letters: String = letters_of(&typed).collect();
    common_passwords::contains(&typed)
        || (!letters.is_empty() && common_passwords::contains(&letters))
        || context.contains(&typed, &letters)
}

fn letters_of(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| c.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        let email = Email::parse("ana.ruiz@correo.es").unwrap();
        Context::new("https://auth.panaderia.example:8443/x", "Ana María O'Brien-Villanueva", &email)
    }

    fn flaws(password: &str) -> Vec<PasswordFlaw> {
        judge(password, Composition::Off, &context())
    }

    #[test]
    fn the_length_is_counted_in_characters() {
        assert_eq!(flaws("ñandúes"), [PasswordFlaw::TooShort]);
        assert_eq!(flaws("ñandúes!"), []);
        assert_eq!(flaws("🐎🐎🐎🐎🔋🔋🔋📎"), []);
        assert_eq!(flaws(&"ñx".repeat(128)), []);
        assert_eq!(flaws(&format!("{}y", "ñx".repeat(128))), [PasswordFlaw::TooLong]);
        assert_eq!(flaws(""), [PasswordFlaw::TooShort]);
    }

    #[test]
    fn common_passwords_are_refused_with_digits_and_signs_around_them_too() {
        let common = [
            "password",
            "PassWord",
            "Password1!",
            "1password",
            "p-a-s-s-w-o-r-d",
            "12345678",
            "qwerty123",
            "Qwerty99!!",
            "contraseña1",
            "Contrasen\u{303}a2025",
            "contrasena",
            "hola1234",
            "Barcelona10",
            "realmadrid",
            "teamo1234",
            "iloveyou",
            "Cerrojo1",
            "1q2w3e4r",
        ];
        for password in common {
            assert_eq!(flaws(password), [PasswordFlaw::Common], "{password}");
        }
    }

    #[test]
    fn a_longer_one_that_contains_a_common_word_is_accepted() {
        let fine = [
            "correct horse battery staple",
            "passwordless-correct",
            "my password is long",
            "cerrojo de hierro",
            "caballo-grapa-bateria",
            "María en la panadería",
            "#7391#8264",
            "        ",
            "O'Brien's parrot",
            "auth at home",
        ];
        for password in fine {
            assert_eq!(flaws(password), [], "{password}");
        }
    }

    #[test]
    fn words_of_the_context_are_refused() {
        let own = [
            "ana.ruiz",
            "AnaRuiz1",
            "ana.ruiz@correo.es",
            "anaruizcorreoes1",
            "auth.panaderia.example",
            "Panaderia1",
            "auth2025",
            "Ana María O'Brien-Villanueva",
            "anamaríaobrienvillanueva",
            "villanueva",
            "brien1234",
            "maría1990",
            "CERROJO!",
        ];
        for password in own {
            assert_eq!(flaws(password), [PasswordFlaw::Common], "{password}");
        }
        assert_eq!(flaws("example7391"), [], "a top-level domain is nobody's name");
    }

    #[test]
    fn composition_is_asked_for_only_when_required() {
        let required = |password: &str| judge(password, Composition::Required, &context());
        assert_eq!(required("grapa"), [PasswordFlaw::TooShort, PasswordFlaw::NoUpperCase, PasswordFlaw::NoDigit]);
        assert_eq!(required("caballo grapa"), [PasswordFlaw::NoUpperCase, PasswordFlaw::NoDigit]);
        assert_eq!(required("Ñandú con 1 grapa"), []);
        assert_eq!(flaws("caballo grapa"), []);
    }
}
