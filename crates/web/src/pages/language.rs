//! The language of a page: the browser's, where it is one of ours.

use cerrojo_app::Locale;
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

/// Longest header that is looked at, in bytes.
const LONGEST: usize = 512;

/// A language that pages are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Language(pub(crate) Locale);

impl Language {
    /// What `Accept-Language` (RFC 9110, section 12.5.4) likes best of ours; `otherwise` if it names none.
    pub(crate) fn of(headers: &HeaderMap, otherwise: Locale) -> Self {
        let asked = headers.get(&ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let asked = if asked.len() > LONGEST { "" } else { asked };
        let liked = asked.split(',').filter_map(range).filter(|(_, weight)| *weight > 0.0);
        // Of several that are liked as much the first.
        let best = liked.reduce(|best, next| if next.1 > best.1 { next } else { best });
        Self(best.map_or(otherwise, |(locale, _)| locale))
    }

    /// As it stands in `lang`.
    pub(crate) const fn tag(self) -> &'static str {
        match self.0 {
            Locale::Es => "es",
            Locale::En => "en",
        }
    }

    /// The one of two texts that is in this language.
    pub(crate) const fn pick<'a>(self, es: &'a str, en: &'a str) -> &'a str {
        match self.0 {
            Locale::Es => es,
            Locale::En => en,
        }
    }
}

/// One language of ours and how much it is liked, from 0 to 1.
fn range(text: &str) -> Option<(Locale, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let primary = parts.next()?.split('-').next()?.to_ascii_lowercase();
    let locale = match primary.as_str() {
        "es" => Locale::Es,
        "en" => Locale::En,
        _ => return None,
    };
    let weight = match parts.next() {
        Some(weight) => weight.strip_prefix("q=")?.trim().parse().ok().filter(|weight| (0.0..=1.0).contains(weight))?,
        None => 1.0,
    };
    Some((locale, weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(asked: &str) -> Locale {
        let headers = HeaderMap::from_iter([(ACCEPT_LANGUAGE, asked.parse().unwrap())]);
        Language::of(&headers, Locale::Es).0
    }

    #[test]
    fn the_language_is_the_one_that_is_liked_best_of_those_there_are() {
        for english in ["en", "EN-gb", "de, en;q=0.2", "es;q=0.5, en;q=0.7", "en, es", "fr;q=1, en-US;q=0.9, es;q=0"] {
            assert!(matches!(of(english), Locale::En), "{english}");
        }
        for spanish in ["es-MX, en;q=0.9", "en;q=0, de", "de, fr", "", "*", "en;q=2", "en;q=NaN", "english"] {
            assert!(matches!(of(spanish), Locale::Es), "{spanish}");
        }
        assert!(matches!(of(&format!("{}en", "x,".repeat(400))), Locale::Es), "too long to be looked at");
    }
}
