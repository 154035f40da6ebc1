//! `cerrojo man`: manual pages, of the command line and of the settings, from what the program itself knows.

mod commands;
mod settings;

use std::path::Path;

use clap_mangen::roff::{Inline, bold, roman};

use crate::failure::Failure;
use crate::out;

/// What stands at the foot of each page.
const SOURCE: &str = concat!("cerrojo ", env!("CARGO_PKG_VERSION"));
/// What stands at its head.
const MANUAL: &str = "Cerrojo";

/// A page, and the name that `man` finds it by: it ends in the section.
struct Page {
    name: String,
    text: String,
}

/// Writes all pages into a folder, by sections as `man` looks for them: `man1/cerrojo.1`, `man5/cerrojo.toml.5`.
pub(crate) fn run(folder: &Path) -> Result<(), Failure> {
    let mut pages = commands::pages()?;
    pages.push(settings::page());
    for Page { name, text } in &pages {
        let section = name.rsplit_once('.').map_or("1", |(_, section)| section);
        let folder = folder.join(format!("man{section}"));
        std::fs::create_dir_all(&folder).map_err(Failure::because(folder.display().to_string()))?;
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(Failure::because(path.display().to_string()))?;
    }
    out::note(&format!("wrote {} pages into {}", pages.len(), folder.display()));
    Ok(())
}

/// Prose whose typed parts stand between backticks: those in bold.
fn prose(text: &str) -> Vec<Inline> {
    text.split('`').enumerate().map(|(at, part)| if at % 2 == 1 { bold(part) } else { roman(part) }).collect()
}
