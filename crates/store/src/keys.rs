//! Signing keys. Private halves are here only sealed.

use cerrojo_domain::{KeyId, UnixMillis};

use crate::bind::binds;
use crate::db::Run;
use crate::errors::Result;
use crate::origin::{here, is_foreign_key};
use crate::row::Row;
use crate::statement::statements;
use crate::tx::{EndingTx, Tx};

statements! {
    INSERT(8) = concat!(
        "INSERT INTO keys \
         (id, algorithm, purpose, public_key, sealed_key, created_at, rotated_at, retired_at, origin) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, ", here!(), ")");
    // One that another database made is retired, since ever.
    EVERY_ROW(0) = concat!(
        "SELECT id, algorithm, purpose, public_key, sealed_key, created_at, rotated_at, \
         COALESCE(retired_at, CASE WHEN ", is_foreign_key!(), " THEN created_at END) FROM keys ORDER BY created_at, id");
    SET_ROTATED(2) = "UPDATE keys SET rotated_at = $2 WHERE id = $1 AND rotated_at IS NULL";
    SET_RETIRED(2) = "UPDATE keys SET retired_at = $2 WHERE id = $1 AND retired_at IS NULL";
    RESEAL(2) = "UPDATE keys SET sealed_key = $2 WHERE id = $1";
}

/// A signing key.
#[derive(Clone)]
pub struct Key {
    /// The `kid` of what it signs.
    pub id: KeyId,
    /// As in `alg` of what it signs (RFC 7518, section 3.1).
    pub algorithm: String,
    /// What it signs: `session` or `status_list`.
    pub purpose: String,
    /// The public half; empty for a symmetric key.
    pub public: Vec<u8>,
    /// The sealed private half; empty when given by the settings.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// Since when it no longer signs but still verifies.
    pub rotated_at: Option<UnixMillis>,
    /// Since when nothing that it signed is accepted.
    pub retired_at: Option<UnixMillis>,
}

/// Adds a key. The entry is [`crate::log::append`] (`KeyAdded`) in the same transaction.
///
/// # Errors
/// [`crate::StoreError::Taken`] if there is one of this id.
pub async fn insert(tx: &mut EndingTx, key: &Key) -> Result<()> {
    let (algorithm, purpose) = (key.algorithm.as_str(), key.purpose.as_str());
    let (rotated_at, retired_at) = (key.rotated_at.map(|at| at.0), key.retired_at.map(|at| at.0));
    let (public, sealed) = (key.public.as_slice(), key.sealed.as_slice());
    let binds = binds![&key.id, algorithm, purpose, public, sealed, key.created_at, rotated_at, retired_at];
    tx.execute(INSERT, binds).await.map(drop)
}

/// Every key there ever was, oldest first.
pub async fn all(run: &mut impl Run) -> Result<Vec<Key>> {
    run.rows(EVERY_ROW, binds![]).await?.iter().map(read).collect()
}

/// The key no longer signs; whether it did until now.
pub async fn set_rotated(tx: &mut EndingTx, id: &KeyId, at: UnixMillis) -> Result<bool> {
    tx.hits(SET_ROTATED, binds![id, at]).await
}

/// Nothing that the key signed is accepted; whether it was until now. The entry is [`crate::log::append`] (`KeyRetired`)
/// in the same transaction.
pub async fn set_retired(tx: &mut EndingTx, id: &KeyId, at: UnixMillis) -> Result<bool> {
    tx.hits(SET_RETIRED, binds![id, at]).await
}

/// Replaces a sealed half by the same one sealed under another master key.
pub async fn reseal(tx: &mut Tx, id: &KeyId, sealed: &[u8]) -> Result<()> {
    tx.execute(RESEAL, binds![id, sealed]).await.map(drop)
}

fn read(row: &Row) -> Result<Key> {
    Ok(Key {
        id: KeyId::from_text(row.text(0)?),
        algorithm: row.text(1)?,
        purpose: row.text(2)?,
        public: row.bytes(3)?,
        sealed: row.bytes(4)?,
        created_at: row.time(5)?,
        rotated_at: row.time_or_null(6)?,
        retired_at: row.time_or_null(7)?,
    })
}
