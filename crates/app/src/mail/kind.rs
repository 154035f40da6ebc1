//! The mails there are. One more is a line below and its four texts beside the others; what its values are, `templates.rs`
//! says.

use crate::Locale;

/// What every text is given: the host of `server.public_url`, and the language.
pub(super) const ALWAYS: [&str; 2] = ["site", "locale"];
/// What pages are given as well: the subject, as the mail has it.
pub(super) const SUBJECT: &str = "subject";
/// The value without which a mail that has it is worth nothing.
pub(super) const LINK: &str = "link";
/// What is around every page of HTML.
pub(super) const LAYOUT: (&str, &str) = ("layout.html", include_str!("texts/layout.html"));

/// The built-in texts of a mail in one language.
struct Texts {
    /// The subject in the first line, then the plain text.
    text: &'static str,
    html: &'static str,
}

macro_rules! kinds {
    ($($kind:ident = $name:literal, $about:literal, [$($value:literal),+];)+) => {
        /// A kind of mail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = $about] $kind),+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// Its name on the command line and the start of its files' names.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),+ }
            }

            /// What it is, in a few words.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self { $(Self::$kind => $about),+ }
            }

            /// The values that it is given beside those that every mail is. Those that it does not always have are empty then.
            #[must_use]
            pub fn values(self) -> &'static [&'static str] {
                match self { $(Self::$kind => &[$($value),+]),+ }
            }

            fn texts(self, locale: Locale) -> Texts {
                match (self, locale) {
                    $((Self::$kind, Locale::Es) => Texts {
                        text: include_str!(concat!("texts/", $name, ".es.txt")),
                        html: include_str!(concat!("texts/", $name, ".es.html")),
                    },
                    (Self::$kind, Locale::En) => Texts {
                        text: include_str!(concat!("texts/", $name, ".en.txt")),
                        html: include_str!(concat!("texts/", $name, ".en.html")),
                    }),+
                }
            }
        }
    };
}

kinds! {
    Reset = "reset", "The link of a forgotten password", ["when", "address", "device", "link"];
    ResetForced = "reset-forced", "The link for somebody whose password was taken away", ["name", "when", "link"];
    PasswordChanged = "password-changed", "The password was changed", ["name", "when", "address"];
    EmailChanged = "email-changed", "The address was changed; goes to the old one", ["name", "when", "address", "new_email", "undo_link", "undo_until"];
    NewDevice = "new-device", "Somebody signed in from a new place", ["name", "when", "address", "device", "silent_until", "not_me_link"];
    VerifyEmail = "verify-email", "The link that confirms an address", ["when", "address", "device", "until", "link"];
    FinishRegistration = "finish-registration", "The link that sets a password and so finishes a registration", ["when", "address", "device", "until", "link"];
    AlreadyRegistered = "already-registered", "Somebody wanted the address for an account, and it has one", ["when", "address", "device"];
    EmailChangeAsked = "email-change-asked", "Another address is to be confirmed; goes to the one in force", ["name", "when", "address", "new_email"];
    Invitation = "invitation", "The link of an invitation", ["name", "until", "link"];
    Test = "test", "Mail arrives; what `cerrojo mail test` sends", ["when"];
}

impl Kind {
    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Whether it is given this value.
    pub(super) fn has(self, value: &str) -> bool {
        self.values().contains(&value)
    }

    /// The names of its files in this language: the text, and the page.
    pub(super) fn files(self, locale: Locale) -> (String, String) {
        let stem = format!("{}.{}", self.name(), locale.name());
        (format!("{stem}.txt"), format!("{stem}.html"))
    }
}

/// Every built-in text, under the name of the file that replaces it.
pub fn built_in_files() -> impl Iterator<Item = (String, &'static str)> {
    let of = |(kind, locale): (Kind, Locale)| {
        let ((text, html), texts) = (kind.files(locale), kind.texts(locale));
        [(text, texts.text), (html, texts.html)]
    };
    let (layout, text) = LAYOUT;
    every().flat_map(of).chain([(layout.to_owned(), text)])
}

/// Every kind in every language.
pub(super) fn every() -> impl Iterator<Item = (Kind, Locale)> {
    Kind::ALL.iter().flat_map(|kind| Locale::ALL.iter().map(|locale| (*kind, *locale)))
}
