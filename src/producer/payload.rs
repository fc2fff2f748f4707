//! From a `Dispatch` to the bytes that are pushed.
//!
//! Owns which field gets what, by the version's [`Shape`]; never pushes. Counterpart in PHP:
//! `Illuminate\Queue\Queue::createPayload`, `Illuminate\Bus\Dispatcher::pushCommandToQueue`.

use serde_json::{Map, Value, json};

use super::chain;
use super::dispatch::{Command, Delay, Dispatch};
use super::property::{date, delay, scalar, text};
use super::{Error, Pushed};
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
    if shape.display_name {
        field("displayName", json!(dispatch.display_name.as_deref().unwrap_or(shown)));
    }
    let handler = if is_object { shape.object_job } else { &name };
    field("job", json!(handler));
    if shape.limits {
        field("maxTries", property(dispatch.tries.map(Value::from), "tries"));
    }
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
    if shape.limits {
        field("timeout", property(dispatch.timeout.map(Value::from), "timeout"));
    }
    if shape.limits && (is_object || dispatch.retry_until.is_some()) {
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
    field("attempts", json!(shape.first_attempts));
    if shape.created_at {
        field("delay", available_at.map_or(Value::Null, |at| json!(at.saturating_sub(now).max(0))));
    }
    let mut payload = String::new();
    php::json::encode::value(&mut payload, &Value::Object(fields), shape.unescaped_unicode);
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
        let Shape { framework, version, .. } = *shape;
        Err(Error::Unknown { setting, given, framework, version, way_out })
    };
    match dispatch {
        Dispatch { chain, .. } if !chain.is_empty() && !shape.chains => {
            unknown("chain", format!("{} jobs", chain.len()), "push the next job from the one before it")
        }
        Dispatch { tries: Some(given), .. } if !shape.limits => {
            unknown("tries", given.to_string(), "start the worker with --tries")
        }
        Dispatch { timeout: Some(given), .. } if !shape.limits => {
            unknown("timeout", given.to_string(), "start the worker with --timeout")
        }
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

fn or_false(value: Value) -> Value {
    if value.is_null() { Value::Bool(false) } else { value }
}
