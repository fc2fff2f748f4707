//! A framework's queue as a test meets it from outside: what names it on a command line, the bytes that its producers
//! write, the keys where its jobs stand. Written from the facts alone: never asks the code under test what they are.

use std::borrow::Cow;

use handover::dialect::{Dialect, Hyperf, Laravel, Think};
use handover::php;
use redis::Connection;
use serde_json::{Value, json};

/// One wire; each runs the same tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Laravel,
    /// think-queue 3.0.9.
    Think,
    /// think-queue 1.1.6, where whoever brings a job back counts its attempt.
    ThinkBefore3,
    /// async-queue 3.2.4, whose channel is `{queue}` and whose messages know no count but that of releases.
    Hyperf,
}

/// A job as an app pushes it: an object with public properties, the first of which is its `name`.
#[derive(Clone, Debug)]
pub struct Made {
    /// Below `App\Jobs`.
    pub class: &'static str,
    pub properties: Vec<(&'static str, Value)>,
    /// Where the payload has a place for it.
    pub tries: Option<i64>,
}

/// A job of this class and name that says nothing about its tries.
pub fn made(class: &'static str, name: impl Into<Value>) -> Made {
    Made { class, properties: vec![("name", name.into())], tries: None }
}

impl Made {
    /// With one more property.
    pub fn with(mut self, property: &'static str, value: impl Into<Value>) -> Made {
        self.properties.push((property, value.into()));
        self
    }

    /// With so many tries.
    pub fn tries(self, tries: i64) -> Made {
        Made { tries: Some(tries), ..self }
    }

    /// The job object, after what its base class brings.
    fn serialized(&self, inherited: &[(&str, Value)]) -> String {
        let class = format!("App\\Jobs\\{}", self.class);
        let properties: serde_json::Map<String, Value> = inherited
            .iter()
            .chain(&self.properties)
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let object = php::write(&php::object(class).of(&properties).expect("an object"));
        String::from_utf8(object).expect("text")
    }
}

impl Wire {
    pub const ALL: [Wire; 4] = [Wire::Laravel, Wire::Think, Wire::ThinkBefore3, Wire::Hyperf];

    /// As the library is told.
    pub fn dialect(self) -> Dialect {
        match self {
            Wire::Laravel => Laravel::new("").into(),
            Wire::Think => Think::new("").into(),
            Wire::ThinkBefore3 => Think::new("").version((1, 1, 6)).into(),
            Wire::Hyperf => Hyperf::new("").into(),
        }
    }

    /// As a command line says it; no application needs to be there.
    pub fn flags(self) -> &'static [&'static str] {
        match self {
            Wire::Laravel => &["--prefix="],
            Wire::Think => &["--dialect=think"],
            Wire::ThinkBefore3 => &["--dialect=think1", "--dialect-version=1.1.6", "--daemon"],
            Wire::Hyperf => &["--dialect=hyperf"],
        }
    }

