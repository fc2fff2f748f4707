//! Going through a value, and putting one together, without recursion: nesting comes from outside and may be
//! deep.
//!
//! Owns the order of values (a container, then key and value in turn, then its end) and what follows from it:
//! cloning and comparing. Never follows references. Counterpart in PHP: none; PHP recurses and counts.

use std::slice;

use super::array::{Array, Key};
use super::object::Object;
use super::value::Value;

/// One step through a value.
#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    /// A value; an array or object is followed by its entries and an `End`.
    Value(&'a Value),
    /// The key of the next value.
    Key(&'a Key),
    /// The innermost open array or object has no more entries.
    End,
}

/// All steps through a value, in the order PHP writes them.
pub(super) struct Walk<'a> {
    next: Option<&'a Value>,
    open: Vec<slice::Iter<'a, (Key, Value)>>,
}

impl Value {
    pub(super) fn walk(&self) -> Walk<'_> {
        Walk { next: Some(self), open: Vec::new() }
    }

    /// The entries of an array, the properties of an object.
    pub(super) fn entries(&self) -> Option<&Array> {
        match self {
            Value::Array(array) => Some(array),
            Value::Object(object) => Some(&object.properties),
            _ => None,
        }
    }

    fn entries_mut(&mut self) -> Option<&mut Array> {
        match self {
            Value::Array(array) => Some(array),
            Value::Object(object) => Some(&mut object.properties),
            _ => None,
        }
    }

    /// The value without its entries, but with room for them.
    fn shell(&self) -> Value {
        let room = |array: &Array| Array { entries: Vec::with_capacity(array.len()) };
        match self {
            Value::Null => Value::Null,
            Value::Bool(value) => Value::Bool(*value),
            Value::Int(value) => Value::Int(value.clone()),
            Value::Float(value) => Value::Float(value.clone()),
            Value::Str(value) => Value::Str(value.clone()),
            Value::Array(array) => Value::Array(room(array)),
            Value::Object(object) => Object::new(object.class(), room(&object.properties)).into(),
            Value::Custom(custom) => Value::Custom(custom.clone()),
            Value::Enum(case) => Value::Enum(case.clone()),
            Value::Same(index) => Value::Same(*index),
            Value::Reference(index) => Value::Reference(*index),
        }
    }

    /// Are the values equal, but for their entries?
    fn same_head(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(one), Value::Bool(two)) => one == two,
            (Value::Int(one), Value::Int(two)) => one == two,
            (Value::Float(one), Value::Float(two)) => one == two,
            (Value::Str(one), Value::Str(two)) => one == two,
            (Value::Array(one), Value::Array(two)) => one.len() == two.len(),
            (Value::Object(one), Value::Object(two)) => {
                one.class() == two.class() && one.properties.len() == two.properties.len()
            }
            (Value::Custom(one), Value::Custom(two)) => one == two,
            (Value::Enum(one), Value::Enum(two)) => one == two,
            (Value::Same(one), Value::Same(two)) => one == two,
            (Value::Reference(one), Value::Reference(two)) => one == two,
            _ => false,
        }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Step<'a>;

    fn next(&mut self) -> Option<Step<'a>> {
        if let Some(value) = self.next.take() {
            self.open.extend(value.entries().map(|array| array.entries.iter()));
            return Some(Step::Value(value));
        }
        match self.open.last_mut()?.next() {
            Some((key, value)) => {
                self.next = Some(value);
                Some(Step::Key(key))
            }
            None => {
                self.open.pop();
                Some(Step::End)
            }
        }
    }
}

/// Puts a value together from the steps that a [`Walk`] takes it apart into.
#[derive(Default)]
pub(super) struct Builder {
    /// Containers whose end has not come, each with the key it will stand under.
    open: Vec<(Value, Option<Key>)>,
    key: Option<Key>,
    root: Option<Value>,
}

impl Builder {
    pub(super) fn key(&mut self, key: Key) {
        self.key = Some(key);
    }

