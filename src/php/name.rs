//! What a key or the name of a property means, once how it was written is put aside.
//!
//! Owns that `"5"` and 5 are one key to PHP, and what a key becomes in Rust. Never knows visibility: names
//! come here demangled. Counterpart in PHP: `ZEND_HANDLE_NUMERIC_STR`.

use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, StringDeserializer};
use serde::de::{Deserializer, Error as _, Expected, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::error::{Error, shown};
use super::value::Int;

/// What a key means: PHP turns the decimal text of an int into that int.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Name<'a> {
    Int(i64),
    Str(&'a [u8]),
}

impl<'a> Name<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Name<'a> {
        let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
        if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
            return Name::Str(bytes);
        }
        let int = Int::read(bytes);
        if int.written.is_none() { Name::Int(int.get()) } else { Name::Str(bytes) }
    }

    /// The bytes of a string; an int takes none.
    pub(super) fn len(&self) -> usize {
        if let Name::Str(bytes) = self { bytes.len() } else { 0 }
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Int(value) => write!(f, "{value}"),
            Name::Str(bytes) => f.write_str(&shown(bytes)),
        }
    }
}

macro_rules! ints {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self {
                Name::Int(value) => visitor.visit_i64(value),
                Name::Str(bytes) => text(bytes, visitor),
            }
        }
    )*};
}

/// A key or the name of a property: text, except where an int is asked for. Where any type goes it is text
/// too: serde buffers such keys (`untagged`, `flatten`), and from a buffered int it makes no `String` and no
/// field's name.
impl<'de> Deserializer<'de> for Name<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Name::Int(value) => visitor.visit_string(value.to_string()),
            Name::Str(bytes) => text(bytes, visitor),
        }
    }

    ints! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Name::Int(value) => visitor.visit_byte_buf(value.to_string().into_bytes()),
            Name::Str(bytes) => visitor.visit_borrowed_bytes(bytes),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Name::Int(value) => {
                StringDeserializer::new(value.to_string()).deserialize_enum(name, variants, visitor)
            }
            Name::Str(bytes) => {
                BorrowedStrDeserializer::new(utf8(bytes, &visitor)?).deserialize_enum(name, variants, visitor)
            }
        }
    }

    forward_to_deserialize_any! {
        bool f32 f64 char str string identifier unit unit_struct seq tuple tuple_struct map struct
        ignored_any
    }
}

/// UTF-8 as text, else as bytes.
pub(super) fn text<'de, V: Visitor<'de>>(bytes: &'de [u8], visitor: V) -> Result<V::Value, Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) => visitor.visit_borrowed_str(text),
        Err(_) => visitor.visit_borrowed_bytes(bytes),
    }
}

fn utf8<'de>(bytes: &'de [u8], expected: &dyn Expected) -> Result<&'de str, Error> {
    std::str::from_utf8(bytes).map_err(|_| Error::invalid_type(Unexpected::Bytes(bytes), expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ints_where_php_makes_them_ints() {
        // Each by var_dump(unserialize('a:1:{s:...:"...";N;}')) on PHP 8.2.
        for (text, int) in [
            ("5", Some(5)),
            ("-5", Some(-5)),
            ("0", Some(0)),
            ("-0", None),
            ("05", None),
            ("+5", None),
            ("", None),
            ("-", None),
            ("5a", None),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("-9223372036854775808", Some(i64::MIN)),
        ] {
            let expected = int.map_or(Name::Str(text.as_bytes()), Name::Int);
            assert_eq!(Name::of(text.as_bytes()), expected, "{text}");
        }
    }
}
