//! How long hashing a password takes here, and the list of breached ones.

use std::sync::Arc;
use std::time::Duration;

use cerrojo_app::PasswordSettings;
use cerrojo_app::hashing::Hasher;
use cerrojo_domain::{Clock as _, SystemClock, SystemRandom};

use super::{Depth, Finding, Patient};
use crate::open;

/// Longer, and people notice it at each sign-in.
const SLOW: Duration = Duration::from_millis(500);
/// A list as old as that lacks the breaches of a year.
const OLD: Duration = Duration::from_hours(366 * 24);

pub(super) async fn look(patient: &Patient) -> Vec<Finding> {
    let settings = &patient.configuration.app.password;
    let mut found = vec![hashing(settings, time_of_a_hash(settings).await)];
    found.push(memory(settings, available()));
    found.push(breached_list(patient));
    found
}

/// One hash at the cost that is set, in a process that does nothing else.
async fn time_of_a_hash(settings: &PasswordSettings) -> Option<Duration> {
    let alone = PasswordSettings { threads: 1, longest_wait: Duration::from_mins(5), ..settings.clone() };
    let clock = Arc::new(SystemClock::new());
    let hasher = Hasher::start(&alone, Arc::clone(&clock) as _, Arc::new(SystemRandom));
    let started = clock.elapsed();
    let made = hasher.hash(Hasher::operator_turn(), "a password as any other".to_owned()).await;
    made.ok().map(|_| clock.elapsed().saturating_sub(started))
}

fn hashing(settings: &PasswordSettings, took: Option<Duration>) -> Finding {
    const CHECK: &str = "password hashing";
    const LESS: &str = "lower password.argon2_passes or password.argon2_memory_kib (not below the OWASP minimum), or use a faster machine";
    let Some(took) = took else {
        return Finding::problem(CHECK, "Argon2 does not work with this cost here", LESS);
    };
    let millis = took.as_millis().max(1);
    let each_second = settings.threads as u128 * 1000 / millis;
    let says =
        format!("{millis} ms a password: {each_second} sign-ins a second with password.threads = {}", settings.threads);
    if took > settings.longest_wait {
        return Finding::problem(CHECK, format!("{says}; who waits longer than 3 s is refused"), LESS);
    }
    if took > SLOW {
        return Finding::warning(CHECK, format!("{says}; over half a second is felt"), LESS);
    }
    Finding::ok(CHECK, says)
}

/// Whether all threads can hash at a time. `available`: in bytes.
fn memory(settings: &PasswordSettings, available: Option<u64>) -> Finding {
    const CHECK: &str = "memory";
    let threads = u64::try_from(settings.threads).unwrap_or(u64::MAX);
    let most = threads.saturating_mul(settings.argon2.memory_kib.into()).saturating_mul(1024);
    let needs = super::disk::readable(most);
    match available {
        Some(available) if available < most => Finding::warning(
            CHECK,
            format!("hashing takes up to {needs}, and {} are left", super::disk::readable(available)),
            "lower password.threads, or add memory",
        ),
        Some(available) => {
            Finding::ok(CHECK, format!("{} are left; hashing takes up to {needs}", super::disk::readable(available)))
        }
        None => Finding::skipped(CHECK, "this system does not say how much is left"),
    }
}

/// Memory that the system could give, in bytes (proc(5)).
fn available() -> Option<u64> {
    let about = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = about.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

fn breached_list(patient: &Patient) -> Finding {
    const CHECK: &str = "breached passwords";
    const BUILD: &str =
        "build it anew: `cerrojo breached-list build FILE SOURCE --replace` (docs/OPERATIONS.md, «Breached passwords»)";
    let Some(path) = &patient.configuration.app.password.breached_list else {
        return Finding::ok(CHECK, "no list (password.breached_list is not set): only the most common are refused");
    };
    let list = match open::breached_list(&patient.configuration) {
        Ok(Some(list)) => list,
        Ok(None) => return Finding::skipped(CHECK, "no list"),
        Err(failure) => return Finding::problem(CHECK, failure.message, BUILD),
    };
    if patient.depth == Depth::Whole
        && let Err(error) = list.verify(|_| {})
    {
        return Finding::problem(CHECK, format!("{}: {error}", path.display()), BUILD);
    }
    let age = std::fs::metadata(path).and_then(|about| about.modified()).ok().and_then(|at| at.elapsed().ok());
    let says = format!("{} in {}", list.count(), path.display());
    match age {
        Some(age) if age > OLD => {
            Finding::warning(CHECK, format!("{says}, which is {} days old", age.as_secs() / 86_400), BUILD)
        }
        _ => Finding::ok(CHECK, says),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use cerrojo_app::Settings;

    #[test]
    fn hashing_that_is_slow_is_told_of() {
        let settings = PasswordSettings { threads: 2, ..Settings::for_url("http://127.0.0.1").password };
        let fast = hashing(&settings, Some(Duration::from_millis(20)));
        assert!(fast.level == Level::Ok && fast.says.contains("20 ms a password: 100 sign-ins a second"), "{fast:?}");
        assert_eq!(hashing(&settings, Some(Duration::from_millis(900))).level, Level::Warning);
        assert_eq!(hashing(&settings, Some(Duration::from_secs(4))).level, Level::Problem);
        assert_eq!(hashing(&settings, None).level, Level::Problem);
        assert_eq!(memory(&settings, Some(1 << 20)).level, Level::Warning);
        assert_eq!(memory(&settings, Some(1 << 30)).level, Level::Ok);
    }
}
