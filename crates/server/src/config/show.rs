//! Settings for people: the reference, and a table of what is in effect.

use std::fmt::Write as _;

use super::keys::{self, Standard};

/// All settings as a page of Markdown: `docs/SETTINGS.md` is this text.
pub(crate) fn reference() -> String {
    let mut page = String::from(
        "# Settings\n\n\
         <!-- Written by `cerrojo config reference`; change crates/server/src/config/keys.rs instead. -->\n\n\
         Every setting has a default: `cerrojo serve` starts with nothing configured. They come from a TOML file \
         (`--config FILE`, or the variable `CERROJO_CONFIG`, or `cerrojo.toml` in the working directory if there is one), \
         and over it from the environment. Names that do not exist are refused. `cerrojo config check` looks at all of \
         them, `cerrojo config show` shows what is in effect and where it comes from.\n\n\
         Durations are written `45s`, `15m`, `24h`, `30d` or together, `1h30m`. Lists are arrays in the file and separated \
         by commas in the environment. Relative paths count from the working directory.\n\n\
         ```toml\n\
         [server]\n\
         listen = \"127.0.0.1:4000\"\n\
         public_url = \"https://auth.example.com\"\n\
         trusted_proxies = [\"127.0.0.1\"]\n\n\
         [session]\n\
         idle_timeout = \"30m\"\n\n\
         [roles]\n\
         operator = 3\n\
         ```\n",
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
        let standard = match key.standard {
            Standard::Text("") => "empty".to_owned(),
            Standard::Text(text) => format!("`{text}`"),
            Standard::Derived(words) => words.to_owned(),
            Standard::Unset(words) => format!("unset: {words}"),
        };
        let _ =
            writeln!(page, "| `{}`<br>`{}` | {standard} | {} | {} |", key.name, key.variable(), key.expects, key.about);
    }
    page.push_str(
        "\n## roles\n\n\
         Roles of an application beside `admin` (1) and `user` (2), a name and a number from 3 each: `operator = 3`, or \
         `CERROJO_ROLES__OPERATOR=3`. Tokens carry the number as `role_id`; Cerrojo itself only asks whether it is 1.\n",
    );
    page
}
