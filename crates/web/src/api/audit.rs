//! The audit trail, for administrators.

use axum::extract::State;
use cerrojo_app::audit::{self, Asked, Listed};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Web;
use crate::bearer::Administrator;
use crate::envelope::{Answer, Failure, Success};
use crate::messages;
use crate::problem::Problem;
use crate::query::Pairs;
use crate::view::{doer, json_of};

/// An entry of the audit trail.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct EntryView {
    /// In the order in which acts wrote them.
    #[schema(example = 4711)]
    id: i64,
    /// Whether it is in the chain; a server puts it there within a second or so.
    sealed: bool,
    /// Its position in the chain; `null` while it is not sealed.
    #[schema(example = 4711, required)]
    position: Option<i64>,
    #[schema(example = "2026-02-13T10:00:00.000Z")]
    at: String,
    /// `session.began`, `session.ended`, `account.role_changed`, …
    #[schema(example = "session.ended")]
    kind: String,
    /// `user:7`, `administrator:1`, `operator`, `server` or `nobody`.
    #[schema(example = "administrator:1")]
    by: String,
    /// Whom it is about.
    #[schema(example = 7, required)]
    user_id: Option<i64>,
    /// The session that began or ended; of any other act, the one by which it was done.
    #[schema(required)]
    session_id: Option<String>,
    /// From where it was done; erased with the account of whoever did it.
    #[schema(example = "203.0.113.9", required)]
    address: Option<String>,
    #[schema(required)]
    device: Option<String>,
    /// What belongs to the kind: a reason, the old and the new role, …
    #[schema(value_type = Object)]
    details: serde_json::Value,
    /// What it says of the person, such as an email; erased with the person's account.
    #[schema(value_type = Option<Object>, required)]
    about: Option<serde_json::Value>,
    /// `X-Request-Id` of the request.
    #[schema(required)]
    request_id: Option<String>,
    /// The process that wrote it; `server.started` says which that was.
    #[schema(required)]
    node: Option<String>,
    /// Over the entry and the one before it; `null` while it is not sealed.
    #[schema(required)]
    mac: Option<String>,
}

impl EntryView {
    fn new(Listed { said, sealed }: Listed) -> Self {
        let (position, mac) = sealed.unzip();
        Self {
            id: said.id,
            sealed: position.is_some(),
            position,
            at: said.at.rfc3339(),
            by: doer(&said),
            user_id: said.subject,
            details: json_of(&said.details),
            about: said.about.as_deref().map(json_of),
            kind: said.kind,
            session_id: said.session,
            address: said.address,
            device: said.device,
            request_id: said.request,
            node: said.node,
            mac,
        }
    }
}

/// `data` with entries in it.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = AuditEntries)]
pub(crate) struct EntriesView {
    /// The newest first.
    entries: Vec<EntryView>,
    /// What to give as `before` to get the next ones; `null`: there are no more.
    #[schema(example = 4612, required)]
    before: Option<i64>,
}

/// Looks through the audit trail, the newest entries first.
///
/// Every act that concerns security: who did what to whom, when and from where.
#[utoipa::path(
    get,
    path = "/api/admin/audit",
    operation_id = "list_audit",
    tag = "administration",
    security(("bearer" = [])),
    params(
        ("user" = Option<String>, Query, description = "Whom entries are about: a number, or the email of an account"),
        ("kind" = Option<String>, Query, description = "A kind such as `session.ended`, or a group of kinds such as `session`"),
        ("by" = Option<String>, Query, description = "Who did it: a number, an email, `operator`, `server`, `nobody`, `user` or `administrator`"),
        ("session" = Option<String>, Query, description = "The id of a session"),
        ("address" = Option<String>, Query, description = "From which IP address"),
        ("since" = Option<String>, Query, description = "From this time on (RFC 3339)"),
        ("until" = Option<String>, Query, description = "Before this time (RFC 3339)"),
        ("limit" = Option<i64>, Query, minimum = 1, description = "Entries at once; 100 if not given, 1000 at most"),
        ("before" = Option<i64>, Query, minimum = 1, description = "`before` of the answer before this one"),
    ),
    responses(
        (status = 200, description = "Entries", body = Success<EntriesView>),
        (status = 403, description = "Not an administrator", body = Failure),
    )
)]
pub(crate) async fn list(
    State(app): State<Web>,
    administrator: Administrator,
    query: Pairs,
) -> Result<Answer<EntriesView>, Problem> {
    let asked = Asked {
        user: query.text("user")?,
        by: query.text("by")?,
        kind: query.text("kind")?,
        session: query.text("session")?,
        address: query.text("address")?,
        since: query.text("since")?,
        until: query.text("until")?,
        before: query.number("before")?,
    };
    let limit = query.number("limit")?;
    let excerpt = audit::list(&app, administrator.by(), asked, limit).await?;
    let entries = excerpt.entries.into_iter().map(EntryView::new).collect();
    Ok(Answer::new(messages::AUDIT, EntriesView { entries, before: excerpt.before }))
}
