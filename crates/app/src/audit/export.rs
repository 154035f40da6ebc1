//! The trail as a file, for administrators: a piece at a time, however long it is.

use std::sync::Arc;

use cerrojo_domain::AuditKind;
use cerrojo_store::audit::find::{Doer, Filter};
use cerrojo_store::audit::{self, Act};

use super::{Asked, Format, LookError, Writer, excerpt};
use crate::administer::By;
use crate::authenticate::{self, AuthError};
use crate::{App, Caller, Trouble};

/// Entries read at once.
const CHUNK: i64 = 500;

/// An export under way.
pub struct Exporting {
    /// Whoever it is for, as long as they may.
    caller: Option<Caller>,
    filter: Filter,
    writer: Writer,
    is_over: bool,
}

/// Begins to write what was asked for into a file, the newest entries first. That it was is in the trail before anything is read.
///
/// # Errors
/// [`LookError`].
pub async fn export(app: &App, by: By<'_>, asked: Asked, format: Format) -> Result<Exporting, LookError> {
    by.check_role()?;
    let filter = asked.filter(&mut app.store.reader()).await?;
    let mut tx = by.check_session(app, app.store.begin().await?).await?;
    audit::record(&mut tx, said(by.act(app, AuditKind::TrailExported), &filter, format)).await?;
    tx.commit().await?;
    let caller = match by {
        By::Administrator(caller, _) => Some(Arc::clone(caller)),
        By::Operator => None,
    };
    Ok(Exporting { caller, filter, writer: Writer::new(format), is_over: false })
}

/// What it was asked for by, but for what is somebody's personal data.
fn said(act: Act, filter: &Filter, format: Format) -> Act {
    let mut act = act.with("format", if format == Format::Lines { "jsonl" } else { "csv" });
    if let Some(user) = filter.user {
        act = act.with("user", user.0);
    }
    match &filter.by {
        Some(Doer::Person(user)) => act = act.with("by", user.0),
        Some(Doer::Kind(kind)) => act = act.with("by", kind.as_str()),
        None => {}
    }
    if let Some(kind) = &filter.kind {
        act = act.with("kind", kind.as_str());
    }
    for (name, is_given) in [("session", filter.session.is_some()), ("address", filter.address.is_some())] {
        if is_given {
            act = act.with(name, "given");
        }
    }
    for (name, time) in [("since", filter.since), ("until", filter.until)] {
        if let Some(time) = time {
            act = act.with(name, time.rfc3339());
        }
    }
    act
}

impl Exporting {
    /// The next piece; `None`: that was all.
    ///
    /// # Errors
    /// [`AuthError`] if the session of whoever asked is over, with which the role goes, or the database cannot be read: what there is
    /// of the file is not all then.
    pub async fn next(&mut self, app: &App) -> Result<Option<Vec<u8>>, AuthError> {
        if self.is_over {
            return Ok(None);
        }
        if let Some(caller) = &self.caller {
            authenticate::stands(app, caller).await?;
        }
        let some = excerpt(&app.store, &self.filter, CHUNK).await?;
        let mut piece = Vec::new();
        for listed in &some.entries {
            self.writer.write(&mut piece, listed).map_err(|error| Trouble::Internal(error.to_string()))?;
        }
        self.is_over = some.before.is_none();
        self.filter.before = some.before;
        Ok((!piece.is_empty()).then_some(piece))
    }
}
