//! Hyperf's async-queue: what its real versions wrote and did, the rows of its table of observable behaviours, and what
//! operators see and type.
//!
//! The rows that need no Redis stand in `src/dialect/hyperf.rs`, `src/dialect/hyperf/message.rs`, `src/php/model.rs`,
//! `src/worker/policy.rs` and `src/config/dialect.rs`.

mod classes;
mod commands;
mod golden;
mod recorded;
mod rows;
mod running;
mod screen;

use handover::dialect::{Dialect, Hyperf};

use crate::support::process::{Running, command};
use crate::support::redis::Redis;
use crate::support::worker_binary;

/// The dialect of a recorded version, such as `3.1.71`.
fn of(version: &str) -> Dialect {
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().expect("a number")).collect();
    let [major, minor, patch] = parts[..] else { panic!("version {version}") };
    Hyperf::new("").version((major, minor, patch)).into()
}

/// A message of 3.2 with a job of this class.
fn message(class: &str, max_attempts: i64) -> String {
    let properties =
        format!("s:11:\"maxAttempts\";i:{max_attempts};s:4:\"name\";s:1:\"n\";s:7:\"message\";s:4:\"boom\";");
    let job = format!("O:{}:\"{class}\":3:{{{properties}}}", class.len());
    format!("O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{{s:3:\"job\";{job}s:8:\"attempts\";i:0;}}")
}

/// The worker with handlers, in the folder of its Redis.
fn work(redis: &Redis, words: &[&str]) -> Running {
    let mut command = command(worker_binary());
    command.current_dir(redis.dir());
    command.args(words).args(["--dialect=hyperf", "--redis", &redis.url(0)]);
    command.env("TRACE_FILE", redis.dir().join("trace.log"));
    Running::start(command)
}
