//! Where to go after signing in.

/// A page of this server's: nothing that a browser could take for another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Next(String);

/// Longest that is looked at, in bytes.
const LONGEST: usize = 512;

impl Next {
    /// A path from the root, with a query perhaps, in printable ASCII. `//host`, `/\host` and whatever has a scheme are none:
    /// no two slashes in a row, no backslash, and no white space or control characters, which browsers leave out.
    pub(super) fn of(text: &str) -> Option<Self> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        let is_path = text.len() <= LONGEST && text.starts_with('/') && !text.contains("//");
        (is_path && is_plain && !text.contains('#')).then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_are_gone_to() {
        for own in ["/", "/account", "/account/devices?x=1&y=%2F", "/a/../b"] {
            assert_eq!(Next::of(own).unwrap().as_str(), own);
        }
        let others = [
            "",
            "account",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "///evil.example",
            "/a//evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n/evil.example",
            " /account",
            "/account\r\nSet-Cookie: a=b",
            "/ñ",
            "/account#x",
        ];
        for other in others {
            assert_eq!(Next::of(other), None, "{other:?}");
        }
        assert_eq!(Next::of(&format!("/{}", "a".repeat(LONGEST))), None);
    }
}
