//! JSON as PHP's `json_encode` writes it.
//!
//! Owns the text form: what is escaped, how floats look; and what becomes of arrays that `json_decode` has read. Never
//! decides what is written. Counterpart in PHP: `json_encode` without flags and with JSON_UNESCAPED_UNICODE.

use serde_json::Value;

use crate::php;

/// What PHP has in hand after `json_decode(..., true)`: objects are arrays, and an array whose keys are 0, 1, 2 is a list.
pub(crate) fn as_arrays(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(as_arrays).collect(),
        Value::Object(fields) => {
            let is_list = fields.keys().enumerate().all(|(index, key)| *key == index.to_string());
            let fields = fields.into_iter().map(|(key, value)| (key, as_arrays(value)));
            if is_list { fields.map(|(_, value)| value).collect() } else { Value::Object(fields.collect()) }
        }
        scalar => scalar,
    }
}

/// Appends a value.
pub(crate) fn value(out: &mut String, value: &Value, unescaped_unicode: bool) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => out.push_str(&int.to_string()),
            // What no int of PHP's holds is a float there.
            (None, Some(float)) => out.push_str(&php::Float::from(float).as_str().replace('E', "e")),
            (None, None) => out.push_str(&number.to_string()),
        },
        Value::String(text) => string(out, text, unescaped_unicode),
        Value::Array(values) => {
            out.push('[');
            for (index, inner) in values.iter().enumerate() {
                comma(out, index);
                self::value(out, inner, unescaped_unicode);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (index, (name, inner)) in fields.iter().enumerate() {
                comma(out, index);
                string(out, name, unescaped_unicode);
                out.push(':');
                self::value(out, inner, unescaped_unicode);
            }
            out.push('}');
        }
    }
}

fn comma(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}

fn string(out: &mut String, text: &str, unescaped_unicode: bool) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '/' => out.push_str("\\/"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='\x7f' => out.push(character),
            // Scripts take these two for line ends.
            '\u{2028}' | '\u{2029}' => escaped(out, character),
            '\u{80}'.. if unescaped_unicode => out.push(character),
            _ => escaped(out, character),
        }
    }
    out.push('"');
}

fn escaped(out: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        out.push_str(&format!("\\u{unit:04x}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &Value, unescaped_unicode: bool) -> String {
        let mut out = String::new();
        self::value(&mut out, value, unescaped_unicode);
        out
    }

    #[test]
    fn text_is_escaped_as_php_does() {
        let text = Value::from("\"\\/\u{8}\u{c}\n\r\t\u{1}\u{7f} é 🚀 \u{2028}\u{2029}<&'");
        let ascii = r#""\"\\\/\b\f\n\r\t\u0001"#.to_owned() + "\u{7f}";
        assert_eq!(written(&text, false), ascii.clone() + r#" \u00e9 \ud83d\ude80 \u2028\u2029<&'""#);
        assert_eq!(written(&text, true), ascii + " é 🚀 \\u2028\\u2029<&'\"");
    }

    #[test]
    fn numbers_look_as_in_php() {
        let numbers = serde_json::json!([
            1,
            -1,
            1.0,
            -0.0,
            1e25,
            1e16,
            1e17,
            0.1,
            1e-5,
            0.0001,
            -1e-7,
            1.5e300,
            i64::MIN,
            u64::MAX
        ]);
        let php = "[1,-1,1,-0,1.0e+25,10000000000000000,1.0e+17,0.1,1.0e-5,0.0001,-1.0e-7,1.5e+300,\
                   -9223372036854775808,1.8446744073709552e+19]";
        assert_eq!(written(&numbers, true), php);
    }

    #[test]
    fn what_php_has_decoded_it_encodes_with_lists_for_objects() {
        for (json, again) in [
            (r#"{"e":{},"f":1.0}"#, r#"{"e":[],"f":1}"#),
            (r#"{"0":"a","1":{"0":"b"}}"#, r#"["a",["b"]]"#),
            (r#"{"1":"a","0":"b"}"#, r#"{"1":"a","0":"b"}"#),
            (r#"{"0":1,"01":2}"#, r#"{"0":1,"01":2}"#),
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
            (r#"[1e2,-1.0,18446744073709551615,0.00001]"#, r#"[100,-1,1.8446744073709552e+19,1.0e-5]"#),
            (r#""é/""#, r#""\u00e9\/""#),
        ] {
            assert_eq!(written(&as_arrays(serde_json::from_str(json).unwrap()), false), again, "{json}");
        }
    }

    #[test]
    fn empty_lists_and_objects_stay_apart() {
        assert_eq!(
            written(&serde_json::json!({"a/b": [], "c": {}, "d": null}), true),
            r#"{"a\/b":[],"c":{},"d":null}"#
        );
    }
}
