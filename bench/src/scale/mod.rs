//! Ten million live sessions and five million ended ones on PostgreSQL: memory, start-up, sizes, and what endings cost there.

mod endings;
mod fill;
mod idle;
mod start;

use crate::child::Child;
use crate::failure::Outcome;
use crate::nodes::folder_of_its_own;
use crate::place::{Build, Place};
use crate::postgres::Postgres;
use crate::table::{Report, Target};
use fill::Filled;

/// Nodes of a cluster.
const SEVERAL: usize = 3;

/// A filled database, and what works on it.
struct Site<'a> {
    place: &'a Place,
    build: &'a Build,
    postgres: &'a Postgres,
    filled: Filled,
}

/// Measures all of it, of this tree's server alone.
pub(crate) async fn measure(place: &Place, report: &mut Report) -> Outcome<()> {
    let Some(build) = place.builds.first() else { return Ok(()) };
    let postgres = Postgres::start(&place.folder("postgres")?)?;
    let empty = start::empty(place, build, &postgres).await?;
    let filled = fill::fill(place, &postgres, place.amounts.sessions).await?;
    let site = Site { place, build, postgres: &postgres, filled };
    site.sizes(report)?;
    site.snapshot(report).await?;
    start::measure(&site, report, empty).await?;
    idle::measure(&site, report).await?;
    endings::measure(&site, report).await?;
    endings::everything(&site, report).await
}

impl Site<'_> {
    async fn node(&self) -> Outcome<Child> {
        let folder = folder_of_its_own(self.place, &self.filled.folder)?;
        let asked = self.filled.checks.get(..1).unwrap_or_default();
        Child::node(self.build, (&folder, &self.filled.url, &[]), asked).await
    }

    async fn nodes(&self, count: usize) -> Outcome<Vec<Child>> {
        let mut nodes = Vec::with_capacity(count);
        for _ in 0..count {
            nodes.push(self.node().await?);
        }
        Ok(nodes)
    }

    fn number(&self, statement: &str) -> Outcome<f64> {
        self.postgres.number(self.filled.database, statement)
    }

    fn sizes(&self, report: &mut Report) -> Outcome<()> {
        let rows = [
            ("sessions in the table", "sessions", "SELECT count(*) FROM sessions"),
            ("entries in the log", "entries", "SELECT count(*) FROM log"),
            ("size: the database", "MiB", "SELECT pg_database_size(current_database()) / 1048576.0"),
            ("size: sessions with indexes", "MiB", "SELECT pg_total_relation_size('sessions') / 1048576.0"),
            ("size: the log with its index", "MiB", "SELECT pg_total_relation_size('log') / 1048576.0"),
            ("size: bitmaps", "MiB", "SELECT pg_total_relation_size('list_bits') / 1048576.0"),
        ];
        for (what, unit, statement) in rows {
            report.judge(what, self.build, Target::none().of_value(unit, self.number(statement)?));
        }
        Ok(())
    }

    /// One round of taking the log into the bitmaps, and the start of an app for it, which reads them.
    async fn snapshot(&self, report: &mut Report) -> Outcome<()> {
        let start = crate::load::elapsed();
        let app = crate::seed::guest(&self.filled.url, &self.filled.folder).await?;
        let loaded = crate::load::elapsed();
        let taken = cerrojo_app::snapshot::take(&app).await;
        taken.map_err(|trouble| crate::failure::Failure(trouble.to_string()))?;
        let done = crate::load::elapsed();
        app.store.close().await;
        let millis = |from, to: std::time::Duration| to.saturating_sub(from).as_secs_f64() * 1e3;
        report.judge("reading it into memory", self.build, Target::none().of_value("ms", millis(start, loaded)));
        report.judge("taking the log into bitmaps", self.build, Target::none().of_value("ms", millis(loaded, done)));
        Ok(())
    }

    /// As it was before nodes took the log into the bitmaps: reading what they hold already does no harm.
    fn put_snapshot_back(&self) -> Outcome<()> {
        let back = format!("UPDATE snapshot SET number = {}", self.filled.covered);
        self.postgres.ask(self.filled.database, &back).map(drop)
    }
}
