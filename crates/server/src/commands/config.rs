//! `cerrojo config`.

use cerrojo_domain::{Clock as _, SystemClock};
use serde_json::json;

use crate::cli::{Config, Shape};
use crate::config::{Configuration, Effective, Loaded};
use crate::failure::Failure;
use crate::{certificate, open, out};

pub(crate) fn run(command: &Config, loaded: &Loaded) -> Result<(), Failure> {
    let configuration = loaded.configuration()?;
    match command {
        Config::Check => {
            open::check_mailer(&configuration)?;
            open::breached_list(&configuration)?;
            check_certificate(&configuration)?;
            open::templates(&configuration)?;
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

/// Whether TLS could be spoken with the certificate. What a start only warns of is warned of.
fn check_certificate(configuration: &Configuration) -> Result<(), Failure> {
    let Some(files) = &configuration.tls else { return Ok(()) };
    let (pair, _) = certificate::read(files, &configuration.app.public_url).map_err(Failure::new)?;
    let out_of_time = pair.is_out_of_time(SystemClock::new().now());
    let out_of_time = out_of_time.map(|why| format!("server.tls_certificate: {}: {why}", files.certificate.display()));
    for warning in pair.warnings.iter().chain(&out_of_time) {
        out::note(&format!("warning: {warning}"));
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
