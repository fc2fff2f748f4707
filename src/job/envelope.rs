//! The envelope: the JSON object around a job, read once, with every byte kept; or a message of Hyperf, in the same terms.
//!
//! Knows every field that Laravel 5.5 to 13 writes; keeps those it does not know. Never writes: the bytes in Redis are
//! edited where they are settled. Counterpart in PHP: the payload accessors of `Illuminate\Queue\Jobs\Job`.

mod message;

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Command;
use crate::php;

/// A payload that was read. Cheap to clone.
#[derive(Clone)]
pub struct Payload(Arc<Inner>);

#[derive(Default)]
struct Inner {
    raw: Bytes,
    /// Top-level fields in their order; of a name that occurs twice the last one counts, as in PHP.
    fields: Vec<(String, Box<RawValue>)>,
    name: String,
    job: Option<String>,
    /// `Class@method` of the job, where a dialect has resolved its name.
    handler: Option<String>,
    command: OnceLock<Option<Command>>,
    /// The job of a message that calls a method.
    call: Option<php::Value>,
}

/// Why bytes are not a payload that PHP could read either.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// No JSON object, where it must be one.
    #[error("the payload is not a JSON object that PHP can read: {}", place(.0))]
    Json(#[from] serde_json::Error),
    /// JSON that PHP's `json_decode` takes for nothing.
    #[error("the payload nests deeper than the {} levels that PHP reads", PHP_DEPTH)]
    Deep,
    /// No message, where it must be one.
    #[error("the element is not a message that Hyperf can read: {problem}")]
    Message {
        /// What is wrong with it.
        problem: String,
        /// The framework leaves it reserved.
        stays_reserved: bool,
    },
}

/// How deep arrays and objects may stand in each other: of the 512 levels of PHP's `json_decode` the last is for a value.
const PHP_DEPTH: usize = 511;

/// True where JSON nests no deeper than PHP reads.
fn reads_in_php(json: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    json.iter().all(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth <= PHP_DEPTH
    })
}

/// What is wrong and where, without the bytes themselves: they may be secret, and this is logged.
fn place(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => "it is another JSON value".to_owned(),
        _ => error.to_string(),
    }
}

/// The fields that Laravel itself writes; all others belong to packages and are listed by [`Payload::meta`].
const KNOWN: &[&str] = &[
    "uuid",
    "displayName",
    "job",
    "maxTries",
    "maxExceptions",
    "failOnTimeout",
    "backoff",
    "timeout",
    "timeoutAt",
    "retryUntil",
    "deleteWhenMissingModels",
    "data",
    "createdAt",
    "id",
    "attempts",
    "delay",
];

impl Payload {
    /// Reads the envelope; what lies under `data` and in unknown fields is only checked for being JSON.
    pub fn parse(raw: impl Into<Bytes>) -> Result<Self, PayloadError> {
        let raw = raw.into();
        let fields = serde_json::from_slice::<Fields>(&raw)?.0;
        let job = text(&fields, "job");
        let name = text(&fields, "displayName").filter(|name| !name.is_empty());
        let name = name.or_else(|| job.clone()).unwrap_or_default();
        Ok(Payload(Arc::new(Inner { raw, fields, name, job, ..Inner::default() })))
    }

    /// The same for a framework without display names, which turns the name of a job into a class and a method: `resolve`
    /// answers them as `Class@method`.
    pub fn parse_named(
        raw: impl Into<Bytes>,
        resolve: impl FnOnce(&str) -> String,
    ) -> Result<Self, PayloadError> {
        let raw = raw.into();
        let fields = serde_json::from_slice::<Fields>(&raw)?.0;
        let job = text(&fields, "job");
        let name = job.clone().unwrap_or_default();
        let handler = Some(resolve(&name));
        if !reads_in_php(&raw) {
            return Err(PayloadError::Deep);
        }
        Ok(Payload(Arc::new(Inner { raw, fields, name, job, handler, ..Inner::default() })))
    }

    /// The bytes as they were popped: `attempts` is the count before this run.
    pub fn raw(&self) -> &Bytes {
        &self.0.raw
    }

