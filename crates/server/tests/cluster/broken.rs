//! Nodes and the database break while many clients are at work, and come back.

use std::time::Duration;

use cerrojo_chaos::faults::{Disturbance, Fault, strike};
use cerrojo_chaos::load::Load;
use cerrojo_chaos::node::Cut;
use cerrojo_chaos::verdict::{Limits, Verdict};

use crate::{cluster, load};

/// Between two faults, so that there is a time outside of them.
const CALM: Duration = Duration::from_millis(500);

pub(crate) fn nodes() {
    one_after_the_other(&[
        Fault::Kill(0),
        Fault::PauseBriefly(1),
        Fault::Pause(2),
        Fault::CutBriefly(0, Cut::Both),
        Fault::Cut(1, Cut::Both),
        Fault::Cut(2, Cut::ToDatabase),
        Fault::Cut(0, Cut::FromDatabase),
        Fault::Restart(1),
    ]);
}

pub(crate) fn database() {
    one_after_the_other(&[
        Fault::RestartDatabase,
        Fault::KillDatabase,
        Fault::PauseDatabaseBriefly,
        Fault::PauseDatabase,
        Fault::HoldBack,
        Fault::CutDatabase,
        Fault::DiskError,
    ]);
}

fn one_after_the_other(faults: &[Fault]) {
    let mut cluster = cluster(&[]);
    let load = load(&cluster);
    let mut disturbances = Vec::new();
    for fault in faults {
        std::thread::sleep(CALM);
        disturbances.push(strike(&[*fault], &mut cluster, &load));
    }
    judge(load, &disturbances);
}

/// Nothing that the guarantee forbids was seen, and every node served again. How soon is measured by `bench/chaos`.
pub(crate) fn judge(load: Load, disturbances: &[Disturbance]) {
    let verdict = Verdict::of(&load.stop(), disturbances);
    assert!(verdict.holds(Limits::BUSY), "{verdict}");
}
