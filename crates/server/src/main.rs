//! Cerrojo: an authentication server whose logout is real. This is the binary: command line, settings, wiring.

mod ask;
mod certificate;
mod cli;
mod commands;
mod config;
mod failure;
mod listeners;
mod lock;
mod open;
mod open_files;
mod out;
mod owner;
mod place;
mod progress;
mod serve;
mod still_ours;
mod systemd;
mod telemetry;
mod tls_client;
mod traces;

use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};

use crate::cli::{Cli, Command};
use crate::config::{LogFormat, Sources};
use crate::failure::Failure;

/// How long threads that read and write files may take once all else has ended.
const LAST_PATIENCE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            for line in failure.message.lines() {
                out::note(&format!("error: {line}"));
            }
            ExitCode::from(failure.exit)
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { config: file, serve: without_command, command } = cli;
    let (listen, command) = match command {
        None => (without_command.listen, None),
        Some(Command::Serve(serve)) => (serve.listen.or(without_command.listen), None),
        Some(_) if without_command.listen.is_some() => {
            return Err(Failure::usage("--listen belongs to `cerrojo serve`"));
        }
        Some(other) => (None, Some(other)),
    };
    if let Some(Command::Completions { shell }) = command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "cerrojo", &mut script);
        out::raw(&String::from_utf8_lossy(&script));
        return Ok(());
    }
    if let Some(Command::Man { folder }) = command {
        return commands::manual::run(&folder);
    }
    if let Some(Command::Config(cli::Config::Reference)) = command {
        out::raw(&config::reference());
        return Ok(());
    }
    let loaded = config::load(Sources { file, environment: std::env::vars_os().collect(), listen });
    match command {
        None => {
            let passed = listeners::Passed::take()?;
            in_runtime(serve::serve(loaded, passed))
        }
        Some(Command::Config(command)) => commands::config::run(&command, &loaded),
        Some(Command::Doctor(arguments)) => {
            // What goes wrong is said by the checks themselves.
            telemetry::start(LogFormat::Text, "off");
            in_runtime(commands::doctor::run(arguments, loaded))
        }
        Some(Command::BreachedList(command)) => commands::breached_list::run(command, &loaded),
        Some(command) => {
            let configuration = loaded.configuration()?;
            telemetry::start(LogFormat::Text, if is_restore(&command) { "error" } else { "warn" });
            in_runtime(commands::run(command, configuration))
        }
    }
}

/// A restore ends every session on purpose and need not warn of it.
fn is_restore(command: &Command) -> bool {
    matches!(command, Command::Db(cli::Db::Restore { .. }))
}

fn in_runtime(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // Files are read and written now and then; SQLite and password hashing have threads of their own.
        .max_blocking_threads(8)
        .build()
        .map_err(Failure::because("threads cannot be started"))?;
    let done = runtime.block_on(work);
    // A thread that waits for a disk that hangs must not keep the process.
    runtime.shutdown_timeout(LAST_PATIENCE);
    done
}
