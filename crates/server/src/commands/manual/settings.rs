//! `cerrojo.toml(5)`: the reference of the settings as a manual page.

use clap_mangen::roff::{Roff, bold, italic, roman};

use super::{MANUAL, Page, SOURCE, prose};
use crate::config::reference::{ALL, EXAMPLE, INTRODUCTION, Key, ROLES, standard};

/// The page.
pub(super) fn page() -> Page {
    let mut page = Roff::new();
    page.control("TH", ["cerrojo.toml", "5", "", SOURCE, MANUAL]);
    page.control("SH", ["NAME"]).text([roman("cerrojo.toml - settings of the authentication server Cerrojo")]);
    page.control("SH", ["SYNOPSIS"]);
    page.text([bold("/etc/cerrojo/cerrojo.toml"), roman(", "), bold("cerrojo.toml")]);
    page.control("SH", ["DESCRIPTION"]);
    for paragraph in INTRODUCTION {
        page.control("PP", []).text(prose(paragraph));
    }
    page.control("SH", ["EXAMPLE"]).control("nf", []).text([roman(EXAMPLE.trim_end())]).control("fi", []);
    let mut section = "";
    for key in ALL {
        let (its_section, name) = key.name.split_once('.').unwrap_or(("", key.name));
        if its_section != section {
            section = its_section;
            page.control("SH", [format!("[{section}]").as_str()]);
        }
        add(&mut page, name, key);
    }
    page.control("SH", ["[roles]"]).text(prose(ROLES));
    page.control("SH", ["FILES"]);
    for (file, about) in [
        ("/etc/cerrojo/cerrojo.toml", "The settings of this machine's server."),
        ("/var/lib/cerrojo", "Its database, master key and outbox, where the package is installed."),
    ] {
        page.control("TP", []).text([italic(file)]).text([roman(about)]);
    }
    page.control("SH", ["SEE ALSO"]).text([bold("cerrojo"), roman("(1), "), bold("cerrojo-config"), roman("(1)")]);
    Page { name: "cerrojo.toml.5".to_owned(), text: page.render() }
}

fn add(page: &mut Roff, name: &str, key: &Key) {
    page.control("TP", []).text([bold(name), roman(" ("), bold(key.variable()), roman(")")]).text(prose(key.about));
    page.control("IP", []).text(prose(&format!("Expects {}. Default: {}.", key.expects, standard(key))));
}
