//! PHP values as JSON, there and back without loss; and JSON as PHP's `json_encode` writes it by default.
//!
//! Owns the lossless form: ordinary values as themselves, everything else under a tag. Never shortens or
//! guesses: for a view to be shown there is [`Value::to_json`](super::Value::to_json). Counterpart in PHP: none;
//! `json_encode()` loses classes, visibility, references and bytes.
//!
//! | PHP | lossless JSON |
//! |---|---|
//! | `N;` `b:1;` `i:5;` | `null` `true` `5` |
//! | an int PHP would write otherwise, `i:+5;` | `{"int": "+5"}` |
//! | `d:1.0E+25;` | `{"float": "1.0E+25"}`: the text, digit by digit |
//! | `s:4:"text";` | `"text"` |
//! | a string that is not UTF-8 | `{"bytes": "/wA="}`, base64 |
//! | `S:3:"a\62c";` | `{"escaped": "a\\62c"}`: what stands between the quotes, itself in either form of a string |
//! | `a:1:{i:0;N;}`, a list | `[null]` |
//! | `a:1:{s:1:"k";N;}` | `{"array": {"k": null}}` where every key is a string of its own, `s:` and UTF-8 |
//! | any other array | `{"array": [[5, null], ["k", true]]}`: keys as ints or strings, in either form |
//! | `O:3:"App":1:{s:4:"\0*\0k";N;}` | `{"object": ["App", {"\u0000*\u0000k": null}]}`, the second as with arrays; names stay mangled |
//! | `C:3:"App":3:{abc}` | `{"custom": ["App", "abc"]}` |
//! | `E:11:"Suit:Hearts";` | `{"enum": ["Suit", "Hearts"]}` |
//! | `r:2;` `R:2;` | `{"same": 2}` `{"reference": 2}` |

pub(crate) mod encode;
mod read;
mod source;
mod write;

use std::fmt::Write;

pub use read::from_lossless;
pub use write::to_lossless;
/// The same JSON with non-ASCII characters as `\uXXXX`.
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub fn escape_beyond_ascii(json: &str) -> String {
    escaped(json, "/")
}

/// The same JSON text with `/` as `\/` and non-ASCII characters as `\uXXXX`.
pub fn escape(json: &str) -> String {
    escaped(json, "\\/")
}

