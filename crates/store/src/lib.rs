//! The only SQL of Cerrojo. One file a table, one text a query for both engines (SQLite and PostgreSQL).
//!
//! [`Store::open`] gives a [`Store`]. Reads run on a [`Reader`], writes in a [`Tx`], and sessions can be ended only in an
//! [`EndingTx`], which holds the log's head row from its first statement. Nothing here reads a clock: every time is given.

mod bind;
mod db;
mod errors;
mod migrate;
mod row;
mod statement;
mod store;
mod traced;
mod tx;

pub mod attempts;
pub mod audit;
pub mod codes;
pub mod commits;
pub mod email_changes;
pub mod endings;
pub mod foreign_table;
pub mod held_addresses;
pub mod imports;
pub mod invitations;
pub mod keys;
pub mod known_addresses;
pub mod leases;
pub mod lists;
pub mod log;
pub mod look;
pub mod meta;
pub mod old_tokens;
pub mod origin;
pub mod outbox;
pub mod postgres;
pub mod registrations;
pub mod services;
pub mod sessions;
pub mod snapshots;
pub mod sqlite;
pub mod tallies;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod user_search;
pub mod users;

#[cfg(test)]
mod tests;

pub use db::{Pool, Reader, Run};
pub use errors::{Result, StoreError};
pub use store::{OpenOptions, Store};
pub use tx::{EndingTx, Tx};
