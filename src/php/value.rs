//! `Value`: any PHP value, with everything needed to write back the bytes it was read from.
//!
//! Owns the scalars (`Int`, `Float`, `Str`) and the quick looks into a value. Never follows references by
//! itself and never converts: `"5"` is a string. Counterpart in PHP: the zval.

use std::borrow::Cow;
use std::fmt;

use super::array::Array;
use super::object::{Case, Custom, Object};
use super::slots::Slots;

/// Any PHP value.
///
/// Two values are equal when they are written as the same bytes: `i:5;` and `i:+5;` differ, `d:NAN;` equals
/// itself. Cloning, comparing, printing, writing and dropping take no stack for nesting.
pub enum Value {
    /// `N;`
    Null,
    /// `b:1;`
    Bool(bool),
    /// `i:5;`
    Int(Int),
    /// `d:0.5;`
    Float(Float),
    /// `s:3:"abc";` or its escaped form `S:3:"a\62c";`
    Str(Str),
    /// `a:1:{...}`
    Array(Array),
    /// `O:8:"stdClass":0:{}`
    Object(Box<Object>),
    /// `C:11:"ArrayObject":5:{...}`, an object that wrote its own bytes (PHP's `Serializable`)
    Custom(Box<Custom>),
    /// `E:11:"Suit:Hearts";`
    Enum(Box<Case>),
    /// `r:2;`, the same object again. The number is a slot: every value (keys are none) takes the next one,
    /// starting with 1 at the root; only `R:` takes none.
    Same(usize),
    /// `R:2;`, a PHP reference (`&$x`) to the slot of that number.
    Reference(usize),
}

impl Value {
    /// Is this `null`?
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The bool, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(value) = self { Some(*value) } else { None }
    }

    /// The int, if this is one.
    pub fn as_int(&self) -> Option<i64> {
        if let Value::Int(value) = self { Some(value.get()) } else { None }
    }

    /// The float, if this is one.
    pub fn as_float(&self) -> Option<f64> {
        if let Value::Float(value) = self { Some(value.get()) } else { None }
    }

    /// The string, if this is one and is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// The bytes of the string, if this is one.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let Value::Str(value) = self { Some(value.as_bytes()) } else { None }
    }

    /// The array, if this is one.
    pub fn as_array(&self) -> Option<&Array> {
        if let Value::Array(array) = self { Some(array) } else { None }
    }

    /// The object, if this is one that lists its properties (`O:`).
    pub fn as_object(&self) -> Option<&Object> {
        if let Value::Object(object) = self { Some(object) } else { None }
    }

    /// The class of an object or enum case, as written; bytes that are not UTF-8 are replaced.
    pub fn class(&self) -> Option<Cow<'_, str>> {
        let class = match self {
            Value::Object(object) => object.class(),
            Value::Custom(custom) => custom.class(),
            Value::Enum(case) => case.class(),
            _ => return None,
        };
        Some(String::from_utf8_lossy(class))
    }

    /// The property of an object ([`Object::get`]) or the element of an array ([`Array::get`]) of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Object(object) => object.get(name),
            Value::Array(array) => array.get(name),
            _ => None,
        }
    }

    /// What `value`, a part of this root, stands for: itself, or where its reference leads. `None` where that
    /// cannot be known (see [`from_value`](super::from_value)). Every call walks the root once.
    pub fn follow<'a>(&'a self, value: &'a Value) -> Option<&'a Value> {
        match value {
            Value::Same(index) | Value::Reference(index) => Slots::of(self).get(*index).ok(),
            _ => Some(value),
        }
    }
}

impl fmt::Debug for Value {
    /// The value as PHP writes it, with unprintable bytes escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.write().escape_ascii())
    }
}

/// How a scalar was written, kept only where PHP itself would write it otherwise. Boxed by its holders: it is
/// rare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written(pub(super) Box<[u8]>);

/// A PHP int: 64 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Int {
    value: i64,
    pub(super) written: Option<Box<Written>>,
}

impl Int {
    /// The number. Digits beyond 64 bits were read as PHP reads them: as its largest or smallest int.
    pub fn get(&self) -> i64 {
        self.value
    }

    /// From the text between `i:` and `;`, known to be a sign or none and digits.
    pub(super) fn read(text: &[u8]) -> Int {
        let digits = std::str::from_utf8(text).unwrap_or_default();
        let value = digits.parse().unwrap_or(if text.first() == Some(&b'-') { i64::MIN } else { i64::MAX });
        let magnitude = text.strip_prefix(b"-").unwrap_or(text);
        let plain = match magnitude {
            [b'0'] => text.len() == 1,
            [first, ..] => {
                (b'1'..=b'9').contains(first) && (magnitude.len() < 19 || value.to_string() == digits)
            }
            [] => false,
        };
        Int { value, written: (!plain).then(|| Box::new(Written(text.into()))) }
    }
}

