//! What can go wrong between PHP's bytes and a Rust value, in PHP's words.
//!
//! Owns the error type of the module and how a value is named in a message. Never holds a whole value: what
//! is quoted is cut. Counterpart in PHP: the warnings of `unserialize()` and the messages of `TypeError`.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::value::Value;

/// Longest excerpt of a string in a message, in bytes.
const EXCERPT: usize = 40;

/// Why bytes are not a PHP value, or why a PHP value does not fit a Rust type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not what PHP's `serialize()` writes.
    #[error("unserialize(): Error at offset {offset} of {length} bytes: {problem}")]
    Syntax {
        /// Where reading stopped, in bytes from the start.
        offset: usize,
        /// How many bytes there were.
        length: usize,
        /// What stands there and what should.
        problem: String,
    },
    /// The text is not the lossless JSON of a PHP value.
    #[error("json_decode(): Error at offset {offset} of {length} bytes: {problem}")]
    Json {
        /// Where reading stopped, in bytes from the start.
        offset: usize,
        /// How many bytes there were.
        length: usize,
        /// What stands there and what should.
        problem: String,
    },
    /// The bytes ask for more than [`Limits`](super::Limits) allows.
    #[error("unserialize(): {problem} (at offset {offset})")]
    Limit {
        /// Where the limit was passed, in bytes from the start.
        offset: usize,
        /// Which limit, and its value.
        problem: String,
    },
    /// A PHP value does not fit the Rust type it is read into.
    #[error("{}{problem}", place(path))]
    Mismatch {
        /// The property, from the root and with dots (`user.id`); empty for the root itself.
        path: String,
        /// What was expected and what was found.
        problem: String,
    },
}

impl Error {
    /// The byte the error stands at; `None` for a [`Error::Mismatch`], whose bytes were fine.
    pub fn offset(&self) -> Option<usize> {
        match self {
            Error::Syntax { offset, .. } | Error::Json { offset, .. } | Error::Limit { offset, .. } => {
                Some(*offset)
            }
            Error::Mismatch { .. } => None,
        }
    }

    pub(super) fn mismatch(problem: impl Into<String>) -> Error {
        Error::Mismatch { path: String::new(), problem: problem.into() }
    }

    /// `value` where the Rust type wanted `expected`.
    pub(super) fn found(expected: &dyn Expected, value: &Value) -> Error {
        Error::mismatch(format!("expected {}, found {}", in_php(expected), describe(value)))
    }

    /// The same error, seen from one level further out.
    pub(super) fn within(self, outer: &dyn fmt::Display) -> Error {
        match self {
            Error::Mismatch { path, problem } if path.is_empty() => {
                Error::Mismatch { path: outer.to_string(), problem }
            }
            Error::Mismatch { path, problem } => Error::Mismatch { path: format!("{outer}.{path}"), problem },
            other => other,
        }
    }
}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Error::mismatch(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Error::mismatch(format!("expected {}, found {}", in_php(expected), found_in_php(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Error::mismatch(format!(
            "expected one of {}, found {}",
            expected.join(", "),
            quote(variant.as_bytes())
        ))
    }

    fn missing_field(field: &'static str) -> Self {
        Error::Mismatch {
            path: field.to_owned(),
            problem: "expected, but the object does not have it".into(),
        }
    }
}

fn place(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("property \"{path}\": ") }
}

/// A value as PHP's own messages would name it, with as much of it as helps.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => format!("bool {value}"),
        Value::Int(value) => format!("int {}", value.get()),
        Value::Float(value) => format!("float {}", value.as_str()),
        Value::Str(value) => format!("string {}", quote(value.as_bytes())),
        Value::Array(array) => format!("array of {}", array.len()),
        Value::Object(object) => format!("object {}", shown(object.class())),
        Value::Custom(custom) => format!("object {}", shown(custom.class())),
        Value::Enum(case) => {
            format!("enum {}::{}", shown(case.class()), shown(case.name()))
        }
        Value::Same(index) => format!("reference r:{index}"),
        Value::Reference(index) => format!("reference R:{index}"),
    }
}

/// The name of a class or property, safe to print.
pub(super) fn shown(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    if name.contains(char::is_control) { name.escape_debug().to_string() } else { name.into_owned() }
}

/// Bytes in double quotes, cut to an excerpt, with everything unprintable escaped when they are not UTF-8.
pub(super) fn quote(bytes: &[u8]) -> String {
    let (head, more) = match bytes.get(..EXCERPT) {
        Some(head) if bytes.len() > EXCERPT => (head, "..."),
        _ => (bytes, ""),
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("\"{}{more}\"", text[..text.floor_char_boundary(head.len())].escape_debug()),
        Err(_) => format!("\"{}{more}\"", head.escape_ascii()),
    }
}

fn found_in_php(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("bool {value}"),
        Unexpected::Unsigned(value) => format!("int {value}"),
        Unexpected::Signed(value) => format!("int {value}"),
        Unexpected::Float(value) => format!("float {value}"),
        Unexpected::Str(value) => format!("string {}", quote(value.as_bytes())),
        Unexpected::Bytes(value) => format!("string {}, which is not UTF-8", quote(value)),
        Unexpected::Unit | Unexpected::Option => "null".into(),
        Unexpected::Seq => "list".into(),
        Unexpected::Map => "array".into(),
        other => other.to_string(),
    }
}

/// What serde's visitors say they want, in PHP's names of types.
fn in_php(expected: &dyn Expected) -> String {
    let wanted = expected.to_string();
    match wanted.as_str() {
        "i64" => "int".into(),
        "i8" | "i16" | "i32" | "i128" | "isize" | "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => {
            format!("int ({wanted})")
        }
        "f32" | "f64" => "float".into(),
        "a boolean" => "bool".into(),
        "a string" | "a borrowed string" => "string".into(),
        "a sequence" => "list".into(),
        "a map" => "array".into(),
        "unit" => "null".into(),
        _ => wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_cut_and_printable() {
        assert_eq!(quote(b"abc"), "\"abc\"");
        assert_eq!(quote(b"a\"\n\0"), "\"a\\\"\\n\\0\"");
        assert_eq!(quote(b"\xff\0"), "\"\\xff\\x00\"");
        assert_eq!(quote("é".repeat(30).as_bytes()), format!("\"{}...\"", "é".repeat(20)));
        assert_eq!(quote(&[b'x'; 41]), format!("\"{}...\"", "x".repeat(40)));
    }

    #[test]
    fn paths_grow_outwards() {
        let error = Error::mismatch("expected int, found null").within(&"id").within(&"user");
        assert_eq!(error.to_string(), "property \"user.id\": expected int, found null");
    }
}
