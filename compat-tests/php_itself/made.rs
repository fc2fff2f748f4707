//! Values made at random: what we serialize, and the PHP literal that says the same.

use std::collections::HashSet;

use handover::php;
use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Serialize, Serializer};

/// A value both sides can make.
#[derive(Debug, Clone)]
pub enum Made {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Made>),
    Map(Vec<(Key, Made)>),
    /// A `stdClass`.
    Object(Vec<(Key, Made)>),
}

#[derive(Debug, Clone)]
pub enum Key {
    Int(i64),
    Text(String),
}

/// Values of every kind, nested.
pub fn value() -> impl Strategy<Value = Made> {
    let scalar = prop_oneof![
        Just(Made::Null),
        any::<bool>().prop_map(Made::Bool),
        prop_oneof![any::<i64>(), -9..9_i64, Just(i64::MIN), Just(i64::MAX)].prop_map(Made::Int),
        prop_oneof![
            any::<f64>(),
            -9.0..9.0,
            any::<i32>().prop_map(f64::from),
            Just(f64::NAN),
            Just(-0.0),
            (any::<bool>(), -30..30_i32)
                .prop_map(|(minus, power)| if minus { -1.0 } else { 1.0 } * 10_f64.powi(power)),
        ]
        .prop_map(Made::Float),
        ".{0,9}".prop_map(Made::Text),
        vec(any::<u8>(), 0..9).prop_map(Made::Bytes),
    ];
    scalar.prop_recursive(4, 40, 6, |inner| {
        let key =
            prop_oneof![any::<i64>().prop_map(Key::Int), "[a-z\\PC]{0,3}|-?[0-9]{1,3}".prop_map(Key::Text)];
        let entries = vec((key, inner.clone()), 0..6).prop_map(|mut entries: Vec<(Key, Made)>| {
            let mut seen = HashSet::new();
            entries.retain(|(key, _)| seen.insert(key.text()));
            entries
        });
        prop_oneof![
            vec(inner, 0..6).prop_map(Made::List),
            entries.clone().prop_map(Made::Map),
            entries.prop_map(Made::Object),
        ]
    })
}

impl Key {
    fn text(&self) -> String {
        match self {
            Key::Int(value) => value.to_string(),
            Key::Text(text) => text.clone(),
        }
    }
}

impl Made {
    /// The same as PHP source.
    pub fn literal(&self) -> String {
        match self {
            Made::Null => "null".into(),
            Made::Bool(value) => value.to_string(),
            Made::Int(value) => int(*value),
            Made::Float(value) => format!("unpack('E', {})[1]", text(&value.to_be_bytes())),
            Made::Text(value) => text(value.as_bytes()),
            Made::Bytes(value) => text(value),
            Made::List(values) => {
                format!("[{}]", values.iter().map(Made::literal).collect::<Vec<_>>().join(", "))
            }
            Made::Map(entries) => array(entries),
            Made::Object(entries) => format!("(object) {}", array(entries)),
        }
    }
}

/// PHP reads the smallest int as a float.
fn int(value: i64) -> String {
    if value == i64::MIN { "PHP_INT_MIN".into() } else { value.to_string() }
}

fn text(bytes: &[u8]) -> String {
    let escaped: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    format!("\"{escaped}\"")
}

fn array(entries: &[(Key, Made)]) -> String {
    let entries = entries.iter().map(|(key, value)| {
        let key = match key {
            Key::Int(value) => int(*value),
            Key::Text(value) => text(value.as_bytes()),
        };
        format!("{key} => {}", value.literal())
    });
    format!("[{}]", entries.collect::<Vec<_>>().join(", "))
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Key::Int(value) => serializer.serialize_i64(*value),
            Key::Text(value) => serializer.serialize_str(value),
        }
    }
}

struct Entries<'a>(&'a [(Key, Made)]);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl Serialize for Made {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Made::Null => serializer.serialize_none(),
            Made::Bool(value) => serializer.serialize_bool(*value),
            Made::Int(value) => serializer.serialize_i64(*value),
            Made::Float(value) => serializer.serialize_f64(*value),
            Made::Text(value) => serializer.serialize_str(value),
            Made::Bytes(value) => serializer.serialize_bytes(value),
            Made::List(values) => serializer.collect_seq(values),
            Made::Map(entries) => Entries(entries).serialize(serializer),
            Made::Object(entries) => {
                let object =
                    php::object("stdClass").of(&Entries(entries)).map_err(serde::ser::Error::custom)?;
                object.serialize(serializer)
            }
        }
    }
}
