//! The texts of mails: the built-in ones, and those of a folder that take their places.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::kind::{ALWAYS, Kind, LAYOUT, SUBJECT, built_in_files, every};
use super::template::{Fault, Set, Values, Written};
use crate::Locale;

/// Bytes of a file.
const LARGEST: u64 = 64 * 1024;

/// Why a folder's templates cannot be used: a line for each cause, with the file.
#[derive(Debug, PartialEq, Eq)]
pub struct BadTemplates(pub Vec<String>);

impl fmt::Display for BadTemplates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// The texts of every mail.
pub struct Templates {
    built_in: Set,
    own: Option<Own>,
}

/// The same with files of a folder among them.
struct Own {
    set: Set,
    folder: PathBuf,
    files: BTreeSet<String>,
}

impl Templates {
    /// Reads and tries the templates of `folder`, if there is one: each mail that they change, with sample values.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn load(folder: Option<&Path>) -> Result<Self, BadTemplates> {
        let own = folder.map(Own::load).transpose()?;
        Ok(Self { built_in: built_in().map_err(|fault| BadTemplates(vec![fault.told()]))?, own })
    }

    /// What a mail is made of in this language: each of its files, and the folder that it comes from if it is not built in.
    #[must_use]
    pub fn origins(&self, kind: Kind, locale: Locale) -> Vec<(String, Option<&Path>)> {
        let (text, html) = kind.files(locale);
        let own = self.own.as_ref();
        let from = |file: &str| own.filter(|own| own.files.contains(file)).map(|own| own.folder.as_path());
        let pages = match (from(&text), from(&html)) {
            // A text of one's own takes the place of the whole mail.
            (Some(_), None) => Vec::new(),
            _ => vec![html, LAYOUT.0.to_owned()],
        };
        [text].into_iter().chain(pages).map(|file| (file.clone(), from(&file))).collect()
    }

    /// The mail. Where a template of the folder fails, that is logged and the built-in one speaks.
    ///
    /// # Errors
    /// The built-in one fails.
    pub(super) fn write(&self, mail: (Kind, Locale), values: &Values) -> Result<Written, Fault> {
        if let Some(own) = &self.own {
            match own.set.write(mail, values) {
                Ok(written) => return Ok(written),
                Err(fault) => tracing::error!(
                    file.path = %own.folder.join(&fault.file).display(),
                    error = %fault,
                    "a mail template failed; the built-in mail is sent"
                ),
            }
        }
        self.built_in.write(mail, values)
    }
}

fn built_in() -> Result<Set, Fault> {
    let mut set = Set::new();
    for (file, source) in built_in_files() {
        set.add(&file, source)?;
    }
    Ok(set)
}

impl Own {
    fn load(folder: &Path) -> Result<Self, BadTemplates> {
        let at = |file: &str, what: &dyn fmt::Display| format!("{}: {what}", folder.join(file).display());
        let sources = read(folder)?;
        let mut problems = Vec::new();
        let mut set = built_in().map_err(|fault| BadTemplates(vec![fault.told()]))?;
        let files: BTreeSet<String> = sources.iter().map(|(file, _)| file.clone()).collect();
        for (kind, locale) in every() {
            let (text, html) = kind.files(locale);
            match (files.contains(&text), files.contains(&html)) {
                (true, false) => set.remove(&html),
                (false, true) => problems.push(at(&html, &format!("a page needs its text beside it: {text}"))),
                _ => {}
            }
        }
        let in_folder = |fault: &Fault| format!("{}/{}", folder.display(), fault.told());
        for (file, source) in &sources {
            if let Err(fault) = set.add(file, source) {
                problems.push(in_folder(&fault));
                continue;
            }
            let given = given(file);
            let unknown = set.unknown(file, &given);
            if !unknown.is_empty() {
                let given = given.join(", ");
                problems.push(at(file, &format!("there is no value {}: there are {given}", unknown.join(", "))));
            }
        }
        if problems.is_empty() {
            problems = faults(&set).iter().map(in_folder).collect();
        }
        if problems.is_empty() {
            Ok(Self { set, folder: folder.to_owned(), files })
        } else {
            Err(BadTemplates(problems))
        }
    }
}

