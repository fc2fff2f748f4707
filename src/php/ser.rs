//! Making a value of any type that implements serde's `Serialize`.
//!
//! Owns what Rust's types become in PHP. Never converts beyond that: a number PHP cannot hold is an error
//! naming the property. Counterpart in PHP: none; `serialize()` has only values of its own.

mod class;
mod inside;
mod key;

use serde::{Serialize, ser};

pub use self::class::{Class, object};
use self::inside::{Inside, Kind};
use super::array::Array;
use super::error::{Error, describe, quote};
use super::object::{Case, class_named, is_case_name, is_class_name};
use super::value::Value;
use super::walk::Step;

/// How deep values may nest: as deep as [`from_value`](super::from_value) reads them.
const DEPTH: usize = 128;

/// The name a [`Value`] goes by among newtypes, which tells the serializer to take it as it is.
const VALUE: &str = "$handover::php::Value";

/// Makes the PHP value that `value` stands for.
///
/// | Rust | PHP |
/// |---|---|
/// | `()`, `None`, a struct without fields | null |
/// | `bool`; ints that fit 64 bits; floats | bool; int; float, in the digits `serialize()` writes |
/// | `str`, `char`; bytes (`serde_bytes`) | string |
/// | `Vec`, tuples | array, a list |
/// | map, struct | array; string keys that are the decimal text of an int become that int, as in PHP |
/// | variant without data | string, the variant's name |
/// | variant with data | array of one entry, under the variant's name |
/// | struct named like a PHP class | object of that class, with public properties |
/// | enum named like a PHP enum, variant without data | that case |
/// | [`Value`] | itself |
///
/// A struct or enum is named like a class by `#[serde(rename = "App\\Enums\\Suit")]`; one without a namespace
/// takes a backslash in front (`"\\Suit"`). [`Model`](super::Model) is one of them. Objects with protected and
/// private properties are made by [`object`]; as a field of type `Value` they may stand inside others.
///
/// Errors name the property: an int beyond 64 bits; a key that is no string, int or bool; nesting beyond 128
/// levels; a `Value` with references inside another, as their numbers count from its own root.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, Error> {
    value.serialize(Serializer { depth: 0, class: None, raw: false })
}

/// One Rust value on its way into PHP.
#[derive(Clone, Copy)]
struct Serializer<'a> {
    depth: usize,
    /// What the value itself, no part of it, is to be an object of.
    class: Option<&'a Class>,
    /// The bytes of a `Value` come.
    raw: bool,
}

impl<'a> Serializer<'a> {
    /// Anything but an object.
    fn plain(self, value: impl Into<Value>) -> Result<Value, Error> {
        match self.class {
            None => Ok(value.into()),
            Some(class) => Err(class.wants_fields(&describe(&value.into()))),
        }
    }

