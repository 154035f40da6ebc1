//! What a client calls itself, in our own words: whoever asks for a reset link chooses that header, and the account's
//! owner reads the mail. So none of its text goes in.

/// Browsers, most telling first: Edge and Opera call themselves Chrome too, and Chrome calls itself Safari.
const BROWSERS: [(&str, &str); 8] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];
const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// `Firefox, Linux`, by what a client calls itself (`User-Agent`); `None` if nothing in it is known.
#[must_use]
pub fn kind(user_agent: &str) -> Option<String> {
    let known = |names: &[(&str, &'static str)]| {
        names.iter().find(|(sign, _)| user_agent.contains(sign)).map(|(_, name)| *name)
    };
    let found: Vec<&str> = [known(&BROWSERS), known(&SYSTEMS)].into_iter().flatten().collect();
    (!found.is_empty()).then(|| found.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_named_by_what_is_known_of_it() {
        let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0 Safari/537.36";
        assert_eq!(kind(chrome).as_deref(), Some("Chrome, Windows"));
        assert_eq!(kind("Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Firefox/125.0").as_deref(), Some("Firefox, Linux"));
        assert_eq!(kind("curl/8.5.0").as_deref(), Some("curl"));
    }

    #[test]
    fn none_of_a_clients_own_words_get_into_a_mail() {
        assert_eq!(kind("You won! Go to http://evil.example"), None);
        assert_eq!(kind("Go to http://evil.example on Linux").as_deref(), Some("Linux"));
    }
}
