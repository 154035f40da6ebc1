//! PostgreSQL servers of a test's own, from the programs of Debian's package.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::process::{Process, within};
use crate::world;

/// Longer than this nothing here takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 64MB
fsync = on
";

/// A server and its files. Killed when dropped.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    port: u16,
    process: Option<Process>,
    environment: Vec<(String, String)>,
}

/// How a server is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// As an operator does: its clients are sent away, everything is written.
    Fast,
    /// kill -9 of every process of it.
    Kill,
}

impl Postgres {
    /// Makes a server that does not run yet.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn create(port: u16) -> Self {
        let new = Self::at(world::folder("postgres"), port);
        let made = ["-D", &new.files(), "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"];
        world::finished(as_owner(&program("initdb")).args(made).arg("--no-sync"));
        new.set(SETTINGS);
        new
    }

    fn at(folder: PathBuf, port: u16) -> Self {
        give_to_owner(&folder);
        Self { folder, port, process: None, environment: Vec::new() }
    }

    fn files(&self) -> String {
        self.folder.join("cluster").display().to_string()
    }

    /// Adds settings; they hold from the next start on, or once [`Self::reload`] was called.
    ///
    /// # Panics
    /// If they cannot be written.
    pub fn set(&self, settings: &str) {
        let file = self.folder.join("cluster/postgresql.conf");
        let all = std::fs::read_to_string(&file).expect("the settings can be read");
        std::fs::write(&file, format!("{all}\n{settings}\n")).expect("the settings can be written");
    }

    /// Takes connections only by TLS from its next start on, as whoever the certificate names.
    ///
    /// # Panics
    /// If that cannot be set.
    pub fn require_tls(&self, certificate: &Path, key: &Path) {
        let files = self.folder.join("cluster");
        for (from, name, mode) in [(certificate, "server.crt", "0644"), (key, "server.key", "0600")] {
            let to = files.join(name);
            world::run("cp", [from, &to]);
            world::run("chmod", [Path::new(mode), &to]);
            give_to_owner(&to);
        }
        std::fs::write(files.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 trust\n").expect("who may connect");
        self.set("ssl = on");
    }

    /// For the server's process from its next start on.
    pub fn set_environment(&mut self, variables: &[(&str, &str)]) {
        self.environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it and waits until it answers.
    ///
    /// # Panics
    /// If it does not.
    pub fn start(&mut self) {
        self.launch();
        assert!(within(PATIENCE, || self.answers().then_some(())).is_some(), "PostgreSQL: {}", self.said());
    }

    /// Starts it and waits for nothing.
    ///
    /// # Panics
    /// If its log cannot be written.
    pub fn launch(&mut self) {
        let log = || std::fs::File::options().append(true).create(true).open(self.folder.join("log"));
        let mut command = as_owner(&program("postgres"));
        command.args(["-D", &self.files(), "-p", &self.port.to_string()]).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log().expect("a log of PostgreSQL's"));
        self.process = Some(Process::start(&mut command));
    }

    fn answers(&self) -> bool {
        self.psql("SELECT 1").output().is_ok_and(|output| output.status.success())
    }

    /// What it said so far.
    #[must_use]
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Stops it; returns when every process of it is gone.
    ///
    /// # Panics
    /// If it does not stop.
    pub fn stop(&mut self, how: Stop) {
        let Some(mut process) = self.process.take() else { return };
        match how {
            Stop::Fast => {
                process.signal(Signal::INT);
                assert!(process.ends_within(PATIENCE).is_some(), "PostgreSQL does not stop: {}", self.said());
            }
            Stop::Kill => {
                // So that none is made, and none ends by itself, between the look and the kill.
                process.signal(Signal::STOP);
                let children = process.children();
                for child in &children {
                    let _ = kill_process(*child, Signal::KILL);
                }
                process.kill();
                let gone = within(PATIENCE, || children.iter().all(|child| is_gone(*child)).then_some(()));
                assert!(gone.is_some(), "PostgreSQL does not end: {}", self.said());
            }
        }
    }

    /// Whether it ends by itself within a time.
    pub fn ends_within(&mut self, patience: Duration) -> bool {
        self.process.as_mut().is_none_or(|process| process.ends_within(patience).is_some())
    }

    /// Stops the clock for every process of it, or lets it run again.
    pub fn freeze(&self, signal: Signal) {
        let Some(process) = &self.process else { return };
        process.signal(signal);
        for child in process.children() {
            let _ = kill_process(child, signal);
        }
    }

    /// Copies the files of a stopped server.
    ///
    /// # Panics
    /// If it runs, or they cannot be copied.
    #[must_use]
    pub fn copy(&self) -> PathBuf {
        assert!(self.process.is_none(), "only a stopped server's files are all of one moment");
        let copy = world::folder("copy");
        world::run("cp", [Path::new("-a"), &self.folder.join("cluster"), &copy]);
        copy
    }

    /// Puts such a copy back. The server must be stopped.
    ///
    /// # Panics
    /// If it cannot be put back.
    pub fn put_back(&self, copy: &Path) {
        assert!(self.process.is_none(), "only a stopped server's files can be replaced");
        std::fs::remove_dir_all(self.folder.join("cluster")).expect("the newer files go");
        world::run("cp", [Path::new("-a"), &copy.join("cluster"), &self.folder]);
    }

    /// A standby of this server, made by `pg_basebackup`, running.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn standby(&self, port: u16) -> Self {
        let mut standby = Self::at(world::folder("standby"), port);
        let primary = format!("host=127.0.0.1 port={} user=postgres application_name=standby", self.port);
        let mut command = as_owner(&program("pg_basebackup"));
        world::finished(command.args(["-D", &standby.files(), "-d", &primary, "-R", "-X", "stream", "-c", "fast"]));
        standby.start();
        standby
    }

    /// Makes a standby the primary; returns when it is.
    ///
    /// # Panics
    /// If it does not become one.
    pub fn promote(&self) {
        // A statement that waited for it would itself be in the way of what is still to be replayed.
        assert_eq!(self.query("SELECT pg_promote(false)"), "t", "{}", self.said());
        self.wait_for("SELECT NOT pg_is_in_recovery()");
    }

    /// A standby that hears no more from its primary; returns when that is so.
    ///
    /// # Panics
    /// If it still does.
    pub fn lose_primary(&self) {
        self.execute("ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=1'");
        self.execute("SELECT pg_reload_conf()");
        self.wait_for("SELECT count(*) = 0 FROM pg_stat_wal_receiver");
    }

    /// Commits from now on only what its standby has, too; returns when that is so.
    ///
    /// # Panics
    /// If no standby follows.
    pub fn wait_for_standby(&self) {
        self.set("synchronous_standby_names = '*'");
        self.execute("SELECT pg_reload_conf()");
        self.wait_for("SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')");
    }

    /// Waits until it answers, starting it where it has ended.
    ///
    /// # Panics
    /// If it does not.
    pub fn recover(&mut self) {
        let answers = within(PATIENCE, || (self.ends_within(Duration::ZERO) || self.answers()).then_some(()));
        assert!(answers.is_some(), "PostgreSQL: {}", self.said());
        if self.ends_within(Duration::ZERO) {
            self.process = None;
            self.start();
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop(Stop::Kill);
    }
}

/// Whether a process has ended, though nobody may have asked how.
fn is_gone(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// The newest that is installed.
pub(crate) fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("Debian's package postgresql is installed");
    let newest = versions.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok()).max();
    let newest = newest.expect("a version of PostgreSQL under /usr/lib/postgresql");
    PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin/{name}"))
}

/// Whoever [`as_owner`] runs programs as.
fn give_to_owner(path: &Path) {
    if rustix::process::geteuid().is_root() {
        world::run("chown", [Path::new("postgres"), path]);
    }
}

/// PostgreSQL refuses to run as root.
fn as_owner(program: &Path) -> Command {
    let mut command;
    if rustix::process::geteuid().is_root() {
        command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    } else {
        command = Command::new(program);
    }
    command.current_dir("/");
    command
}
