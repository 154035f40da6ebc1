//! Processes under test: told by signals, waited for, killed when dropped.

use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::moment;

/// A child of this process.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts it.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// Sends a signal; nothing happens if it has ended.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process(self.pid(), signal);
    }

    /// Its number.
    ///
    /// # Panics
    /// Never: numbers of processes fit.
    #[must_use]
    pub fn pid(&self) -> Pid {
        i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).expect("the number of a process")
    }

    /// How it ended, if it has.
    ///
    /// # Panics
    /// If that cannot be asked.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("a child can be asked")
    }

    /// How it ended, if it does within a time.
    pub fn ends_within(&mut self, patience: Duration) -> Option<ExitStatus> {
        within(patience, || self.ended())
    }

    /// kill -9, and it is gone.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Its children's numbers.
    #[must_use]
    pub fn children(&self) -> Vec<Pid> {
        let pid = self.pid().as_raw_nonzero();
        let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        list.split_whitespace().filter_map(|pid| pid.parse().ok().and_then(Pid::from_raw)).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Asks every 10 ms until there is an answer, for a time.
pub fn within<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let until = moment::after(patience);
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if moment::now() > until {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
