//! Users that are looked for: by a part of the name or the address, by number, status and role, in one of several orders.
//!
//! A part can stand anywhere in a name, which no index of both engines finds: the users are read through once for the page and
//! once for the count, whatever is asked. Nothing that was typed is a pattern.

use cerrojo_domain::{Email, RoleId, Status, User};

use crate::bind::{Bind, binds};
use crate::db::{self, Run};
use crate::errors::Result;
use crate::statement::{Statement, statements};
use crate::users::{self, columns};

/// The longest text that is looked for, in characters; a name is no longer.
pub const LONGEST: usize = 200;

/// Letters and what they are taken for, so that «nandu» finds «Ñandú». SQLite knows the cases of ASCII alone and PostgreSQL those of the
/// database's locale: this is the same on both. Other scripts are looked for as they are written.
macro_rules! letters {
    ($then:ident) => {
        $then! {
            "á" "a", "à" "a", "â" "a", "ä" "a", "ã" "a", "å" "a", "Á" "a", "À" "a", "Â" "a", "Ä" "a", "Ã" "a", "Å" "a",
            "é" "e", "è" "e", "ê" "e", "ë" "e", "É" "e", "È" "e", "Ê" "e", "Ë" "e",
            "í" "i", "ì" "i", "î" "i", "ï" "i", "Í" "i", "Ì" "i", "Î" "i", "Ï" "i",
            "ó" "o", "ò" "o", "ô" "o", "ö" "o", "õ" "o", "ø" "o", "Ó" "o", "Ò" "o", "Ô" "o", "Ö" "o", "Õ" "o", "Ø" "o",
            "ú" "u", "ù" "u", "û" "u", "ü" "u", "Ú" "u", "Ù" "u", "Û" "u", "Ü" "u",
            "ñ" "n", "Ñ" "n", "ç" "c", "Ç" "c", "ý" "y", "ÿ" "y", "Ý" "y", "Ÿ" "y",
        }
    };
}

/// SQLite has no `translate`. Four at a time: macros nest only so deep.
macro_rules! replaced {
    () => { "name" };
    ($a:literal $b:literal, $c:literal $d:literal, $e:literal $f:literal, $g:literal $h:literal, $($rest:tt)*) => {
        concat!("replace(replace(replace(replace(", replaced!($($rest)*), ", '", $a, "', '", $b, "'), '", $c, "', '", $d,
            "'), '", $e, "', '", $f, "'), '", $g, "', '", $h, "')")
    };
}

macro_rules! translated {
    ($($from:literal $to:literal,)+) => { concat!("translate(name, '", $($from,)+ "', '", $($to,)+ "')") };
}

macro_rules! pairs {
    ($($from:literal $to:literal,)+) => { &[$(($from, $to)),+] };
}

/// The name as it is looked for and sorted by. Most need nothing replaced, and that is cheap to see.
macro_rules! name {
    (sqlite) => {
        concat!(
            "CASE WHEN length(name) = length(CAST(name AS BLOB)) THEN lower(name) ELSE lower(",
            letters!(replaced),
            ") END"
        )
    };
    (postgres) => {
        concat!("lower(", letters!(translated), " COLLATE \"C\")")
    };
}

macro_rules! wanted {
    ($engine:ident, $position:literal) => {
        concat!(
            "FROM users WHERE (CAST($1 AS TEXT) = '' OR user_id = $3 OR ",
            $position,
            "(email, $2) > 0 OR ",
            $position,
            "(",
            name!($engine),
            ", $1) > 0) AND (CAST($4 AS TEXT) IS NULL OR status = $4) AND (CAST($5 AS BIGINT) IS NULL OR role_id = $5)"
        )
    };
    (sqlite) => {
        wanted!(sqlite, "instr")
    };
    (postgres) => {
        wanted!(postgres, "strpos")
    };
}

macro_rules! ordered {
    ($engine:ident by $order:expr, $direction:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " ",
            wanted!($engine),
            " ORDER BY ",
            $order,
            $direction,
            ", user_id",
            $direction,
            " LIMIT $6 OFFSET $7"
        )
    };
}

