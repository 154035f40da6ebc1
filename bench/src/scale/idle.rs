//! What a cluster costs its database when nobody asks it anything.

use std::time::Duration;

use super::{SEVERAL, Site};
use crate::failure::Outcome;
use crate::table::{Report, Target};

const SETTLE: Duration = Duration::from_secs(3);
const TIME: Duration = Duration::from_secs(20);

/// Statements and transactions a second.
pub(super) async fn measure(site: &Site<'_>, report: &mut Report) -> Outcome<()> {
    let nodes = site.nodes(SEVERAL).await?;
    tokio::time::sleep(SETTLE).await;
    let statements = "SELECT COALESCE(sum(calls), 0) FROM pg_stat_statements JOIN pg_database ON oid = dbid \
         WHERE datname = 'scale'";
    let commits = "SELECT xact_commit FROM pg_stat_database WHERE datname = 'scale'";
    let ask = |statement| site.postgres.number("postgres", statement);
    let before = (ask(statements)?, ask(commits)?);
    tokio::time::sleep(TIME).await;
    let after = (ask(statements)?, ask(commits)?);
    let a_second = |before: f64, after: f64| Target::none().of_value("/s", (after - before) / TIME.as_secs_f64());
    report.judge("idle, three nodes: statements", site.build, a_second(before.0, after.0));
    report.judge("idle, three nodes: transactions", site.build, a_second(before.1, after.1));
    for node in nodes {
        node.stop().await?;
    }
    Ok(())
}
