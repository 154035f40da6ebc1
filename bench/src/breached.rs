//! A list of ten million breached passwords: how long it is built, how long it is asked, and what memory that takes.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use cerrojo_app::breached::{List, record_of};
use cerrojo_domain::{Random, SystemRandom};
use rustix::fs::Advice;
use serde::{Deserialize, Serialize};

use crate::bare::reach;
use crate::child::resident_of;
use crate::failure::{Failure, Outcome, fail};
use crate::figures::Sample;
use crate::load::elapsed;
use crate::place::{Build, Place};
use crate::table::{Report, Target};

const PASSWORDS: u32 = 10_000_000;
/// Look-ups of each kind.
const ASKED: u32 = 100_000;
/// Look-ups with nothing in the page cache: so many fewer.
const COLD: u32 = 50;

/// What the asking process found; told on standard output as JSON. Microseconds, and MiB.
#[derive(Default, Deserialize, Serialize)]
struct Found {
    present: Percentiles,
    absent: Percentiles,
    cold: Percentiles,
    memory: f64,
}

#[derive(Clone, Copy, Default, Deserialize, Serialize)]
struct Percentiles {
    p50: f64,
    p99: f64,
}

/// Builds, asks, reports.
pub(crate) fn measure(place: &Place, report: &mut Report) -> Outcome<()> {
    let list = place.folder("breached")?.join("list");
    let list = list.to_str().ok_or_else(|| Failure("the folder's path is not UTF-8".to_owned()))?;
    for build in &place.builds {
        let _ = std::fs::remove_file(list);
        let start = elapsed();
        make(build, list)?;
        let took = elapsed().saturating_sub(start).as_secs_f64();
        report.judge("breached list: built from ten million passwords", build, Target::none().of_value("s", took));
        let found: Found = reach(&["breached-list", list, &ASKED.to_string()])?;
        let below = Target::below(1000.0);
        for (what, value, target) in [
            ("breached list: present, p50", found.present.p50, Target::none()),
            ("breached list: present, p99", found.present.p99, below),
            ("breached list: absent, p50", found.absent.p50, Target::none()),
            ("breached list: absent, p99", found.absent.p99, below),
            ("breached list: not in the page cache, p50", found.cold.p50, Target::none()),
            ("breached list: not in the page cache, p99", found.cold.p99, below),
        ] {
            report.judge(what, build, target.of_value("µs", value));
        }
        report.judge("breached list: memory", build, Target::below(5.0).of_value("MiB", found.memory));
    }
    Ok(())
}

/// By the real program, through a pipe.
fn make(build: &Build, list: &str) -> Outcome<()> {
    let mut command = Command::new(&build.program);
    command.args(["breached-list", "build", list, "-"]).env_clear();
    let mut building = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let mut lines = BufWriter::new(building.stdin.take().ok_or_else(|| Failure("no pipe".to_owned()))?);
    for number in 0..PASSWORDS {
        writeln!(lines, "{}", password(number))?;
    }
    lines.flush()?;
    drop(lines);
    if building.wait()?.success() { Ok(()) } else { fail("the list was not built") }
}

fn password(number: u32) -> String {
    format!("clave-{number}")
}

/// Asks a list and tells how long it took.
pub(crate) fn ask(path: &Path, count: u32) -> Outcome<()> {
    let random: &dyn Random = &SystemRandom;
    let any = || password(u32::try_from(random.below(PASSWORDS.into())).unwrap_or_default());
    let passwords = |count: u32| (0..count).map(|_| any()).collect::<Vec<_>>();
    let mut cold = Asked::of(passwords(count / COLD), true);
    let mut present = Asked::of(passwords(count), true);
    let mut absent = Asked::of(passwords(count).into_iter().map(|password| format!("{password}-no")).collect(), false);
    let file = File::open(path)?;
    // What measuring takes itself is there by now.
    let before = resident_of("self")?;
    let list = List::open(path)?;
    cold.time(&list, || Ok(rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?))?;
    // Once more, for what is in the page cache then.
    for _ in 0..2 {
        present.time(&list, || Ok(()))?;
        absent.time(&list, || Ok(()))?;
    }
    let memory = resident_of("self")? - before;
    let found =
        Found { present: present.percentiles(), absent: absent.percentiles(), cold: cold.percentiles(), memory };
    Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string(&found)?)?)
}

/// Passwords that are all in the list or all not, and how long the answer took for each.
struct Asked {
    passwords: Vec<String>,
    are_in: bool,
    took: Vec<Duration>,
}

impl Asked {
    fn of(passwords: Vec<String>, are_in: bool) -> Self {
        // Written to, not only reserved: its memory is not the list's.
        let took = vec![Duration::MAX; passwords.len()];
        Self { passwords, are_in, took }
    }

    fn time(&mut self, list: &List, before_each: impl Fn() -> Outcome<()>) -> Outcome<()> {
        for (password, took) in self.passwords.iter().zip(&mut self.took) {
            before_each()?;
            let start = elapsed();
            let found = list.contains(record_of(password.as_bytes()))?;
            *took = elapsed().saturating_sub(start);
            if found != self.are_in {
                return fail(format!("{password}: {found}"));
            }
        }
        Ok(())
    }

    fn percentiles(self) -> Percentiles {
        let sample = Sample::new(Duration::ZERO, self.took);
        Percentiles { p50: sample.percentile(50), p99: sample.percentile(99) }
    }
}
