//! A database that goes back is noticed and ends every session; one that only moved and lost nothing ends none.

use std::time::Duration;

use cerrojo_chaos::faults::{Fault, lose, strike};

use crate::broken::judge;
use crate::{cluster, load};

/// Long enough that there are endings to lose.
const WHILE: Duration = Duration::from_secs(1);

pub(crate) fn put_back() {
    losing(&[&[Fault::Pause(1), Fault::PutBack], &[Fault::PutBackWhileStopped]]);
}

pub(crate) fn fail_over() {
    losing(&[&[Fault::FailOver]]);
}

fn losing(losses: &[&[Fault]]) {
    let mut cluster = cluster(&[]);
    let load = load(&cluster);
    let mut disturbances = Vec::new();
    for loss in losses {
        disturbances.extend(lose(loss, &mut cluster, &load));
        std::thread::sleep(WHILE);
    }
    judge(load, &disturbances);
}

pub(crate) fn fail_over_without_loss() {
    let mut cluster = cluster(&[("CERROJO_DATABASE__FAILOVER", "synchronous")]);
    let load = load(&cluster);
    let mut disturbances = Vec::new();
    for how in [Fault::FailOverWithoutLoss, Fault::FailOverBeside(0)] {
        cluster.keep_synchronous_standby();
        std::thread::sleep(WHILE);
        disturbances.push(strike(&[how], &mut cluster, &load));
        std::thread::sleep(WHILE);
    }
    judge(load, &disturbances);
}
