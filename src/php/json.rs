//! JSON as PHP's `json_encode` writes it by default: slashes and whatever is not ASCII escaped.

use std::fmt::Write;

/// The same JSON with non-ASCII characters as `\uXXXX`.
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub fn escape_beyond_ascii(json: &str) -> String {
    escaped(json, "/")
}

/// The same JSON text with `/` as `\/` and non-ASCII characters as `\uXXXX`.
pub fn escape(json: &str) -> String {
    escaped(json, "\\/")
}

fn escaped(json: &str, slash: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for char in json.chars() {
        match char {
            '/' => out.push_str(slash),
            char if char.is_ascii() => out.push(char),
            char => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out
}
