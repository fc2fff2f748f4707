//! From a `Dispatch` to the bytes that are pushed.
//!
//! Owns which field gets what, by the version's [`Shape`]; never pushes. Counterpart in PHP:
//! `Illuminate\Queue\Queue::createPayload`, `Illuminate\Bus\Dispatcher::pushCommandToQueue`.

use serde_json::{Map, Value, json};

use super::chain;
use super::dispatch::{Command, Delay, Dispatch};
use super::{Error, Pushed, json};
use crate::dialect::{Backoff, Shape};
use crate::php;

/// A job that is ready to be pushed.
pub(super) struct Ready {
    pub(super) queue: String,
    /// Nothing for at once.
    pub(super) available_at: Option<i64>,
    pub(super) payload: Vec<u8>,
    pub(super) pushed: Pushed,
}

/// Makes the payload of a job that is pushed at `now`.
pub(super) fn make(
    mut dispatch: Dispatch,
    shape: &Shape,
    default_queue: &str,
    now: i64,
) -> Result<Ready, Error> {
    refuse_unknown(&dispatch, shape)?;
    chain::attach(&mut dispatch, shape)?;
    let name = dispatch.name();
    let queue = dispatch.queue.clone().or_else(|| text(dispatch.public("queue")));
    let queue = queue.filter(|queue| !queue.is_empty()).unwrap_or_else(|| default_queue.to_owned());
    let delay = match dispatch.delay {
        Some(delay) => Some(delay),
        None => delay(dispatch.public("delay"))?,
    };
    let available_at = delay.map(|delay| match delay {
        Delay::After(seconds) => now.saturating_add(seconds),
        Delay::At(unix) => unix,
    });
    let uuid = shape.uuid.then(|| uuid::Uuid::new_v4().to_string());
    let id: String = std::iter::repeat_with(fastrand::alphanumeric).take(32).collect();

    let is_object = matches!(dispatch.command, Command::Object(_));
    let property = |set: Option<Value>, name| set.unwrap_or_else(|| scalar(dispatch.public(name), now));
    let mut fields = Map::new();
    let mut field = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    if let Some(uuid) = &uuid {
        field("uuid", json!(uuid));
    }
    let shown = name.split('@').next().filter(|_| !is_object).unwrap_or(&name);
    field("displayName", json!(dispatch.display_name.as_deref().unwrap_or(shown)));
    let handler = if is_object { "Illuminate\\Queue\\CallQueuedHandler@call" } else { &name };
    field("job", json!(handler));
    field("maxTries", property(dispatch.tries.map(Value::from), "tries"));
    if shape.max_exceptions {
        field("maxExceptions", property(dispatch.max_exceptions.map(Value::from), "maxExceptions"));
    }
    if shape.fail_on_timeout {
        field(
            "failOnTimeout",
            or_false(property(dispatch.fail_on_timeout.map(Value::from), "failOnTimeout")),
        );
    }
    match shape.backoff {
        Backoff::None => {}
        Backoff::Delay => {
            let backoff = dispatch.backoff.as_deref().and_then(<[i64]>::first);
            field("delay", property(backoff.copied().map(Value::from), "retryAfter"));
        }
        Backoff::List => field("backoff", backoff(&dispatch, now)),
    }
    field("timeout", property(dispatch.timeout.map(Value::from), "timeout"));
    if is_object || dispatch.retry_until.is_some() {
        let moment = |value| date(value).map_or_else(|| scalar(Some(value), now), Value::from);
        let own = || dispatch.public(shape.retry_until).map_or(Value::Null, moment);
        field(shape.retry_until, dispatch.retry_until.map_or_else(own, Value::from));
    }
    if is_object && shape.delete_when_missing_models {
        let delete = dispatch.delete_when_missing_models.map(Value::from);
        field("deleteWhenMissingModels", or_false(property(delete, "deleteWhenMissingModels")));
    }
    field("data", data(&dispatch, shape, &name, &queue)?);
    if shape.created_at {
        field("createdAt", json!(now));
    }
    field("id", json!(id));
    field("attempts", json!(0));
    if shape.created_at {
        field("delay", available_at.map_or(Value::Null, |at| json!(at.saturating_sub(now).max(0))));
    }
    let mut payload = String::new();
    json::value(&mut payload, &Value::Object(fields), shape.unescaped_unicode);
    Ok(Ready { queue, available_at, payload: payload.into_bytes(), pushed: Pushed { id, uuid } })
}

