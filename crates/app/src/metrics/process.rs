//! What the kernel says of this process, under the names that Prometheus' own libraries use.

use std::fs;

use super::family;
use super::readings::Readings;

/// Fields of `/proc/self/stat` behind the name of the program (proc(5)), counted from 0.
const USER_TIME: usize = 11;
const SYSTEM_TIME: usize = 12;
const THREADS: usize = 17;
const STARTED: usize = 19;
const VIRTUAL: usize = 20;
const RESIDENT: usize = 21;

/// What cannot be read is left out.
pub(super) fn read(into: &mut Readings) {
    if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::of) {
        let ticks = f64_of(rustix::param::clock_ticks_per_second());
        into.add(&family::CPU, (f64_of(stat.field(USER_TIME)) + f64_of(stat.field(SYSTEM_TIME))) / ticks);
        into.add(&family::RESIDENT, stat.field(RESIDENT).saturating_mul(page_size()));
        into.add(&family::VIRTUAL, stat.field(VIRTUAL));
        into.add(&family::THREADS, stat.field(THREADS));
        if let Some(booted) = booted() {
            into.add(&family::STARTED, f64_of(booted) + f64_of(stat.field(STARTED)) / ticks);
        }
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // The one that this reads them by is not counted.
        into.add(&family::OPEN_FILES, open.count().saturating_sub(1));
    }
    if let Some(most) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        into.add(&family::MOST_FILES, most);
    }
}

struct Stat(Vec<u64>);

impl Stat {
    /// The name of the program may hold anything, and ends at the last parenthesis.
    fn of(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        // The state, which is a letter, and signed fields that are not asked for here count as 0.
        Some(Self(rest.split_ascii_whitespace().map(|field| field.parse().unwrap_or(0)).collect()))
    }

    fn field(&self, place: usize) -> u64 {
        self.0.get(place).copied().unwrap_or(0)
    }
}

fn page_size() -> u64 {
    u64::try_from(rustix::param::page_size()).unwrap_or(4096)
}

/// When the machine was started, in seconds since 1970.
fn booted() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// Exact below 2^53: seconds and ticks are.
#[expect(clippy::cast_precision_loss, reason = "seconds and ticks stay far below 2^53")]
fn f64_of(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_any_name() {
        let stat =
            Stat::of("42 (a b) c) S 1 42 42 0 -1 4194560 5 6 7 8 900 100 0 0 20 0 9 0 12345 4096000 77 1 2").unwrap();
        let read = [USER_TIME, SYSTEM_TIME, THREADS, STARTED, VIRTUAL, RESIDENT].map(|place| stat.field(place));
        assert_eq!(read, [900, 100, 9, 12345, 4_096_000, 77]);
    }
}
