//! What is said of a job that PHP itself reads from its properties: queue and delay, and the chain behind it.
//!
//! Owns those properties and what cannot stand in a chain. Never makes a payload: a chained job gets its own when PHP
//! pushes it. Counterpart in PHP: `Illuminate\Bus\Queueable::chain`, `dispatchNextJobInChain`.

use super::Error;
use super::dispatch::{Command, Delay, Dispatch};
use super::payload::refuse_unknown;
use super::property::kind;
use crate::dialect::{Backoff, Shape};
use crate::php::{Array, Object, Value};

/// Puts queue, delay and the chain into the object, as `onQueue`, `delay` and `chain` do.
pub(super) fn attach(dispatch: &mut Dispatch, shape: &Shape) -> Result<(), Error> {
    let chain = std::mem::take(&mut dispatch.chain);
    let (chain_queue, chain_connection) = (dispatch.chain_queue.take(), dispatch.chain_connection.take());
    let name = dispatch.name();
    let (queue, connection, delay) = (dispatch.queue.clone(), dispatch.connection.clone(), dispatch.delay);
    let object = match &mut dispatch.command {
        Command::Named { .. } if chain.is_empty() => return Ok(()),
        Command::Named { .. } => {
            let why = "a string job has no properties to keep the rest in; begin with a job class";
            return Err(Error::Chain { job: name, why });
        }
        Command::Object(Value::Object(object)) => object,
        Command::Object(other) => return Err(Error::NoObject { found: kind(other) }),
    };
    place(object, queue, connection, delay)?;
    if !chain.is_empty() {
        let mut chained = Array::new();
        for (index, next) in (0..).zip(chain) {
            chained.push(index, &*link(next, shape)?);
        }
        object.set("chained", chained)?;
    }
    if let Some(connection) = chain_connection {
        object.set("chainConnection", &*connection)?;
    }
    if let Some(queue) = chain_queue {
        object.set("chainQueue", &*queue)?;
    }
    Ok(())
}

/// A chained job as it is serialized: all that is said of it becomes its properties.
fn link(dispatch: Dispatch, shape: &Shape) -> Result<Vec<u8>, Error> {
    refuse_unknown(&dispatch, shape)?;
    let job = dispatch.name();
    let refused = |why| Err(Error::Chain { job: job.clone(), why });
    let Dispatch { queue, connection, delay, .. } = dispatch.clone();
    let mut object = match dispatch.command {
        Command::Named { .. } => {
            return refused("it is a string job, and PHP goes on only with objects; make it a job class");
        }
        Command::Object(_) if !dispatch.chain.is_empty() => {
            return refused("PHP replaces a chained job's own chain; put its jobs into the outer chain");
        }
        Command::Object(_) if dispatch.chain_queue.is_some() || dispatch.chain_connection.is_some() => {
            return refused("where the chain runs is said of its first job; use on_queue or on_connection");
        }
        Command::Object(_) if dispatch.display_name.is_some() => {
            return refused("PHP asks its class for the displayName; leave it out");
        }
        Command::Object(Value::Object(object)) => object,
        Command::Object(other) => return Err(Error::NoObject { found: kind(&other) }),
    };
    place(&mut object, queue, connection, delay)?;
    let mut int = |name, value: Option<i64>| match value {
        Some(value) => object.set(name, value),
        None => Ok(()),
    };
    int("tries", dispatch.tries.map(i64::from))?;
    int("maxExceptions", dispatch.max_exceptions.map(i64::from))?;
    int("timeout", dispatch.timeout)?;
    int(shape.retry_until, dispatch.retry_until)?;
    match (shape.backoff, dispatch.backoff) {
        (Backoff::Delay, Some(backoff)) => int("retryAfter", backoff.first().copied())?,
        (_, Some(backoff)) => object.set("backoff", backoff.into_iter().collect::<Array>())?,
        (_, None) => {}
    }
    if let Some(fail) = dispatch.fail_on_timeout {
        object.set("failOnTimeout", fail)?;
    }
    if let Some(delete) = dispatch.delete_when_missing_models {
        object.set("deleteWhenMissingModels", delete)?;
    }
    Ok(Value::Object(object).write())
}

/// Where and when, as `onQueue`, `onConnection` and `delay` write it.
fn place(
    object: &mut Object,
    queue: Option<String>,
    connection: Option<String>,
    delay: Option<Delay>,
) -> Result<(), Error> {
    if let Some(connection) = connection {
        object.set("connection", &*connection)?;
    }
    if let Some(queue) = queue {
        object.set("queue", &*queue)?;
    }
    match delay {
        Some(Delay::After(seconds)) => object.set("delay", seconds)?,
        Some(Delay::At(unix)) => object.set("delay", date(unix))?,
        None => {}
    }
    Ok(())
}

/// The moment as PHP's `DateTimeImmutable`, in UTC.
fn date(unix: i64) -> Object {
    let moment = chrono::DateTime::from_timestamp(unix, 0).unwrap_or_default();
    let mut properties = Array::new();
    properties.push("date", &*moment.format("%Y-%m-%d %H:%M:%S%.6f").to_string());
    properties.push("timezone_type", 3);
    properties.push("timezone", "UTC");
    Object::new("DateTimeImmutable", properties)
}