/// The object as PHP serializes it, or the data of a string job.
fn data(dispatch: &Dispatch, shape: &Shape, name: &str, queue: &str) -> Result<Value, Error> {
    let command = match &dispatch.command {
        Command::Named { data, .. } => return Ok(data.clone()),
        Command::Object(command) => command,
    };
    let serialized = String::from_utf8(command.write())
        .map_err(|_| Error::NotUtf8 { refusal: shape.refuse(name, queue), job: name.to_owned() })?;
    let mut data = json!({"commandName": name, "command": serialized});
    if shape.batch_id {
        data["batchId"] = command.get("batchId").map_or(Value::Null, |id| scalar(Some(id), 0));
    }
    Ok(data)
}

/// What was set that this version would pass over in silence.
pub(super) fn refuse_unknown(dispatch: &Dispatch, shape: &Shape) -> Result<(), Error> {
    let unknown = |setting, given: String, way_out| {
        Err(Error::Unknown { setting, given, version: shape.version, way_out })
    };
    match dispatch {
        Dispatch { max_exceptions: Some(given), .. } if !shape.max_exceptions => {
            unknown("max_exceptions", given.to_string(), "Laravel 7 brought it; say tries")
        }
        Dispatch { fail_on_timeout: Some(true), .. } if !shape.fail_on_timeout => {
            unknown("fail_on_timeout", "true".to_owned(), "Laravel 8.43 brought it; say tries(1)")
        }
        Dispatch { backoff: Some(given), .. } if shape.backoff == Backoff::None => {
            unknown("backoff", joined(given), "Laravel 5.8 brought it; start the worker with --delay")
        }
        Dispatch { backoff: Some(given), .. } if shape.backoff == Backoff::Delay && given.len() > 1 => {
            unknown("backoff", joined(given), "before Laravel 8 it is one duration; give one")
        }
        Dispatch { delete_when_missing_models: Some(given), .. } if !shape.delete_when_missing_models => {
            let way_out = "before Laravel 13 only the class can say it, by its property";
            unknown("delete_when_missing_models", given.to_string(), way_out)
        }
        _ => Ok(()),
    }
}

fn backoff(dispatch: &Dispatch, now: i64) -> Value {
    if let Some(backoff) = &dispatch.backoff {
        return json!(joined(backoff));
    }
    let one = |value| match scalar(Some(value), now) {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    match dispatch.public("backoff") {
        None | Some(php::Value::Null) => Value::Null,
        Some(php::Value::Array(list)) => json!(list.values().map(one).collect::<Vec<_>>().join(",")),
        Some(value) => json!(one(value)),
    }
}

fn joined(seconds: &[i64]) -> String {
    seconds.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
}

/// The delay that a command carries itself.
fn delay(property: Option<&php::Value>) -> Result<Option<Delay>, Error> {
    let Some(value) = property.filter(|value| !value.is_null()) else { return Ok(None) };
    let seconds = value.as_int().or_else(|| value.as_str()?.parse().ok());
    match (date(value), seconds) {
        (Some(unix), _) => Ok(Some(Delay::At(unix))),
        (None, Some(seconds)) => Ok(Some(Delay::After(seconds))),
        (None, None) => Err(Error::Delay { found: kind(value) }),
    }
}

/// A property as JSON: a scalar as it is, a date as the seconds until then.
fn scalar(value: Option<&php::Value>, now: i64) -> Value {
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
fn date(value: &php::Value) -> Option<i64> {
    value.as_object()?;
    let text = value.to_json().ok()?;
    Some(chrono::DateTime::parse_from_rfc3339(text.as_str()?).ok()?.timestamp())
}

fn text(value: Option<&php::Value>) -> Option<String> {
    value?.as_str().map(str::to_owned)
}

fn or_false(value: Value) -> Value {
    if value.is_null() { Value::Bool(false) } else { value }
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
    fn public(&self, name: &str) -> Option<&php::Value> {
        match &self.command {
            Command::Object(command) => command.as_object()?.public(name),
            Command::Named { .. } => None,
        }
    }
}
