//! How often something may be tried.
use std::sync::Arc;
use std::time::Duration;
use cerrojo_domain::{AddressBlock, Clock, User};
use cerrojo_store::Store;
use crate::{Rate, Trouble, hashing::Known};
/// The tightest figure that bound a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota { pub limit: u32, pub remaining: u32, pub reset: Duration }
/// An outcome, and what is left of the limit that the request was bound by (`None`: limit off).
pub struct Limited<T> { pub outcome: T, pub quota: Option<Quota> }
/// Public endpoints that count requests of an address, each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Public { Register, Recover }
/// A try that was counted. Dropped, it stays counted.
pub struct Try {}
impl Try {
    /// As of now.
    pub fn quota(&self) -> Option<Quota> { todo!() }
    /// The try succeeded: it is given back. The quota after that.
    pub fn give_back(self) -> Option<Quota> { todo!() }
}
pub struct Limits {}
impl Limits {
    pub fn new(login: Option<Rate>, public: Option<Rate>, clock: Arc<dyn Clock>) -> Arc<Self> { todo!() }
    /// Counters of accounts, as saved.
    pub async fn load(&self, store: &Store) -> Result<(), Trouble> { todo!() }
    /// Counts a sign-in try (or a try of the current password) before any hash. `account`: the folded e-mail, known or not.
    /// Err: exhausted, nothing was counted. `known`: the account signed in from this address within 90 days: the account's figure (20×) does not bind.
    pub fn try_password(self: &Arc<Self>, account: &str, block: AddressBlock, known: Known) -> Result<Try, Quota> { todo!() }
    /// Counts a request to a public endpoint. Err: exhausted.
    pub fn request(&self, endpoint: Public, block: AddressBlock) -> Result<Option<Quota>, Quota> { todo!() }
    /// Writes changed account counters down; returns when they are durable. Concurrent callers share one transaction.
    pub async fn save(&self, store: &Store) -> Result<(), Trouble> { todo!() }
}
