//! The JSON text that lossless JSON is read from.
//!
//! Owns the pieces that values are made of, and where in the text an error stands. Never knows which value a
//! piece belongs to. Counterpart in PHP: the scanner of `json_decode()`.

use base64::prelude::{BASE64_STANDARD, Engine};
use struson::reader::{
    JsonReader, JsonReaderPosition, JsonStreamReader, ReaderError, ReaderSettings, UnexpectedStructureKind,
    ValueType,
};

use crate::php::error::{Error, quote};
use crate::php::value::Int;

type Json<'a> = JsonStreamReader<&'a [u8]>;

pub(super) struct Source<'a> {
    json: Json<'a>,
    length: usize,
    /// Where the piece stands that was read last.
    at: usize,
}

impl<'a> Source<'a> {
    pub(super) fn of(json: &'a str) -> Source<'a> {
        // Depth and size are the reader's business: one level of PHP's is up to four of JSON's.
        let settings = ReaderSettings {
            max_nesting_depth: None,
            restrict_number_values: false,
            track_path: false,
            ..ReaderSettings::default()
        };
        let length = json.len();
        Source { json: JsonStreamReader::new_custom(json.as_bytes(), settings), length, at: 0 }
    }

    pub(super) fn peek(&mut self) -> Result<ValueType, Error> {
        let kind = self.step(|json| json.peek())?;
        self.at = offset(&self.json.current_position(false));
        Ok(kind)
    }

    pub(super) fn has_next(&mut self) -> Result<bool, Error> {
        self.step(|json| json.has_next())
    }

    pub(super) fn null(&mut self) -> Result<(), Error> {
        self.step(|json| json.next_null())
    }

    pub(super) fn bool(&mut self) -> Result<bool, Error> {
        self.step(|json| json.next_bool())
    }

    pub(super) fn begin_array(&mut self) -> Result<(), Error> {
        self.step(|json| json.begin_array())
    }

    pub(super) fn end_array(&mut self) -> Result<(), Error> {
        self.step(|json| json.end_array())
    }

    pub(super) fn begin_object(&mut self) -> Result<(), Error> {
        self.step(|json| json.begin_object())
    }

    pub(super) fn end_object(&mut self) -> Result<(), Error> {
        self.step(|json| json.end_object())
    }

    pub(super) fn name(&mut self) -> Result<String, Error> {
        self.step(|json| json.next_name_owned())
    }

    /// The opening of `{"tag": ...}`.
    pub(super) fn tag(&mut self) -> Result<String, Error> {
        self.begin_object()?;
        self.name()
    }

    /// The digits of a number.
    pub(super) fn number(&mut self) -> Result<String, Error> {
        self.peek()?;
        self.step(|json| json.next_number_as_string())
    }

    /// A number that PHP would write as an int.
    pub(super) fn int(&mut self) -> Result<Int, Error> {
        let written = self.number()?;
        let digits = written.strip_prefix('-').unwrap_or(&written).bytes().all(|byte| byte.is_ascii_digit());
        let int = digits.then(|| Int::read(written.as_bytes())).filter(|int| int.written.is_none());
        int.ok_or_else(|| self.bad("an int, {\"int\": \"...\"} or {\"float\": \"...\"}", written.as_bytes()))
    }

    pub(super) fn string(&mut self) -> Result<String, Error> {
        self.peek()?;
        self.step(|json| json.next_string())
    }

    pub(super) fn base64(&mut self) -> Result<Vec<u8>, Error> {
        let text = self.string()?;
        BASE64_STANDARD.decode(&text).map_err(|_| self.bad("base64", text.as_bytes()))
    }

    /// A string or `{"bytes": ...}`.
    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        if self.peek()? != ValueType::Object {
            return Ok(self.string()?.into_bytes());
        }
        let tag = self.tag()?;
        if tag != "bytes" {
            return Err(self.bad("a string or the tag bytes", tag.as_bytes()));
        }
        let bytes = self.base64()?;
        self.end_object()?;
        Ok(bytes)
    }

    /// Nothing may come after the value.
    pub(super) fn finish(self) -> Result<(), Error> {
        self.json.consume_trailing_whitespace().map_err(|error| wrong(self.length, self.at, &error))
    }

    /// `text`, the piece that was just read, is not a good `expected`.
    pub(super) fn bad(&self, expected: &str, text: &[u8]) -> Error {
        let problem = format!("expected {expected}, found {}", quote(text));
        Error::Json { offset: self.at, length: self.length, problem }
    }

    pub(super) fn beyond(&self, what: &str, limit: usize) -> Error {
        Error::Limit { offset: self.at, problem: format!("{what} {limit} exceeded") }
    }

    fn step<T>(&mut self, step: impl FnOnce(&mut Json<'a>) -> Result<T, ReaderError>) -> Result<T, Error> {
        self.at = offset(&self.json.current_position(false));
        step(&mut self.json).map_err(|error| wrong(self.length, self.at, &error))
    }
}

fn offset(position: &JsonReaderPosition) -> usize {
    usize::try_from(position.data_pos.unwrap_or_default()).unwrap_or(usize::MAX)
}

/// What the reader of JSON complains about, in our words and with the byte it names, else `at`.
fn wrong(length: usize, at: usize, error: &ReaderError) -> Error {
    let (offset, problem) = match error {
        ReaderError::SyntaxError(error) => {
            (offset(&error.location), format!("Syntax error, {}", words(&error.kind.to_string())))
        }
        ReaderError::UnexpectedValueType { expected, actual, location } => {
            let [expected, actual] = [expected, actual].map(|kind| words(&kind.to_string()));
            (offset(location), format!("expected {expected}, found {actual}"))
        }
        ReaderError::UnexpectedStructure { kind, location } => {
            let problem = match kind {
                UnexpectedStructureKind::MoreElementsThanExpected => {
                    "expected the end of this tag, found more"
                }
                _ => "expected more, found the end of this tag",
            };
            (offset(location), problem.to_owned())
        }
        other => (at, other.to_string()),
    };
    Error::Json { offset, length, problem }
}

/// `MissingComma` as `missing comma`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for char in name.chars() {
        if char.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(char.to_ascii_lowercase());
    }
    words
}
