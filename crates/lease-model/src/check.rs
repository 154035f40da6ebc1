//! A check of the ended session's token, beginning after the logout was answered.

use crate::protocol::{Protocol, Safeguard};
use crate::state::{Check, Logout, Node, State};

/// A step of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckStep {
    /// Copies the lease's deadline.
    CopyDeadline,
    /// Looks at the bit.
    LookAtBit,
    /// Reads the clock, and accepts or refuses.
    Decide,
}

pub(crate) fn step(protocol: Protocol, state: &State, node: usize) -> Option<(CheckStep, State)> {
    if state.logout != Logout::Answered {
        return None;
    }
    let (step, check) = next(protocol, &state.nodes[node])?;
    let mut state = *state;
    state.nodes[node].check = check;
    Some((step, state))
}

fn next(protocol: Protocol, node: &Node) -> Option<(CheckStep, Option<Check>)> {
    let early = protocol.has(Safeguard::DeadlineCopiedFirst);
    Some(match node.check {
        // Without a deadline it is refused whatever comes: nothing to follow.
        None if early && node.deadline == 0 => return None,
        None => (CheckStep::CopyDeadline, Some(Check::Begun(if early { node.deadline } else { 0 }))),
        Some(Check::Begun(_)) if node.bit => (CheckStep::LookAtBit, None),
        Some(Check::Begun(copied)) => (CheckStep::LookAtBit, Some(Check::BitWasClear(copied))),
        Some(Check::BitWasClear(copied)) => {
            let left = if early { copied } else { node.deadline };
            (CheckStep::Decide, (left > 0).then_some(Check::Accepted))
        }
        Some(Check::Accepted) => return None,
    })
}