impl From<i64> for Int {
    fn from(value: i64) -> Self {
        Int { value, written: None }
    }
}

/// A PHP float, kept as its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Float(Box<str>);

impl Float {
    /// The number.
    pub fn get(&self) -> f64 {
        // PHP's three words are also Rust's; every other text is a number that Rust reads to the same nearest
        // double.
        self.0.parse().unwrap_or(f64::NAN)
    }

    /// The text, as `0.1`, `1.0E+25`, `-0`, `INF`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// From the text between `d:` and `;`, known to be a float.
    pub(super) fn read(text: &[u8]) -> Float {
        Float(String::from_utf8_lossy(text).into())
    }
}

impl From<f64> for Float {
    /// The text PHP writes with `serialize_precision = -1`, its default: the shortest digits that read back.
    fn from(value: f64) -> Self {
        if !value.is_finite() {
            let word = if value.is_nan() {
                "NAN"
            } else if value > 0.0 {
                "INF"
            } else {
                "-INF"
            };
            return Float(word.into());
        }
        let shortest = format!("{value:e}");
        let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
        let exponent: i32 = exponent.parse().unwrap_or_default();
        if (-4..=16).contains(&exponent) {
            return Float(format!("{value}").into());
        }
        let fraction = if mantissa.contains('.') { "" } else { ".0" };
        Float(format!("{mantissa}{fraction}E{exponent:+}").into())
    }
}

/// A PHP string: bytes, often UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Str {
    bytes: Box<[u8]>,
    /// The text between the quotes of the `S:` form.
    pub(super) escaped: Option<Box<Written>>,
}

impl Str {
    /// The bytes PHP sees.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn escaped(bytes: Vec<u8>, written: &[u8]) -> Str {
        Str { bytes: bytes.into(), escaped: Some(Box::new(Written(written.into()))) }
    }
}

impl From<&[u8]> for Str {
    fn from(bytes: &[u8]) -> Self {
        Str { bytes: bytes.into(), escaped: None }
    }
}

impl From<&str> for Str {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Float(value.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Str(text.into())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Value::Str(bytes.into())
    }
}

impl From<Array> for Value {
    fn from(array: Array) -> Self {
        Value::Array(array)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Value::Object(Box::new(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_php_writes_them() {
        // Printed by PHP 8.2: echo serialize($f);
        for (value, text) in [
            (0.1, "0.1"),
            (1.0, "1"),
            (100.0, "100"),
            (-0.0, "-0"),
            (1.0 / 3.0, "0.3333333333333333"),
            (1e16, "10000000000000000"),
            (1e17, "1.0E+17"),
            (123456789012345678.0, "1.2345678901234568E+17"),
            (1e25, "1.0E+25"),
            (-1.5e300, "-1.5E+300"),
            (f64::MAX, "1.7976931348623157E+308"),
            (0.0001, "0.0001"),
            (0.00001, "1.0E-5"),
            (5e-324, "5.0E-324"),
            (f64::INFINITY, "INF"),
            (f64::NEG_INFINITY, "-INF"),
            (f64::NAN, "NAN"),
        ] {
            let float = Float::from(value);
            assert_eq!(float.as_str(), text);
            assert!(float.get() == value || value.is_nan() && float.get().is_nan(), "{text}");
        }
    }

    #[test]
    fn ints_keep_their_text_only_where_it_is_odd() {
        for (text, value, odd) in [
            ("5", 5, false),
            ("0", 0, false),
            ("-5", -5, false),
            ("9223372036854775807", i64::MAX, false),
            ("-9223372036854775808", i64::MIN, false),
            ("+5", 5, true),
            ("-0", 0, true),
            ("007", 7, true),
            ("0000000000000000000000007", 7, true),
            ("9223372036854775808", i64::MAX, true),
            ("-99999999999999999999", i64::MIN, true),
        ] {
            let int = Int::read(text.as_bytes());
            assert_eq!((int.get(), int.written.is_some()), (value, odd), "{text}");
        }
    }

    #[test]
    fn a_value_stays_small() {
        assert!(size_of::<Value>() <= 32, "{}", size_of::<Value>());
        assert!(size_of::<(super::super::Key, Value)>() <= 56);
    }
}
