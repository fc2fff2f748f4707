//! Handlers that do what the recorded classes `App\Job\*` and the service `App\Svc` do, and write the same trace.

use std::time::Duration;

use handover::handler::Handler;
use handover::php::{Key, Value};
use handover::queue::BoxFuture;
use handover::{Context, Exception, Job, Outcome, Worker};
use serde_json::{Map, Value as Json};

use crate::think::classes::Trace;

#[derive(serde::Deserialize)]
struct Typed {
    name: String,
    id: i64,
}

#[derive(serde::Deserialize)]
struct Returns {
    what: String,
}

/// `App\Job\SendCode`, whose parameter may be anything.
struct SendCode(Trace);

impl Handler for SendCode {
    fn run(&self, ctx: Context) -> BoxFuture<'static, Outcome> {
        let command = ctx.job().payload.command().expect("a job").value().expect("serialized PHP");
        self.0.add(format!("SendCode {}", encoded(command.get("params").expect("a parameter"))));
        Box::pin(async { Outcome::Completed })
    }
}

/// `App\Job\Throws`, which is told when it has failed.
struct Throws(Trace);

impl Handler for Throws {
    fn run(&self, ctx: Context) -> BoxFuture<'static, Outcome> {
        self.0.add("Throws".to_owned());
        let job = ctx.job().payload.command().expect("a job").value().expect("serialized PHP");
        let message = job.get("m").and_then(Value::as_str).expect("a message").to_owned();
        Box::pin(async { Outcome::Threw(Exception::msg(message)) })
    }

    fn failed(&self, _: Job, exception: Exception) -> BoxFuture<'static, ()> {
        self.0.add(format!("fail {}", exception.message));
        Box::pin(async {})
    }
}

/// The worker with the recorded classes.
pub fn with_classes(worker: Worker, trace: &Trace) -> Worker {
    let [typed, returns, service] = [(); 3].map(|()| trace.clone());
    worker
        .route("App\\Job\\SendCode", SendCode(trace.clone()))
        .route("App\\Job\\Throws", Throws(trace.clone()))
        .handle("App\\Job\\NoOp", |_: Json, _: Context| async {})
        .handle("App\\Job\\Typed", move |Typed { name, id }: Typed, _: Context| {
            assert!(id > 0);
            typed.add(format!("Typed {name}"));
            async {}
        })
        .handle("App\\Job\\Returns", move |Returns { what }: Returns, ctx: Context| {
            returns.add(format!("Returns {what}"));
            async move {
                match what.as_str() {
                    "ACK" => Outcome::Completed,
                    "DROP" => Outcome::Deleted,
                    "RETRY" => Outcome::Released(ctx.backoff()),
                    _ => Outcome::Released(Duration::ZERO),
                }
            }
        })
        .handle("App\\Svc@run", move |(a, b): (Json, Json), _: Context| {
            service.add(format!("Svc {}", Json::Array(vec![a, b])));
            async {}
        })
}

/// What `json_encode()` makes of a value; nothing where it cannot.
fn encoded(value: &Value) -> String {
    json(value).map_or_else(String::new, |json| json.to_string())
}

fn json(value: &Value) -> Option<Json> {
    let entry = |(key, value): (&Key, &Value)| {
        let name = key.as_bytes().map(|name| String::from_utf8_lossy(name).into_owned());
        let name = name.or_else(|| Some(key.as_int()?.to_string()))?;
        Some((name, json(value)?))
    };
    Some(match value {
        Value::Null => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => value.get().into(),
        Value::Float(value) => serde_json::Number::from_f64(value.get())?.into(),
        Value::Array(list) if list.is_list() => list.values().map(json).collect::<Option<Vec<_>>>()?.into(),
        Value::Array(map) => map.iter().map(entry).collect::<Option<Map<_, _>>>()?.into(),
        Value::Object(object) => {
            let public =
                |(key, _): &(&Key, &Value)| key.as_bytes().is_none_or(|name| !name.starts_with(b"\0"));
            object.properties().iter().filter(public).map(entry).collect::<Option<Map<_, _>>>()?.into()
        }
        // `App\Kind` is backed by its cases' names in small letters.
        Value::Enum(case) => String::from_utf8_lossy(case.name()).to_lowercase().into(),
        other => other.as_str()?.into(),
    })
}

/// Are these the same lines? What is JSON in them is compared as that.
pub fn same_trace(ours: &[String], theirs: &Json) -> bool {
    let parts = |line: &str| {
        let (head, rest) = line.split_once(' ').unwrap_or((line, ""));
        (head.to_owned(), serde_json::from_str(rest).unwrap_or_else(|_| Json::from(rest)))
    };
    let theirs = theirs.as_array().into_iter().flatten().filter_map(Json::as_str);
    theirs.map(parts).eq(ours.iter().map(|line| parts(line)))
}
