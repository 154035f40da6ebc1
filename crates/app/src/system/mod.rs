//! How the whole is, for administrators: nodes, numbers, the endings of everybody's sessions.

mod endings;
mod overview;

pub use self::endings::{Ended, Endings, EndingsAsked, Which, ended_of, endings, newest_endings};
pub(crate) use self::overview::Counted;
pub use self::overview::{Held, Node, Numbers, Overview, overview};
