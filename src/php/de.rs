//! Reading a value into any type that implements serde's `Deserialize`.
//!
//! Owns what PHP's types become in Rust and where references lead. Never converts (`"5"` is no int), never
//! loses: what does not fit is an error naming the property. Counterpart in PHP: typed properties under
//! `strict_types`.

mod inside;

use std::cell::{Cell, OnceCell};
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Expected, Visitor};

use self::inside::Inside;
use super::error::{Error, describe};
use super::model::is_model;
use super::name::{Name, text};
use super::object::class_named;
use super::slots::{Lost, Slots};
use super::value::Value;

/// How deep values may nest that are read into Rust types. These are read recursively, on the stack of the
/// thread.
const DEPTH: usize = 128;

/// How much references may repeat, in bytes: of strings and keys, and 64 for each value. A few bytes of references to
/// references could otherwise unfold into more than any memory holds.
const REPEATED: usize = 64 << 20;

/// Parses bytes and reads the value into `T`; see [`from_value`].
pub fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    from_value(&super::parse(bytes)?)
}

/// Reads a PHP value into `T`.
///
/// | PHP | Rust |
/// |---|---|
/// | object | struct or map, by property name whatever its visibility; an ancestor's private property gives way to another of the same name ([`Object::get`](super::Object::get)) |
/// | array | struct; map, whose `String` keys also take int keys; `Vec` or tuple, in the order of the array whatever the keys |
/// | string | `String`, `&str` if it is UTF-8; bytes (`serde_bytes`) always |
/// | int, float, bool | numbers that hold it, also `f64` from an int; `bool` |
/// | null, an empty array | `None` of null; `()` |
/// | enum case | variant by the case's name, also from a string or int of that name; `String` |
/// | `C:` object | bytes, or `String` if they are UTF-8 |
/// | reference | what it leads to |
///
/// A struct or enum that is renamed to the qualified name of a PHP class (`#[serde(rename =
/// "App\\Enums\\Suit")]`; without a namespace `"\\Suit"`) takes no object or case of another class. Where any type goes (`serde_json::Value`,
/// `untagged`, `flatten`) an array is a list if its keys are 0, 1, 2, ..., an empty one too, and else a map
/// with `String` keys.
///
/// Errors name the property. Also errors: nesting beyond 128 levels; a reference that leads back into itself;
/// one behind a `C:` object, as only its class knows how many numbers its bytes use up; references that
/// repeat more than 64 MiB (their strings and keys, and 64 bytes for each value).
pub fn from_value<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T, Error> {
    from_part(value, value)
}

/// Reads `part`, a value within `root`, as [`from_value`] does; references are looked up in `root`.
pub fn from_part<'de, T: Deserialize<'de>>(root: &'de Value, part: &'de Value) -> Result<T, Error> {
    let source = Source { root, slots: OnceCell::new(), repeated: Cell::new(0) };
    let top = Reader { source: &source, value: root, within: None, depth: 0, repeated: false };
    top.read(part, PhantomData)
}

/// What all parts of one read share.
struct Source<'de> {
    root: &'de Value,
    /// Counted when the first reference is met: most values have none.
    slots: OnceCell<Slots<'de>>,
    repeated: Cell<usize>,
}

/// The arrays and objects that are being read at this place, innermost first.
struct Within<'p> {
    value: &'p Value,
    outer: Option<&'p Within<'p>>,
}

/// One value on its way into a Rust type.
#[derive(Clone, Copy)]
struct Reader<'de, 'p> {
    source: &'p Source<'de>,
    /// A reference only if it cannot be followed: an error, unless the Rust type does not look.
    value: &'de Value,
    within: Option<&'p Within<'p>>,
    depth: usize,
    /// Somewhere on the way here a reference was followed.
    repeated: bool,
}

