//! Writing: the bytes of PHP's `serialize()`.
//!
//! Never normalises: what was parsed comes out as it went in. Counterpart in PHP: `serialize()`.

use std::io::Write;

use super::array::Key;
use super::value::{Int, Str, Value};
use super::walk::Step;

impl Value {
    /// The bytes of this value: exactly those it was parsed from, or those PHP would write.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for step in self.walk() {
            match step {
                Step::Value(value) => head(&mut out, value),
                Step::Key(Key::Int(value)) => int(&mut out, value),
                Step::Key(Key::Str(name)) => string(&mut out, name),
                Step::End => out.push(b'}'),
            }
        }
        out
    }
}

/// The bytes of a value; see [`Value::write`].
pub fn write(value: &Value) -> Vec<u8> {
    value.write()
}

/// A scalar, or an array or object up to its first entry.
fn head(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend(b"N;"),
        Value::Bool(false) => out.extend(b"b:0;"),
        Value::Bool(true) => out.extend(b"b:1;"),
        Value::Int(value) => int(out, value),
        Value::Float(value) => out.extend([b"d:", value.as_str().as_bytes(), b";"].concat()),
        Value::Str(value) => string(out, value),
        Value::Array(array) => {
            number(out, b"a:", array.len(), b":{");
        }
        Value::Object(object) => {
            counted(out, b"O:", object.class().len(), object.class());
            number(out, b":", object.properties().len(), b":{");
        }
        Value::Custom(custom) => {
            counted(out, b"C:", custom.class().len(), custom.class());
            number(out, b":", custom.body().len(), b":{");
            out.extend_from_slice(custom.body());
            out.push(b'}');
        }
        Value::Enum(case) => {
            let name = [case.class(), b":", case.name()].concat();
            counted(out, b"E:", name.len(), &name);
            out.push(b';');
        }
        Value::Same(index) => number(out, b"r:", *index, b";"),
        Value::Reference(index) => number(out, b"R:", *index, b";"),
    }
}

fn int(out: &mut Vec<u8>, value: &Int) {
    match &value.written {
        Some(written) => out.extend([b"i:", &written.0[..], b";"].concat()),
        None => number(out, b"i:", value.get(), b";"),
    }
}

fn string(out: &mut Vec<u8>, value: &Str) {
    match &value.escaped {
        Some(written) => counted(out, b"S:", value.as_bytes().len(), &written.0),
        None => counted(out, b"s:", value.as_bytes().len(), value.as_bytes()),
    }
    out.push(b';');
}

fn counted(out: &mut Vec<u8>, before: &[u8], length: usize, text: &[u8]) {
    number(out, before, length, b":\"");
    out.extend_from_slice(text);
    out.push(b'"');
}

fn number(out: &mut Vec<u8>, before: &[u8], number: impl std::fmt::Display, after: &[u8]) {
    out.extend_from_slice(before);
    // Writing to memory does not fail.
    let _ = write!(out, "{number}");
    out.extend_from_slice(after);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::php::{Array, Object};

    #[test]
    fn values_of_our_own_are_written_as_php_would() {
        let mut properties = Array::new();
        properties.push("\0*\0ids", ["a", "b"].into_iter().collect::<Array>());
        properties.push("rate", 1e25);
        properties.push("5", true);
        properties.push("raw", &b"\xff\0"[..]);
        properties.push("none", Value::Null);
        properties.push("at", -7);
        let object = Value::from(Object::new("App\\Job", properties));
        assert_eq!(
            object.write().escape_ascii().to_string(),
            r#"O:7:\"App\\Job\":6:{s:6:\"\x00*\x00ids\";a:2:{i:0;s:1:\"a\";i:1;s:1:\"b\";}s:4:\"rate\";d:1.0E+25;i:5;b:1;s:3:\"raw\";s:2:\"\xff\x00\";s:4:\"none\";N;s:2:\"at\";i:-7;}"#
        );
        assert_eq!(crate::php::parse(&object.write()).unwrap(), object);
    }
}
