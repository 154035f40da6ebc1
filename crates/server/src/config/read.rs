//! Reads what is given, key by key, and gathers everything that is wrong with it.

use std::path::PathBuf;

use super::given::{Given, Origin, Value};
use super::keys::{Key, Secrecy, Standard};
use super::values::Wrong;

/// A setting as it takes effect.
#[derive(Clone, Debug)]
pub(crate) struct Effective {
    /// `section.key`.
    pub(crate) name: String,
    /// Its value as text, secrets masked; `None`: unset.
    pub(crate) value: Option<String>,
    /// Where from.
    pub(crate) origin: Origin,
}

/// Reads settings.
pub(crate) struct Reader<'a> {
    given: &'a Given,
    pub(crate) problems: Vec<String>,
    pub(crate) effective: Vec<Effective>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(given: &'a Given) -> Self {
        Self { given, problems: given.problems.clone(), effective: Vec::new() }
    }

    /// Settings that name files with secrets which everybody on the machine may read or change.
    pub(crate) fn open_secret_files(&self) -> &'a [(String, PathBuf)] {
        &self.given.open_secret_files
    }

    /// Where a setting's value comes from.
    pub(crate) fn origin(&self, key: &Key) -> Origin {
        self.given.settings.get(key.name).map_or(Origin::Standard, |value| value.origin.clone())
    }

    /// One that always has a value.
    pub(crate) fn value<T>(&mut self, key: &Key, parse: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        let standard = match key.standard {
            Standard::Text(text) => text,
            Standard::Derived(_) | Standard::Unset(_) => "",
        };
        self.value_or(key, standard, parse)
    }

    /// One that is `standard` where nobody set it.
    pub(crate) fn value_or<T>(
        &mut self,
        key: &Key,
        standard: &str,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let value = self.given_or(key, vec![standard.to_owned()]);
        self.show(key, Some(&value));
        self.parse(key, (&value.origin, &value.texts.concat()), parse)
    }

    /// One that may be unset.
    pub(crate) fn optional<T>(&mut self, key: &Key, parse: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        let value = self.given.settings.get(key.name);
        self.show(key, value);
        self.parse(key, (&value?.origin, &value?.texts.concat()), parse)
    }

    /// Several values; unset and empty are told apart.
    pub(crate) fn list<T>(&mut self, key: &Key, parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<Vec<T>> {
        let value = self.given.settings.get(key.name);
        self.show(key, value);
        let value = value?;
        value.texts.iter().map(|text| self.parse(key, (&value.origin, text), &parse)).collect()
    }

    /// The roles' names and numbers as given.
    pub(crate) fn roles(&mut self) -> Vec<(i64, String)> {
        let mut roles = Vec::new();
        for (name, value) in &self.given.roles {
            let text = value.texts.concat();
            let key = format!("roles.{name}");
            match text.parse::<i64>() {
                Ok(id) if id >= 3 && roles.iter().all(|(taken, _)| *taken != id) => roles.push((id, name.clone())),
                _ => self.problems.push(format!(
                    "{}: expects a number from 3 that no other role has, got \"{text}\"",
                    value.origin.place(&key)
                )),
            }
            self.effective.push(Effective { name: key, value: Some(text), origin: value.origin.clone() });
        }
        roles
    }

    fn given_or(&self, key: &Key, standard: Vec<String>) -> Value {
        let value = self.given.settings.get(key.name).cloned();
        value.unwrap_or(Value { texts: standard, origin: Origin::Standard })
    }

    fn parse<T>(
        &mut self,
        key: &Key,
        (origin, text): (&Origin, &str),
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let wrong = match parse(text) {
            Ok(value) => return Some(value),
            Err(wrong) => wrong,
        };
        let got = match key.secrecy {
            Secrecy::Open => format!(", got \"{}\"", text.escape_debug()),
            Secrecy::Secret | Secrecy::UrlWithPassword => String::new(),
        };
        let why = if wrong.is_empty() { String::new() } else { format!(" ({wrong})") };
        self.problems.push(format!("{}: expects {}{got}{why}", origin.place(key.name), key.expects));
        None
    }

    fn show(&mut self, key: &Key, value: Option<&Value>) {
        let text = value.map(|value| {
            let text = value.texts.join(", ");
            match key.secrecy {
                Secrecy::Open => text,
                Secrecy::Secret => "***".to_owned(),
                Secrecy::UrlWithPassword => without_password(&text),
            }
        });
        let origin = value.map_or(Origin::Standard, |value| value.origin.clone());
        self.effective.push(Effective { name: key.name.to_owned(), value: text, origin });
    }
}

/// A URL with its password, and everything in its query that could be one, masked.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // The last @ of all: a password may contain what should have been encoded.
    let (login, rest) = rest.rsplit_once('@').map_or((None, rest), |(login, rest)| (Some(login), rest));
    let login = login.map(|login| match login.split_once(':') {
        Some((user, _)) => format!("{user}:***@"),
        None => format!("{login}@"),
    });
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let query = query.map(|query| {
        let masked = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) if name.to_lowercase().contains("pass") => format!("{name}=***"),
            _ => pair.to_owned(),
        });
        format!("?{}", masked.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{}{rest}{}", login.unwrap_or_default(), query.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_masked() {
        for (url, shown) in [
            ("postgres://u:p@h/d", "postgres://u:***@h/d"),
            ("postgres://u:p@ss@h/d", "postgres://u:***@h/d"),
            ("postgres://u:p?ss/#@h/d", "postgres://u:***@h/d"),
            ("postgres://u:p%40@h/d?sslmode=require&password=x", "postgres://u:***@h/d?sslmode=require&password=***"),
            ("smtp://h:25", "smtp://h:25"),
            ("smtp://u@h", "smtp://u@h"),
            ("sqlite:data/x.db", "sqlite:data/x.db"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
