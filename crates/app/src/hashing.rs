//! Password hashes, made and checked on bounded threads of their own.
use std::sync::Arc;
use cerrojo_domain::{AddressBlock, Clock, Random};
use crate::PasswordSettings;
/// Whose turn a job counts against.
#[derive(Clone, Copy)]
pub struct Turn { pub block: AddressBlock, /** the account signed in from there before */ pub known: Known }
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known { Yes, No }
/// What a check found.
#[derive(Debug, PartialEq, Eq)]
pub enum Checked { Wrong, Right, /** right, but the stored hash is bcrypt or of lower cost: this one should replace it */ RightWith(String) }
/// The queue is longer than anybody should wait (503).
#[derive(Debug)]
pub struct Busy { pub retry_after: std::time::Duration }
/// The threads and their queue.
pub struct Hasher {}
impl Hasher {
    pub fn start(settings: &PasswordSettings, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self { todo!() }
    /// `hash` None (or empty): an account that does not exist or has no password; the same work, and always Wrong.
    pub async fn check(&self, turn: Turn, password: String, hash: Option<String>) -> Result<Checked, Busy> { todo!() }
    pub async fn hash(&self, turn: Turn, password: String) -> Result<String, Busy> { todo!() }
    /// The command line's turn: nobody else waits.
    pub fn operator_turn() -> Turn { todo!() }
}