    /// A top-level field as raw JSON.
    pub fn field(&self, name: &str) -> Option<&RawValue> {
        field(&self.0.fields, name)
    }

    /// The fields that packages and hooks added (`illuminate:log:context`, `telescope_uuid`, `tags`, ...).
    pub fn meta(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0
            .fields
            .iter()
            .filter(|(key, _)| !KNOWN.contains(&key.as_str()))
            .map(|(k, v)| (k.as_str(), &**v))
    }

    fn value(&self, name: &str) -> serde_json::Value {
        self.field(name).and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    }

    /// A field that PHP code compares as a number: an integer, a float or a numeric string.
    fn int(&self, name: &str) -> Option<i64> {
        match self.value(name) {
            serde_json::Value::Number(n) => n.as_i64().or_else(|| n.as_f64().map(|f| f as i64)),
            serde_json::Value::String(text) => leading_int(&text),
            _ => None,
        }
    }

    /// `uuid`, since Laravel 7; stays the same over releases and `queue:retry`.
    pub fn uuid(&self) -> Option<String> {
        text(&self.0.fields, "uuid")
    }

    /// `id`: 32 characters, or whatever the producer chose.
    pub fn id(&self) -> Option<String> {
        text(&self.0.fields, "id")
    }

    /// The name artisan shows: a non-empty `displayName`, else `job`, else nothing.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// `job`: `Illuminate\Queue\CallQueuedHandler@call`, or the `Class@method` of a string job.
    pub fn job(&self) -> Option<&str> {
        self.0.job.as_deref()
    }

    /// The raw count of attempts before this run.
    pub fn attempts(&self) -> i64 {
        self.int("attempts").unwrap_or(0)
    }

    /// `maxTries`: null leaves it to `--tries`, 0 means unlimited.
    pub fn max_tries(&self) -> Option<i64> {
        self.int("maxTries")
    }

    /// `maxExceptions`, since Laravel 7.
    pub fn max_exceptions(&self) -> Option<i64> {
        self.int("maxExceptions")
    }

    /// `failOnTimeout`, since Laravel 8.43.
    pub fn fail_on_timeout(&self) -> bool {
        self.value("failOnTimeout") == serde_json::Value::Bool(true)
    }

    /// `backoff`, since Laravel 8: seconds, or a comma list of them.
    pub fn backoff(&self) -> Option<String> {
        self.scalar("backoff")
    }

    /// `delay`: the back-off of Laravel 5.8 to 7; the delay the job was dispatched with from 12.11 on.
    pub fn delay(&self) -> Option<String> {
        self.scalar("delay")
    }

    /// `timeout` in seconds; 0 means none.
    pub fn timeout(&self) -> Option<i64> {
        self.int("timeout")
    }

    /// `retryUntil`, since Laravel 8: Unix seconds; 0 counts as not set.
    pub fn retry_until(&self) -> Option<i64> {
        self.int("retryUntil").filter(|&at| at != 0)
    }

    /// `timeoutAt`, the older name of [`retry_until`](Self::retry_until).
    pub fn timeout_at(&self) -> Option<i64> {
        self.int("timeoutAt").filter(|&at| at != 0)
    }

    /// `deleteWhenMissingModels`, since Laravel 13.
    pub fn delete_when_missing_models(&self) -> bool {
        self.value("deleteWhenMissingModels") == serde_json::Value::Bool(true)
    }

    /// `createdAt`, since Laravel 12.11: Unix seconds.
    pub fn created_at(&self) -> Option<i64> {
        self.int("createdAt")
    }

    /// `data`: an object with the serialized command, or whatever a string job was pushed with.
    pub fn data(&self) -> Option<&RawValue> {
        self.field("data")
    }

    /// The serialized command of an object job. It is looked into when first asked for, and never before.
    pub fn command(&self) -> Option<&Command> {
        self.0.command.get_or_init(|| Command::of(self)).as_ref()
    }

    /// Class and method of a string job as `Class@method`, where its framework resolves the names of jobs.
    pub fn handler(&self) -> Option<&str> {
        self.0.handler.as_deref().filter(|_| self.command().is_none())
    }

    /// True where the framework asks for nothing beyond running the job, whatever its fields are called.
    pub fn is_plain(&self) -> bool {
        self.0.handler.is_some()
    }

