//! The lease protocol as a model: every interleaving of it is explored, with all safeguards on and with each of them off.
//!
//! The guarantee: once a logout was answered, no check that begins later accepts the token, on any node. Nodes check from
//! memory, so this rests on the order of small steps, and on clocks. Tests of the real thing see some orders; the model sees
//! all of them, and shows of every rule of the protocol what goes wrong without it.
//!
//! # What is modelled
//!
//! A database, a process that ends one session, and one or two nodes with a lease ([`Cast`]). A [`State`] is one moment: the
//! database as everybody sees it and as it is on disk, each node's memory, and what is under way between them. Whose
//! [`Step`] is next is open, and time may pass between any two: that is a node that was paused, an answer that came late, a
//! commit that took long.
//!
//! | in the model | in the protocol |
//! | --- | --- |
//! | [`NodeStep::Join`] … [`NodeStep::TakeLease`] | join: read the clock, INSERT a new name, read the log to its end, set the deadline |
//! | [`NodeStep::Renew`] … [`NodeStep::Hear`] | renew: read the clock, UPDATE where the turn is ours, count the deadline from the reading |
//! | [`NodeStep::ReadLog`], [`NodeStep::SetBit`], [`NodeStep::Tell`] | follow: the entry, the bit, `applied`, which alone commits lazily |
//! | [`NodeStep::GiveBack`] | drop the deadline, DELETE the own row |
//! | [`NodeStep::LeaveBehind`], [`Step::LateStatement`] | COMMIT whose outcome nobody knows, and which comes true later |
//! | [`LogoutStep`] | COMMIT, then look at the leases; wait; delete what stood still for the patience; answer |
//! | [`CheckStep`] | copy the deadline, look at the bit, read the clock |
//! | [`Step::DatabaseCrashes`] | what was committed lazily, and all after it, is gone |
//!
//! Time is in ticks: a lease lasts two, the patience is three, and a slow clock may miss one tick of any three. That is the worst
//! that the durations can bear, as 5% is less than what lies between 2 s and 2.2 s. Nodes renew whenever the rules let them,
//! so the interval between renewals is any. No time is kept but what is left of a deadline or has passed since a reading, and
//! turns are counted from the lowest that anything still names: runs are of any length, and the states are finite all the same.
//!
//! # What is judged
//!
//! [`Property::OverIsOver`] is the guarantee. Two more say that waiting ends, as bounds, which is how a search of states can
//! see it. [`Property::LagIsBounded`]: a node that does not apply an ending loses its lease within two leases. This is what
//! [`Safeguard::HeadAppliedBeforeRenewing`] is for; no answer is wrong without it, but none may come.
//! [`Property::LogoutCanEnd`]: from any state a logout comes to its answer by itself, though all others stand still.
//!
//! Earlier logouts are there by what they leave: the process that waits looks and deletes at any time, before this one's
//! COMMIT as well. That is what makes names used twice dangerous.
//!
//! # What is not
//!
//! - One ending, one entry: that numbers are gapless and in commit order is the log's own business, and so are snapshots and marks.
//! - A database that goes back further than its own recovery takes it (restore, failover), and two primaries.
//! - A statement is one step. PostgreSQL takes its snapshot before it commits: a renewal may return a head older than its
//!   commit, which is as if the ending had come just after it.
//! - Clocks that stand still while others run. [`Safeguard::ClocksRunOn`] shows that the guarantee does not survive them.
//! - The order of loads and stores within a process: a bit that was set before a deadline is taken to be seen by whoever sees
//!   that deadline.
#![expect(
    clippy::indexing_slicing,
    reason = "a model that is wrong about its own indexes fails its tests by panicking"
)]

mod canonical;
mod cast;
mod check;
mod checker;
mod cluster;
mod database;
mod logout;
mod node;
mod protocol;
mod state;

pub use cast::Cast;
pub use check::CheckStep;
pub use checker::{Model, Outcome, explore};
pub use cluster::{Cluster, Property, Step};
pub use logout::LogoutStep;
pub use node::NodeStep;
pub use protocol::{Protocol, Safeguard};
pub use state::State;
