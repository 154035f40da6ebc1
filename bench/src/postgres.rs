//! A PostgreSQL server of this run's own, on the disk that the builds are on, and what its programs tell.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Outcome, fail};
use crate::figures::{Figures, Sample};
use crate::load::elapsed;

/// Finds or installs PostgreSQL's programs, starts and stops a server.
const TOOL: &str = "tools/postgres-for-tests";
/// Rows of the table that the floor updates.
const ROWS: usize = 100_000;
/// Statements are counted; shared memory is what a small server of today would be given.
const OPTIONS: &str = "-c shared_buffers=1GB -c max_wal_size=2GB -c shared_preload_libraries=pg_stat_statements";

/// A running PostgreSQL server; stopped and removed when dropped.
pub(crate) struct Postgres {
    folder: PathBuf,
    /// The URL without the database's name.
    base: String,
    programs: PathBuf,
}

impl Postgres {
    /// Starts one whose files are in `folder`. It fsyncs.
    pub(crate) fn start(folder: &Path) -> Outcome<Self> {
        let known = folder.join("server");
        let mut command = Command::new(TOOL);
        command.arg("start").arg(&known).env("POSTGRES_FILES", folder).env("POSTGRES_OPTIONS", OPTIONS);
        let url = output(&mut command)?;
        let base = url.strip_suffix("/postgres").ok_or_else(|| Failure(format!("{TOOL} said {url}")))?.to_owned();
        let server = Self { folder: known, base, programs: programs()? };
        server.ask("postgres", "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")?;
        Ok(server)
    }

    /// The address of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.base)
    }

    /// Makes a database; its address.
    pub(crate) fn create(&self, database: &str) -> Outcome<String> {
        self.ask("postgres", &format!("CREATE DATABASE {database}"))?;
        Ok(self.url(database))
    }

    /// Runs statements, each by itself; what they give, a row a line, columns separated by bars.
    pub(crate) fn ask(&self, database: &str, statements: &str) -> Outcome<String> {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", &self.url(database)]);
        for statement in statements.split(";\n").filter(|statement| !statement.trim().is_empty()) {
            command.args(["-c", statement]);
        }
        output(&mut command)
    }

    /// The number that a statement gives.
    pub(crate) fn number(&self, database: &str, statement: &str) -> Outcome<f64> {
        Ok(self.ask(database, statement)?.trim().parse()?)
    }

    /// Makes the table that the floor updates.
    pub(crate) fn prepare_floor(&self) -> Outcome<()> {
        self.create("floor")?;
        let rows =
            format!("INSERT INTO floor SELECT number, 0, repeat('x', 100) FROM generate_series(1, {ROWS}) AS number");
        let table = "CREATE TABLE floor (id BIGINT PRIMARY KEY, value BIGINT NOT NULL, filler TEXT NOT NULL)";
        self.ask("floor", &format!("{table};\n{rows};\nVACUUM ANALYZE floor")).map(drop)
    }

    /// What `pgbench` takes, with one client, for a transaction that updates one row: the floor of anything durable.
    pub(crate) fn floor(&self, seconds: u64) -> Outcome<Figures> {
        let script = self.folder.join("floor.sql");
        let update = "UPDATE floor SET value = value + 1 WHERE id = :id;";
        std::fs::write(&script, format!("\\set id random(1, {ROWS})\n{update}\n"))?;
        let log = self.folder.join("floor");
        let mut command = Command::new(self.programs.join("pgbench"));
        command.args(["--no-vacuum", "--client=1", "--protocol=prepared", "--log", &format!("--time={seconds}")]);
        command.arg(format!("--log-prefix={}", log.display())).arg("--file").arg(&script).arg(self.url("floor"));
        let start = elapsed();
        output(&mut command)?;
        let took = elapsed().saturating_sub(start);
        let mut latencies = Vec::new();
        for file in std::fs::read_dir(&self.folder)? {
            let path = file?.path();
            if !path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("floor.") && !name.eq("floor.sql"))
            {
                continue;
            }
            let text = std::fs::read_to_string(&path)?;
            let micros = text.lines().filter_map(|line| line.split(' ').nth(2)?.parse().ok());
            latencies.extend(micros.map(std::time::Duration::from_micros));
            std::fs::remove_file(path)?;
        }
        Ok(Sample::new(took, latencies).figures(std::time::Duration::ZERO))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = Command::new(TOOL).arg("stop").arg(&self.folder).output();
    }
}

fn programs() -> Outcome<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")?
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|programs| programs.join("initdb").exists())
        .collect();
    // The newest, as the tool takes it.
    found.sort_by_key(|programs| version_of(programs));
    found.pop().ok_or_else(|| Failure("PostgreSQL's programs were not found".to_owned()))
}

fn version_of(programs: &Path) -> u32 {
    let version = programs.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse().ok());
    version.unwrap_or(0)
}

fn output(command: &mut Command) -> Outcome<String> {
    let done = command.output().map_err(|error| Failure(format!("{command:?}: {error}")))?;
    if !done.status.success() {
        return fail(format!("{command:?}: {}", String::from_utf8_lossy(&done.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}
