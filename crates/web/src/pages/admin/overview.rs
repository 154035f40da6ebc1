//! `/admin`: how the whole is.

use std::time::Duration;

use axum::response::Response;
use cerrojo_app::mail::Route;
use cerrojo_app::system::{self, Node, Overview};
use cerrojo_domain::{Status, UnixMillis};
use minijinja::context;
use minijinja::value::Serde;
use serde::Serialize;

use super::Administrator;
use super::words::cut;
use crate::pages::stage::View;

/// Nodes that are shown.
const MOST: usize = 30;
/// A clock that is further off than this is worth a look, in milliseconds.
const CLOCK: u64 = 5_000;
/// Entries that wait to be chained are moved every second; so many mean that nobody does.
const UNSEALED: i64 = 5_000;

#[derive(Serialize)]
struct Row {
    about: String,
    is_this: bool,
    started: Option<String>,
    holds: bool,
    /// In tenths of a second.
    left: Option<String>,
    renewed: Option<String>,
    is_still: bool,
    behind: i64,
    differs: String,
}

fn seconds(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64())
}

fn row(node: &Node) -> Row {
    let lease = node.lease.as_ref();
    Row {
        about: cut(&node.about, 120),
        is_this: node.is_this,
        started: node.started.map(UnixMillis::rfc3339),
        holds: lease.is_some(),
        left: lease.and_then(|lease| lease.left).map(seconds),
        renewed: lease.and_then(|lease| lease.renewed).map(seconds),
        is_still: lease.is_some_and(|lease| lease.is_still),
        behind: lease.map_or(0, |lease| lease.behind),
        differs: lease.map(|lease| cut(&lease.differs.join(", "), 200)).unwrap_or_default(),
    }
}

/// How the whole is.
pub(in crate::pages) async fn page(administrator: Administrator) -> Response {
    let web = &administrator.stage.web;
    let overview = match system::overview(web, administrator.by()).await {
        Ok(overview) => overview,
        Err(error) => return administrator.stage.fail(error.into()),
    };
    let Overview { numbers, nodes, head, took, clock_off } = overview;
    let of = |status| numbers.users.iter().find(|(one, _)| *one == status).map_or(0, |(_, count)| *count);
    let left_out = nodes.len().saturating_sub(MOST);
    let rows: Vec<Row> = nodes.iter().take(MOST).map(row).collect();
    let [services, anonymous] = web.places().taken_now();
    let [services_refused, anonymous_refused] = web.places().refused();
    let guards = web.settings().guards;
    let onlookers_refused: u64 = web.onlookers.refused().iter().sum();
    let own = context! {
        here => "overview",
        users => context! {
            active => of(Status::Active), inactive => of(Status::Inactive), suspended => of(Status::Suspended),
        },
        live => numbers.live_sessions,
        refused => context! { credentials => numbers.refused.0, limited => numbers.refused.1 },
        mail => context! {
            waiting => numbers.mail.all, failing => numbers.mail_failing,
            leaves => web.mailer.route() == Route::Away,
        },
        unsealed => numbers.unsealed,
        unsealed_is_bad => numbers.unsealed > UNSEALED,
        is_sqlite => web.store.is_sqlite(),
        is_ready => web.is_ready(),
        took => took.as_millis().to_string(),
        head => head,
        clock_off => clock_off,
        clock_is_off => clock_off.is_some_and(|off| off.unsigned_abs() > CLOCK),
        nodes => Serde(rows),
        left_out => left_out,
        guards => context! {
            services => services, services_most => guards.services, services_refused => services_refused,
            anonymous => anonymous, anonymous_most => guards.anonymous, anonymous_refused => anonymous_refused,
        },
        onlookers => context! {
            now => web.onlookers.count(), most => web.settings().max_streams, refused => onlookers_refused,
        },
    };
    administrator.show(View::new("admin/overview.html", own)).await
}
