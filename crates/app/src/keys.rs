//! Signing keys: made, sealed, rotated, retired.
use std::sync::Arc;
use cerrojo_domain::{Clock, KeyId, Random, UnixMillis};
use cerrojo_guard::{Claims, Guard};
use cerrojo_store::Store;
use crate::{Algorithm, App, Trouble};
/// Seals private halves (ChaCha20-Poly1305 / AES-256-GCM). 32 bytes, zeroised when dropped, never shown.
pub struct MasterKey {}
impl MasterKey {
    /// 64 hex digits or 43/44 base64 characters.
    pub fn parse(text: &str) -> Option<Self> { todo!() }
    pub fn generate(random: &dyn Random) -> Self { todo!() }
    /// For the key file: 64 hex digits.
    pub fn to_hex(&self) -> String { todo!() }
}
/// Why keys could not be opened; says what to do.
#[derive(Debug)]
pub enum KeyError { /** the database was sealed with another master key */ WrongMasterKey, /** the configured HS256 secret is of a retired key */ RetiredSecret, Trouble(Trouble) }
/// What signs session tokens now.
pub struct SessionSigner {}
impl SessionSigner {
    pub fn key(&self) -> &KeyId { todo!() }
    pub fn sign(&self, claims: &Claims) -> Result<String, Trouble> { todo!() }
}
/// The keys of this process, equal to the database's.
pub struct Keyring {}
/// What a keyring is opened with.
pub struct KeyringParts<'a> { pub store: &'a Store, pub guard: Arc<Guard>, pub clock: Arc<dyn Clock>, pub random: Arc<dyn Random>, pub master: MasterKey, pub algorithm: Algorithm }
impl Keyring {
    /// Whether the database was ever sealed (there is a `master_key_check`): then a master key must not be made silently.
    pub async fn is_sealed(store: &Store) -> Result<bool, Trouble> { todo!() }
    /// Makes the first keys where there are none (one for sessions, one ES256 for lists; the entries are in the log), unseals all, tells the guard.
    pub async fn open(parts: KeyringParts<'_>) -> Result<Self, KeyError> { todo!() }
    /// Reads the keys again: after KeyAdded or KeyRetired in the log.
    pub async fn refresh(&self, store: &Store) -> Result<(), Trouble> { todo!() }
    pub fn session_signer(&self) -> Result<Arc<SessionSigner>, Trouble> { todo!() }
    /// Signs a status list token's claims (JSON), typ statuslist+jwt, always ES256.
    pub fn sign_status_list(&self, claims: &serde_json::Value) -> Result<String, Trouble> { todo!() }
    /// RFC 7517, section 5: public ES256 keys that are in use, of both purposes.
    pub fn jwks(&self) -> serde_json::Value { todo!() }
}
/// A key as an operator sees it.
#[derive(Clone, Debug)]
pub struct KeyRow { pub id: KeyId, pub algorithm: String, pub purpose: String, pub created_at: UnixMillis, pub state: &'static str /* "signing" | "verifying" | "retired" */ }
pub async fn list(app: &App) -> Result<Vec<KeyRow>, Trouble> { todo!() }
#[derive(Debug)]
pub enum RotateError { /** HS256: the secret is a setting; change it there */ GivenSecret, NotFound, Trouble(Trouble) }
/// A new session key (and list key) that signs from now on; old ones go on verifying.
pub async fn rotate(app: &App) -> Result<KeyId, RotateError> { todo!() }
/// A compromised key: ends every session that it signed; makes a new one first if it was the signing one. How many sessions ended.
pub async fn retire(app: &App, id: &KeyId) -> Result<usize, RotateError> { todo!() }
