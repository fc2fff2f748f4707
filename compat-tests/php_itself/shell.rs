//! `php:decode` and `php:encode` as a shell runs them.

use std::collections::HashSet;
use std::process::Command;

use handover::job::Payload;

use super::fed;
use crate::golden::recordings;

/// Exit code, stdout and stderr.
fn handover(arguments: &[&str], input: &[u8]) -> (Option<i32>, Vec<u8>, String) {
    let output = fed(Command::new(env!("CARGO_BIN_EXE_handover")).args(arguments), input);
    (output.status.code(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[track_caller]
fn both_ways(bytes: &[u8]) -> String {
    let (code, json, errors) = handover(&["php:decode"], bytes);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{}", bytes.escape_ascii());
    let (code, back, errors) = handover(&["php:encode"], &json);
    let json = String::from_utf8(json).expect("JSON is UTF-8");
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{json}");
    assert_eq!(back.escape_ascii().to_string(), bytes.escape_ascii().to_string(), "{json}");
    json
}

#[test]
fn every_golden_command_goes_through_both_byte_for_byte() {
    let mut commands = HashSet::new();
    for recorded in recordings() {
        let Ok(payload) = Payload::parse(recorded.pushed) else { continue };
        let Some(command) = payload.command().filter(|command| !command.is_encrypted()) else { continue };
        command
            .value()
            .unwrap()
            .to_json()
            .unwrap_or_else(|error| panic!("{}: {error}", command.serialized().escape_ascii()));
        commands.insert(command.serialized().to_owned());
    }
    assert!(commands.len() > 20, "{} commands", commands.len());
    for command in commands {
        both_ways(&command);
    }
}

#[test]
fn odd_values_go_through_both_byte_for_byte() {
    for (bytes, json) in [
        (&b"N;"[..], "null\n"),
        (b"i:+05;", "{\"int\":\"+05\"}\n"),
        (b"d:1.00E+2;", "{\"float\":\"1.00E+2\"}\n"),
        (b"s:1:\"\n\";", "\"\\n\"\n"),
        (b"s:3:\"\xff\r\n\";", "{\"bytes\":\"/w0K\"}\n"),
        (b"S:1:\"\\0a\";", "{\"escaped\":\"\\\\0a\"}\n"),
        (b"a:2:{i:7;i:1;i:7;R:2;}", "{\"array\":[[7,1],[7,{\"reference\":2}]]}\n"),
        (b"C:1:\"A\":2:{}}}", "{\"custom\":[\"A\",\"}}\"]}\n"),
    ] {
        assert_eq!(both_ways(bytes), json);
    }
    let deep = ["a:1:{i:0;".repeat(4096), "N;".into(), "}".repeat(4096)].concat();
    both_ways(deep.as_bytes());
    let text = "x".repeat(1 << 20);
    both_ways(format!("s:{}:\"{text}\";", text.len()).as_bytes());
}

#[test]
fn a_newline_after_the_value_is_passed_over() {
    for bytes in [&b"i:5;\n"[..], b"i:5;\r\n"] {
        assert_eq!(handover(&["php:decode"], bytes), (Some(0), b"5\n".to_vec(), String::new()));
    }
    assert_eq!(handover(&["php:encode"], b" [5,\n 6]\n").1, b"a:2:{i:0;i:5;i:1;i:6;}");
}

#[test]
fn the_plain_view_is_for_the_eye() {
    let (code, json, _) =
        handover(&["php:decode", "--plain"], b"O:1:\"A\":2:{s:4:\"\0*\0x\";d:0.5;s:1:\"y\";s:1:\"\xff\";}");
    assert_eq!(code, Some(0));
    assert_eq!(json, b"{\"$class\":\"A\",\"x\":0.5,\"y\":{\"$base64\":\"/w==\"}}\n");
}

#[test]
fn errors_are_in_phps_words_with_the_byte_and_exit_1() {
    for (arguments, input, message) in [
        (
            &["php:decode"][..],
            &b"i:5"[..],
            "unserialize(): Error at offset 3 of 3 bytes: expected \";\", found the end",
        ),
        (
            &["php:decode"],
            b"",
            "unserialize(): Error at offset 0 of 0 bytes: expected a value, found the end",
        ),
        (
            &["php:decode"],
            b"{\"uuid\":1}",
            "unserialize(): Error at offset 0 of 10 bytes: expected a type (one of N b i d s S a O C E r R), found \
             \"{\\\"uuid\\\":1}\"",
        ),
        (
            &["php:encode"],
            b"[1,",
            "json_decode(): Error at offset 3 of 3 bytes: Syntax error, incomplete document",
        ),
        (
            &["php:encode"],
            b"{\"int\": 5}",
            "json_decode(): Error at offset 8 of 10 bytes: expected string, found number",
        ),
        (
            &["php:encode"],
            b"\"\xff\"",
            "json_decode(): Error at offset 1 of 3 bytes: Malformed UTF-8 characters; write such strings as \
             {\"bytes\": base64}",
        ),
    ] {
        let expected = (Some(1), Vec::new(), format!("handover: {message}\n"));
        assert_eq!(handover(arguments, input), expected, "{}", input.escape_ascii());
    }
    let deep = ["a:1:{i:7;".repeat(513), "N;".into(), "}".repeat(513)].concat();
    let (code, _, errors) = handover(&["php:decode", "--plain"], deep.as_bytes());
    assert_eq!((code, errors.as_str()), (Some(1), "handover: Maximum depth of 512 exceeded\n"));
}
