//! Handlers that do what the recorded classes `app\job\Hello`, `Mailer` and `Bad` do, and write the same trace.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use handover::handler::Handler;
use handover::queue::BoxFuture;
use handover::{Context, Exception, Job, Outcome, Worker};
use serde_json::Value;

/// What user code has written.
#[derive(Clone, Default)]
pub struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    pub fn add(&self, line: String) {
        self.0.lock().expect("the trace").push(line);
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().expect("the trace").clone()
    }
}

/// `app\job\Hello`, all its methods.
struct Hello {
    trace: Trace,
    /// `failed` is given the exception, from version 3 on.
    tells_why: bool,
}

impl Handler for Hello {
    fn run(&self, ctx: Context) -> BoxFuture<'static, Outcome> {
        let trace = self.trace.clone();
        Box::pin(async move {
            let job = ctx.job();
            let data = job.payload.data().map_or("null", |data| data.get()).to_owned();
            let fields: Value = serde_json::from_str(&data).expect("JSON");
            let handler = job.payload.handler().expect("a string job");
            let method = handler.split_once('@').expect("a method").1;
            let attempts = job.attempts;
            trace.add(match method {
                "fire" => format!("Hello fire {attempts} {data}"),
                method => format!("Hello {method} {attempts}"),
            });
            match method {
                "boom" => Outcome::Threw(Exception::msg(format!("boom {data}"))),
                "later" => Outcome::Released(Duration::from_secs(fields["delay"].as_u64().unwrap_or(30))),
                "forgets" => Outcome::Completed,
                "slow" => {
                    tokio::time::sleep(Duration::from_secs(fields["s"].as_u64().unwrap_or(3))).await;
                    Outcome::Deleted
                }
                _ => Outcome::Deleted,
            }
        })
    }

    fn failed(&self, job: Job, exception: Exception) -> BoxFuture<'static, ()> {
        let data = job.payload.data().map_or("null", |data| data.get());
        let why = match self.tells_why {
            true => format!("{} {}", exception.class, exception.message),
            false => String::new(),
        };
        self.trace.add(format!("Hello failed() {data} {why}"));
        Box::pin(async {})
    }
}

#[derive(serde::Deserialize)]
struct Mailer {
    to: String,
}

#[derive(serde::Deserialize)]
struct Bad {
    m: String,
}

/// The worker with the recorded classes.
pub fn with_classes(worker: Worker, trace: &Trace, tells_why: bool) -> Worker {
    let (mails, bads) = (trace.clone(), trace.clone());
    worker
        .route("app\\job\\Hello", Hello { trace: trace.clone(), tells_why })
        .handle("app\\job\\Mailer", move |mailer: Mailer, _: Context| {
            mails.add(format!("Mailer {}", mailer.to));
            async {}
        })
        .handle("app\\job\\Bad", move |bad: Bad, _: Context| {
            bads.add("Bad".to_owned());
            async move { Err::<(), _>(Exception::new("DomainException", bad.m)) }
        })
}
