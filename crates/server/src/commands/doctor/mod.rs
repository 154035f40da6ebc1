//! `cerrojo doctor`: looks at everything around a server, and says what to do. It writes nothing.

mod database;
mod disk;
mod files;
mod finding;
mod http;
mod keys;
mod machine;
mod mail;
mod nodes;
mod passwords;
mod postgres;
mod reach;
mod serving;
mod settings;
mod sqlite;

use std::path::PathBuf;

use cerrojo_domain::{Clock as _, SystemClock, UnixMillis};

use self::finding::{Finding, Report};
use self::serving::Serving;
use crate::cli::Doctor;
use crate::config::{ConfigError, Configuration, Loaded};
use crate::failure::Failure;

/// How much is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Quick,
    /// The whole database, and the whole list of breached passwords.
    Whole,
}

/// What checks are given.
struct Patient {
    configuration: Configuration,
    /// The file of settings, and those in it that are secret.
    file: Option<(PathBuf, Vec<&'static str>)>,
    serving: Serving,
    depth: Depth,
    now: UnixMillis,
}

pub(crate) async fn run(asked: Doctor, loaded: Loaded) -> Result<(), Failure> {
    let mut report = Report::new(asked);
    let configuration = match loaded.configuration() {
        Ok(configuration) => configuration,
        Err(ConfigError(problems)) => {
            report.add(problems.into_iter().map(settings::wrong));
            report.add([Finding::skipped("everything else", "the settings have to be right first")]);
            return report.end();
        }
    };
    let file = loaded.file().map(|file| (file.to_owned(), loaded.secrets_in_file()));
    let serving = Serving::look(&configuration).await;
    // A server that took a free port is asked there.
    let configuration = match serving.address {
        Some(address) if configuration.listen.port() == 0 => loaded.listening_on(address)?,
        _ => configuration,
    };
    let depth = if asked.deep { Depth::Whole } else { Depth::Quick };
    let patient = Patient { configuration, file, serving, depth, now: SystemClock::new().now() };
    report.add(settings::look(&patient));
    report.add(machine::look(&patient));
    report.add(passwords::look(&patient).await);
    report.add(files::look(&patient));
    report.add(disk::look(&patient));
    let known = database::look(&patient, &mut report).await;
    report.add(mail::look(&patient).await);
    report.add([reach::traces(&patient).await]);
    report.add(reach::tls_files(&patient));
    report.add(reach::look(&patient, &known).await);
    report.end()
}
