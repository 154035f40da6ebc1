//! What tests ask and tell a server by `psql`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::postgres::{PATIENCE, Postgres, program};
use crate::process::within;
use crate::world;

impl Postgres {
    /// What one statement answers, as text.
    ///
    /// # Panics
    /// If it fails.
    #[must_use]
    pub fn query(&self, statement: &str) -> String {
        world::finished(&mut self.psql(statement))
    }

    /// Does something.
    ///
    /// # Panics
    /// If it fails.
    pub fn execute(&self, statement: &str) {
        world::finished(&mut self.psql(statement));
    }

    /// Does something in a transaction that stays open; returns when it is done.
    ///
    /// # Panics
    /// If it fails.
    #[must_use]
    pub fn hold(&self, statement: &str) -> Held {
        let mut command = self.interactive();
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("psql starts");
        let mut input = process.stdin.take().expect("psql reads");
        writeln!(input, "BEGIN;\n{statement};\n\\echo held").expect("psql reads");
        let mut lines = BufReader::new(process.stdout.take().expect("psql writes")).lines().map_while(Result::ok);
        assert!(lines.any(|line| line == "held"), "{statement}");
        Held { process, input: Some(input) }
    }

    /// Waits until a query answers yes.
    ///
    /// # Panics
    /// If it does not.
    pub fn wait_for(&self, query: &str) {
        assert!(within(PATIENCE, || (self.query(query) == "t").then_some(())).is_some(), "{query}");
    }

    /// Waits until so many of its connections are as a condition on `pg_stat_activity` says.
    pub fn wait_until(&self, many: u32, are: &str) {
        self.wait_for(&format!("SELECT count(*) >= {many} FROM pg_stat_activity WHERE {are}"));
    }

    fn interactive(&self) -> Command {
        let mut command = Command::new(program("psql"));
        let port = self.port().to_string();
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &port]);
        command.args(["-U", "postgres", "-d", "postgres"]).env("PGCONNECT_TIMEOUT", "5");
        command
    }

    pub(crate) fn psql(&self, statement: &str) -> Command {
        let mut command = self.interactive();
        command.args(["-c", statement]);
        command
    }
}

/// A transaction that is open, and rolled back when dropped.
#[derive(Debug)]
pub struct Held {
    process: Child,
    input: Option<ChildStdin>,
}

impl Drop for Held {
    fn drop(&mut self) {
        // It ends at the end of its input, and what it did with it.
        self.input = None;
        let _ = self.process.wait();
    }
}
