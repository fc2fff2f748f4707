//! A message of Hyperf in the terms of an envelope: its job is the command, or a method and its arguments.
//!
//! Never reads the bytes around the job: the dialect does. Counterpart in PHP: `Hyperf\AsyncQueue\JobInterface`,
//! `Hyperf\AsyncQueue\AnnotationJob`.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{Inner, Payload, PayloadError};
use crate::job::Command;
use crate::php::{self, Value};

/// The job that stands for a method with the annotation `AsyncQueueMessage`.
const CALL: &str = "Hyperf\\AsyncQueue\\AnnotationJob";

impl Payload {
    /// A message: its bytes, its job, the attempts before this run and the limit that the job names.
    ///
    /// # Errors
    /// What the job is in place of an object, or what it lacks to name a method.
    pub(crate) fn of_message(
        raw: Bytes,
        job: Value,
        attempts: i64,
        max_tries: Option<i64>,
    ) -> Result<Self, String> {
        let class = job.class().ok_or("its job is no object")?.into_owned();
        let mut fields = vec![("attempts".to_owned(), json(&attempts))];
        fields.extend(max_tries.map(|max_tries| ("maxTries".to_owned(), json(&max_tries))));
        if !class.eq_ignore_ascii_case(CALL) {
            let (name, handler) = (class.clone(), Some(class.clone()));
            let command = OnceLock::from(Some(Command::parsed(class, job)));
            return Ok(Payload(Arc::new(Inner { raw, fields, name, handler, command, ..Inner::default() })));
        }
        let text = |name: &str| job.get(name).and_then(Value::as_str);
        let (class, method) = text("class").zip(text("method")).ok_or("its job names no class and method")?;
        let name = format!("{class}@{method}");
        // Of the whole job, for references in the arguments count from there.
        let shown = job.to_json().map_err(|error| format!("its job is unreadable: {error}"))?;
        fields.push(("data".to_owned(), json(&shown["params"])));
        let (call, handler, command) = (Some(job), Some(name.clone()), OnceLock::from(None));
        let job = handler.clone();
        Ok(Payload(Arc::new(Inner { raw, fields, name, job, handler, command, call })))
    }

    /// The arguments of the method that a message of Hyperf calls, by their position: a tuple or a tuple struct of as many
    /// as the call has, `()` where that is none, or a list. `None` where this is no such message.
    pub fn arguments<T: DeserializeOwned>(&self) -> Option<Result<T, php::Error>> {
        let call = self.0.call.as_ref()?;
        let none = Value::from(php::Array::new());
        Some(match call.get("params") {
            Some(arguments) => php::from_part(call, arguments),
            None => php::from_value(&none),
        })
    }

    /// True where this is a message of Hyperf that calls a method of a service.
    pub fn is_call(&self) -> bool {
        self.0.call.is_some()
    }
}

impl PayloadError {
    pub(crate) fn no_message(problem: String, stays_reserved: bool) -> Self {
        PayloadError::Message { problem, stays_reserved }
    }

    /// True where the framework leaves such a payload reserved, until its reservation is over. All others it loses.
    pub fn stays_reserved(&self) -> bool {
        matches!(self, PayloadError::Message { stays_reserved: true, .. })
    }
}

fn json(value: &impl serde::Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("numbers and plain JSON are JSON")
}
