//! `application/x-www-form-urlencoded`, as RFC 6749 uses it (appendix B).

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

/// The values of `name` in a form, decoded; `None`: some pair of it is broken.
pub(crate) fn values(form: &[u8], name: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    for pair in form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let key = decode(halves.next()?)?;
        let value = decode(halves.next().unwrap_or_default())?;
        if key == name {
            found.push(value);
        }
    }
    Some(found)
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
