//! A value into lossless JSON.
//!
//! Owns which form a value takes. Never fails: every value has a form. Counterpart in PHP: none.

use std::collections::HashSet;
use std::fmt::Write;

use base64::prelude::{BASE64_STANDARD, Engine};

use crate::php::array::{Array, Key};
use crate::php::value::{Int, Str, Value};
use crate::php::walk::Step;

/// The value as lossless JSON, on one line; [`from_lossless`](super::from_lossless) reads it back.
pub fn to_lossless(value: &Value) -> String {
    let mut out = String::new();
    let mut open: Vec<Open> = Vec::new();
    for step in value.walk() {
        match step {
            Step::Key(key) => {
                let Some(top) = open.last_mut() else { continue };
                if !std::mem::take(&mut top.first) {
                    out.push(',');
                }
                match top.form {
                    Form::List => {}
                    Form::Names => {
                        name(&mut out, key);
                        out.push(':');
                    }
                    Form::Pairs => {
                        out.push('[');
                        name(&mut out, key);
                        out.push(',');
                    }
                }
                continue;
            }
            Step::Value(value) => {
                if let Some((form, close)) = head(&mut out, value) {
                    open.push(Open { form, close, first: true });
                    continue;
                }
            }
            Step::End => out.push_str(open.pop().map_or("", |done| done.close)),
        }
        if matches!(open.last(), Some(Open { form: Form::Pairs, .. })) {
            out.push(']');
        }
    }
    out
}

/// An array or object that is half written.
struct Open {
    form: Form,
    close: &'static str,
    first: bool,
}

#[derive(Clone, Copy)]
enum Form {
    List,
    /// `{"key": value, ...}`
    Names,
    /// `[[key, value], ...]`
    Pairs,
}

/// A scalar, or an array or object up to its first entry, with the form of its entries and what ends them.
fn head(out: &mut String, value: &Value) -> Option<(Form, &'static str)> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => add(out, value),
        Value::Int(value) => int(out, value),
        Value::Float(value) => {
            tag(out, "float", |out| text(out, value.as_str().as_bytes()));
        }
        Value::Str(value) => string(out, value),
        Value::Array(array) => return Some(entries(out, "{\"array\":", array, ["]", "}}", "]}"])),
        Value::Object(object) => {
            out.push_str("{\"object\":[");
            text(out, object.class());
            return Some(entries(out, ",", object.properties(), ["", "}]}", "]]}"]));
        }
        Value::Custom(custom) => tag(out, "custom", |out| pair(out, custom.class(), custom.body())),
        Value::Enum(case) => tag(out, "enum", |out| pair(out, case.class(), case.name())),
        Value::Same(index) => tag(out, "same", |out| add(out, index)),
        Value::Reference(index) => tag(out, "reference", |out| add(out, index)),
    }
    None
}

/// What opens the entries; `ends` are those of a list (of an array alone), of names and of pairs.
fn entries(out: &mut String, before: &str, array: &Array, ends: [&'static str; 3]) -> (Form, &'static str) {
    let [list, names, pairs] = ends;
    if !list.is_empty() && is_plain_list(array) {
        out.push('[');
        return (Form::List, list);
    }
    out.push_str(before);
    let (form, bracket, end) =
        if has_plain_names(array) { (Form::Names, '{', names) } else { (Form::Pairs, '[', pairs) };
    out.push(bracket);
    (form, end)
}

fn is_plain_list(array: &Array) -> bool {
    array.iter().zip(0..).all(|((key, _), index)| *key == Key::from(index))
}

/// Is every key a string of its own that JSON can hold?
fn has_plain_names(array: &Array) -> bool {
    let mut seen = HashSet::new();
    array.iter().all(|(key, _)| match key {
        Key::Str(name) => {
            let bytes = name.as_bytes();
            name.escaped.is_none() && std::str::from_utf8(bytes).is_ok() && seen.insert(bytes)
        }
        Key::Int(_) => false,
    })
}

fn name(out: &mut String, key: &Key) {
    match key {
        Key::Int(value) => int(out, value),
        Key::Str(name) => string(out, name),
    }
}

fn int(out: &mut String, value: &Int) {
    match &value.written {
        Some(written) => tag(out, "int", |out| text(out, &written.0)),
        None => add(out, value.get()),
    }
}

fn string(out: &mut String, value: &Str) {
    match &value.escaped {
        Some(written) => tag(out, "escaped", |out| text(out, &written.0)),
        None => text(out, value.as_bytes()),
    }
}

fn pair(out: &mut String, one: &[u8], two: &[u8]) {
    out.push('[');
    text(out, one);
    out.push(',');
    text(out, two);
    out.push(']');
}

fn text(out: &mut String, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => add(out, serde_json::Value::from(text)),
        Err(_) => tag(out, "bytes", |out| add(out, format_args!("\"{}\"", BASE64_STANDARD.encode(bytes)))),
    }
}

fn tag(out: &mut String, name: &str, inside: impl FnOnce(&mut String)) {
    add(out, format_args!("{{\"{name}\":"));
    inside(out);
    out.push('}');
}

fn add(out: &mut String, shown: impl std::fmt::Display) {
    // Writing to memory does not fail.
    let _ = write!(out, "{shown}");
}
