//! What is asked of whoever runs a command: a password, and whether they mean it.

use std::io::{BufRead as _, IsTerminal as _, Read as _};

use crate::cli::Consent;
use crate::failure::Failure;
use crate::out;

/// A password has 256 characters at most, of 4 bytes at most.
const LONGEST: u64 = 4096;

/// One line of standard input, its end cut off.
pub(crate) fn password() -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        out::note("Password, one line (it will be visible):");
        return read(std::io::stdin().lock().take(LONGEST).lines().next().transpose());
    }
    let mut text = String::new();
    let read_all = std::io::stdin().lock().take(LONGEST + 1).read_to_string(&mut text);
    read(read_all.map(|_| Some(text)))
}

fn read(given: std::io::Result<Option<String>>) -> Result<String, Failure> {
    let text = given.map_err(Failure::because("the password on standard input cannot be read"))?.unwrap_or_default();
    let line = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if line.is_empty() {
        return Err(Failure::new("standard input has no password"));
    }
    if line.contains('\n') {
        return Err(Failure::new("standard input has more than one line: the password is one line"));
    }
    Ok(line.to_owned())
}

/// Goes on only if the operator agrees.
pub(crate) fn consent(consent: Consent, what: &str) -> Result<(), Failure> {
    if consent.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!("{what} Nobody can be asked here: say --yes.")));
    }
    out::note(&format!("{what} Type yes to go on:"));
    match std::io::stdin().lock().take(LONGEST).lines().next() {
        Some(Ok(answer)) if answer.trim() == "yes" => Ok(()),
        _ => Err(Failure::new("nothing was done")),
    }
}
