//! What an operator wants to know, as text that Prometheus reads (exposition format 0.0.4).

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use super::ConnectedGuard;

impl ConnectedGuard {
    /// Writes the guard's metrics, in Prometheus's text format.
    ///
    /// # Errors
    /// None but the writer's own.
    pub fn write_metrics(&self, out: &mut impl Write) -> fmt::Result {
        let counts = &self.shared().counts;
        gauge(out, "staleness_seconds", "Age of what the guard knows.", self.staleness().as_secs_f64())?;
        gauge(
            out,
            "max_staleness_seconds",
            "Beyond this age nothing is accepted.",
            self.max_staleness().as_secs_f64(),
        )?;
        let name = "cerrojo_guard_checks_total";
        writeln!(out, "# HELP {name} Tokens checked.\n# TYPE {name} counter")?;
        let outcomes =
            [("accepted", &counts.accepted), ("refused", &counts.refused), ("unavailable", &counts.unavailable)];
        for (outcome, count) in outcomes {
            writeln!(out, "{name}{{outcome=\"{outcome}\"}} {}", count.load(Ordering::Relaxed))?;
        }
        counter(out, "streams_total", "Event streams asked for.", &counts.streams)?;
        counter(out, "polls_total", "Requests for entries while streams did not get through.", &counts.polls)?;
        counter(out, "look_ups_total", "Lists asked for by name.", &counts.look_ups)?;
        counter(out, "faults_total", "What the server sent and was not applied.", &counts.faults)?;
        counter(out, "reported_uses_total", "Uses of sessions reported to the server.", &counts.reported)
    }
}

fn gauge(out: &mut impl Write, name: &str, about: &str, value: f64) -> fmt::Result {
    let name = format!("cerrojo_guard_{name}");
    writeln!(out, "# HELP {name} {about}\n# TYPE {name} gauge\n{name} {value}")
}

fn counter(out: &mut impl Write, name: &str, about: &str, count: &AtomicU64) -> fmt::Result {
    let name = format!("cerrojo_guard_{name}");
    writeln!(out, "# HELP {name} {about}\n# TYPE {name} counter\n{name} {}", count.load(Ordering::Relaxed))
}
