//! Writing for whoever ran a command. A reader that went away (`| head`) is no error.

use std::io::Write as _;

/// To standard output, with a line's end.
pub(crate) fn line(text: &str) {
    raw(&format!("{text}\n"));
}

/// To standard output, as it is.
pub(crate) fn raw(text: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody is left to be told.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// To standard error, with a line's end.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Text that came from somebody else, without what a terminal would obey.
pub(crate) fn tame(text: &str) -> String {
    // Marks that change the direction of what follows let a text look like another one.
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns(c) { '\u{fffd}' } else { c }).collect()
}

/// Rows as columns, two spaces between them.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    raw(&text);
}
