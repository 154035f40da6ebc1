//! On a terminal, how far a command is and how long it will take.

use indicatif::{ProgressBar, ProgressStyle};

/// What is counted.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    Bytes,
    /// Things of this name.
    Things(&'static str),
}

/// A bar of so much; of what nobody knows the size of, how much there was.
pub(crate) fn bar(size: Option<u64>, unit: Unit) -> ProgressBar {
    let bar = size.map_or_else(ProgressBar::no_length, ProgressBar::new);
    let template = match (size, unit) {
        (None, _) => "{spinner} {elapsed} {bytes}".to_owned(),
        (Some(_), Unit::Things(name)) => format!("{{bar:40}} {{human_pos}} of {{human_len}} {name}, {{eta}} to go"),
        (Some(_), Unit::Bytes) => "{bar:40} {bytes} of {total_bytes}, {eta} to go".to_owned(),
    };
    match ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
