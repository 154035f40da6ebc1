//! Settings for people: the reference, as `docs/SETTINGS.md` and the manual page have it.

use std::fmt::Write as _;

use super::keys::{self, Key, Standard};

/// How settings are given, a paragraph each. What is between backticks is to be typed.
pub(crate) const INTRODUCTION: &[&str] = &[
    "Every setting has a default: `cerrojo serve` starts with nothing configured. They come from a TOML file \
     (`--config FILE`, or the variable `CERROJO_CONFIG`, or `cerrojo.toml` in the working directory, or \
     `/etc/cerrojo/cerrojo.toml`, the first that is there), and over it from the environment. Names that do not exist are \
     refused. `cerrojo config check` looks at all of them, `cerrojo config show` shows what is in effect and where it comes \
     from.",
    "Durations are written `45s`, `15m`, `24h`, `30d` or together, `1h30m`. Lists are arrays in the file and separated by \
     commas in the environment. Relative paths count from the working directory.",
    "Secrets need not stand among the settings: with `_file` after its name a setting names a file that holds the value. \
     `url_file = \"/etc/cerrojo/database-url\"` under `[database]` and `CERROJO_TOKEN__SECRET_FILE=/run/secrets/token-secret` \
     are such; so have all settings that are secret or a URL with a password.",
];

/// A file of settings, for the eye.
pub(crate) const EXAMPLE: &str = "\
[server]
listen = \"127.0.0.1:4000\"
public_url = \"https://auth.example.com\"
trusted_proxies = [\"127.0.0.1\"]

[session]
idle_timeout = \"30m\"

[roles]
operator = 3
";

/// What holds of the section that has no settings of ours.
pub(crate) const ROLES: &str = "\
    Roles of an application beside `admin` (1) and `user` (2), a name and a number from 3 each: `operator = 3`, or \
    `CERROJO_ROLES__OPERATOR=3`. Tokens carry the number as `role_id`; Cerrojo itself only asks whether it is 1.";

/// What holds when a setting is not set, in words.
pub(crate) fn standard(key: &Key) -> String {
    match key.standard {
        Standard::Text("") => "empty".to_owned(),
        Standard::Text(text) => format!("`{text}`"),
        Standard::Derived(words) => words.to_owned(),
        Standard::Unset(words) => format!("unset: {words}"),
    }
}

/// All settings as a page of Markdown: `docs/SETTINGS.md` is this text.
pub(crate) fn reference() -> String {
    let mut page = format!(
        "# Settings\n\n\
         <!-- Written by `cerrojo config reference`; change crates/server/src/config/keys.rs instead. -->\n\n\
         {}\n\n```toml\n{EXAMPLE}```\n",
        INTRODUCTION.join("\n\n")
    );
    let mut section = "";
    for key in keys::ALL {
        let (its_section, _) = key.name.split_once('.').unwrap_or((key.name, ""));
        if its_section != section {
            section = its_section;
            let _ = write!(
                page,
                "\n## {section}\n\n| setting | default | expects | what it does |\n| --- | --- | --- | --- |\n"
            );
        }
        let standard = standard(key);
        let _ =
            writeln!(page, "| `{}`<br>`{}` | {standard} | {} | {} |", key.name, key.variable(), key.expects, key.about);
    }
    let _ = write!(page, "\n## roles\n\n{ROLES}\n");
    page
}
