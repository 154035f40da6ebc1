//! The logout: commit, look at the leases, wait, delete what does not move, answer.

use crate::database::Statement;
use crate::database::{Database, PLACES, Row};
use crate::protocol::{Protocol, Safeguard};
use crate::state::{Awaited, Logout, Sighting, State, Watch, behind};

/// A step of the process that ends the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogoutStep {
    /// Reads the leases before COMMIT.
    LookTooEarly,
    /// Commits the ending.
    Commit,
    /// Reads the leases. If all that the logout waits for have applied the ending or are gone, it answers.
    Look,
    /// Answers without having waited.
    AnswerAtOnce,
    /// Decides to delete a row that has not moved for the patience, and sends the DELETE.
    Delete,
    /// The database carries the deletion out.
    DeletionCarriedOut,
}

pub(crate) fn steps(protocol: Protocol, state: &State, found: &mut Vec<(LogoutStep, State)>) {
    match state.logout {
        Logout::Answered => return,
        Logout::NotBegun if !protocol.has(Safeguard::LeasesReadAfterCommit) => {
            let logout = Logout::LeasesRead(behind(state.database.seen.leases));
            found.push((LogoutStep::LookTooEarly, State { logout, ..*state }));
        }
        Logout::NotBegun => found.push((LogoutStep::Commit, commit(protocol, state, Logout::Committed))),
        Logout::LeasesRead(awaited) => {
            found.push((LogoutStep::Commit, commit(protocol, state, Logout::Waiting(awaited))));
        }
        Logout::Committed if !protocol.has(Safeguard::LeasesAwaited) => {
            found.push((LogoutStep::AnswerAtOnce, answered(state)));
        }
        Logout::Committed | Logout::Waiting(_) => {}
    }
    watch(protocol, state, found);
}

fn commit(protocol: Protocol, state: &State, logout: Logout) -> State {
    let mut state = State { logout, ..*state };
    state.database.execute(Statement::End, protocol);
    state
}

/// What it remembers of the rows matters no more: no deletion is needed for what follows.
fn answered(state: &State) -> State {
    let mut state = State { logout: Logout::Answered, watch: Watch::default(), ..*state };
    for node in &mut state.nodes {
        node.lag = 0;
    }
    state
}

/// Looking and deleting goes on at any time, before this logout as well: an earlier one may be waiting.
fn watch(protocol: Protocol, state: &State, found: &mut Vec<(LogoutStep, State)>) {
    found.push((LogoutStep::Look, look(protocol, state)));
    if let Some(statement) = state.watch.deletion {
        let mut next = State { watch: Watch { deletion: None, ..state.watch }, ..*state };
        next.database.execute(statement, protocol);
        found.push((LogoutStep::DeletionCarriedOut, next));
        return;
    }
    if !protocol.has(Safeguard::StillRowsDeleted) {
        return;
    }
    for (name, sighting) in (0..).zip(state.watch.sightings) {
        if let Some(Sighting { turn, unchanged }) = sighting
            && unchanged >= protocol.patience()
        {
            let deletion = Some(Statement::Delete { name, turn });
            found.push((LogoutStep::Delete, State { watch: Watch { deletion, ..state.watch }, ..*state }));
        }
    }
}

fn look(protocol: Protocol, state: &State) -> State {
    let Database { seen, .. } = &state.database;
    let mut next = *state;
    next.watch.asked = 0;
    for place in 0..PLACES {
        let before = state.watch.sightings[place];
        next.watch.sightings[place] = seen.leases[place].map(|row| sighting(protocol, row, before, state.watch.asked));
    }
    let behind = behind(seen.leases);
    let awaited: Awaited = match state.logout {
        Logout::Committed => behind,
        Logout::Waiting(awaited) => std::array::from_fn(|place| awaited[place] && behind[place]),
        _ => return next,
    };
    if awaited.contains(&true) { State { logout: Logout::Waiting(awaited), ..next } } else { answered(&next) }
}

/// What is remembered of a row that is seen, after what was remembered of it `before`.
fn sighting(protocol: Protocol, row: Row, before: Option<Sighting>, asked: u8) -> Sighting {
    let turn = row.turn;
    match before {
        Some(before) if before.turn == turn => before,
        Some(before) if !protocol.has(Safeguard::PatienceWithOneTurn) => Sighting { turn, ..before },
        None if !protocol.has(Safeguard::PatienceOfItsOwn) => Sighting { turn, unchanged: protocol.patience() },
        _ => Sighting { turn, unchanged: asked },
    }
}

/// The clock of the process that waits runs on by one tick.
pub(crate) fn tick(protocol: Protocol, watch: &mut Watch) {
    let most = protocol.patience();
    for sighting in watch.sightings.iter_mut().flatten() {
        sighting.unchanged = most.min(sighting.unchanged + 1);
    }
    if !protocol.has(Safeguard::PatienceFromAfterTheLook) {
        watch.asked = most.min(watch.asked + 1);
    }
}

/// Whether the logout comes to its answer when nobody else does anything: it looks, lets the patience pass, and deletes.
pub(crate) fn can_end(protocol: Protocol, state: &State) -> bool {
    let mut state = *state;
    let mut found = Vec::new();
    let mut patience = protocol.patience();
    while state.logout != Logout::Answered {
        found.clear();
        steps(protocol, &state, &mut found);
        // A look that shows nothing new changes nothing, and leaves room for what comes after it.
        if let Some((_, next)) = found.iter().find(|(_, next)| *next != state) {
            state = *next;
        } else if patience > 0 {
            patience -= 1;
            tick(protocol, &mut state.watch);
        } else {
            return false;
        }
    }
    true
}
