//! Entries as files have them: JSON Lines, or CSV (RFC 4180) that no spreadsheet takes for formulas.

use std::io::{self, Write};

use cerrojo_store::audit::find::Listed;
use serde_json::{Value, json};

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON object a line.
    Lines,
    /// A line a record, after one with the names; the byte is between fields.
    Csv(u8),
}

/// Writes entries one after the other.
pub struct Writer {
    format: Format,
    has_begun: bool,
}

impl Writer {
    /// One that has written nothing.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self { format, has_begun: false }
    }

    /// Writes an entry; before the first one what a file begins with.
    ///
    /// # Errors
    /// What `to` says.
    pub fn write(&mut self, to: &mut impl Write, listed: &Listed) -> io::Result<()> {
        let delimiter = match self.format {
            Format::Csv(delimiter) => delimiter,
            Format::Lines => return writeln!(to, "{}", as_json(listed)),
        };
        let fields = members(listed);
        let mut csv = csv::WriterBuilder::new().delimiter(delimiter).from_writer(to);
        if !std::mem::replace(&mut self.has_begun, true) {
            csv.write_record(fields.iter().map(|(name, _)| *name))?;
        }
        csv.write_record(fields.iter().map(|(_, value)| harmless(value)))?;
        csv.flush()
    }
}

/// Who did it, as `ended_by` names people.
#[must_use]
pub fn doer(Listed { said, .. }: &Listed) -> String {
    said.actor_id.map_or_else(|| said.actor.clone(), |id| format!("{}:{id}", said.actor))
}

/// Named as the API names them.
fn members(listed: &Listed) -> Vec<(&'static str, Value)> {
    let said = &listed.said;
    let (position, mac) = listed.sealed.clone().unzip();
    let object = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    vec![
        ("id", json!(said.id)),
        ("sealed", json!(position.is_some())),
        ("position", json!(position)),
        ("at", json!(said.at.rfc3339())),
        ("kind", json!(said.kind)),
        ("by", json!(doer(listed))),
        ("user_id", json!(said.subject)),
        ("session_id", json!(said.session)),
        ("address", json!(said.address)),
        ("device", json!(said.device)),
        ("details", object(&said.details)),
        ("about", said.about.as_deref().map_or(Value::Null, object)),
        ("request_id", json!(said.request)),
        ("node", json!(said.node)),
        ("mac", json!(mac)),
    ]
}

/// The same as one value.
#[must_use]
pub fn as_json(listed: &Listed) -> Value {
    members(listed).into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A cell. Whoever signs in chooses what the device is called, and a spreadsheet runs what begins like a formula: an apostrophe
/// before it keeps it text (OWASP, "CSV Injection").
fn harmless(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        // A number by itself is none, also below zero.
        Value::String(text) if begins_like_a_formula(text) => format!("'{text}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Also where East Asian input has the wide forms, which some spreadsheets take for the same.
fn begins_like_a_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＠SUM(A1)"] {
            assert_eq!(harmless(&json!(text)), format!("'{text}"));
        }
        for (value, text) in
            [(json!(-5), "-5"), (json!("a=b"), "a=b"), (json!(null), ""), (json!({"a": 1}), "{\"a\":1}")]
        {
            assert_eq!(harmless(&value), text);
        }
    }
}
