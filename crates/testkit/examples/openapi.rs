//! Prints the description of the API, as `/openapi.json` answers it: `docs/openapi.json` is made with it.

#[expect(clippy::print_stdout, reason = "that is what it is for")]
fn main() -> Result<(), serde_json::Error> {
    println!("{}", serde_json::to_string_pretty(&cerrojo_web::openapi())?);
    Ok(())
}
