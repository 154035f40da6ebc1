//! What things are in Cerrojo and the rules they follow: ids, time, randomness, users, endings, log entries, claims,
//! passwords. No I/O except reading the clock and the operating system's randomness.

mod address;
mod audit;
mod bearer;
mod bidi;
mod common_passwords;
mod email;
mod ending;
mod entry;
pub mod host;
mod ids;
pub mod password;
mod random;
mod role;
pub mod strict_json;
mod time;
mod user;

pub use address::{AddressBlock, Origin};
pub use audit::{AuditKind, is_audit_kind};
pub use bearer::{NoBearerToken, bearer_token};
pub use bidi::{is_unseen, turns_writing};
pub use email::{Email, EmailError};
pub use ending::{Actor, EndReason, Ending};
pub use entry::{Entry, Fact, Position};
pub use ids::{InvitationId, KeyId, ListIndex, ListName, PendingId, SessionId, UserId};
pub use random::{Random, SystemRandom};
pub use role::{ADMIN_ROLE, Role, RoleId, Roles, USER_ROLE};
pub use time::{Clock, SystemClock, UnixMillis};
pub use user::{Status, User};
