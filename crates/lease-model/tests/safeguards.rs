//! With any one safeguard off something goes wrong, and the checker finds it.

use cerrojo_lease_model::{
    Cast, CheckStep, Cluster, LogoutStep, NodeStep, Outcome, Property, Protocol, Safeguard, Step, explore,
};

const LIMIT: usize = 2_000_000;

fn explore_without(safeguard: Safeguard, properties: &'static [Property]) -> Outcome<Property, Step> {
    let cluster = Cluster { cast: Cast::OneHolder, protocol: Protocol::without(safeguard), properties };
    explore(&cluster, LIMIT, |_, _, _| ())
}

#[track_caller]
fn assert_breaks(safeguard: Safeguard, properties: &'static [Property]) {
    let outcome = explore_without(safeguard, properties);
    assert!(matches!(outcome, Outcome::Broken { .. }), "without {safeguard:?}: {outcome:?}");
}

#[test]
fn a_check_that_reads_the_deadline_last() {
    assert_breaks(Safeguard::DeadlineCopiedFirst, &[Property::OverIsOver]);
}

#[test]
fn leases_read_before_commit() {
    assert_breaks(Safeguard::LeasesReadAfterCommit, &[Property::OverIsOver]);
}

#[test]
fn an_answer_that_waits_for_nobody() {
    assert_breaks(Safeguard::LeasesAwaited, &[Property::OverIsOver]);
}

#[test]
fn a_log_read_before_joining() {
    assert_breaks(Safeguard::LogReadAfterJoining, &[Property::OverIsOver]);
}

#[test]
fn endings_that_a_crash_of_the_database_undoes() {
    assert_breaks(Safeguard::DurableEndings, &[Property::OverIsOver]);
}

#[test]
fn joins_that_a_crash_of_the_database_undoes() {
    assert_breaks(Safeguard::DurableJoins, &[Property::OverIsOver]);
}

#[test]
fn renewals_that_a_crash_of_the_database_undoes() {
    assert_breaks(Safeguard::DurableRenewals, &[Property::OverIsOver]);
}

#[test]
fn deletions_that_a_crash_of_the_database_undoes() {
    assert_breaks(Safeguard::DurableDeletions, &[Property::OverIsOver]);
}

#[test]
fn applied_told_before_the_bit_is_set() {
    assert_breaks(Safeguard::BitSetBeforeTold, &[Property::OverIsOver]);
}

#[test]
fn a_deadline_counted_from_the_end_of_a_join() {
    assert_breaks(Safeguard::DeadlineFromBeforeTheInsert, &[Property::OverIsOver]);
}

#[test]
fn a_deadline_counted_from_the_answer_to_a_renewal() {
    assert_breaks(Safeguard::DeadlineFromBeforeTheUpdate, &[Property::OverIsOver]);
}

#[test]
fn a_lease_given_back_before_its_deadline_is_dropped() {
    assert_breaks(Safeguard::DeadlineDroppedBeforeGivingBack, &[Property::OverIsOver]);
}

#[test]
fn patience_with_a_row_that_moves() {
    assert_breaks(Safeguard::PatienceWithOneTurn, &[Property::OverIsOver]);
}

#[test]
fn patience_counted_from_before_the_look() {
    assert_breaks(Safeguard::PatienceFromAfterTheLook, &[Property::OverIsOver]);
}

#[test]
fn patience_taken_on_trust() {
    assert_breaks(Safeguard::PatienceOfItsOwn, &[Property::OverIsOver]);
}

#[test]
fn patience_as_long_as_the_lease() {
    assert_breaks(Safeguard::PatienceLongerThanLease, &[Property::OverIsOver]);
}

#[test]
fn a_deletion_of_whatever_turn() {
    assert_breaks(Safeguard::DeletionNamesTheTurn, &[Property::OverIsOver]);
}

#[test]
fn a_name_used_twice() {
    assert_breaks(Safeguard::NewNameAtEachJoin, &[Property::OverIsOver]);
}

#[test]
fn a_clock_that_stands_still() {
    assert_breaks(Safeguard::ClocksRunOn, &[Property::OverIsOver]);
}

#[test]
fn renewals_without_applying_the_head() {
    assert_breaks(Safeguard::HeadAppliedBeforeRenewing, &[Property::LagIsBounded]);
}

#[test]
fn renewals_without_applying_the_head_make_no_answer_wrong() {
    let outcome = explore_without(Safeguard::HeadAppliedBeforeRenewing, &[Property::OverIsOver]);
    assert_eq!(outcome, Outcome::Complete { states: 931_850 });
}

#[test]
fn rows_that_nobody_deletes() {
    assert_breaks(Safeguard::StillRowsDeleted, &[Property::LogoutCanEnd]);
}

#[test]
fn a_finding_is_the_shortest_run_to_it() {
    let outcome = explore_without(Safeguard::LogReadAfterJoining, &[Property::OverIsOver]);
    let Outcome::Broken { trace, .. } = outcome else { panic!("{outcome:?}") };
    let check = [CheckStep::CopyDeadline, CheckStep::LookAtBit, CheckStep::Decide];
    let mut expected = vec![
        Step::Node(1, NodeStep::Join),
        Step::Logout(LogoutStep::Commit),
        Step::Logout(LogoutStep::Look),
        Step::Node(1, NodeStep::CarriedOut),
        Step::Node(1, NodeStep::Hear),
    ];
    expected.extend(check.map(|step| Step::Check(1, step)));
    assert_eq!(trace, expected);
}
