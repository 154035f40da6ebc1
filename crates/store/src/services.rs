//! Services and the hashes of their secrets.

use cerrojo_domain::UnixMillis;

use crate::bind::binds;
use crate::db::Run;
use crate::errors::Result;
use crate::row::Row;
use crate::statement::statements;
use crate::tx::Tx;

statements! {
    INSERT(3) = "INSERT INTO services (name, secret_hash, created_at) VALUES ($1, $2, $3)";
    EVERY_ROW(0) = "SELECT name, secret_hash, created_at FROM services ORDER BY name";
    REMOVE(1) = "DELETE FROM services WHERE name = $1";
}

/// A service that may follow the server.
#[derive(Clone, Debug)]
pub struct Service {
    /// What it calls itself.
    pub name: String,
    /// SHA-256 of its secret.
    pub secret_hash: Vec<u8>,
    /// When it was added.
    pub created_at: UnixMillis,
}

/// Adds a service.
///
/// # Errors
/// [`crate::StoreError::Taken`] if there is one of this name.
pub async fn insert(tx: &mut Tx, service: &Service) -> Result<()> {
    let (name, hash) = (service.name.as_str(), service.secret_hash.as_slice());
    tx.execute(INSERT, binds![name, hash, service.created_at]).await.map(drop)
}

/// All of them, by name.
pub async fn all(run: &mut impl Run) -> Result<Vec<Service>> {
    run.rows(EVERY_ROW, binds![]).await?.iter().map(read).collect()
}

/// Removes a service; whether there was one of this name.
pub async fn remove(tx: &mut Tx, name: &str) -> Result<bool> {
    tx.hits(REMOVE, binds![name]).await
}

fn read(row: &Row) -> Result<Service> {
    Ok(Service { name: row.text(0)?, secret_hash: row.bytes(1)?, created_at: row.time(2)? })
}