impl<'de> Source<'de> {
    fn target(&self, index: usize, within: Option<&Within<'_>>) -> Result<&'de Value, Lost> {
        let target = self.slots.get_or_init(|| Slots::of(self.root)).get(index)?;
        let mut around = within;
        while let Some(Within { value, outer }) = around {
            if std::ptr::eq(*value, target) {
                return Err(Lost::Cycle);
            }
            around = *outer;
        }
        Ok(target)
    }

    fn repeat(&self, value: &Value) -> Result<(), Error> {
        let text = match value {
            Value::Str(text) => text.as_bytes().len(),
            Value::Custom(custom) => custom.body().len(),
            Value::Enum(case) => case.name().len(),
            _ => 0,
        };
        self.spend(64 + text)
    }

    fn spend(&self, bytes: usize) -> Result<(), Error> {
        self.repeated.set(self.repeated.get().saturating_add(bytes));
        if self.repeated.get() > REPEATED {
            return Err(Error::mismatch(format!("references repeat more than {REPEATED} bytes")));
        }
        Ok(())
    }
}

impl<'de, 'p> Reader<'de, 'p> {
    /// Reads `value`, which stands where this reader stands.
    fn read<S: DeserializeSeed<'de>>(self, value: &'de Value, seed: S) -> Result<S::Value, Error> {
        let mut reader = Reader { value, ..self };
        if let Value::Same(index) | Value::Reference(index) = value
            && let Ok(target) = self.source.target(*index, self.within)
        {
            reader = Reader { value: target, repeated: true, ..self };
        }
        if reader.repeated {
            self.source.repeat(reader.value)?;
        }
        seed.deserialize(reader)
    }

    fn mismatch(&self, expected: &dyn Expected) -> Error {
        let (Value::Same(index) | Value::Reference(index)) = self.value else {
            return Error::found(expected, self.value);
        };
        let why = match self.source.target(*index, self.within) {
            Err(Lost::Cycle) => "leads back into itself",
            Err(Lost::Hidden) => "counts values inside an object that only its class can read",
            Err(Lost::Missing) | Ok(_) => "leads nowhere",
        };
        Error::mismatch(format!("{} {why}", describe(self.value)))
    }

    fn members(&self) -> Option<Vec<(Name<'de>, &'de Value)>> {
        match self.value {
            Value::Array(array) => Some(array.members(None)),
            Value::Object(object) => Some(object.properties().members(Some(object.class()))),
            _ => None,
        }
    }

    /// The way into this array or object.
    fn inside(self, members: Vec<(Name<'de>, &'de Value)>) -> Result<Inside<'de, 'p>, Error> {
        if self.depth >= DEPTH {
            return Err(Error::mismatch(format!("Maximum depth of {DEPTH} exceeded")));
        }
        if self.repeated {
            self.source.spend(members.iter().map(|(name, _)| name.len()).sum())?;
        }
        Ok(Inside { container: self, members: members.into_iter(), value: None })
    }

    fn list<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Array(array) => visitor.visit_seq(self.inside(array.members(None))?),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.members() {
            Some(members) => visitor.visit_map(self.inside(members)?),
            None => Err(self.mismatch(&visitor)),
        }
    }

    /// A type named like a PHP class takes only that class.
    fn check_class(&self, name: &str) -> Result<(), Error> {
        let (what, class) = match self.value {
            Value::Object(object) => ("object", object.class()),
            Value::Enum(case) => ("enum", case.class()),
            _ => return Ok(()),
        };
        let Some(name) = class_named(name).filter(|name| !class.eq_ignore_ascii_case(name.as_bytes())) else {
            return Ok(());
        };
        if is_model(name.as_bytes()) && is_model(class) {
            return Ok(());
        }
        Err(Error::mismatch(format!("expected {what} {name}, found {}", describe(self.value))))
    }
}