    /// A value; an array or object stays open for entries until its [`end`](Builder::end).
    pub(super) fn value(&mut self, value: Value) {
        let key = self.key.take();
        if value.entries().is_some() { self.open.push((value, key)) } else { self.place(value, key) }
    }

    pub(super) fn end(&mut self) {
        if let Some((value, key)) = self.open.pop() {
            self.place(value, key);
        }
    }

    /// The finished value; `Null` when there were no steps.
    pub(super) fn finish(self) -> Value {
        self.root.unwrap_or(Value::Null)
    }

    fn place(&mut self, value: Value, key: Option<Key>) {
        let holder = self.open.last_mut().and_then(|(holder, _)| holder.entries_mut());
        match (holder, key) {
            (Some(holder), Some(key)) => holder.entries.push((key, value)),
            _ => self.root = Some(value),
        }
    }
}

impl Clone for Value {
    fn clone(&self) -> Value {
        let mut builder = Builder::default();
        for step in self.walk() {
            match step {
                Step::Value(value) => builder.value(value.shell()),
                Step::Key(key) => builder.key(key.clone()),
                Step::End => builder.end(),
            }
        }
        builder.finish()
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        // Equal heads have as many entries, so the two walks stay in step and end together.
        self.walk().zip(other.walk()).all(|steps| match steps {
            (Step::Value(one), Step::Value(two)) => one.same_head(two),
            (Step::Key(one), Step::Key(two)) => one == two,
            (Step::End, Step::End) => true,
            _ => false,
        })
    }
}

impl Eq for Value {}

#[cfg(test)]
mod tests {
    use crate::php::{Limits, parse};

    #[test]
    fn equal_means_written_alike() {
        let values = [
            "N;",
            "b:0;",
            "b:1;",
            "i:5;",
            "i:+5;",
            "d:5;",
            "d:5.0;",
            "d:NAN;",
            "s:1:\"5\";",
            "S:1:\"5\";",
            "S:1:\"\\35\";",
            "a:0:{}",
            "a:1:{i:0;a:0:{}}",
            "a:1:{i:0;a:1:{i:0;N;}}",
            "a:1:{i:1;a:1:{i:0;N;}}",
            "a:2:{i:0;a:1:{i:0;N;}i:1;N;}",
            "O:1:\"A\":0:{}",
            "O:1:\"a\":0:{}",
            "O:1:\"A\":1:{s:1:\"x\";R:1;}",
            "O:1:\"A\":1:{s:1:\"x\";r:1;}",
            "C:1:\"A\":0:{}",
            "E:3:\"A:b\";",
        ];
        let parsed = values.map(|text| parse(text.as_bytes()).unwrap());
        for (one, left) in parsed.iter().enumerate() {
            for (two, right) in parsed.iter().enumerate() {
                assert_eq!(left == right, one == two, "{} {}", values[one], values[two]);
            }
            assert_eq!(&left.clone(), left);
        }
    }

    /// In a debug build, on the 2 MiB a thread gets: far deeper than any limit, so depth costs no stack
    /// anywhere.
    #[test]
    fn depth_takes_no_stack() {
        let depth = 200_000;
        let deep = move |end: &str| {
            let opening = "a:1:{i:0;O:1:\"P\":1:{s:1:\"p\";".repeat(depth);
            [&opening, end, &"}".repeat(2 * depth)].concat().into_bytes()
        };
        let run = move || {
            let (bytes, other) = (deep("N;"), deep("b:1;"));
            let limits = Limits { depth: 2 * depth, ..Limits::default() };
            let value = limits.parse(&bytes).unwrap();
            let copy = value.clone();
            assert!(value == copy && value != limits.parse(&other).unwrap());
            assert!(value.write() == bytes);
            assert!(format!("{value:?}").len() > bytes.len());
            drop(value.as_array().unwrap().clone());
            assert!(crate::php::from_value::<serde::de::IgnoredAny>(&copy).is_ok());
            assert!(crate::php::from_value::<serde_json::Value>(&copy).is_err());
        };
        std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
    }
}
