//! Keys as administrators see them.

use std::time::Duration;

use cerrojo_domain::UnixMillis;
use cerrojo_store::tallies;

use super::{KeyRow, SESSION, list};
use crate::administer::{AdminError, By};
use crate::{App, Trouble};

/// Every key, and what may be done with them.
pub struct Standing {
    /// Each key with the number of sessions that it signed and that have not ended, the newest key first.
    pub keys: Vec<(KeyRow, i64)>,
    /// Whether sessions are signed with a secret of the settings, which is changed there.
    pub is_given: bool,
    /// How long a session can last by the settings of now: so long after it was rotated, a key has signed no live one.
    pub longest: Duration,
}

impl Standing {
    /// From when on no session that this key signed can be live; `None`: it signs, or nobody can say.
    #[must_use]
    pub fn outlived(&self, key: &KeyRow) -> Option<UnixMillis> {
        // Of another key it takes a moment until everybody signs with it.
        let still_signs = super::RIPENS;
        Some(key.rotated_at?.plus(still_signs).plus(self.longest)).filter(|_| key.purpose == SESSION)
    }
}

/// Every key, and what may be done with them.
///
/// # Errors
/// [`AdminError`].
pub async fn standing(app: &App, by: By<'_>) -> Result<Standing, AdminError> {
    by.check_role()?;
    let mut rows = list(app).await?;
    rows.reverse();
    let store = app.store.clone();
    let signed = async move { Ok::<_, Trouble>(tallies::signed(&mut store.reader()).await?) };
    let signed = app.scans.take_turn(signed).await?;
    let live = |row: &KeyRow| signed.iter().find(|(key, _)| *key == row.id).map_or(0, |(_, count)| *count);
    let keys = rows.into_iter().map(|row| (live(&row), row)).map(|(live, row)| (row, live)).collect();
    Ok(Standing { keys, is_given: app.keys.given().is_some(), longest: app.settings.token_ttl })
}
