//! Text in header values.

use http::HeaderValue;

/// A header value that says `text`: percent-encoded (RFC 3986, section 2.1, over UTF-8) outside printable ASCII, as are `%`
/// itself and spaces at either end, which a reader of headers would drop.
pub(crate) fn header_value(text: &str) -> HeaderValue {
    if is_plain(text)
        && let Ok(value) = HeaderValue::from_str(text)
    {
        return value;
    }
    HeaderValue::from_str(&encode(text)).unwrap_or(HeaderValue::from_static(""))
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'%') && !text.starts_with(' ') && !text.ends_with(' ')
}

fn encode(text: &str) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let last = text.len().saturating_sub(1);
    let mut encoded = String::with_capacity(text.len() + 16);
    for (at, byte) in text.bytes().enumerate() {
        let at_an_end = byte == b' ' && (at == 0 || at == last);
        if (0x20..0x7f).contains(&byte) && byte != b'%' && !at_an_end {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.extend([byte >> 4, byte & 0xf].iter().filter_map(|digit| DIGITS.get(usize::from(*digit))));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_headers_can_carry_stays_as_it_is() {
        assert_eq!(header_value("O'Brien <b>"), "O'Brien <b>");
        assert_eq!(header_value("ana@example.com"), "ana@example.com");
        assert_eq!(header_value(""), "");
    }

    #[test]
    fn the_rest_is_percent_encoded() {
        assert_eq!(header_value("Ñandú 100%"), "%C3%91and%C3%BA 100%25");
        assert_eq!(header_value("a\r\nX-Auth-Role: admin"), "a%0D%0AX-Auth-Role: admin");
        assert_eq!(header_value(" a b "), "%20a b%20");
        assert_eq!(header_value("\u{7f}"), "%7F");
    }
}
