//! Templates, and what they make of values: bounded, with nothing to reach for but what they are given.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt;
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, Output, State, UndefinedBehavior, Value, escape_formatter};

use super::escape::{escaped, one_line};
use super::kind::{ALWAYS, Kind, LINK, SUBJECT};
use crate::Locale;

/// What rendering one template may cost: its steps, and 64 bytes of whatever it makes for each. A built-in page takes some 200.
const FUEL: u64 = 20_000;
const DEEPEST: usize = 100;
/// Characters of a subject.
const LONGEST_SUBJECT: usize = 200;
/// Bytes of a text or a page.
const LARGEST: usize = 256 * 1024;
/// With what the first line of a text begins.
const HEAD: &str = "Subject:";
/// The end of the name that the subject has here, beside the text of the same file.
const OF_SUBJECT: &str = "#subject";

/// What a mail is given, by name.
pub(super) type Values = BTreeMap<&'static str, String>;

/// What was made.
pub(super) struct Written {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: Option<String>,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fault {
    /// In which file.
    pub(super) file: String,
    line: Option<usize>,
    what: String,
    /// May repeat a value that the template was given.
    detail: Option<String>,
}

impl Fault {
    pub(super) fn new(file: &str, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, what: what.into(), detail: None }
    }

    fn of(error: &Error, file: &str) -> Self {
        // What went wrong in an included file stands behind it.
        let mut deepest = error;
        while let Some(cause) = deepest.source().and_then(|cause| cause.downcast_ref::<Error>()) {
            deepest = cause;
        }
        let named = deepest.name().unwrap_or(file);
        Self {
            file: named.strip_suffix(OF_SUBJECT).unwrap_or(named).to_owned(),
            line: deepest.line(),
            what: deepest.kind().to_string(),
            detail: deepest.detail().map(str::to_owned),
        }
    }

    /// Everything, for whoever writes templates; of values that are samples.
    pub(super) fn told(&self) -> String {
        self.detail.as_ref().map_or_else(|| self.to_string(), |detail| format!("{self}: {}", one_line(detail)))
    }
}

impl fmt::Display for Fault {
    /// Without what may repeat a value: a reset link is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}, line {line}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

/// Templates by the names of their files. They can include and extend each other and nothing else.
pub(super) struct Set(Environment<'static>);

impl Set {
    pub(super) fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(DEEPEST);
        environment.set_formatter(format);
        if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
            environment.set_syntax(syntax);
        }
        Self(environment)
    }

    /// Adds a file, or puts another in its place.
    pub(super) fn add(&mut self, file: &str, source: &str) -> Result<(), Fault> {
        let source = source.strip_prefix('\u{feff}').unwrap_or(source).replace("\r\n", "\n");
        let mut compile = |name: String, source: String| {
            self.0.add_template_owned(name, source).map_err(|error| Fault::of(&error, file))
        };
        if Path::new(file).extension() != Some("txt".as_ref()) {
            return compile(file.to_owned(), source);
        }
        let (first, rest) = source.split_once('\n').unwrap_or((&source, ""));
        let subject = first.strip_prefix(HEAD).ok_or_else(|| {
            Fault::new(file, format!("the first line has to be the subject, as in `{HEAD} Reset your password`"))
        })?;
        compile(format!("{file}{OF_SUBJECT}"), subject.trim().to_owned())?;
        // Lines keep their numbers.
        compile(file.to_owned(), format!("\n{rest}"))
    }

    pub(super) fn remove(&mut self, file: &str) {
        self.0.remove_template(file);
    }

    /// Names that a file asks for and that nothing has: none of `given`, and none of the language's own.
    pub(super) fn unknown(&self, file: &str, given: &[&str]) -> Vec<String> {
        let asked = [file.to_owned(), format!("{file}{OF_SUBJECT}")].into_iter().filter_map(|name| {
            let template = self.0.get_template(&name).ok()?;
            Some(template.undeclared_variables(false))
        });
        let is_known = |name: &str| given.contains(&name) || self.0.globals().any(|(global, _)| global == name);
        let mut unknown: Vec<String> = asked.flatten().filter(|name| !is_known(name)).collect();
        unknown.sort();
        unknown.dedup();
        unknown
    }

