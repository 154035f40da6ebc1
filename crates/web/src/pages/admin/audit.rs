//! `/admin/audit`: the audit trail.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::response::Response;
use cerrojo_app::audit::{self, Asked, Listed};
use cerrojo_domain::{AuditKind, UnixMillis};
use minijinja::context;
use minijinja::value::Serde;
use serde::Serialize;
use serde_json::Value;

use super::Administrator;
use super::query::Query;
use super::words::{self, cut, short};
use crate::envelope::Text;
use crate::pages::stage::View;
use crate::problem::Problem;

/// Rows on a page.
const MOST: i64 = 25;
/// Longest details that a row shows, in characters.
const LONGEST: usize = 160;

/// What the trail can be asked by.
pub(super) const NAMES: [&str; 7] = ["user", "by", "kind", "session", "address", "since", "until"];

#[derive(Serialize)]
struct Row {
    position: Option<i64>,
    at: String,
    kind: String,
    by: &'static str,
    by_id: Option<i64>,
    user: Option<i64>,
    address: String,
    details: String,
    session: String,
}

/// What the address of a page, or the form of an export, asks for. A day begins and ends in UTC.
pub(super) fn asked(text: impl Fn(&str) -> Option<String>, before: Option<i64>) -> Asked {
    let day = |name: &str, later: Duration| {
        let typed = text(name)?;
        let begins = UnixMillis::parse(&typed).filter(|_| typed.len() == 10);
        Some(begins.map_or(typed, |begins| begins.plus(later).rfc3339()))
    };
    Asked {
        user: text("user"),
        by: text("by"),
        kind: text("kind"),
        session: text("session"),
        address: text("address"),
        since: day("since", Duration::ZERO),
        until: day("until", Duration::from_hours(24)),
        before,
    }
}

/// Every group of kinds with its kinds.
fn kinds() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for kind in AuditKind::ALL.iter().map(|kind| kind.as_str()) {
        let group = kind.split('.').next().unwrap_or_default();
        match groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, kinds)) => kinds.push(kind),
            None => groups.push((group, vec![kind])),
        }
    }
    groups
}

/// The newest entries.
pub(in crate::pages) async fn page(administrator: Administrator, query: Query) -> Response {
    let web = &administrator.stage.web;
    let before = query.number("before");
    let found = audit::list(web, administrator.by(), asked(|name| query.text(name), before), Some(MOST)).await;
    let (entries, next, mut problem) = match found {
        Ok(found) => (found.entries, found.before, None),
        Err(error) => (Vec::new(), None, Some(Problem::from(error))),
    };
    let head = audit::head(&web.store).await;
    let (position, mac) = match head {
        Ok(head) => head,
        Err(error) => {
            problem = problem.or_else(|| Some(cerrojo_app::Trouble::from(error).into()));
            (0, String::new())
        }
    };
    let rows: Vec<Row> = entries.iter().map(|listed| row(&administrator, listed)).collect();
    let values: BTreeMap<_, _> = NAMES.iter().map(|name| (*name, query.text(name).unwrap_or_default())).collect();
    let doers: Vec<_> = words::DOERS.iter().map(|(kind, text)| (*kind, administrator.says(*text))).collect();
    let own = context! {
        here => "audit",
        values => Serde(values),
        rows => Serde(rows),
        kinds => kinds(),
        doers => doers,
        query => query.again(&NAMES),
        before => next,
        is_first => before.is_none(),
        position => position,
        mac => mac,
    };
    let view = View::new("admin/audit.html", own);
    match problem {
        None => administrator.show(view).await,
        Some(problem) => administrator.refuse(view, problem),
    }
}

fn row(administrator: &Administrator, listed: &Listed) -> Row {
    let said = &listed.said;
    let details = [Some(&said.details), said.about.as_ref()].into_iter().flatten();
    let details: Vec<String> = details.flat_map(|json| members(json)).collect();
    Row {
        position: listed.sealed.as_ref().map(|(position, _)| *position),
        at: said.at.rfc3339(),
        kind: short(&said.kind),
        by: administrator.says(match said.actor.as_str() {
            "user" => Text { es: "Persona", en: "Person" },
            other => words::doer(other),
        }),
        by_id: said.actor_id,
        user: said.subject,
        address: said.address.as_deref().map(short).unwrap_or_default(),
        details: cut(&details.join(", "), LONGEST),
        session: said.session.as_deref().map(short).unwrap_or_default(),
    }
}

/// `name: value` for each member of an object.
fn members(text: &str) -> Vec<String> {
    let member = |(name, value): (&String, &Value)| match value {
        Value::String(text) => format!("{name}: {text}"),
        other => format!("{name}: {other}"),
    };
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(members)) => members.iter().map(member).collect(),
        _ => Vec::new(),
    }
}
