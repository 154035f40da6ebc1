//! What a check found, and how that is said.

use serde_json::{Value, json};

use crate::cli::Doctor;
use crate::failure::{ERROR, Failure};
use crate::out;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// All is well.
    Ok,
    /// It could not be looked at here.
    Skipped,
    /// It works, and should be seen to.
    Warning,
    /// It does not work, or is not safe.
    Problem,
}

impl Level {
    fn text(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }

    fn mark(self) -> &'static str {
        if self == Self::Skipped { "-" } else { self.text() }
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) check: &'static str,
    pub(super) level: Level,
    /// What was found.
    pub(super) says: String,
    /// What to do.
    pub(super) remedy: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, says: says.into(), remedy: None }
    }

    /// `says`: why it could not be looked at.
    pub(super) fn skipped(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, level: Level::Skipped, says: says.into(), remedy: None }
    }

    pub(super) fn warning(check: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, level: Level::Warning, says: says.into(), remedy: Some(remedy.into()) }
    }

    pub(super) fn problem(check: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, level: Level::Problem, says: says.into(), remedy: Some(remedy.into()) }
    }

    /// What went wrong while it was looked at; it says itself what to do.
    pub(super) fn failed(check: &'static str, failure: &Failure) -> Self {
        Self { check, level: Level::Problem, says: failure.message.clone(), remedy: None }
    }

    pub(super) fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// A line, and below it what to do.
    fn lines(&self) -> String {
        let says = out::tame(&self.says.replace('\n', "; "));
        let line = format!("{:<8} {:<19} {says}", self.level.mark(), self.check);
        match &self.remedy {
            Some(remedy) => format!("{line}\n{:<28} do: {}", "", out::tame(remedy)),
            None => line,
        }
    }

    fn json(&self) -> Value {
        json!({ "check": self.check, "level": self.level.text(), "says": self.says, "remedy": self.remedy })
    }
}

/// All that was found, said at once or as JSON at the end.
pub(super) struct Report {
    asked: Doctor,
    found: Vec<Finding>,
}

impl Report {
    pub(super) fn new(asked: Doctor) -> Self {
        Self { asked, found: Vec::new() }
    }

    pub(super) fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            if !self.asked.shape.json {
                out::line(&finding.lines());
            }
            self.found.push(finding);
        }
    }

    /// The sum of it, and the exit code.
    pub(super) fn end(self) -> Result<(), Failure> {
        let count = |level| self.found.iter().filter(|finding| finding.level == level).count();
        let (problems, warnings) = (count(Level::Problem), count(Level::Warning));
        if self.asked.shape.json {
            let checks: Vec<Value> = self.found.iter().map(Finding::json).collect();
            out::line(&super::super::json(&json!({ "problems": problems, "warnings": warnings, "checks": checks })));
        } else {
            out::line(&format!("\n{}, {}", number(problems, "problem"), number(warnings, "warning")));
        }
        let fails = problems > 0 || (self.asked.strict && warnings > 0);
        // All has been said.
        if fails { Err(Failure { message: String::new(), exit: ERROR }) } else { Ok(()) }
    }
}

fn number(count: usize, of: &str) -> String {
    match count {
        0 => format!("no {of}s"),
        1 => format!("1 {of}"),
        _ => format!("{count} {of}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_found_and_the_next_what_to_do() {
        let found = Finding::problem("master key", "others can read it", "chmod 600 a");
        assert_eq!(
            found.lines(),
            "problem  master key          others can read it\n                             do: chmod 600 a"
        );
        assert_eq!(Finding::skipped("nodes", "SQLite").lines(), "-        nodes               SQLite");
        assert_eq!(Finding::ok("a", "one\ntwo\u{1b}[31m").lines(), "ok       a                   one; two\u{fffd}[31m");
    }
}