    /// The mail: one line of subject, a text and perhaps a page, each with the link where the mail has one.
    pub(super) fn write(&self, (kind, locale): (Kind, Locale), values: &Values) -> Result<Written, Fault> {
        let (text_file, html_file) = kind.files(locale);
        let given = ALWAYS.iter().chain(kind.values());
        let mut given: Values =
            given.map(|name| (*name, one_line(values.get(name).map_or("", String::as_str)))).collect();
        let subject = self.render(&format!("{text_file}{OF_SUBJECT}"), &given)?.trim_matches(' ').to_owned();
        let flaw = match &subject {
            subject if subject.chars().any(char::is_control) => {
                "the subject has a line's end or another control character"
            }
            subject if subject.is_empty() => "the subject is empty",
            subject if subject.chars().count() > LONGEST_SUBJECT => "the subject is longer than 200 characters",
            _ => "",
        };
        if !flaw.is_empty() {
            return Err(Fault::new(&text_file, flaw));
        }
        let text = self.render(&text_file, &given)?;
        let link = if kind.has(LINK) { given.get(LINK).cloned().unwrap_or_default() } else { String::new() };
        if !text.contains(&link) {
            return Err(without_link(&text_file));
        }
        given.insert(SUBJECT, subject.clone());
        let html = match self.0.get_template(&html_file) {
            Ok(_) => Some(self.render(&html_file, &given)?),
            Err(_) => None,
        };
        // The filter `e` writes these two otherwise than the rest of the page does.
        let has_link = |page: &String| page.replace("&#x2f;", "/").replace("&#x27;", "&#39;").contains(&escaped(&link));
        if !html.as_ref().is_none_or(has_link) {
            return Err(without_link(&html_file));
        }
        Ok(Written { subject, text, html })
    }

    fn render(&self, name: &str, values: &Values) -> Result<String, Fault> {
        let file = name.strip_suffix(OF_SUBJECT).unwrap_or(name);
        let rendered = self.0.get_template(name).and_then(|template| template.render(context(values)));
        let rendered = rendered.map_err(|error| Fault::of(&error, file))?;
        if rendered.len() > LARGEST {
            return Err(Fault::new(file, "what it makes is larger than 256 KiB"));
        }
        if name != file {
            return Ok(rendered);
        }
        match rendered.trim() {
            "" => Err(Fault::new(file, "there is nothing in it")),
            trimmed => Ok(format!("{trimmed}\n")),
        }
    }

    /// Whether what pages put into the layout comes out of it.
    pub(super) fn try_layout(&self, layout: &str, values: &Values) -> Result<(), Fault> {
        const PAGE: &str = "{% extends 'layout.html' %}{% block body %}what a page says{% endblock %}";
        let rendered = self.0.template_from_named_str(layout, PAGE).and_then(|page| page.render(context(values)));
        let rendered = rendered.map_err(|error| Fault::of(&error, layout))?;
        if rendered.contains("what a page says") {
            return Ok(());
        }
        Err(Fault::new(layout, "pages are lost in it: it needs {% block body %}{% endblock %}"))
    }
}

fn context(values: &Values) -> Value {
    values.iter().map(|(name, value)| (*name, Value::from(value.as_str()))).collect::<BTreeMap<_, _>>().into()
}

fn without_link(file: &str) -> Fault {
    Fault::new(file, "the link is missing: write {{ link }} where it belongs")
}

/// As the library does, but for solidi, which need no escape.
fn format(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) if *state.auto_escape() == AutoEscape::Html && !value.is_safe() => {
            Ok(out.write_str(&escaped(text))?)
        }
        _ => escape_formatter(out, state, value),
    }
}
