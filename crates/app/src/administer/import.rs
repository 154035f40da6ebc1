//! Users of another system.

use cerrojo_domain::AuditKind;
use cerrojo_store::Store;
use cerrojo_store::audit;
use cerrojo_store::imports::{self, Fate, Imported};

use super::By;
use crate::{App, Trouble};

/// Adds those who are not there, all in one transaction, on the operator's word; what became of each, in their order. No two
/// may have the same address or number.
pub async fn import_users(app: &App, users: &[Imported]) -> Result<Vec<Fate>, Trouble> {
    let mut tx = app.store.begin().await?;
    let fates = imports::add(&mut tx, users).await?;
    let added = fates.iter().filter(|fate| matches!(fate, Fate::Added)).count();
    if added > 0 {
        audit::record(&mut tx, By::Operator.act(app, AuditKind::AccountsImported).with("count", added)).await?;
    }
    tx.commit().await?;
    Ok(fates)
}

/// What [`import_users`] would do.
pub async fn foresee_import(store: &Store, users: &[Imported]) -> Result<Vec<Fate>, Trouble> {
    Ok(imports::foresee(&mut store.reader(), users).await?)
}