    /// The list of jobs that are ready.
    pub fn ready(self) -> &'static str {
        match self {
            Wire::Laravel | Wire::ThinkBefore3 => "queues:default",
            Wire::Think => "{queues:default}",
            Wire::Hyperf => "{queue}:waiting",
        }
    }

    /// Another key of the queue: `delayed`, `reserved`, and those that not every wire has.
    pub fn key(self, part: &str) -> String {
        match self {
            Wire::Hyperf => format!("{{queue}}:{part}"),
            _ => format!("{}:{part}", self.ready()),
        }
    }

    /// The list that expired reservations go to, where they do not come back by themselves.
    pub fn timeout(self) -> Option<String> {
        (self == Wire::Hyperf).then(|| self.key("timeout"))
    }

    /// The list that failed jobs go to, where it stands beside the queue.
    pub fn failed(self) -> Option<String> {
        (self == Wire::Hyperf).then(|| self.key("failed"))
    }

    /// The number of the attempt at a job whose first one was never ended.
    pub fn attempt_after_the_first(self) -> i64 {
        if self == Wire::Hyperf { 1 } else { 2 }
    }

    /// The list of wake-up tokens.
    pub fn notify(self) -> Option<String> {
        (self == Wire::Laravel).then(|| self.key("notify"))
    }

    /// True where a payload may say how often its job may run; else the worker alone does.
    pub fn has_tries(self) -> bool {
        self != Wire::ThinkBefore3
    }

    /// How PHP begins what it says of a job of this class that ran too often.
    ///
    /// # Panics
    /// For Hyperf, which looks at the count after a run alone.
    pub fn too_often(self, class: &str) -> String {
        let (exception, job) = match self {
            Wire::Laravel => {
                ("Illuminate\\Queue\\MaxAttemptsExceededException", format!("App\\Jobs\\{class}"))
            }
            Wire::Think => ("think\\queue\\exception\\MaxAttemptsExceededException", CALL.to_owned()),
            Wire::ThinkBefore3 => ("RuntimeException", CALL.to_owned()),
            Wire::Hyperf => panic!("it has no words for that"),
        };
        format!(
            "{exception}: {job} has been attempted too many times or run too long. The job may have previously timed out."
        )
    }

    /// What an app of this framework pushes.
    pub fn payload(self, job: &Made) -> Vec<u8> {
        if self == Wire::Hyperf {
            // The first run is none of the attempts that it counts.
            let object = job.serialized(&[("maxAttempts", json!(job.tries.unwrap_or(1) - 1))]);
            let object = object.replacen("s:11:\"maxAttempts\"", "s:14:\"\0*\0maxAttempts\"", 1);
            let head = "O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{s:3:\"job\";";
            return format!("{head}{object}s:8:\"attempts\";i:0;}}").into_bytes();
        }
        let class = format!("App\\Jobs\\{}", job.class);
        let data = json!({"commandName": class, "command": job.serialized(&[])});
        let id = &job.properties[0].1;
        let payload = match self {
            Wire::Laravel => json!({
                "uuid": id, "displayName": class, "job": "Illuminate\\Queue\\CallQueuedHandler@call",
                "maxTries": job.tries, "timeout": null, "data": data, "id": id, "attempts": 0,
            }),
            Wire::ThinkBefore3 => json!({"job": CALL, "data": data, "id": id, "attempts": 1}),
            Wire::Think | Wire::Hyperf => json!({
                "job": CALL, "maxTries": job.tries, "timeout": null, "timeoutAt": null, "data": data, "id": id,
                "attempts": 0,
            }),
        };
        payload.to_string().replace('/', "\\/").into_bytes()
    }

    /// Pushes payloads as an app does, with what wakes a worker where there is such a thing.
    pub fn push(self, connection: &mut Connection, payloads: &[Vec<u8>]) {
        let mut pipe = redis::pipe();
        for payload in payloads {
            match self {
                Wire::Hyperf => pipe.lpush(self.ready(), payload).ignore(),
                _ => pipe.rpush(self.ready(), payload).ignore(),
            };
            if let Some(notify) = self.notify() {
                pipe.rpush(notify, 1).ignore();
            }
        }
        if !pipe.is_empty() {
            let () = pipe.query(connection).expect("the jobs");
        }
    }

    /// Puts payloads off until this Unix second.
    pub fn put_off(self, connection: &mut Connection, payloads: &[Vec<u8>], until: i64) {
        let mut pipe = redis::pipe();
        for payload in payloads {
            pipe.zadd(self.key("delayed"), payload, until).ignore();
        }
        if !pipe.is_empty() {
            let () = pipe.query(connection).expect("the jobs");
        }
    }

    /// What an operator does about jobs on the timeout list: back to the waiting ones, as they are.
    pub fn reload_timeout(self, connection: &mut Connection) {
        let timeout = self.timeout().expect("a list of its own");
        let mut moved = true;
        while moved {
            let mut command = redis::cmd("RPOPLPUSH");
            let member: Option<Vec<u8>> =
                command.arg(&timeout).arg(self.ready()).query(connection).expect("a list");
            moved = member.is_some();
        }
    }
}

const CALL: &str = "think\\queue\\CallQueuedHandler@call";

/// The name of the job in a payload that [`Wire::payload`] made.
pub fn name_in(payload: &[u8]) -> Cow<'_, str> {
    let text = std::str::from_utf8(payload).expect("text").replace('\\', "");
    let value = text.split_once("s:4:\"name\";s:").expect("a name").1;
    let value = value.split('"').nth(1).expect("a text");
    Cow::Owned(value.to_owned())
}

/// The last number in a payload, which is its count of attempts, raised by so much.
pub fn counted(payload: &[u8], by: i64) -> (i64, Vec<u8>) {
    let end = payload.iter().rposition(u8::is_ascii_digit).expect("a count") + 1;
    let start = payload[..end].iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |at| at + 1);
    let count: i64 = std::str::from_utf8(&payload[start..end]).expect("digits").parse().expect("a count");
    let raised = (count + by).to_string();
    (count + by, [&payload[..start], raised.as_bytes(), &payload[end..]].concat())
}

/// One test for each wire of each function named, which takes the wire.
macro_rules! on_every_wire {
    ($($name:ident),* $(,)?) => {
        on_every_wire! {
            laravel: Laravel, think: Think, think_before_3: ThinkBefore3, hyperf: Hyperf; $($name)*
        }
    };
    ($module:ident: $wire:ident, $($modules:ident: $wires:ident),+; $($name:ident)*) => {
        on_every_wire! { $module: $wire; $($name)* }
        on_every_wire! { $($modules: $wires),+; $($name)* }
    };
    ($module:ident: $wire:ident; $($name:ident)*) => {
        mod $module {$(
            #[test]
            fn $name() {
                super::$name(crate::support::wire::Wire::$wire);
            }
        )*}
    };
}
pub(crate) use on_every_wire;
