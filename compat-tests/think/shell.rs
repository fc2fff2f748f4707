//! Commands as an operator of ThinkPHP types them: the binary, and the worker with handlers, on the test's own Redis.

use std::path::Path;

use crate::support::process::{Finished, Running, command};
use crate::support::redis::Redis;
use crate::support::worker_binary;

/// `handover` with these words, to its end.
pub fn handover(redis: &Redis, words: &[&str]) -> Finished {
    Running::start(worded(env!("CARGO_BIN_EXE_handover"), redis, Path::new("."), words)).finish()
}

/// The worker under test in a folder of its own.
pub fn work(redis: &Redis, folder: &Path, words: &[&str]) -> Running {
    let mut command = worded(worker_binary(), redis, folder, words);
    command.env("TRACE_FILE", folder.join("trace.log"));
    Running::start(command)
}

fn worded(
    program: impl AsRef<std::ffi::OsStr>,
    redis: &Redis,
    folder: &Path,
    words: &[&str],
) -> std::process::Command {
    let mut command = command(program);
    command.args(words).args(["--redis", &redis.url(0)]).current_dir(folder);
    command
}

/// A string job of version 3, or of 1 and 2, which count from one and have no limits.
pub fn job(job: &str, data: &str, attempts: i64, limits: bool) -> String {
    let limits = if limits { r#""maxTries":null,"timeout":null,"# } else { "" };
    let name = job.replace('\\', "\\\\");
    format!(r#"{{"job":"{name}",{limits}"data":{data},"id":"id-{attempts}","attempts":{attempts}}}"#)
}

/// Puts a payload at the tail of a ready list, as PHP does.
pub fn push(redis: &Redis, ready: &str, payload: &str) {
    let _: i64 = redis.query(&["RPUSH", ready, payload]);
}
