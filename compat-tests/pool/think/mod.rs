//! The pool of a ThinkPHP application: its children are think-queue's own worker with our `pop()`. Without a real
//! application the packages are stand-ins of our own (`php-fixtures/think3/vendor`); where THINK_APP names one, all of this
//! runs on its packages, and its own `queue:work` is held to the same outcomes.

mod faults;
mod stories;
mod versions;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{ended, readied, wait_for_log};
use crate::support::process::{Running, wait_until};
use crate::support::redis::Redis;
use crate::support::snapshot::{now, shift};
use crate::support::think::{App, real_app};

const READY: &str = "{queues:default}";

/// A job of the fixture's class `Deeds`, which does what it is told to.
#[derive(Clone)]
struct Job {
    id: &'static str,
    name: &'static str,
    data: Value,
    /// `maxTries`, `timeout` and `timeoutAt`.
    limits: Value,
    attempts: i64,
}

fn job(id: &'static str, deeds: &[&str]) -> Job {
    Job { id, name: "Deeds", data: json!({"deeds": deeds}), limits: json!({}), attempts: 0 }
}

impl Job {
    fn named(self, name: &'static str) -> Self {
        Job { name, ..self }
    }

    fn limits(self, limits: Value) -> Self {
        Job { limits, ..self }
    }

    fn attempts(self, attempts: i64) -> Self {
        Job { attempts, ..self }
    }

    /// Its bytes as think-queue writes them with so many attempts.
    fn payload(&self, attempts: i64) -> String {
        let Job { id, name, data, limits, .. } = self;
        let until = limits.get("timeoutAt").map_or(String::new(), |at| format!(r#""timeoutAt":{at},"#));
        let payload = format!(
            r#"{{"job":{},"maxTries":{},"timeout":{},{until}"data":{data},"id":"{id}","attempts":{attempts}}}"#,
            json!(name),
            limits["maxTries"],
            limits["timeout"],
        );
        payload.replace('/', "\\/")
    }
}

fn push(redis: &Redis, jobs: &[Job]) {
    for job in jobs {
        let _: i64 = redis.query(&["RPUSH", READY, &job.payload(job.attempts)]);
    }
}

/// Each member of a sorted set and the second at which it is due.
fn members(redis: &Redis, key: &str) -> BTreeMap<String, i64> {
    let range: Vec<(String, f64)> = redis.query(&["ZRANGE", key, "0", "-1", "WITHSCORES"]);
    range.into_iter().map(|(member, score)| (member, score.floor() as i64)).collect()
}

fn is_empty(redis: &Redis) -> bool {
    let keys = [READY, "{queues:default}:delayed", "{queues:default}:reserved"];
    keys.iter().all(|key| redis.query::<i64>(&["EXISTS", key]) == 0)
}

fn start(app: &App, flags: &[&str]) -> Running {
    Running::start(app.pooled(flags))
}
