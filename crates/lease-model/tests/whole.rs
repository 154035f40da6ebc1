//! With every safeguard on nothing goes wrong, whatever the order of steps, and what should happen can.

use std::collections::HashSet;

use cerrojo_lease_model::{
    Cast, CheckStep, Cluster, LogoutStep, NodeStep, Outcome, Property, Protocol, State, Step, explore,
};

const LIMIT: usize = 5_000_000;

/// Without these the model would prove nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Possible {
    LogoutAnswered,
    TokenAccepted,
    TokenAcceptedWhileTheLogoutWaits,
    TokenRefusedByItsBitAlone,
    ExpiredLeaseRenewed,
    LeaseTakenAfterTheAnswer,
}

#[test]
fn nothing_goes_wrong_with_one_holder() {
    let seen = explore_whole(Cast::OneHolder);
    assert_eq!(seen.outcome, Outcome::Complete { states: 614_374 });
    assert_eq!(seen.possible.len(), 6, "{:?}", seen.possible);
    let never: Vec<_> = every_step().into_iter().filter(|step| !seen.steps.contains(step)).collect();
    assert_eq!(never, [], "steps that are never taken");
}

#[test]
fn nothing_goes_wrong_with_two_holders() {
    let seen = explore_whole(Cast::TwoHolders);
    assert_eq!(seen.outcome, Outcome::Complete { states: 1_548_028 });
    assert_eq!(seen.possible.len(), 6, "{:?}", seen.possible);
}

struct Seen {
    outcome: Outcome<Property, Step>,
    possible: HashSet<Possible>,
    steps: HashSet<Step>,
}

fn explore_whole(cast: Cast) -> Seen {
    let (mut possible, mut steps) = (HashSet::new(), HashSet::new());
    let cluster = Cluster { cast, protocol: Protocol::default(), properties: Property::ALL };
    let outcome = explore(&cluster, LIMIT, |before, step, after| {
        possible.extend(shown(before, *step, after));
        steps.insert(*step);
    });
    Seen { outcome, possible, steps }
}

fn shown(before: &State, step: Step, after: &State) -> Option<Possible> {
    match step {
        Step::Logout(LogoutStep::Look) if after.is_answered() => Some(Possible::LogoutAnswered),
        Step::Logout(LogoutStep::Commit) if after.accepts(1) => Some(Possible::TokenAcceptedWhileTheLogoutWaits),
        Step::Node(1, NodeStep::TakeLease) if after.is_answered() => Some(Possible::LeaseTakenAfterTheAnswer),
        Step::Node(1, NodeStep::TakeLease) if after.accepts(1) => Some(Possible::TokenAccepted),
        Step::Node(1, NodeStep::Hear) if !before.holds_lease(1) && after.holds_lease(1) => {
            Some(Possible::ExpiredLeaseRenewed)
        }
        Step::Check(1, CheckStep::LookAtBit) if after.holds_lease(1) => Some(Possible::TokenRefusedByItsBitAlone),
        _ => None,
    }
}

fn every_step() -> Vec<Step> {
    use NodeStep::{
        CarriedOut, Crash, CrashAndLeaveBehind, GiveBack, Hear, Join, LeaveBehind, LoseConnection, ReadLog, Renew,
        SetBit, TakeLease, Tell,
    };
    let cluster = [
        Step::Tick { slow: 0 },
        Step::Tick { slow: 0b10 },
        Step::DatabaseCrashes,
        Step::DiskCatchesUp,
        Step::LateStatement,
        Step::Node(0, Crash),
    ];
    let node = [Join, ReadLog, SetBit, Tell, TakeLease, Renew, GiveBack];
    let request = [CarriedOut, Hear, LoseConnection, LeaveBehind, Crash, CrashAndLeaveBehind];
    let logout = [LogoutStep::Commit, LogoutStep::Look, LogoutStep::Delete, LogoutStep::DeletionCarriedOut];
    // It never decides: its bit refuses the token before.
    let check = [CheckStep::CopyDeadline, CheckStep::LookAtBit];
    let nodes = node.into_iter().chain(request).map(|step| Step::Node(1, step));
    let rest = logout.into_iter().map(Step::Logout).chain(check.into_iter().map(|step| Step::Check(1, step)));
    cluster.into_iter().chain(nodes).chain(rest).collect()
}
