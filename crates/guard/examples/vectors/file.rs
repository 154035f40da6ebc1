//! The file as a whole.

use std::error::Error;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::world::{AUDIENCE, ISSUER, NOW, World, first_lists};
use crate::{keys, streams, tokens};

/// The file's text, with the signatures of `earlier` where they still fit.
pub(crate) fn write(earlier: &str) -> Result<String, Box<dyn Error>> {
    let world = World::new(earlier)?;
    let mut text = String::from("{\n");
    for (name, value) in [("issuer", json!(ISSUER)), ("audience", json!(AUDIENCE)), ("now", json!(NOW))] {
        writeln!(text, "\"{name}\": {value},")?;
    }
    writeln!(text, "\"keys\": {},", keys::all(&world)?)?;
    write!(
        text,
        "\"lists\": {},\n\"tokens\": {},\n",
        lines(&first_lists()),
        lines(&[tokens::all(&world)?, keys::tokens(&world)?].concat())
    )?;
    write!(text, "\"streams\": {}\n}}\n", lines(&streams::all(&world)?))?;
    Ok(text)
}

/// An array with each member on its own line: a change shows as one.
fn lines(values: &[Value]) -> String {
    let all: Vec<String> = values.iter().map(Value::to_string).collect();
    format!("[\n{}\n]", all.join(",\n"))
}
