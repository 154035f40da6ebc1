//! Writes `sdk/vectors/guard.json`: what every guard must say of which token, and when (`docs/GUARD-PROTOCOL.md`).
//!
//! ```sh
//! cargo run -p cerrojo-guard --example vectors
//! ```
//!
//! ECDSA signatures are random, so those that the file already has are kept where what they sign is unchanged, and so are the
//! attacks: run twice, it writes the same file. Without the file it makes new ones.

#![allow(clippy::indexing_slicing, reason = "of JSON values, where it does not panic")]

mod file;
mod keys;
mod streams;
mod tokens;
mod world;

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/vectors/guard.json");
    let earlier = std::fs::read_to_string(&path).unwrap_or_default();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&path, file::write(&earlier)?)?;
    Ok(())
}
