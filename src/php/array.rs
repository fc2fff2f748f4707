//! `Array`: the ordered key-value pairs of a PHP array or of an object's properties.
//!
//! Owns keys and their order. Never merges duplicates, so that they
//! are written back; reading by name sees the last, as PHP does. Counterpart in PHP: the HashTable.

use std::collections::HashMap;

use super::name::Name;
use super::object::Scope;
use super::value::{Int, Str, Value};

/// A PHP array, or the properties of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Array {
    pub(super) entries: Vec<(Key, Value)>,
}

impl Array {
    /// An empty array.
    pub fn new() -> Array {
        Array::default()
    }

    /// How many pairs were written; duplicate keys count.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Is there no pair?
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The pairs in written order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Key, &Value)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// The values in written order.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.entries.iter().map(|(_, value)| value)
    }

    /// Adds a pair at the end.
    pub fn push(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        self.entries.push((key.into(), value.into()));
    }

    /// The element under that key as PHP would look it up: `"5"` also finds the int key 5; the last duplicate
    /// counts.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let wanted = Name::of(key.as_bytes());
        self.entries.iter().rev().find(|(key, _)| key.name() == wanted).map(|(_, value)| value)
    }

    /// Are the keys 0, 1, 2, ... in this order (PHP's `array_is_list`)?
    pub fn is_list(&self) -> bool {
        self.entries.iter().zip(0..).all(|((key, _), index)| key.name() == Name::Int(index))
    }

    /// The pairs PHP would see: of several under one name only one is left, standing where the first stood.
    /// In an array that is the last. In an object of `class` it is the last too, but an ancestor's private
    /// property, which code of the class cannot see, gives way to any other.
    pub(super) fn members<'a>(&'a self, class: Option<&[u8]>) -> Vec<(Name<'a>, &'a Value)> {
        let mut members: Vec<(Name<'a>, &'a Value)> = Vec::with_capacity(self.len());
        let mut seen: HashMap<Name<'a>, (usize, bool)> = HashMap::with_capacity(self.len());
        for (key, value) in &self.entries {
            let (name, visible) = key.member(class);
            match seen.get_mut(&name) {
                None => {
                    seen.insert(name, (members.len(), visible));
                    members.push((name, value));
                }
                Some((index, was_visible)) if visible || !*was_visible => {
                    *was_visible = visible;
                    members[*index].1 = value;
                }
                Some(_) => {}
            }
        }
        members
    }
}

impl<V: Into<Value>> FromIterator<V> for Array {
    /// A list: keys 0, 1, 2, ...
    fn from_iter<I: IntoIterator<Item = V>>(values: I) -> Self {
        let entries = values.into_iter().zip(0..).map(|(value, index)| (Key::from(index), value.into()));
        Array { entries: entries.collect() }
    }
}

impl Drop for Array {
    /// Takes nested arrays apart level by level: the compiler's own drop would recurse and overflow the
    /// stack.
    fn drop(&mut self) {
        let mut pending = Vec::new();
        let mut next = Some(std::mem::take(&mut self.entries));
        while let Some(mut entries) = next {
            for (_, value) in &mut entries {
                match value {
                    Value::Array(array) if !array.is_empty() => {
                        pending.push(std::mem::take(&mut array.entries))
                    }
                    Value::Object(object) if !object.properties.is_empty() => {
                        pending.push(std::mem::take(&mut object.properties.entries));
                    }
                    _ => {}
                }
            }
            next = pending.pop();
        }
    }
}

/// A key, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// `i:5;`
    Int(Int),
    /// `s:1:"a";`; of an object it may be mangled: `\0*\0name` protected, `\0Class\0name` private.
    Str(Str),
}

impl Key {
    /// The int this key is to a PHP array: also `"5"` is 5.
    pub fn as_int(&self) -> Option<i64> {
        match self.name() {
            Name::Int(value) => Some(value),
            Name::Str(_) => None,
        }
    }

    /// The bytes of a string key, mangling included.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Key::Int(_) => None,
            Key::Str(name) => Some(name.as_bytes()),
        }
    }

    fn name(&self) -> Name<'_> {
        match self {
            Key::Int(value) => Name::Int(value.get()),
            Key::Str(name) => Name::of(name.as_bytes()),
        }
    }

    /// The name without mangling, and whether code of `class` can see that property.
    pub(super) fn member(&self, class: Option<&[u8]>) -> (Name<'_>, bool) {
        match (self, class) {
            (Key::Str(name), Some(class)) => {
                let (scope, name) = Scope::demangle(name.as_bytes());
                (Name::of(name), scope.visible_in(class))
            }
            _ => (self.name(), true),
        }
    }
}

impl From<i64> for Key {
    fn from(value: i64) -> Self {
        Key::Int(value.into())
    }
}

impl From<&str> for Key {
    /// As PHP writes it: the decimal text of an int becomes an int key.
    fn from(name: &str) -> Self {
        match Name::of(name.as_bytes()) {
            Name::Int(value) => Key::Int(value.into()),
            Name::Str(bytes) => Key::Str(bytes.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::php::parse;

    #[test]
    fn the_last_duplicate_counts() {
        let value = parse(b"a:3:{i:5;i:1;s:1:\"a\";i:2;s:1:\"5\";i:3;}").unwrap();
        assert_eq!(value.get("5").unwrap().as_int(), Some(3));
        let members = value.as_array().unwrap().members(None);
        let seen: Vec<_> = members.iter().map(|(name, value)| (name.to_string(), value.as_int())).collect();
        assert_eq!(seen, [("5".to_owned(), Some(3)), ("a".to_owned(), Some(2))]);
    }

    #[test]
    fn lists() {
        for (bytes, list) in [
            ("a:0:{}", true),
            ("a:2:{i:0;N;i:1;N;}", true),
            ("a:1:{s:1:\"0\";N;}", true),
            ("a:2:{i:1;N;i:0;N;}", false),
            ("a:1:{i:1;N;}", false),
            ("a:1:{s:1:\"a\";N;}", false),
        ] {
            assert_eq!(parse(bytes.as_bytes()).unwrap().as_array().unwrap().is_list(), list, "{bytes}");
        }
        assert_eq!(
            Value::from(["a", "b"].into_iter().collect::<Array>()).write(),
            b"a:2:{i:0;s:1:\"a\";i:1;s:1:\"b\";}"
        );
    }
}
