//! What the file, the environment and the command line give, before anything is read into it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::keys::{self, Key, Several};
use super::secret_file::{self, OpenTo};
use crate::owner;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody set it.
    Standard,
    /// The configuration file.
    File(PathBuf),
    /// A file of its own, which a setting names.
    FileOf(PathBuf, Box<Origin>),
    /// This environment variable.
    Environment(String),
    /// This option of the command line.
    CommandLine(&'static str),
}

impl Origin {
    /// Whether both come from the same file or both from the environment.
    fn is_beside(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => one == other,
            (Self::Environment(_), Self::Environment(_)) => true,
            _ => false,
        }
    }

    /// How an error begins: the place, then the key.
    pub(crate) fn place(&self, key: &str) -> String {
        match self {
            Self::Standard => key.to_owned(),
            Self::File(path) | Self::FileOf(path, _) => format!("{}: {key}", path.display()),
            Self::Environment(variable) => format!("{variable} ({key})"),
            Self::CommandLine(option) => format!("{option} ({key})"),
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Standard => f.write_str("default"),
            Self::File(path) | Self::FileOf(path, _) => write!(f, "file {}", path.display()),
            Self::Environment(variable) => write!(f, "env {variable}"),
            Self::CommandLine(option) => f.write_str(option),
        }
    }
}

/// A value as given.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    /// One text; several for a list.
    pub(crate) texts: Vec<String>,
    /// Where from.
    pub(crate) origin: Origin,
}

/// All that is given: settings by their name, roles by theirs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    pub(crate) settings: BTreeMap<&'static str, Value>,
    pub(crate) roles: BTreeMap<String, Value>,
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
    /// Settings that name files with secrets, and those files, which everybody on the machine may read or change.
    pub(crate) open_secret_files: Vec<(String, PathBuf)>,
    /// What cannot be accepted.
    pub(crate) problems: Vec<String>,
}

impl Given {
    /// Reads a file of settings over what is given so far.
    pub(crate) fn read_file(&mut self, path: &Path) {
        self.take_file(path, std::fs::read_to_string(path));
    }

    /// The same for one that nobody named: it is refused where somebody else may have put it there.
    pub(crate) fn read_file_found_here(&mut self, path: &Path) {
        let opened = owner::open_regular(path);
        if let Some(why) = opened.as_ref().ok().and_then(|(_, found)| owner::is_strange(found)) {
            self.file = Some(path.to_owned());
            return self.problems.push(format!(
                "{0}: is in the working directory and {why}; if its settings are meant, name it: --config {0}",
                path.display()
            ));
        }
        self.take_file(path, opened.and_then(|(file, _)| std::io::read_to_string(file)));
    }

    fn take_file(&mut self, path: &Path, read: std::io::Result<String>) {
        self.file = Some(path.to_owned());
        let text = match read {
            Ok(text) => text,
            Err(error) => {
                let hint = if error.kind() == std::io::ErrorKind::PermissionDenied {
                    "; run the command as the user that the server runs as, such as `sudo -u cerrojo cerrojo …`, or name \
                     another file with --config"
                } else {
                    ""
                };
                return self.problems.push(format!("{}: cannot be read: {error}{hint}", path.display()));
            }
        };
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            // The error's own text would show the line, and with it perhaps a secret.
            Err(error) => return self.problems.push(broken_toml(path, &text, &error)),
        };
        for (section, content) in table {
            let origin = Origin::File(path.to_owned());
            match content {
                toml::Value::Table(entries) => {
                    for (key, value) in entries {
                        self.accept_toml(&format!("{section}.{key}"), value, origin.clone());
                    }
                }
                _ => self.refuse_unknown(&origin, &section),
            }
        }
    }

    fn accept_toml(&mut self, name: &str, value: toml::Value, origin: Origin) {
        let texts = match value {
            toml::Value::Array(items) => items.into_iter().map(scalar).collect::<Option<Vec<_>>>(),
            other => scalar(other).map(|text| vec![text]),
        };
        let several = keys::find(name).is_some_and(|key| key.several == Several::Yes);
        match texts {
            Some(texts) if several => {
                let texts = if texts.len() == 1 { split(&texts.concat()) } else { texts };
                self.accept(name, texts, origin);
            }
            Some(texts) if texts.len() == 1 => self.accept(name, texts, origin),
            _ => match keys::find(name) {
                Some(key) => self.problems.push(format!("{}: expects {}", origin.place(name), key.expects)),
                None => self.refuse_unknown(&origin, name),
            },
        }
    }

    /// Reads the environment over what is given so far.
    pub(crate) fn read_environment(&mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) {
        for (variable, value) in variables {
            let Some(variable) = variable.to_str().filter(|name| name.starts_with("CERROJO_")) else { continue };
            if is_somebody_elses(variable) {
                continue;
            }
            let Some(name) = setting_of(variable) else {
                self.refuse_unknown_variable(variable);
                continue;
            };
            let origin = Origin::Environment(variable.to_owned());
            match value.into_string() {
                Ok(text) if keys::find(&name).is_some_and(|key| key.several == Several::Yes) => {
                    self.accept(&name, split(&text), origin);
                }
                Ok(text) => self.accept(&name, vec![text], origin),
                Err(_) => self.problems.push(format!("{}: is not UTF-8", origin.place(&name))),
            }
        }
    }

    /// Takes a value over what is given so far.
    pub(crate) fn accept(&mut self, name: &str, texts: Vec<String>, origin: Origin) {
        if let Some(role) = name.strip_prefix("roles.") {
            self.roles.insert(role.to_owned(), Value { texts, origin });
        } else if let Some(key) = keys::find(name) {
            self.set(key, Value { texts, origin });
        } else if let Some(key) = secret_file::of(name) {
            self.accept_file(key, (name, texts), origin);
        } else {
            self.refuse_unknown(&origin, name);
        }
    }

    /// Takes the content of a file as the value of a secret.
    fn accept_file(&mut self, key: &'static Key, (name, texts): (&str, Vec<String>), origin: Origin) {
        let path = PathBuf::from(texts.concat());
        match secret_file::read(&path) {
            Ok((text, open_to)) => {
                if matches!(open_to, OpenTo::Everybody) {
                    self.open_secret_files.push((name.to_owned(), path.clone()));
                }
                self.set(key, Value { texts: vec![text], origin: Origin::FileOf(path, Box::new(origin)) });
            }
            Err(problem) => self.problems.push(format!("{}: {}: {problem}", origin.place(name), path.display())),
        }
    }

    /// What comes later wins. That a value and a file for it come from the same place is refused: which one is meant?
    fn set(&mut self, key: &'static Key, value: Value) {
        let is_twice = self.settings.get(key.name).is_some_and(|earlier| match (&earlier.origin, &value.origin) {
            (Origin::FileOf(_, one), other) | (other, Origin::FileOf(_, one)) => one.is_beside(other),
            _ => false,
        });
        if is_twice {
            self.problems.push(format!("{0} and {0}_file are both set: leave one out", key.name));
        }
        self.settings.insert(key.name, value);
    }

    fn refuse_unknown(&mut self, origin: &Origin, name: &str) {
        let known = keys::ALL.iter().map(|key| key.name);
        let hint = keys::nearest(name, known)
            .map_or_else(|| "`cerrojo config reference` lists all".to_owned(), |near| format!("did you mean {near}?"));
        self.problems.push(format!("{}: there is no such setting; {hint}", origin.place(name)));
    }

    fn refuse_unknown_variable(&mut self, variable: &str) {
        let known: Vec<String> = keys::ALL.iter().map(|key| key.variable()).collect();
        let hint = keys::nearest(variable, known.iter().map(String::as_str))
            .map_or_else(|| "`cerrojo config reference` lists all".to_owned(), |near| format!("did you mean {near}?"));
        self.problems.push(format!("{variable}: there is no such setting; {hint}"));
    }
}

