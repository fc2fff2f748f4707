//! PHP's serialize format: parsed without loss, looked into, read into Rust types, written back byte for
//! byte.
//!
//! `parse` makes a `Value`, `Value::write` the bytes again; `from_bytes` and `from_value` make any type that serde
//! can read, `to_value` and `object` a value of any that it can write; `Value::to_json` is plain JSON to show or
//! send, `json` a form of it that can be turned back; `Model` is what an Eloquent model becomes in a job. In
//! reading order: `value`, `array`, `name`, `object`, `walk`, `parse`, `write`, `slots`, `de`, `ser`, `model`,
//! `date`, `view`, `json`, `error`. Never knows queues or jobs, never runs or loads what the bytes name.
//! Counterpart in PHP: `serialize()` and `unserialize()`.

mod array;
mod date;
mod de;
mod error;
pub mod json;
mod model;
mod name;
mod object;
mod parse;
mod ser;
mod slots;
mod value;
mod view;
mod walk;
mod write;

pub use array::{Array, Key};
pub use de::{from_bytes, from_part, from_value};
pub use error::Error;
pub use model::{Model, ModelId};
pub use object::{Case, Custom, Object};
pub use parse::parse;
pub use ser::{Class, object, to_value};
pub use value::{Float, Int, Str, Value};
pub use write::write;

/// What bytes may ask for before they are refused with [`Error::Limit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Nested arrays and objects; 4096, PHP's own `unserialize_max_depth`. Empty ones do not count as a
    /// level.
    pub depth: usize,
    /// Bytes; 256 MiB.
    pub size: usize,
    /// Values, at any depth; 10 million. A value takes up to 56 bytes beside its text and its key's.
    pub count: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { depth: 4096, size: 256 << 20, count: 10_000_000 }
    }
}
