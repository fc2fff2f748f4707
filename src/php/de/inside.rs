//! Reading what is inside an array or object, one entry after the other.
//!
//! Owns the steps serde takes: elements, keys and values, a variant and its data. Never decides what an entry
//! is: that is the reader's. Counterpart in PHP: none.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::{Reader, Within};
use crate::php::error::Error;
use crate::php::name::Name;
use crate::php::value::Value;

/// The entries of an array or object, one after the other.
pub(super) struct Inside<'de, 'p> {
    pub(super) container: Reader<'de, 'p>,
    pub(super) members: std::vec::IntoIter<(Name<'de>, &'de Value)>,
    /// The entry whose key was read and whose value comes next.
    pub(super) value: Option<(Name<'de>, &'de Value)>,
}

impl<'de> Inside<'de, '_> {
    fn read<S: DeserializeSeed<'de>>(
        &self,
        (name, value): (Name<'de>, &'de Value),
        seed: S,
    ) -> Result<S::Value, Error> {
        let Reader { value: container, within: outer, depth, .. } = self.container;
        let within = Within { value: container, outer };
        let reader = Reader { within: Some(&within), depth: depth + 1, ..self.container };
        reader.read(value, seed).map_err(|error| error.within(&name))
    }
}

impl<'de> SeqAccess<'de> for Inside<'de, '_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.members.next().map(|entry| self.read(entry, seed)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.members.len())
    }
}

impl<'de> MapAccess<'de> for Inside<'de, '_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.value = self.members.next();
        let key = self.value.map(|(name, _)| seed.deserialize(name).map_err(|error| error.within(&name)));
        key.transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        match self.value.take() {
            Some(entry) => self.read(entry, seed),
            None => Err(Error::custom("a value was asked for before its key")),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.members.len())
    }
}

impl<'de> EnumAccess<'de> for Inside<'de, '_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(mut self, seed: S) -> Result<(S::Value, Self), Error> {
        match self.next_key_seed(seed)? {
            Some(variant) => Ok((variant, self)),
            None => Err(Error::custom("expected the name of a variant, found an empty array")),
        }
    }
}

impl<'de> VariantAccess<'de> for Inside<'de, '_> {
    type Error = Error;

    fn unit_variant(mut self) -> Result<(), Error> {
        self.next_value()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(mut self, seed: S) -> Result<S::Value, Error> {
        self.next_value_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(mut self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.next_value_seed(Body { length: Some(length), visitor })
    }

    fn struct_variant<V: Visitor<'de>>(
        mut self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.next_value_seed(Body { length: None, visitor })
    }
}

/// The data of a variant: a tuple of that length, or a struct.
struct Body<V> {
    length: Option<usize>,
    visitor: V,
}

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Body<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        match self.length {
            Some(length) => deserializer.deserialize_tuple(length, self.visitor),
            None => deserializer.deserialize_map(self.visitor),
        }
    }
}
