//! async-queue of Hyperf: what operators see and type, on the real binary.

mod commands;
mod screen;

use crate::support::process::{Running, command};
use crate::support::redis::Redis;
use crate::support::worker_binary;

/// A message of 3.2 with a job of this class.
fn message(class: &str, max_attempts: i64) -> String {
    let properties =
        format!("s:11:\"maxAttempts\";i:{max_attempts};s:4:\"name\";s:1:\"n\";s:7:\"message\";s:4:\"boom\";");
    let job = format!("O:{}:\"{class}\":3:{{{properties}}}", class.len());
    format!("O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{{s:3:\"job\";{job}s:8:\"attempts\";i:0;}}")
}

/// The worker with handlers.
fn work(redis: &Redis, words: &[&str]) -> Running {
    let mut command = command(worker_binary());
    command.args(words).args(["--dialect=hyperf", "--redis", &redis.url(0)]);
    command.env("TRACE_FILE", redis.dir().join("trace.log"));
    Running::start(command)
}
