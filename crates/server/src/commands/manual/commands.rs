//! Pages of section 1: one for the program and one for each of its commands.

use clap::CommandFactory as _;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::{MANUAL, Page, SOURCE, prose};
use crate::cli::Cli;
use crate::failure::Failure;

/// All of them.
pub(super) fn pages() -> Result<Vec<Page>, Failure> {
    let mut program = Cli::command();
    program.build();
    let mut pages = Vec::new();
    add(program, &mut pages)?;
    Ok(pages)
}

fn add(command: clap::Command, pages: &mut Vec<Page>) -> Result<(), Failure> {
    let shown = command.get_subcommands().filter(|one| !one.is_hide_set() && one.get_name() != "help");
    for subcommand in shown.cloned().collect::<Vec<_>>() {
        add(subcommand, pages)?;
    }
    pages.push(page(command)?);
    Ok(())
}

fn page(command: clap::Command) -> Result<Page, Failure> {
    let help = command.get_after_long_help().or_else(|| command.get_after_help()).map(ToString::to_string);
    // Its lines would run together: they are set below.
    let command = command.after_help(None::<&str>).after_long_help(None::<&str>);
    let man = Man::new(command).source(SOURCE).manual(MANUAL);
    let name = man.get_filename();
    let mut text = Vec::new();
    man.render(&mut text).map_err(Failure::because(name.clone()))?;
    let mut text = String::from_utf8_lossy(&text).into_owned();
    let mut more = Roff::new();
    if let Some(help) = help {
        examples(&mut more, &help);
    }
    see_also(&mut more, &name);
    text.push_str(&more.render());
    Ok(Page { name, text })
}

/// What stands after the options in `--help`: examples and lists are indented there, and keep their lines.
fn examples(page: &mut Roff, help: &str) {
    let (title, help) = match help.split_once(":\n") {
        Some(("Example" | "Examples", rest)) => ("EXAMPLES", rest),
        _ => ("NOTES", help),
    };
    page.control("SH", [title]);
    let mut was_typed = false;
    for line in help.lines() {
        let is_typed = line.starts_with("  ");
        match (was_typed, is_typed) {
            (false, true) => page.control("PP", []).control("nf", []),
            (true, false) => page.control("fi", []),
            _ => page,
        };
        was_typed = is_typed;
        if is_typed {
            page.text([roman(line)]);
        } else if line.is_empty() {
            page.control("PP", []);
        } else {
            page.text(prose(line));
        }
    }
    if was_typed {
        page.control("fi", []);
    }
}

fn see_also(page: &mut Roff, name: &str) {
    page.control("SH", ["SEE ALSO"]);
    if name != "cerrojo.1" {
        page.text([bold("cerrojo"), roman("(1), ")]);
    }
    page.text([bold("cerrojo.toml"), roman("(5)")]);
}