    /// The class a handler is registered for: the command's class, or what stands before `@` in a string job.
    pub fn class(&self) -> Option<&str> {
        match self.command() {
            Some(command) => Some(command.class()),
            None => self
                .handler()
                .or_else(|| self.job())
                .map(|job| job.split_once('@').map_or(job, |(class, _)| class)),
        }
    }

    fn scalar(&self, name: &str) -> Option<String> {
        match self.value(name) {
            serde_json::Value::String(text) => Some(text),
            serde_json::Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

fn field<'a>(fields: &'a [(String, Box<RawValue>)], name: &str) -> Option<&'a RawValue> {
    fields.iter().rev().find(|(key, _)| key == name).map(|(_, value)| &**value)
}

fn text(fields: &[(String, Box<RawValue>)], name: &str) -> Option<String> {
    serde_json::from_str(field(fields, name)?.get()).ok()
}

/// What PHP's `(int)` makes of a numeric string.
fn leading_int(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let sign = usize::from(text.starts_with(['-', '+']));
    let digits = text[sign..].find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len() - sign);
    text[..sign + digits].parse().ok()
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({}, {} bytes)", self.name(), self.raw().len())
    }
}

struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(json: &str) -> Payload {
        Payload::parse(json.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn numbers_are_read_as_php_compares_them() {
        for (json, expected) in [
            (r#"{"maxTries":3}"#, Some(3)),
            (r#"{"maxTries":"3"}"#, Some(3)),
            (r#"{"maxTries":3.0}"#, Some(3)),
            (r#"{"maxTries":0}"#, Some(0)),
            (r#"{"maxTries":null}"#, None),
            (r#"{"maxTries":1,"maxTries":2}"#, Some(2)),
            (r#"{}"#, None),
        ] {
            assert_eq!(payload(json).max_tries(), expected, "{json}");
        }
    }

    #[test]
    fn the_name_is_the_display_name_unless_that_is_empty() {
        assert_eq!(payload(r#"{"displayName":"App\\A","job":"B@c"}"#).name(), "App\\A");
        assert_eq!(payload(r#"{"displayName":"","job":"B@c"}"#).name(), "B@c");
        assert_eq!(payload("{}").name(), "");
    }

    #[test]
    fn a_retry_until_of_zero_is_not_set() {
        assert_eq!(payload(r#"{"retryUntil":0}"#).retry_until(), None);
        assert_eq!(payload(r#"{"timeoutAt":9}"#).timeout_at(), Some(9));
    }

    #[test]
    fn unknown_fields_are_kept_as_they_stand() {
        let payload = payload(r#"{"job":"A@b","telescope_uuid": "x", "tags":[ 1 ],"attempts":0}"#);
        let meta: Vec<_> = payload.meta().map(|(name, raw)| (name, raw.get())).collect();
        assert_eq!(meta, [("telescope_uuid", "\"x\""), ("tags", "[ 1 ]")]);
    }

    #[test]
    fn deep_data_is_passed_over_without_recursion() {
        let json =
            format!(r#"{{"job":"A@b","data":{}{},"attempts":0}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(payload(&json).class(), Some("A"));
    }

    #[test]
    fn where_php_decodes_the_whole_payload_it_may_be_as_deep_as_php_reads() {
        for (levels, text, is_read) in [(510, "", true), (511, "", false), (510, "[[[[\\\"{{{{\\\\", true)] {
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            let json = format!(r#"{{"job":"A@b","text":"{text}","data":{open}{close},"attempts":0}}"#);
            assert_eq!(Payload::parse_named(json, str::to_owned).is_ok(), is_read, "{levels}");
        }
    }

    #[test]
    fn an_error_does_not_repeat_the_payload() {
        let error = Payload::parse(&b"\"secret\""[..]).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn what_php_cannot_read_is_refused() {
        for bytes in [&b""[..], b"[]", b"null", b"{", b"\xff", b"{\"a\":\"\xff\"}", b"{\"a\":\"\x01\"}"] {
            assert!(Payload::parse(bytes.to_vec()).is_err(), "{bytes:?}");
        }
    }
}
