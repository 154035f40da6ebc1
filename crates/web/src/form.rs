//! `application/x-www-form-urlencoded`, as RFC 6749 uses it (appendix B) and browsers do (URL standard, section 5).

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

/// The text that an encoded piece stands for; `None`: a percent sign without two digits behind it, or no UTF-8.
pub(crate) fn decode(piece: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(piece.len());
    let mut rest = piece.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => digit(*rest.next()?)? << 4 | digit(*rest.next()?)?,
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Whether the body is declared to be a form, not compressed.
pub(crate) fn says_form(headers: &HeaderMap) -> bool {
    let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = declared.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") && !headers.contains_key(CONTENT_ENCODING)
}

/// Names and values of a form, decoded; `None`: some pair of it is broken.
pub(crate) fn pairs(form: &[u8]) -> Option<Vec<(String, String)>> {
    let pairs = form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            Some((decode(halves.next()?)?, decode(halves.next().unwrap_or_default())?))
        })
        .collect()
}

/// The values of `name` in a form, decoded; `None`: some pair of it is broken.
pub(crate) fn values(form: &[u8], name: &str) -> Option<Vec<String>> {
    let named = pairs(form)?.into_iter().filter(|(key, _)| key == name);
    Some(named.map(|(_, value)| value).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_decoded() {
        for (piece, text) in [("", ""), ("a+b", "a b"), ("%C3%b1", "ñ"), ("a%2Bb%25", "a+b%"), ("a=b", "a=b")] {
            assert_eq!(decode(piece.as_bytes()).as_deref(), Some(text), "{piece}");
        }
        for piece in [&b"%"[..], b"%4", b"%4g", b"%%41", b"\xff", b"%ff", b"%+1"] {
            assert_eq!(decode(piece), None, "{piece:?}");
        }
    }

    #[test]
    fn values_are_found_by_their_decoded_name() {
        let found = |form: &str| values(form.as_bytes(), "token");
        assert_eq!(found(""), Some(vec![]));
        assert_eq!(found("a=1&token=x.y.z&&b"), Some(vec!["x.y.z".to_owned()]));
        assert_eq!(found("%74oken=a&token=b&token"), Some(vec!["a".to_owned(), "b".to_owned(), String::new()]));
        assert_eq!(found("token=a=b"), Some(vec!["a=b".to_owned()]));
        assert_eq!(found("token=%zz"), None);
        assert_eq!(found("token=a&x=%"), None);
    }
}