/// Types that no array or object can be: said here, where the class is still known.
macro_rules! scalars {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            if self.value.entries().is_some() {
                return Err(self.mismatch(&visitor));
            }
            self.deserialize_any(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'de, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => visitor.visit_i64(value.get()),
            Value::Float(value) => visitor.visit_f64(value.get()),
            Value::Str(value) => text(value.as_bytes(), visitor),
            Value::Array(array) if array.is_list() => self.list(visitor),
            Value::Array(_) | Value::Object(_) => self.map(visitor),
            Value::Custom(custom) => text(custom.body(), visitor),
            Value::Enum(case) => text(case.name(), visitor),
            Value::Same(_) | Value::Reference(_) => Err(self.mismatch(&visitor)),
        }
    }

    scalars! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_identifier
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Str(value) => visitor.visit_borrowed_bytes(value.as_bytes()),
            Value::Custom(custom) => visitor.visit_borrowed_bytes(custom.body()),
            Value::Array(_) => self.list(visitor),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            // A tuple of nothing: the arguments of a method that takes none.
            Value::Array(array) if array.is_empty() => visitor.visit_unit(),
            Value::Array(_) | Value::Object(_) => Err(self.mismatch(&visitor)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.check_class(name)?;
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Array(array) if array.len() != length => Err(self.mismatch(&visitor)),
            _ => self.list(visitor),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.map(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.check_class(name)?;
        self.map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.check_class(name)?;
        match self.value {
            Value::Enum(case) => Name::Str(case.name()).deserialize_enum(name, variants, visitor),
            Value::Str(value) => Name::Str(value.as_bytes()).deserialize_enum(name, variants, visitor),
            Value::Int(value) => Name::Int(value.get()).deserialize_enum(name, variants, visitor),
            // As serde writes a variant with data: one entry under the variant's name.
            Value::Array(_) | Value::Object(_) => match self.members().as_deref() {
                Some([entry]) => visitor.visit_enum(self.inside(vec![*entry])?),
                _ => Err(self.mismatch(&visitor)),
            },
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::fmt::Debug;

    use serde::de::IgnoredAny;
    use serde_json::json;

    use super::*;
    use crate::php::parse;

    fn ok<T: DeserializeOwned + PartialEq + Debug>(bytes: &str, expected: T) {
        assert_eq!(from_bytes::<T>(bytes.as_bytes()), Ok(expected), "{bytes}");
    }

    fn err<T: DeserializeOwned + Debug>(bytes: &str, message: &str) {
        assert_eq!(from_bytes::<T>(bytes.as_bytes()).unwrap_err().to_string(), message, "{bytes}");
    }

    #[derive(Debug, PartialEq, Deserialize)]
    enum Suit {
        Hearts,
        #[serde(rename = "1")]
        One,
        Data(i64),
        Pair(i64, String),
        Named {
            x: i64,
        },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename = "App\\Suit")]
    enum OwnSuit {
        Hearts,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Wrapped(i64);

    #[derive(Debug, PartialEq, Deserialize)]
    struct Job {
        id: u32,
        note: Option<String>,
        token: String,
    }

    const JOB: &str = "O:7:\"App\\Job\":4:{s:14:\"\0App\\Job\0token\";s:1:\"t\";s:11:\"\0Base\0token\";i:1;s:2:\"id\";i:5;s:7:\"\0*\0note\";N;}";

    #[test]
    fn scalars() {
        ok("N;", ());
        ok("a:0:{}", ());
        ok("N;", None::<i64>);
        ok("i:5;", Some(5));
        ok("b:1;", true);
        ok("i:+5;", 5_u8);
        ok("i:-5;", -5_i128);
        ok("i:5;", 5.0_f64);
        ok("d:1.0E+25;", 1e25);
        ok("d:-INF;", f64::NEG_INFINITY);
        ok("i:5;", Wrapped(5));
        ok("s:2:\"é\";", "é".to_owned());
        ok("s:1:\"x\";", 'x');
        ok("S:1:\"\\41\";", "A".to_owned());
        ok("E:10:\"Suit:Clubs\";", "Clubs".to_owned());
        ok("C:1:\"A\":3:{abc}", "abc".to_owned());
        let value = parse(b"s:3:\"abc\";").unwrap();
        assert_eq!(from_value::<&str>(&value), Ok("abc"));
        assert_eq!(from_value::<&[u8]>(&value), Ok(&b"abc"[..]));
        let value = parse(b"C:1:\"A\":2:{\xff\0}").unwrap();
        assert_eq!(from_value::<&[u8]>(&value), Ok(&b"\xff\0"[..]));
    }

    #[test]
    fn arrays() {
        ok("a:2:{i:0;i:7;i:1;i:8;}", vec![7, 8]);
        ok("a:2:{i:5;i:7;s:1:\"k\";i:8;}", vec![7, 8]);
        ok("a:2:{i:5;i:7;i:5;i:8;}", vec![8]);
        ok("a:2:{i:0;i:7;i:1;s:1:\"x\";}", (7, "x".to_owned()));
        ok("a:0:{}", HashMap::<String, i64>::new());
        ok("a:0:{}", Vec::<i64>::new());
        ok("a:2:{i:5;i:1;s:1:\"k\";i:2;}", BTreeMap::from([("5".to_owned(), 1), ("k".to_owned(), 2)]));
        ok("a:2:{i:-5;i:1;s:1:\"7\";i:2;}", BTreeMap::from([(-5_i64, 1), (7, 2)]));
        ok("a:1:{s:6:\"Hearts\";i:1;}", BTreeMap::from([(Wrapper("Hearts".into()), 1)]));
        ok("O:1:\"A\":1:{s:4:\"\0*\0x\";i:1;}", BTreeMap::from([("x".to_owned(), 1)]));
    }

    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
    struct Wrapper(String);

    #[test]
    fn objects_by_property_name_whatever_the_visibility() {
        ok(JOB, Job { id: 5, note: None, token: "t".into() });
        ok("a:2:{s:2:\"id\";i:5;s:5:\"token\";s:0:\"\";}", Job { id: 5, note: None, token: "".into() });
        ok(JOB, json!({"token": "t", "id": 5, "note": null}));
    }

    #[test]
    fn enums() {
        ok("E:15:\"App\\Suit:Hearts\";", Suit::Hearts);
        ok("E:15:\"app\\suit:Hearts\";", OwnSuit::Hearts);
        ok("s:6:\"Hearts\";", Suit::Hearts);
        ok("i:1;", Suit::One);
        ok("a:1:{s:4:\"Data\";i:5;}", Suit::Data(5));
        ok("a:1:{s:4:\"Pair\";a:2:{i:0;i:5;i:1;s:1:\"x\";}}", Suit::Pair(5, "x".into()));
        ok("a:1:{s:5:\"Named\";O:1:\"A\":1:{s:1:\"x\";i:5;}}", Suit::Named { x: 5 });
        err::<OwnSuit>(
            "E:17:\"Other\\Suit:Hearts\";",
            "expected enum App\\Suit, found enum Other\\Suit::Hearts",
        );
        err::<Suit>("s:3:\"abc\";", "expected one of Hearts, 1, Data, Pair, Named, found \"abc\"");
    }

    #[test]
    fn errors_name_the_property_in_phps_words() {
        err::<i64>("s:3:\"abc\";", "expected int, found string \"abc\"");
        err::<u8>("i:300;", "expected int (u8), found int 300");
        err::<i64>("d:5;", "expected int, found float 5");
        err::<String>("S:1:\"\\ff\";", "expected string, found string \"\\xff\", which is not UTF-8");
        err::<String>("O:3:\"App\":0:{}", "expected string, found object App");
        err::<bool>("N;", "expected bool, found null");
        err::<Vec<i64>>("i:1;", "expected list, found int 1");
        err::<HashMap<String, HashMap<i64, bool>>>(
            "a:1:{s:4:\"user\";a:1:{i:3;i:1;}}",
            "property \"user.3\": expected bool, found int 1",
        );
        err::<HashMap<String, Job>>(
            "a:1:{s:1:\"j\";a:1:{s:2:\"id\";i:1;}}",
            "property \"j.token\": expected, but the object does not have it",
        );
        err::<HashMap<u8, i64>>(
            "a:1:{s:1:\"k\";i:1;}",
            "property \"k\": expected int (u8), found string \"k\"",
        );
        err::<(i64, i64)>("a:1:{i:0;i:1;}", "expected a tuple of size 2, found array of 1");
        err::<()>("a:1:{i:0;i:1;}", "expected null, found array of 1");
        err::<()>("O:1:\"A\":0:{}", "expected null, found object A");
        err::<i64>("i:5", "unserialize(): Error at offset 3 of 3 bytes: expected \";\", found the end");
    }

    #[test]
    fn anything_goes_where_any_type_goes() {
        ok("a:3:{i:0;N;i:1;d:0.5;i:2;E:3:\"A:b\";}", json!([null, 0.5, "b"]));
        ok("a:2:{i:5;i:1;s:1:\"k\";a:0:{}}", json!({"5": 1, "k": []}));
        err::<serde_json::Value>(
            "a:1:{s:1:\"k\";S:1:\"\\ff\";}",
            "property \"k\": expected any valid JSON value, found string \"\\xff\", which is not UTF-8",
        );

        #[derive(Debug, PartialEq, Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(i64),
            Suit(OwnSuit),
            Text(String),
            Job(Job),
        }
        ok("i:5;", Either::Number(5));
        ok("E:15:\"App\\Suit:Hearts\";", Either::Suit(OwnSuit::Hearts));
        ok("s:3:\"abc\";", Either::Text("abc".into()));
        ok(JOB, Either::Job(Job { id: 5, note: None, token: "t".into() }));

        #[derive(Debug, PartialEq, Deserialize)]
        struct Flat {
            id: i64,
            #[serde(flatten)]
            rest: BTreeMap<String, serde_json::Value>,
        }
        let rest = BTreeMap::from([("7".to_owned(), json!([1])), ("note".to_owned(), json!("x"))]);
        ok("a:3:{s:2:\"id\";i:5;i:7;a:1:{i:0;i:1;}s:4:\"note\";s:1:\"x\";}", Flat { id: 5, rest });
    }

    #[test]
    fn everything_can_be_ignored() {
        for bytes in
            ["N;", "d:NAN;", "S:1:\"\\ff\";", "C:1:\"A\":1:{\0}", "E:3:\"A:b\";", "a:1:{i:0;R:1;}", JOB]
        {
            assert!(from_bytes::<IgnoredAny>(bytes.as_bytes()).is_ok(), "{bytes}");
        }
        #[derive(Debug, PartialEq, Deserialize)]
        struct Only {
            id: i64,
        }
        ok("O:1:\"A\":3:{s:1:\"s\";r:1;s:1:\"c\";C:1:\"C\":0:{}s:2:\"id\";i:5;}", Only { id: 5 });
        ok("O:1:\"A\":3:{s:1:\"c\";C:1:\"C\":0:{}s:1:\"s\";r:9;s:2:\"id\";i:5;}", Only { id: 5 });
    }

    #[test]
    fn references_are_followed() {
        ok("a:3:{i:0;s:1:\"x\";i:1;R:2;i:2;R:2;}", vec!["x".to_owned(); 3]);
        // serialize([$o, $o, &$x, &$x, $p, $p, 'k' => [&$x, $p]]) by PHP 8.2
        ok(
            "a:7:{i:0;O:1:\"P\":1:{s:1:\"a\";i:1;}i:1;r:2;i:2;i:5;i:3;R:5;i:4;O:1:\"P\":1:{s:1:\"a\";N;}i:5;r:6;s:1:\"k\";a:2:{i:0;R:5;i:1;r:6;}}",
            json!({"0": {"a": 1}, "1": {"a": 1}, "2": 5, "3": 5, "4": {"a": null}, "5": {"a": null}, "k": [5, {"a": null}]}),
        );
        let value = parse(b"a:2:{i:0;O:1:\"P\":0:{}s:1:\"k\";a:1:{s:1:\"p\";r:2;}}").unwrap();
        let part: serde_json::Value = from_part(&value, value.get("k").unwrap()).unwrap();
        assert_eq!(part, json!({"p": {}}));
    }

    #[test]
    fn references_that_cannot_be_followed() {
        err::<serde_json::Value>(
            "O:1:\"A\":1:{s:4:\"self\";r:1;}",
            "property \"self\": reference r:1 leads back into itself",
        );
        err::<serde_json::Value>(
            "a:2:{i:0;C:1:\"C\":0:{}i:1;R:3;}",
            "property \"1\": reference R:3 counts values inside an object that only its class can read",
        );
        // 2^40 values in 40 short arrays.
        let mut bytes = "a:40:{i:0;a:0:{}".to_owned();
        for index in 1..40 {
            let slot = index + 1;
            bytes += &format!("i:{index};a:2:{{i:0;R:{slot};i:1;R:{slot};}}");
        }
        // One long key, meant 100,000 times.
        let key = "k".repeat(100_000);
        let again: String = (1..=100_000).map(|index| format!("i:{index};R:2;")).collect();
        let keys = format!("a:100001:{{i:0;a:1:{{s:100000:\"{key}\";N;}}{again}");
        for bytes in [bytes, keys] {
            let error = from_bytes::<serde_json::Value>((bytes + "}").as_bytes()).unwrap_err().to_string();
            assert!(error.ends_with(": references repeat more than 67108864 bytes"), "{error}");
        }
    }

    /// In a debug build, on the 2 MiB a thread gets.
    #[test]
    fn depth_is_an_error_before_it_is_an_overflow() {
        #[derive(Debug, Deserialize)]
        #[serde(untagged)]
        #[allow(dead_code)]
        enum Tree {
            Leaf(i64),
            Node(Vec<Tree>),
            Other(BTreeMap<String, Tree>),
        }
        #[derive(Debug, Deserialize)]
        struct Flat {
            #[serde(flatten)]
            _rest: BTreeMap<String, serde_json::Value>,
        }
        let nested = |levels: usize, open: &str| [&open.repeat(levels), "i:1;", &"}".repeat(levels)].concat();
        let run = move || {
            for open in ["a:1:{i:0;", "a:1:{i:1;", "O:1:\"A\":1:{s:1:\"a\";"] {
                assert!(from_bytes::<serde_json::Value>(nested(DEPTH, open).as_bytes()).is_ok());
                assert!(from_bytes::<Tree>(nested(DEPTH, open).as_bytes()).is_ok());
                assert!(from_bytes::<Flat>(nested(DEPTH, open).as_bytes()).is_ok());
                let error = from_bytes::<serde_json::Value>(nested(DEPTH + 1, open).as_bytes()).unwrap_err();
                assert!(
                    error.to_string().ends_with(".0\": Maximum depth of 128 exceeded")
                        || !open.contains("i:0")
                );
            }
        };
        std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
    }
}
