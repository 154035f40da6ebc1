//! Prints the reference of metrics: `docs/METRICS.md` is made with it.

#[expect(clippy::print_stdout, reason = "that is what it is for")]
fn main() {
    print!("{}", cerrojo_web::metrics::reference());
}
