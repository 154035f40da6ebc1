//! What pages look like.

use std::fs::File;
use std::io::Read as _;

use cerrojo_web::{Accent, LARGEST_LOGO, Logo, PageSettings};

use super::given::Origin;
use super::keys;
use super::read::Reader;
use super::values::{self, Wrong};

/// The longest name, in characters.
const LONGEST_NAME: usize = 60;

/// What pages look like; `None`: there are none, or something is wrong with it.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<PageSettings> {
    let enabled = reader.value(&keys::PAGES_ENABLED, values::flag);
    let name = reader.value(&keys::PAGES_NAME, name);
    let logo = reader.optional(&keys::PAGES_LOGO, logo);
    let accent = reader.value(&keys::PAGES_ACCENT, Accent::parse);
    let settings = PageSettings { name: name?, accent: accent?, logo };
    enabled?.then_some(settings)
}

fn name(text: &str) -> Result<String, Wrong> {
    values::text(text).and_then(|name| if name.chars().count() > LONGEST_NAME { Err(String::new()) } else { Ok(name) })
}

fn logo(text: &str) -> Result<Logo, Wrong> {
    let file = File::open(values::path(text)?).map_err(|error| error.to_string())?;
    let mut content = Vec::new();
    // One byte more tells that it is too large.
    file.take(LARGEST_LOGO as u64 + 1).read_to_end(&mut content).map_err(|error| error.to_string())?;
    Logo::new(content)
}

/// What an operator should know who has no pages and sends links to them.
pub(super) fn warning(reader: &Reader<'_>, pages: Option<&PageSettings>) -> Option<String> {
    let links = [&keys::MAIL_RESET_LINK, &keys::MAIL_VERIFY_LINK, &keys::MAIL_INVITE_LINK];
    let led_here: Vec<&str> =
        links.into_iter().filter(|key| reader.origin(key) == Origin::Standard).map(|key| key.name).collect();
    (pages.is_none() && !led_here.is_empty()).then(|| {
        format!("pages.enabled is false, and links in mails lead to pages of the server: set {}", led_here.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::{Configuration, Given, Loaded};

    fn with(pairs: &[(&str, &str)]) -> Result<Configuration, String> {
        let mut given = Given::default();
        given.read_environment(pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))));
        Loaded(given).configuration().map_err(|error| error.0.join("\n"))
    }

    fn problem(name: &str, value: &str) -> String {
        with(&[(name, value)]).err().unwrap_or_default()
    }

    #[test]
    fn a_colour_that_cannot_be_read_is_told_at_the_start() {
        let told = problem("CERROJO_PAGES__ACCENT", "#ffcc00");
        assert!(told.contains("CERROJO_PAGES__ACCENT (pages.accent)") && told.contains("4.5:1"), "{told}");
        assert!(told.contains("take a darker one such as #"), "{told}");
        assert!(with(&[("CERROJO_PAGES__ACCENT", "#6a2c70")]).is_ok());
    }

    #[test]
    fn a_logo_is_a_small_picture_that_is_there() {
        assert!(problem("CERROJO_PAGES__LOGO", "/nonexistent/logo.svg").contains("No such file"));
        assert!(problem("CERROJO_PAGES__LOGO", file!()).contains("pages.logo"));
        assert!(problem("CERROJO_PAGES__NAME", &"x".repeat(61)).contains("60 characters"));
    }

    #[test]
    fn who_has_no_pages_is_told_that_links_lead_to_them() {
        const OFF: (&str, &str) = ("CERROJO_PAGES__ENABLED", "false");
        let warnings = with(&[OFF]).map(|read| read.warnings.join(" ")).unwrap();
        assert!(warnings.contains("set mail.reset_link, mail.verify_link, mail.invite_link"), "{warnings}");
        let links = ["RESET", "VERIFY", "INVITE"].map(|what| format!("CERROJO_MAIL__{what}_LINK"));
        let mut set: Vec<(&str, &str)> = links.iter().map(|link| (&**link, "https://a.example/x?t={token}")).collect();
        set.push(OFF);
        assert!(with(&set).is_ok_and(|read| read.pages.is_none() && read.warnings.is_empty()));
    }
}
