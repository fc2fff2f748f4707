//! Collecting what is inside an array or object, one entry after the other.
//!
//! Owns the steps serde takes: elements, keys and values, fields. Never decides what an entry becomes: that is
//! the serializer's. Counterpart in PHP: none.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::Serializer;
use super::class::Class;
use super::key::key;
use crate::php::array::{Array, Key};
use crate::php::error::{Error, shown};
use crate::php::object::Object;
use crate::php::value::Value;

/// An array or object that is half made.
pub(super) struct Inside<'a> {
    pub(super) entries: Array,
    /// The key of a map whose value comes next.
    pub(super) key: Option<Key>,
    /// Fields that were left out, and so are no mistake of whoever declared their visibility.
    pub(super) skipped: Vec<&'static str>,
    pub(super) depth: usize,
    pub(super) kind: Kind<'a>,
}

/// What the entries become.
pub(super) enum Kind<'a> {
    /// An array; the data of a variant stands in another, under the variant's name.
    Array(Option<&'static str>),
    /// An object of that class, everything public.
    Object(&'static str),
    Class(&'a Class),
}

impl Inside<'_> {
    fn add<T: Serialize + ?Sized>(&mut self, key: Key, value: &T) -> Result<(), Error> {
        let part = Serializer { depth: self.depth, class: None, raw: false };
        match value.serialize(part) {
            Ok(value) => {
                self.entries.entries.push((key, value));
                Ok(())
            }
            Err(error) => Err(match &key {
                Key::Int(value) => error.within(&value.get()),
                Key::Str(name) => error.within(&shown(name.as_bytes())),
            }),
        }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let index = i64::try_from(self.entries.len()).unwrap_or(i64::MAX);
        self.add(Key::from(index), value)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        let key = match self.kind {
            Kind::Array(_) => Key::from(name),
            Kind::Object(_) | Kind::Class(_) => Key::Str(name.into()),
        };
        self.add(key, value)
    }

    fn finish(self) -> Result<Value, Error> {
        match self.kind {
            Kind::Array(None) => Ok(self.entries.into()),
            Kind::Array(Some(variant)) => {
                let mut outer = Array::new();
                outer.push(variant, self.entries);
                Ok(outer.into())
            }
            Kind::Object(class) => Ok(Object::new(class, self.entries).into()),
            Kind::Class(class) => class.object(self.entries, &self.skipped),
        }
    }
}

macro_rules! elements {
    ($($access:ident $method:ident)*) => {$(
        impl $access for Inside<'_> {
            type Ok = Value;
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.element(value)
            }

            fn end(self) -> Result<Value, Error> {
                self.finish()
            }
        }
    )*};
}

elements! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

macro_rules! fields {
    ($($access:ident)*) => {$(
        impl $access for Inside<'_> {
            type Ok = Value;
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
                self.field(name, value)
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), Error> {
                self.skipped.push(name);
                Ok(())
            }

            fn end(self) -> Result<Value, Error> {
                self.finish()
            }
        }
    )*};
}

fields! { SerializeStruct SerializeStructVariant }

impl SerializeMap for Inside<'_> {
    type Ok = Value;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, name: &T) -> Result<(), Error> {
        let key = match (key(name)?, &self.kind) {
            // A property's name is a string, whatever it looks like.
            (Key::Int(value), Kind::Object(_) | Kind::Class(_)) => {
                Key::Str(value.get().to_string().as_str().into())
            }
            (key, _) => key,
        };
        self.key = Some(key);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        match self.key.take() {
            Some(key) => self.add(key, value),
            None => Err(Error::mismatch("a value came before its key")),
        }
    }

    fn end(self) -> Result<Value, Error> {
        self.finish()
    }
}
