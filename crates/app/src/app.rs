//! The one struct that use cases are functions of.
use std::path::PathBuf;
use std::sync::Arc;
use cerrojo_domain::{Clock, Random};
use cerrojo_guard::Guard;
use cerrojo_store::Store;
use crate::{Settings, Trouble, hashing::Hasher, keys::{KeyError, Keyring, MasterKey}, limits::Limits, mail::Mailer};
/// Whether this process may say yes from memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease { /** it holds the operating system's lock */ Holder, /** another process does (a command beside a running server) */ Guest }
/// What an [`App`] is built from.
pub struct Parts { pub settings: Settings, pub store: Store, pub clock: Arc<dyn Clock>, pub random: Arc<dyn Random>, pub mailer: Arc<dyn Mailer>, pub master_key: MasterKey, pub lease: Lease, /** where the last position is kept beside the database */ pub side_file: Option<PathBuf> }
/// Everything use cases need.
pub struct App { pub settings: Settings, pub store: Store, pub clock: Arc<dyn Clock>, pub random: Arc<dyn Random>, pub guard: Arc<Guard>, pub keys: Keyring, pub hasher: Hasher, pub limits: Arc<Limits>, pub mailer: Arc<dyn Mailer>, /** wakes the mail task */ pub mail_waiting: tokio::sync::Notify }
/// Why it does not start; says what to do.
#[derive(Debug)]
pub enum StartError { Keys(KeyError), Trouble(Trouble) }
impl App {
    /// Looks whether the database went back, opens keys, loads lists and limits. The schema is current already.
    pub async fn start(parts: Parts) -> Result<Arc<Self>, StartError> { todo!() }
    /// Whether this process may say yes (`/health/ready`), from memory.
    pub fn is_ready(&self) -> bool { todo!() }
    /// Follower, sweeper, activity, mail, limits: until stopped.
    pub fn spawn_tasks(self: &Arc<Self>) -> Tasks { todo!() }
}
/// The background tasks.
pub struct Tasks {}
impl Tasks { /** Finishes what was begun, writes down activity and limits. */ pub async fn stop(self) { todo!() } }
