//! What the properties of a command say, as a payload says it.
//!
//! Owns how values of PHP's become JSON, seconds and dates. Never decides which property counts. Counterpart in PHP:
//! `isset($job->tries)`, `Illuminate\Support\InteractsWithTime`.

use serde_json::{Value, json};

use super::Error;
use super::dispatch::{Command, Delay, Dispatch};
use crate::php;

/// The delay that a command carries itself.
pub(super) fn delay(property: Option<&php::Value>) -> Result<Option<Delay>, Error> {
    let Some(value) = property.filter(|value| !value.is_null()) else { return Ok(None) };
    let seconds = value.as_int().or_else(|| value.as_str()?.parse().ok());
    match (date(value), seconds) {
        (Some(unix), _) => Ok(Some(Delay::At(unix))),
        (None, Some(seconds)) => Ok(Some(Delay::After(seconds))),
        (None, None) => Err(Error::Delay { found: kind(value) }),
    }
}

/// A property as JSON: a scalar as it is, a date as the seconds until then.
pub(super) fn scalar(value: Option<&php::Value>, now: i64) -> Value {
    match value {
        Some(php::Value::Int(int)) => json!(int.get()),
        Some(php::Value::Bool(bool)) => json!(bool),
        Some(php::Value::Float(float)) => json!(float.get()),
        Some(value @ php::Value::Str(_)) => value.as_str().map_or(Value::Null, Value::from),
        Some(value) => date(value).map_or(Value::Null, |unix| json!(unix.saturating_sub(now).max(0))),
        None => Value::Null,
    }
}

/// The Unix second that a date of PHP's means.
pub(super) fn date(value: &php::Value) -> Option<i64> {
    value.as_object()?;
    let text = value.to_json().ok()?;
    Some(chrono::DateTime::parse_from_rfc3339(text.as_str()?).ok()?.timestamp())
}

/// The text of a string.
pub(super) fn text(value: Option<&php::Value>) -> Option<String> {
    value?.as_str().map(str::to_owned)
}

/// What a value is, for messages.
pub(super) fn kind(value: &php::Value) -> String {
    match value {
        php::Value::Array(_) => "an array".to_owned(),
        php::Value::Enum(_) => format!("a case of {}", value.class().unwrap_or_default()),
        php::Value::Object(_) | php::Value::Custom(_) => {
            format!("an object of {}", value.class().unwrap_or_default())
        }
        other => format!("[{}]", other.write().escape_ascii()),
    }
}

impl Dispatch {
    /// A public property of the command.
    pub(super) fn public(&self, name: &str) -> Option<&php::Value> {
        match &self.command {
            Command::Object(command) => command.as_object()?.public(name),
            Command::Named { .. } => None,
        }
    }
}
