//! How a record's text is written where a database cannot hold it as it is. Pure.
//!
//! PHP cuts the exception at a NUL on PostgreSQL and loses the whole record where a character set refuses a character.
//! Here the row is written in any case, and the payload stays the same JSON.

use std::fmt::Write;

use crate::failed::FailedJob;
use crate::php;

/// A record's two long texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) payload: String,
    pub(super) exception: String,
}

impl Form {
    /// The forms to try one after the other, without repetitions:
    ///
    /// 1. as it is; of a payload that is not UTF-8, which no text column takes, the bytes stand behind the exception;
    /// 2. without NUL, which is written `\0` (PostgreSQL);
    /// 3. in ASCII: the payload with JSON's own escapes, the exception with `\u{1f600}` (columns or connections of a
    ///    small character set).
    pub(super) fn all(job: &FailedJob) -> Vec<Form> {
        let as_is = match std::str::from_utf8(&job.payload) {
            Ok(payload) => Form { payload: payload.to_owned(), exception: job.exception.clone() },
            Err(_) => Form {
                payload: String::from_utf8_lossy(&job.payload).into_owned(),
                exception: format!(
                    "{}\n\nThe payload is not UTF-8. Its bytes in hexadecimal: {}",
                    job.exception,
                    hexadecimal(&job.payload)
                ),
            },
        };
        let without_nul = Form {
            payload: as_is.payload.replace('\0', "\\u0000"),
            exception: as_is.exception.replace('\0', "\\0"),
        };
        let ascii = Form {
            payload: php::json::escape_beyond_ascii(&without_nul.payload),
            exception: without_nul.exception.chars().fold(String::new(), |mut text, char| {
                match char.is_ascii() {
                    true => text.push(char),
                    false => text.extend(char.escape_unicode()),
                }
                text
            }),
        };
        let mut forms = vec![as_is, without_nul, ascii];
        forms.dedup();
        forms
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(payload: &[u8], exception: &str) -> FailedJob {
        FailedJob {
            uuid: "u".into(),
            connection: "redis".into(),
            queue: "default".into(),
            payload: payload.to_vec().into(),
            exception: exception.into(),
            failed_at: 0,
        }
    }

    #[test]
    fn plain_text_has_one_form() {
        assert_eq!(Form::all(&job(b"{\"a\":\"\\u00e9/\"}", "boom")).len(), 1);
    }

    #[test]
    fn each_form_is_plainer_and_the_payload_the_same_json() {
        let forms = Form::all(&job("{\"a\":\"é/😀\"}".as_bytes(), "a\0b é"));
        let exceptions: Vec<&str> = forms.iter().map(|form| form.exception.as_str()).collect();
        assert_eq!(exceptions, ["a\0b é", "a\\0b é", "a\\0b \\u{e9}"]);
        assert_eq!(forms[2].payload, r#"{"a":"\u00e9/\ud83d\ude00"}"#);
        let json = |form: &Form| serde_json::from_str::<serde_json::Value>(&form.payload).unwrap();
        assert!(forms.iter().all(|form| json(form) == json(&forms[0])));
    }

    #[test]
    fn bytes_that_are_no_text_are_kept_beside_it() {
        let forms = Form::all(&job(b"{\"a\":\"\xff\"}", "boom"));
        assert!(forms[0].exception.ends_with("hexadecimal: 7b2261223a22ff227d"), "{}", forms[0].exception);
    }
}
