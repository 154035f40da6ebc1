//! JSON read so that no two readers can understand it differently (RFC 8259, sections 4, 8 and 9; RFC 8725, section 2.7).
//!
//! Used for what comes from outside: request bodies, and the header and payload of a token. The caller bounds the size.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How deep arrays and objects may stand in one another; a bare `[]` is one level.
pub const MAX_DEPTH: usize = 32;

/// Why a text is not accepted as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes are not UTF-8.
    NotUtf8,
    /// Not JSON, a number beyond all bounds, an escaped lone surrogate, or something after the value.
    Syntax,
    /// More than [`MAX_DEPTH`] levels.
    TooDeep,
    /// An object names a member twice; readers disagree about which one counts.
    DuplicateKey,
    /// A string or a member's name contains U+0000, which not every database can store.
    NulCharacter,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUtf8 => "not UTF-8",
            Self::Syntax => "not valid JSON",
            Self::TooDeep => "nested too deep",
            Self::DuplicateKey => "a member is named twice",
            Self::NulCharacter => "contains the character U+0000",
        })
    }
}

impl std::error::Error for Error {}

/// Reads exactly one JSON value.
pub fn parse(bytes: &[u8]) -> Result<Value, Error> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::NotUtf8)?;
    let fault = Cell::new(Error::Syntax);
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Level { left: MAX_DEPTH, fault: &fault }.deserialize(&mut reader).map_err(|_| fault.get())?;
    reader.end().map_err(|_| Error::Syntax)?;
    Ok(value)
}

/// Reads one value with `left` levels to go. What it finds wrong it leaves in `fault`, since serde's errors carry text alone.
#[derive(Clone, Copy)]
struct Level<'a> {
    left: usize,
    fault: &'a Cell<Error>,
}

impl Level<'_> {
    fn refuse<E: serde::de::Error>(self, fault: Error) -> E {
        self.fault.set(fault);
        E::custom(fault)
    }

    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        let left = self.left.checked_sub(1).ok_or_else(|| self.refuse(Error::TooDeep))?;
        Ok(Self { left, ..self })
    }

    fn text<E: serde::de::Error>(self, text: String) -> Result<String, E> {
        if text.contains('\0') { Err(self.refuse(Error::NulCharacter)) } else { Ok(text) }
    }
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| self.refuse(Error::Syntax))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.text(value.to_owned()).map(Value::String)
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> Result<Value, E> {
        self.text(value).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let key = self.text::<A::Error>(key)?;
            if object.contains_key(&key) {
                self.fault.set(Error::DuplicateKey);
                return Err(A::Error::custom(Error::DuplicateKey));
            }
            object.insert(key, members.next_value_seed(inner)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Error {
        parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn what_is_plain_is_read_as_serde_json_reads_it() {
        for text in [
            "null",
            " true ",
            "-1",
            "18446744073709551615",
            "1.5e3",
            r#""a\u00e9\ud83d\ude00""#,
            r#"{"a":[1,{"b":null},[]],"c":{"a":"O'Brien <b>"}}"#,
            "\t[\r\n1 ,2]",
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap(), "{text}");
        }
    }

    #[test]
    fn a_member_named_twice_is_refused_at_any_depth_and_in_any_spelling() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"a":null}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"[{"x":{"y":[{"a":1,"a":2}]}}]"#,
            r#"{"":1,"":2}"#,
        ] {
            assert_eq!(fault(text), Error::DuplicateKey, "{text}");
        }
        assert!(parse(br#"{"a":{"a":1},"A":{"a":1}}"#).is_ok(), "the same name in different objects is fine");
    }

    #[test]
    fn depth_is_bounded() {
        let arrays = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(arrays(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(fault(&arrays(MAX_DEPTH + 1)), Error::TooDeep);
        assert_eq!(fault(&"[".repeat(1_000_000)), Error::TooDeep);
        assert_eq!(fault(&r#"{"a":"#.repeat(MAX_DEPTH + 1)), Error::TooDeep);
    }

    #[test]
    fn one_value_and_nothing_after_it() {
        for text in
            ["", " ", "{} {}", "{}x", "1,2", "{\"a\":1}\0", "[1,]", "{\"a\":1,}", "{a:1}", "'a'", "NaN", "01", "1e999"]
        {
            assert_eq!(fault(text), Error::Syntax, "{text:?}");
        }
        assert_eq!(fault("\u{feff}{}"), Error::Syntax, "a byte order mark");
    }

    #[test]
    fn text_is_whole_unicode() {
        assert_eq!(parse(b"\"\xff\""), Err(Error::NotUtf8));
        assert_eq!(parse(b"\"\xed\xa0\x80\""), Err(Error::NotUtf8), "an encoded surrogate");
        for text in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\u0041""#, r#"{"\udfff":1}"#] {
            assert_eq!(fault(text), Error::Syntax, "{text}");
        }
    }

    #[test]
    fn nul_has_its_own_kind() {
        assert_eq!(fault(r#""a\u0000b""#), Error::NulCharacter);
        assert_eq!(fault(r#"{"x":["\u0000"]}"#), Error::NulCharacter);
        assert_eq!(fault(r#"{"\u0000":1}"#), Error::NulCharacter);
        assert_eq!(fault("\"\0\""), Error::Syntax, "unescaped it is not JSON");
    }
}
