//! How pages show what people call themselves.

use cerrojo_domain::{ADMIN_ROLE, RoleId, Status, USER_ROLE, turns_writing};

use super::Language;

/// Longest text of somebody else's that a row shows, in characters: a page has at most 50 kB in all.
const LONGEST: usize = 60;
/// The same of an address.
const LONGEST_ADDRESS: usize = 120;
/// Bytes that a character of such a text takes on average at most.
const BYTES: usize = 3;

/// A text of somebody else's, cut off where it is too long for a row.
pub(super) fn short(text: &str) -> String {
    cut(text, LONGEST)
}

/// The same of an address, of which more has to be seen: whom it belongs to stands at its end.
pub(super) fn short_address(text: &str) -> String {
    cut(text, LONGEST_ADDRESS)
}

/// The same at so many characters, or fewer where they are written in many bytes. None of them turns the direction of the rest.
pub(super) fn cut(text: &str, longest: usize) -> String {
    let (mut shown, mut bytes) = (String::new(), 0);
    for (number, c) in text.chars().filter(|c| !turns_writing(*c)).enumerate() {
        bytes += written(c);
        if number == longest || bytes > longest * BYTES {
            shown.push('…');
            break;
        }
        shown.push(c);
    }
    shown
}

/// How many bytes a character takes on a page.
fn written(c: char) -> usize {
    match c {
        '"' | '\'' | '/' => 6,
        '&' => 5,
        '<' | '>' => 4,
        c => c.len_utf8(),
    }
}

/// A text where no element can keep to itself which direction it is written in: a title.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| !turns_writing(*c)).collect()
}

/// What a status is called, by its name in the API.
pub(super) fn status(name: &str, language: Language) -> &'static str {
    match Status::parse(name) {
        Some(Status::Active) => language.pick("Activo", "Active"),
        Some(Status::Inactive) => language.pick("Inactivo", "Inactive"),
        Some(Status::Suspended) => language.pick("Suspendido", "Suspended"),
        None => "",
    }
}

/// What a role is called: those that every server has in words, the operator's own by their names.
pub(super) fn role(id: RoleId, name: &str, language: Language) -> String {
    match id {
        ADMIN_ROLE => language.pick("Administrador", "Administrator").to_owned(),
        USER_ROLE => language.pick("Usuario", "User").to_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_for_a_row_is_cut_off_between_characters() {
        assert_eq!(short(&"ñ".repeat(60)), "ñ".repeat(60));
        assert_eq!(short(&"ñ".repeat(61)), format!("{}…", "ñ".repeat(60)));
        assert_eq!(short(&"名".repeat(60)), "名".repeat(60));
    }

    #[test]
    fn what_takes_many_bytes_on_a_page_is_cut_off_sooner() {
        assert_eq!(short(&"'".repeat(60)), format!("{}…", "'".repeat(30)));
        assert_eq!(short("O'Brien & Sons / \"Ana\""), "O'Brien & Sons / \"Ana\"");
    }

    #[test]
    fn nothing_turns_the_direction_of_what_is_beside_it() {
        assert_eq!(plain("ana\u{202E}moc\u{2069}\u{200F}"), "anamoc");
        assert_eq!(short("ana\u{202E}moc"), "anamoc");
    }
}