fn escaped(json: &str, slash: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for char in json.chars() {
        match char {
            '/' => out.push_str(slash),
            char if char.is_ascii() => out.push(char),
            char => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::php::parse;
    use crate::php::parse::tests::serialized;

    fn both_ways(bytes: &[u8]) -> String {
        let value = parse(bytes).unwrap_or_else(|error| panic!("{}: {error}", bytes.escape_ascii()));
        let json = to_lossless(&value);
        let back = from_lossless(&json).unwrap_or_else(|error| panic!("{json}: {error}"));
        assert_eq!(back.write().escape_ascii().to_string(), bytes.escape_ascii().to_string(), "{json}");
        json
    }

    #[test]
    fn every_kind_of_value_has_its_form_and_comes_back() {
        for (php, json) in [
            (&b"N;"[..], "null"),
            (b"b:0;", "false"),
            (b"i:-9223372036854775808;", "-9223372036854775808"),
            (b"i:-0;", r#"{"int":"-0"}"#),
            (b"i:9223372036854775808;", r#"{"int":"9223372036854775808"}"#),
            (b"d:5;", r#"{"float":"5"}"#),
            (b"d:-INF;", r#"{"float":"-INF"}"#),
            (b"s:6:\"a\"\n\0\xc3\xa9\";", r#""a\"\n\u0000Ã©""#),
            (b"s:2:\"\xff\0\";", r#"{"bytes":"/wA="}"#),
            (b"S:3:\"a\\62c\";", r#"{"escaped":"a\\62c"}"#),
            (b"S:2:\"\xff\\62\";", r#"{"escaped":{"bytes":"/1w2Mg=="}}"#),
            (b"a:0:{}", "[]"),
            (b"a:2:{i:0;N;i:1;a:1:{i:0;b:1;}}", "[null,[true]]"),
            (b"a:2:{s:1:\"b\";N;s:1:\"5\";a:0:{}}", r#"{"array":{"b":null,"5":[]}}"#),
            (b"a:2:{i:1;N;s:1:\"a\";N;}", r#"{"array":[[1,null],["a",null]]}"#),
            (b"a:1:{s:1:\"0\";N;}", r#"{"array":{"0":null}}"#),
            (b"a:1:{i:+0;N;}", r#"{"array":[[{"int":"+0"},null]]}"#),
            (b"a:2:{s:1:\"a\";N;s:1:\"a\";N;}", r#"{"array":[["a",null],["a",null]]}"#),
            (b"a:1:{S:1:\"\\35\";a:1:{i:0;N;}}", r#"{"array":[[{"escaped":"\\35"},[null]]]}"#),
            (b"a:1:{s:1:\"\xff\";N;}", r#"{"array":[[{"bytes":"/w=="},null]]}"#),
            (b"O:1:\"A\":0:{}", r#"{"object":["A",{}]}"#),
            (b"O:1:\"A\":1:{s:4:\"\0*\0p\";N;}", r#"{"object":["A",{"\u0000*\u0000p":null}]}"#),
            (b"O:1:\"\xff\":1:{i:0;N;}", r#"{"object":[{"bytes":"/w=="},[[0,null]]]}"#),
            (b"C:1:\"A\":2:{\xff}}", r#"{"custom":["A",{"bytes":"/30="}]}"#),
            (b"E:11:\"Suit:Hearts\";", r#"{"enum":["Suit","Hearts"]}"#),
            (
                b"a:3:{i:0;O:1:\"A\":0:{}i:1;r:2;i:2;R:2;}",
                r#"[{"object":["A",{}]},{"same":2},{"reference":2}]"#,
            ),
        ] {
            assert_eq!(both_ways(php), json.replace("Ã©", "\u{e9}"), "{}", php.escape_ascii());
        }
    }

    #[test]
    fn errors_name_the_byte_and_the_way_out() {
        for (json, message) in [
            ("", "at offset 0 of 0 bytes: Syntax error, incomplete document"),
            ("[1 2]", "at offset 3 of 5 bytes: Syntax error, missing comma"),
            ("[1] 2", "at offset 4 of 5 bytes: Syntax error, trailing data"),
            (
                "[0, 0.5]",
                "at offset 4 of 8 bytes: expected an int, {\"int\": \"...\"} or {\"float\": \"...\"}, found \"0.5\"",
            ),
            (
                r#"{"text": 5}"#,
                "at offset 1 of 11 bytes: expected a tag (one of int, float, bytes, escaped, array, object, custom, enum, \
                 same, reference), found \"text\"",
            ),
            (r#"{"int": 5}"#, "at offset 8 of 10 bytes: expected string, found number"),
            (r#"{"int": "5", "x": 1}"#, "at offset 13 of 20 bytes: expected the end of this tag, found more"),
            (r#"{"float": "0,5"}"#, "at offset 10 of 16 bytes: expected float, found \"0,5\""),
            (r#"{"bytes": "/w"}"#, "at offset 10 of 15 bytes: expected base64, found \"/w\""),
            (
                r#"{"object": ["A B", {}]}"#,
                "at offset 12 of 23 bytes: expected the name of a class, found \"A B\"",
            ),
            (
                r#"[{"same": 1}]"#,
                "at offset 10 of 13 bytes: expected the slot of an earlier object, found \"1\"",
            ),
            (
                r#"[{"reference": 2}]"#,
                "at offset 15 of 18 bytes: expected the slot of an earlier value, found \"2\"",
            ),
            (r#"{"array": [[1]]}"#, "at offset 13 of 16 bytes: expected more, found the end of this tag"),
        ] {
            let error = from_lossless(json).unwrap_err();
            assert_eq!(error.to_string(), format!("json_decode(): Error {message}"), "{json}");
        }
    }

    /// In a debug build, on the 2 MiB a thread gets.
    #[test]
    fn depth_takes_no_stack() {
        let nested = |levels: usize, end: &str| {
            let opening = "a:1:{i:7;O:1:\"P\":1:{s:1:\"p\";".repeat(levels / 2);
            [&opening, end, &"}".repeat(levels)].concat()
        };
        let run = move || {
            both_ways(nested(4096, "N;").as_bytes());
            both_ways(nested(4096, "a:0:{}").as_bytes());
            for (open, close) in
                [("[", "]"), ("{\"array\":[[1,", "]]}"), ("{\"object\":[\"A\",{\"a\":", "}]}")]
            {
                let deep = |levels| [&open.repeat(levels), "1", &close.repeat(levels)].concat();
                assert!(from_lossless(&deep(4096)).is_ok());
                for levels in [4097, 200_000] {
                    let error = from_lossless(&deep(levels)).unwrap_err();
                    assert!(matches!(error, crate::php::Error::Limit { .. }), "{error}");
                }
            }
        };
        std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
    }

    proptest! {
        #[test]
        fn every_value_comes_back_byte_for_byte(bytes in serialized()) {
            both_ways(&bytes);
        }

        #[test]
        fn arbitrary_text_never_panics_and_what_is_taken_can_be_parsed(
            text in ".{0,30}",
            tokens in proptest::collection::vec(
                prop::sample::select(&["[", "]", "{", "}", ",", ":", "1", "-0", "null", "\"a\"", "\"5\"", "{\"int\":", "{\"float\":",
                    "{\"bytes\":", "{\"escaped\":", "{\"array\":", "{\"object\":[\"A\",", "{\"enum\":[\"A\",\"b\"]}",
                    "{\"same\":1}", "{\"reference\":1}", "{\"custom\":[\"A\",\"\"]}"][..]), 0..12),
        ) {
            for json in [text, tokens.concat()] {
                if let Ok(value) = from_lossless(&json) {
                    prop_assert_eq!(parse(&value.write()).unwrap(), value);
                }
            }
        }
    }
}
