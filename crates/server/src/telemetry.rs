//! Log lines, on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};

use crate::config::LogFormat;

/// What is logged at a level or by directives. Libraries speak up only when something is wrong.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, ParseError> {
    // A lone word that is no level would be taken for the name of a module, and silence everything else.
    if !level.contains('=') {
        level.parse::<LevelFilter>().map_err(ParseError::from)?;
    }
    let quiet = "sqlx=warn,hyper=warn,hyper_util=warn,lettre=warn,rustls=warn";
    EnvFilter::builder().parse(format!("{quiet},{level}"))
}

/// Starts logging. Only the first call in a process does something.
pub(crate) fn start(format: LogFormat, level: &str) {
    let Ok(filter) = filter(level) else { return };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    // A second call finds the first one's subscriber in place, which is as good.
    let _ = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
}

#[cfg(test)]
mod tests {
    use super::filter;

    #[test]
    fn a_word_that_is_no_level_is_refused() {
        assert!(filter("loud").is_err());
        for good in ["off", "warn", "DEBUG", "warn,cerrojo_app=debug"] {
            assert!(filter(good).is_ok(), "{good}");
        }
    }
}
