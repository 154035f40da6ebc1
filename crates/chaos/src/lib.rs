//! Real nodes, real PostgreSQL servers and real faults, and a record of what clients saw for the judge of
//! `cerrojo_testkit::history`.
//!
//! Everything runs in namespaces of its own ([`world::enter`]) and is gone with the process that made them.
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test kit fails tests by panicking")]

pub mod client;
pub mod cluster;
pub mod disk;
pub mod faults;
pub mod forward;
pub mod http;
pub mod load;
pub mod moment;
pub mod node;
pub mod postgres;
pub mod process;
pub mod psql;
pub mod record;
mod roam;
pub mod verdict;
pub mod world;

pub use cerrojo_testkit::history;
