//! How the whole is, for administrators: nodes, numbers, the endings of everybody's sessions.

mod endings;
mod overview;

pub use self::endings::{Ended, Endings, EndingsAsked, Which, ended_of, endings, newest_endings};
pub use self::overview::{Held, Node, Numbers, Overview, overview};