statements! {
    COUNT(5) = concat!("SELECT count(*) ", wanted!(sqlite)), postgres = concat!("SELECT count(*) ", wanted!(postgres));
    NEWEST(7) = ordered!(sqlite by "registration_date", " DESC"), postgres = ordered!(postgres by "registration_date", " DESC");
    OLDEST(7) = ordered!(sqlite by "registration_date", ""), postgres = ordered!(postgres by "registration_date", "");
    BY_NAME(7) = ordered!(sqlite by name!(sqlite), ""), postgres = ordered!(postgres by name!(postgres), "");
    BY_NAME_DOWN(7) = ordered!(sqlite by name!(sqlite), " DESC"), postgres = ordered!(postgres by name!(postgres), " DESC");
    BY_EMAIL(7) = ordered!(sqlite by "email", ""), postgres = ordered!(postgres by "email COLLATE \"C\"", "");
    BY_EMAIL_DOWN(7) = ordered!(sqlite by "email", " DESC"), postgres = ordered!(postgres by "email COLLATE \"C\"", " DESC");
}

const LETTERS: &[(&str, &str)] = letters!(pairs);

/// What [`name!`] makes of a name, of what somebody typed.
fn folded(text: &str) -> String {
    let plain = |letter: char| {
        let mut bytes = [0; 4];
        let written: &str = letter.encode_utf8(&mut bytes);
        let known = LETTERS.iter().find(|(from, _)| *from == written);
        known.and_then(|(_, to)| to.chars().next()).unwrap_or(letter).to_ascii_lowercase()
    };
    text.chars().map(plain).collect()
}

macro_rules! sorts {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $statement:ident;)+) => {
        /// In which order; those that are alike by their numbers.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum Sort { $($(#[$doc])* $name),+ }

        impl Sort {
            /// Every order there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As it is asked for: a minus before it turns it round.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            fn statement(self) -> Statement {
                match self { $(Self::$name => $statement),+ }
            }
        }
    };
}

sorts! {
    /// The newest first.
    #[default]
    Newest = "-registered_at", NEWEST;
    /// The oldest first.
    Oldest = "registered_at", OLDEST;
    /// By name, without regard to case and accents.
    Name = "name", BY_NAME;
    /// The other way round.
    NameDown = "-name", BY_NAME_DOWN;
    /// By e-mail address.
    Email = "email", BY_EMAIL;
    /// The other way round.
    EmailDown = "-email", BY_EMAIL_DOWN;
}

impl Sort {
    /// Reads what [`Sort::as_str`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|sort| sort.as_str() == text)
    }
}

/// Which users. What is not given does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// A part of the name or the address, without regard to case and accents, or the number.
    pub text: String,
    /// Of this status.
    pub status: Option<Status>,
    /// Of this role.
    pub role_id: Option<RoleId>,
    /// In which order.
    pub sort: Sort,
}

impl Search {
    /// Whether the text can be looked for: [`LONGEST`] characters at most, and none that controls something.
    #[must_use]
    pub fn is_fit(&self) -> bool {
        self.text.chars().count() <= LONGEST && !self.text.chars().any(char::is_control)
    }

    fn is_for_all(&self) -> bool {
        self.text.trim().is_empty() && self.status.is_none() && self.role_id.is_none()
    }

    fn binds(&self) -> Vec<Bind> {
        let text = self.text.trim();
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_number.then(|| text.parse::<i64>().ok()).flatten();
        binds![folded(text), Email::fold(text), number, self.status, self.role_id]
    }
}

/// How many there are.
pub async fn count(run: &mut impl Run, search: &Search) -> Result<i64> {
    if search.is_for_all() {
        return users::count(run).await;
    }
    db::number(run, COUNT, search.binds()).await
}

/// At most `limit`, without the first `offset`.
pub async fn page(run: &mut impl Run, search: &Search, (offset, limit): (i64, i64)) -> Result<Vec<User>> {
    if search.is_for_all() && search.sort == Sort::Newest {
        return users::page(run, offset, limit).await;
    }
    let mut binds = search.binds();
    binds.extend(binds![limit, offset]);
    run.rows(search.sort.statement(), binds).await?.iter().map(users::read).collect()
}