    fn inside(self, kind: Kind<'a>) -> Result<Inside<'a>, Error> {
        if self.depth >= DEPTH {
            return Err(Error::mismatch(format!("Maximum depth of {DEPTH} exceeded")));
        }
        Ok(Inside { entries: Array::new(), key: None, skipped: Vec::new(), depth: self.depth + 1, kind })
    }

    /// The entries of a list; those of a variant's data stand under its name.
    fn list(self, variant: Option<&'static str>) -> Result<Inside<'a>, Error> {
        match self.class {
            None => self.inside(Kind::Array(variant)),
            Some(class) => Err(class.wants_fields(variant.unwrap_or("list"))),
        }
    }

    /// The entries of a map or struct.
    fn fields(self, name: &'static str) -> Result<Inside<'a>, Error> {
        match (self.class, class_named(name)) {
            (Some(class), _) => self.inside(Kind::Class(class)),
            (None, Some(class)) => self.inside(Kind::Object(checked(class)?)),
            (None, None) => self.inside(Kind::Array(None)),
        }
    }
}

/// A name that PHP can give a class.
fn checked(class: &str) -> Result<&str, Error> {
    if is_class_name(class.as_bytes()) {
        return Ok(class);
    }
    Err(Error::mismatch(format!("expected the name of a class, found {}", quote(class.as_bytes()))))
}

macro_rules! ints {
    ($($method:ident $type:ty)*) => {$(
        fn $method(self, value: $type) -> Result<Value, Error> {
            match i64::try_from(value) {
                Ok(value) => self.plain(value),
                Err(_) => Err(Error::mismatch(format!("int {value} is more than PHP's 64 bits hold"))),
            }
        }
    )*};
}

impl<'a> ser::Serializer for Serializer<'a> {
    type Ok = Value;
    type Error = Error;
    type SerializeSeq = Inside<'a>;
    type SerializeTuple = Inside<'a>;
    type SerializeTupleStruct = Inside<'a>;
    type SerializeTupleVariant = Inside<'a>;
    type SerializeMap = Inside<'a>;
    type SerializeStruct = Inside<'a>;
    type SerializeStructVariant = Inside<'a>;

    ints! {
        serialize_i8 i8 serialize_i16 i16 serialize_i32 i32 serialize_i64 i64 serialize_i128 i128
        serialize_u8 u8 serialize_u16 u16 serialize_u32 u32 serialize_u64 u64 serialize_u128 u128
    }

    fn serialize_bool(self, value: bool) -> Result<Value, Error> {
        self.plain(value)
    }

    fn serialize_f32(self, value: f32) -> Result<Value, Error> {
        // By its digits: 0.1 is to stay 0.1, not to become the double next to it.
        self.plain(value.to_string().parse().unwrap_or(f64::from(value)))
    }

    fn serialize_f64(self, value: f64) -> Result<Value, Error> {
        self.plain(value)
    }

    fn serialize_char(self, value: char) -> Result<Value, Error> {
        self.plain(value.encode_utf8(&mut [0; 4]) as &str)
    }

    fn serialize_str(self, value: &str) -> Result<Value, Error> {
        self.plain(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Value, Error> {
        if !self.raw {
            return self.plain(value);
        }
        let value = super::parse(value)?;
        let refers = |step| matches!(step, Step::Value(Value::Same(_) | Value::Reference(_)));
        if self.depth > 0 && value.walk().any(refers) {
            let problem =
                "a value with references cannot stand inside another: their numbers count from its own root";
            return Err(Error::mismatch(problem));
        }
        match (self.class, value) {
            (None, value) => Ok(value),
            (Some(class), value) => Err(class.wants_fields(&describe(&value))),
        }
    }

    fn serialize_none(self) -> Result<Value, Error> {
        self.plain(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, Error> {
        self.plain(Value::Null)
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<Value, Error> {
        if self.class.is_none() && class_named(name).is_none() {
            return self.plain(Value::Null);
        }
        ser::SerializeStruct::end(self.fields(name)?)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, Error> {
        let Some(class) = class_named(name) else { return self.plain(variant) };
        if !is_case_name(variant.as_bytes()) {
            let found = quote(variant.as_bytes());
            return Err(Error::mismatch(format!("expected the name of a case of {class}, found {found}")));
        }
        let case = Case::new(checked(class)?.as_bytes(), variant.as_bytes());
        self.plain(Value::Enum(Box::new(case)))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Value, Error> {
        value.serialize(Serializer { raw: name == VALUE, ..self })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, Error> {
        let mut data = self.list(None)?;
        ser::SerializeStruct::serialize_field(&mut data, variant, value)?;
        ser::SerializeStruct::end(data)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Inside<'a>, Error> {
        self.list(None)
    }

    fn serialize_tuple(self, _: usize) -> Result<Inside<'a>, Error> {
        self.list(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Inside<'a>, Error> {
        self.list(None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Inside<'a>, Error> {
        self.list(Some(variant))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Inside<'a>, Error> {
        self.fields("")
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Inside<'a>, Error> {
        self.fields(name)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Inside<'a>, Error> {
        self.list(Some(variant))
    }

    fn is_human_readable(&self) -> bool {
        // To a `Value`, whose bytes are wanted, and to nothing else.
        !self.raw
    }
}

impl Serialize for Value {
    /// Into a PHP value as it is; into text formats as [`to_json`](Value::to_json), into others as the bytes
    /// PHP writes.
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(VALUE, &Content(self))
    }
}

struct Content<'a>(&'a Value);

impl Serialize for Content<'_> {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return self.0.to_json().map_err(ser::Error::custom)?.serialize(serializer);
        }
        serializer.serialize_bytes(&self.0.write())
    }
}

impl ser::Error for Error {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Error::mismatch(message.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::php::{Model, ModelId, from_bytes, parse};

    fn ok<T: Serialize + ?Sized>(value: &T, bytes: &str) {
        let made = to_value(value).unwrap();
        assert_eq!(made.write().escape_ascii().to_string(), bytes.as_bytes().escape_ascii().to_string());
        assert_eq!(parse(bytes.as_bytes()).unwrap(), made);
    }

    fn both_ways<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: T, bytes: &str) {
        ok(&value, bytes);
        assert_eq!(from_bytes::<T>(bytes.as_bytes()), Ok(value), "{bytes}");
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename = "App\\Suit")]
    enum Suit {
        Hearts,
    }

    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename = "\\Suit")]
    enum GlobalSuit {
        Hearts,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Plain {
        None,
        One(i64),
        Two(i64, bool),
        Named { x: i64 },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename = "App\\Point")]
    struct Point {
        x: f64,
        #[serde(rename = "5")]
        five: (),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Unnamed {
        x: i64,
        #[serde(rename = "5")]
        five: (),
    }

    #[test]
    fn rust_becomes_what_php_would_write() {
        both_ways((), "N;");
        both_ways(None::<i64>, "N;");
        both_ways(Some(5_u8), "i:5;");
        both_ways(i64::MIN, "i:-9223372036854775808;");
        both_ways(true, "b:1;");
        both_ways(0.1_f64, "d:0.1;");
        both_ways(0.1_f32, "d:0.1;");
        both_ways(1e25, "d:1.0E+25;");
        both_ways(f64::NEG_INFINITY, "d:-INF;");
        both_ways('\u{e9}', "s:2:\"\u{e9}\";");
        both_ways("5".to_owned(), "s:1:\"5\";");
        both_ways(serde_bytes::ByteBuf::from(*b"a\0"), "s:2:\"a\0\";");
        both_ways(vec![7, 8], "a:2:{i:0;i:7;i:1;i:8;}");
        both_ways((7, "x".to_owned()), "a:2:{i:0;i:7;i:1;s:1:\"x\";}");
        both_ways(Unnamed { x: 7, five: () }, "a:2:{s:1:\"x\";i:7;i:5;N;}");
        both_ways(Point { x: 0.5, five: () }, "O:9:\"App\\Point\":2:{s:1:\"x\";d:0.5;s:1:\"5\";N;}");
        both_ways(Plain::None, "s:4:\"None\";");
        both_ways(Plain::One(1), "a:1:{s:3:\"One\";i:1;}");
        both_ways(Plain::Two(1, true), "a:1:{s:3:\"Two\";a:2:{i:0;i:1;i:1;b:1;}}");
        both_ways(Plain::Named { x: 1 }, "a:1:{s:5:\"Named\";a:1:{s:1:\"x\";i:1;}}");
        both_ways(Suit::Hearts, "E:15:\"App\\Suit:Hearts\";");
        both_ways(GlobalSuit::Hearts, "E:11:\"Suit:Hearts\";");
    }

    #[test]
    fn keys_become_ints_where_php_makes_them_ints() {
        let texts = ["5", "-5", "05", "x", ""].map(|key| (key.to_owned(), ()));
        both_ways(BTreeMap::from(texts), "a:5:{s:0:\"\";N;i:-5;N;s:2:\"05\";N;i:5;N;s:1:\"x\";N;}");
        both_ways(BTreeMap::from([(-1, 2), (7, 8)]), "a:2:{i:-1;i:2;i:7;i:8;}");
        both_ways(BTreeMap::from([(GlobalSuit::Hearts, 1)]), "a:1:{s:6:\"Hearts\";i:1;}");
        ok(&BTreeMap::from([(true, 1)]), "a:1:{i:1;i:1;}");
    }

    #[test]
    fn models_and_values_are_themselves() {
        let model = Model {
            class: Some("User".into()),
            id: ModelId::List(vec![ModelId::Int(5), ModelId::Str("x".into())]),
            relations: vec![],
            connection: None,
            collection_class: None,
        };
        let bytes = "O:45:\"Illuminate\\Contracts\\Database\\ModelIdentifier\":5:{s:5:\"class\";s:4:\"User\";s:2:\"id\";\
                     a:2:{i:0;i:5;i:1;s:1:\"x\";}s:9:\"relations\";a:0:{}s:10:\"connection\";N;s:15:\"collectionClass\";N;}";
        both_ways(model, bytes);
        let value = parse(b"a:1:{i:+5;O:1:\"A\":1:{s:1:\"x\";S:1:\"\\ff\";}}").unwrap();
        assert_eq!(to_value(&value).unwrap(), value);
        assert_eq!(to_value(&[&value]).unwrap().as_array().unwrap().values().next(), Some(&value));
        assert_eq!(serde_json::to_value(&value).unwrap(), value.to_json().unwrap());
        let referring = parse(b"a:2:{i:0;N;i:1;R:2;}").unwrap();
        assert_eq!(to_value(&referring).unwrap(), referring);
        assert!(
            to_value(&[referring])
                .unwrap_err()
                .to_string()
                .starts_with("property \"0\": a value with references")
        );
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Job {
        id: i64,
        note: Option<String>,
        token: String,
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        tags: Vec<String>,
    }

    #[test]
    fn an_object_has_the_visibilities_of_its_class() {
        let job = Job { id: 5, note: None, token: "t".into(), tags: vec![] };
        let class = object("\\App\\Job").protected(["note", "tags"]).private(["token"]);
        let made = class.of(&job).unwrap();
        assert_eq!(
            made.write().escape_ascii().to_string(),
            r#"O:7:\"App\\Job\":3:{s:2:\"id\";i:5;s:7:\"\x00*\x00note\";N;s:14:\"\x00App\\Job\x00token\";s:1:\"t\";}"#
        );
        assert_eq!(crate::php::from_value::<Job>(&made), Ok(job));
        let map = BTreeMap::from([("5", 1), ("x", 2)]);
        assert_eq!(
            object("A").private_to("B", ["x"]).of(&map).unwrap().write(),
            b"O:1:\"A\":2:{s:1:\"5\";i:1;s:4:\"\0B\0x\";i:2;}"
        );
        let nested = to_value(&[object("A").of(&map).unwrap()]).unwrap();
        assert_eq!(nested.write(), b"a:1:{i:0;O:1:\"A\":2:{s:1:\"5\";i:1;s:1:\"x\";i:2;}}");
    }

    #[test]
    fn errors_name_the_property_and_the_way_out() {
        let err = |made: Result<Value, Error>| made.unwrap_err().to_string();
        let map = BTreeMap::from([("a", BTreeMap::from([("b", u64::MAX)]))]);
        assert_eq!(
            err(to_value(&map)),
            "property \"a.b\": int 18446744073709551615 is more than PHP's 64 bits hold"
        );
        assert_eq!(
            err(to_value(&BTreeMap::from([((1, 2), 1)]))),
            "expected a key (int or string), found array"
        );
        assert_eq!(err(to_value(&BTreeMap::from([((), 1)]))), "expected a key (int or string), found null");
        assert_eq!(err(object("A").of(&[1])), "expected a struct or map to make an object A of, found list");
        assert_eq!(
            err(object("A B").of(&BTreeMap::from([("a", 1)]))),
            "expected the name of a class, found \"A B\""
        );
        assert_eq!(
            err(object("A").protected(["usr"]).of(&BTreeMap::from([("a", 1)]))),
            "expected a field \"usr\" to hide in A, found none"
        );
        let mut deep = serde_json::Value::Null;
        for _ in 0..=DEPTH {
            deep = vec![deep].into();
        }
        assert!(err(to_value(&deep)).ends_with("Maximum depth of 128 exceeded"));
    }

    proptest! {
        #[test]
        fn floats_and_texts_come_back(float in any::<f64>(), text in ".*", ints in any::<Vec<i64>>()) {
            let value = (float, text, ints);
            let made = to_value(&value).unwrap();
            prop_assert_eq!(&parse(&made.write()).unwrap(), &made);
            prop_assert_eq!(crate::php::from_value::<(f64, String, Vec<i64>)>(&made), Ok(value));
        }
    }
}
