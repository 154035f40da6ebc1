//! `cerrojo config`.

use serde_json::json;

use crate::cli::{Config, Shape};
use crate::config::{Effective, Loaded};
use crate::failure::Failure;
use crate::{open, out};

pub(crate) fn run(command: &Config, loaded: &Loaded) -> Result<(), Failure> {
    let configuration = loaded.configuration()?;
    match command {
        Config::Check => {
            open::check_mailer(&configuration)?;
            open::breached_list(&configuration)?;
            for warning in &configuration.warnings {
                out::note(&format!("warning: {warning}"));
            }
            out::line("all settings are right");
        }
        Config::Show { shape } => show(&configuration.effective, *shape),
        Config::Reference => out::raw(&crate::config::reference()),
    }
    Ok(())
}

fn show(effective: &[Effective], shape: Shape) {
    if shape.json {
        let settings: serde_json::Map<_, _> = effective
            .iter()
            .map(|one| (one.name.clone(), json!({ "value": one.value, "origin": one.origin.to_string() })))
            .collect();
        return out::line(&super::json(&settings.into()));
    }
    let rows: Vec<Vec<String>> = effective
        .iter()
        .map(|one| {
            let value = one.value.as_deref().map_or_else(|| "(unset)".to_owned(), out::tame);
            vec![one.name.clone(), value, one.origin.to_string()]
        })
        .collect();
    out::table(&["SETTING", "VALUE", "FROM"], &rows);
}
