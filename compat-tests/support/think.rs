//! A copy of the ThinkPHP fixture in a directory of its own, tied to one Redis: run its own worker or ours, read what they
//! left. Its packages are stand-ins, or those of the real application that THINK_APP names. Never asserts.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use handover::handler::{PoolOptions, Runner};
use serde_json::Value;
use tempfile::TempDir;

use super::process::{Finished, Running, command, wait_until};
use super::redis::Redis;
use super::{copy_tree, fixtures};

/// The directory of a real application, where there is one.
pub fn real_app() -> Option<PathBuf> {
    std::env::var_os("THINK_APP").map(PathBuf::from)
}

/// A ThinkPHP application on its own Redis.
pub struct App {
    dir: TempDir,
    redis: String,
}

impl App {
    /// A fresh application.
    pub fn new(redis: &Redis) -> App {
        let dir = tempfile::Builder::new().prefix("think-").tempdir().expect("a directory");
        copy_tree(&fixtures().join("think3"), dir.path());
        let app = App { dir, redis: redis.url(0) };
        if let Some(real) = real_app() {
            fs::remove_dir_all(app.path("vendor")).expect("the stand-ins");
            copy_tree(&real.join("vendor"), &app.path("vendor"));
        }
        fs::write(app.path("redis"), redis.socket().display().to_string()).expect("a file");
        app
    }

    /// A file or folder in it.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// Makes a file that its classes look for.
    pub fn touch(&self, relative: &str) {
        fs::write(self.path(relative), "").expect("a file");
    }

    /// One of its own commands, such as `queue:restart`.
    pub fn think(&self, arguments: &[&str]) -> Finished {
        let mut php = command("php");
        php.arg("think").args(arguments).current_dir(self.dir.path());
        Running::start(php).finish()
    }

    /// Our worker with one PHP child, started elsewhere with these flags.
    pub fn pooled(&self, flags: &[&str]) -> Command {
        let mut command = command(env!("CARGO_BIN_EXE_handover"));
        command.args(["queue:work", "--dialect=think", "--php", "--sleep=0.01"]);
        command.arg("--redis").arg(&self.redis).arg("--app").arg(self.dir.path());
        command.args(flags).env("RUST_LOG", "debug").current_dir(std::env::temp_dir());
        command
    }

    /// A pool of one child with these arguments behind `queue:work redis`.
    pub fn pool(&self, arguments: &[String]) -> PoolOptions {
        let worker = ["queue:work", "redis", "--queue=default", "--sleep=0"].map(str::to_owned);
        PoolOptions {
            runner: Runner::THINK,
            children: 1,
            directory: self.dir.path().to_owned(),
            arguments: [&worker, arguments].concat(),
            ..PoolOptions::default()
        }
    }

    /// What user code did, line by line.
    pub fn trace(&self) -> Vec<String> {
        self.lines("trace")
    }

    /// Waits until user code has written this line.
    #[track_caller]
    pub fn wait_for_trace(&self, line: &str) {
        wait_until(&format!("the trace {line:?}"), || self.trace().iter().any(|known| known == line));
    }

    /// The failed jobs as the application recorded them: connection, queue, payload, exception.
    pub fn failed_rows(&self) -> Vec<Value> {
        self.lines("failed_jobs").iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    fn lines(&self, file: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}