/// What goes wrong with sample values, whether or not those are there that a mail does not always have.
fn faults(set: &Set) -> BTreeSet<Fault> {
    let (layout, _) = LAYOUT;
    if let Err(fault) = set.try_layout(layout, &samples(ALWAYS.iter().chain([&SUBJECT]), Fullness::Full)) {
        return BTreeSet::from([fault]);
    }
    let tried = every().flat_map(|mail| {
        [Fullness::Full, Fullness::Bare].map(|fullness| {
            let values = samples(ALWAYS.iter().chain(mail.0.values()), fullness);
            set.write(mail, &values).err()
        })
    });
    tried.flatten().collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fullness {
    Full,
    Bare,
}

fn samples<'a>(names: impl Iterator<Item = &'a &'static str>, fullness: Fullness) -> Values {
    let sample = |name: &str| match (name, fullness) {
        ("site", _) => "auth.example.com",
        ("locale", _) => "en",
        ("when", _) => "2026-02-13 10:00 UTC",
        ("until", _) => "2026-02-14 10:00 UTC",
        ("link", _) => "https://auth.example.com/?a=1&token=only-a-preview",
        ("new_email", _) => "n***@example.com",
        (SUBJECT, _) => "A subject",
        (_, Fullness::Bare) => "",
        ("name", _) => "Ana Ruiz",
        ("address", _) => "203.0.113.9",
        ("silent_until", _) => "2026-02-14 10:00 UTC",
        ("device", _) => "Firefox, Linux",
        _ => "a sample",
    };
    names.map(|name| (*name, sample(name).to_owned())).collect()
}

/// What a file is given.
fn given(file: &str) -> Vec<&'static str> {
    let of_mail = every().find(|(kind, locale)| {
        let (text, html) = kind.files(*locale);
        text == file || html == file
    });
    let values = of_mail.map_or(&[][..], |(kind, _)| kind.values());
    let subject = (Path::new(file).extension() == Some("html".as_ref())).then_some(SUBJECT);
    ALWAYS.into_iter().chain(values.iter().copied()).chain(subject).collect()
}

/// The files of a folder. What begins with a dot or ends with a tilde is passed over: what version control, mounted volumes and
/// editors leave there.
fn read(folder: &Path) -> Result<Vec<(String, String)>, BadTemplates> {
    let cannot = |error: io::Error| BadTemplates(vec![format!("{}: {error}", folder.display())]);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        names.push(entry.map_err(cannot)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let (mut sources, mut problems) = (Vec::new(), Vec::new());
    for name in names.into_iter().filter(|name| !name.starts_with('.') && !name.ends_with('~')) {
        let path = folder.join(&name);
        let source = if built_in_files().any(|(known, _)| known == name) {
            read_file(&path)
        } else {
            Err("no mail has a file of this name; `cerrojo mail templates` writes those that there are".to_owned())
        };
        match source {
            Ok(source) => sources.push((name, source)),
            Err(problem) => problems.push(format!("{}: {problem}", path.display())),
        }
    }
    if problems.is_empty() { Ok(sources) } else { Err(BadTemplates(problems)) }
}

fn read_file(path: &Path) -> Result<String, String> {
    let told = |error: io::Error| error.to_string();
    // Looked at before it is opened: a pipe would be waited for.
    if !fs::metadata(path).map_err(told)?.is_file() {
        return Err("it is not a file".to_owned());
    }
    let mut source = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut source)).map_err(told)?;
    if source.len() as u64 > LARGEST {
        return Err("it is larger than 64 KiB".to_owned());
    }
    String::from_utf8(source).map_err(|_| "it is not UTF-8".to_owned())
}

#[cfg(test)]
#[path = "overrides_tests.rs"]
mod tests;
