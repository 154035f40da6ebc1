//! What the command line does beside serving.

mod audit;
pub(crate) mod breached_list;
mod cluster;
pub(crate) mod config;
mod db;
pub(crate) mod doctor;
mod export;
mod health;
mod import;
mod invite;
mod key;
mod mail;
pub(crate) mod manual;
mod registrations;
mod restore;
mod service;
mod session;
mod user;

use crate::cli::{Cluster, Command};
use crate::config::Configuration;
use crate::failure::Failure;

/// Runs a command that needs the database.
pub(crate) async fn run(command: Command, configuration: Configuration) -> Result<(), Failure> {
    match command {
        Command::User(command) => user::run(command, &configuration).await,
        Command::Session(command) => session::run(command, &configuration).await,
        Command::Service(command) => service::run(command, &configuration).await,
        Command::Mail(command) => mail::run(command, &configuration).await,
        Command::Audit(command) => audit::run(command, &configuration).await,
        Command::Key(command) => key::run(command, &configuration).await,
        Command::Cluster(Cluster::Status { shape }) => cluster::status(&configuration, shape).await,
        Command::Db(command) => db::run(command, &configuration).await,
        Command::Health(wanted) => health::run(wanted, &configuration).await,
        Command::Serve(_)
        | Command::Config(_)
        | Command::BreachedList(_)
        | Command::Doctor(_)
        | Command::Completions { .. }
        | Command::Man { .. } => Ok(()),
    }
}

/// A value as indented JSON.
fn json(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