/// Variables that begin like ours and are not settings: the file's name, the test suite's, what our examples of services
/// read, and those that Kubernetes gives to every container beside a service called `cerrojo`.
fn is_somebody_elses(variable: &str) -> bool {
    ["CERROJO_CONFIG", "CERROJO_PORT", "CERROJO_ISSUER", "CERROJO_SECRET"].contains(&variable)
        || ["CERROJO_TEST_", "CERROJO_PORT_", "CERROJO_SERVICE_"].iter().any(|start| variable.starts_with(start))
}

/// The name of the setting that a variable means.
fn setting_of(variable: &str) -> Option<String> {
    let (section, key) = variable.strip_prefix("CERROJO_")?.split_once("__")?;
    let name = format!("{}.{}", section.to_lowercase(), key.to_lowercase());
    (keys::find(&name).is_some()
        || secret_file::of(&name).is_some()
        || (name.len() > "roles.".len() && name.starts_with("roles.")))
    .then_some(name)
}

fn scalar(value: toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn split(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn broken_toml(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let line =
        error.span().and_then(|span| text.get(..span.start)).map_or(1, |before| before.matches('\n').count() + 1);
    format!("{}: line {line} is not TOML: {}", path.display(), error.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_environment(pairs: &[(&str, &str)]) -> Given {
        let mut given = Given::default();
        given.read_environment(pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))));
        given
    }

    #[test]
    fn variables_are_settings() {
        let given = from_environment(&[("CERROJO_TOKEN__TTL", "1h"), ("CERROJO_ROLES__OPERATOR", "3"), ("PATH", "/")]);
        assert!(given.problems.is_empty(), "{:?}", given.problems);
        assert_eq!(given.settings["token.ttl"].texts, ["1h"]);
        assert_eq!(given.roles["operator"].texts, ["3"]);
    }

    #[test]
    fn an_unknown_variable_is_refused_with_a_suggestion() {
        let given = from_environment(&[("CERROJO_SERVER_LISTEN", "x")]);
        assert_eq!(given.problems.len(), 1);
        assert!(given.problems[0].contains("did you mean CERROJO_SERVER__LISTEN?"), "{:?}", given.problems);
    }

    #[test]
    fn what_kubernetes_and_the_tests_set_is_left_alone() {
        let set = [
            ("CERROJO_SERVICE_HOST", "10.0.0.1"),
            ("CERROJO_PORT", "tcp://x"),
            ("CERROJO_TEST_POSTGRES", "x"),
            ("CERROJO_SECRET", "x"),
            ("CERROJO_ISSUER", "x"),
        ];
        assert!(from_environment(&set).problems.is_empty());
    }

    #[test]
    fn lists_are_separated_by_commas() {
        let given = from_environment(&[("CERROJO_SERVER__TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1,")]);
        assert_eq!(given.settings["server.trusted_proxies"].texts, ["10.0.0.0/8", "192.0.2.1"]);
    }
}
