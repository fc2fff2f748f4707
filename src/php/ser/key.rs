//! A Rust key on its way into a PHP array.
//!
//! Owns what can be a key. Never takes what PHP would round or refuse: floats, null, arrays. Counterpart in PHP:
//! how `$array[$key] = ...` converts `$key`.

use serde::Serialize;

use super::{DEPTH, Serializer};
use crate::php::array::Key;
use crate::php::error::{Error, describe};
use crate::php::name::Name;
use crate::php::value::Value;

/// The key that `key` stands for: a string that is the decimal text of an int is that int.
pub(super) fn key<T: Serialize + ?Sized>(key: &T) -> Result<Key, Error> {
    // At the deepest level: a key that is no scalar is refused where it begins.
    let key =
        key.serialize(Serializer { depth: DEPTH, class: None, raw: false }).map_err(|error| match error {
            Error::Mismatch { problem, .. } if problem.starts_with("Maximum depth") => {
                Error::mismatch("expected a key (int or string), found array")
            }
            other => other,
        })?;
    match key {
        Value::Int(value) => Ok(Key::Int(value)),
        Value::Bool(value) => Ok(Key::from(i64::from(value))),
        Value::Enum(case) => Ok(named(case.name())),
        Value::Str(text) => Ok(named(text.as_bytes())),
        other => Err(Error::mismatch(format!("expected a key (int or string), found {}", describe(&other)))),
    }
}

fn named(bytes: &[u8]) -> Key {
    match Name::of(bytes) {
        Name::Int(value) => Key::from(value),
        Name::Str(bytes) => Key::Str(bytes.into()),
    }
}
