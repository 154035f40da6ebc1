//! `cerrojo audit verify`.

use cerrojo_app::Lease;
use cerrojo_app::audit::{self, Fault, Report, Verifying, Wrong};
use cerrojo_app::keys::Keyring;

use crate::config::Configuration;
use crate::failure::Failure;
use crate::open::Node;
use crate::progress::{self, Unit};
use crate::{open, out};

pub(super) async fn run(configuration: &Configuration, noted: Option<(i64, String)>) -> Result<(), Failure> {
    let read = open::to_read(configuration, "cerrojo audit verify").await?;
    if !Keyring::is_sealed(&read.store).await? {
        return Err(Failure::new("there is no trail yet: the server begins it when it first starts"));
    }
    let about = "cerrojo audit verify".to_owned();
    let app = open::app(configuration, Node { store: read.store.clone(), lease: Lease::Guest, about }).await?;
    let bar = progress::bar(Some(0), Unit::Things("entries"));
    let verifying = Verifying { store: &app.store, key: &app.trail.key, noted };
    let report = audit::verify(verifying, |done, total| {
        bar.set_length(total.max(done));
        bar.set_position(done);
    })
    .await;
    bar.finish_and_clear();
    let report = report?;
    read.close().await;
    tell(&report);
    match report.wrong {
        0 => Ok(()),
        1 => Err(Failure::new("the audit trail does not hold: 1 fault")),
        wrong => Err(Failure::new(format!("the audit trail does not hold: {wrong} faults"))),
    }
}

fn tell(report: &Report) {
    for Fault { position, wrong } in &report.faults {
        out::note(&format!("position {position}: {}", in_words(*wrong)));
    }
    let more = report.wrong.saturating_sub(u64::try_from(report.faults.len()).unwrap_or(u64::MAX));
    if more > 0 {
        out::note(&format!("and {more} more"));
    }
    let (last, mac) = &report.last;
    let verdict = if report.wrong == 0 { "the chain holds" } else { "looked at" };
    match report.entries {
        0 => out::line(&format!("no entries behind position {}: {verdict}", report.begins_after)),
        entries => {
            let first = report.begins_after.saturating_add(1);
            out::line(&format!("{entries} entries, positions {first} to {last}: {verdict}"));
        }
    }
    if report.begins_after > 0 {
        out::line(&format!(
            "entries up to position {} were removed because they were old enough (retention.audit)",
            report.begins_after
        ));
    }
    if report.erased > 0 {
        out::line(&format!("{} of them have lost what was personal, with the account of their person", report.erased));
    }
    if report.waiting > 0 {
        out::line(&format!(
            "{} more are not in the chain yet, and not verified: a running server puts them there within a second or so",
            report.waiting
        ));
    }
    if report.wrong == 0 && *last > 0 {
        out::line(&format!("head {last}:{mac}"));
    }
}

fn in_words(wrong: Wrong) -> &'static str {
    match wrong {
        Wrong::Changed => "the entry is not what a server wrote there, or the one before it is not",
        Wrong::Missing => "entries are missing before this one",
        Wrong::PersonalChanged => "the address, the device or what is said of the person is not what was written",
        Wrong::ErasedWithoutCause => "something personal was erased, though the person's account is still there",
        Wrong::CutOff => "the trail ends here, before its recorded end: the newest entries are missing",
        Wrong::Head => "the recorded end of the trail is not what a server wrote, or not that of the last entry",
        Wrong::Anchor => {
            "the recorded beginning of the trail is not what a server wrote: the oldest entries may be missing"
        }
        Wrong::BehindHead => "there are entries behind the recorded end, which no server wrote there",
        Wrong::NotedIsAnother => "the entry given with --head is not in the chain: another is in its place",
        Wrong::NotedIsBehindEnd => {
            "the entry given with --head is behind the end: newer entries were removed, or the database was put back to an earlier \
             state (a restored backup, a failover that lost commits)"
        }
        Wrong::NotedIsRemoved => {
            "the entry given with --head was removed because it was old enough (retention.audit): give a newer one"
        }
    }
}
